"""The images of the HTML report: copied while a run replaces files, reduced in workers, written into a folder."""

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
from .html_page import FULL_SIZE, Preview, images_folder
from .messages import making_previews
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
    """The images of one run's report: an observer of the run that copies what is replaced. Never raises.

    `sources` are the files of all images of the run, by name. After `seconds` no more images are prepared: nobody
    waits long for a report.
    """

    def __init__(self, report: Path, workers: Callable[[], WorkerPool], *, seconds: float = SECONDS) -> None:
        self._folder = report.with_name(images_folder(report))
        self._workers = workers
        self._seconds = seconds
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
        shrunk = savings(outcomes)
        full = {row.path for row in shrunk[:FULL_SIZE]}
        names = dict.fromkeys(row.path for row in (*shrunk, *outcomes))  # largest savings first, should time be over
        alone = {name: _Pair(path) for name, path in self.sources.items()}
        files = alone | {row.path: pair for row in shrunk if (pair := self._pairs.get(row.path))}
        named: dict[_Pair, list[str]] = {}  # equal images are reduced once
        for name in names:
            if name in files:
                named.setdefault(files[name], []).append(name)
        previews: dict[str, Preview] = {}
        try:
            _empty(self._folder)
            for pair, reduced in self._reduced(named):
                preview = self._preview(pair, reduced, full=not full.isdisjoint(named[pair]))
                previews |= dict.fromkeys(named[pair], preview)
        except (OSError, Unwritable) as error:
            self._notes["write"] = f"the report's images can't be written: {error}"
        return previews

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
        if not path.exists():
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

    def _preview(self, pair: _Pair, reduced: tuple[bytes, ...], *, full: bool) -> Preview:
        before, after, facts = reduced
        read = json.loads(facts)
        look = tuple(read["look"]) if read["look"] else None
        preview = Preview(
            self._write(before, "-small.webp"),
            self._write(after, "-small.webp") if after else "",
            width=read["width"], height=read["height"], look=look,
        )  # fmt: skip
        if not (full and after):
            return preview
        files = [self._write_full_size(data) for data in pair.read()]
        return replace(preview, full_before=files[0], full_after=files[1])

    def _write_full_size(self, data: bytes) -> str:
        """Write an image in full size, without the place where it was taken."""
        info = sniff(data)
        assert info is not None
        return self._write(reduce(data), info.format.extension)

    def _write(self, data: bytes, ending: str) -> str:
        name = content_hash(data)[:16] + ending
        with contextlib.suppress(FileExistsError), (self._folder / name).open("xb") as file:
            file.write(data)
        return name


def _reduce_pair(workers: WorkerPool, pair: _Pair) -> tuple[bytes, ...]:
    """Return both images reduced in size and the facts about them; nothing where one can't be read or decoded."""
    try:
        return workers.call("preview", *pair.read())
    except (OSError, EngineError):
        return ()


def _ours(folder: Path) -> bool:
    """Return whether the folder was made by a report and holds nothing else."""
    if folder.is_symlink() or not (folder / REPORT_MARK).is_file():
        return False
    return all(OURS.fullmatch(path.name) for path in folder.iterdir())


def _empty(folder: Path) -> None:
    """Create `folder`, or empty it; raises `Unwritable` where it was not made by a report."""
    if os.path.lexists(folder):
        if not _ours(folder):
            raise Unwritable(f"{shown(folder)} holds something else; remove it, or give the report another name")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / REPORT_MARK).touch()
    (folder / ".gitignore").write_text("*\n")
