"""oxipng: the last step of every PNG, without any loss."""

from __future__ import annotations

from typing import Any

import oxipng

from .targets import HUGE

KEPT = (
    *(b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI"),
    *(b"sBIT", b"pHYs", b"eXIf", b"tEXt", b"iTXt", b"zTXt"),
    *(b"acTL", b"fcTL", b"fdAT"),
)
"""Chunks that stay; texts, because a copyright may be among them: what else they hold goes after verify."""

_RULES: dict[str, Any] = {
    "strip": oxipng.StripChunks.keep(list(KEPT)),
    "interlace": oxipng.Interlacing.Off,
    "optimize_alpha": True,
}


def squeeze(data: bytes, pixels: int, *, depth_may_fall: bool = True) -> bytes:
    """Return the PNG of so many pixels recoded without loss; raises `oxipng.PngError` for a broken one."""
    level = 0 if pixels > HUGE else 2
    return bytes(oxipng.optimize_from_memory(data, level=level, bit_depth_reduction=depth_may_fall, **_RULES))


def rough(data: bytes) -> bytes:
    """Return the PNG recoded without loss in little time: with and without filters, barely compressed."""
    filters = [oxipng.RowFilter.NoOp, oxipng.RowFilter.Bigrams]
    deflate = oxipng.Deflaters.libdeflater(1)
    rules = _RULES | {"optimize_alpha": False}
    return bytes(oxipng.optimize_from_memory(data, filter=filters, deflate=deflate, fast_evaluation=True, **rules))
