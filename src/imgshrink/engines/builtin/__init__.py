"""The builtin engine: needs no key and no network; runs the codecs of this package in worker processes."""

from __future__ import annotations

from typing import Protocol

from ...core.model import ImageInfo, Recipe
from .versions import fingerprint


class WorkerPool(Protocol):
    """Runs tasks in other processes."""

    def call(self, task: str, *blobs: bytes, quality: int) -> tuple[bytes, ...]:
        """Run `task` and return its blobs; raises `EngineError`."""

    def close(self) -> None:
        """End all of them. Safe to call twice."""


class Builtin:
    """The Engine over `workers`, which other engines and verify may share."""

    name = "builtin"
    local = True

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers
        self.fingerprint = fingerprint()

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:  # noqa: ARG002 - sniffed again there
        """Encode the image to the recipe's quality in a worker; return `data` itself where that saves nothing."""
        result, *_ = self._workers.call("optimize", data, quality=recipe.quality)
        return data if result == data else result

    def close(self) -> None:
        """End the workers and abort the tasks that they run."""
        self._workers.close()
