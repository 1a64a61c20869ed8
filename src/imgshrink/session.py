"""The composition root: builds cache, engines and workers from the settings, and imports each when it is needed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import SettingsError
from .core.model import Entry, Note, Outcome, Plan, Source, Variant, VariantRequest, Verdict
from .files.destinations import InPlace, nowhere
from .files.paths import as_paths
from .image.limits import VERIFY_VERSION
from .pipeline.resolver import Resolver
from .pipeline.run import Destination, Observer, Policy, Survey, run, survey
from .selection import Selection, wanted_engines
from .shared_tier import Caches

if TYPE_CHECKING:
    from .engines import Engine
    from .engines.hosted.engine import Hosted
    from .engines.hosted.quota import Spending
    from .files.discovery import Discovery
    from .files.originals import Originals
    from .report.html.images import ReportImages
    from .report.html.previews import Preview
    from .settings.schema import Settings
    from .workers.pool import WorkerPool

    Paths = Iterable[str | os.PathLike[str]] | str | os.PathLike[str]


class Session(Caches):
    """Shrinks the images at paths as its settings say. Use it in a `with` statement, or close it.

    Cache, engines and worker processes are created when they are first needed. Paths are files or folders, one or many.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self._end: float | None = None

    def __enter__(self) -> Session:
        """Return the session itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the session; without an exception, results on their way to the shared cache are waited for."""
        if kind is None and "cache" in self.__dict__:
            self.cache.close()
        self.close()

    def optimize(self, paths: Paths) -> list[Outcome]:
        """Shrink the images at `paths` in place; return one outcome an image.

        Originals are kept for `imgshrink restore`. Raises `SettingsError` for a path that does not exist; an image that
        can't be shrunk is an outcome, never an exception.
        """
        found = as_paths(paths)
        sources = self._sources(found)
        return list(self.run(sources, destination=self.in_place(sources, named=found), in_place=True))

    def warm(self, paths: Paths) -> list[Outcome]:
        """Compute the results for the images at `paths` and store them in the cache; files are not changed."""
        return list(self.run(self._sources(as_paths(paths)), destination=nowhere, in_place=False))

    def check(self, paths: Paths) -> list[Outcome]:
        """Return the images at `paths` that are not shrunk yet; works offline and changes nothing.

        Raises `SettingsError` where `seal` is not `all`: unsealed images can't be told from new ones.
        """
        from .pipeline.check import as_outcomes, check

        sources = self._sources(as_paths(paths))
        found = check(sources, min_size=self.settings.min_size, seal=self.settings.seal)
        return as_outcomes(found.not_shrunk)

    @cached_property
    def originals(self) -> Originals:
        """Backups of the files that were replaced in place."""
        from .files.originals import Originals

        return Originals(self.settings.state_dir / "originals")

    @cached_property
    def report_images(self) -> ReportImages | None:
        """The images of the HTML report, or None for a report that shows none."""
        report = self.settings.report
        if report is None or not self.settings.html_report:
            return None
        from .report.html.images import ReportImages

        return ReportImages(report, lambda: self.workers)

    @cached_property
    def workers(self) -> WorkerPool:
        """The processes that decode and encode; each is started when it first has something to do."""
        from .worker_tasks import worker_pool

        return worker_pool(self.settings.jobs)

    @cached_property
    def selection(self) -> Selection:
        """Which images are taken, and the quality and engines of each."""
        return Selection(self.settings)

    def discover(self, paths: Sequence[Path]) -> Discovery:
        """Find the images below `paths`, excluded ones apart; raises `SettingsError` for a path that does not exist."""
        from .files.discovery import discover

        return discover(paths, exclude=self.selection)

    def run(
        self,
        sources: Iterable[Source],
        *,
        destination: Destination,
        observer: Observer | None = None,
        in_place: bool,
        known_only: bool = False,
    ) -> Iterator[Outcome]:
        """Run the pipeline over `sources`; with `known_only` no engine is asked.

        Temporary files that a killed run left beside the sources are removed first. `max_time` counts from this call.
        """
        from .files.atomic import sweep

        self._end = end = self._until()
        sources = list(sources)
        for folder in {source.path.parent for source in sources}:
            sweep(folder)
        resolver = self.resolver(known_only=known_only, end=end)
        observers = [] if observer is None else [observer]
        if self.report_images is not None:
            self.report_images.sources = {source.name: source.path for source in sources}
            observers.append(self.report_images)
        policy = self._policy(in_place=in_place)
        return run(sources, resolver=resolver, destination=destination, policy=policy, observers=observers)

    def previews(self, outcomes: Sequence[Outcome], info: Callable[[str], None]) -> Mapping[str, Preview]:
        """Write the images of the HTML report; return its previews by image name, none for another kind of report."""
        return {} if self.report_images is None else self.report_images.write(outcomes, info)

    def variants(
        self,
        requests: Iterable[VariantRequest],
        *,
        known_only: bool = False,
        formats: Sequence[str] = ("webp", "avif"),
        saving: float = 10.0,
        waiting: Callable[[], None] | None = None,
    ) -> Mapping[Path, Variant | None]:
        """Return the modern variants of published images, as `Variants.find` does, in the time that `run` has left."""
        from .variants import variants_of

        found = variants_of(self, formats, saving, end=self._end or self._until())
        return found.find(requests, known_only=known_only, waiting=waiting)

    def survey(self, sources: Iterable[Source]) -> tuple[list[Survey], Plan]:
        """Return what a run would find and do. Nothing is written, and no engine is asked."""
        return survey(sources, resolver=self.resolver(), policy=self._policy(in_place=True))

    def in_place(self, sources: Iterable[Source], *, named: Iterable[Path] = ()) -> InPlace:
        """Return the destination that rewrites the files of `sources`; `named` are the files that the user named."""
        return InPlace(lambda: self.originals, sources, named=named)

    def resolver(self, *, known_only: bool = False, end: float | None = None) -> Resolver:
        """Return the resolver of one run; it starts no work after `end`, in monotonic seconds."""
        from .files.locks import FileLocks
        from .worker_tasks import remote_verify

        names = frozenset(engine.name for engine in self.engines)
        if "hosted" in names:
            self.hosted.end = end
        unpaid = frozenset() if self.settings.api_key else frozenset({"hosted"})
        return Resolver(
            self.engines,
            self.cache,
            FileLocks(self.settings.cache_dir / "claims"),
            lambda *pair: remote_verify(self.workers)(*pair),
            lookup_only=names if known_only else unpaid,
            slots={"builtin": self.settings.jobs + 1},
            verify_version=VERIFY_VERSION,
            end=end,
            stop=self.stop,
            owes=lambda name, image: name == "hosted" and self.hosted.owes(image.content, image.recipe),
        )

    @cached_property
    def spending(self) -> Spending:
        """What a run may spend at the API, and what it has spent."""
        from .engines.hosted.quota import Spending

        allowed = bool(self.settings.api_key) and "hosted" in wanted_engines(self.settings)
        return Spending(lambda: self.hosted, lambda: self.__dict__.get("hosted"), uploads_allowed=allowed)

    def notes(self) -> list[Note]:
        """Return a line for each problem of the parts that were used; the cache is closed and pruned first."""
        if "cache" in self.__dict__:
            self.cache.close()
        used = [part for name in ("cache", "originals", "hosted", "report_images") if (part := self.__dict__.get(name))]
        tier = self.tier.notes() if "tier" in self.__dict__ else ()
        return [*map(Note, self.settings.notes), *(Note(note) for part in used for note in part.notes()), *tier]

    def close(self) -> None:
        """Stop running work within 2 seconds and write what is pending. Safe to call twice."""
        self.stop.set()
        for name in ("hosted", "workers", "cache", "report_images"):
            if part := self.__dict__.get(name):
                part.close()

    @cached_property
    def hosted(self) -> Hosted:
        """The engine of the API; without a key only its cached results are used.

        Raises `SettingsError` for a wrong key or address.
        """
        from .engines.hosted.engine import Hosted
        from .files.locks import FileLocks

        settings = self.settings
        if settings.account_problem:
            raise SettingsError(settings.account_problem)
        return Hosted(
            settings.api_key,
            settings.api_url,
            settings.download_hosts,
            proxy=settings.proxy,
            journal=settings.state_dir / "journal.sqlite3",
            max_uploads=settings.max_uploads,
            can_remember=self._can_remember,
            locks=FileLocks(settings.state_dir / "claims"),
            stop=self.stop,
        )

    @cached_property
    def engines(self) -> Sequence[Engine]:
        """The engines that any image may go to, in order; raises `SettingsError` as `hosted` does."""
        from .engines.builtin import Builtin

        builtin = Builtin(self.workers)
        return [self.hosted, builtin] if "hosted" in wanted_engines(self.settings) else [builtin]

    def require_account(self) -> None:
        """Raise `SettingsError` if images may go to the API, and its key or address is wrong."""
        if "hosted" in wanted_engines(self.settings):
            self.hosted  # noqa: B018  it reads both

    def _until(self) -> float | None:
        max_time = self.settings.max_time
        return None if max_time is None else time.monotonic() + max_time

    def _can_remember(self) -> str:
        """Return "" if the cache takes a probe entry, else why no upload is made: its result could not be stored."""
        probe = Entry(Verdict.NOT_SMALLER, engine="probe")
        return "" if self.cache.put("probe", probe) else f"the cache in {self.settings.cache_dir} can't be written"

    def same_image(self, original: bytes, output: bytes, quality: int) -> bool:
        """Return whether verify accepts `output` as a result for `original` at `quality`."""
        from .worker_tasks import same_image

        return same_image(self.workers)(original, output, quality)

    def _policy(self, *, in_place: bool) -> Policy:
        return Policy(self.settings.min_saving, self.settings.min_size, self.settings.seal, in_place)

    def _sources(self, paths: Sequence[Path]) -> list[Source]:
        return [self.selection.source(path, path.as_posix()) for path in self.discover(paths).found]
