"""A look at everything that imgshrink stands on and stands beside, in lines for people. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .ground import codecs, programs, versions
from .neighbours import neighbours
from .places import cache, images
from .values import account, settings

if TYPE_CHECKING:
    from ..runtime import Runtime

Look = Callable[["Runtime", Path, Mapping[str, str]], Iterator[str]]

LOOKS: Mapping[str, Look] = {
    "versions": versions,
    "codecs": codecs,
    "programs": programs,
    "settings": settings,
    "account": account,
    "cache": cache,
    "images": images,
    "neighbours": neighbours,
}


def examine_all(runtime: Runtime, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a heading and lines for every look at `folder`; what needs a person's hand begins with `!`."""
    for heading, look in LOOKS.items():
        yield heading
        yield from (f"  {line}" for line in look(runtime, folder, environ))
