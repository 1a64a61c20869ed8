"""What every image's upload at the API needs, and how an upload speaks to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ...core.errors import AccountError
from . import replies
from .budget import Account
from .journal import Ledger
from .parsing import retry_after
from .polling import Timing, backoff
from .response import Reply, TransportError
from .urls import Url

if TYPE_CHECKING:
    from .http import Transport

Step = TypeVar("Step")


class Interrupted(Exception):
    """The run was stopped while an upload waited."""


@dataclass(frozen=True)
class NoResponse(replies.Later):
    """No answer came, and nothing can have happened; `unreached`: there was no connection."""

    unreached: bool = False


@dataclass(frozen=True)
class ApiClient:
    """Everything that uploads share. `denied` makes, and remembers, the error for a refused account."""

    api: Url
    transport: Transport
    ledger: Ledger
    account: Account
    stop: threading.Event
    denied: Callable[[replies.Denied], AccountError]
    timing: Timing

    @property
    def host(self) -> str:
        """The API's name, as people know it."""
        return self.api.authority

    def backoff(self, failures: int) -> float:
        """Return the seconds to wait after that many failures in a row."""
        return backoff(failures, self.account.chance(), self.timing.backoff)

    def sleep(self, seconds: float) -> None:
        """Wait; raises `Interrupted` when the run is stopped."""
        if self.stop.wait(max(0.0, seconds)):
            raise Interrupted

    def call(
        self, ask: Callable[[], Reply], read: Callable[[int, bytes], Step]
    ) -> tuple[Step | replies.Later | replies.Unclear, float | None]:
        """Ask the API, and return what its answer means and how long it wants to be left alone.

        No answer is `NoResponse` where nothing can have happened, and `Unclear` where something may have.
        """
        if self.account.silence:
            return NoResponse(self.account.silence), None
        try:
            reply = ask()
        except TransportError as broken:
            return (replies.Unclear(str(broken)) if broken.sent else NoResponse(str(broken), broken.unreached)), None
        delay = retry_after(reply.retry_after, time.time())
        step: Step | replies.Later | replies.Unclear = read(reply.code, reply.body)
        if isinstance(step, replies.Later) and delay is None and reply.code == 503:
            step = replies.Unclear(step.reason)
        if isinstance(step, replies.Later) and delay is not None:
            self.account.pause(min(delay, self.timing.pause))
        return step, delay
