"""Reads the upload form within bounds on its size, its time and its fields."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ..core.tinyjpg import DEFAULT_QUALITY, HIGHEST_QUALITY, LOWEST_QUALITY, QUALITY_RANGE
from .errors import BAD, BUSY, RETRY_SECONDS, SLOW, TOO_LARGE, ApiError
from .limits import Limits

FIELDS = 1000
FIELD_SIZE = 64 * 1024

QUALITY_INTEGER = "The quality must be an integer."
QUALITY_ONCE = "The quality must be given once."
IMAGE_FILE = "The image must be a file."


def declared_size(request: Request, limits: Limits) -> int:
    """Return the declared size of the body in bytes, 0 if there is none; raises `ApiError` if it is too large."""
    declared = request.headers.get("content-length", "")
    size = int(declared) if re.fullmatch("[0-9]{1,18}", declared) else 0
    if size > limits.body:
        raise _too_large(limits)
    return size


@asynccontextmanager
async def opened_form(request: Request, limits: Limits) -> AsyncGenerator[FormData]:
    """Read the whole body to disk and parse it as a form, empty for other types; raises `ApiError` beyond a bound."""
    form = FormData()
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = await _parsed(request, limits)
    try:
        yield form
    finally:
        await form.close()


async def _parsed(request: Request, limits: Limits) -> FormData:
    body = _bounded(request, limits)
    parser = MultiPartParser(request.headers, body, max_files=1, max_fields=FIELDS, max_part_size=FIELD_SIZE)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            return await parser.parse()
    except TimeoutError as error:
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, SLOW) from error
    except MultiPartException as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, BAD, {"body": [error.message]}) from error
    except (FormParserError, ClientDisconnect, LookupError, UnicodeError) as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, BAD) from error
    except OSError as error:  # no space for temporary files
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=RETRY_SECONDS) from error


async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes]:
    size, chunks = 0, aiter(request.stream())
    while True:
        async with asyncio.timeout(limits.stall_seconds):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        size += len(chunk)
        if size > limits.body:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> ApiError:
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE.format(limits.body))


def read_quality(form: FormData) -> tuple[int, str]:
    """Return the requested quality and its validation error, "" if it is valid."""
    values = form.getlist("quality")
    if not values:
        return DEFAULT_QUALITY, ""
    if len(values) > 1:
        return 0, QUALITY_ONCE
    value = values[0]
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,9}", value):
        return 0, QUALITY_INTEGER
    return int(value), "" if LOWEST_QUALITY <= int(value) <= HIGHEST_QUALITY else QUALITY_RANGE


def find_image(form: FormData) -> UploadFile | str | None:
    """Return the file in the field `image`, its text if it is not a file, None if it is missing."""
    values = form.getlist("image")
    return values[0] if values else None
