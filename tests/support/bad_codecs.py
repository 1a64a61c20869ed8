"""A table of tasks for workers whose codec crashes, hangs or eats memory for the images that say so in a comment."""

from __future__ import annotations

import os
import time

from imgshrink.worker_tasks import TASKS as GOOD

CRASH, HANG, EAT = b"please crash", b"please hang", b"please eat"


def optimize(data: bytes, **options: int) -> tuple[bytes, ...]:
    """Do what the image says, else what the real codec does."""
    if CRASH in data:
        os.abort()
    if HANG in data:
        time.sleep(3600)
    if EAT in data:
        hoard = [bytearray(64 * 2**20) for _ in range(1000)]
        return (bytes(hoard[0]),)
    return GOOD["optimize"](data, **options)


TASKS = {**GOOD, "optimize": optimize}
