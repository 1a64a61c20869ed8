"""Composes what finds the modern variants of published images from the parts of a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .engines.builtin.versions import variant_fingerprint
from .files.locks import FileLocks
from .pipeline.variants import VariantRules, Variants
from .worker_tasks import remote_variant

if TYPE_CHECKING:
    from .core.model import Variant, VariantRequest
    from .session import Session


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
