"""Tasks that go wrong in every way a codec can; a table for workers under test."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Callable
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


def no_room(*blobs: bytes) -> tuple[bytes, ...]:
    """Fail as Python does on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")


def no_room_in_libvips(*blobs: bytes) -> tuple[bytes, ...]:
    """Fail as libvips does on a full disk."""
    raise RuntimeError(
        "unable to call avg\n  VipsImage: unable to write to /tmp/x\nsystem error: No space left on device"
    )


def not_installed(*blobs: bytes) -> tuple[bytes, ...]:
    """Import what is not there."""
    raise ImportError("No module named 'codec'")


def stumble_silently(*blobs: bytes) -> tuple[bytes, ...]:
    raise KeyboardInterrupt


def chatter(*blobs: bytes) -> tuple[bytes, ...]:
    """Write to both standard streams as careless C code does, then answer."""
    os.write(1, b"warning " * 1000)
    print("more", file=sys.stderr)
    return blobs


def whoami(*blobs: bytes) -> tuple[bytes, ...]:
    return (str(os.getpid()).encode(),)


def environment(*blobs: bytes) -> tuple[bytes, ...]:
    """Name every variable that the worker has inherited."""
    return ("\n".join(sorted(os.environ)).encode(),)


def abort(*blobs: bytes) -> tuple[bytes, ...]:
    os.abort()


def killed(*blobs: bytes) -> tuple[bytes, ...]:
    """End like a process that the system kills for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return blobs


def terminated(*blobs: bytes) -> tuple[bytes, ...]:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
    return blobs


def exits(*blobs: bytes) -> tuple[bytes, ...]:
    os._exit(3)


def garbage(*blobs: bytes) -> tuple[bytes, ...]:
    """Write into every pipe there is, as code with a wild pointer may, and go on."""
    for number in range(3, 20):
        try:
            os.write(number, b"\0\0\0\4oops")
        except OSError:
            continue
    time.sleep(60)
    return blobs


def _first(notes: str) -> bool:
    """Write down that a task begins, and tell whether it is the first time."""
    with Path(notes).open("a") as file:
        file.write("begun\n")
    return Path(notes).read_text().count("\n") == 1


def _once(trouble: Callable[..., tuple[bytes, ...]]) -> Callable[..., tuple[bytes, ...]]:
    """A task that meets `trouble` the first time, and echoes the second time."""

    def task(*blobs: bytes, notes: str) -> tuple[bytes, ...]:
        return trouble(*blobs) if _first(notes) else blobs

    return task


def full(*blobs: bytes) -> tuple[bytes, ...]:
    raise MemoryError


def killed_then_crash(*blobs: bytes, notes: str) -> tuple[bytes, ...]:
    return killed(*blobs) if _first(notes) else crash(*blobs)


def alone_after_a_kill(*blobs: bytes, notes: str) -> tuple[bytes, ...]:
    """Be killed the first time; then count the workers of our parent that live."""
    if _first(notes):
        time.sleep(0.2)
        return killed(*blobs)
    time.sleep(0.2)
    tasks = Path(f"/proc/{os.getppid()}/task")
    children = [int(word) for task in tasks.iterdir() for word in (task / "children").read_text().split()]
    workers = sum(b"imgshrink.workers" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)
    return (f"{workers} worker".encode(),)


FAULTS = (
    echo,
    crash,
    hang,
    hang_locked,
    eat,
    abort_for_memory,
    decline,
    unavailable,
    stumble,
    stumble_silently,
    no_room,
    no_room_in_libvips,
    not_installed,
)
ENDS = (abort, killed, terminated, exits, garbage, killed_then_crash, alone_after_a_kill)
ONCE = {
    f"{name}_once": _once(trouble)
    for name, trouble in (
        ("crash", crash),
        ("killed", killed),
        ("terminated", terminated),
        ("exit", exits),
        ("full", full),
    )
}
TASKS = {
    task.__name__: task for task in (*FAULTS, *ENDS, chatter, whoami, environment, hoard, need, resident, rest)
} | ONCE
