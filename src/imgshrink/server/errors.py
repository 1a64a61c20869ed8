"""What the server says no with: a status, the envelope, and the headers that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import JSONResponse

from ..core.tinyjpg import INVALID, RETRY_HEADER, refusal

RETRY_SECONDS = 10
"""After which a client should try again where the server is short of something."""

BAD = "Bad request"
NO_KEY = "The API key is missing or invalid"
QUOTA = "The monthly quota of this API key is used up"
NO_IMAGE = "There is no such image, or its day is over"
GONE = "This file is not kept any longer, or never was"
TOO_LARGE = "The request is larger than {} bytes"
SLOW = "The upload took too long"
TOO_MANY = "Too many requests"
BUSY = "The server is busy"
TROUBLE = "Server error"

TEXTS = {
    HTTPStatus.BAD_REQUEST: BAD,
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not allowed here",
    HTTPStatus.INTERNAL_SERVER_ERROR: TROUBLE,
}


class Refusal(Exception):
    """Raised anywhere below a route; becomes the reply."""

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
        """The reply."""
        headers = {} if self.retry_after is None else {RETRY_HEADER: str(max(1, -int(-self.retry_after // 1)))}
        return JSONResponse(refusal(self.message, self.errors), self.status, headers)


def invalid(errors: Mapping[str, Sequence[str]]) -> Refusal:
    """Return the refusal of a request whose fields are wrong."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, errors)


def plain(status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the reply that says no more than a status does."""
    text = TEXTS.get(HTTPStatus(status), HTTPStatus(status).phrase)
    return JSONResponse(refusal(text), status, dict(headers or {}))
