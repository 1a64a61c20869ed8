"""Backups of the originals that were replaced in place: by content, each with a record of what replaced it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Unreadable, Unwritable
from ..core.keys import content_hash
from ..core.text import shown
from ..image.seal import unseal
from .atomic import sweep, write
from .paths import absolute
from .reader import read

DAY = 86400
ROOM = 0.9
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Backup:
    """One replacement: the file's absolute path, the original's hash and size, and when (seconds since the epoch)."""

    path: Path
    original: str
    size: int
    kept: int


class Originals:
    """The backups in `folder`, for `days` and up to `size` bytes; the oldest are removed first. Never raises."""

    def __init__(
        self, folder: Path, *, days: int = 30, size: int = 10**9, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._records = folder / "replaced"
        self._days = days
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._held: int | None = None
        self._notes: dict[str, str] = {}
        self._dropped = 0

    def store(self, original: bytes, replaced_by: bytes, path: Path) -> bool:
        """Back up `original`, which `replaced_by` is about to replace at `path`; return whether it is on the disk."""
        if len(original) > self._size:
            self._notes["large"] = (
                f"an original is larger than all originals may be ({self._size / 10**6:.0f} MB): not kept"
            )
            return False
        kept = Backup(absolute(path), content_hash(original), len(original), int(self._clock()))
        try:
            with self._lock:
                self._keep(original, content_hash(unseal(replaced_by)), kept)
        except (OSError, Unwritable) as error:
            self._notes["unwritable"] = f"originals can't be kept in {shown(self._folder)}: {error}"
            return False
        return True

    def get(self, original: str) -> bytes | None:
        """Return the original with that content hash, whole, or None."""
        try:
            data = read(self._file(original), follow=False) if HASH.fullmatch(original) else b""
        except Unreadable:
            return None
        return data if content_hash(data) == original else None

    def find(self, path: Path) -> bytes | None:
        """Return the original of the file at `path`; after several replacements, that of the first one."""
        try:
            now = read(path, follow=False)
        except Unreadable:
            return None
        found: bytes | None = None
        passed: set[str] = set()
        while (output := content_hash(unseal(now))) not in passed:
            passed.add(output)
            before = self._replaced_by(output, path)
            if before is None:
                break
            found = now = before
        return found

    def listing(self) -> list[Backup]:
        """Return every replacement on record, by path."""
        return sorted((kept for _, kept in self._all()), key=lambda kept: (str(kept.path), kept.kept))

    def notes(self) -> list[str]:
        """Return what a person should know about the backups, one line each."""
        return list(self._notes.values())

    def _keep(self, original: bytes, output: str, kept: Backup) -> None:
        for folder in (self._folder, self._records):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(kept.original)
        if self.get(kept.original) is None:
            write(file, original)
        os.utime(file, (kept.kept, kept.kept))
        write(self._records / _record_name(output, kept.path), _encode(kept))
        if self._held is None or self._held + kept.size > self._size:
            self._held = self._drop(kept.original)
        else:
            self._held += kept.size

    def _drop(self, newest: str) -> int:
        """Remove expired backups, then the oldest until there is room, never the newest; return the bytes left."""
        for folder in (self._folder, self._records):
            sweep(folder)
        files = sorted(self._files())
        held = sum(size for _, size, _ in files)
        wanted = held if held <= self._size else int(self._size * ROOM)
        for stamp, size, file in files:
            expired = stamp < self._clock() - self._days * DAY
            if file == self._file(newest) or not (expired or held > wanted):
                continue
            file.unlink(missing_ok=True)
            held -= size
            self._dropped += not expired
        if self._dropped:
            self._notes["full"] = (
                f"originals over {self._size / 10**6:.0f} MB: "
                f"the {self._dropped} oldest in {shown(self._folder)} were removed"
            )
        for record, kept in self._all():
            if not os.path.exists(self._file(kept.original)):
                record.unlink(missing_ok=True)
        return held

    def _replaced_by(self, output: str, path: Path) -> bytes | None:
        """Return the original that the bytes with this hash replaced: at this path, else the one kept last."""
        here = self._records / _record_name(output, absolute(path))
        records = sorted(self._all(f"{output}-*.json"), key=lambda item: (item[0] == here, item[1].kept), reverse=True)
        return next((data for _, kept in records if (data := self.get(kept.original)) is not None), None)

    def _all(self, pattern: str = "*.json") -> Iterator[tuple[Path, Backup]]:
        for record in self._listed(self._records, pattern):
            kept = _decode(record)
            if kept is not None:
                yield record, kept

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for file in self._listed(self._folder, "*.original"):
            with contextlib.suppress(FileNotFoundError):  # another process removes backups too
                status = file.stat()
                yield status.st_mtime, status.st_size, file

    def _listed(self, folder: Path, pattern: str) -> list[Path]:
        """Return what a folder of the backups holds; nothing, with a note, where it may not be entered."""
        try:
            return list(folder.glob(pattern))
        except OSError as error:
            self._notes["unreadable"] = f"originals in {shown(self._folder)} can't be read: {error.strerror}"
            return []

    def _file(self, original: str) -> Path:
        return self._folder / f"{original}.original"


def _record_name(output: str, path: Path) -> str:
    return f"{output}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.json"


def _encode(kept: Backup) -> bytes:
    fields = {"path": str(kept.path), "original": kept.original, "size": kept.size, "kept": kept.kept}
    return json.dumps(fields).encode("ascii")


def _decode(record: Path) -> Backup | None:
    try:
        fields = json.loads(read(record, follow=False))
        kept = Backup(Path(fields["path"]), fields["original"], fields["size"], fields["kept"])
    except (Unreadable, ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = isinstance(kept.size, int) and isinstance(kept.kept, int) and isinstance(kept.original, str)
    return kept if whole and HASH.fullmatch(kept.original) else None
