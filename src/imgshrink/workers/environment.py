"""What a worker process starts with: the program, its variables, and the folders in which it finds modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ..core.environment import PYTHON, inherited

_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}
"""glibc: one heap that keeps buffers of up to 32 MB; without it a twentieth of the time goes into new pages."""

_SINGLE = {"VIPS_CONCURRENCY": "1", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "VIPS_WARNING": "0"}
"""One thread a codec: the workers are the parallelism."""

_ROOT = Path(__file__).parents[2]


def program() -> str:
    """Return the program of this interpreter; raises `OSError` where Python is part of another program."""
    if not sys.executable:
        raise OSError("this Python does not know its own program (sys.executable is empty)")
    return sys.executable


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a worker: of `environ` what an interpreter needs, and where it finds modules."""
    given = "" if sys.flags.ignore_environment else environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [given, *_modules(sys.path)]))
    return inherited(environ, PYTHON) | _SINGLE | _MALLOC | {"PYTHONPATH": path}


def _modules(path: Iterable[str]) -> list[str]:
    """Return the folders and archives of `path` that a worker imports from as well.

    A script may have added them itself. Not among them are the working folder and that of the script, where modules of
    any name may lie, unless imgshrink is installed there.
    """
    left_out = {os.path.abspath(os.path.dirname(sys.argv[0] if sys.argv else ""))}  # noqa: PTH100, PTH120  as `sys.path` has them
    with suppress(OSError):  # it may have been removed
        left_out.add(str(Path.cwd()))
    found = dict.fromkeys(os.path.abspath(entry) for entry in path)  # noqa: PTH100  as above
    kept = (entry for entry in found if entry not in left_out or Path(entry) == _ROOT)
    return [entry for entry in kept if os.path.exists(entry) and os.pathsep not in entry]
