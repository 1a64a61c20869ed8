"""The composition root: settings become engines, cache, verify. Concrete parts are imported here, when needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .core.model import Entry, Judgement, Outcome, Plan, Recipe, Source, Verdict
from .files.destinations import InPlace
from .image.limits import VERIFY_VERSION
from .pipeline.resolver import Resolver
from .pipeline.run import Destination, Observer, Policy, Survey, run, survey
from .report.destination import pictured
from .settings.schema import Settings

if TYPE_CHECKING:
    from .cache.local import LocalCache
    from .engines import Engine
    from .engines.hosted.engine import Hosted
    from .files.discovery import Discovery
    from .files.originals import Originals
    from .files.patterns import Patterns
    from .report.html_page import Preview
    from .report.images import ReportImages
    from .settings.schema import Override
    from .workers.pool import WorkerPool

ENGINES = {"auto": ("hosted", "builtin"), "hosted": ("hosted",), "builtin": ("builtin",)}


class Session:
    """What one run needs, made from its settings as it is first asked for. Close it, or use `opened`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self._engines: list[Engine] = []

    @cached_property
    def cache(self) -> LocalCache:
        """The cache of this user, shared by all faces and projects."""
        from .cache.local import LocalCache

        return LocalCache(self.settings.cache_dir, size=self.settings.cache_size, verify_version=VERIFY_VERSION)

    @cached_property
    def originals(self) -> Originals:
        """What was replaced in place, kept for a while."""
        from .files.originals import Originals

        return Originals(self.settings.state_dir / "originals")

    @cached_property
    def report_images(self) -> ReportImages | None:
        """The pictures for the report, where it is one that shows them."""
        report = self.settings.report
        if report is None or not pictured(report):
            return None
        from .report.images import ReportImages

        return ReportImages(report, lambda: self.workers)

    @cached_property
    def workers(self) -> WorkerPool:
        """The processes that decode and encode; none is started before it has something to do."""
        from .worker_tasks import worker_pool

        return worker_pool(self.settings.jobs)

    def discover(self, paths: Sequence[Path]) -> Discovery:
        """Find the images below `paths`, excluded ones apart; raises `SettingsError` for a path that is not there."""
        from .files.discovery import discover

        return discover(paths, include=self._include, exclude=self._exclude)

    def excluded(self, path: Path) -> bool:
        """Whether `include` and `exclude` leave the image out that comes from `path`."""
        if self._exclude is not None and self._exclude.match(path):
            return True
        return self._include is not None and not self._include.match(path)

    def source(self, path: Path, name: str, *, matched: Path | None = None, upload: bool = True) -> Source:
        """Return how the file at `path` is to be treated; `matched` is the path that overrides are matched against."""
        quality, engine = self.settings.quality, self.settings.engine
        for patterns, override in self._overrides:
            if patterns.match(matched or path):
                quality = override.quality or quality
                engine = override.engine or engine
        if self.settings.privacy or not upload:
            engine = "builtin"
        return Source(path, name, Recipe(quality), ENGINES[engine])

    def run(
        self,
        sources: Iterable[Source],
        *,
        destination: Destination,
        observer: Observer,
        in_place: bool,
        known_only: bool = False,
    ) -> Iterator[Outcome]:
        """Run the pipeline over `sources`; with `known_only` no engine is asked.

        What a run that was killed left behind beside the sources is swept first. `max_time` counts from here.
        """
        from .files.atomic import sweep

        max_time = self.settings.max_time
        end = None if max_time is None else time.monotonic() + max_time
        sources = list(sources)
        for folder in {source.path.parent for source in sources}:
            sweep(folder)
        resolver = self.resolver(known_only=known_only, end=end)
        observers: list[Observer] = [observer]
        if self.report_images is not None:
            self.report_images.sources = {source.name: source.path for source in sources}
            observers.append(self.report_images)
        policy = self._policy(in_place=in_place)
        return run(sources, resolver=resolver, destination=destination, policy=policy, observers=observers)

    def previews(self, outcomes: Sequence[Outcome], say: Callable[[str], None]) -> Mapping[str, Preview]:
        """Make what the report shows of the images of a run, by their names; nothing where it shows none."""
        return {} if self.report_images is None else self.report_images.write(outcomes, say)

    def survey(self, sources: Iterable[Source]) -> tuple[list[Survey], Plan]:
        """Return what a run would find and do, without doing it."""
        return survey(sources, resolver=self.resolver(), policy=self._policy(in_place=True))

    def in_place(self, sources: Iterable[Source], *, named: Iterable[Path] = ()) -> InPlace:
        """Return the place that rewrites the originals of `sources`; `named` are those files that a person named."""
        return InPlace(lambda: self.originals, sources, named=named)

    def resolver(self, *, known_only: bool = False, end: float | None = None) -> Resolver:
        """Return the resolver of one run, which begins nothing after `end`, in monotonic seconds."""
        from .files.locks import FileLocks

        engines = self._make_engines()
        names = frozenset(engine.name for engine in engines)
        unpaid = frozenset() if self.settings.api_key else frozenset({"hosted"})
        return Resolver(
            engines,
            self.cache,
            FileLocks(self.settings.cache_dir / "claims"),
            self._verify,
            lookup_only=names if known_only else unpaid,
            slots={"builtin": self.settings.jobs + 1},
            verify_version=VERIFY_VERSION,
            end=end,
            stop=self.stop,
        )

    @property
    def host(self) -> str:
        """Where uploads go, "" where nothing is uploaded."""
        return self.hosted.host if self.settings.api_key and "hosted" in self._wanted else ""

    @property
    def uploads(self) -> int:
        """How many uploads this run has cost."""
        return self.hosted.uploads if "hosted" in self.__dict__ else 0

    def to_upload(self, plan: Plan) -> list[int]:
        """Return the bytes of each content of `plan` to be uploaded, largest first; what is paid for is free."""
        asked = plan.asked.get("hosted", ())
        if not asked:
            return []
        hosted = self.hosted
        sizes = [
            question.size
            for question in asked
            if not hosted.declines(question.info, question.size) and not hosted.paid(question.content, question.recipe)
        ]
        return sorted(sizes, reverse=True)

    def quota_left(self) -> int | None:
        """Ask the API what is left of the quota; None where it does not say."""
        quota = self.hosted.quota()
        return None if quota is None else quota.left

    def notes(self) -> list[str]:
        """What a person should know about the parts that were used, one line each; the cache is pruned before."""
        if "cache" in self.__dict__:
            self.cache.close()
        used = [part for name in ("cache", "originals", "hosted", "report_images") if (part := self.__dict__.get(name))]
        return [*self.settings.notes, *(note for part in used for note in part.notes())]

    def close(self) -> None:
        """End what still runs within 2 seconds, write what is pending. Safe to call twice."""
        self.stop.set()
        for name in ("hosted", "workers", "cache", "report_images"):
            if part := self.__dict__.get(name):
                part.close()

    @cached_property
    def hosted(self) -> Hosted:
        """The API; without a key it stands for what the cache knows of it."""
        from .engines.hosted.engine import Hosted
        from .files.locks import FileLocks

        settings = self.settings
        return Hosted(
            settings.api_key,
            settings.api_url,
            settings.download_hosts,
            journal=settings.state_dir / "journal.sqlite3",
            max_uploads=settings.max_uploads,
            can_remember=self._can_remember,
            claims=FileLocks(settings.state_dir / "claims"),
            stop=self.stop,
        )

    def _make_engines(self) -> Sequence[Engine]:
        if not self._engines:
            from .engines.builtin import Builtin

            self._engines = [self.hosted] if "hosted" in self._wanted else []
            self._engines.append(Builtin(self.workers))
        return self._engines

    def _can_remember(self) -> str:
        """Return "" once the cache has taken a probe entry, or why nothing should be bought: it could not be kept."""
        probe = Entry(Verdict.NOT_SMALLER, engine="probe")
        return "" if self.cache.put("probe", probe) else f"the cache in {self.settings.cache_dir} can't be written"

    def _verify(self, original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
        from .worker_tasks import remote_verify

        return remote_verify(self.workers)(original, candidate, recipe)

    def same_picture(self, original: bytes, output: bytes, quality: int) -> bool:
        """Whether verify accepts `output` as a result for `original` at `quality`."""
        from .worker_tasks import same_picture

        return same_picture(self.workers)(original, output, quality)

    def _policy(self, *, in_place: bool) -> Policy:
        settings = self.settings
        return Policy(settings.min_saving, settings.min_size, settings.seal, in_place)

    @cached_property
    def _wanted(self) -> set[str]:
        """The engines that any image may be for."""
        if self.settings.privacy:
            return {"builtin"}
        rows = [self.settings.engine, *(override.engine or "builtin" for override in self.settings.overrides)]
        return {name for row in rows for name in ENGINES[row]}

    @cached_property
    def _include(self) -> Patterns | None:
        return self._patterns("include", self.settings.include)

    @cached_property
    def _exclude(self) -> Patterns | None:
        return self._patterns("exclude", self.settings.exclude)

    @cached_property
    def _overrides(self) -> list[tuple[Patterns, Override]]:
        if not self.settings.overrides:
            return []
        from .files.patterns import Patterns

        base = self.settings.base_of("overrides")
        return [(Patterns(base, override.paths), override) for override in self.settings.overrides]

    def _patterns(self, name: str, lines: Sequence[str]) -> Patterns | None:
        if not lines:
            return None
        from .files.patterns import Patterns

        return Patterns(self.settings.base_of(name), lines)


@contextmanager
def opened(settings: Settings) -> Iterator[Session]:
    """Open what `settings` ask for, and close it whatever happens."""
    session = Session(settings)
    try:
        yield session
    finally:
        session.close()
