"""What becomes of an upload: the one state machine behind the journal. Pure: no clock, no I/O.

    (no row) ─ begin ─► sending ─ accepted ─► uploaded ─ the API's no ─► rejected
        ▲                │   ▲                 │  ▲  │
        └── not made ────┘   └── gone ─────────┘  └──┘ result, or collected later

After a payment there are two ends only: the API's own verdict, or the result is collected later. Troubles on the way
(the account, the network, the disk, the time of the run) end the collection for this run and change no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SENDING = "sending"
UPLOADED = "uploaded"
REJECTED = "rejected"

UPLOADS = 2
"""The most uploads of one image within the time that its row is kept."""

DAY = 86400.0
"""Seconds that a result is waited for: servers keep results for a day (the API does not say how long)."""


@dataclass(frozen=True)
class Row:
    """What is known of one image's uploads: `attempts` is how many began, `image_id` is the API's id, 0 if unknown.

    `token` is the idempotency key, `at` when the last upload began (seconds since the epoch), `reason` why the image
    was rejected. `body` is the hash of the bytes that were uploaded. `delivered`: the result was downloaded once.
    """

    state: str
    attempts: int
    image_id: int
    token: str
    reason: str
    at: float
    body: str = ""
    delivered: bool = False

    @property
    def spent(self) -> bool:
        """No further upload is allowed while this row is kept."""
        return self.attempts >= UPLOADS


class Action(Enum):
    """What a run does with an image."""

    UPLOAD = "upload"
    COLLECT = "collect"
    REJECT = "reject"
    STOP_UPLOADS = "stop uploads"
    LEAVE = "leave it to the next run"


class Trouble(Enum):
    """What kept a run from collecting a result."""

    REFUSED = "the API refuses the image for good"
    GONE = "the API no longer knows the image, or no longer has its result"
    UNFINISHED = "the API is still working on it"
    UNUSABLE = "the API's result can't be used: not there, or not as long as it says"
    ELSEWHERE = "the cause is not the image: account, host, network, time or interruption"


def first_action(row: Row | None) -> Action:
    """Return what a run does with an image whose row is `row`."""
    if row is None:
        return Action.UPLOAD
    if row.state == REJECTED:
        return Action.REJECT
    if row.state == UPLOADED:
        return Action.COLLECT
    return Action.STOP_UPLOADS if row.spent else Action.UPLOAD


def action_after(trouble: Trouble, row: Row, age: float) -> Action:
    """Return what a run does with an uploaded image that it could not collect; `age` is the upload's, in seconds.

    Only a refusal is final at once. What the API does not deliver within a day, it never will; it may be uploaded again
    only if it is gone, once. A cause elsewhere never changes anything.
    """
    if trouble is Trouble.REFUSED:
        return Action.REJECT
    if trouble is Trouble.ELSEWHERE or age <= DAY:
        return Action.LEAVE
    if trouble is Trouble.GONE:
        return Action.STOP_UPLOADS if row.spent else Action.UPLOAD
    return Action.REJECT
