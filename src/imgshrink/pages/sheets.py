"""The style sheets of a page, and the guards that are made from them, each once for all pages that share them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

from . import css, sizes, structure
from .css import Sheet
from .selectors import Compound, Selector, read, written
from .tree import Tree, known
from .urls import file_of, is_elsewhere

_CLASS = re.compile(rb"(?i)\bclass[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\f\r >]+))")
_NAMED_CLASS = re.compile(r"\.((?:[\w-]|[^\x00-\x7f])+)(?![\w\\-])")
_INNER = re.compile(r"\([^()]*\)|\[[^\]]*\]")

# Their rules are for classes of their own, or for fonts only; none reaches an image of a page.
_HARMLESS = re.compile(
    r"(?:https?:)?//(?:fonts\.googleapis\.com|fonts\.bunny\.net|use\.typekit\.net|rsms\.me|use\.fontawesome\.com)/"
    r"|/(?:highlight(?:\.|-)?js|font-?awesome|katex|mathjax|pygments|prism(?:js)?)[@/]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Test:
    """A selector, and the classes that an element of the page must have for it to match."""

    selector: str
    classes: frozenset[str]


class Guard:
    """What style sheets say about the images of a page."""

    def __init__(self, sheets: Iterable[Sheet]) -> None:
        rules = [rule for sheet in sheets for rule in sheet.rules]
        self._wrapping = _tests(selector for rule in rules for selector in structure.affected(rule))
        self._forbidden = _tests(selector for rule in rules for selector in sizes.forbidden(rule))
        self._granted = _tests(selector for rule in rules for selector in sizes.granted(rule) if known(selector))

    def fixed(self, tree: Tree, page: bytes) -> set[int]:
        """Return the numbers of the images that must keep their place in the tree."""
        return _matched(self._wrapping, tree, page_classes(page))

    def sizable(self, tree: Tree, page: bytes) -> set[int]:
        """Return the numbers of the images that a width and a height do not change."""
        classes = page_classes(page)
        granted = _matched(self._granted, tree, classes)
        return granted - _matched(self._forbidden, tree, classes) if granted else set()


class Sheets:
    """The style sheets of a site in the folder `site`, published below the path `root`; each file is read once."""

    def __init__(self, site: Path, root: str = "/") -> None:
        self._site, self._root = site, root
        self._files: dict[PurePosixPath, Sheet] = {}
        self._texts: dict[bytes, Sheet] = {}
        self._guards: dict[tuple[int, ...], Guard] = {}
        self._unread = False

    def of(self, tree: Tree, folder: PurePosixPath) -> tuple[Guard | None, str]:
        """Return the guard of a page in `folder`, or None and the address of a style sheet that can't be seen."""
        sheets: list[Sheet] = []
        for address in _linked(tree):
            unseen = self._add(address, folder, sheets)
            if unseen:
                return None, unseen
        for node in tree.elements("style"):
            unseen = self._add_sheet(self._text(node.text()), folder, sheets)
            if unseen:
                return None, unseen
        key = tuple(sorted({id(sheet) for sheet in sheets}))  # all are kept above
        if key not in self._guards:
            self._guards[key] = Guard(sheets)
        return self._guards[key], ""

    def unchanged(self) -> bool:
        """Whether all style sheets could be read, and are still the same."""
        try:
            return not self._unread and all(
                self._text(self._read(file)) is sheet for file, sheet in self._files.items()
            )
        except OSError:
            return False

    def _add(self, address: str, folder: PurePosixPath, sheets: list[Sheet]) -> str:
        """Add the sheet at an address and those that it imports; return the address of one that can't be seen."""
        file = file_of(address, folder, root=self._root)
        if file is None:
            return "" if is_elsewhere(address) and _HARMLESS.search(address) else address
        if file not in self._files:
            try:
                self._files[file] = self._text(self._read(file))
            except OSError:
                self._unread = True
                return address
        return self._add_sheet(self._files[file], file.parent, sheets)

    def _add_sheet(self, sheet: Sheet, folder: PurePosixPath, sheets: list[Sheet]) -> str:
        if any(sheet is other for other in sheets):
            return ""
        sheets.append(sheet)
        return next((unseen for address in sheet.imports if (unseen := self._add(address, folder, sheets))), "")

    def _text(self, text: str) -> Sheet:
        digest = sha256(text.encode(errors="replace")).digest()
        if digest not in self._texts:
            self._texts[digest] = css.parse(text)
        return self._texts[digest]

    def _read(self, file: PurePosixPath) -> str:
        """Return the text of a sheet, "" where there is none; raises `OSError` where it can't be read."""
        try:
            return (self._site / file).read_text(encoding="utf-8-sig", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""


def page_classes(page: bytes) -> frozenset[str]:
    """Return the classes that elements of a page have, and perhaps some more, in lower case."""
    found = b" ".join(b" ".join(groups) for groups in _CLASS.findall(page))
    text = found.decode(errors="replace")
    if "&" in text:
        import html

        text = html.unescape(text)
    return frozenset(text.lower().split())


def _linked(tree: Tree) -> Iterator[str]:
    for node in tree.elements("link"):
        rows = node.attributes
        if "stylesheet" in (rows.get("rel") or "").lower().split() and rows.get("href"):
            yield rows["href"] or ""


def _tests(selectors: Iterable[str]) -> list[_Test]:
    """Return each selector once; one that lexbor does not know counts for all images."""
    rows = {}
    for selector in selectors:
        plain = selector
        while (inner := _INNER.sub("", plain)) != plain:
            plain = inner
        classes = frozenset(name.lower() for name in _NAMED_CLASS.findall(plain)) if "\\" not in plain else frozenset()
        tested = selector if known(selector) else "img"
        rows[tested, classes] = _Test(tested, classes)
    return list(rows.values())


def _matched(tests: Iterable[_Test], tree: Tree, classes: frozenset[str]) -> set[int]:
    found: set[int] = set()
    for test in tests:
        missing = test.classes - classes
        selector = _without(test.selector, missing) if missing else test.selector
        if selector:
            found |= tree.matched(selector)
    return found


@lru_cache(maxsize=20_000)
def _without(selector: str, missing: frozenset[str]) -> str:
    """Return a selector without the classes that a page lacks, "" where it says nothing then.

    A script may add a class to an element that is known by another one, as to `.pair` in `.pair.open > img`.
    """
    parsed = read(selector)
    if parsed is None or any(_is_missing(part, missing) for part in parsed.compounds[-1].parts):
        return ""
    compounds = []
    for compound in parsed.compounds:
        parts = tuple(part for part in compound.parts if not _is_missing(part, missing))
        if parts != compound.parts and not (
            compound.type in ("html", "body") or any(part[0] in ".#" for part in parts)
        ):
            return ""
        compounds.append(Compound(compound.type, parts))
    if tuple(compounds) == parsed.compounds:
        return ""
    return written(Selector(tuple(compounds), parsed.combinators))


def _is_missing(part: str, missing: frozenset[str]) -> bool:
    return part.startswith(".") and part[1:].lower() in missing
