"""Tasks that go wrong in every way a codec can; a table for workers under test."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from imgshrink.core import errors


def echo(*blobs: bytes, **options: object) -> tuple[bytes, ...]:
    return (*blobs, repr(options).encode()) if options else blobs


def crash(*blobs: bytes) -> tuple[bytes, ...]:
    ctypes.string_at(0)
    return blobs


def rest(*blobs: bytes) -> tuple[bytes, ...]:
    """Take so long that callers at once need a worker each."""
    time.sleep(0.5)
    return blobs


def hang(*blobs: bytes) -> tuple[bytes, ...]:
    time.sleep(600)
    return blobs


def hang_locked(*blobs: bytes) -> tuple[bytes, ...]:
    """Hang like a codec that never lets the interpreter run another thread."""
    ctypes.PyDLL(None).sleep(600)
    return blobs


def eat(*blobs: bytes) -> tuple[bytes, ...]:
    eaten = []
    while True:
        eaten.append(bytearray(b"x" * (32 << 20)))


_HOARD: list[bytes] = []


def hoard(*blobs: bytes) -> tuple[bytes, ...]:
    """Keep memory, as a heap does that is full of holes."""
    _HOARD.append(b"x" * 150_000_000)
    return blobs


def need(*blobs: bytes) -> tuple[bytes, ...]:
    """Take memory for as long as the task runs."""
    bytearray(b"x" * 75_000_000)
    return (b"done",)


def resident(*blobs: bytes) -> tuple[bytes, ...]:
    """Tell how many bytes of memory the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (str(pages * os.sysconf("SC_PAGE_SIZE")).encode(),)


def abort_for_memory(*blobs: bytes) -> tuple[bytes, ...]:
    os.write(2, b"memory allocation of 1073741824 bytes failed\n")
    os.abort()


def decline(*blobs: bytes) -> tuple[bytes, ...]:
    raise errors.Declined("not for me")


def unavailable(*blobs: bytes) -> tuple[bytes, ...]:
    raise errors.Unavailable("not now")


def stumble(*blobs: bytes) -> tuple[bytes, ...]:
    raise ValueError("\n  first line\nsecond line")


def stumble_silently(*blobs: bytes) -> tuple[bytes, ...]:
    raise KeyboardInterrupt


def chatter(*blobs: bytes) -> tuple[bytes, ...]:
    """Write to both standard streams as careless C code does, then answer."""
    os.write(1, b"warning " * 1000)
    print("more", file=sys.stderr)
    return blobs


def whoami(*blobs: bytes) -> tuple[bytes, ...]:
    return (str(os.getpid()).encode(),)


def environment(name: bytes) -> tuple[bytes, ...]:
    return (os.environ.get(name.decode(), "").encode(),)


FAULTS = (echo, crash, hang, hang_locked, eat, abort_for_memory, decline, unavailable, stumble, stumble_silently)
FAULTS = (echo, crash, hang, hang_locked, eat, abort_for_memory, decline, unavailable, stumble, stumble_silently)
TASKS = {task.__name__: task for task in (*FAULTS, chatter, whoami, environment, hoard, need, resident, rest)}
