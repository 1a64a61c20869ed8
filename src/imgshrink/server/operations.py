"""What the people who operate a node look at: health, metrics, and whether it drains."""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..core.errors import SettingsError
from .errors import NOT_READY, RETRY_SECONDS, UNKNOWN_BEARER, ApiError, plain
from .exposition import GAUGE, MEDIA_TYPE, Family, Sample, exposition
from .health import Health, Probe
from .limits import Limits
from .metrics import Metrics, QueueMeasurement, limit_families, shared_families
from .request_ids import ImageRequests

HEALTH, LIVE, READY = "/health", "/health/live", "/health/ready"
METRICS = "/metrics"
UNBOUNDED = frozenset((HEALTH, LIVE, READY, METRICS))
"""Answered however many requests are served: a busy node is alive, and its metrics matter then."""

TOKEN_VARIABLE = "IMGSHRINK_METRICS_TOKEN"  # noqa: S105 - the name of the variable
NO_STORE = {"Cache-Control": "no-store"}
_TOKEN = re.compile("[!-~]{16,255}")


class Operations:
    """The state that routes, middleware and the shutdown of one process share.

    `token` opens `/metrics`; without one there is no such route. Client addresses decide nothing: behind a proxy on the
    same machine everybody comes from the loopback address. Raises `SettingsError` for a token that is too short.
    """

    def __init__(self, token: str = "") -> None:
        if token and not _TOKEN.fullmatch(token):
            raise SettingsError(f"{TOKEN_VARIABLE} must be 16 to 255 visible ASCII characters: openssl rand -hex 24")
        self._token = token.encode()
        self.metrics = Metrics()
        self.draining = threading.Event()
        self.images = ImageRequests()

    def routes(
        self, measure: Callable[[], QueueMeasurement], checks: Mapping[str, Callable[[], object]], limits: Limits
    ) -> list[Route]:
        """Return the routes; `checks` are the parts of the node by name, each raises if it does not answer."""
        found = _Routes(self, Health(checks, self.draining), Probe(measure, "queue"), limits, self._token)
        routes = [Route(LIVE, found.live), Route(READY, found.ready), Route(HEALTH, found.health)]
        return [*routes, Route(METRICS, found.metrics)] if self._token else routes


class _Routes:
    """One method per route."""

    def __init__(
        self, operations: Operations, health: Health, measured: Probe[QueueMeasurement], limits: Limits, token: bytes
    ) -> None:
        self._operations, self._health, self._measured = operations, health, measured
        self._limits, self._token = limits, token

    async def live(self, _: Request) -> Response:
        """Return 200 while the process answers; nothing else is asked."""
        return JSONResponse({"success": True, "message": "ok"}, headers=NO_STORE)

    async def ready(self, _: Request) -> Response:
        """Return 200 if this node can serve, else 503 and the reason."""
        if problem := await self._health.problem():
            reply = ApiError(503, NOT_READY.format(problem), retry_after=RETRY_SECONDS).response()
            reply.headers.update(NO_STORE)
            return reply
        return await self.live(_)

    async def health(self, request: Request) -> Response:
        """Return the same as `ready`."""
        return await self.ready(request)

    async def metrics(self, request: Request) -> Response:
        """Return the metrics to who has the token."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            return plain(401, {"WWW-Authenticate": "Bearer"}, UNKNOWN_BEARER)
        own = self._operations.metrics.families()
        families = [*own, *limit_families(self._limits), await self._ready_family()]
        if measured := await self._measured.answer():
            families += shared_families(measured)
        return PlainTextResponse(exposition(families), media_type=MEDIA_TYPE, headers=NO_STORE)

    async def _ready_family(self) -> Family:
        parts = {**(await self._health.answering()), "drain": not self._operations.draining.is_set()}
        samples = tuple(Sample(int(well), {"check": name}) for name, well in parts.items())
        return Family("imgshrink_ready", GAUGE, "1 for each check that lets this node be ready.", samples)
