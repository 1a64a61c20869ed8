"""Exports cache entries to one file, a zip of checked records, and imports them on another machine."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..core.errors import SettingsError, Unwritable
from ..core.model import Entry
from ..core.text import shown
from .record import MAX_RECORD, decode

MARK = b"imgshrink cache 1"
MAX_KEY = 512
_DATE = (1980, 1, 1, 0, 0, 0)
_ZIP_ERRORS = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


class Fate(Enum):
    """What happened to one part of an imported file."""

    STORED = "stored"
    KNOWN = "known"
    REFUSED = "refused"


Take = Callable[[str, bytes, Entry], Fate]


@dataclass(frozen=True)
class Imported:
    """How many entries were stored, were known already, and were refused: no valid record, or not storable."""

    stored: int
    known: int
    refused: int


def export(records: Iterable[tuple[str, bytes]], path: Path) -> int:
    """Write keys and records to `path`, completely or not at all; return their number."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        count = _write(records, beside)
        beside.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise Unwritable(f"can't write {shown(path)}: {error}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return count


def read(path: Path, take: Take) -> Imported:
    """Pass every record in the file at `path` to `take`; names inside the file are never used as paths."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment != MARK:
                raise SettingsError(f"{shown(path)} is not an exported cache")
            fates = Counter(_take_part(archive, part, take) for part in archive.infolist())
    except _ZIP_ERRORS as error:
        raise SettingsError(f"{shown(path)} can't be read as an exported cache: {error}") from error
    return Imported(fates[Fate.STORED], fates[Fate.KNOWN], fates[Fate.REFUSED])


def _write(records: Iterable[tuple[str, bytes]], beside: Path) -> int:
    count = 0
    with zipfile.ZipFile(beside, "x") as archive:
        archive.comment = MARK
        for key, record in records:
            encoded = key.encode("utf-8")
            if len(encoded) > MAX_KEY:
                continue
            part = zipfile.ZipInfo(hashlib.sha256(encoded).hexdigest(), _DATE)
            archive.writestr(part, len(encoded).to_bytes(2, "big") + encoded + record)
            count += 1
    return count


def _take_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, take: Take) -> Fate:
    # Only uncompressed parts: none can then be larger than the file itself.
    if part.compress_type != zipfile.ZIP_STORED or part.file_size > MAX_RECORD:
        return Fate.REFUSED
    try:
        held = archive.read(part)
    except _ZIP_ERRORS:
        return Fate.REFUSED
    length = int.from_bytes(held[:2], "big")
    key, record = held[2 : 2 + length].decode("utf-8", "replace"), held[2 + length :]
    entry = decode(key, record) if 0 < length <= MAX_KEY else None
    return Fate.REFUSED if entry is None else take(key, record, entry)
