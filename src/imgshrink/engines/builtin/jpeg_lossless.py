"""JPEGs in fewer bytes without loss. The package for it has no wheels for some machines, and may be missing."""

from __future__ import annotations

try:
    from mozjpeg_lossless_optimization import COPY_MARKERS, optimize
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

SAVING: dict[str, bool] = {} if AVAILABLE else {"interlace": True, "optimize_scans": True}
"""Options of libvips for a new JPEG: behind the lossless pass a baseline one is smallest, else a progressive one."""


def transcode(data: bytes) -> bytes:
    """Return the same coefficients in fewer bytes, with the ICC profile and without other metadata.

    Where the package is missing, `data` itself.
    """
    return bytes(optimize(data, COPY_MARKERS.ICC)) if AVAILABLE else data
