"""How a site is rewritten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..core.model import Variant, VariantRequest
from ..files.patterns import Patterns
from .tree import require as require_parser

if TYPE_CHECKING:
    from ..settings.schema import Settings

OFF, MODERN = "off", "modern"

Variants = Callable[[Sequence[VariantRequest]], Mapping[Path, Variant | None]]
"""Returns the variant of each published image, None where there is no gain; an absent image is not ready yet."""


def _nothing(file: PurePosixPath) -> bool:  # noqa: ARG001  the signature of a rule
    return False


def _unknown(file: PurePosixPath) -> Path | None:  # noqa: ARG001  as above
    return None


@dataclass(frozen=True)
class Options:
    """How a site is rewritten. Paths that functions get are relative to the site.

    `root` is the path below which the site is published, `eager` how many images of the content are loaded at once,
    `original` returns the source of a published image. Without `variants` images get no variant. With `dry_run` nothing
    is written. With `undo` everything of ours is taken back.
    """

    root: str = "/"
    eager: int = 2
    page_excluded: Callable[[PurePosixPath], bool] = _nothing
    image_excluded: Callable[[PurePosixPath], bool] = _nothing
    original: Callable[[PurePosixPath], Path | None] = _unknown
    variants: Variants | None = None
    dry_run: bool = False
    undo: bool = False


def options_for(
    settings: Settings,
    *,
    root: str,
    known_by: Callable[[PurePosixPath], Sequence[Path]],
    excluded: Callable[..., bool],
    variants: Callable[..., Mapping[Path, Variant | None]],
    known_only: bool = False,
    waiting: Callable[[], None] | None = None,
    original: Callable[[PurePosixPath], Path | None] = _unknown,
    dry_run: bool = False,
) -> Options:
    """Return what the settings ask for; `excluded` says whether the image that some paths name is left out.

    `known_by` returns the paths that name a file of the site. `variants` is that of a session, with `known_only` and
    `waiting` as there. Raises `SettingsError` for a line that is no pattern.
    """

    def found(requests: Sequence[VariantRequest]) -> Mapping[Path, Variant | None]:
        formats, saving = settings.pages_formats, settings.pages_saving
        return variants(requests, formats=formats, saving=saving, known_only=known_only, waiting=waiting)

    return Options(
        root=root,
        eager=settings.pages_eager,
        page_excluded=page_rule(settings, known_by),
        image_excluded=lambda file: excluded(*known_by(file)),
        original=original,
        variants=found if settings.pages == MODERN else None,
        dry_run=dry_run,
    )


def require(settings: Settings) -> None:
    """Raise `SettingsError` with the cure where pages can't be rewritten as the settings ask."""
    require_parser()
    page_rule(settings, lambda _: [])


def page_rule(
    settings: Settings, known_by: Callable[[PurePosixPath], Sequence[Path]]
) -> Callable[[PurePosixPath], bool]:
    """Return what says of a page whether `pages_exclude` names it; `known_by` returns the paths that name it.

    Raises `SettingsError` for a line that is no pattern.
    """
    if not settings.pages_exclude:
        return _nothing
    patterns = Patterns(settings.base_of("pages_exclude"), settings.pages_exclude)
    return lambda file: patterns.match(*known_by(file))
