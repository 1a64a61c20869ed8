"""Finds other tools that work on the same images, in their configuration files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..site_file import NAMES

if TYPE_CHECKING:
    from ...session import Session

HOOKS = ".pre-commit-config.yaml"
HOOK = re.compile(r"^\s*-\s+id:\s*['\"]?([\w.-]+)", re.MULTILINE)
STRIPS = re.compile(r"--strip|(?<![\w-])-s\b")
OPTIMIZERS = re.compile(
    r"^(optimi[sz]e-.*|oxipng|optipng|pngquant|pngcrush|zopflipng|jpegoptim|jpegtran|gifsicle|imgoptim|trimage|picopt|squoosh.*|image-optimi[sz]er.*)$"
)
MATERIAL = re.compile(
    r"^\s*-\s+['\"]?(?:material/)?optimize['\"]?:?[ \t]*(?P<options>(?:\n[ \t]{3,}[^\s-].*)*)$", re.MULTILINE
)
OURS = re.compile(r"^\s*-\s+['\"]?imgshrink\b", re.MULTILINE)
OFF = re.compile(r"enabled:\s*(?:false|no|off)\b", re.IGNORECASE)


def neighbours(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Name the hooks and plugins that undo or repeat the shrinking."""
    lines = [*_hooks(folder), *_sites(folder)]
    yield from lines or ["none found"]


def _hooks(folder: Path) -> Iterator[str]:
    text = _text(next((place / HOOKS for place in (folder, *folder.parents) if (place / HOOKS).is_file()), None))
    ends = [match.start() for match in HOOK.finditer(text)] + [len(text)]
    for match, end in zip(HOOK.finditer(text), ends[1:], strict=True):
        name, block = match[1], text[match.start() : end]
        if name == "oxipng" and STRIPS.search(block):
            yield f"! {HOOKS}: oxipng --strip removes the seal, and imgshrink adds it again: use only one of them"
        elif OPTIMIZERS.match(name):
            yield f"! {HOOKS}: {name} works on the same images: use only one of them"


def _sites(folder: Path) -> Iterator[str]:
    for name in NAMES:
        text = _text(folder / name)
        match = MATERIAL.search(text)
        if match and OURS.search(text) and not OFF.search(match["options"]):
            yield f"! {name}: Material's optimize is on as well, so PNG and JPEG are left to it: remove it"


def _text(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
