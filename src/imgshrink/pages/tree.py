"""The tree of a page as lexbor reads it: which selectors match which image. Nothing is ever written with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..core.errors import SettingsError

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MISSING = 'pages needs the package selectolax: pip install "imgshrink[pages]"'
_LEFT_OUT = ("noscript", "template")


def require() -> None:
    """Raise `SettingsError` with the cure where the parser is not installed."""
    try:
        import selectolax.lexbor  # noqa: F401
    except ImportError as error:
        raise SettingsError(MISSING) from error


class Tree:
    """A parsed page. `images` are its `<img>` elements in document order, but those inside of `<noscript>`."""

    def __init__(self, page: bytes) -> None:
        from selectolax.lexbor import LexborHTMLParser

        self._parser = LexborHTMLParser(page)
        nodes = self._parser.css("img")
        self.images = [node for node in nodes if not set(_LEFT_OUT) & set(ancestors(node))]
        self._numbers = {node.mem_id: number for number, node in enumerate(self.images)}

    def elements(self, name: str) -> list[LexborNode]:
        """Return the elements of that name."""
        return self._parser.css(name)

    def matched(self, selector: str) -> set[int]:
        """Return the numbers of the images that a selector matches; all for one that lexbor does not know."""
        if not known(selector):
            return set(self._numbers.values())
        found = (self._numbers.get(node.mem_id) for node in self._parser.css(selector))
        return {number for number in found if number is not None}

    def attributes(self) -> list[dict[str, str]]:
        """Return the attributes of each image, with "" for one without a value."""
        return [{name: value or "" for name, value in node.attributes.items()} for node in self.images]


def ancestors(node: LexborNode) -> Sequence[str]:
    """Return the names of the elements around a node, the nearest first."""
    names = []
    parent = node.parent
    while parent is not None:
        names.append(parent.tag or "")
        parent = parent.parent
    return names


@lru_cache(maxsize=20_000)
def known(selector: str) -> bool:
    """Whether lexbor can read a selector."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    try:
        LexborHTMLParser("").css(selector)
    except SelectolaxError:
        return False
    return True
