"""Finds the tags of an HTML page by byte range, as the tokenizer of the HTML standard does.

Section 13.2.5 of https://html.spec.whatwg.org.

Only ranges are returned, so that a page can be changed at one place and stay as it is everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# \v is no space in HTML, and `\s` of Python holds it.
_SPACE = rb"[\t\n\f\r ]"
_NEXT = re.compile(rb"<(?:(!--)|(![^-]|!-(?!-)|\?|/(?![A-Za-z]))|(/?)([A-Za-z][^\t\n\f\r />]*))")
_COMMENT_START = re.compile(rb"-?>")
_COMMENT_END = re.compile(rb"--!?>")
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>))"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
# An attribute with `=` must have a value that ends: a quote that is never closed takes the rest of the page with it.
_TAG_END = re.compile(
    rb"(?:[\t\n\f\r /]*+%(name)s(?:%(space)s*+=%(space)s*+%(value)s|(?!%(space)s*+=)))*+[\t\n\f\r /]*+>"
    % {b"name": _NAME, b"space": _SPACE, b"value": _VALUE}
)
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*+(?P<all>(?P<name>%(name)s)(?:%(space)s*+=%(space)s*+(?P<value>%(value)s))?+)"
    % {b"name": _NAME, b"space": _SPACE, b"value": _VALUE}
)
_SCRIPT = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)
_RAW = frozenset(b"style textarea title xmp iframe noembed noframes noscript script".split())
_ENDS = {name: re.compile(rb"</%s(?=[\t\n\f\r />])" % name, re.IGNORECASE) for name in _RAW}


@dataclass(frozen=True)
class Tag:
    """A start or end tag: its name in lower case, and the byte range from its `<` to behind its `>`."""

    name: bytes
    start: int
    end: int
    closing: bool = False

    @property
    def name_end(self) -> int:
        """Where its attributes begin."""
        return self.start + 1 + self.closing + len(self.name)


@dataclass(frozen=True)
class Attribute:
    """An attribute of a tag: its name in lower case, its value as written without quotes, and its byte range."""

    name: bytes
    value: bytes
    start: int
    end: int


def tags(page: bytes) -> Iterator[Tag]:
    """Yield the tags of a page in order; none of comments, scripts, styles and other text that only looks like tags."""
    position = 0
    while found := _NEXT.search(page, position):
        comment, _, slash, name = found.groups()
        if name is None:
            position = _comment_end(page, found.end()) if comment else page.find(b">", found.end(2) - 1) + 1
            if position <= 0:
                return
            continue
        end = _TAG_END.match(page, found.end())
        if end is None:
            return
        tag = Tag(name.lower(), found.start(), end.end(), bool(slash))
        yield tag
        if tag.name == b"plaintext" and not slash:
            return
        position = end.end() if slash or tag.name not in _RAW else _text_end(page, end.end(), tag.name)


def attributes(page: bytes, tag: Tag) -> list[Attribute]:
    """Return the attributes of a start tag; of those with the same name only the first one counts."""
    rows: dict[bytes, Attribute] = {}
    for found in _ATTRIBUTE.finditer(page, tag.name_end, tag.end):
        name, value = found["name"].lower(), found["value"] or b""
        if value[:1] in (b'"', b"'"):
            value = value[1:-1]
        rows.setdefault(name, Attribute(name, value, found.start("all"), found.end("all")))
    return list(rows.values())


def _comment_end(page: bytes, position: int) -> int:
    """Return where a comment ends whose `<!--` ends at `position`; -1 where it never does."""
    found = _COMMENT_START.match(page, position) or _COMMENT_END.search(page, position)
    return found.end() if found else -1


def _text_end(page: bytes, position: int, name: bytes) -> int:
    """Return where the text of an element ends that holds no tags: at its end tag, or where the page ends."""
    if name == b"script":
        return _script_end(page, position)
    found = _ENDS[name].search(page, position)
    return found.start() if found else len(page)


def _script_end(page: bytes, position: int) -> int:
    """Return where a script ends: inside of `<!--`, a `<script>` takes one `</script>` with it."""
    escaped = inner = False
    while found := _SCRIPT.search(page, position):
        word = found[0]
        position = found.end()
        if word == b"<!--":
            escaped, position = True, found.end() - 2  # `<!-->` ends at once
        elif word == b"-->":
            escaped = inner = False
        elif not found[1]:
            inner = inner or escaped
        elif inner:
            inner = False
        else:
            return found.start()
    return len(page)
