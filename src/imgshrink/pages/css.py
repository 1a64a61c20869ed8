"""Splits style sheets into rules: selectors, declarations, and whether the rule always holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STRING = r"\"(?:\\.|[^\"\\\n])*+\"?|'(?:\\.|[^'\\\n])*+'?"
_URL = r"(?i:url)\(\s*+(?![\"'\s])(?:\\.|[^)\\])*+\)?"
_COMMENT = re.compile(rf"{_STRING}|{_URL}|\\.|/\*.*?(?:\*/|\Z)", re.DOTALL)
_PIECE = re.compile(rf"{_STRING}|{_URL}|\\.|[{{}};()\[\],]", re.DOTALL)
_IMPORT = re.compile(r"(?is)@import\s+(?:url\(\s*)?[\"']?([^\"')\s]+)")
_GROUPS = ("@media", "@supports", "@layer", "@container", "@scope", "@document", "@-moz-document", "@starting-style")
_ALWAYS = re.compile(r"(?i)@layer\b.*|@media\s+(?:only\s+)?(?:all|screen)\s*")


@dataclass(frozen=True)
class Rule:
    """A rule of a style sheet. `always` is False where it holds only for some windows, browsers or states of a page."""

    selectors: tuple[str, ...]
    declarations: tuple[tuple[str, str], ...]
    always: bool = True


@dataclass(frozen=True)
class Sheet:
    """The rules of one style sheet, and the addresses of those that it imports."""

    rules: tuple[Rule, ...]
    imports: tuple[str, ...] = ()


def parse(text: str) -> Sheet:
    """Return the rules of a style sheet in order, those of media queries and of nested rules among them."""
    text = _COMMENT.sub(lambda found: " " if found[0].startswith("/*") else found[0], text)
    imports = tuple(found[1] for found in _IMPORT.finditer(text))
    return Sheet(tuple(_rules(text, (), always=True)), imports)


def declarations(text: str) -> tuple[tuple[str, str], ...]:
    """Return the declarations of a block or a `style` attribute: properties and values in lower case."""
    return tuple(_declaration(head) for head, body in _items(text) if body is None and ":" in head)


def split(text: str, separator: str = ",") -> list[str]:
    """Return the parts of a list that are separated outside of brackets and strings."""
    parts, start, depth = [], 0, 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in ("(", "["):
            depth += 1
        elif piece in (")", "]"):
            depth -= 1
        elif piece == separator and depth <= 0:
            parts.append(text[start : found.start()])
            start = found.end()
    return [part.strip() for part in [*parts, text[start:]]]


def _rules(text: str, outer: Sequence[str], *, always: bool) -> Iterator[Rule]:
    """Yield the rules in a block; `outer` are the selectors of the rule around it."""
    for head, body in _items(text):
        if body is None:
            continue
        if not head.startswith("@"):
            selectors = tuple(_nested(selector, outer) for selector in split(head))
            yield Rule(selectors, declarations(body), always)
            if "{" in body:
                yield from _rules(body, selectors, always=always)
        elif head.lower().startswith(_GROUPS):
            inner = always and _ALWAYS.fullmatch(head) is not None
            if outer and (rows := declarations(body)):
                yield Rule(tuple(outer), rows, inner)
            yield from _rules(body, outer, always=inner)


def _nested(selector: str, outer: Sequence[str]) -> str:
    if not outer:
        return selector
    around = outer[0] if len(outer) == 1 else f":is({', '.join(outer)})"
    if "&" in selector:
        return selector.replace("&", around)
    return f"{around} {selector}"


def _declaration(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip().lower(), value.strip().lower()


def _items(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield what stands in a block: the head and the body of each inner block, and declarations with None as body."""
    start = opened = depth = brackets = 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in "([":
            brackets += 1
        elif piece in ")]":
            brackets = max(0, brackets - 1)
        elif piece == "{" and not brackets:
            depth += 1
            opened = found.start() if depth == 1 else opened
        elif piece == "}" and not brackets:
            if depth == 1:
                yield text[start:opened].strip(), text[opened + 1 : found.start()]
            depth = max(0, depth - 1)
            start = start if depth else found.end()
        elif piece == ";" and not (brackets or depth):
            yield text[start : found.start()].strip(), None
            start = found.end()
    if depth:
        yield text[start:opened].strip(), text[opened + 1 :]
    elif text[start:].strip():
        yield text[start:].strip(), None
