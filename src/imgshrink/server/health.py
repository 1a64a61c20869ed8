"""Whether this node can serve: its database and its store answer, and it does not shut down."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from ..core.errors import ImgshrinkError
from .daemon_thread import in_daemon_thread

log = logging.getLogger("imgshrink.server")

KEPT_SECONDS = 1.0
"""How long an answer is repeated: probes by many do not become work for the database."""
ANSWER_SECONDS = 2.0
"""Longest wait for an answer."""
STOPPING = "the server is shutting down"

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """A blocking question that many ask: once at a time, in a thread of its own; used on the event loop only.

    The thread is a daemon: one that hangs keeps neither the other requests nor the end of the process waiting.
    """

    def __init__(self, ask: Callable[[], Answer], name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._name = name
        self._clock = clock
        self._asked = self._answered = float("-inf")
        self._answer: Answer | None = None
        self._failure = ""
        self._running: asyncio.Task[None] | None = None

    async def answer(self) -> Answer | None:
        """Return the answer, at most a second old; None if the question failed or is not answered within 2 seconds."""
        if self._running is None:
            if self._clock() - self._answered < KEPT_SECONDS:
                return self._answer
            self._asked, self._running = self._clock(), asyncio.create_task(self._run())
        await asyncio.wait({self._running}, timeout=max(0.0, self._asked + ANSWER_SECONDS - self._clock()))
        return self._answer if self._running is None else None

    async def _run(self) -> None:
        answer, failure = None, ""
        try:
            answer = await in_daemon_thread(self._ask, "imgshrink-probe")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            failure = str(error) if isinstance(error, ImgshrinkError) else type(error).__name__
        self._running = None
        self._answer, self._answered = answer, self._clock()
        self._tell(failure)

    def _tell(self, failure: str) -> None:
        """Write into the log that answers stay away, and that they are back."""
        if failure and not self._failure:
            log.warning("no answer from the %s: %s", self._name, failure)
        if self._failure and not failure:
            log.info("the %s answers again", self._name)
        self._failure = failure


class Health:
    """The checks of one node by name; each raises if its part does not answer."""

    def __init__(self, checks: Mapping[str, Callable[[], object]], draining: threading.Event) -> None:
        self._probes = {name: Probe(_answering(check), name) for name, check in checks.items()}
        self._draining = draining

    async def answering(self) -> dict[str, bool]:
        """Return for each part whether it answers."""
        answers = await asyncio.gather(*(probe.answer() for probe in self._probes.values()))
        return {name: bool(answer) for name, answer in zip(self._probes, answers, strict=True)}

    async def problem(self) -> str:
        """Return why the node must get no requests, "" if it is ready."""
        if self._draining.is_set():
            return STOPPING
        silent = [name for name, answers in (await self.answering()).items() if not answers]
        return f"no answer from the {' and the '.join(silent)}" if silent else ""


def _answering(check: Callable[[], object]) -> Callable[[], bool]:
    def answers() -> bool:
        check()
        return True

    return answers
