"""Bounds on what the server accepts and keeps."""

from __future__ import annotations

from dataclasses import dataclass

MONTHLY_LIMIT = 10_000
"""Default quota of a key, in images per month."""


@dataclass(frozen=True)
class Limits:
    """Sizes are bytes, times are seconds. Limits on pixels are in `image.limits`."""

    body: int = 32 * 10**6
    """Size of a request's body: one image and its form."""
    queue: int = 1000
    """Images that are queued or in work."""
    storage: int = 20 * 10**9
    """Size of all originals and results."""
    free: int = 500 * 10**6
    """Space on the disk that is left free."""
    uploads: int = 64
    """Bodies read at the same time, each with 1 MB in memory and the rest on disk; others wait for a slot."""
    key_uploads: int = 8
    """Bodies of one key read at the same time: slow uploads of one key leave slots to the others."""
    key_waiting: int = 64
    """Uploads of one key that may wait for a slot; more are refused at once."""
    storing: int = 8
    """Uploads checked and stored at the same time, each wholly in memory."""
    calls: int = 40
    """Other questions of requests to the database and the store at the same time, each in a thread."""
    answer_seconds: float = 30
    """Longest wait of a request for the database or the store; each has shorter bounds of its own, where it can."""
    slot_wait_seconds: float = 10
    """Longest wait for a slot; then the server replies that it is busy."""
    stall_seconds: float = 15
    """Longest pause between two pieces of a body."""
    connections: int = 2000
    """Open connections; fewer where the system allows fewer open files."""
    head_seconds: float = 15
    """Time for the head of a request, from when it may begin."""
    requests: int = 512
    """Requests served at the same time."""
    rate: float = 100
    """Requests per second and key, in the long run."""
    burst: int = 500
    """Requests of one key that may arrive at once."""
    upload_seconds: float = 120
    """Time for the whole body of an upload."""
    job_seconds: float = 300
    """Time for one try at one image; its lease is not renewed after that."""
    lease: float = 15
    """Time after which the jobs of a server that died are leased again."""
    tries: int = 3
    """How often an image is tried before it counts as failed."""
    requeues: int = 100
    """How often an image waits again after trouble that is not its own, at the least, before it counts as failed."""
    kept: float = 24 * 3600
    """How long results are kept after completion, and an `Idempotency-Key` after upload."""
