"""Error replies: a status, the JSON envelope, and the headers that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import JSONResponse

from ..core.tinyjpg import INVALID, RETRY_HEADER, refusal

RETRY_SECONDS = 10
"""`Retry-After` where the server lacks space or another resource."""

BAD = "Bad request"
NO_KEY = "The API key is missing or invalid"
UNKNOWN_BEARER = "The bearer token is missing or invalid"
QUOTA = "The monthly quota of this API key is used up"
NO_IMAGE = "There is no such image, or it has expired"
GONE = "There is no such file, or it has expired"
TOO_LARGE = "The request is larger than {} bytes"
SLOW = "The upload took too long"
TOO_MANY = "Too many requests"
BUSY = "The server is busy"
SHUTTING_DOWN = "The server is shutting down"
NOT_READY = "Not ready: {}"
TROUBLE = "Server error"

TEXTS = {
    HTTPStatus.BAD_REQUEST: BAD,
    HTTPStatus.NOT_FOUND: "There is no such route",
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not allowed here",
    HTTPStatus.INTERNAL_SERVER_ERROR: TROUBLE,
}


class ApiError(Exception):
    """An error reply, raised anywhere below a route."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Mapping[str, Sequence[str]] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.retry_after = retry_after

    def response(self) -> JSONResponse:
        """Return the reply."""
        headers = {} if self.retry_after is None else {RETRY_HEADER: str(max(1, -int(-self.retry_after // 1)))}
        return JSONResponse(refusal(self.message, self.errors), self.status, headers)


def invalid(errors: Mapping[str, Sequence[str]]) -> ApiError:
    """Return the error of a request with invalid fields."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, errors)


def plain(status: int, headers: Mapping[str, str] | None = None, text: str = "") -> JSONResponse:
    """Return the error reply for a status without further details; `text` replaces the usual one of the status."""
    text = text or TEXTS.get(HTTPStatus(status), HTTPStatus(status).phrase)
    return JSONResponse(refusal(text), status, dict(headers or {}))
