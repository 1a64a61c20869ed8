"""Near colours of a GIF are merged where nobody sees it."""

from __future__ import annotations

import io
import random

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imgshrink.core.model import Accept, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.gif.merging import counted, distance, mergeable, merged, merging
from imgshrink.engines.builtin.gif.reader import Frame
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import verify

COLOURS = st.dictionaries(st.binary(min_size=3, max_size=3), st.integers(1, 99), max_size=60) | st.dictionaries(
    st.builds(lambda *steps: bytes(120 + step for step in steps), *[st.integers(0, 11)] * 3),
    st.integers(1, 99),
    max_size=60,
)


@given(COLOURS, st.integers(1, 8))
def test_merged_colours(counts, most):
    """Colours move by at most the step to a more frequent one that stays; those that stay never move again."""
    moved = merged(counts, most)
    assert all(distance(*pair) <= most for pair in moved.items())
    assert all(counts[one] <= counts[other] for one, other in moved.items())
    kept = counts.keys() - moved.keys()
    assert set(moved.values()) <= kept
    after = dict.fromkeys(kept, 0)
    for colour, count in counts.items():
        after[moved.get(colour, colour)] += count
    assert merged(after, most) == {}
    assert merged(dict(reversed(counts.items())), most) == moved
    changing = sum(counts[colour] for colour in moved)
    assert mergeable(counts, most, changing) == bool(moved)
    assert not mergeable(counts, most, changing + 1)


@given(st.lists(COLOURS.filter(len), min_size=1, max_size=3), st.integers(0, 60), st.integers(0, 99))
def test_merged_frames(tables, clear, seed):
    """Each pixel shows what becomes of its colour, the same in all frames; transparent ones stay so."""
    chance, frames = random.Random(seed), []
    for counts in tables:
        table = [*counts, *counts]
        index = Image.frombytes("L", (16, 8), bytes(chance.choices(range(len(table)), k=128)))
        frames.append(Frame((0, 0, 16, 8), index, table, clear if clear < len(table) else None, 5, 1))
    moved = merged(counted(frames), 4)
    for before, after in zip(frames, merging(frames, moved), strict=True):
        assert after.drawn.tobytes() == before.drawn.tobytes()
        assert (after.box, after.delay, after.disposal) == (before.box, before.delay, before.disposal)
        for old, new, drawn in zip(before.index.tobytes(), after.index.tobytes(), before.drawn.tobytes(), strict=True):
            if drawn:
                assert after.colours[new] == moved.get(before.colours[old], before.colours[old])


def test_too_many_colours_are_not_merged():
    """Looking for the neighbours of very many colours would take long."""
    counts = {number.to_bytes(3, "big"): 1 for number in range(9000)}
    assert not mergeable(counts, 4, 1)


def saved(frames: list[Image.Image]) -> bytes:
    """Return an animation as Pillow writes it."""
    out = io.BytesIO()
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=90)
    return out.getvalue()


def typed(noise: int, ink: tuple[int, int, int], ground: int, *, count: int = 6) -> bytes:
    """Return an animation of text that grows, on a ground with a little noise that stays where it is."""
    chance = random.Random(7)
    size = 320, 200
    spots = Image.frombytes("L", size, bytes(ground + chance.randrange(noise + 1) for _ in range(size[0] * size[1])))
    frames = []
    for number in range(1, count + 1):
        frame = Image.merge("RGB", [spots] * 3)
        draw = ImageDraw.Draw(frame)
        for line in range(2 * number):
            draw.text((8, 4 + 14 * line), f"{line:3} merge near colours of animations", fill=ink)
        frames.append(frame.quantize(256, dither=Image.Dither.NONE))
    return saved(frames)


def pages(data: bytes) -> pyvips.Image:
    """Return all frames, one below the other, without alpha."""
    strip = pyvips.Image.gifload_buffer(data, n=-1)
    return strip.flatten() if strip.hasalpha() else strip


@pytest.mark.slow
@pytest.mark.parametrize("quality", [60, 80, 90])
def test_noise_is_merged(quality):
    """Noise that nobody sees costs no bytes; the most frequent colours stay, and none moves by more than the step."""
    data = typed(2, (20, 20, 20), 250)
    exact, result = (optimize(data, sniff(data), Recipe(each)) for each in (100, quality))
    assert len(result) < 0.5 * len(exact)
    assert isinstance(verify(data, result, Recipe(quality)), Accept)
    assert (pages(data) - pages(result)).abs().max() <= (8 if quality == 60 else 4)
    assert optimize(result, sniff(result), Recipe(quality)) == result


def faint(contrast: int, *, striped: bool) -> bytes:
    """Return an animation of a box on noise; text or stripes in the left half hardly differ from their ground."""
    chance = random.Random(9)
    frames = []
    noise = Image.frombytes("L", (160, 200), bytes(chance.choice((100, 101, 102)) for _ in range(160 * 200)))
    for number in range(5):
        frame = Image.new("L", (320, 200), 250)
        frame.paste(noise, (160, 0))
        draw = ImageDraw.Draw(frame)
        for line in range(13):
            if striped:
                draw.rectangle((0, 28 * line, 159, 28 * line + 13), fill=250 - contrast)
            else:
                draw.text((8, 4 + 14 * line), f"{line:3} merge near colours", fill=250 - contrast)
        draw.rectangle((200, 20 * number, 230, 20 * number + 40), fill=20)
        frames.append(frame)
    return saved(frames)


@pytest.mark.slow
@pytest.mark.parametrize(("contrast", "striped"), [(4, False), (3, True), (4, True)])
def test_faint_shapes_do_not_vanish(contrast, striped):
    """Text and stripes that hardly stand out, by no more than may be merged, are still there."""
    data = faint(contrast, striped=striped)
    result = optimize(data, sniff(data), Recipe(80))
    left = pages(result).crop(0, 0, 159, 200)
    assert left.max() - left.min() >= contrast - 1
    assert isinstance(verify(data, result, Recipe(80)), Accept)
