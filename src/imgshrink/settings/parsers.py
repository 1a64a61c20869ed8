"""Parsers of setting values: each takes a `RawValue` and returns the value, or raises `InvalidValue`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?", re.ASCII | re.IGNORECASE)
SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?", re.ASCII | re.IGNORECASE)
POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
LONGEST = 365 * 24 * 3600.0
LARGEST = 1024**5
SHOWN = 80
TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")


class InvalidValue(ValueError):
    """The value is wrong; the text says what is allowed."""


class InvalidPart(InvalidValue):
    """A part of the value is wrong; the text names it and says what is allowed, and follows the name of the setting."""


@dataclass(frozen=True)
class RawValue:
    """One value as its source gave it.

    `text` marks a source that knows nothing but text (environment, command line). Paths and patterns are relative to
    `base`. A path from a file of the repository must lie below `inside`, which is None for the other sources.
    """

    value: object
    text: bool = False
    base: Path = Path()
    inside: Path | None = None


Parser = Callable[[RawValue], T]


def _number(given: RawValue) -> float | None:
    value = given.value
    if given.text and isinstance(value, str):
        value = float(value) if NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < float("inf") else None


def whole(low: int, high: int) -> Parser[int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(given: RawValue) -> int:
        value = _number(given)
        if value is None or value != int(value) or not low <= value <= high:
            raise InvalidValue(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def per_cent(given: RawValue) -> float:
    """Return a number of per cent, given with or without the sign."""
    signed = isinstance(given.value, str) and given.value.rstrip().endswith("%")
    share = _number(RawValue(str(given.value).rstrip().removesuffix("%"), text=True) if signed else given)
    if share is None or not 0 <= share < 100:
        raise InvalidValue("a number from 0 to below 100")
    return share


def choice(*words: str) -> Parser[str]:
    """Return a parser of one of `words`."""

    def parse(given: RawValue) -> str:
        word = given.value.strip() if isinstance(given.value, str) else ""
        if word not in words:
            raise InvalidValue(f"{', '.join(words[:-1])} or {words[-1]}")
        return word

    return parse


def word(*words: str) -> Parser[str]:
    """Return a parser of one of `words`, one of which is `off`: YAML reads that as false."""

    def parse(given: RawValue) -> str:
        return choice(*words)(RawValue("off") if given.value is False else given)

    return parse


def several(*words: str) -> Parser[tuple[str, ...]]:
    """Return a parser of at least one of `words`, from a list or from text with commas."""

    def parse(given: RawValue) -> tuple[str, ...]:
        value = given.value.replace(",", " ").split() if isinstance(given.value, str) else given.value
        if not isinstance(value, list | tuple) or not value or any(part not in words for part in value):
            raise InvalidValue(f"one or more of {', '.join(words)}")
        return tuple(part for part in words if part in value)

    return parse


def boolean(given: RawValue) -> bool:
    """Return true or false; other words are accepted only from a source that knows nothing but text."""
    if isinstance(given.value, bool):
        return given.value
    word = given.value.strip().lower() if given.text and isinstance(given.value, str) else ""
    if word not in TRUE + FALSE:
        raise InvalidValue("true or false")
    return word in TRUE


def cache_or_boolean(given: RawValue) -> bool | str:
    """Return `cache`, true or false."""
    if given.value == "cache":
        return "cache"
    try:
        return boolean(given)
    except InvalidValue:
        raise InvalidValue("false, cache or true") from None


def duration(given: RawValue) -> float | None:
    """Return seconds above 0, or None for the word `none`."""
    value: object = given.value
    if isinstance(value, str):
        if value.strip().lower() == "none":
            return None
        match = DURATION.fullmatch(value.strip())
        value = float(match[1]) * SECONDS[(match[2] or "").lower()] if match else None
    seconds = _number(RawValue(value))
    if seconds is None or not 0 < seconds <= LONGEST:
        raise InvalidValue("a time such as 600, 90s, 10m or 1h, of a year at most, or none")
    return float(seconds)


def size(given: RawValue) -> int:
    """Return bytes: `2GiB` counts by 1024, `500MB` by 1000."""
    value: object = given.value
    if isinstance(value, str):
        match = SIZE.fullmatch(value.strip())
        value = match and float(match[1]) * (1024 if match[3] else 1000) ** POWER[(match[2] or "").lower()]
        value = value // 1 if isinstance(value, float) else None
    count = _number(RawValue(value))
    if count is None or not 0 <= count <= LARGEST or count != int(count):
        raise InvalidValue("a size such as 1024, 4KiB, 500MB or 2GiB, of 1024 TiB at most")
    return int(count)


def lines(given: RawValue) -> tuple[str, ...]:
    """Return patterns, from a list or from lines of text; commas separate them too where the source is only text."""
    value = given.value
    if isinstance(value, str):
        value = (value.replace(",", "\n") if given.text else value).splitlines()
    if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
        raise InvalidValue("a list of gitignore patterns")
    return tuple(line for line in value if line.strip())


def path(given: RawValue) -> Path:
    """Return an absolute path; one from a file of the repository must lie inside its project."""
    text = str(given.value) if isinstance(given.value, str | Path) else ""
    if not text.strip() or "\0" in text:
        raise InvalidValue("a path")
    if given.inside is None:
        return (given.base / Path(text).expanduser()).absolute()
    chosen, project = (given.base / text).resolve(), given.inside.resolve()
    if chosen == project or not chosen.is_relative_to(project):
        raise InvalidValue(f"inside {project}, because a file of the repository sets it")
    return chosen


def document(*suffixes: str) -> Parser[Path]:
    """Return a parser of paths to a file that ends in one of `suffixes`."""

    def parse(given: RawValue) -> Path:
        chosen = path(given)
        if chosen.suffix.lower() not in suffixes:
            raise InvalidValue(f"a file that ends in {', '.join(suffixes[:-1])} or {suffixes[-1]}")
        return chosen

    return parse


def each(row: Parser[T]) -> Parser[tuple[T, ...]]:
    """Return a parser of lists; `row` parses their members."""

    def parse(given: RawValue) -> tuple[T, ...]:
        if not isinstance(given.value, list | tuple):
            raise InvalidValue("a list")
        return tuple(_row(row, replace(given, value=value), number) for number, value in enumerate(given.value, 1))

    return parse


def _row(row: Parser[T], given: RawValue, number: int) -> T:
    try:
        return row(given)
    except InvalidPart as error:
        raise InvalidPart(f"row {number}: {error}") from None
    except InvalidValue as error:
        raise InvalidPart(f"row {number} is {shown_value(given.value)}; it must be {error}") from None


def shown_value(value: object) -> str:
    """Return a value as errors show it: in quotes if it is text, and cut if it is long."""
    try:
        words = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # Python prints no whole number of more than 4,300 digits
        return "a very long number"
    return words if len(words) <= SHOWN else words[:SHOWN] + "..."
