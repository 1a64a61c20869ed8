"""From an upload to a job: look at the image, write it to disk, accept it. Blocks; runs off the event loop."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

from ..core.model import ImageInfo
from ..core.tinyjpg import IDEMPOTENCY_HEADER, IMAGE_REQUIRED
from ..image.limits import unsupported
from ..image.sniff import describe, sniff
from .blobs import Folder, new_name
from .errors import BUSY, QUOTA, RETRY_SECONDS, Refusal, invalid
from .form import IMAGE_FILE
from .jobs import Job, Upload
from .keys import Key
from .queue import Full, KeyReused, QuotaUsed, Store

log = logging.getLogger("imgshrink.server")

KEY_REUSED = "This key was sent before with another body."


@dataclass(frozen=True)
class Asked:
    """What a POST asks for; `quality_problem` is what is wrong with `quality`, "" if nothing is."""

    image: BinaryIO | str | None
    quality: int
    quality_problem: str
    idempotency: str | None


class Intake:
    """Turns what came into jobs, or says no with the status that the API has for it."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._store = store
        self._folder = folder

    def check(self, key: Key, size: int, idempotency: str | None) -> None:
        """Raise `Refusal` where an upload of `size` bytes would be refused whatever it holds."""
        with _said():
            self._store.check_room(key, size, idempotency)
            if not self._folder.free():
                raise Full("The storage is full")

    def take(self, key: Key, asked: Asked) -> tuple[Job, bool]:
        """Return the job for an upload, and whether it is new; raises `Refusal`."""
        data, info = _looked_at(asked)
        original_name = new_name(info.format)
        upload = Upload(
            format=info.format,
            quality=asked.quality,
            size=len(data),
            body_digest=hashlib.sha256(data).hexdigest(),
            original_name=original_name,
            optimized_name=new_name(info.format),
            idempotency=asked.idempotency,
        )
        new = False
        try:
            with _said():
                self._folder.keep_original(original_name, data)
                job, new = self._store.accept(key, upload)
        finally:
            if not new:
                self._folder.remove(upload.original_name, upload.optimized_name)
        return job, new


def _looked_at(asked: Asked) -> tuple[bytes, ImageInfo]:
    data = b"" if asked.image is None or isinstance(asked.image, str) else asked.image.read()
    info = sniff(data)
    wrong = {"image": _image_problem(asked, data, info), "quality": asked.quality_problem}
    if problems := {field: [text] for field, text in wrong.items() if text}:
        raise invalid(problems)
    assert info is not None
    return data, info


def _image_problem(asked: Asked, data: bytes, info: ImageInfo | None) -> str:
    if asked.image is None:
        return IMAGE_REQUIRED
    if isinstance(asked.image, str):
        return IMAGE_FILE
    if info is None or not info.complete:
        return f"The image can't be used: {describe(data)}."
    why = unsupported(info)
    return f"The image can't be used: {why}." if why else ""


@contextmanager
def _said() -> Iterator[None]:
    """What the store raises, as what the API says."""
    try:
        yield
    except QuotaUsed as error:
        raise Refusal(HTTPStatus.FORBIDDEN, QUOTA) from error
    except KeyReused as error:
        raise invalid({IDEMPOTENCY_HEADER: [KEY_REUSED]}) from error
    except Full as error:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after=RETRY_SECONDS) from error
    except (sqlite3.OperationalError, OSError) as error:
        log.exception("an upload can't be kept")
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=RETRY_SECONDS) from error
