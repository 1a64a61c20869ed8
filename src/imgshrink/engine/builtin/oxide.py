"""oxipng: the last step of every PNG, without any loss."""

from __future__ import annotations

import oxipng

KEPT = (
    *(b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI"),
    *(b"sBIT", b"pHYs", b"eXIf", b"tEXt", b"iTXt", b"zTXt"),
    *(b"acTL", b"fcTL", b"fdAT"),
)
"""Chunks that stay; texts, because a copyright may be among them: what else they hold goes after verify."""


def squeeze(data: bytes, *, level: int = 2, depth_may_fall: bool = True) -> bytes:
    """Return the PNG recoded without loss; raises `oxipng.PngError` for a broken one."""
    return oxipng.optimize_from_memory(
        data,
        level=level,
        strip=oxipng.StripChunks.keep(list(KEPT)),
        interlace=oxipng.Interlacing.Off,
        optimize_alpha=True,
        bit_depth_reduction=depth_may_fall,
    )
