"""Turns an upload into a job: check the image, write it to disk, queue it. Blocks: runs in a thread."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

from ..core.model import ImageInfo
from ..core.tinyjpg import IDEMPOTENCY_HEADER, IMAGE_REQUIRED
from ..image.limits import unsupported
from ..image.sniff import describe, sniff
from .blobs import ORIGINALS, Blobs, StoreTrouble, discard, new_name
from .database import DatabaseTrouble
from .errors import BUSY, QUOTA, RETRY_SECONDS, ApiError, invalid
from .form import IMAGE_FILE
from .jobs import Job, NewJob
from .keys import Key
from .queue import CapacityReached, IdempotencyKeyReused, JobQueue, QuotaExceeded

log = logging.getLogger("imgshrink.server")

KEY_REUSED = "This key was sent before with another body."


@dataclass(frozen=True)
class UploadRequest:
    """The fields of an upload; `quality_problem` is the validation error of `quality`, "" if it is valid."""

    image: BinaryIO | str | None
    quality: int
    quality_problem: str
    idempotency: str | None


class UploadHandler:
    """Accepts uploads as jobs, or raises the `ApiError` to reply with."""

    def __init__(self, queue: JobQueue, blobs: Blobs) -> None:
        self._queue = queue
        self._blobs = blobs

    def check(self, key: Key, size: int, idempotency: str | None) -> None:
        """Raise `ApiError` if an upload of `size` bytes would be refused whatever it contains."""
        with _as_api_errors():
            self._queue.check_room(key, size, idempotency)
            if not self._blobs.has_space():
                raise CapacityReached("The storage is full")

    def accept(self, key: Key, request: UploadRequest) -> tuple[Job, bool]:
        """Return the job of an upload, and whether it is new; raises `ApiError`."""
        data, info = _inspect(request)
        original_name = new_name(info.format)
        upload = NewJob(
            format=info.format,
            quality=request.quality,
            size=len(data),
            body_digest=hashlib.sha256(data).hexdigest(),
            original_name=original_name,
            optimized_name=new_name(info.format),
            idempotency=request.idempotency,
        )
        with _as_api_errors():
            return self._queued(key, upload, data)

    def _queued(self, key: Key, upload: NewJob, data: bytes) -> tuple[Job, bool]:
        """Store and queue an image. Its file stays where nobody knows whether the database has taken the job."""
        unneeded = (QuotaExceeded, IdempotencyKeyReused, CapacityReached, StoreTrouble, OSError)
        try:
            self._blobs.put(ORIGINALS, upload.original_name, data)
            job, new = self._queue.accept(key, upload)
        except unneeded:
            discard(self._blobs, ORIGINALS, upload.original_name)
            raise
        if not new:
            discard(self._blobs, ORIGINALS, upload.original_name)
        return job, new


def _inspect(request: UploadRequest) -> tuple[bytes, ImageInfo]:
    data = b"" if request.image is None or isinstance(request.image, str) else request.image.read()
    info = sniff(data)
    found = {"image": _image_problem(request, data, info), "quality": request.quality_problem}
    if problems := {field: [text] for field, text in found.items() if text}:
        raise invalid(problems)
    assert info is not None
    return data, info


def _image_problem(request: UploadRequest, data: bytes, info: ImageInfo | None) -> str:
    if request.image is None:
        return IMAGE_REQUIRED
    if isinstance(request.image, str):
        return IMAGE_FILE
    if info is None or not info.complete:
        return f"The image can't be used: {describe(data)}."
    reason = unsupported(info)
    return f"The image can't be used: {reason}." if reason else ""


@contextmanager
def _as_api_errors() -> Iterator[None]:
    """Translate the errors of the queue and the disk into error replies."""
    try:
        yield
    except QuotaExceeded as error:
        raise ApiError(HTTPStatus.FORBIDDEN, QUOTA) from error
    except IdempotencyKeyReused as error:
        raise invalid({IDEMPOTENCY_HEADER: [KEY_REUSED]}) from error
    except CapacityReached as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after=RETRY_SECONDS) from error
    except (DatabaseTrouble, StoreTrouble, OSError) as error:
        log.exception("an upload can't be stored")
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=RETRY_SECONDS) from error
