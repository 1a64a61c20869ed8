"""The keys under which results are remembered: by content, recipe and engine, never by a path or a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields

from .model import Recipe

_ALWAYS_NAMED = {"quality"}
"""Fields of the first recipe; a later one is named only where it is not the default, so that older keys stay."""


def content_hash(data: bytes) -> str:
    """SHA-256 of the bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def cache_key(content: str, recipe: Recipe, fingerprint: str) -> str:
    """Name what an engine makes of a content: `content` is its `content_hash`, `fingerprint` the engine's."""
    return _digest("result", content, fingerprint, *_asked(recipe))


def done_key(content: str) -> str:
    """Name the fact that a content is an output of ours; no recipe and no engine takes part."""
    return _digest("done", content)


def variant_key(
    original: str, published: str, recipe: Recipe, fingerprint: str, formats: Sequence[str], saving: float
) -> str:
    """Name the variant of a published image: both hashes are `content_hash`es, `original` is "" where none is known.

    `formats` are those that are allowed, in any order, `saving` is the least gain in per cent.
    """
    wanted = [f"formats={' '.join(sorted(set(formats)))}", f"saving={float(saving)!r}"]
    return _digest("variant", original, published, fingerprint, *_asked(recipe), *wanted)


def _asked(recipe: Recipe) -> list[str]:
    return [
        f"{field.name}={value!r}"
        for field in fields(recipe)
        if (value := getattr(recipe, field.name)) != field.default or field.name in _ALWAYS_NAMED
    ]


def _digest(*parts: str) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big") + encoded)
    return hashed.hexdigest()
