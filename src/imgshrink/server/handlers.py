"""Replies to errors that are raised anywhere below a route."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .blobs import StoreTrouble
from .database import DatabaseTrouble
from .errors import BUSY, RETRY_SECONDS, TROUBLE, ApiError, plain

log = logging.getLogger("imgshrink.server")


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain(error.status_code, error.headers)


async def _busy(_: Request, error: Exception) -> Response:
    log.error("a request can't be served: %s", next(iter(str(error).splitlines()), type(error).__name__))
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=RETRY_SECONDS).response()


async def _server_error(_: Request, __: Exception) -> Response:
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, TROUBLE).response()


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    ApiError: _api_error,
    HTTPException: _http_error,
    DatabaseTrouble: _busy,
    StoreTrouble: _busy,
    OSError: _busy,
    Exception: _server_error,
}
