"""Composes what finds the modern variants of published images from the parts of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .engines.builtin.versions import variant_fingerprint
from .files.locks import FileLocks
from .pipeline.variants import VariantRules, Variants, variant_of
from .report.units import share, size
from .worker_tasks import remote_variant

if TYPE_CHECKING:
    from .core.model import Variant, VariantRequest
    from .session import Session


def known_variant(session: Session, original: bytes, published: bytes, quality: int) -> str:
    """Say what the cache knows of the variant of a published image, "" for nothing. Nothing is made."""
    settings = session.settings
    found = variants_of(session, settings.pages_formats, settings.pages_saving, end=None)
    entry = found.known(original, published, quality)
    if entry is None:
        return ""
    variant = variant_of(entry)
    if variant is None:
        return "none: it would not be small enough"
    look = "the same pixels" if variant.score is None else f"estimated to score {variant.score:g}"
    smaller = share(len(published), len(variant.data))
    return (
        f"{variant.suffix[1:].upper()}, {size(len(variant.data))}, {smaller} smaller than the published image, {look}"
    )


def variants_of(session: Session, formats: Sequence[str], saving: float, *, end: float | None) -> Variants:
    """Return the variants of a session's images; none is begun after `end`, in monotonic seconds.

    Cache and workers are those of the session, and created when they are first needed. The quality of an image is that
    of its original, or of its published path where no original is known.
    """

    def encode(original: bytes, published: bytes, quality: int) -> Variant | None:
        return remote_variant(session.workers, formats, saving)(original, published, quality)

    def quality(request: VariantRequest) -> int:
        return session.selection.source(request.original or request.published, "").recipe.quality

    return Variants(
        session.cache,
        FileLocks(session.settings.cache_dir / "claims"),
        encode,
        VariantRules(formats, saving, variant_fingerprint()),
        quality=quality,
        threads=session.settings.jobs,
        end=end,
        stop=session.stop,
    )
