"""What an engine is: somebody who makes an image smaller. Importing this module imports no codec and no client."""

from __future__ import annotations

from typing import Protocol

from ..core.model import ImageInfo, Recipe


class Engine(Protocol):
    """Bytes in, bytes out. Called from many threads at once."""

    @property
    def name(self) -> str:
        """`hosted` or `builtin`: the word in settings and reports."""

    @property
    def local(self) -> bool:
        """Whether it works on this machine: no byte leaves it, and asking costs nothing but time."""

    @property
    def fingerprint(self) -> str:
        """What names this engine's results, as text: protocol and origin, or the version of our own rules.

        Never a secret. Computing it imports no codec and touches no network.
        """

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        """Return a smaller image of the same format, or `data` itself where nothing is to be gained.

        The result is not trusted: verify judges it. Raises `EngineError` of the kind that says what the caller can do.
        """

    def close(self) -> None:
        """Let go of processes and connections; what is in flight ends within 2 seconds. Safe to call twice."""
