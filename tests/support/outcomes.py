"""Outcomes of files, as reports get them."""

from __future__ import annotations

from imgshrink.core.model import Format, Outcome, Status


def shrunk(path: str, before: int, after: int, *, known: bool = False) -> Outcome:
    return Outcome(path, Status.OPTIMIZED, before, after, Format.PNG, "builtin", known)


ROWS = [
    shrunk("docs/b.png", 380_000, 121_000),
    Outcome("docs/a|b_c<x>.gif", Status.OPTIMIZED, 32_000, 17_000, Format.GIF, "hosted", True, ""),
    Outcome("docs/c\n.jpg", Status.KEPT, 9000, 9000, Format.JPEG, "builtin", False, "nothing to gain"),
    Outcome("docs/d.png", Status.FAILED, 0, 0, reason="can't be read: Permission denied"),
]
