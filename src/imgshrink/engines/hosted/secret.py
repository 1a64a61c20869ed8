"""The API key in a type that does not print it."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from .parsing import read_object

SHORTEST = 6
"""In characters: a shorter key would be replaced inside unrelated words and numbers."""


class Secret:
    """An API key; only `reveal` returns it."""

    __slots__ = ("_key", "_shapes")

    def __init__(self, key: str) -> None:
        self._key = key
        shapes = sorted({key, quote(key, safe="")}, key=len, reverse=True)
        self._shapes = re.compile("|".join(map(re.escape, shapes)), re.IGNORECASE)

    def reveal(self) -> str:
        """Return the key."""
        return self._key

    def appears_in(self, text: str) -> bool:
        """Whether `text` contains the key, plain or URL-encoded, in any letter case."""
        return bool(self._shapes.search(text))

    def redact(self, text: str) -> str:
        """Return `text` with the key replaced, in any letter case."""
        return self._shapes.sub("***", text)

    def redact_reply(self, body: bytes) -> bytes:
        """Return a reply's body with the key replaced in all its strings and names, however they are escaped."""
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
