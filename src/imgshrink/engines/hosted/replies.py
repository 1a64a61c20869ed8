"""Responses of the API, and what each means for a job. Accepts any bytes; no socket, no clock."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass

from ...core.tinyjpg import COMPLETED, FAILED, Job, Json
from .parsing import read_count, read_number, read_object, read_text

FAILURES = (FAILED, "error")


@dataclass(frozen=True)
class Reply:
    """One response, its body complete and bounded."""

    code: int
    body: bytes = b""
    retry_after: str = ""
    location: str = ""


class TransportError(Exception):
    """No usable response came.

    `unreached`: there was no connection. `sent`: the upload had begun to leave. `forbidden`: the address may not be
    contacted. `nonsense`: a response came and was not usable.
    """

    def __init__(
        self,
        reason: str,
        *,
        unreached: bool = False,
        sent: bool = False,
        forbidden: bool = False,
        nonsense: bool = False,
    ) -> None:
        super().__init__(reason)
        self.unreached = unreached
        self.sent = sent
        self.forbidden = forbidden
        self.nonsense = nonsense


@dataclass(frozen=True)
class Working:
    """The API has the image and is not done."""

    job: Job


@dataclass(frozen=True)
class Finished:
    """The result can be fetched."""

    job: Job


@dataclass(frozen=True)
class Refused:
    """The API refuses this image for good. Each `reason`, here and below, is a sentence whose subject is the API."""

    reason: str


@dataclass(frozen=True)
class Denied:
    """The account can't be used: `code` is 401, 402 or 403; `quota`: the plan is used up."""

    code: int
    quota: bool
    reason: str


@dataclass(frozen=True)
class Later:
    """Nothing was done: the same request may be sent again, after the time in `Retry-After`."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The API no longer knows the image or its result."""


@dataclass(frozen=True)
class AccountReply:
    """The API's reply to a request about the account."""

    reply: Json


@dataclass(frozen=True)
class Unclear:
    """The reply is not usable; after an upload it is unknown whether it was paid for."""

    reason: str


Step = Working | Finished | Refused | Denied | Later | Gone | Unclear


def after_upload(code: int, body: bytes) -> Step:
    """Return what the reply to an upload means; a 503 counts as `Later` only with a `Retry-After`."""
    return _step(code, body, refused=(400, 413, 415, 422), gone=(), asked=None)


def after_status(code: int, body: bytes, image_id: int) -> Step:
    """Return what the reply to a status request for `image_id` means."""
    return _step(code, body, refused=(400, 422), gone=(404, 410), asked=image_id)


def after_question(code: int, body: bytes) -> Step | AccountReply:
    """Return what the reply to a request about the account means."""
    if common := _refused_request(code, body):
        return common
    if code in (404, 410):
        return Gone()
    envelope = read_object(body)
    if not 200 <= code < 300 or envelope is None or envelope.get("success") is False:
        return Unclear(_said(body, code))
    return AccountReply(envelope)


def _refused_request(code: int, body: bytes) -> Step | None:
    if code in (401, 402, 403):
        said = _said(body, code)
        used_up = code == 403 and re.search("quota|limit|plan|exceed", said, re.IGNORECASE)
        return Denied(code, code == 402 or bool(used_up), said)
    if code in (429, 503):
        return Later(_said(body, code))
    return None


def _step(code: int, body: bytes, *, refused: Container[int], gone: Container[int], asked: int | None) -> Step:
    if common := _refused_request(code, body):
        return common
    if code in gone:
        return Gone()
    if code in refused:
        return Refused(_said(body, code))
    envelope = read_object(body)
    if not 200 <= code < 300:
        return Unclear(_said(body, code))
    if envelope is None:
        return Unclear(f"answered {code} without JSON")
    if envelope.get("success") is False:
        return Refused(_said(body, code))
    job = read_job(envelope, asked)
    if job is None or (asked is not None and job.image_id != asked):
        return Unclear(f"answered {code} without a usable image_id")
    return job_step(job)


def job_step(job: Job) -> Step:
    """Return what a job's status means; an unknown status means that the work goes on."""
    if job.status == COMPLETED:
        return Finished(job)
    if job.status in FAILURES:
        return Refused(f"could not optimize it ({job.message})" if job.message else "could not optimize it")
    return Working(job)


def read_job(envelope: Mapping[str, object], asked: int | None = None) -> Job | None:
    """Return the job that `data` describes, None where it has no `image_id` and `asked` is None."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        return None
    image_id = asked if asked is not None and "image_id" not in data else read_count(data.get("image_id"))
    if image_id is None:
        return None
    return Job(
        image_id,
        read_text(data.get("status")).lower(),
        read_count(data.get("original_size")),
        read_count(data.get("optimized_size")),
        _url(data.get("original_url")),
        _url(data.get("optimized_url")),
        read_number(data.get("processing_time")),
        read_text(data.get("message")) or read_text(envelope.get("message")),
    )


def read_errors(body: bytes) -> dict[str, tuple[str, ...]]:
    """Return the messages of an error envelope by field; empty where there are none."""
    errors = (read_object(body) or {}).get("errors")
    if not isinstance(errors, dict):
        return {}
    lists = {field: messages if isinstance(messages, list) else [messages] for field, messages in errors.items()}
    return {read_text(field): tuple(filter(None, map(read_text, messages))) for field, messages in lists.items()}


def _said(body: bytes, code: int) -> str:
    """Return what a reply says, as a predicate whose subject is the API."""
    messages = [message for field in read_errors(body).values() for message in field]
    said = " ".join(messages) or read_text((read_object(body) or {}).get("message"))
    if 300 <= code < 400:
        return f"answered {code}, a redirect, which is not followed"
    return read_text(f"answered {code} ({said})" if said else f"answered {code}")


def _url(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 and value.isprintable() else ""
