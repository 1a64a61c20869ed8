"""How much of this machine a run may use: processors and memory, those that a container allows included."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..core.resources import WORKER_MEMORY

ROOT = Path("/")
_MOUNT = "sys/fs/cgroup"


def processors(root: Path | None = None) -> int:
    """Return how many worker processes this process may run at once, at least 1.

    The smallest of the processors that it may use, the CPU quota of its control groups (version 2 and 1), and their
    memory limit over what a worker may take. `root` holds `proc` and `sys`; what can't be read there is no limit.
    """
    groups = list(_groups(ROOT if root is None else root))
    limits = [_affinity(), *(_cpus(group) for group in groups), *(_memory(group) / WORKER_MEMORY for group in groups)]
    return max(1, math.floor(min(limits)))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the control groups that hold this process, and of all that hold those.

    In a container the path may count from a place outside of it; the group is then at the mount itself.
    https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts = [root / _MOUNT, root / _MOUNT / "unified"]
        else:
            mounts = [root / _MOUNT / name for name in {controllers, *controllers.split(",")} if name]
        inner = PurePosixPath("/" + path.strip("/"))
        for mount in mounts:
            for group in (inner, *inner.parents):
                if ".." not in group.parts:
                    yield mount / group.relative_to("/")


def _cpus(group: Path) -> float:
    """Return the processors that a group may use, rounded up: a part of one is one."""
    quota, _, period = _text(group / "cpu.max").partition(" ")
    quota = quota or _text(group / "cpu.cfs_quota_us")
    period = period or _text(group / "cpu.cfs_period_us")
    allowed, of = _number(quota), _number(period)
    return math.ceil(allowed / of) if 0 < allowed < math.inf and 0 < of < math.inf else math.inf


def _memory(group: Path) -> float:
    """Return the bytes of memory that a group may take."""
    return min(_number(_text(group / name)) for name in ("memory.max", "memory.limit_in_bytes"))


def _number(text: str) -> float:
    """Return a number; infinity for `max`, -1 and everything else that is no limit."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
