"""The bytes of one entry: `version | sha256(key + payload) | payload`.

The hash binds a value to its key, so a value that is truncated, damaged or swapped with another is not valid.
The payload is a length, that many bytes of JSON, and the entry's data.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..core.model import Entry, Verdict

VERSION = b"imgshrink record 1\n"
HEAD = len(VERSION) + 32
MAX_FIELDS = 1 << 16
MAX_REASON = 1000
MAX_RECORD = 1 << 29

_TYPES: dict[str, type] = {
    "verdict": str,
    "reason": str,
    "engine": str,
    "stored": int,
    "verify": int,
    "quality": int,
}


def encode(key: str, entry: Entry) -> bytes:
    """Return the record of `entry` under `key`; a very long reason is truncated."""
    fields = {name: getattr(entry, name) for name in _TYPES}
    fields |= {"verdict": entry.verdict.value, "reason": entry.reason[:MAX_REASON]}
    written = json.dumps(fields, separators=(",", ":")).encode("ascii")
    payload = len(written).to_bytes(4, "big") + written + entry.data
    return VERSION + _digest(key, payload) + payload


def decode(key: str, record: bytes) -> Entry | None:
    """Return the entry in `record`, or None if it is not a complete record of `key`; never raises."""
    payload = record[HEAD:]
    if not record.startswith(VERSION) or record[len(VERSION) : HEAD] != _digest(key, payload):
        return None
    length = int.from_bytes(payload[:4], "big")
    if length > MAX_FIELDS:
        return None
    try:
        fields = json.loads(payload[4 : 4 + length])
    except (ValueError, RecursionError):
        return None
    return _entry(fields, payload[4 + length :])


def _entry(fields: Any, data: bytes) -> Entry | None:  # noqa: ANN401  what JSON gives
    if not isinstance(fields, dict) or fields.keys() != _TYPES.keys():
        return None
    if any(type(fields[name]) is not expected for name, expected in _TYPES.items()):
        return None
    try:
        verdict = Verdict(fields["verdict"])
    except ValueError:
        return None
    if verdict is not Verdict.VARIANT and (verdict is Verdict.BETTER) != bool(data):
        return None
    return Entry(**fields | {"verdict": verdict, "data": data})


def _digest(key: str, payload: bytes) -> bytes:
    hashed = hashlib.sha256(key.encode("utf-8", "surrogatepass"))
    hashed.update(b"\0")
    hashed.update(payload)
    return hashed.digest()
