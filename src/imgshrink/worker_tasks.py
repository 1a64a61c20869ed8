"""What a worker process can do, and the caller's half of each task.

A task takes blobs and options and returns blobs; its imports happen in the worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from types import MappingProxyType

from .core import errors
from .core.model import DROP, KEEP, Accept, Judgement, NotSmaller, Recipe, Refuse, Variant
from .workers.pool import WorkerPool

LOSSLESS = 100
_RESULTS = 256
"""Whose looks are kept, half a kilobyte each: more than a run holds between a codec and verify."""


@contextmanager
def _loading() -> Iterator[None]:
    """Raise `Unavailable` where a codec can't be loaded, whatever its package raises: no verdict on any image."""
    try:
        yield
    except Exception as error:
        words = str(error).strip() or type(error).__name__
        raise errors.Unavailable(f"the built-in codecs can't be loaded: {words.splitlines()[0]}") from error


def optimize(data: bytes, *, quality: int) -> tuple[bytes, bytes]:
    """Return the smaller image, or `data` itself, and the looks at it that `verify` need not repeat."""
    with _loading():
        from .engines.builtin.codecs import optimize as encode
        from .image.sniff import sniff
        from .pixels.looks import Looks

    info, looks = sniff(data), Looks()
    if info is None:
        raise errors.Declined("not an image that imgshrink knows")
    return encode(data, info, Recipe(quality), looks), looks.dump()


def optimize_verified(data: bytes, *, quality: int) -> bytes:
    """Return a verified result that is smaller than `data`, or `data` itself; runs in the calling process.

    An image whose seal is valid is finished, unless only the seal is lossless. Raises `Declined`, or `EngineError` for
    pixels that can't be read.
    """
    with _loading():
        from .image.seal import read_seal, unseal
        from .pixels.looks import Looks
        from .pixels.verify import verify as judge
    sealed = read_seal(data)
    if sealed is not None and (sealed != LOSSLESS or quality == LOSSLESS):
        return data
    original = unseal(data)
    try:
        result, looks = optimize(original, quality=quality)
    except errors.EngineError:
        raise
    except Exception as error:  # each codec has exceptions of its own
        raise errors.Rejected(f"the image can't be read: {error}") from error
    if result == original:
        return data
    judgement = judge(original, result, Recipe(quality), Looks(looks))
    return judgement.data if isinstance(judgement, Accept) else data


def verify(
    original: bytes, candidate: bytes, looks: bytes = b"", *, quality: int, embedded: str = KEEP
) -> tuple[bytes, bytes]:
    """Return the judgement as its kind, `accept`, `not-smaller` or `refuse`, and the bytes or the reason.

    `looks` are those that `optimize` returned with the candidate.
    """
    with _loading():
        from .pixels.looks import Looks
        from .pixels.verify import verify as judge
    judgement = judge(original, candidate, Recipe(quality, embedded), Looks(looks))
    if isinstance(judgement, Accept):
        return b"accept", judgement.data
    if isinstance(judgement, NotSmaller):
        return b"not-smaller", b""
    return b"refuse", judgement.reason.encode()


def preview(before: bytes, after: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return a small image, the most different part of both images, and facts as JSON; `after` may be empty.

    The parts are empty where every pixel is the same. The facts are the fields of `previews.Preview` without bytes.
    """
    with _loading():
        from .pixels.previews import preview as draw
    drawn = draw(before, after)
    facts: dict[str, object] = {name: getattr(drawn, name) for name in ("width", "height", "size", "animated")}
    part = None
    if change := drawn.change:
        part = change.crop
        facts |= {"look": [change.worst, change.mean, change.share, change.quality], "place": change.place}
    if part:
        facts["crop"] = [part.left, part.top, part.width, part.height]
    return drawn.small, part.before if part else b"", part.after if part else b"", json.dumps(facts).encode()


def variant(original: bytes, published: bytes, *, quality: int, formats: str, saving: float) -> tuple[bytes, ...]:
    """Return the suffix, the bytes and the score of the variant of a published image; nothing where it has none.

    `original` is b"" where it is not known, `formats` are names between spaces. The score of an exact one is b"".
    """
    with _loading():
        from .engines.builtin.variants.make import make
    made = make(original or None, published, quality, formats.split(), saving)
    if made is None:
        return ()
    return made.suffix.encode(), made.data, b"" if made.score is None else f"{made.score:.1f}".encode()


TASKS: Mapping[str, Callable[..., tuple[bytes, ...]]] = MappingProxyType(
    {"optimize": optimize, "verify": verify, "preview": preview, "variant": variant}
)

TABLE = __name__
"""The module whose `TASKS` a worker serves."""


class CodecPool(WorkerPool):
    """Workers that can do these tasks; `verify` is told what `optimize` has seen of the same two files."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, table=TABLE)
        self._looks: dict[tuple[bytes, bytes], bytes] = {}

    def call(self, task: str, *blobs: bytes, **options: str | int | float | bool) -> tuple[bytes, ...]:
        """Run `task` in a worker as `WorkerPool.call` does."""
        if task == "verify" and len(blobs) == 2:
            blobs += (self._looks.pop(_names(*blobs), b""),)
        reply = super().call(task, *blobs, **options)
        if task == "optimize":
            self._remember(_names(blobs[0], reply[0]), reply[1])
        return reply

    def _remember(self, names: tuple[bytes, bytes], looks: bytes) -> None:
        """Keep the looks of the last results: some are never verified."""
        for oldest in list(self._looks)[: 1 - _RESULTS]:
            self._looks.pop(oldest, None)
        self._looks[names] = looks


def _names(original: bytes, result: bytes) -> tuple[bytes, bytes]:
    return sha256(original).digest(), sha256(result).digest()


def worker_pool(jobs: int) -> WorkerPool:
    """Return a pool of at most `jobs` workers that can do these tasks."""
    return CodecPool(jobs)


def remote_verify(workers: WorkerPool) -> Callable[[bytes, bytes, Recipe], Judgement]:
    """Return `verify` as a function that runs in a worker; raises `MachineTrouble`, which is no judgement.

    A pair that crashes the decoder twice is refused with that reason.
    """

    def verify(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
        try:
            kind, payload = workers.call(
                "verify", original, candidate, quality=recipe.quality, embedded=recipe.embedded
            )
        except errors.Rejected as error:
            return Refuse(str(error))
        if kind == b"accept":
            return Accept(payload)
        return NotSmaller() if kind == b"not-smaller" else Refuse(payload.decode())

    return verify


def remote_variant(
    workers: WorkerPool, formats: Sequence[str], saving: float
) -> Callable[[bytes, bytes, int], Variant | None]:
    """Return the task `variant` as a function of original, published image and quality that runs in a worker."""
    wanted = " ".join(formats)

    def make(original: bytes, published: bytes, quality: int) -> Variant | None:
        reply = workers.call("variant", original, published, quality=quality, formats=wanted, saving=saving)
        if not reply:
            return None
        suffix, data, score = reply
        name = suffix.decode()
        return Variant(name, f"image/{name[1:]}", data, float(score) if score else None)

    return make


def same_image(workers: WorkerPool) -> Callable[[bytes, bytes, int], bool]:
    """Return whether verify accepts an output for an original, judged in a worker at the quality of the output's seal.

    What the original carries for other programs makes no difference: it may have been dropped. False where this machine
    could not judge.
    """
    judge = remote_verify(workers)

    def same(original: bytes, output: bytes, quality: int) -> bool:
        try:
            return isinstance(judge(original, output, Recipe(quality, DROP)), Accept)
        except errors.EngineError:
            return False

    return same
