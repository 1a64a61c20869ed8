"""The pictures of the HTML report: kept while a run replaces them, made small in workers, hung in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import EngineError, Unwritable
from ..core.keys import content_hash
from ..core.model import Outcome, Plan, Source
from ..core.text import REPORT_MARK, shown
from ..image.metadata import reduce
from ..image.sniff import sniff
from .destination import pictures_folder
from .html_page import WHOLE, Preview
from .messages import drawing_previews
from .summary import savings
from .units import counted

if TYPE_CHECKING:
    from ..workers.pool import WorkerPool

MANY = 100
SECONDS = 120.0
OURS = re.compile(r"[0-9a-f]{16}(-small)?\.(webp|png|jpg|gif)|\.gitignore|" + re.escape(REPORT_MARK))


@dataclass(frozen=True)
class _Pair:
    before: Path
    after: Path | None = None

    def read(self) -> tuple[bytes, bytes]:
        return self.before.read_bytes(), self.after.read_bytes() if self.after else b""


class ReportImages:
    """The pictures of one run's report, for the folder beside it: listens to a run. Never raises.

    `sources` are the files of all images of the run, by name.

    No new picture is begun after `seconds`: a report is no reason to wait for long.
    """

    def __init__(self, report: Path, workers: Callable[[], WorkerPool], *, seconds: float = SECONDS) -> None:
        self._folder = report.with_name(pictures_folder(report))
        self._workers = workers
        self._seconds = seconds
        self.sources: dict[str, Path] = {}
        self._pairs: dict[str, _Pair] = {}
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._notes: dict[str, str] = {}

    def planned(self, plan: Plan) -> None:
        """Nothing is kept before a file is replaced."""

    def waiting(self) -> None:
        """Nothing is drawn while the run goes on."""

    def disabled(self, engine: str, error: EngineError, images: int) -> None:
        """The pictures do not tell of engines."""

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """Keep what a file held and what replaced it."""
        try:
            self._pairs[source.name] = _Pair(self._keep(before), self._keep(after))
        except OSError as error:
            self._notes["keep"] = f"pictures for the report can't be kept: {error.strerror or error}"

    def write(self, outcomes: Sequence[Outcome], say: Callable[[str], None]) -> Mapping[str, Preview]:
        """Write the pictures into their folder, whatever hung there before, and return them by the images' names."""
        if len(outcomes) > MANY:
            say(drawing_previews(len(outcomes)))
        shrunk = savings(outcomes)
        whole = {row.path for row in shrunk[:WHOLE]}
        names = dict.fromkeys(row.path for row in (*shrunk, *outcomes))  # largest savings first, should time be over
        alone = {name: _Pair(path) for name, path in self.sources.items()}
        known = alone | {row.path: pair for row in shrunk if (pair := self._pairs.get(row.path))}
        named: dict[_Pair, list[str]] = {}  # equal pictures are drawn once
        for name in names:
            if name in known:
                named.setdefault(known[name], []).append(name)
        previews: dict[str, Preview] = {}
        try:
            _empty(self._folder)
            for pair, drawn in self._drawn(named):
                preview = self._hung(pair, drawn, whole=not whole.isdisjoint(named[pair]))
                previews |= dict.fromkeys(named[pair], preview)
        except (OSError, Unwritable) as error:
            self._notes["hang"] = f"the report's pictures can't be written: {error}"
        return previews

    def notes(self) -> list[str]:
        """What a person should know about the report's pictures, one line each."""
        return list(self._notes.values())

    def close(self) -> None:
        """Throw away what was kept."""
        if self._kept is not None:
            self._kept.cleanup()

    def _keep(self, data: bytes) -> Path:
        if self._kept is None:
            self._kept = tempfile.TemporaryDirectory(prefix="imgshrink-", ignore_cleanup_errors=True)
        path = Path(self._kept.name, content_hash(data))
        if not path.exists():
            path.write_bytes(data)
        return path

    def _drawn(self, pairs: Mapping[_Pair, Sequence[str]]) -> Iterator[tuple[_Pair, tuple[bytes, ...]]]:
        """Yield what the workers made of each, in order of completion."""
        workers = self._workers()
        end = time.monotonic() + self._seconds
        pool = ThreadPoolExecutor(workers.jobs, thread_name_prefix="imgshrink-report")
        try:
            running: dict[Future[tuple[bytes, ...]], _Pair] = {
                pool.submit(_draw, workers, pair): pair for pair in pairs
            }
            while running and (left := end - time.monotonic()) > 0:
                done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
                for future in done:
                    pair = running.pop(future)
                    if drawn := future.result():
                        yield pair, drawn
            if missing := sum(len(pairs[pair]) for pair in running.values()):
                images = counted(missing, "image")
                self._notes["late"] = f"{self._seconds:g} s were over: no picture in the report of {images}"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _hung(self, pair: _Pair, drawn: tuple[bytes, ...], *, whole: bool) -> Preview:
        before, after, facts = drawn
        read = json.loads(facts)
        look = tuple(read["look"]) if read["look"] else None
        preview = Preview(
            self._write(before, "-small.webp"),
            self._write(after, "-small.webp") if after else "",
            width=read["width"], height=read["height"], look=look,
        )  # fmt: skip
        if not (whole and after):
            return preview
        files = [self._whole(data) for data in pair.read()]
        return replace(preview, whole_before=files[0], whole_after=files[1])

    def _whole(self, data: bytes) -> str:
        """Write a picture in full size; where it was taken is nothing for a report."""
        info = sniff(data)
        assert info is not None
        return self._write(reduce(data), info.format.extension)

    def _write(self, data: bytes, ending: str) -> str:
        name = content_hash(data)[:16] + ending
        with contextlib.suppress(FileExistsError), (self._folder / name).open("xb") as file:
            file.write(data)
        return name


def _draw(workers: WorkerPool, pair: _Pair) -> tuple[bytes, ...]:
    """Return both pictures made small and the facts about them; nothing where one can't be read or decoded."""
    try:
        return workers.call("preview", *pair.read())
    except (OSError, EngineError):
        return ()


def _ours(folder: Path) -> bool:
    """Whether a report has made the folder, and nobody has put something else there since."""
    if folder.is_symlink() or not (folder / REPORT_MARK).is_file():
        return False
    return all(OURS.fullmatch(path.name) for path in folder.iterdir())


def _empty(folder: Path) -> None:
    """Make `folder` anew; raises `Unwritable` where it is not one that a report has made."""
    if os.path.lexists(folder):
        if not _ours(folder):
            raise Unwritable(f"{shown(folder)} holds something else; remove it, or give the report another name")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / REPORT_MARK).touch()
    (folder / ".gitignore").write_text("*\n")
