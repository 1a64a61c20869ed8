"""Whether what an engine answered may replace the original: the same image in fewer bytes. Loads libvips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

import pyvips

from ..core.model import Accept, Format, ImageInfo, Judgement, NotSmaller, Recipe, Refuse
from ..image.carried import Carried, read_carried
from ..image.limits import VERIFY_VERSION, unsupported
from ..image.matching import changed_structure
from ..image.metadata import Metadata, dress, read_metadata
from ..image.sniff import describe, sniff
from .color import channels, displayed, stored
from .compare import Comparison, Limits, identical
from .difference import Difference
from .frames import pairs
from .interpretations import Interpretation, interpretations
from .looks import Looks
from .tolerance import structure_limits

__all__ = ["VERSION", "Accept", "Judgement", "NotSmaller", "Refuse", "verify"]

VERSION = VERIFY_VERSION
_CHANGED = Difference(inf, inf)
# An interpretation that is nearer by less than half a just noticeable difference is nearer to no eye.
_SAME_WORST, _SAME_MEAN = 0.5, 0.1


def verify(original: bytes, candidate: bytes, recipe: Recipe, known: Looks | None = None) -> Judgement:
    """Judge a candidate; whatever the bytes are, nothing is raised but lack of memory, which is no judgement.

    Structure comes first and costs no decoder. What is accepted is reduced, has the original's notices and density, and
    carries what the candidate lacked of its profile, colour chunks and orientation. Where the recipe keeps it, all that
    the original carries for other programs is there too, and an original that must not be rewritten for it is refused.
    Pixels that are among the looks in `known` are not compared again.
    """
    try:
        return _judge(original, candidate, recipe, known)
    except Exception as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            raise MemoryError from error
        return Refuse(f"can't be compared: {_cause(error)}")


def _cause(error: Exception) -> str:
    """The last line: libvips names the outermost operation first and the cause last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _judge(original: bytes, candidate: bytes, recipe: Recipe, known: Looks | None) -> Judgement:
    before, after = sniff(original), sniff(candidate)
    if before is None or not before.complete:
        return Refuse(f"the original can't be read: {describe(original)}")
    if after is None or not after.complete:
        return Refuse(f"the result can't be read: {describe(candidate)}")
    carried = read_carried(original)
    if carried.reason and recipe.keeps:
        return Refuse(carried.reason)
    if len(dress(candidate, original, keep=recipe.keeps)) >= len(original):
        return NotSmaller()
    if reason := changed_structure(before, after) or unsupported(before) or unsupported(after):
        return Refuse(reason)
    kept = read_metadata(original)
    every = interpretations(kept, read_metadata(candidate), exact=recipe.lossless)
    if not (
        sized := [interpretation for interpretation in every if _turned(after, interpretation) == before.displayed]
    ):
        return Refuse(f"{_size(before)} pixels became {_size(after)}")
    if not (possible := [interpretation for interpretation in sized if _fits(interpretation, before, after)]):
        return Refuse(f"its profile is not made for {after.colour} samples")
    looks: Sequence[Difference] = []
    if known is not None and len(possible) == 1 and not (recipe.lossless or before.durations or after.durations):
        pair = next(pairs(original, candidate, before, after))
        looks = _recalled(known, _shown(*pair, kept, possible[0]), structure_limits(recipe.quality, before.format))
    if not looks:
        alike = all(interpretation.shows_as(kept) for interpretation in possible)
        images = pairs(original, candidate, before, after, equal=not alike)
        looks = _look(images, kept, possible, recipe, before.format)
    interpretation, look = _nearest(possible, looks, recipe, before.format)
    if look.excess(recipe.quality, before.format) > 1:
        return Refuse(_how_different(look, before, after, recipe))
    return _finish(original, interpretation.apply(candidate), interpretation, carried if recipe.keeps else None)


def _turned(info: ImageInfo, interpretation: Interpretation) -> tuple[int, int]:
    return replace(info, orientation=interpretation.orientation).displayed


def _fits(interpretation: Interpretation, before: ImageInfo, after: ImageInfo) -> bool:
    """Tell whether the profile fits the candidate's colours, or never fitted the original's."""
    wanted = channels(interpretation.icc)
    return wanted in (0, _channels(after)) or wanted != _channels(before)


def _channels(info: ImageInfo) -> int:
    return {"grey": 1, "cmyk": 4}.get(info.colour, 3)


def _size(info: ImageInfo) -> str:
    return " x ".join(str(side) for side in info.displayed)


def _recalled(known: Looks, shown: tuple[pyvips.Image, pyvips.Image], limits: Limits) -> list[Difference]:
    """Return how different two stills looked when these very pixels were compared before, nothing if they were not."""
    found = known.recall(*shown, limits)
    return [] if found is None else [found]


def _look(
    images: Iterable[tuple[pyvips.Image, pyvips.Image]],
    kept: Metadata,
    possible: Sequence[Interpretation],
    recipe: Recipe,
    format: Format,
) -> list[Difference]:
    """Return the largest difference that each interpretation shows; ends early once none can pass.

    Of a single one, places that cannot fail may be missing; several are compared with each other.
    """
    limits = structure_limits(recipe.quality, format) if len(possible) == 1 else None
    looks, comparisons = [Difference()] * len(possible), [Comparison(limits) for _ in possible]
    for left, right in images:
        pair = (left, right) if len(possible) == 1 else (left.copy_memory(), right.copy_memory())
        looks = [
            look.or_worse(_difference(*pair, kept, interpretation, recipe, comparison))
            for look, interpretation, comparison in zip(looks, possible, comparisons, strict=True)
        ]
        if all(look.excess(recipe.quality, format) > 1 for look in looks):
            break
    return looks


def _difference(
    left: pyvips.Image,
    right: pyvips.Image,
    kept: Metadata,
    interpretation: Interpretation,
    recipe: Recipe,
    comparison: Comparison,
) -> Difference:
    if not recipe.lossless:
        return comparison.measure(*_shown(left, right, kept, interpretation))
    deep = "ushort" in (left.format, right.format)
    same = identical(stored(left, kept.orientation, deep=deep), stored(right, interpretation.orientation, deep=deep))
    return Difference() if same else _CHANGED


def _shown(
    left: pyvips.Image, right: pyvips.Image, kept: Metadata, interpretation: Interpretation
) -> tuple[pyvips.Image, pyvips.Image]:
    return (
        displayed(left, kept.icc, kept.orientation),
        displayed(right, interpretation.icc, interpretation.orientation),
    )


def _nearest(
    possible: Sequence[Interpretation], looks: Sequence[Difference], recipe: Recipe, format: Format
) -> tuple[Interpretation, Difference]:
    """Return the first interpretation that no eye could tell from the nearest, and that is allowed if any is."""
    best = min(looks, key=lambda look: look.excess(recipe.quality, format))
    most = max(1, best.excess(recipe.quality, format))
    return next(
        (interpretation, look)
        for interpretation, look in zip(possible, looks, strict=True)
        if look == best
        or (
            look.worst < best.worst + _SAME_WORST
            and look.mean < best.mean + _SAME_MEAN
            and look.excess(recipe.quality, format) <= most
        )
    )


def _how_different(look: Difference, before: ImageInfo, after: ImageInfo, recipe: Recipe) -> str:
    if recipe.lossless:
        depth = after.depth < before.depth == 16
        return "16-bit samples became 8-bit ones" if depth else "pixels changed, and quality 100 is lossless"
    return look.reason(recipe.quality, before.format)


def _finish(original: bytes, candidate: bytes, interpretation: Interpretation, carried: Carried | None) -> Judgement:
    """Give the candidate what it lacks, take from it what need not stay, and see whether anything is left to gain."""
    data = dress(candidate, original, keep=carried is not None)
    if not interpretation.holds(data):
        return Refuse("the original's colours or orientation can't be carried over")
    if carried is not None and read_carried(data) != carried:
        return Refuse("what the original carries for other programs can't be carried over")
    return Accept(data) if len(data) < len(original) else NotSmaller()
