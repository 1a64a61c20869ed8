"""Character references in attribute values (html.spec.whatwg.org, 13.2.5.73), in both directions."""

from __future__ import annotations

import html
import re
from html.entities import html5

_REFERENCE = re.compile(r"&(#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|[A-Za-z0-9]+;?)(=?)")


def unescape(value: bytes) -> str | None:
    """Return the value of an attribute as a browser reads it, None where it is not UTF-8."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return _REFERENCE.sub(_character, text) if "&" in text else text


def escape(value: str) -> bytes:
    """Return text as it is written between double quotes."""
    return html.escape(value).encode()


def _character(found: re.Match[str]) -> str:
    """A name without a semicolon counts only where no letter, digit or `=` follows it: `?a&copy=1` is an address."""
    name, equals = found.groups()
    if name.startswith("#"):
        return html.unescape(f"&{name}") + equals
    if name in html5 and (name.endswith(";") or not equals):
        return html5[name] + equals
    return found[0]
