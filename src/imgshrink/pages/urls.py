"""Addresses in a page: which file of the site they lead to, and the address of a file beside it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROLS = re.compile(r"[\0-\x1f\x7f\\]")


def is_elsewhere(address: str) -> bool:
    """Return whether an address names another host, or a scheme such as `data:`."""
    return address.strip().startswith("//") or bool(_SCHEME.match(address.strip()))


def file_of(address: str, folder: PurePosixPath, *, root: str = "/") -> PurePosixPath | None:
    """Return the file that an address leads to, relative to the site; None for what lies outside of the site.

    `folder` is that of the page, relative to the site. `root` is the path below which the site is published.
    """
    address = address.strip(" \t\n\f\r")
    path = address.partition("#")[0].partition("?")[0]
    if not path or _CONTROLS.search(address) or is_elsewhere(address):
        return None
    if path.startswith("/"):
        if not path.startswith(root):
            return None
        path, folder = path.removeprefix(root), PurePosixPath()
    try:
        path = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return None
    if _CONTROLS.search(path) or path.endswith("/"):
        return None
    return _inside(folder, path)


def beside(address: str, suffix: str) -> str:
    """Return the address of the file whose name has `suffix` added, for `srcset`; a fragment is left out."""
    path, mark, query = address.strip(" \t\n\f\r").partition("#")[0].partition("?")
    return re.sub(r"[\s,]", lambda found: f"%{ord(found[0]):02X}", f"{path}{suffix}{mark}{query}")


def _inside(folder: PurePosixPath, path: str) -> PurePosixPath | None:
    parts = list(folder.parts)
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return PurePosixPath(*parts) if parts else None
