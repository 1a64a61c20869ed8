"""GIF, frame by frame: the same to the eye of a browser, for the same time, in fewer bytes."""

from __future__ import annotations

import io
import random
import subprocess
from struct import pack, unpack_from

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgshrink.core.model import NotSmaller, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.gif import _nested
from imgshrink.engines.builtin.gif.reader import Frame, read_frames
from imgshrink.engines.builtin.gif.writer import _shared_ways
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import Accept, verify
from selection import costly


def animation(seed: int, *, colours: int, disposals: list[int], transparent: bool) -> bytes:
    """Return a random animation: rectangles on a canvas, with local or global tables as Pillow likes."""
    chance = random.Random(seed)
    frames = []
    for _ in disposals:
        frame = Image.new("RGBA", (61, 47), (0, 0, 0, 0) if transparent else (9, 9, 9, 255))
        for _ in range(6):
            left, top = chance.randrange(50), chance.randrange(40)
            ink = tuple(chance.randrange(0, 256, 256 // colours) for _ in range(3))
            frame.paste((*ink, 255), (left, top, left + chance.randrange(1, 30), top + chance.randrange(1, 30)))
        frames.append(frame)
    out = io.BytesIO()
    durations = [10 * chance.randrange(2, 9) for _ in disposals]
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=durations, disposal=disposals, loop=0)
    return out.getvalue()


def shown(data: bytes) -> list[tuple[int, bytes]]:
    """Return what a GIF shows by libvips: each image that differs from the one before, and for how long."""
    strip = pyvips.Image.gifload_buffer(data, n=-1)
    strip = strip if strip.hasalpha() else strip.bandjoin(255)
    height = strip.get_page_height()
    timeline: list[tuple[int, bytes]] = []
    for number, delay in enumerate(strip.get("delay")):
        image = strip.crop(0, number * height, strip.width, height)
        pixels = bytes((image[3] == 0).ifthenelse([0, 0, 0, 0], image).write_to_memory())
        if timeline and timeline[-1][1] == pixels:
            delay += timeline.pop()[0]
        timeline.append((delay, pixels))
    return timeline


DISPOSALS = st.lists(st.sampled_from([0, 1, 2]), min_size=2, max_size=6) | st.lists(
    st.sampled_from([0, 1, 3]), min_size=2, max_size=6
)
"""Decoders differ over restoring to an image that was itself disposed of: never both kinds in one animation."""


@costly
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 8]), DISPOSALS, st.booleans())
def test_gif_timeline(seed, colours, disposals, transparent):
    """Without loss an animation shows exactly the same, for exactly as long, whatever its disposals."""
    data = animation(seed, colours=colours, disposals=[1, *disposals], transparent=transparent)
    result = optimize(data, sniff(data), Recipe(100))
    assert shown(result) == shown(data)


@costly
@given(st.integers(0, 10**6), DISPOSALS, st.booleans())
def test_gif_passes_verify(seed, disposals, transparent):
    """With loss too an animation passes verify."""
    data = animation(seed, colours=8, disposals=disposals, transparent=transparent)
    result = optimize(data, sniff(data), Recipe(80))
    assert isinstance(verify(data, result, Recipe(80)), Accept | NotSmaller)


def many_colours() -> bytes:
    """Return an animation of eight frames with other colours each: more in all than one table holds."""
    chance = random.Random(2)
    x = pyvips.Image.xyz(200, 120)
    soft = x[0].bandjoin([x[1] * 2, 255 - x[0]]).cast("uchar")
    first = Image.fromarray(soft.numpy()).quantize(256)
    frames = [first.convert("RGB")]
    for _ in range(8):
        frame = frames[-1].copy()
        left, top = chance.randrange(80), chance.randrange(40)
        for column in range(100):
            frame.paste(
                tuple(chance.randrange(256) for _ in range(3)), (left + column, top, left + column + 1, top + 60)
            )
        frames.append(frame)
    out = io.BytesIO()
    frames = [frame.quantize(256, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=70)
    return out.getvalue()


@pytest.mark.tools
def test_gif_with_many_tables_is_as_small_as_gifsicle_makes_it():
    """Where colours exceed 256 in all, the result is exact and no larger than gifsicle's, by one per cent at most."""
    data = many_colours()
    result = optimize(data, sniff(data), Recipe(100))
    assert shown(result) == shown(data)
    theirs = subprocess.run(["gifsicle", "-O3"], input=data, capture_output=True, check=True).stdout
    assert len(result) < 1.01 * len(theirs)


@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=12))
def test_shared_colours_are_nested(frames):
    """Every colour has one place, and the frame with the fewest colours has the first ones."""
    order = [bytes([0, 0, value]) for value in sorted(set().union(*frames))]
    nested = _nested(order, [b"".join(bytes([0, 0, value]) for value in colours) for colours in frames])
    assert sorted(nested) == order
    fewest = min(map(len, frames))
    assert any({colour[2] for colour in nested[:fewest]} == colours for colours in frames)


def test_few_colours_far_apart_get_a_table_of_their_own():
    """A large frame whose few colours lie far apart in the shared table brings its own: its codes begin shorter."""
    chance = random.Random(4)
    index = Image.frombytes("L", (200, 100), bytes(chance.choices((3, 90, 250), k=20000)))
    everything = Image.new("L", index.size, 255)
    palette = [bytes([value, 0, 0]) for value in range(256)]
    ways = _shared_ways(index, everything, everything, palette)
    smallest = min(ways, key=lambda way: way.size)
    assert {smallest.table[at : at + 3] for at in range(0, 9, 3)} == {palette[3], palette[90], palette[250]}
    (shared,) = [way for way in ways if not way.table]
    assert smallest.size < shared.size


def test_gif_of_noise():
    """An animation that can't be made smaller comes back as it is."""
    chance = random.Random(1)
    frames = [Image.frombytes("P", (64, 64), chance.randbytes(4096)) for _ in range(3)]
    for frame in frames:
        frame.putpalette(chance.randbytes(768))
    out = io.BytesIO()
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=100)
    smallest = optimize(out.getvalue(), sniff(out.getvalue()), Recipe(100))
    assert optimize(smallest, sniff(smallest), Recipe(100)) is smallest


@given(st.binary(min_size=1, max_size=60), st.integers(0, 2000))
def test_damaged_gif(junk, at):
    """A damaged GIF raises or comes back as something that verify judges; nothing hangs."""
    data = animation(3, colours=3, disposals=[1, 2, 3], transparent=True)
    at %= len(data)
    damaged = data[:at] + junk + data[at + len(junk) :]
    info = sniff(damaged)
    if info is None:
        return
    try:
        result = optimize(damaged, info, Recipe(80))
    except Exception:
        return
    assert len(result) <= len(damaged)


def invented(chance: random.Random) -> bytes:
    """Return a GIF as no program writes it: any box, table, transparent index, delay and disposal in each frame."""
    width, height = chance.randrange(1, 70), chance.randrange(1, 60)
    inks = [chance.randbytes(3) for _ in range(chance.choice([4, 40, 300, 2000]))]
    shared = chance.choices(inks, k=chance.choice([2, 16, 256]))
    disposals = chance.choice([[0, 1], [0, 1, 2], [0, 1, 2, 3]])
    blocks = [b"GIF89a", pack("<HHBBB", width, height, 0xF0 | len(shared).bit_length() - 2, 0, 0), *shared]
    for _ in range(chance.randrange(2, 9)):
        own = chance.choices(inks, k=2 << chance.randrange(8)) if chance.random() < 0.6 else []
        wide, high = chance.randrange(1, width + 1), chance.randrange(1, height + 1)
        left, top = chance.randrange(width - wide + 1), chance.randrange(height - high + 1)
        count = len(own or shared)
        pixels: list[int] = []
        while len(pixels) < wide * high:
            pixels += [chance.randrange(count)] * chance.choice([1, 2, 30])
        clear, transparent = chance.random() < 0.6, chance.randrange(count)
        if clear or chance.random() < 0.8:
            flags = chance.choice(disposals) << 2 | clear
            blocks += [b"\x21\xf9\x04", pack("<BHBB", flags, chance.choice([0, 1, 2, 9, 60000]), transparent, 0)]
        blocks += [b"\x2c", pack("<HHHHB", left, top, wide, high, 0x80 | count.bit_length() - 2 if own else 0), *own]
        bits = max(2, (count - 1).bit_length())
        stored = Image.frombytes("L", (wide, high), bytes(pixels[: wide * high]))
        blocks += [bytes([bits]), stored.tobytes("gif", "L", bits, 0), b"\0"]
    return b"".join([*blocks, b"\x3b"])


def composed(data: bytes) -> list[tuple[int, bytes]]:
    """Return what browsers show: each image that differs from the one before, and for how long; slow and simple."""
    canvas = saved = Image.new("RGBA", unpack_from("<HH", data, 6))
    last: Frame | None = None
    timeline: list[tuple[int, bytes]] = []
    for frame in read_frames(data):
        canvas = saved if last and last.disposal == 3 else canvas.copy()
        if last and last.disposal == 2:
            canvas.paste((0, 0, 0, 0), last.box)
        saved, canvas, last = canvas.copy(), canvas.copy(), frame
        stored = frame.index.copy()
        stored.putpalette(b"".join(frame.colours))
        canvas.paste(stored.convert("RGBA"), frame.box, frame.drawn)
        delay = frame.delay
        if timeline and timeline[-1][1] == canvas.tobytes():
            delay += timeline.pop()[0]
        timeline.append((delay, canvas.tobytes()))
    return timeline


@given(st.integers(0, 10**6))
def test_gif_of_any_kind(seed):
    """Tables of many colours, restored pixels, cleared boxes: without loss browsers show the same for as long."""
    data = invented(random.Random(seed))
    assert composed(optimize(data, sniff(data), Recipe(100))) == composed(data)
