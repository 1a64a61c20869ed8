"""Which images must not be wrapped in `<picture>`: selectors that match by a place, which wrapping changes.

An image that none of the returned selectors matches looks the same inside of `<picture style="display:contents">`, as
far as style sheets decide it. The wrapped image is the second child of `<picture>`, behind its `<source>`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .css import Rule
from .relax import prefix, relax
from .selectors import Compound, Selector, read, relative_parts

_BESIDE = ("+", "~")
_UNREADABLE = "img"


def affected(rule: Rule) -> Iterator[str]:
    """Yield selectors of images whose match by the rule, or whose neighbours' match, wrapping can change."""
    shows = any(name in ("display", "all") and "!important" in value for name, value in rule.declarations)
    for text in rule.selectors:
        if not text:
            continue
        selector = read(text)
        if selector is None:
            yield _UNREADABLE
            continue
        yield from _of_selector(selector)
        if shows and selector.compounds[-1].could_be("picture"):
            yield _at(selector, len(selector.compounds) - 1, keep_place=False)


def _of_selector(selector: Selector) -> Iterator[str]:
    for index, compound in enumerate(selector.compounds):
        for relative in relative_parts(compound):
            yield from _of_relative(selector, index, relative)
        last = index == len(selector.compounds) - 1
        if _image(compound) and (last or selector.combinators[index] in _BESIDE):
            yield from _of_place(selector, index, last=last)
            yield from _of_left(selector, index)


def _of_relative(selector: Selector, index: int, relative: str) -> Iterator[str]:
    """Yield what `X:has(> img)` says of images: the same as `X > img`."""
    combinator = relative[:1] if relative[:1] in ("+", "~", ">") else " "
    inner = read(relative.removeprefix(combinator))
    if inner is None:
        yield _UNREADABLE
        return
    compound = Compound(selector.compounds[index].type, tuple(_without_has(selector.compounds[index])))
    compounds = (*selector.compounds[:index], compound, *inner.compounds)
    yield from _of_selector(Selector(compounds, (*selector.combinators[:index], combinator, *inner.combinators)))


def _of_place(selector: Selector, index: int, *, last: bool) -> Iterator[str]:
    """Yield what holds for an image at `index` for its parent, its place and the siblings behind it."""
    compound = selector.compounds[index]
    direct = index > 0 and selector.combinators[index - 1] != " "
    if direct and not _gained(selector, index):
        yield _at(selector, index, keep_place=True)
    elif direct or compound.structural or compound.indirect:
        yield _at(selector, index, keep_place=False)
    if not last and not (compound.could_be("picture") and not compound.parts and compound.any_type):
        following = relax(selector.compounds[index + 1])
        loose = any(part.startswith(":not(") for part in compound.parts)
        image = "img" if loose else relax(compound, image=True, keep_place=False)
        yield f"{prefix(selector, index)}{image}:has({selector.combinators[index]} {following})"


def _of_left(selector: Selector, index: int) -> Iterator[str]:
    """Yield what holds for an image once `<picture>` is its parent, or `<source>` its neighbour."""
    if index and _gained(selector, index):
        image = relax(selector.compounds[index], image=True, keep_place=False)
        yield prefix(selector, index - 1) + image


def _gained(selector: Selector, index: int) -> bool:
    """Whether an element that we write can stand for the compound in front of an image."""
    left, combinator = selector.compounds[index - 1], selector.combinators[index - 1]
    if combinator in _BESIDE:
        return left.could_be("source")
    if combinator == ">":
        return left.could_be("picture")
    special = left.type == "picture" or left.structural or any(part[0] == "[" for part in left.parts)
    return left.could_be("picture") and special


def _at(selector: Selector, index: int, *, keep_place: bool) -> str:
    return prefix(selector, index) + relax(selector.compounds[index], image=True, keep_place=keep_place)


def _image(compound: Compound) -> bool:
    return compound.any_type or compound.type in ("img", "picture")


def _without_has(compound: Compound) -> Iterator[str]:
    return (part for part in compound.parts if ":has(" not in part.lower())
