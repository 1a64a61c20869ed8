"""Makes the variant of one published image: the smallest that is exact or meets the target, if it gains enough."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache

from ....core.model import Format, ImageInfo, Variant
from ....image.seal import read_seal, seal
from ....image.sniff import sniff
from ....image.variants.rules import AVIF, MEDIA_TYPES, WEBP, needed, why_none
from ....pixels.compare import acceptable
from ....pixels.looks import Looks
from ....pixels.variants.judge import LIKE, looks_different
from ....pixels.variants.shown import Shown, shown
from .exact import exact
from .target import VariantSearch, encoders, target

_FLAT = 0.9
"""Of the published bytes: where lossless WebP saves more and the PNG has a palette, AVIF would hardly be smaller."""

_LOSSLESS = 100


def make(
    original: bytes | None, published: bytes, quality: int, formats: Collection[str], saving: float
) -> Variant | None:
    """Return the variant of `published`, None where none saves `saving` per cent and a kilobyte, or none is possible.

    `original` is what `published` was made from; it is not used where it shows something else. `formats` are those
    allowed. A WebP bears a seal, so that no other run takes it for a new image. Raises whatever a codec raises for
    unreadable pixels.
    """
    info = sniff(published)
    if info is None or why_none(published):
        return None
    most = len(published) - needed(len(published), saving)
    lossless = exact(published, info) if WEBP in formats and info.format in (Format.PNG, Format.GIF) else None
    found = [_sealed(lossless, quality)] if lossless else []
    if quality != _LOSSLESS and not _is_flat(published, info, lossless):
        limit = min([most, *(len(variant.data) - 1 for variant in found)])
        found += [_sealed(variant, quality) for variant in _to_target(original, published, quality, formats, limit)]
    small = (variant for variant in found if len(variant.data) <= most)
    return min(small, key=lambda variant: len(variant.data), default=None)


def _sealed(variant: Variant, quality: int) -> Variant:
    """Return the variant with a seal, where its format has one; AVIF is no format that is shrunk."""
    return replace(variant, data=seal(variant.data, quality)) if variant.media_type == MEDIA_TYPES[WEBP] else variant


def _is_flat(published: bytes, info: ImageInfo, lossless: Variant | None) -> bool:
    """Whether an image has few colours and large areas of each, which no lossy format encodes well."""
    if info.format is not Format.PNG:
        return info.format is Format.GIF
    return info.colour == "palette" and lossless is not None and len(lossless.data) < _FLAT * len(published)


def _to_target(
    original: bytes | None, published: bytes, quality: int, formats: Collection[str], most: float
) -> list[Variant]:
    media = AVIF if AVIF in formats and AVIF in _encoders() else WEBP
    if media not in formats:
        return []
    looks = Looks()
    data, before = _reference(original, published, quality)
    info = sniff(data)
    if before is None or info is None:
        return []
    sealed = read_seal(data) not in (None, _LOSSLESS)
    found = VariantSearch(before, target(info.format, quality, sealed=sealed), media, most, looks).result()
    wrong = found is None or looks_different(before, info, found, quality, looks.measure)
    return [] if wrong or found is None else [found]


def _reference(original: bytes | None, published: bytes, quality: int) -> tuple[bytes, Shown | None]:
    """Return what a variant is judged against: the original, or what is published where it shows something else."""
    last = sniff(published)
    assert last is not None
    image = shown(published, last)
    if original is None or original == published or image is None:
        return published, image
    first = sniff(original)
    if first is None or why_none(original) or (first.format, first.displayed) != (last.format, last.displayed):
        return published, image
    before = shown(original, first)
    if before is None or acceptable(before.image, image.image, quality, LIKE):
        return published, image
    return original, before


@cache
def _encoders() -> frozenset[str]:
    return encoders()
