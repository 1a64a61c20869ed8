"""Parsers for untrusted values: each accepts anything, and returns a bounded, printable value or None."""

from __future__ import annotations

import json
import math
import re
import unicodedata

from ...core.tinyjpg import Json

LARGEST_REPLY = 256 * 1024
LARGEST_NUMBER = 2**63 - 1


def read_object(body: bytes) -> Json | None:
    """Return the JSON object in `body`, None for anything else; never raises."""
    if len(body) > LARGEST_REPLY:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_count(value: object) -> int | None:
    """Return an integer from 0 to 2**63 - 1, also from text or from a float without a fraction; else None."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        return None
    return value


def read_number(value: object) -> float | None:
    """Return a finite, non-negative number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 <= value <= LARGEST_NUMBER or math.isnan(value):
        return None
    return float(value)


def read_text(value: object, longest: int = 200) -> str:
    """Return text from a server as one printable line of at most `longest` characters; "" for anything but text."""
    if not isinstance(value, str):
        return ""
    printable = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in value[: 4 * longest])
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def retry_after(value: str, now: float) -> float | None:
    """Return the seconds of a `Retry-After`, which holds seconds or a date; None for anything else."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", value):
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
