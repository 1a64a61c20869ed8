"""What is written into a page, and how it is known and taken back: every byte that was there before stays.

An `<img>` gets `data-imgshrink="lazy size" loading="lazy" width="600" height="400"` right behind its name, `loading` in
front of `src` as browsers need it. A variant wraps the image in `<picture data-imgshrink="">`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .escapes import escape, unescape
from .tokens import Attribute, Tag, attributes, tags

MARK = b"data-imgshrink"
LAZY, SIZE = b"lazy", b"size"
_NAMES = {LAZY: (b"loading",), SIZE: (b"width", b"height")}
_WORDS = re.compile(rb"(?:lazy)?(?: ?size)?")


@dataclass(frozen=True)
class Patch:
    """Bytes that stand in a page for those from `start` to `end`."""

    start: int
    end: int
    new: bytes = b""


def apply(page: bytes, patches: Iterable[Patch]) -> bytes:
    """Return the page with the patches, which must not overlap; those at the same place in the order given."""
    pieces: list[bytes] = []
    position = 0
    for patch in sorted(patches, key=lambda patch: (patch.start, patch.end)):
        pieces += [page[position : patch.start], patch.new]
        position = patch.end
    return b"".join([*pieces, page[position:]])


def reserve(tag: Tag, size: tuple[int, int] | None, *, lazy: bool) -> list[Patch]:
    """Return what writes the size in CSS pixels and lazy loading into the start tag of an image."""
    words = b" ".join([*([LAZY] if lazy else []), *([SIZE] if size else [])])
    if not words:
        return []
    loading = b' loading="lazy"' if lazy else b""
    numbers = b' width="%d" height="%d"' % size if size else b""
    return [Patch(tag.name_end, tag.name_end, b' %s="%s"%s%s' % (MARK, words, loading, numbers))]


def wrap(tag: Tag, srcset: str, media_type: str) -> list[Patch]:
    """Return what offers a variant beside an image. Both elements stay out of the layout, a grid's or a row's too."""
    source = b'<source srcset="%s" type="%s" style="display:none">' % (escape(srcset), media_type.encode())
    before = b'<picture %s="" style="display:contents">%s' % (MARK, source)
    return [Patch(tag.start, tag.start, before), Patch(tag.end, tag.end, b"</picture>")]


def take_back(page: bytes) -> bytes:
    """Return the page without what was written into it, as it was before."""
    return apply(page, (patch for patch, _ in _ours(page))) if MARK in page else page


def variants(page: bytes) -> list[str]:
    """Return the addresses of the variants that were written into the page, as `srcset` holds them."""
    found = (srcset for _, srcset in _ours(page)) if MARK in page else ()
    return [srcset for srcset in found if srcset is not None]


def _ours(page: bytes) -> Iterator[tuple[Patch, str | None]]:
    """Yield a patch for each thing of ours to remove, and the address of a variant that it names."""
    inside = False
    for tag in tags(page):
        if tag.name == b"img" and not tag.closing:
            yield from ((patch, None) for patch in _attributes(page, tag))
        elif tag.name == b"picture" and (inside if tag.closing else _marked(page, tag)):
            inside = not tag.closing
            yield Patch(tag.start, tag.end), None
        elif tag.name == b"source" and inside:
            rows = {row.name: row.value for row in attributes(page, tag)}
            yield Patch(tag.start, tag.end), unescape(rows.get(b"srcset", b""))


def _marked(page: bytes, tag: Tag) -> bool:
    return any(row.name == MARK for row in attributes(page, tag))


def _attributes(page: bytes, tag: Tag) -> Iterator[Patch]:
    """Yield what removes our attributes from an image, with the space before each."""
    rows = {row.name: row for row in attributes(page, tag)}
    mark = rows.get(MARK)
    if mark is None or not _WORDS.fullmatch(mark.value):
        return
    names = [name for word in mark.value.split() for name in _NAMES[word]]
    for row in sorted((rows[name] for name in (MARK, *names) if name in rows), key=lambda row: row.start):
        yield Patch(_space_before(page, row), row.end)


def _space_before(page: bytes, row: Attribute) -> int:
    return row.start - 1 if page[row.start - 1 : row.start].isspace() else row.start
