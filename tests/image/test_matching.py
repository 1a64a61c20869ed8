"""Facts about which image can be a result for which: the one rule of verify and of the cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imgshrink.core.model import Format, ImageInfo
from imgshrink.image.matching import can_replace, changed_structure
from imgshrink.image.sniff import sniff
from places import IMAGES

STILL = ImageInfo(Format.WEBP, 20, 10)
CLIP = replace(STILL, frames=3, durations=(50, 5, 100), loop=0)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (STILL, replace(STILL, format=Format.PNG), "webp became png"),
        (CLIP, replace(CLIP, frames=1, durations=()), "the animation is gone"),
        (CLIP, replace(CLIP, durations=(50, 5, 101)), "the animation's 250 ms became 251 ms"),
        (CLIP, replace(CLIP, loop=1), "the number of plays changed from 0 to 1 (0 is for ever)"),
        (replace(STILL, colour="cmyk"), STILL, "cmyk became rgb"),
        (STILL, replace(STILL, colour="palette", depth=4, alpha=True, lossless=True), ""),
        (CLIP, replace(CLIP, durations=(50, 100, 100)), ""),
        (CLIP, replace(CLIP, frames=2, durations=(150, 100)), ""),
    ],
)
def test_structure(before: ImageInfo, after: ImageInfo, why: str) -> None:
    """Format, timing as browsers show it, plays and ink must stay; frames may be merged, and samples packed."""
    assert changed_structure(before, after) == why


def test_payload() -> None:
    """A payload must be a complete image, displayed at the same size, of the same structure."""
    data = (IMAGES / "still.png").read_bytes()
    info = sniff(data)
    assert info is not None
    assert can_replace(info, data)
    assert not can_replace(info, data[:-20])
    assert not can_replace(info, b"no image")
    assert not can_replace(replace(info, width=info.width + 1), data)
    assert not can_replace(replace(info, format=Format.GIF), data)
    turned = replace(info, width=info.height, height=info.width, orientation=6)
    assert can_replace(turned, data)


@pytest.mark.parametrize("name", ["animated.gif", "animated.png", "animated.webp"])
def test_payload_of_another_time(name: str) -> None:
    """An animation that lasts longer or shorter, or plays another number of times, is none for this one."""
    data = (IMAGES / name).read_bytes()
    info = sniff(data)
    assert info is not None
    assert can_replace(info, data)
    assert not can_replace(replace(info, durations=(*info.durations[:-1], info.durations[-1] + 10)), data)
    assert not can_replace(replace(info, durations=()), data)
    assert not can_replace(replace(info, loop=info.loop + 1), data)
