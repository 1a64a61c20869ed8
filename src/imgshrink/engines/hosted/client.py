"""State shared by all uploads, and the methods that call the API."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from ...core import tinyjpg
from ...core.errors import AccountError, EngineError, Unavailable
from ...core.tinyjpg import Json
from . import replies
from .budget import Pause, RunEnd, UploadBudget
from .journal import Ledger
from .parsing import retry_after
from .polling import CircuitBreaker, LatencyEstimate, Timing
from .quota import Quota, read_quota
from .replies import Reply, TransportError
from .urls import Url

if TYPE_CHECKING:
    from .http import Transport

Step = TypeVar("Step")
Result = TypeVar("Result")

_random = random.SystemRandom()


UPLOAD_GRACE = 2.0
"""Seconds after the run's end in which the reply to an upload is still awaited: without it the payment is unknown."""


class Interrupted(Exception):
    """The run was stopped, or its time is over, while an image waited; the text says which."""


class Retryable(Exception):
    """An attempt failed and may be repeated, no earlier than `delay` seconds where it is not None.

    `step` is what came of it. `exhausted` is set when no attempt was left.
    """

    def __init__(self, step: replies.Later | replies.Unclear, delay: float | None = None) -> None:
        super().__init__(step.reason)
        self.step = step
        self.delay = delay
        self.exhausted = False


@dataclass(frozen=True)
class NoResponse(replies.Later):
    """No response came, and nothing can have happened; `unreached`: there was no connection."""

    unreached: bool = False


@dataclass(frozen=True)
class ApiClient:
    """The API of one run: its transport, the account's journal and budget, and the state that all threads share."""

    api: Url
    transport: Transport
    ledger: Ledger
    budget: UploadBudget
    stop: threading.Event
    end: RunEnd
    timing: Timing
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    latency: LatencyEstimate = field(default_factory=LatencyEstimate)
    pause: Pause = field(default_factory=Pause)

    @property
    def host(self) -> str:
        """The API's name, as people know it."""
        return self.api.authority

    def chance(self) -> float:
        """Return a random number from 0 to 1."""
        return _random.random()

    def sleep(self, seconds: float) -> None:
        """Wait; raises `Interrupted` when the run is stopped, or when the wait would outlast it."""
        late = seconds > self.end.left()
        if self.stop.wait(0.0 if late else max(0.0, seconds)):
            raise Interrupted("interrupted")
        if late:
            raise Interrupted("max_time was over")

    def call(
        self, send: Callable[[], Reply], read: Callable[[int, bytes], Step]
    ) -> tuple[Step | replies.Later | replies.Unclear, float | None]:
        """Send one request; return what its reply means, and the seconds of its `Retry-After`.

        Without a reply it is `NoResponse` where nothing can have happened, and `Unclear` where something may have.
        """
        if self.breaker.reason:
            return NoResponse(self.breaker.reason), None
        try:
            reply = send()
        except TransportError as broken:
            return (replies.Unclear(str(broken)) if broken.sent else NoResponse(str(broken), broken.unreached)), None
        delay = retry_after(reply.retry_after, time.time())
        step: Step | replies.Later | replies.Unclear = read(reply.code, reply.body)
        if isinstance(step, replies.Later) and delay is None and reply.code == 503:
            step = replies.Unclear(step.reason)
        if isinstance(step, replies.Later) and delay is not None:
            self.respect(delay, step.reason)
        return step, delay

    def respect(self, delay: float, reason: str) -> None:
        """Let all threads wait for a `Retry-After`; above the longest wait the API is not called again in this run."""
        if delay > self.timing.retry.longest_wait:
            self.breaker.trip(f"{reason} and asks to wait for {_span(delay)}", at_once=True)
        else:
            self.pause.extend(delay)

    def repeat(self, attempt: Callable[[], Result]) -> Result:
        """Return what `attempt` returns, repeated while it raises `Retryable` and the retry policy allows it.

        Raises the last `Retryable`; a request that was given up without a response counts for the circuit breaker.
        """
        begun, failures = time.monotonic(), 0
        while True:
            self.sleep(self.pause.left(self.chance()))
            try:
                return attempt()
            except Retryable as failure:
                failures += 1
                wait = self.timing.retry.wait(failures, time.monotonic() - begun, failure.delay, self.chance())
                if wait is None or self.breaker.reason:
                    failure.exhausted = self.timing.retry.is_last(failures)
                    if isinstance(failure.step, NoResponse):
                        self.breaker.trip(failure.step.reason, at_once=failure.step.unreached)
                    failure.step = replace(failure.step, reason=self.breaker.reason or failure.step.reason)
                    raise
            self.sleep(wait)

    def ask_account(self, route: str) -> Json:
        """Return the API's reply about the account under `route`; raises `EngineError`."""
        try:
            step = self.repeat(lambda: self._ask_once(route))
        except Retryable as failure:
            step = failure.step
        except Interrupted:
            step = replies.Later("was not asked: the run is over")
        match step:
            case replies.AccountReply(reply):
                return reply
            case replies.Denied():
                raise denial(self.host, step)
            case replies.Later(reason) | replies.Unclear(reason) | replies.Refused(reason):
                raise Unavailable(f"{self.host} {reason}")
        doubled = self.api.path if self.api.path.endswith("/api") else ""
        cure = f": leave {doubled} out of the address" if doubled else ""
        raise Unavailable(f"{self.host} has no {doubled}{route}{cure}")

    def quota(self) -> Quota | None:
        """Return what is left of the quota, None where the API does not say."""
        try:
            return read_quota(self.ask_account(tinyjpg.STATS))
        except EngineError:
            return None

    def deny(self, step: replies.Denied) -> AccountError:
        """Permit no further upload in this run, and return the error that says why."""
        host = self.host
        self.budget.deny(lambda: denial(host, step))
        quota = self.quota() if step.quota else None
        renews = quota.renews if quota else ""
        self.budget.deny(lambda: denial(host, step, renews))
        return denial(host, step, renews)

    def _ask_once(self, route: str) -> replies.Step | replies.AccountReply:
        step, _ = self.call(
            lambda: self.transport.get(route, self.end.deadline(self.timing.question)), replies.after_question
        )
        if isinstance(step, NoResponse):
            raise Retryable(step)
        return step


def denial(host: str, step: replies.Denied, renews: str = "") -> AccountError:
    """Return the error for an account that `host` refuses; `renews` is the date of the next quota, "" if unknown."""
    if step.quota:
        text, kind = "TinyJPG quota used up" + (f". It renews on {renews}" if renews else ""), "quota"
    elif step.code == 401:
        text, kind = f"{host} refused the API key (401). Check TINYJPG_API_KEY", "refused"
    else:
        text, kind = f"{host} {step.reason}. Check what the key's plan permits", "refused"
    return AccountError(text, kind=kind, host=host, status=step.code, renews=renews)


def _span(seconds: float) -> str:
    """Return a long time in its largest unit."""
    for unit, size in (("days", 2 * 86400.0), ("hours", 2 * 3600.0), ("minutes", 2 * 60.0)):
        if seconds >= size:
            return f"{round(seconds / size * 2)} {unit}"
    return f"{round(seconds)} seconds"
