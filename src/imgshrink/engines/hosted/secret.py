"""The API key, wrapped so that it can't be shown by accident."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from .parsing import read_object

SHORTEST = 6
"""Characters: a shorter key would be found in words that have nothing to do with it."""


class Secret:
    """An API key that shows itself only to who asks for it by name."""

    __slots__ = ("_key", "_shapes")

    def __init__(self, key: str) -> None:
        self._key = key
        shapes = sorted({key, quote(key, safe="")}, key=len, reverse=True)
        self._shapes = re.compile("|".join(map(re.escape, shapes)), re.IGNORECASE)

    def reveal(self) -> str:
        """Return the key."""
        return self._key

    def shows_in(self, text: str) -> bool:
        """Whether the key is part of `text`, letter case apart, as it is or as in an address."""
        return bool(self._shapes.search(text))

    def redact(self, text: str) -> str:
        """Return `text` without the key, letter case apart."""
        return self._shapes.sub("***", text)

    def redact_reply(self, body: bytes) -> bytes:
        """Return a reply's body without the key, however its texts and names spell it."""
        reply = read_object(body)
        if reply is None or len(self._key) < SHORTEST:
            return self._shapes.sub("***", body.decode("latin-1")).encode("latin-1") if reply is None else body
        return json.dumps(self._redacted(reply)).encode()

    def _redacted(self, value: object) -> object:
        match value:
            case str():
                return self.redact(value)
            case dict():
                return {self.redact(name): self._redacted(inner) for name, inner in value.items()}
            case list():
                return [self._redacted(inner) for inner in value]
        return value

    def __repr__(self) -> str:
        return "Secret(***)"
