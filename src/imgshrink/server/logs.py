"""The log on standard error: lines of text for people, or one JSON object a line for programs.

A line about an image is logged by a message that begins with `image %d`: it gets the id of the request that brought the
image, where this process knows it. Fields of their own are logged by `extra=fields(...)`.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from .request_ids import ImageRequests, current

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
LEVELS = {
    "imgshrink.access": logging.INFO,
    "imgshrink.server": logging.INFO,
    "uvicorn.error": logging.WARNING,
    "asyncio": logging.WARNING,
    "pgqueuer": logging.WARNING,
}
_ABOUT_IMAGE = "image %d"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def fields(**values: str | float) -> dict[str, object]:
    """Return the `extra` of a log call that adds these fields to a JSON line."""
    return {"fields": values}


def configure(format: str, images: ImageRequests) -> None:
    """Write the server's log to standard error in this format."""
    handler = logging.StreamHandler()
    handler.addFilter(_Context(images))
    handler.setFormatter(JsonFormatter() if format == JSON else TextFormatter())
    for name, level in LEVELS.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


class _Context(logging.Filter):
    """Adds the ids of the request and of the image to each record; drops none."""

    def __init__(self, images: ImageRequests) -> None:
        super().__init__()
        self._images = images

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current.get()
        if isinstance(record.msg, str) and record.msg.startswith(_ABOUT_IMAGE) and isinstance(record.args, tuple):
            (number, *_) = record.args
            record.__dict__["image_id"] = number
            record.request_id = self._images.find(int(str(number)))
        return True


class TextFormatter(logging.Formatter):
    """One line, and the traceback below it; the request's id stands at the end of the line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in the base class
        """Return the line without a traceback; control characters in it are escaped."""
        line = super().formatMessage(record).rstrip()
        if record.name != "uvicorn.error":  # whose messages hold tracebacks, and nothing that clients send
            line = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], line)
        request = getattr(record, "request_id", "")
        return f"{line} [{request}]" if request else line


class JsonFormatter(logging.Formatter):
    """One JSON object in ASCII, on one line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().rstrip(),
        }
        entry |= {name: found for name in ("request_id", "image_id") if (found := getattr(record, name, ""))}
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _whole(value) for name, value in entry.items()})


def _whole(value: object) -> object:
    """Replace lone surrogates, which strict JSON parsers refuse."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
