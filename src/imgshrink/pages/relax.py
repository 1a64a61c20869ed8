"""Makes selectors that match at least what a rule of a style sheet can match, in any state of the page."""

from __future__ import annotations

import re

from .selectors import LOST_ONLY, Compound, Selector, arguments, is_structural, read

_SWITCHED = re.compile(r"\[\s*data-", re.IGNORECASE)
_LISTS = (":is(", ":where(", ":matches(")
_KEPT = (":root",)


def relax(compound: Compound, *, image: bool = False, keep_place: bool = True) -> str:
    """Return a compound without what can change while a page is shown: states, pseudo-elements, `data-` attributes.

    With `image` it is an `img`, whose attributes stay; without `keep_place` it is not asked for a place among siblings,
    except for those that an image can only lose.
    """
    parts = [kept for part in compound.parts if (kept := _part(part, image=image, keep_place=keep_place))]
    name = "img" if image else compound.type
    return (name + "".join(parts)) or "*"


def prefix(selector: Selector, count: int) -> str:
    """Return the first `count` compounds, relaxed, with the combinator behind the last one."""
    pieces = [
        relax(compound) + f" {combinator} "
        for compound, combinator in zip(selector.compounds[:count], selector.combinators, strict=False)
    ]
    return "".join(pieces)


def _part(part: str, *, image: bool, keep_place: bool) -> str:
    if part[0] in ".#":
        return part
    if part[0] == "[":
        return "" if _SWITCHED.match(part) and not image else part
    lowered = part.lower()
    if is_structural(part):
        kept = keep_place or lowered in LOST_ONLY
        return part if kept and " of " not in lowered else ""
    if lowered.startswith(_LISTS):
        return _list(part)
    if lowered.startswith(":not("):
        return _negation(part, image=image)
    return part if lowered in _KEPT else ""


def _list(part: str) -> str:
    """Keep a list of compounds; one that any element can fulfil in some state says nothing."""
    kept = []
    for argument in arguments(part):
        selector = read(argument)
        if selector is None or selector.combinators:
            return ""
        relaxed = relax(selector.compounds[0], keep_place=False)
        if relaxed == "*":
            return ""
        kept.append(relaxed)
    return f":is({', '.join(kept)})" if kept else ""


def _negation(part: str, *, image: bool) -> str:
    """Keep what is sure not to change: classes, ids, attributes and types, one by one."""
    kept = []
    for argument in arguments(part):
        selector = read(argument)
        if selector is None or selector.combinators:
            continue
        compound = selector.compounds[0]
        plain = len(compound.parts) + bool(compound.type) == 1 and relax(compound) == argument.strip()
        if plain and compound.type != "*" and not compound.structural and not (image and compound.type):
            kept.append(argument.strip())
    return f":not({', '.join(kept)})" if kept else ""
