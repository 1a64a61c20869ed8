"""The version of the encoders' rules, and the versions of the codec packages."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

RULES = 16
"""Raised with every change of the encoders' rules or constants that changes output bytes.

Results are named by it alone: other versions of the codec packages may encode differently, but no worse, and machines
that differ in them share results.
"""

VARIANT_RULES = 2
"""Raised with every change of the rules of modern variants that changes their bytes and is no change of `RULES`."""

PACKAGES = ("mozjpeg_lossless_optimization", "pillow", "pyoxipng_ng", "pyvips", "pyvips_binary")


def fingerprint() -> str:
    """Return the name of this machine's results: those made without the lossless pass of JPEGs have one of their own.

    They are larger, so that machines with it must not take them over. Imports no codec.
    """
    lossless = find_spec("mozjpeg_lossless_optimization") is not None
    return f"builtin rules {RULES}" + ("" if lossless else " without lossless JPEG")


def variant_fingerprint() -> str:
    """Return the name of this machine's variants. Imports no codec.

    The libvips of a Linux distribution may lack the encoder for AVIF, so that what it makes has a name of its own.
    """
    packaged = find_spec("_libvips") is not None
    return f"{fingerprint()}, variants {VARIANT_RULES}" + ("" if packaged else " by another libvips")


def codec_versions() -> str:
    """Return `name version` of each codec package that is installed, `name none` for others.

    Read from the names of the `.dist-info` folders along `sys.path`, first one wins as in an import: importlib.metadata
    costs more time than the rest of a run in which nothing is new.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        for name, version in _installed(Path(folder)):
            found.setdefault(name, version)
    return ", ".join(f"{name} {found.get(name, 'none')}" for name in PACKAGES)


def _installed(folder: Path) -> list[tuple[str, str]]:
    try:
        names = [entry.name for entry in folder.iterdir() if entry.name.endswith(".dist-info")]
    except OSError:
        return []
    pairs = (name.removesuffix(".dist-info").partition("-") for name in names)
    return [(name.lower(), version) for name, _, version in pairs if name.lower() in PACKAGES]
