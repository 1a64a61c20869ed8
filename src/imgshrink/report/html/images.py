"""The images of the HTML report: copied while a run replaces files, reduced in workers, written into a folder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import EngineError, Unwritable
from ...core.keys import content_hash
from ...core.model import Outcome, Plan, Source
from ..messages import making_previews
from ..summary import savings
from ..units import counted
from .folder import PART, SMALL, ImagesFolder
from .most_visible import MostVisible
from .page import images_folder
from .previews import Facts, Preview, read_facts

if TYPE_CHECKING:
    from ...workers.pool import WorkerPool

MANY = 100
SECONDS = 120.0
ROOM = 50_000_000
"""Bytes that the folder of images may hold; the crops take at most `CROPS` of them."""
CROPS = 20_000_000
FULL_SIZE = 50
"""How many images are shown in full size: `WORST` whose look changed most, then the largest savings."""
WORST = 25


@dataclass(frozen=True)
class _Pair:
    before: Path
    after: Path | None = None

    def read(self) -> tuple[bytes, bytes]:
        return self.before.read_bytes(), self.after.read_bytes() if self.after else b""


class ReportImages:
    """The images of one run's report: an observer of the run that copies what is replaced. Never raises.

    `sources` are the files of all images of the run, by name. After `seconds` no more images are prepared: nobody
    waits long for a report. Its folder takes at most `room` bytes.
    """

    def __init__(
        self, report: Path, workers: Callable[[], WorkerPool], *, seconds: float = SECONDS, room: int = ROOM
    ) -> None:
        self._folder = ImagesFolder(report.with_name(images_folder(report)), room)
        self._workers = workers
        self._seconds = seconds
        self._crops: MostVisible[_Pair] = MostVisible(min(CROPS, room // 2))
        self.sources: dict[str, Path] = {}
        self._pairs: dict[str, _Pair] = {}
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._notes: dict[str, str] = {}

    def planned(self, plan: Plan) -> None:
        """Do nothing: images are copied when a file is replaced."""

    def waiting(self) -> None:
        """Do nothing: previews are made after the run."""

    def unanswered(self, engine: str, error: EngineError, images: int) -> None:
        """Do nothing: the images do not depend on engines."""

    def refused(self, engine: str, reasons: Mapping[str, int]) -> None:
        """Do nothing: what was refused is not shown."""

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """Copy what the file held and what replaced it."""
        try:
            self._pairs[source.name] = _Pair(self._copy(before), self._copy(after))
        except OSError as error:
            self._notes["keep"] = f"images for the report can't be stored: {error.strerror or error}"

    def write(self, outcomes: Sequence[Outcome], info: Callable[[str], None]) -> Mapping[str, Preview]:
        """Write the images into their folder, in place of an earlier report's; return the previews by image name."""
        if len(outcomes) > MANY:
            info(making_previews(len(outcomes)))
        named = self._named(outcomes)
        previews: dict[_Pair, Preview] = {}
        try:
            self._folder.start()
            self._write(named, previews)
        except (OSError, Unwritable) as error:
            self._notes["write"] = f"the report's images can't be written: {error}"
        return {name: preview for pair, preview in previews.items() for name in named[pair]}

    def notes(self) -> list[str]:
        """Return a line for each problem with the report's images."""
        return list(self._notes.values())

    def close(self) -> None:
        """Remove the copies."""
        if self._copies is not None:
            self._copies.cleanup()

    def _copy(self, data: bytes) -> Path:
        if self._copies is None:
            self._copies = tempfile.TemporaryDirectory(prefix="imgshrink-", ignore_cleanup_errors=True)
        path = Path(self._copies.name, content_hash(data))
        if not os.path.exists(path):
            path.write_bytes(data)
        return path

    def _reduced(self, pairs: Mapping[_Pair, Sequence[str]]) -> Iterator[tuple[_Pair, tuple[bytes, ...]]]:
        """Yield what the workers made of each pair, in order of completion."""
        workers = self._workers()
        end = time.monotonic() + self._seconds
        pool = ThreadPoolExecutor(workers.jobs, thread_name_prefix="imgshrink-report")
        try:
            running: dict[Future[tuple[bytes, ...]], _Pair] = {
                pool.submit(_reduce_pair, workers, pair): pair for pair in pairs
            }
            while running and (left := end - time.monotonic()) > 0:
                done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
                for future in done:
                    pair = running.pop(future)
                    if reduced := future.result():
                        yield pair, reduced
            if missing := sum(len(pairs[pair]) for pair in running.values()):
                images = counted(missing, "image")
                self._notes["late"] = f"stopped after {self._seconds:g} s: the report has no preview of {images}"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _named(self, outcomes: Sequence[Outcome]) -> Mapping[_Pair, Sequence[str]]:
        """Return the names of each pair, largest savings first, should time be over; equal images are one pair."""
        shrunk = savings(outcomes)
        alone = {name: _Pair(path) for name, path in self.sources.items()}
        files = alone | {row.path: pair for row in shrunk if (pair := self._pairs.get(row.path))}
        named: dict[_Pair, list[str]] = {}
        for name in dict.fromkeys(row.path for row in (*shrunk, *outcomes)):
            if name in files:
                named.setdefault(files[name], []).append(name)
        return named

    def _write(self, named: Mapping[_Pair, Sequence[str]], previews: dict[_Pair, Preview]) -> None:
        """Write the images of all pairs into the folder, as many in detail as it has room for; fill `previews`."""
        facts: dict[_Pair, Facts] = {}
        for pair, (small, before, after, text) in self._reduced(named):
            if names := self._folder.write(small, ending=SMALL):
                facts[pair] = read_facts(text)
                previews[pair] = facts[pair].preview(*names)
                self._crops.add(facts[pair].share, pair, (before, after))
        for pair, parts in self._crops:
            if names := self._folder.write(*parts, ending=PART):
                previews[pair] = replace(previews[pair], crop=facts[pair].crop_pair(*names))
        for pair in _in_full(named, facts):
            if names := self._folder.write_full_size(*pair.read()):
                previews[pair] = replace(previews[pair], full=facts[pair].full_pair(*names))


def _in_full(named: Mapping[_Pair, Sequence[str]], facts: Mapping[_Pair, Facts]) -> list[_Pair]:
    """Return the pairs to show in full size, the worst-looking first, then by saving; crops of all of it are enough."""
    wanted = [pair for pair in named if pair in facts and facts[pair].look and not facts[pair].whole]
    worst = sorted((pair for pair in wanted if facts[pair].share), key=lambda pair: -facts[pair].share)
    return list(dict.fromkeys([*worst[:WORST], *wanted]))[:FULL_SIZE]


def _reduce_pair(workers: WorkerPool, pair: _Pair) -> tuple[bytes, ...]:
    """Return both images reduced in size and the facts about them; nothing where one can't be read or decoded."""
    try:
        return workers.call("preview", *pair.read())
    except (OSError, EngineError):
        return ()
