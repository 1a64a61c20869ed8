"""What was done to the pages of a built site, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class OfferedVariant:
    """A variant that pages offer beside an image: paths in the site, sizes in bytes, and how many pages show it.

    `score` is that of SSIMULACRA2's estimate against the original, None for a variant with the very same pixels.
    """

    image: str
    variant: str
    before: int
    after: int
    score: float | None
    pages: int


@dataclass(frozen=True)
class PagesSummary:
    """Numbers of one run over the pages of a site.

    Of the `read` pages `changed` were written. Of their images `sized` got a width and a height, `lazy` are loaded when
    they come near, `varied` have a variant beside them, `kept` could not get theirs because of the site's style
    sheets. `variants` counts the files by suffix and `offered` names them, the largest saving over all pages first;
    `waiting` counts those that were not ready in time. `left` names
    pages that stay as they are, each with the reason, `failed` those that could not be read or written.
    `shown_before`, `shown_after` and `at_once` are bytes of images that a page with images shows in the mean: as
    published, with variants, and without the lazy ones.
    """

    read: int = 0
    changed: int = 0
    sized: int = 0
    lazy: int = 0
    varied: int = 0
    kept: int = 0
    variants: dict[str, int] = field(default_factory=dict)
    offered: tuple[OfferedVariant, ...] = ()
    waiting: int = 0
    left: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    shown_before: int = 0
    shown_after: int = 0
    at_once: int = 0
