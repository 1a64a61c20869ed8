"""The routes of the API, over any engine."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..core import tinyjpg
from ..engines import Engine
from .blobs import Folder
from .database import Database
from .errors import BUSY, GONE, NO_IMAGE, NO_KEY, TOO_MANY, TROUBLE, Refusal, invalid, plain
from .form import declared_size, find_image, opened_form, read_quality
from .job_runner import JobRunner, Verify
from .jobs import Job
from .keys import Key, Keys
from .limits import Limits
from .middleware import Guard
from .openapi import document
from .queue import Leases, Store
from .rate_limit import Rates
from .uploads import Asked, Intake

HEALTH = "/health"
OPENAPI = "/openapi.json"
IDEMPOTENCY_FORM = "An Idempotency-Key is 1 to 255 visible ASCII characters."
STATES = {"queued": tinyjpg.PROCESSING, "leased": tinyjpg.PROCESSING}
NO_STORE = {"Cache-Control": "no-store"}


def create_app(
    engine: Engine,
    verify: Verify,
    *,
    data: Path,
    public_url: str,
    limits: Limits | None = None,
    jobs: int = 2,
    grace: float = 10,
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """Return the API as an ASGI application that works while its lifespan lasts, and closes `engine` at its end.

    `data` is the folder it keeps everything in. `public_url` begins every URL in its replies. `verify` judges what
    `engine` answers. `grace` is how many seconds running work gets to finish when the application ends.
    """
    limits = limits or Limits()
    database = Database(data)
    store, folder = Store(database, limits, clock), Folder(data, limits)
    runner = JobRunner(engine, verify, Leases(database, limits, clock), store, folder, limits, jobs)
    api = Api(Keys(database, clock), store, folder, runner, limits, public_url.rstrip("/"))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        runner.start()
        yield
        await run_in_threadpool(runner.stop, grace)
        database.close()

    handlers = {Refusal: _refused, HTTPException: _plain, Exception: _failed}
    app = Starlette(routes=api.routes(), exception_handlers=handlers, lifespan=lifespan)
    app.router.redirect_slashes = False  # the redirect would name the host that the request named
    return Guard(app, limits)


class Api:
    """One method a route; whatever blocks runs in a thread."""

    def __init__(
        self, keys: Keys, store: Store, folder: Folder, runner: JobRunner, limits: Limits, public_url: str
    ) -> None:
        self._keys, self._store, self._folder, self._crew = keys, store, folder, runner
        self._intake = Intake(store, folder)
        self._limits = limits
        self._public_url = public_url
        self._rates = Rates(limits.rate, limits.burst)
        self._uploads = asyncio.Semaphore(limits.uploads)
        self._document = document(public_url, limits)

    def routes(self) -> list[Route]:
        """Every route."""
        return [
            Route(tinyjpg.OPTIMIZE, self.optimize, methods=["POST"]),
            Route(tinyjpg.STATUS, self.status),
            Route(tinyjpg.USAGE, self.usage),
            Route(tinyjpg.STATS, self.stats),
            Route(tinyjpg.ORIGINAL_FILE, self.original_file),
            Route(tinyjpg.OPTIMIZED_FILE, self.optimized_file),
            Route(HEALTH, self.health),
            Route(OPENAPI, self.openapi),
        ]

    async def optimize(self, request: Request) -> Response:
        """Take an image into the queue."""
        key = await self._authorized(request)
        idempotency = _idempotency(request)
        await run_in_threadpool(self._intake.check, key, declared_size(request, self._limits), idempotency)
        async with self._turn(), opened_form(request, self._limits) as form:
            image = find_image(form)
            file = image.file if isinstance(image, UploadFile) else image
            job, new = await run_in_threadpool(self._intake.take, key, Asked(file, *read_quality(form), idempotency))
        if new:
            self._crew.notify()
        return JSONResponse(tinyjpg.accepted(self._told(job, tinyjpg.PROCESSING)), headers=NO_STORE)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """Wait to be one of the few uploads at the same time, but not for ever: slow ones must not keep others out."""
        try:
            async with asyncio.timeout(self._limits.turn_seconds):
                await self._uploads.acquire()
        except TimeoutError as error:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=self._limits.turn_seconds) from error
        try:
            yield
        finally:
            self._uploads.release()

    async def status(self, request: Request) -> Response:
        """Tell how far one image is."""
        key = await self._authorized(request)
        number = request.path_params["image_id"]
        known = re.fullmatch("[0-9]{1,18}", number)
        job = await run_in_threadpool(self._store.find, key, int(number)) if known else None
        if job is None:
            raise Refusal(HTTPStatus.NOT_FOUND, NO_IMAGE)
        told = self._told(job, STATES.get(job.state, job.state))
        return JSONResponse(tinyjpg.progress(told), headers=NO_STORE | _expires(job))

    async def usage(self, request: Request) -> Response:
        """Tell what the key has used, month by month."""
        key = await self._authorized(request)
        return _data(await run_in_threadpool(self._store.usage, key))

    async def stats(self, request: Request) -> Response:
        """Tell what is left of the key's month."""
        key = await self._authorized(request)
        return _data(await run_in_threadpool(self._store.stats, key))

    async def original_file(self, request: Request) -> Response:
        """Send an original back; its name is the permission."""
        name = request.path_params["name"]
        job = await run_in_threadpool(self._store.original, name)
        return await _file(request, job, self._folder.original(job.original_name) if job else None)

    async def optimized_file(self, request: Request) -> Response:
        """Send a result; its name is the permission."""
        name = request.path_params["name"]
        job = await run_in_threadpool(self._store.optimized, name)
        return await _file(request, job, self._folder.result(job.optimized_name) if job else None)

    async def health(self, _: Request) -> Response:
        """Tell that requests are served and the queue can be read."""
        await run_in_threadpool(self._store.optimized, "")
        return JSONResponse({"success": True, "message": "ok"}, headers=NO_STORE)

    async def openapi(self, _: Request) -> Response:
        """Describe all this for programs."""
        return JSONResponse(self._document)

    async def _authorized(self, request: Request) -> Key:
        secret = request.headers.get(tinyjpg.KEY_HEADER, "")
        key = await run_in_threadpool(self._keys.check, secret) if secret else None
        if key is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, NO_KEY)
        request.state.key_name = key.name
        if wait := self._rates.take(key.id):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY, retry_after=wait)
        return key

    def _told(self, job: Job, status: str) -> tinyjpg.Job:
        return tinyjpg.Job(
            image_id=job.id,
            status=status,
            original_size=job.original_size,
            optimized_size=job.optimized_size,
            original_url=self._public_url + tinyjpg.ORIGINAL_FILE.format(name=job.original_name),
            optimized_url=self._public_url + tinyjpg.OPTIMIZED_FILE.format(name=job.optimized_name),
            processing_time=job.seconds,
            message=job.message if job.state == "failed" else "",
        )


def _idempotency(request: Request) -> str | None:
    value = request.headers.get(tinyjpg.IDEMPOTENCY_HEADER)
    if value is not None and not re.fullmatch("[!-~]{1,255}", value):
        raise invalid({tinyjpg.IDEMPOTENCY_HEADER: [IDEMPOTENCY_FORM]})
    return value


def _data(data: dict[str, object]) -> JSONResponse:
    return JSONResponse({"success": True, "data": data}, headers=NO_STORE)


def _expires(job: Job) -> dict[str, str]:
    return {} if job.expires is None else {"Expires": formatdate(job.expires, usegmt=True)}


async def _file(request: Request, job: Job | None, path: Path | None) -> Response:
    if job is None or path is None or not await run_in_threadpool(path.is_file):
        raise Refusal(HTTPStatus.NOT_FOUND, GONE)
    headers = {"Cache-Control": "private", "Accept-Ranges": "none", **_expires(job)}
    scope = request.scope
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return FileResponse(path, headers=headers, media_type=job.format.media_type, filename=path.name)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain(error.status_code, error.headers)


async def _failed(_: Request, __: Exception) -> Response:
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, TROUBLE).response()
