"""What the server takes and keeps, each with its bound."""

from __future__ import annotations

from dataclasses import dataclass

MONTHLY_LIMIT = 10_000
"""Images a month that a key may spend, where nothing else is said."""


@dataclass(frozen=True)
class Limits:
    """Sizes are bytes, times are seconds; pixels are bounded by the limits that every part of imgshrink shares."""

    body: int = 32 * 10**6
    """One request's body: one image, and the form around it."""
    queue: int = 1000
    """Images accepted and not done."""
    storage: int = 20 * 10**9
    """Originals and results together."""
    free: int = 500 * 10**6
    """What must stay free on the disk."""
    uploads: int = 8
    """Bodies read at the same time; others wait their turn."""
    turn_seconds: float = 10
    """The wait for that turn, after which the server says that it is busy."""
    stall_seconds: float = 15
    """The time in which something of a body must arrive."""
    connections: int = 2000
    """Connections at the same time, fewer where the system allows fewer open files."""
    head_seconds: float = 15
    """The head of a request, from when it may begin."""
    requests: int = 512
    """Requests in work at the same time."""
    rate: float = 100
    """Requests a second and key in the long run."""
    burst: int = 500
    """Requests of a key that may come at once."""
    upload_seconds: float = 120
    """One upload's body."""
    job_seconds: float = 300
    """One try at one image, after which its lease runs out."""
    lease: float = 15
    """How long the images of a server that died wait for another one."""
    tries: int = 3
    """How often an image is begun before it counts as failed."""
    kept: float = 24 * 3600
    """Results, from the moment they are done; and the memory of an `Idempotency-Key`."""
