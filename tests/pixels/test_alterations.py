"""At least 400 alterations of 20 kinds, each at the weakest strength that a person notices, and none is accepted."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgshrink.core.model import Accept, Recipe, Refuse
from imgshrink.pixels.verify import verify
from places import BENCHMARKS, IMAGES, ROOT
from sample_images import saved
from screenshots import PICTURES

sys.path.insert(0, str(BENCHMARKS))
from alterations import ALTERATIONS, TEXT, Alteration, Page, line_erased, pages, visible

from selection import PARTS, rest_slow

PART = (400, 280)
QUALITIES = (80, 90)
PLAIN = {"icon mirrored", "blur", "hue of a part", "part moved", "shadow dropped", "levels left (bands)", "letter"}
"""Of what changes shapes, sharpness, colours, places, transparency, gradients and texts, one each; others are slow."""
Pair = tuple[Image.Image, Image.Image]


def part(path: Path) -> Image.Image:
    """The middle of an image."""
    image = Image.open(path)
    drawn = image.convert("RGBA" if "A" in image.mode or "transparency" in image.info else "RGB")
    left, top = (max(0, side - most) // 2 for side, most in zip(drawn.size, PART, strict=True))
    return drawn.crop((left, top, min(drawn.width, left + PART[0]), min(drawn.height, top + PART[1])))


def images(*folders: Path) -> dict[str, Image.Image]:
    """Every still in some folders, by name, and the drawn ones."""
    found = {name: draw() for name, draw in PICTURES.items()}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".png", ".jpg", ".webp") and "animated" not in path.name:
                found[path.relative_to(folder).as_posix()] = part(path)
    return found


def both_formats(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """An image as a PNG, and where it is opaque as a JPEG of high quality."""
    yield "PNG", saved(image, "PNG", compress_level=1)
    if image.mode == "RGB":
        yield "JPEG", saved(image, "JPEG", quality=95, subsampling=0)


def accepted(before: Image.Image, after: Image.Image) -> list[str]:
    """The formats and qualities at which verify accepts one image for the other."""
    found = []
    for (format, original), (_, candidate) in zip(both_formats(before), both_formats(after), strict=True):
        for quality in QUALITIES:
            judgement = verify(original + bytes(len(candidate)), candidate, Recipe(quality))
            assert isinstance(judgement, Accept | Refuse)
            found += [f"{format} {quality}"] if isinstance(judgement, Accept) else []
    return found


def altered(alteration: Alteration, found: dict[str, Image.Image]) -> Iterator[tuple[str, Pair]]:
    """Every image that has a place for an alteration that shows, and the altered one."""
    for name, image in found.items():
        other = alteration.change(image, alteration.noticed, random.Random(name))
        if other is not None and visible(image, other):
            yield f"{alteration.name} {alteration.noticed:g}: {name}", (image, other)


def erased_lines(found: dict[str, Image.Image]) -> Iterator[tuple[str, Pair]]:
    """Every image with a thin line, and without it."""
    for name, image in found.items():
        yield f"thin line erased: {name}", line_erased(image, 60, random.Random(name))


@pytest.fixture(scope="module")
def drawn() -> dict[str, Image.Image]:
    """The drawn images and one screenshot."""
    return {name: draw() for name, draw in PICTURES.items()} | {"still": part(IMAGES / "still.png")}


@pytest.mark.parametrize(
    "alteration",
    rest_slow(ALTERATIONS, lambda alteration: alteration.name in PLAIN),
    ids=lambda alteration: alteration.name,
)
def test_every_kind(alteration: Alteration, drawn: dict[str, Image.Image]) -> None:
    """Each kind is refused on an image at the weakest strength that a person notices, at 80 and at 90."""
    _, pair = next(altered(alteration, drawn))
    assert accepted(*pair) == []


@pytest.mark.parametrize("kind", rest_slow(TEXT, lambda kind: kind in PLAIN))
def test_every_kind_of_text(kind: str) -> None:
    """Exchanged words and digits of 16 pixels are refused on a light and on a dark page."""
    for dark in (False, True):
        assert accepted(*Page(kind, 16, 160, dark, seed=7).both()) == []


@pytest.mark.parametrize("level", rest_slow([0, 60, 195, 255], lambda level: level == 255))
def test_a_line_on_nothing(level: int) -> None:
    """A line erased from a transparent image is seen on whichever background shows it."""
    diagram = PICTURES["transparent_diagram"]()
    with_line = diagram.copy()
    with_line.paste((level, level, level, 255), (20, 25, 140, 26))
    assert diagram.getchannel("A").crop((20, 25, 140, 26)).getextrema() == (0, 0)
    assert accepted(with_line, diagram) == []
    assert accepted(diagram, with_line) == []


@pytest.mark.slow
def test_no_alteration_is_accepted(request: pytest.FixtureRequest) -> None:
    """On every image of this repository, all that show are refused: at least 400 of at least 20 kinds.

    On every second one where a run takes a part of the corpus.
    """
    found = images(IMAGES, ROOT / "example_site" / "docs" / "images")
    part = request.config.getoption("--part")
    if part is not None:
        found = dict(list(found.items())[part // PARTS % 2 :: 2])
    kinds, wrong = Counter[str](), {}
    for alteration in ALTERATIONS:
        for name, pair in altered(alteration, found):
            kinds[alteration.name] += 1
            wrong |= {name: formats} if (formats := accepted(*pair)) else {}
    for name, pair in erased_lines(found):
        kinds["thin line erased"] += 1
        wrong |= {name: formats} if (formats := accepted(*pair)) else {}
    assert wrong == {}
    assert sum(kinds.values()) >= 400
    assert len(kinds) >= 20


@pytest.mark.slow
def test_no_text_is_accepted() -> None:
    """Texts of 12 to 28 pixels, light and dark: all are refused but for single glyphs that are small or faint."""
    hard, wrong = Counter[bool](), {}
    for page in pages():
        if formats := accepted(*page.both()):
            hard[page.hard] += 1
            wrong |= {} if page.hard else {page: formats}
    assert wrong == {}
    assert hard[True] <= 12


@pytest.mark.slow
def test_no_alteration_of_the_corpus_is_accepted(sweep: list[Path]) -> None:
    """The same on real images, each in one place."""
    stills = [path for path in sweep if path.suffix.lower() in (".png", ".jpg")][::4]
    found = {path.name: part(path) for path in stills if Image.open(path).mode in ("RGB", "RGBA")}
    pairs = [pair for alteration in ALTERATIONS for pair in altered(alteration, found)]
    assert {name: formats for name, pair in pairs if (formats := accepted(*pair))} == {}
