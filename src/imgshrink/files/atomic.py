"""Replaces the bytes of a file: at every instant it is the whole old file or the whole new one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import FileChanged, Unwritable
from ..core.text import shown
from .attributes import carry_attributes, read_attributes

if sys.platform != "win32":
    import fcntl

# An open file can neither be renamed nor removed on Windows; elsewhere a temporary file stays open and locked.
_LOCKS = sys.platform != "win32"
TEMPORARY = re.compile(r"\.imgshrink-[0-9a-f]{16}\.tmp")
ABANDONED = 3600
_BINARY = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY | getattr(os, "O_NOFOLLOW", 0)
# Where the system can, everything happens relative to the open folder: swapping it for a symlink changes nothing.
_RELATIVE = {os.open, os.stat, os.unlink, os.rename} <= os.supports_dir_fd


def replace(path: Path, data: bytes, seen: bytes, *, durable: bool = True) -> None:
    """Replace the file at `path`, which held `seen` when it was read, by one that holds `data`.

    `durable`: `data` is on the disk before this returns, and `seen` is compared twice; what can be made again at any
    time needs neither, and its second look is at the file's times and size.
    Mode, extended attributes, access control list and, where permitted, owner are kept. Never through a symlink. Other
    hard links to the file keep the old bytes. Raises `FileChanged` if the file no longer holds `seen`, `Unwritable`
    with the reason if it can't be replaced or its owner may not write it; either leaves the file as it is.
    """
    with _unwritable(path, "replaced"), _opened_folder(path) as folder:
        old = folder.check(path.name, seen)
        if not old.status.st_mode & stat.S_IWUSR:
            raise Unwritable(f"{shown(path)} is read-only")
        with folder.temporary(data, old, durable=durable) as name:
            if durable or not old.is_same(folder.status(path.name)):
                folder.check(path.name, seen)
            folder.rename(name, path.name, durable=durable)


def write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Make the file at `path` hold `data`, whole or not at all, whatever it held before; raises `Unwritable`.

    `durable` as for `replace`.
    """
    with _unwritable(path, "written"), _opened_folder(path) as folder:
        status = folder.status(path.name)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise Unwritable(f"{shown(path)} is not a plain file")
        old = status and _Old(status, folder.attributes(path.name))
        with folder.temporary(data, old, durable=durable) as name:
            folder.rename(name, path.name, durable=durable)


def sweep(folder: Path) -> int:
    """Remove the temporary files in `folder` whose process is gone, and return their number; never raises."""
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                removed += _remove_abandoned(Path(entry.path))
    return removed


@dataclass(frozen=True)
class _Old:
    """What a new file takes over from the one that it replaces."""

    status: os.stat_result
    attributes: Mapping[str, bytes]

    def is_same(self, status: os.stat_result | None) -> bool:
        """Return whether `status` is of the same file, untouched as far as its size and times tell."""
        return status is not None and _identity(status) == _identity(self.status)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True)
class _Folder:
    path: Path
    descriptor: int | None

    def check(self, name: str, seen: bytes) -> _Old:
        """Return what to take over from the plain file `name`; raises `FileChanged` unless it holds `seen`."""
        status = self.status(name)
        if status is None:
            raise FileChanged(f"{shown(self.path / name)} was removed since it was read")
        if not stat.S_ISREG(status.st_mode):
            path = shown(self.path / name)
            raise Unwritable(f"{path} is {'a symlink' if stat.S_ISLNK(status.st_mode) else 'not a plain file'}")
        file = os.open(self._at(name), _READ, dir_fd=self.descriptor)
        with open(file, "rb") as reader:  # noqa: PTH123  an open file
            opened = os.fstat(file)
            same = (opened.st_dev, opened.st_ino) == (status.st_dev, status.st_ino)
            if not same or opened.st_size != len(seen) or reader.read() != seen:
                raise FileChanged(f"{shown(self.path / name)} was changed since it was read")
            return _Old(status, read_attributes(file))

    def attributes(self, name: str) -> dict[str, bytes]:
        """Return the extended attributes of the plain file `name`; none where it can't be opened."""
        with contextlib.suppress(OSError), open(os.open(self._at(name), _READ, dir_fd=self.descriptor), "rb") as reader:  # noqa: PTH123  an open file
            return read_attributes(reader.fileno())
        return {}

    def status(self, name: str) -> os.stat_result | None:
        """Return what `name` is, symlinks not followed; None if there is nothing."""
        try:
            return os.stat(self._at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    @contextmanager
    def temporary(self, data: bytes, old: _Old | None, *, durable: bool = True) -> Iterator[str]:
        """Enter with the name of a new file that holds `data` and takes over from `old`; the caller renames it.

        It is removed where that ends in an exception.
        """
        name, file = self._create(0o666 if old is None else 0o600)
        try:
            with open(file, "wb") as writer:  # noqa: PTH123  as above
                writer.write(data)
                writer.flush()
                if old is not None:
                    _take_over(file, self.path / name, old)
                if durable:
                    os.fsync(file)
                if not _LOCKS:
                    writer.close()
                yield name
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._at(name), dir_fd=self.descriptor)
            raise

    def rename(self, name: str, to: str, *, durable: bool = True) -> None:
        """Rename `name` to `to`, which it replaces."""
        os.replace(self._at(name), self._at(to), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        if durable and self.descriptor is not None:
            with contextlib.suppress(OSError):  # not every file system can
                os.fsync(self.descriptor)

    def _create(self, mode: int) -> tuple[str, int]:
        """Return the name and descriptor of a new file that no sweep removes: we hold its lock, and it still exists."""
        while True:
            name = f".imgshrink-{secrets.token_hex(8)}.tmp"
            file = os.open(self._at(name), _CREATE, mode, dir_fd=self.descriptor)
            if not _LOCKS or (_lock(file) is not False and os.fstat(file).st_nlink):
                return name, file
            os.close(file)

    def _at(self, name: str) -> str:
        return name if self.descriptor is not None else os.path.join(self.path, name)  # noqa: PTH118  as a bare name


@contextmanager
def _opened_folder(path: Path) -> Iterator[_Folder]:
    if not _RELATIVE:
        yield _Folder(path.parent, None)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        yield _Folder(path.parent, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _unwritable(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(f"{shown(path)} can't be {done}: {error.strerror or error}") from error


def _take_over(file: int, path: Path, old: _Old) -> None:
    like = old.status
    mode = like.st_mode & 0o777
    if sys.platform == "win32":
        path.chmod(mode)
        return
    try:
        os.fchown(file, like.st_uid, like.st_gid)
    except OSError:  # somebody else's file, or an owner without a number in a container: its group may be one of ours
        with contextlib.suppress(OSError):
            os.fchown(file, -1, like.st_gid)
    carry_attributes(file, old.attributes)  # before the mode, which is the list's mask where there is a list
    os.fchmod(file, mode)


def _lock(file: int) -> bool | None:
    """Lock an open file; return True if we hold it, False if another process does, None where there are no locks."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True
    return None


def _remove_abandoned(path: Path) -> bool:
    """Remove a temporary file that no process has locked; where that can't be known, one that is an hour old."""
    with contextlib.suppress(OSError):
        file = os.open(path, _READ)
        try:
            held = _lock(file)
            if held is False or (held is None and time.time() - os.fstat(file).st_mtime < ABANDONED):
                return False
            if _LOCKS:
                path.unlink()  # while it is locked: its maker may be about to lock it
                return True
        finally:
            os.close(file)
        path.unlink()
        return True
    return False
