"""The API key, wrapped so that it can't be shown by accident."""

from __future__ import annotations


class Secret:
    """An API key that shows itself only to who asks for it by name."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def reveal(self) -> str:
        """Return the key."""
        return self._key

    def shows_in(self, text: str) -> bool:
        """Whether the key is part of `text`, letter case apart."""
        return self._key.lower() in text.lower()

    def redact(self, text: str) -> str:
        """Return `text` without the key."""
        return text.replace(self._key, "***")

    def redact_reply(self, body: bytes) -> bytes:
        """Return a reply's body without the key; a key of digits alone would be taken for numbers."""
        return body if self._key.isdigit() or len(self._key) < 6 else body.replace(self._key.encode(), b"***")

    def __repr__(self) -> str:
        return "Secret(***)"
