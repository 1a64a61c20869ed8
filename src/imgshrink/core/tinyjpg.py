"""The TinyJPG API's protocol, shared by client and server: routes, requests, replies, errors. No socket, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import SettingsError

Json = dict[str, object]
"""A JSON object."""

BASE_URL = "https://www.tinyjpg.co"
OPTIMIZE = "/api/optimize"
STATUS = "/api/status/{image_id}"
USAGE = "/api/v1/usage"
STATS = "/api/v1/stats"
ORIGINAL_FILE = "/direct-file/original/{name}"
OPTIMIZED_FILE = "/direct-file/optimized/{name}"

KEY_HEADER = "X-API-Key"
IDEMPOTENCY_HEADER = "Idempotency-Key"
RETRY_HEADER = "Retry-After"

PROCESSING = "processing"
COMPLETED = "completed"
FAILED = "failed"

LOWEST_QUALITY = 1
HIGHEST_QUALITY = 100
DEFAULT_QUALITY = 80

QUEUED = "Image uploaded and queued for optimization"
INVALID = "Validation failed"
IMAGE_REQUIRED = "The image field is required."
QUALITY_RANGE = "The quality must be between 1 and 100."


@dataclass(frozen=True)
class Job:
    """One image at the API, as its replies describe it: sizes in bytes, `processing_time` in seconds."""

    image_id: int
    status: str
    original_size: int | None = None
    optimized_size: int | None = None
    original_url: str = ""
    optimized_url: str = ""
    processing_time: float | None = None
    message: str = ""


def accepted(job: Job) -> Json:
    """Return the reply to an upload; the estimate is half of the original's size, as in the published API."""
    data: Json = {
        "image_id": job.image_id,
        "original_url": job.original_url,
        "optimized_url": job.optimized_url,
        "status": job.status,
        "original_size": job.original_size,
        "estimated_optimized_size": (job.original_size or 0) // 2,
    }
    return {"success": True, "message": QUEUED, "data": data}


def progress(job: Job) -> Json:
    """Return the reply to a status request: result fields only once completed, `message` only if there is one."""
    data: Json = {"image_id": job.image_id, "status": job.status, "original_size": job.original_size}
    if job.status == COMPLETED:
        data["optimized_size"] = job.optimized_size
        data["compression_ratio"] = saved(job.original_size or 0, job.optimized_size or 0)
        data["processing_time"] = round(job.processing_time or 0.0, 2)
        data["original_url"] = job.original_url
        data["optimized_url"] = job.optimized_url
    if job.message:
        data["message"] = job.message
    return {"success": True, "data": data}


def refusal(message: str, errors: Mapping[str, Sequence[str]] | None = None) -> Json:
    """Return the error envelope; `errors` maps a field to its messages and is omitted if empty."""
    envelope: Json = {"success": False, "message": message}
    if errors:
        envelope["errors"] = {field: list(messages) for field, messages in errors.items()}
    return envelope


def saved(before: int, after: int) -> float:
    """Return the percentage saved, rounded to two decimals."""
    return round(100 * (before - after) / before, 2) if before else 0.0


@dataclass(frozen=True)
class Upload:
    """The body of one upload and its content type."""

    content_type: str
    body: bytes


def upload(image: bytes, extension: str, media_type: str, quality: int, token: str) -> Upload:
    """Return the form of an upload: equal arguments give equal bytes; its file name is made from `token` (hex)."""
    boundary = f"imgshrink-{token}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="quality"\r\n\r\n{quality}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{token[:16]}{extension}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    return Upload(f"multipart/form-data; boundary={boundary}", head.encode() + image + tail.encode())


def clean_key(value: str | None) -> str | None:
    """Return a key without surrounding white space, None if empty; raises SettingsError, without quoting a bad key."""
    key = (value or "").strip()
    if not key:
        return None
    if not all("!" <= letter <= "~" for letter in key):
        raise SettingsError("TINYJPG_API_KEY holds a character that no key has (a space, a line break?): copy it again")
    return key
