"""Cache entries in one file: a zip of checked records, to be carried from machine to machine."""

from __future__ import annotations

import hashlib
import secrets
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError, Unwritable
from ..model import Verdict
from .record import MAX_RECORD, decode

MARK = b"imgshrink cache 1"
MAX_KEY = 512
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Imported:
    """How many entries were stored, and how many parts of the file were no record of ours or could not be stored."""

    stored: int
    refused: int


def export(folder: Path | None, path: Path) -> int:
    """Write every sound entry of the cache in `folder` to `path`, whole or not at all; return how many there are."""
    beside = path.with_name(f".imgshrink-{secrets.token_hex(8)}.tmp")
    try:
        count = _write(folder, beside)
        beside.replace(path)
    except OSError as error:
        raise Unwritable(f"can't write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def read(path: Path, store: Callable[[str, bytes, Verdict], bool]) -> Imported:
    """Hand every record in the file at `path` to `store`; names inside the file are never used as paths."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment != MARK:
                raise SettingsError(f"{path} is not an exported cache")
            kept = [_store_part(archive, part, store) for part in archive.infolist()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SettingsError(f"{path} can't be read as an exported cache: {error}") from error
    return Imported(sum(kept), len(kept) - sum(kept))


def _write(folder: Path | None, beside: Path) -> int:
    from .upkeep import records

    count = 0
    with zipfile.ZipFile(beside, "x") as archive:
        archive.comment = MARK
        for key, record in records(folder) if folder is not None else ():
            encoded = key.encode("utf-8", "surrogatepass")
            part = zipfile.ZipInfo(hashlib.sha256(encoded).hexdigest(), _DATE)
            archive.writestr(part, len(encoded).to_bytes(2, "big") + encoded + record)
            count += 1
    return count


def _store_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo, store: Callable[[str, bytes, Verdict], bool]) -> bool:
    # Stored as they are, so that no part can be larger than the file itself.
    if part.compress_type != zipfile.ZIP_STORED or part.file_size > MAX_RECORD:
        return False
    try:
        held = archive.read(part)
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError, NotImplementedError):
        return False
    end = 2 + int.from_bytes(held[:2], "big")
    key, record = held[2:end].decode("utf-8", "replace"), held[end:]
    entry = decode(key, record) if 0 < len(key) <= MAX_KEY else None
    return entry is not None and store(key, record, entry.verdict)
