"""Reads CSS selectors: compounds and the combinators between them, and which elements a compound can stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .css import split

_IDENT = r"(?:[\w-]|[^\x00-\x7f]|\\(?:[0-9A-Fa-f]{1,6}\s?|.))+"
_COMBINATOR = re.compile(r"\s*([>+~])\s*|\s+")
_TYPE = re.compile(rf"(?:(?:{_IDENT}|\*)?\|(?!\|))?(?:\*|{_IDENT})")
_SIMPLE = re.compile(rf"[.#]{_IDENT}|\[(?:\"[^\"]*\"|'[^']*'|[^\]\"'])*\]|::?{_IDENT}(\()?|&")
_INNER = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\\.|[()]")
_NAMED = re.compile(r"\[\s*([\w-]+)")

_ONE_COLON = (":before", ":after", ":first-line", ":first-letter")
FUNCTIONS = (":is(", ":where(", ":matches(", ":-webkit-any(", ":-moz-any(", ":not(", ":has(")
LOST_ONLY = (":first-child", ":only-child")
"""What an image inside of `<picture>` can stop to be, and never becomes: its `<source>` stands first."""

_STRUCTURE = (":nth-", ":last-child", ":first-of-type", ":last-of-type", ":only-of-type", *LOST_ONLY)


@dataclass(frozen=True)
class Compound:
    """One element's part of a selector: its type in lower case, "" or `*` for any, and its other parts as written."""

    type: str = ""
    parts: tuple[str, ...] = ()

    @property
    def any_type(self) -> bool:
        """It names no type."""
        return self.type in ("", "*")

    @property
    def structural(self) -> bool:
        """It asks for a place among the element's siblings."""
        return any(is_structural(part) for part in self.parts)

    @property
    def pseudo_element(self) -> bool:
        """It stands for what is generated in the element, not for the element itself."""
        return any(part.startswith("::") or part.lower() in _ONE_COLON for part in self.parts)

    @property
    def indirect(self) -> bool:
        """A pseudo-class holds selectors that ask for other elements, or for a place."""
        return any(_is_indirect(part) for part in self.parts)

    def could_be(self, name: str) -> bool:
        """Whether an element `name` that we write, which has no class and no id, can be meant."""
        if not (self.any_type or self.type == name):
            return False
        return not any(part[0] in ".#" or _foreign_attribute(part) or _excludes(part, name) for part in self.parts)


@dataclass(frozen=True)
class Selector:
    """Compounds and the combinators between them: " ", ">", "+" or "~", each in front of the next compound."""

    compounds: tuple[Compound, ...]
    combinators: tuple[str, ...] = field(default=())


def read(text: str) -> Selector | None:
    """Return a selector without a list; None where it is none that this reader knows."""
    compounds: list[Compound] = []
    combinators: list[str] = []
    position, text = 0, text.strip()
    while position < len(text):
        if compounds:
            found = _COMBINATOR.match(text, position)
            if found is None:
                return None
            combinators.append(found[1] or " ")
            position = found.end()
        end, compound = _compound(text, position)
        if end == position:
            return None
        compounds.append(compound)
        position = end
    return Selector(tuple(compounds), tuple(combinators)) if compounds else None


def written(selector: Selector) -> str:
    """Return a selector as text."""
    texts = [compound.type + "".join(compound.parts) or "*" for compound in selector.compounds]
    pairs = zip(("", *selector.combinators), texts, strict=True)
    return "".join(f" {combinator} {text}" for combinator, text in pairs).strip()


def arguments(part: str) -> list[str]:
    """Return the selectors that a pseudo-class such as `:is(...)` holds; of any other none."""
    return split(part.partition("(")[2].removesuffix(")")) if part.lower().startswith(FUNCTIONS) else []


def is_structural(part: str) -> bool:
    """Whether a part asks for a place among siblings."""
    return part.lower().startswith(_STRUCTURE)


def relative_parts(compound: Compound) -> Iterator[str]:
    """Yield the arguments of every `:has()` of a compound, those inside of other pseudo-classes too."""
    for part in compound.parts:
        for argument in arguments(part):
            if part.lower().startswith(":has("):
                yield argument
            elif ":has(" in argument.lower():
                for inner in getattr(read(argument), "compounds", ()):
                    yield from relative_parts(inner)


def _compound(text: str, position: int) -> tuple[int, Compound]:
    name, parts = "", []
    if found := _TYPE.match(text, position):
        name, position = found[0].rpartition("|")[2].lower(), found.end()
    while found := _SIMPLE.match(text, position):
        end = _closing(text, found.end()) if found[1] else found.end()
        parts.append(text[position:end])
        position = end
    return position, Compound(name, tuple(parts))


def _closing(text: str, position: int) -> int:
    """Return where the bracket ends that opens before `position`."""
    depth = 1
    for found in _INNER.finditer(text, position):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(text)


def _is_indirect(part: str) -> bool:
    if part.lower().startswith(":has("):
        return False
    for argument in arguments(part):
        selector = read(argument)
        if selector is None or selector.combinators:
            return True
        if any(compound.structural or compound.indirect for compound in selector.compounds):
            return True
    return False


def _excludes(part: str, name: str) -> bool:
    """Whether a part such as `:is(p, .card)` or `:root` names nothing that an element `name` of ours could be."""
    if part.lower() == ":root":
        return True
    if not part.lower().startswith((":is(", ":where(", ":matches(")):
        return False
    rows = [read(argument) for argument in arguments(part)]
    return not any(row is None or row.compounds[-1].could_be(name) for row in rows)


def _foreign_attribute(part: str) -> bool:
    found = _NAMED.match(part)
    return found is not None and found[1].lower() not in ("style", "data-imgshrink")
