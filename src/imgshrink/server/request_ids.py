"""The id of a request: sent back in each reply, and named by each line of the log that the request causes."""

from __future__ import annotations

import re
import secrets
import threading
from contextvars import ContextVar

from starlette.types import Scope

HEADER = "X-Request-ID"
REMEMBERED = 10_000
"""Images whose requests a process remembers."""

_FORM = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NAME = HEADER.lower().encode()

current: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being served; threads that serve it see it too."""


def new_id() -> str:
    """Return a new random id."""
    return secrets.token_hex(8)


def request_id(scope: Scope) -> str:
    """Return the id of a request, always the same: the client's own if it is valid, else a new one."""
    state: dict[str, str] = scope.setdefault("state", {})
    if "request_id" not in state:
        given = [value for name, value in scope["headers"] if name == _NAME]
        valid = len(given) == 1 and _FORM.fullmatch(given[0])
        state["request_id"] = given[0].decode("ascii") if valid else new_id()
    return state["request_id"]


def header(value: str) -> tuple[bytes, bytes]:
    """Return the header of a reply that names the id of its request."""
    return _NAME, value.encode("ascii")


class ImageRequests:
    """Which request brought an image, of the last images that this process accepted. Safe for threads."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: dict[int, str] = {}
        self._lock = threading.Lock()

    def remember(self, image_id: int, request: str) -> None:
        """Remember the request of a new image; the oldest image is forgotten if there are too many."""
        with self._lock:
            self._known[image_id] = request
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def find(self, image_id: int) -> str:
        """Return the id of the request that brought an image, "" if it is not known."""
        with self._lock:
            return self._known.get(image_id, "")
