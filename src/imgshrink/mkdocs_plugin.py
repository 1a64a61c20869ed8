"""The MkDocs plugin: shrinks all images of a built site, whatever put them there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from mkdocs.config import config_options
from mkdocs.config.base import ConfigErrors, ConfigWarnings, LegacyConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, event_priority

from .core.errors import SettingsError
from .files.paths import relative_name
from .files.site_files import SiteFiles, left_to_material
from .settings.load import load
from .settings.schema import fields_of
from .settings.site import for_site

if TYPE_CHECKING:
    from jinja2 import Environment
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from .core.model import Note, Outcome, Source
    from .core.pages import PagesSummary
    from .pages.site import Memory
    from .report.progress import ProgressReporter
    from .report.summary import Summary
    from .session import Session

CLASH = (
    "Material's optimize plugin is on as well: %s files are left to it in this build. "
    "Take `optimize` out of the plugins in mkdocs.yml, or set its `enabled: false`"
)
SLOW, RETRY = 30.0, "the next build tries again"

log = logging.getLogger("mkdocs.plugins.imgshrink")


class ImgshrinkPlugin(BasePlugin[LegacyConfig]):  # type: ignore[no-untyped-call]  # MkDocs leaves it untyped
    """The plugin; `mkdocs serve` keeps one object for all rebuilds."""

    config_scheme = tuple(
        (row.name, config_options.Optional(config_options.Type(object))) for row in fields_of("mkdocs")
    )

    def __init__(self) -> None:
        self._serving = False
        self._files = SiteFiles()
        self._printed: set[str] = set()
        self._excluded = 0
        self._memory: Memory | None = None

    def load_config(
        self, options: dict[str, Any], config_file_path: str | None = None
    ) -> tuple[ConfigErrors, ConfigWarnings]:
        """Accept every option here: the settings check them, and name the nearest known one."""
        errors, _ = super().load_config(options, config_file_path)
        return errors, []

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:  # noqa: ARG002  MkDocs' signature
        """Store whether this is `mkdocs serve`; MkDocs keeps a plugin that has this method between rebuilds."""
        self._serving = command == "serve"

    @event_priority(100)
    def on_config(self, config: MkDocsConfig) -> None:
        """Remember the docs folder that mkdocs.yml declares, which other plugins may move, and read the settings.

        Wrong settings end the build before it has begun, a wrong API key only a build that uses it.
        """
        try:
            settings = load(_start(config), frontend="plugin", mkdocs=dict(self.config), environ=os.environ)
            self._settings = for_site(settings, Path(config.docs_dir), serving=self._serving)
            if self._mode():
                self._require_account()
            if self._rewrites():
                from .pages.options import require

                require(self._settings)
        except SettingsError as error:
            raise PluginError(f"imgshrink: {error}") from error
        self._files = SiteFiles(_folder(config), Path(config.docs_dir))

    @event_priority(-100)
    def on_files(self, files: Files, *, config: MkDocsConfig) -> None:
        """Store the source of every file, after all plugins have added theirs."""
        self._note_origins(files, config)

    @event_priority(100)
    def on_env(self, env: Environment, *, config: MkDocsConfig, files: Files) -> None:  # noqa: ARG002  as above
        """Store the sources of files added since, before other plugins replace them."""
        self._note_origins(files, config)

    @event_priority(-90)
    def on_post_build(self, *, config: MkDocsConfig) -> None:
        """Shrink the images of the built site. Whatever goes wrong, the site is complete."""
        try:
            if mode := self._mode():
                self._shrink(config, known_only=mode == "cache")
            elif self._rewrites():
                self._rewrite_alone(config)
        except PluginError:
            raise
        except Exception as error:  # shrinking must not fail a build, and a warning fails `--strict`
            reason = f"{type(error).__name__}: {error}"
            log.info("imgshrink: internal error, the images stay as they are: %s. Please report it", reason)
            log.debug("imgshrink: where it happened", exc_info=True)

    def _mode(self) -> bool | str:
        """Return what this build shrinks: nothing, `cache` for images with a result in the cache, or all."""
        return self._settings.enabled and (self._settings.on_serve if self._serving else True)

    def _rewrites(self) -> bool:
        """Return whether this build rewrites pages, as `mkdocs serve` does too."""
        return self._settings.enabled and self._settings.pages != "off"

    def _require_account(self) -> None:
        from .session import Session

        with Session(self._settings) as session:
            session.require_account()

    def _shrink(self, config: MkDocsConfig, *, known_only: bool) -> None:
        from .files.destinations import in_build
        from .report import advice, messages
        from .report.progress import ProgressReporter
        from .report.publish import publish
        from .session import Session

        with Session(self._settings) as session:
            progress = ProgressReporter(self._settings, self._info, session.spending, retry=RETRY)
            sources = list(self._sources(config, session))
            fresh = not self._serving and "CI" in os.environ and not session.local_cache.info().entries
            run = session.run(sources, destination=in_build, observer=progress, in_place=False, known_only=known_only)
            outcomes = list(progress.counted(run))
            summary = progress.summary(outcomes, excluded=self._excluded)
            previews = session.previews(outcomes, self._info)
            if self._settings.report is not None or log.isEnabledFor(logging.DEBUG):
                outcomes = self._widths(config, outcomes, sources)
            pages = self._rewrite(config, session)
            others: list[str | Note] = [*session.selection.notes(), *session.notes()]
        environ = {} if self._serving else os.environ
        unpublished = publish(
            outcomes,
            summary,
            report=self._settings.report,
            environ=environ,
            previews=previews,
            actions=advice.in_mkdocs,
            pages=pages,
        )
        self._report(progress, outcomes, summary, [*others, *unpublished], fresh=fresh, pages=pages)
        if self._settings.report is not None and not unpublished:
            self._info(messages.report_written(relative_name(self._settings.report, _folder(config))))

    def _widths(self, config: MkDocsConfig, outcomes: list[Outcome], sources: list[Source]) -> list[Outcome]:
        """Find the images that are much wider than pages show them; `mkdocs build --verbose` names them."""
        from .pages.widths import with_widths
        from .report.messages import wider

        found = with_widths(outcomes, sources, Path(config.site_dir), config.site_url or "")
        for row in filter(lambda row: row.wider, found):
            log.debug("imgshrink: %s", wider(row))
        return found

    def _rewrite(self, config: MkDocsConfig, session: Session) -> PagesSummary | None:
        """Rewrite the pages of the built site, after all other plugins; None where the settings ask for nothing.

        During `mkdocs serve` no variant is made, and what is known of a page that has not changed is used again.
        """
        if not self._rewrites():
            return None
        from .pages.options import options_for
        from .pages.site import Memory, rewrite
        from .report import pages as words

        self._memory = self._memory if self._serving and self._memory else Memory()
        self._files.site = Path(config.site_dir)
        wanted = options_for(
            self._settings,
            root=f"{urlsplit(config.site_url or '').path.rstrip('/')}/",
            known_by=self._files.names,
            excluded=session.selection.excluded,
            original=lambda file: self._files.origin(file).path,
            variants=session.variants,
            known_only=self._serving,
            waiting=words.Patience(self._info),
        )
        return rewrite(Path(config.site_dir), wanted, self._memory)

    def _rewrite_alone(self, config: MkDocsConfig) -> None:
        """Rewrite the pages of a site whose images are not shrunk in this build."""
        from .session import Session

        with Session(self._settings) as session:
            pages = self._rewrite(config, session)
            others = session.notes()
        self._report_pages(pages, others)

    def _report(
        self,
        progress: ProgressReporter,
        outcomes: list[Outcome],
        summary: Summary,
        others: list[str | Note],
        *,
        fresh: bool,
        pages: PagesSummary | None,
    ) -> None:
        from .report import messages

        if not self._serving or summary.answered:
            log.info("imgshrink: %s", messages.result(summary))
        if fresh and summary.answered and summary.seconds > SLOW:
            log.info("imgshrink: %s", messages.empty_cache(summary.seconds))
        self._report_pages(pages, progress.notes(outcomes, others, next_run="the next build"))

    def _report_pages(self, pages: PagesSummary | None, notes: list[Note]) -> None:
        """Log what was done to pages, then the `notes`; with `strict` those that are failures end the build."""
        if pages is not None:
            from .report import pages as words

            self._info(words.result(pages))
            notes = [*notes, *words.notes(pages, next_run="the next build")]
        for note in notes:
            self._info(note.text)
        failures = [note.text for note in notes if note.failure]
        if self._settings.strict and failures:
            raise PluginError("imgshrink: strict is on, and " + "; ".join(failures))

    def _info(self, text: str) -> None:
        """Log a line; during `mkdocs serve` each line only once."""
        if not (self._serving and text in self._printed):
            self._printed.add(text)
            log.info("imgshrink: %s", text)

    def _sources(self, config: MkDocsConfig, session: Session) -> Iterator[Source]:
        site, folder = Path(config.site_dir), _folder(config)
        self._files.site = site
        taken = left_to_material(config.plugins)
        if taken:
            log.warning("imgshrink: " + CLASH, ", ".join(sorted(taken)))
        self._excluded = 0
        for path in self._files.images(variants=not self._rewrites()):
            inside = path.relative_to(site)
            if path.suffix in taken:
                continue
            origin, paths = self._files.origin(inside), self._files.names(inside)
            if session.selection.excluded(*paths):
                self._excluded += 1
                continue
            upload = origin.in_docs or self._settings.upload_generated
            placed = not origin.in_docs or any(map(os.path.isfile, paths[:2]))
            name = relative_name(paths[0], folder)
            yield session.selection.source(path, name, known_by=paths, upload=upload, placed=placed)

    def _note_origins(self, files: Files, config: MkDocsConfig) -> None:
        """Read `File` objects here, in the main thread, and never again: other plugins change and remove them."""
        for file in files:
            with suppress(Exception):  # what another plugin made stand for a file; it has no origin then
                path = None if file.generated_by or not file.abs_src_path else Path(file.abs_src_path)
                self._files.note(file.dest_uri, path, file.src_uri, Path(config.docs_dir))


def _start(config: MkDocsConfig) -> Path:
    """Return where the search for settings starts: mkdocs.yml, or the working folder if it is read from a pipe."""
    file = Path(config.config_file_path or "").absolute()
    return file if os.path.isfile(file) else Path.cwd()


def _folder(config: MkDocsConfig) -> Path:
    """Return the folder of mkdocs.yml, or the working folder."""
    start = _start(config)
    return start.parent if os.path.isfile(start) else start
