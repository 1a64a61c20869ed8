"""What is done with one image, whoever asks for it: shrink it by the engine and verify the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..core.errors import Declined
from ..core.model import DROP, Accept, Judgement, Recipe, Refuse
from ..engines import Engine
from ..image.sniff import sniff

Verify = Callable[[bytes, bytes, Recipe], Judgement]


class Results(Protocol):
    """Verified results that others made, or may use. Safe for threads; raises nothing."""

    def get(self, data: bytes, recipe: Recipe) -> bytes | None:
        """Return the result for an image, the image itself where nothing is to be gained, None if unknown."""

    def put(self, data: bytes, recipe: Recipe, result: bytes) -> None:
        """Keep a result; `data` itself says that nothing is to be gained."""


class Work:
    """An engine, and the judge of its results; before it `shared` results are looked up. Safe for threads."""

    def __init__(self, engine: Engine, verify: Verify, shared: Results | None = None) -> None:
        self._engine, self._verify, self._shared = engine, verify, shared

    def result(self, data: bytes, quality: int, *, apart: bool = False) -> bytes:
        """Return a verified result, `data` itself where that is not smaller.

        `apart` images are neither looked up nor shared. Raises `Declined` where another try would end the same, other
        `EngineError`s where it may not.
        """
        recipe, shared = Recipe(quality, DROP), None if apart else self._shared
        if shared and (known := shared.get(data, recipe)):
            return known
        result = self._made(data, recipe)
        if shared:
            shared.put(data, recipe, result)
        return result

    def _made(self, data: bytes, recipe: Recipe) -> bytes:
        info = sniff(data)
        if info is None:
            raise Declined("the image can't be read")
        judgement = self._verify(data, self._engine.optimize(data, info, recipe), recipe)
        if isinstance(judgement, Refuse):
            raise Declined(judgement.reason)
        return judgement.data if isinstance(judgement, Accept) else data

    def close(self) -> None:
        """Close the engine: what is being shrunk ends with an `EngineError`."""
        self._engine.close()
