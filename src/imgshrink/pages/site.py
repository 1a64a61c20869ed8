"""Rewrites all pages of a built site. An error in one page leaves that page as it was."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

from ..core.errors import ImgshrinkError
from ..core.model import Variant, VariantRequest
from ..core.pages import OfferedVariant, PagesSummary
from ..files.atomic import replace, write
from ..files.reader import read
from . import marks
from .images import Image, SiteImages
from .options import Options
from .page import ImageTag, PagePlan, Rules, plan
from .sheets import Sheets
from .urls import beside, file_of

ENDINGS = (".html", ".htm")


@dataclass
class Memory:
    """What one run leaves for the next one over the same site: style sheets, and the plans of pages by content."""

    sheets: Sheets | None = None
    plans: dict[tuple[PurePosixPath, bytes], tuple[PagePlan, Mapping[PurePosixPath, Image | None]]] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class _Page:
    """A page that was read: its path in the site, a digest of its bytes, and what may be done to it."""

    file: PurePosixPath
    digest: bytes
    plan: PagePlan


def rewrite(site: Path, options: Options, memory: Memory | None = None) -> PagesSummary:
    """Rewrite the pages in the folder `site`, and return what was done. Never raises for what is wrong with a page."""
    return _Run(site, options, memory or Memory()).run()


def pages_of(site: Path) -> list[PurePosixPath]:
    """Return the pages in a folder, sorted; none of hidden folders, no symlinks."""
    return sorted(_walk(site))


def _walk(site: Path) -> Iterator[PurePosixPath]:
    for folder, folders, names in os.walk(site):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.lower().endswith(ENDINGS) and not os.path.islink(path):
                yield PurePosixPath(path.relative_to(site).as_posix())


class _Run:
    """One run over a site: plans all pages, then makes the variants, then writes the pages."""

    def __init__(self, site: Path, options: Options, memory: Memory) -> None:
        self._site, self._options, self._memory = site, options, memory
        self._images = SiteImages(site, options.image_excluded)
        if memory.sheets is None or not memory.sheets.unchanged():
            memory.sheets = Sheets(site, options.root)
            memory.plans.clear()
        self._rules = Rules(self._image, memory.sheets, options.eager, options.root)
        self._consulted: dict[PurePosixPath, Image | None] = {}
        self._ours: set[PurePosixPath] = set()
        self._named: dict[str, set[PurePosixPath]] = {}
        self._failed: dict[str, str] = {}
        self._changed = 0

    def run(self) -> PagesSummary:
        files = pages_of(self._site)
        pages = [page for file in files if (page := self._planned(file)) is not None]
        shown = self._variants(pages)
        for page in pages:
            self._write(page, shown)
        if not self._options.dry_run:
            self._remove(self._ours - {_beside(image, variant) for image, variant in shown.items() if variant})
        return self._summary(len(files), pages, shown)

    def _planned(self, file: PurePosixPath) -> _Page | None:
        try:
            data = read(self._site / file)
            self._named[str(file)] = _named_variants(data, file, self._options.root)
            self._ours |= self._named[str(file)]
            return _Page(file, sha256(data).digest(), self._plan(file, marks.take_back(data)))
        except ImgshrinkError as error:
            self._failed[str(file)] = str(error)
        except Exception as error:  # noqa: BLE001  one page must not stop the others
            self._failed[str(file)] = f"internal error, {type(error).__name__}: {error}"
        return None

    def _plan(self, file: PurePosixPath, page: bytes) -> PagePlan:
        if self._options.undo or self._options.page_excluded(file):
            return PagePlan()
        key = (file.parent, sha256(page).digest())
        known, consulted = self._memory.plans.get(key, (None, {}))
        if known is not None and all(self._images(image) == found for image, found in consulted.items()):
            return known
        self._consulted = {}
        result = plan(page, file.parent, self._rules)
        self._memory.plans[key] = (result, self._consulted)
        return result

    def _image(self, file: PurePosixPath) -> Image | None:
        self._consulted[file] = self._images(file)
        return self._consulted[file]

    def _variants(self, pages: Sequence[_Page]) -> dict[PurePosixPath, Variant | None]:
        """Return the variant of each image that is ready, None where it gains nothing; the files are written."""
        if self._options.variants is None:
            return {}
        count = Counter(image for page in pages for image in {row.image.file for row in page.plan.images if row.wrap})
        if self._options.dry_run or not count:
            return {}
        requests = [
            VariantRequest(self._site / file, self._options.original(file), number)
            for file, number in sorted(count.items())
        ]
        found = self._options.variants(requests)
        ready = {file: found[self._site / file] for file in sorted(count) if self._site / file in found}
        return {file: variant and self._placed(file, variant) for file, variant in ready.items()}

    def _placed(self, file: PurePosixPath, variant: Variant) -> Variant | None:
        """Write a variant beside its image; return None where a file of another origin has its name."""
        name = _beside(file, variant)
        path = self._site / name
        try:
            if os.path.lexists(path):
                if not os.path.islink(path) and os.path.isfile(path) and path.read_bytes() == variant.data:
                    return variant
                if name not in self._ours:
                    return None
            write(path, variant.data, durable=False)
        except (OSError, ImgshrinkError) as error:
            self._failed[str(name)] = str(error)
            return None
        return variant

    def _write(self, page: _Page, shown: Mapping[PurePosixPath, Variant | None]) -> None:
        try:
            data = read(self._site / page.file)
            if sha256(data).digest() != page.digest:
                self._failed[str(page.file)] = "it was changed while we worked on it"
                return
            new = _rewritten(marks.take_back(data), page.plan, shown)
            if new == data:
                return
            if not self._options.dry_run:
                replace(self._site / page.file, new, data, durable=False)
            self._changed += 1
        except ImgshrinkError as error:
            self._failed[str(page.file)] = str(error)

    def _remove(self, files: set[PurePosixPath]) -> None:
        """Remove variants that pages named, and no page names any more; one that stays as it was names its own."""
        kept = [self._named.get(name, files) for name in self._failed]
        for file in sorted(files.difference(*kept)):
            try:
                path = self._site / file
                if os.path.isfile(path) and not os.path.islink(path):
                    path.unlink()
            except OSError as error:
                self._failed[str(file)] = str(error.strerror)

    def _summary(
        self, read_pages: int, pages: Sequence[_Page], shown: Mapping[PurePosixPath, Variant | None]
    ) -> PagesSummary:
        rows = [row for page in pages for row in page.plan.images]
        wanted = {row.image.file for row in rows if row.wrap} if self._options.variants else set()
        variants = [variant for variant in shown.values() if variant]
        weights = [_weights(page.plan.images, shown) for page in pages if page.plan.images]
        before, after, at_once = (
            round(sum(column) / len(weights)) if weights else 0 for column in zip(*weights or [(0, 0, 0)], strict=True)
        )
        return PagesSummary(
            read=read_pages,
            changed=self._changed,
            sized=sum(row.size is not None for row in rows),
            lazy=sum(row.lazy for row in rows),
            varied=sum(row.wrap and shown.get(row.image.file) is not None for row in rows),
            kept=sum(row.kept for row in rows) if self._options.variants else 0,
            variants=dict(Counter(variant.suffix for variant in variants)),
            offered=_offered(pages, shown),
            waiting=len(wanted - set(shown)) if not self._options.dry_run else 0,
            left={str(page.file): page.plan.reason for page in pages if page.plan.reason},
            failed=self._failed,
            shown_before=before,
            shown_after=after,
            at_once=at_once,
        )


def _rewritten(page: bytes, planned: PagePlan, shown: Mapping[PurePosixPath, Variant | None]) -> bytes:
    patches = []
    for row in planned.images:
        patches += marks.reserve(row.tag, row.size, lazy=row.lazy)
        variant = shown.get(row.image.file) if row.wrap else None
        if variant is not None:
            patches += marks.wrap(row.tag, beside(row.address, variant.suffix), variant.media_type)
    return marks.apply(page, patches)


def _weights(rows: Sequence[ImageTag], shown: Mapping[PurePosixPath, Variant | None]) -> tuple[int, int, int]:
    """Return the bytes of the images of a page as published, with variants, and of those that load at once."""
    by_file: dict[PurePosixPath, list[ImageTag]] = defaultdict(list)
    for row in rows:
        by_file[row.image.file].append(row)
    before = after = at_once = 0
    for file, tags in by_file.items():
        variant = shown.get(file) if all(row.wrap for row in tags) else None
        size = tags[0].image.bytes if variant is None else len(variant.data)
        before += tags[0].image.bytes
        after += size
        at_once += size if any(row.at_once for row in tags) else 0
    return before, after, at_once


def _offered(pages: Sequence[_Page], shown: Mapping[PurePosixPath, Variant | None]) -> tuple[OfferedVariant, ...]:
    """Return the variants that pages offer, the largest saving over all pages first."""
    sizes: dict[PurePosixPath, int] = {}
    count: Counter[PurePosixPath] = Counter()
    for page in pages:
        count.update({row.image.file for row in page.plan.images if row.wrap})
        sizes.update({row.image.file: row.image.bytes for row in page.plan.images})
    offered = [
        OfferedVariant(
            str(file), str(_beside(file, variant)), sizes[file], len(variant.data), variant.score, count[file]
        )
        for file, variant in shown.items()
        if variant
    ]
    return tuple(sorted(offered, key=lambda row: (-(row.before - row.after) * row.pages, row.image)))


def _beside(image: PurePosixPath, variant: Variant) -> PurePosixPath:
    return image.with_name(image.name + variant.suffix)


def _named_variants(page: bytes, file: PurePosixPath, root: str) -> set[PurePosixPath]:
    """Return the files of the site that a page names as variants of ours: beside an image, with our suffix."""
    found = (file_of(address, file.parent, root=root) for address in marks.variants(page))
    return {name for name in found if name is not None and name.suffix in (".webp", ".avif") and "." in name.stem}
