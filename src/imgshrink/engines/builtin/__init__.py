"""The engine without a key and without a network: the codecs of this package, run in worker processes."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

from ...core.model import ImageInfo, Recipe
from .versions import RULES, codec_versions


class WorkerPool(Protocol):
    """Runs tasks in other processes."""

    def call(self, task: str, *blobs: bytes, quality: int) -> tuple[bytes, ...]:
        """Run `task` and return its blobs; raises `EngineError`."""

    def close(self) -> None:
        """End all of them. Safe to call twice."""


class Builtin:
    """The Engine over `workers`, which it does not own: several engines and verify may share them."""

    name = "builtin"
    local = True

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    @cached_property
    def fingerprint(self) -> str:
        """The versions of the codecs' packages and of our own rules; imports no codec."""
        return f"builtin rules {RULES}; {codec_versions()}"

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:  # noqa: ARG002 - sniffed again there
        """Return the image encoded to the recipe's quality in a worker, or `data` itself where that gains nothing."""
        (result,) = self._workers.call("optimize", data, quality=recipe.quality)
        return data if result == data else result

    def close(self) -> None:
        """End the workers, and with them what is in flight."""
        self._workers.close()
