"""GIF, frame by frame: the same to the eye of a browser, for the same time, in fewer bytes."""

from __future__ import annotations

import io
import random
import subprocess
from itertools import accumulate
from struct import pack, unpack_from

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgshrink.core.model import NotSmaller, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.gif import encoding, inspection
from imgshrink.engines.builtin.gif.canvas import UNNUMBERED, Canvas, Colours
from imgshrink.engines.builtin.gif.palette import arranged, numbered
from imgshrink.engines.builtin.gif.reader import Frame, Unusual, read_frames
from imgshrink.engines.builtin.gif.tables import from_screen, from_source
from imgshrink.engines.builtin.gif.writer import Habits, Pending, _in_shared, write
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


@pytest.mark.slow
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
            ink = tuple(chance.randrange(256) for _ in range(3))
            frame.paste(ink, (left + column, top, left + column + 1, top + 60))
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
def test_shared_colours_are_arranged(frames):
    """Every colour has one place, and the colours that only the frame with the most colours has come last."""
    colour = {value: bytes([0, 0, value]) for value in range(41)}
    uses = [frozenset(colour[value] for value in values) for values in frames]
    order = sorted(set().union(*uses))
    found = arranged(order, uses)
    assert sorted(found) == order
    votes = {value: sum(len(use) ** -2 for use in uses if value in use) for value in order}
    assert votes[found[0]] == pytest.approx(max(votes.values()))


def test_frames_with_few_colours_have_the_first_places():
    """Of two frames' colours those of the one that has fewer come first."""
    few, many = (frozenset(bytes([0, 0, value]) for value in values) for values in (range(9, 12), range(30)))
    assert set(arranged(sorted(many), [many, few])[:3]) == few


def frames_of(images: list[Image.Image], duration: int = 70) -> bytes:
    """Return an animation as Pillow writes it."""
    out = io.BytesIO()
    images[0].save(out, "gif", save_all=True, append_images=images[1:], duration=duration)
    return out.getvalue()


def test_the_palette_holds_whole_frames():
    """Where there are too many colours, the shared palette takes all of some frames', so that these need no table."""
    sets = [frozenset(bytes([frame, value, 0]) for value in range(60)) for frame in range(6)]
    index = Image.frombytes("L", (10, 6), bytes(range(60)))
    stored = [Frame((0, 0, 10, 6), index, sorted(colours), None, 5, 1) for colours in sets]
    shared = set(numbered(stored)[:256])
    assert sum(colours <= shared for colours in sets) == 4
    assert set(numbered(stored)) == frozenset().union(*sets)


def flickering(levels: int, *, frames: int = 40, size: tuple[int, int] = (60, 40)) -> bytes:
    """Return an animation of noise that changes by at most so many levels, and of a box that moves over it."""
    chance = random.Random(3)
    ground = [chance.randrange(60, 200) for _ in range(size[0] * size[1])]
    images = []
    for number in range(frames):
        values = bytes(value + chance.randrange(levels + 1) for value in ground)
        image = Image.frombytes("P", size, values)
        image.putpalette([value for value in range(256) for _ in range(3)])
        image.paste(255, (number, 10, number + 20, 30))
        images.append(image)
    return frames_of(images)


@pytest.mark.slow
@pytest.mark.parametrize("levels", [2, 4, 7, 12])
def test_with_loss_no_animation_is_larger(levels):
    """What may be left out is left out only where that takes fewer bytes, be it told from some frames or from all."""
    data = flickering(levels, size=(120, 90))
    exact, lossy = (optimize(data, sniff(data), Recipe(quality)) for quality in (100, 80))
    assert len(lossy) <= len(exact)
    assert isinstance(verify(data, lossy, Recipe(80)), Accept | NotSmaller)


@pytest.mark.slow
def test_of_an_exact_encoding_a_sample_is_enough(monkeypatch):
    """Where it is plain from a fourth of the frames that loss saves bytes, the others are not encoded exactly.

    The result is encoded twice, since fewer colours are better arranged once it is known which frames draw them.
    """
    data = flickering(3)
    exact = optimize(data, sniff(data), Recipe(100))
    written = []
    monkeypatch.setattr(encoding, "write", lambda *frame, **alpha: written.append(1) or write(*frame, **alpha))
    assert len(optimize(data, sniff(data), Recipe(80))) < 0.5 * len(exact)
    assert len(written) < 2 * 40 + 40 // 4 + 4


def test_a_mask_that_saves_nothing_is_tried_seldom():
    """A mask is tried for the first frames, then only now and then, and for every frame while it saves bytes."""
    tried = dict.fromkeys((0, 100), 0)
    for saved in tried:
        habits = Habits()
        for _ in range(60):
            if habits.worth("plain"):
                tried[saved] += 1
                habits.note("plain", saved, 1000)
    assert tried[0] < 20
    assert tried[100] == 60


def test_a_local_table_draws_what_it_holds():
    """Where a frame has a table of its own, unchanged pixels in one of its colours are drawn if that is shorter."""
    colours = Colours([bytes([value >> 8, value & 255, 9]) for value in range(400)])
    canvas = Canvas((40, 20), colours)
    before, after = bytes(30 + place % 3 for place in range(800)), bytes(30 + place // 7 % 2 for place in range(800))
    table = colours.every[256:356]
    whole = (0, 0, 40, 20)
    canvas.draw(Frame(whole, Image.frombytes("L", canvas.size, after), table, None, 5, 1))
    changed = Image.frombytes(
        "L", canvas.size, bytes(255 * (one != two) for one, two in zip(before, after, strict=True))
    )
    stored = Frame(whole, Image.frombytes("L", canvas.size, after), table, None, 5, 1)
    blocks = write(Pending(whole, changed, stored, 5, 1), canvas, Habits(), alpha=False)
    (frame,) = read_frames(b"GIF89a" + pack("<HHBBB", 40, 20, 0, 0, 0) + blocks + b";")
    assert frame.transparent is None
    assert frame.colours == [table[30], table[31]]


def test_more_colours_than_have_numbers():
    """Colours without a number are drawn from the frame that has them; elsewhere the animation stays as it is."""
    colours = Colours([number.to_bytes(3, "big") for number in range(UNNUMBERED + 300)])
    index = Image.frombytes("L", (16, 16), bytes(range(256)))
    everything = Image.new("L", index.size, 255)
    rare = Frame((0, 0, 16, 16), index, colours.every[-256:], None, 5, 1)
    canvas = Canvas(index.size, colours)
    canvas.draw(rare)
    assert canvas.rgb(rare.box).getpixel((3, 0)) == tuple(colours.every[-253])
    local = from_source(rare, rare.box, everything)
    assert local is not None
    assert local.colours == rare.colours
    assert from_screen(canvas, rare.box, everything, rare.colours) is None
    with pytest.raises(Unusual):
        from_screen(canvas, rare.box, everything, [])


def test_few_colours_far_apart_get_a_table_of_their_own():
    """A large frame whose few colours lie far apart in the shared table brings its own: its codes begin shorter."""
    chance = random.Random(4)
    index = Image.frombytes("L", (200, 100), bytes(chance.choices((3, 90, 250), k=20000)))
    everything = Image.new("L", index.size, 255)
    palette = [bytes([value, 0, 0]) for value in range(256)]
    local = _in_shared(index, everything, everything, palette, Habits())
    assert local is not None
    assert {local.table[at : at + 3] for at in range(0, 9, 3)} == {palette[3], palette[90], palette[250]}
    shared = len(index.tobytes("gif", "L", 8, 0))
    assert local.size < shared


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


class _NearColours(random.Random):
    def randbytes(self, n: int) -> bytes:
        return bytes(100 + self.randrange(14) for _ in range(n))


@pytest.mark.slow
@given(st.integers(0, 10**6), st.sampled_from([80, 90]))
def test_merged_colours_of_any_kind(seed, quality):
    """Whatever a GIF's tables, boxes and disposals: transparency and times stay, no channel moves by more than 4."""
    data = invented(_NearColours(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "_all_look_well", lambda *_: True)
        result = optimize(data, sniff(data), Recipe(quality))
    before, after = (_lasting(composed(each)) for each in (data, result))
    assert before[1] == after[1]
    for start, pixels in before[0]:
        found = [other for begin, other in after[0] if begin <= start][-1]
        assert pixels[3::4] == found[3::4]
        assert all(
            abs(pixels[at + band] - found[at + band]) <= 4
            for at in range(0, len(pixels), 4)
            if pixels[at + 3]
            for band in range(3)
        )


def _lasting(timeline: list[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], int]:
    """Return the images that are shown for some time, with their starts, and the time of all."""
    starts = list(accumulate((delay for delay, _ in timeline), initial=0))
    return [(start, pixels) for start, (delay, pixels) in zip(starts, timeline, strict=False) if delay], starts[-1]
