"""The API as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Mapping

from .. import __version__
from ..core import tinyjpg
from ..core.model import Format
from ..core.tinyjpg import Json
from .limits import Limits
from .operations import HEALTH, LIVE, READY
from .usage import MONTHS

COUNT: Json = {"type": "integer", "minimum": 0}
PER_CENT: Json = {"type": "number", "maximum": 100}
SECONDS: Json = {"type": "number", "minimum": 0}
TEXT: Json = {"type": "string"}
URL: Json = {"type": "string", "format": "uri"}
QUALITY: Json = {
    "type": "integer",
    "minimum": tinyjpg.LOWEST_QUALITY,
    "maximum": tinyjpg.HIGHEST_QUALITY,
    "default": tinyjpg.DEFAULT_QUALITY,
}
RETRY: Json = {tinyjpg.RETRY_HEADER: {"description": "Seconds to wait.", "required": True, "schema": COUNT}}
EXPIRES: Json = {"Expires": {"description": "When the files are deleted.", "schema": TEXT}}
ALLOW: Json = {"Allow": {"description": "The allowed methods.", "required": True, "schema": TEXT}}

REFUSALS = {
    400: "Bad request: the body can't be read",
    401: "Unauthorized: the key is missing or invalid",
    403: "Forbidden: the monthly quota is used up",
    404: "Not found: unknown, another key's, or expired",
    405: "Method not allowed",
    408: "The body took too long to arrive",
    413: "The body is too large",
    422: "Validation error: `errors` names the fields",
    429: "Too many requests with this key",
    500: "Server error",
    503: "The queue or the storage is full, or the server can't serve for another reason",
}
ALWAYS = (405, 500, 503)


def document(public_url: str, limits: Limits) -> Json:
    """Return the document of a server at `public_url`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "imgshrink server", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": public_url}],
        "security": [{"key": []}],
        "paths": {
            tinyjpg.OPTIMIZE: {"post": _optimize(limits)},
            tinyjpg.STATUS: {"get": _status()},
            tinyjpg.USAGE: {"get": _keyed("usage", "Use of the key, by month", _USAGE)},
            tinyjpg.STATS: {"get": _keyed("stats", "What is left of the key's monthly quota", _STATS)},
            tinyjpg.ORIGINAL_FILE: {"get": _file("original_file", "The image as it was uploaded")},
            tinyjpg.OPTIMIZED_FILE: {"get": _file("optimized_file", "The shrunk image")},
            HEALTH: {"get": _open("health", "Whether this node can serve", _WELL)},
            READY: {"get": _open("ready", "The same, under the name that balancers use", _WELL)},
            LIVE: {"get": _open("live", "Whether this process answers", _WELL)},
            "/openapi.json": {"get": _open("openapi", "This document", {"type": "object"})},
        },
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": tinyjpg.KEY_HEADER}},
            "schemas": {"Refusal": _REFUSAL},
        },
    }


_DESCRIPTION = (
    "Accepts JPEG, PNG, GIF and WebP images, shrinks them in the background and keeps the results for 24 hours. "
    "The URL of a file is the permission to fetch it: its name can't be guessed."
)


def _object(**properties: object) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def _enveloped(data: Json) -> Json:
    return _object(success={"const": True}, data=data)


_WELL = _object(success={"const": True}, message=TEXT)
_SIZES = {"original_bytes": COUNT, "optimized_bytes": COUNT, "saved_bytes": COUNT, "compression_ratio": PER_CENT}
_MONTH = _object(
    month={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, accepted=COUNT, completed=COUNT, failed=COUNT, **_SIZES
)
_USAGE = _object(
    monthly_trends={"type": "array", "minItems": 1, "maxItems": MONTHS, "items": _MONTH},
    image_type_distribution=_object(**{format.value: _object(images=COUNT, percentage=PER_CENT) for format in Format}),
    compression_statistics=_object(images=COUNT, **_SIZES, average_processing_time=SECONDS),
)
_STATS = _object(limit=COUNT, used=COUNT, remaining=COUNT, resets_at={"type": "string", "format": "date-time"})
_URLS = {"original_url": URL, "optimized_url": URL}
_ACCEPTED = _object(
    success={"const": True},
    message=TEXT,
    data=_object(
        image_id=COUNT,
        **_URLS,
        status={"const": tinyjpg.PROCESSING},
        original_size=COUNT,
        estimated_optimized_size=COUNT,
    ),
)
_PROCESSING = _object(image_id=COUNT, status={"const": tinyjpg.PROCESSING}, original_size=COUNT)
_COMPLETED = _object(
    image_id=COUNT,
    status={"const": tinyjpg.COMPLETED},
    original_size=COUNT,
    optimized_size=COUNT,
    compression_ratio=PER_CENT,
    processing_time=SECONDS,
    **_URLS,
)
_FAILED = _object(image_id=COUNT, status={"const": tinyjpg.FAILED}, original_size=COUNT, message=TEXT)
_STATUS_LINK: Json = {"operationId": "status", "parameters": {"image_id": "$response.body#/data/image_id"}}
_REFUSAL: Json = {
    "type": "object",
    "required": ["success", "message"],
    "properties": {
        "success": {"const": False},
        "message": TEXT,
        "errors": {"type": "object", "additionalProperties": {"type": "array", "minItems": 1, "items": TEXT}},
    },
    "additionalProperties": False,
}


def _optimize(limits: Limits) -> Json:
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "contentMediaType": "application/octet-stream"}, "quality": QUALITY},
    }
    encoding = {"image": {"contentType": ", ".join(format.media_type for format in Format)}}
    return {
        "operationId": "optimize",
        "summary": "Accept an image into the queue",
        "description": f"At most {limits.body} bytes. Equal Idempotency-Key and body within a day give the same job.",
        "parameters": [
            {
                "name": tinyjpg.IDEMPOTENCY_HEADER,
                "in": "header",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        ],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form, "encoding": encoding}}},
        "responses": {
            "200": {**_reply("Accepted", _ACCEPTED), "links": {"status": _STATUS_LINK}},
            **_refusals(400, 401, 403, 408, 413, 422, 429, *ALWAYS),
        },
    }


def _status() -> Json:
    known: Json = {"oneOf": [_PROCESSING, _COMPLETED, _FAILED]}
    return {
        "operationId": "status",
        "summary": "The state of one image",
        "parameters": [
            {"name": "image_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
        ],
        "responses": {"200": _reply("Known", _enveloped(known), EXPIRES), **_refusals(401, 404, 429, *ALWAYS)},
    }


def _keyed(name: str, summary: str, data: Json) -> Json:
    replies = {"200": _reply("Counted", _enveloped(data)), **_refusals(401, 429, *ALWAYS)}
    return {"operationId": name, "summary": summary, "responses": replies}


def _open(name: str, summary: str, schema: Json) -> Json:
    replies = {"200": _reply("Well", schema), **_refusals(*ALWAYS)}
    return {"operationId": name, "summary": summary, "security": [], "responses": replies}


def _file(name: str, summary: str) -> Json:
    content = {
        format.media_type: {"schema": {"type": "string", "contentMediaType": format.media_type}} for format in Format
    }
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "parameters": [{"name": "name", "in": "path", "required": True, "schema": TEXT}],
        "responses": {
            "200": {"description": "The file", "headers": EXPIRES, "content": content},
            **_refusals(404, *ALWAYS),
        },
    }


def _reply(description: str, schema: Json, headers: Mapping[str, object] | None = None) -> Json:
    reply: Json = {"description": description, "content": {"application/json": {"schema": schema}}}
    return reply | ({"headers": headers} if headers else {})


def _refusals(*codes: int) -> dict[str, Json]:
    headers = {405: ALLOW, 429: RETRY, 503: RETRY}
    envelope: Json = {"$ref": "#/components/schemas/Refusal"}
    return {str(code): _reply(REFUSALS[code], envelope, headers.get(code)) for code in codes}
