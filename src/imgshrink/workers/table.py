"""What a worker can do. A task takes blobs and options and returns blobs; its imports happen in the worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from .. import errors
from ..model import Accept, NotSmaller, Recipe


def optimize(data: bytes, *, quality: int) -> tuple[bytes]:
    """Return the smaller image, or `data` itself."""
    from ..engine.builtin.codecs import optimize as encode
    from ..sniff import sniff

    info = sniff(data)
    if info is None:
        raise errors.Declined("not an image that imgshrink knows")
    return (encode(data, info, Recipe(quality)),)


def verify(original: bytes, candidate: bytes, *, quality: int) -> tuple[bytes, bytes]:
    """Return the judgement as its kind, `accept`, `not-smaller` or `refuse`, and the bytes or the reason."""
    from ..verify import verify as judge

    judgement = judge(original, candidate, Recipe(quality))
    if isinstance(judgement, Accept):
        return b"accept", judgement.data
    if isinstance(judgement, NotSmaller):
        return b"not-smaller", b""
    return b"refuse", judgement.reason.encode()


def portray(before: bytes, after: bytes) -> tuple[bytes, bytes, bytes]:
    """Return both made small, and as JSON width, height and how different they look; `after` may be empty."""
    from ..portray import portray as draw

    shown = draw(before, after)
    look = [shown.look.worst, shown.look.mean] if shown.look else None
    facts = {"width": shown.width, "height": shown.height, "look": look}
    return shown.before, shown.after, json.dumps(facts).encode()


TASKS: Mapping[str, Callable[..., tuple[bytes, ...]]] = MappingProxyType(
    {"optimize": optimize, "verify": verify, "portray": portray}
)
