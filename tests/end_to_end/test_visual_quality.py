"""Made pictures on which encoders fail visibly, each with the lowest score that it may get at quality 80."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import product

import pytest

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.image.sniff import sniff
from places import BENCHMARKS
from screenshots import PICTURES, recording, saved
from selection import rest_slow

LOWEST = {
    "red_text_on_dark": {"png": 94, "jpeg": 74, "webp": 79},
    "thin_lines": {"png": 93, "jpeg": 79, "webp": 79},
    "gradient": {"png": 99, "jpeg": 78, "webp": 79},
    "dithering": {"png": 99, "jpeg": 66, "webp": 75},
    "code": {"png": 93, "jpeg": 71, "webp": 80},
    "transparent_diagram": {"png": 90, "jpeg": 77, "webp": 80},
    "photograph": {"png": 92, "jpeg": 76, "webp": 79},
    "soft_sky": {"png": 92},
    "photograph_on_page": {"png": 85},
    "dark_theme": {"png": 95},
    "circuit_board": {"png": 92},
}
LARGEST = {"png": 0.75, "jpeg": 0.75, "webp": 0.72}
"""Of the input's bytes."""
PLAIN = {("code", "jpeg"), ("thin_lines", "webp"), ("dark_theme", "png")}
"""A picture in each format; the other pairs are slow."""


@pytest.mark.parametrize(
    ("picture", "format"),
    rest_slow([(picture, format) for picture in LOWEST for format in LOWEST[picture]], lambda row: row in PLAIN),
)
def test_lowest_score(picture, format, score):
    """The picture keeps its look, loses bytes for it, and a second run changes nothing."""
    data = saved(picture, format)
    result = optimize(data, sniff(data), Recipe(80))
    lowest, largest = LOWEST[picture][format], LARGEST[format]
    assert score(data, result) >= lowest
    assert len(result) <= largest * len(data)
    assert optimize(result, sniff(result), Recipe(80)) == result


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, bytes], float]:
    """How alike two images look, imported when it is needed: its libraries take a second in every process."""
    pytest.importorskip("ssimulacra2")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("metric").score


def test_every_picture_has_its_score() -> None:
    """No drawn image is without its lowest scores, and each format is among the plain tests."""
    assert set(LOWEST) == set(PICTURES)
    assert {(picture, format) for picture in LOWEST for format in LOWEST[picture]} >= PLAIN
    assert {format for _, format in PLAIN} == set(LARGEST)


@pytest.mark.parametrize(
    ("picture", "format", "quality"),
    rest_slow(
        product(["gradient", "photograph"], ["png", "jpeg", "webp"], [30, 60, 90, 97]),
        lambda row: row == ("photograph", "jpeg", 90),
    ),
)
def test_done_after_once_at_any_quality(picture, format, quality):
    """Our own result is left as it is at the quality that it was made for, without a seal or a cache."""
    data = saved(picture, format)
    result = optimize(data, sniff(data), Recipe(quality))
    assert optimize(result, sniff(result), Recipe(quality)) == result


@pytest.mark.parametrize(
    ("quality", "lowest", "largest"),
    rest_slow([(60, 68, 0.2), (80, 100, 0.95), (90, 100, 0.95)], lambda _row: False),
)
def test_recording(quality, lowest, largest, score):
    """A recorded screen loses its noise at 60, and keeps its look; from 80 on, or the second time, nothing is lost."""
    data = recording()
    result = optimize(data, sniff(data), Recipe(quality))
    assert score(data, result) >= lowest
    assert len(result) <= largest * len(data)
    assert optimize(result, sniff(result), Recipe(quality)) == result
