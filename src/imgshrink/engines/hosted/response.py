"""What a request to the world comes to: a reply, or none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """One answer, its body whole and bounded."""

    code: int
    body: bytes = b""
    retry_after: str = ""
    location: str = ""


class TransportError(Exception):
    """No usable answer came.

    `unreached` says that there was no connection, `sent` that the upload had begun to leave, `forbidden` that we would
    not go there, `nonsense` that an answer came and was none.
    """

    def __init__(
        self,
        reason: str,
        *,
        unreached: bool = False,
        sent: bool = False,
        forbidden: bool = False,
        nonsense: bool = False,
    ) -> None:
        super().__init__(reason)
        self.unreached = unreached
        self.sent = sent
        self.forbidden = forbidden
        self.nonsense = nonsense
