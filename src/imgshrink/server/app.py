"""The routes of the API, over any engine."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email.utils import formatdate
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ..core import tinyjpg
from .backend import Backend
from .blobs import ORIGINALS, RESULTS, Blobs, StoreTrouble, is_name
from .bounded_calls import BoundedCalls
from .database import DatabaseTrouble
from .errors import GONE, NO_IMAGE, NO_KEY, TOO_MANY, ApiError, invalid
from .form import declared_size, find_image, opened_form, read_quality
from .handlers import HANDLERS
from .job_runner import JobRunner
from .jobs import Job
from .keys import Key, Keys
from .leases import Leases
from .limits import Limits
from .metrics import DATABASE, STORE, counted
from .middleware import RequestMiddleware
from .openapi import document
from .operations import NO_STORE, Operations
from .page import page
from .queue import JobQueue
from .rate_limit import RateLimiter
from .request_ids import current
from .sweeper import Sweeper
from .upload_slots import UploadSlots
from .uploads import UploadHandler, UploadRequest
from .work import Work

log = logging.getLogger("imgshrink.server")

HOME = "/"
OPENAPI = "/openapi.json"
IDEMPOTENCY_FORM = "An Idempotency-Key is 1 to 255 visible ASCII characters."
STATES = {"queued": tinyjpg.PROCESSING, "leased": tinyjpg.PROCESSING}
SWEEP_END_SECONDS = 2.0


def create_app(
    work: Work,
    backend: Backend,
    *,
    public_url: str,
    limits: Limits | None = None,
    jobs: int = 2,
    grace: float = 10,
    operations: Operations | None = None,
) -> ASGIApp:
    """Return the API as an ASGI application; the end of its lifespan stops all work and closes `work` and `backend`.

    `public_url` is the prefix of every URL in replies. `jobs` images are in work at once; with 0 the node only answers.
    `grace` is how many seconds running work gets to finish when the application ends.
    """
    limits, operations = limits or Limits(), operations or Operations()
    database, dispatcher = backend.database, backend.dispatcher
    broken, away = (partial(operations.metrics.error, part) for part in (DATABASE, STORE))
    keys = counted(Keys(database), broken, DatabaseTrouble)
    queue = counted(JobQueue(database, limits, dispatcher.enqueue), broken, DatabaseTrouble)
    leases = counted(Leases(database, limits, dispatcher.enqueue), broken, DatabaseTrouble)
    blobs = counted(backend.blobs, away, OSError, StoreTrouble)
    runner = JobRunner(work, leases, blobs, dispatcher, limits, jobs)
    sweeper = Sweeper(queue, blobs, backend.mend)
    api = Api(keys, queue, blobs, dispatcher.notify, limits, public_url.rstrip("/"), operations)
    routes = [*api.routes(), *operations.routes(queue.measure, _checks(queue, blobs), limits)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        runner.start()
        sweeper.start()
        yield
        await run_in_threadpool(runner.stop, grace)
        await run_in_threadpool(sweeper.stop, SWEEP_END_SECONDS)
        database.close()

    app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=lifespan)
    app.router.redirect_slashes = False  # the redirect would name the request's Host
    return RequestMiddleware(app, limits, operations, {route.endpoint: route.path for route in routes})


def _checks(queue: JobQueue, blobs: Blobs) -> dict[str, Callable[[], object]]:
    return {DATABASE: partial(queue.optimized, ""), STORE: blobs.check}


class Api:
    """One method per route; blocking calls run in a thread."""

    def __init__(
        self,
        keys: Keys,
        queue: JobQueue,
        blobs: Blobs,
        notify: Callable[[], None],
        limits: Limits,
        public_url: str,
        operations: Operations,
    ) -> None:
        self._keys, self._queue, self._blobs, self._notify = keys, queue, blobs, notify
        self._handler = UploadHandler(queue, blobs)
        self._limits, self._operations = limits, operations
        self._public_url = public_url
        self._rate_limiter = RateLimiter(limits.rate, limits.burst)
        self._slots = UploadSlots(limits)
        self._bounded = BoundedCalls(limits.calls, limits.answer_seconds).run
        self._storing = BoundedCalls(limits.storing, limits.answer_seconds)
        self._document = document(public_url, limits)
        self._page, self._policy = page(public_url)

    def routes(self) -> list[Route]:
        """Return all routes."""
        return [
            Route(HOME, self.home),
            Route(tinyjpg.OPTIMIZE, self.optimize, methods=["POST"]),
            Route(tinyjpg.STATUS, self.status),
            Route(tinyjpg.USAGE, self.usage),
            Route(tinyjpg.STATS, self.stats),
            Route(tinyjpg.ORIGINAL_FILE, self.original_file),
            Route(tinyjpg.OPTIMIZED_FILE, self.optimized_file),
            Route(OPENAPI, self.openapi),
        ]

    async def optimize(self, request: Request) -> Response:
        """Accept an image into the queue."""
        key = await self._authorized(request)
        idempotency = _idempotency(request)
        await self._bounded(self._handler.check, key, declared_size(request, self._limits), idempotency)
        with self._operations.metrics.upload():
            job, new = await self._received(request, key, idempotency)
        if new:
            self._operations.images.remember(job.id, current.get())
            self._notify()
        return JSONResponse(tinyjpg.accepted(self._described(job, tinyjpg.PROCESSING)), headers=NO_STORE)

    async def _received(self, request: Request, key: Key, idempotency: str | None) -> tuple[Job, bool]:
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._slots.slot(key.id))
            form = await held.enter_async_context(opened_form(request, self._limits))
            image = find_image(form)
            file = image.file if isinstance(image, UploadFile) else image
            upload = UploadRequest(file, *read_quality(form), idempotency)
            return await self._storing.run(self._handler.accept, key, upload, held=held)

    async def status(self, request: Request) -> Response:
        """Return the state of one image."""
        key = await self._authorized(request)
        number = request.path_params["image_id"]
        known = re.fullmatch("[0-9]{1,18}", number)
        job = await self._bounded(self._queue.find, key, int(number)) if known else None
        if job is None:
            raise ApiError(HTTPStatus.NOT_FOUND, NO_IMAGE)
        described = self._described(job, STATES.get(job.state, job.state))
        return JSONResponse(tinyjpg.progress(described), headers=NO_STORE | _expires(job))

    async def usage(self, request: Request) -> Response:
        """Return what the key has used, by month."""
        key = await self._authorized(request)
        return _data(await self._bounded(self._queue.usage, key))

    async def stats(self, request: Request) -> Response:
        """Return what is left of the key's monthly quota."""
        key = await self._authorized(request)
        return _data(await self._bounded(self._queue.stats, key))

    async def original_file(self, request: Request) -> Response:
        """Return an original; knowing its random name is the permission."""
        name = request.path_params["name"]
        job = await self._named(self._queue.original, name)
        return await self._file(job, ORIGINALS, name)

    async def optimized_file(self, request: Request) -> Response:
        """Return a result; knowing its random name is the permission."""
        name = request.path_params["name"]
        job = await self._named(self._queue.optimized, name)
        return await self._file(job, RESULTS, (job and job.result_name) or name)

    async def home(self, _: Request) -> Response:
        """Return the page for people."""
        return HTMLResponse(self._page, headers={"Content-Security-Policy": self._policy, "Cache-Control": "no-cache"})

    async def openapi(self, _: Request) -> Response:
        """Return the OpenAPI document."""
        return JSONResponse(self._document)

    async def _authorized(self, request: Request) -> Key:
        secret = request.headers.get(tinyjpg.KEY_HEADER, "")
        key = await self._bounded(self._keys.check, secret) if secret else None
        if key is None:
            raise ApiError(HTTPStatus.UNAUTHORIZED, NO_KEY)
        request.state.key_name = key.name
        if wait := self._rate_limiter.take(key.id):
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY, retry_after=wait)
        return key

    async def _named(self, find: Callable[[str], Job | None], name: str) -> Job | None:
        return await self._bounded(find, name) if is_name(name) else None

    async def _file(self, job: Job | None, kind: str, stored: str) -> Response:
        blob = await self._bounded(self._blobs.open, kind, stored) if job else None
        if job is None or blob is None:
            raise ApiError(HTTPStatus.NOT_FOUND, GONE)
        name = job.original_name if kind == ORIGINALS else job.optimized_name
        headers = {"Cache-Control": "private", "Accept-Ranges": "none", **_expires(job)}
        headers |= {"Content-Length": str(blob.size), "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(blob.chunks, headers=headers, media_type=job.format.media_type)

    def _described(self, job: Job, status: str) -> tinyjpg.Job:
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
