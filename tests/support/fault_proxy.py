"""Faults around the real server: what goes wrong on the way to it, in its replies, and in the pictures it answers with.

`Faults` wraps the application inside the server's process; a test tells it over HTTP what is to go wrong (`next` and
`always` of `Faulty`). It counts and records what arrives. `LIES` are engines whose results are not what was asked for.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server_process import Served, Trim

CONTROL = "/faults"
Fault = dict[str, Any]


def refuses(status: int, message: str = "no", **headers: str) -> Fault:
    """Answer in the envelope without the server; `Retry_After` is a header too."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "kind": "reply",
        "status": status,
        "body": json.dumps({"success": False, "message": message}),
        "headers": named,
    }


def replies(status: int, body: str, **headers: str) -> Fault:
    """Answer with any body without the server."""
    return {"kind": "reply", "status": status, "body": body, "headers": headers}


def redirects(status: int, to: str) -> Fault:
    """Send the client elsewhere."""
    return {"kind": "reply", "status": status, "body": "", "headers": {"Location": to}}


def changes(**fields: Any) -> Fault:
    """Let the server answer, and change these fields of `data`; None removes one."""
    return {"kind": "change", "fields": fields}


def html() -> Fault:
    """A captive portal's answer."""
    return replies(200, "<!DOCTYPE html><title>Log in</title>", **{"Content-Type": "text/html"})


RESET_BEFORE: Fault = {"kind": "reset before"}
"""Cut the connection when the head has arrived and none of the body was read."""
RESET_DURING: Fault = {"kind": "reset during"}
"""Cut the connection when some of the body was read."""
RESET_AFTER: Fault = {"kind": "reset after"}
"""Let the server do its work, and cut the connection instead of answering."""
EMPTY: Fault = replies(200, "")
HALF: Fault = {"kind": "half"}
"""Let the server answer, and hang up in the middle of the body."""
HALF_UNSAID: Fault = {"kind": "half", "unsaid": True}
"""The same without a Content-Length: the body seems whole."""
DRIP: Fault = {"kind": "drip"}
"""Let the server answer, a byte now and then."""
HANG: Fault = {"kind": "hang"}
"""Say nothing."""
GZIP_BOMB: Fault = {"kind": "gzip bomb"}
"""Answer with few bytes that say they are a hundred megabytes."""


class Faults:
    """The application around the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._next: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._seen: list[dict[str, Any]] = []
        self._idempotent = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or let it go wrong."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == CONTROL:
            await self._controlled(scope, receive, send)
        else:
            await self._faulty(scope, receive, send)

    async def _controlled(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            told = json.loads(await _body(receive))
            self._next[told["step"]].extend(told.get("next", []))
            if "always" in told:
                self._always[told["step"]] = told["always"]
            self._idempotent = told.get("idempotent", self._idempotent)
        await _reply(send, 200, json.dumps(self._seen).encode())

    async def _faulty(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self._seen.append({"method": scope["method"], "path": scope["path"], "headers": headers})
        if not self._idempotent:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"idempotency-key"]
        step = step_of(scope)
        fault = self._next[step].popleft() if self._next[step] else self._always.get(step, {"kind": ""})
        do = {
            "reply": self._replies, "reset before": self._resets, "reset during": self._resets_during,
            "reset after": self._resets_after, "half": self._halves, "drip": self._drips, "hang": self._hangs,
            "gzip bomb": self._bombs, "change": self._changes, "": self._passes,
        }[fault["kind"]]  # fmt: skip
        await do(fault, scope, receive, send)

    async def _passes(self, _: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _replies(self, fault: Fault, _: Scope, receive: Receive, send: Send) -> None:
        await _body(receive)
        await _reply(send, fault["status"], fault["body"].encode(), fault["headers"])

    async def _resets(self, _: Fault, __: Scope, receive: Receive, send: Send) -> None:
        reset(send)

    async def _resets_during(self, _: Fault, __: Scope, receive: Receive, send: Send) -> None:
        await receive()
        reset(send)

    async def _resets_after(self, _: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive)
        reset(send)

    async def _halves(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._answer(scope, receive)
        if fault.get("unsaid"):
            start["headers"] = [pair for pair in start["headers"] if pair[0] != b"content-length"]
            start["headers"].append((b"connection", b"close"))
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": not fault.get("unsaid")})
        _transport(send).close()

    async def _drips(self, _: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._answer(scope, receive)
        await send(start)
        for at in range(len(body)):
            await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": at + 1 < len(body)})
            await asyncio.sleep(0.1)

    async def _hangs(self, _: Fault, __: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(600)

    async def _bombs(self, _: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await _body(receive)
        bomb = gzip.compress(b" " * 10**8, 1)
        await _reply(send, 200, bomb, {"Content-Encoding": "gzip"})

    async def _changes(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._answer(scope, receive)
        envelope = json.loads(body)
        data = {**envelope.get("data", {}), **fault["fields"]}
        envelope["data"] = {name: value for name, value in data.items() if value is not None}
        await _reply(send, start["status"], json.dumps(envelope).encode())

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def step_of(scope: Scope) -> str:
    """Which step of a job a request is: upload, status, download, stats, usage or other."""
    if scope["method"] == "POST":
        return "upload"
    parts = {"/api/status/": "status", "/direct-file/": "download", "/api/v1/stats": "stats", "/api/v1/usage": "usage"}
    return next((step for part, step in parts.items() if scope["path"].startswith(part)), "other")


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _reply(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _transport(send: Send) -> asyncio.Transport:
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's own cycle
    return transport


def reset(send: Send) -> None:
    """Cut the connection the hard way."""
    transport = _transport(send)
    plain = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Faulty(Served):
    """A server with faults; everything else is `Served`."""

    def __init__(self, *arguments: Any, **config: Any) -> None:
        super().__init__(*arguments, faulty=True, **config)

    def next(self, step: str, *faults: Fault) -> None:
        """Let the next requests of a step go wrong, one after the other."""
        self._tell({"step": step, "next": faults})

    def always(self, step: str, fault: Fault) -> None:
        """Let every request of a step go wrong from now on."""
        self._tell({"step": step, "always": fault})

    def forget_idempotency(self) -> None:
        """Never look at an Idempotency-Key from now on."""
        self._tell({"step": "", "idempotent": False})

    @property
    def seen(self) -> list[dict[str, Any]]:
        """Every request that arrived since the start: its method, path and headers."""
        seen: list[dict[str, Any]] = self.get(CONTROL, "").json()
        return seen

    @property
    def posts(self) -> int:
        """How many uploads arrived since the start, whole or not."""
        return sum(request["method"] == "POST" for request in self.seen)

    def _tell(self, told: Mapping[str, Any]) -> None:
        assert self.request("POST", CONTROL, "", json=told).status_code == 200


class Liar(Trim):
    """An engine that answers with what a lie makes of the image; nobody checks it."""

    lie: Callable[[bytes], bytes]

    def result(self, data: bytes) -> bytes:
        return self.lie(data)


def _saved(image: Image.Image, like: bytes, **options: Any) -> bytes:
    kind = Image.open(io.BytesIO(like)).format or "PNG"
    out = io.BytesIO()
    quality = {"quality": 60} if kind in ("JPEG", "WEBP") else {"optimize": True}
    image.save(out, kind, **quality, **options)
    return out.getvalue()


def larger(data: bytes) -> bytes:
    """The image, and a tail that nobody sees."""
    return data + b"\0" * 5000


def other(data: bytes) -> bytes:
    """Another picture of the same size and format."""
    image = Image.open(io.BytesIO(data))
    return _saved(ImageOps.invert(image.convert("RGB")), data)


def flat(data: bytes) -> bytes:
    """The first frame of an animation."""
    return _saved(next(ImageSequence.Iterator(Image.open(io.BytesIO(data)))).copy(), data)


def profileless(data: bytes) -> bytes:
    """The same numbers without the profile that says what they mean."""
    image = Image.open(io.BytesIO(data))
    return _saved(image, data, icc_profile=None, exif=image.getexif())


def upright(data: bytes) -> bytes:
    """The orientation applied to the pixels."""
    image = Image.open(io.BytesIO(data))
    return _saved(ImageOps.exif_transpose(image), data, icc_profile=image.info.get("icc_profile"))


def unoriented(data: bytes) -> bytes:
    """The orientation lost."""
    image = Image.open(io.BytesIO(data))
    return _saved(image, data, icc_profile=image.info.get("icc_profile"))


def srgb(data: bytes) -> bytes:
    """The colours converted to sRGB, the profile gone: what a viewer sees stays."""
    image = Image.open(io.BytesIO(data))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
    assert converted is not None
    return _saved(converted, data, icc_profile=None, exif=image.getexif())


def junk(data: bytes) -> bytes:
    """No image at all."""
    return b"<html>" * 10


LIES: Mapping[str, type[Liar]] = {
    lie.__name__: type(lie.__name__, (Liar,), {"lie": staticmethod(lie)})
    for lie in (larger, other, flat, profileless, upright, unoriented, srgb, junk)
}
