"""Versions of everything that imgshrink uses, and whether its codecs and git work."""

from __future__ import annotations

import base64
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ImgshrinkError, Unavailable
from ...files.git import program

if TYPE_CHECKING:
    from ...session import Session

NEEDED = (
    "pyvips",
    "pyvips-binary",
    "pyoxipng-ng",
    "diskcache",
    "filelock",
    "pathspec",
)
LOSSLESS_JPEG = "mozjpeg-lossless-optimization"
OPTIONAL = ("mkdocs", "properdocs", "mkdocs-material", "starlette", "uvicorn", "obstore", "cryptography")
# An image of one pixel, https://www.w3.org/TR/png-3/
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def versions(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Name the versions of everything that can change a result."""
    yield f"imgshrink {metadata.version('imgshrink')}, Python {platform.python_version()}, {platform.platform()}"
    found = {name: _version(name) for name in (*NEEDED, LOSSLESS_JPEG, *OPTIONAL)}
    yield ", ".join(f"{name} {version}" for name, version in found.items() if version)
    for name in NEEDED:
        if not found[name]:
            yield f"! {name} is missing: pip install --force-reinstall imgshrink"
    if not found[LOSSLESS_JPEG]:
        yield f"no {LOSSLESS_JPEG} (some machines have no wheel of it): JPEGs stay as they are at quality 100"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def codecs(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Shrink an image of one pixel in a worker process."""
    try:
        session.workers.call("optimize", PIXEL, quality=80)
        session.workers.call("verify", PIXEL, PIXEL, quality=80)
    except Unavailable as error:
        yield f"! {error}: pip install --force-reinstall imgshrink"
    except ImgshrinkError as error:
        yield f"! the built-in codecs don't work: {error}"
    else:
        yield "the built-in codecs work"


def programs(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Say whether git is installed: it knows which files are ignored, and may hold originals."""
    yield (
        "git is installed"
        if program()
        else "! git is not installed: ignored images are shrunk too, and originals can't be found in its history"
    )
