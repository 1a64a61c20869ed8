"""The encoders' parts: the search, the targets, the estimate, the reader of VP8."""

from __future__ import annotations

import io
from functools import partial

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_builder import chunk
from imgshrink.core.model import Recipe
from imgshrink.engines.builtin import jpeg, palette_search, png_lossless, rounding, webp
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.palette import quantized, quantized_to_sight
from imgshrink.engines.builtin.score import SAMPLED, Reference, sample
from imgshrink.engines.builtin.search import TRIALS, Trial, search
from imgshrink.engines.builtin.ssimulacra2 import score
from imgshrink.engines.builtin.targets import jpeg_target, lossy_target, palette_target
from imgshrink.engines.builtin.vp8 import estimated_quality
from imgshrink.engines.builtin.weights import LOSSY, PALETTE
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import Accept, NotSmaller, verify
from screenshots import photograph, saved
from selection import costly


def apng(frames: int) -> bytes:
    """An animated PNG whose frames have 1024 pixels each."""
    first, *others = (Image.new("RGB", (32, 32), (40 * number, 90, 20)) for number in range(frames))
    out = io.BytesIO()
    first.save(out, "png", save_all=True, append_images=others, duration=100)
    return out.getvalue()


@given(st.floats(0.3, 2.5), st.floats(20, 90), st.integers(1, 100))
def test_search_is_bounded(slope, start, first):
    """Whatever the slope, few trials are made, none twice, and the best of them is returned."""
    tried: list[Trial] = []

    def encode(setting: int) -> Trial:
        tried.append(Trial(setting, b"x" * setting, start + slope * (setting - 50)))
        return tried[-1]

    best = search(encode, 75, first=first, lowest=30, highest=95)
    assert len({trial.setting for trial in tried}) == len(tried) <= TRIALS
    assert all(30 <= trial.setting <= 95 for trial in tried)
    met = [trial for trial in tried if trial.score >= 75]
    assert best == (min(met, key=lambda trial: trial.setting) if met else max(tried, key=lambda trial: trial.score))


def test_search_finds():
    """On a straight line the search ends within a point above the target."""
    best = search(lambda setting: Trial(setting, b"x" * setting, setting * 1.1), 75, first=90, lowest=30, highest=95)
    assert 75 <= best.score <= 76.2


def test_targets_rise():
    """A higher quality never asks for less."""
    assert sorted(map(lossy_target, range(1, 100))) == [lossy_target(quality) for quality in range(1, 100)]
    scores = [palette_target(quality).score for quality in range(1, 100)]
    assert scores == sorted(scores)
    assert all(palette_target(quality).floor < palette_target(quality).score for quality in range(1, 100))


@pytest.mark.parametrize("weights", [LOSSY, PALETTE])
def test_score_of_the_same(weights):
    """An image beside itself scores 100, within a rounding error."""
    image = pyvips.Image.new_from_buffer(saved("code", "png"), "")
    assert Reference(image).score(image, weights) > 99.9


def test_score_falls_with_quality():
    """The worse the encoding, the lower the score."""
    image = pyvips.Image.new_from_buffer(saved("photograph", "png"), "").copy_memory()
    reference = Reference(image)
    encoded = [jpeg.encoded(image, setting, full_chroma=True) for setting in (30, 50, 70, 90)]
    scores = [reference.score(pyvips.Image.jpegload_buffer(data), LOSSY) for data in encoded]
    assert sorted(scores) == scores


@pytest.mark.slow
def test_score_of_a_large_picture():
    """Of a large image strips are compared, which score about what the whole does."""
    image = pyvips.Image.new_from_buffer(saved("code", "png"), "").replicate(4, 4).copy_memory()
    candidate = pyvips.Image.jpegload_buffer(jpeg.encoded(image, 70, full_chroma=True)).copy_memory()
    small, part = (image.crop(0, 0, 480, 320) for image in (image, candidate))
    assert abs(Reference(image).score(candidate, LOSSY) - Reference(small).score(part, LOSSY)) < 5


@costly
@given(st.integers(1, 3000), st.integers(1, 3000))
def test_a_sample_lies_on_the_grid(width, height):
    """A sample of a large image is whole strips that begin where a JPEG's blocks do; a sample is its own sample."""
    rows = pyvips.Image.xyz(1, height)[1]
    taken = sample(rows.resize(width, vscale=1, kernel="nearest").copy_memory())
    assert taken.width * taken.height <= max(SAMPLED, 64 * width)
    assert sample(taken).height == taken.height
    if taken.height != height:
        tops = [taken(0, row)[0] for row in range(0, taken.height, 64)]
        assert all(top % 16 == 0 for top in tops)
        assert tops == sorted(set(tops))
        assert [taken(0, row)[0] for row in range(64)] == [tops[0] + row for row in range(64)]
        assert tops[-1] + 64 > height - 16


@pytest.mark.slow
def test_a_large_jpeg_meets_the_target():
    """What is found at some places of a large image holds for the whole of it."""
    image = pyvips.Image.new_from_buffer(saved("photograph", "png"), "")
    large = image.replicate(1 + 1600 // image.width, 1 + 1100 // image.height).jpegsave_buffer(Q=95)
    result = optimize(large, sniff(large), Recipe(80))
    assert len(result) < len(large)
    found = score(pyvips.Image.jpegload_buffer(large), pyvips.Image.jpegload_buffer(result))
    assert jpeg_target(80).whole - 1 < found < jpeg_target(80).whole + 6


def test_chroma_detail():
    """Saturated text has much detail in its colours, a grey image none."""
    red = pyvips.Image.new_from_buffer(saved("red_text_on_dark", "png"), "")
    assert Reference(red).chroma_detail > 5
    assert Reference(red.colourspace("b-w")).chroma_detail < 0.01


def test_red_text_keeps_its_chroma():
    """Saturated text in a JPEG is encoded with full chroma."""
    data = saved("red_text_on_dark", "jpeg")
    result = optimize(data, sniff(data), Recipe(80))
    assert pyvips.Image.jpegload_buffer(result).get("jpeg-chroma-subsample") == "4:4:4"


@pytest.mark.parametrize("quality", [10, 50, 75, 90, 100])
def test_estimated_quality(quality):
    """The quality of a lossy WebP is read from its quantizers, roughly, and rises with it."""
    image = pyvips.Image.new_from_buffer(saved("photograph", "png"), "").copy_memory()
    assert abs(estimated_quality(image.webpsave_buffer(Q=quality)) - quality) < 15


@given(st.binary(max_size=200))
def test_estimated_quality_of_junk(junk):
    """Junk in the place of a VP8 frame gives some quality or none."""
    data = b"RIFF" + (len(junk) + 12).to_bytes(4, "little") + b"WEBPVP8 " + len(junk).to_bytes(4, "little") + junk
    assert estimated_quality(data) is None or 0 <= estimated_quality(data) <= 100


@pytest.mark.parametrize("full_chroma", [False, True])
def test_own_tables_are_done(full_chroma):
    """A JPEG with our encoder's own tables is done at every setting, one of another encoder at high quality is not."""
    image = pyvips.Image.black(16, 16)
    for setting in range(1, 96):
        assert jpeg.is_done(jpeg.encoded(image, setting, full_chroma=full_chroma), 80)
    assert not jpeg.is_done(saved("photograph", "jpeg"), 80)


@pytest.mark.slow
def test_rounding_again_changes_nothing():
    """A rounded photograph is recognised and not rounded further."""
    data = saved("photograph", "png")
    result = optimize(data, sniff(data), Recipe(80))
    assert len(result) < 0.8 * len(data)
    assert optimize(result, sniff(result), Recipe(80)) == result


def deep_slope(*chunks: bytes) -> bytes:
    """A PNG of 16 bits with these chunks."""
    image = (pyvips.Image.xyz(300, 200)[0] * 200).cast("ushort").copy(interpretation="grey16")
    data = bytes(image.pngsave_buffer(compression=0))
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.slow
def test_16_bits_become_8():
    """A PNG of 16 bits keeps its depth at quality 100 only; below, it becomes far smaller and looks the same."""
    data = deep_slope()
    lossless, result = (optimize(data, sniff(data), Recipe(quality)) for quality in (100, 80))
    assert sniff(lossless).depth == 16
    assert sniff(result).depth == 8
    assert len(result) < len(lossless)
    assert isinstance(verify(data, result, Recipe(80)), Accept)
    assert optimize(result, sniff(result), Recipe(80)) == result


@pytest.mark.parametrize(
    ("name", "body"), [("cICP", bytes([9, 16, 0, 1])), ("mDCV", bytes(range(24))), ("cLLI", bytes(range(8)))]
)
def test_high_dynamic_range_stays_deep(name, body):
    """What is made for screens of high dynamic range keeps its 16 bits."""
    data = deep_slope(chunk(name.encode(), body))
    result = optimize(data, sniff(data), Recipe(80))
    assert len(result) < len(data)
    assert sniff(result).depth == 16


def test_grey_jpeg_stays_grey():
    """A grey JPEG is encoded as grey."""
    out = io.BytesIO()
    Image.open(io.BytesIO(saved("photograph", "png"))).convert("L").save(out, "jpeg", quality=97)
    result = optimize(out.getvalue(), sniff(out.getvalue()), Recipe(80))
    assert len(result) < len(out.getvalue())
    assert sniff(result).colour == "grey"


@pytest.mark.slow
def test_cmyk_jpeg_to_the_target():
    """A JPEG for print keeps its four inks, and is encoded until it looks as good on screen as any other."""
    out = io.BytesIO()
    Image.open(io.BytesIO(saved("photograph", "png"))).convert("CMYK").save(out, "jpeg", quality=97)
    data = out.getvalue()
    result = optimize(data, sniff(data), Recipe(80))
    assert len(result) < 0.7 * len(data)
    assert sniff(result).colour == "cmyk"
    assert isinstance(verify(data, result, Recipe(80)), Accept)
    assert optimize(result, sniff(result), Recipe(80)) == result


def test_one_value_makes_it_unrounded():
    """An image counts as rounded only if every pixel is, also those that the first glance leaves out."""
    image = rounding.rounded(pyvips.Image.new_from_buffer(saved("photograph", "png"), "").copy_memory(), 4)
    assert rounding.is_rounded(image)
    odd = pyvips.Image.black(1, 1, bands=3) + 100
    assert not rounding.is_rounded(image.insert(odd.cast("uchar"), 3, 5))


def test_lossless_webp_gets_a_palette():
    """A screenshot without loss keeps being lossless, with the colours that it needs; a second run changes nothing."""
    data = _as_webp("code")
    result = _shrunk_once(data, 80)
    assert sniff(result).lossless
    assert len(result) < 0.6 * len(data)


@pytest.mark.slow
@pytest.mark.parametrize("quality", [80, 92])
def test_photograph_in_a_lossless_webp_becomes_lossy(quality):
    """No palette shows a photograph well, and a lossy one is a fraction of it; a second run changes nothing."""
    data = _as_webp("photograph")
    result = _shrunk_once(data, quality)
    assert not sniff(result).lossless
    assert len(result) < 0.3 * len(data)
    assert sniff(optimize(data, sniff(data), Recipe(100))).lossless


@pytest.mark.slow
def test_photograph_on_a_page_in_a_lossless_webp():
    """Where neither a palette nor loss is good enough it gets fewer levels, once."""
    data = _as_webp("photograph_on_page")
    result = _shrunk_once(data, 92)
    assert sniff(result).lossless
    assert len(result) < 0.7 * len(data)


@pytest.mark.slow
def test_animation_without_loss_is_nearer_at_higher_quality():
    """Frames that are nearly exact look the better the higher the quality is."""
    frames = [photograph(), photograph().rotate(180)]
    out = io.BytesIO()
    frames[0].save(out, "webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    data = out.getvalue()
    looks = []
    for quality in (80, 92, 97, 100):
        result = optimize(data, sniff(data), Recipe(quality))
        assert isinstance(verify(data, result, Recipe(quality)), Accept | NotSmaller)
        pair = (pyvips.Image.webpload_buffer(each)[:3].copy_memory() for each in (data, result))
        looks.append(score(*pair))
    assert looks == sorted(looks)
    assert looks[1] > looks[0] + 2
    assert looks[3] == pytest.approx(100)


def _shrunk_once(data: bytes, quality: int) -> bytes:
    """Return the result, which verify accepts and a second run leaves as it is."""
    result = optimize(data, sniff(data), Recipe(quality))
    assert isinstance(verify(data, result, Recipe(quality)), Accept)
    assert optimize(result, sniff(result), Recipe(quality)) == result
    return result


def _as_webp(picture: str) -> bytes:
    image = pyvips.Image.new_from_buffer(saved(picture, "png"), "")
    return bytes(image.webpsave_buffer(lossless=True, effort=2, keep="none"))


def test_soft_gradient_gets_fewer_levels():
    """Of soft gradients filters make less than a palette does; a second run changes nothing."""
    ramp = pyvips.Image.xyz(300, 300).cast("float")
    soft = (ramp[0] * 0.3 + ramp[1] * 0.5).bandjoin([ramp[1] * 0.6 + 20, (ramp[0] + ramp[1]) * 0.4]).cast("uchar")
    data = bytes(soft.copy(interpretation="srgb").pngsave_buffer())
    result = _shrunk_once(data, 80)
    palette = bytes(pyvips.Image.pngload_buffer(data).pngsave_buffer(palette=True, Q=99, dither=0, effort=5))
    assert len(result) < 0.5 * len(palette)


@pytest.mark.slow
def test_huge_png_gets_the_least_effort(monkeypatch):
    """An image so large that full effort would take minutes gets one palette and no trial of filters."""
    quantizations = []
    for quantize in (quantized, quantized_to_sight):
        counted = partial(lambda made, *how: quantizations.append(how) or made(*how), quantize)
        monkeypatch.setattr(palette_search, quantize.__name__, counted)
    data = saved(Image.blend(photograph(), Image.new("RGB", (480, 320), "white"), 0.7), "png")
    whole = optimize(data, sniff(data), Recipe(80))
    lossless = optimize(data, sniff(data), Recipe(100))
    assert len(quantizations) > 1
    quantizations.clear()
    for module in (palette_search, png_lossless):
        monkeypatch.setattr(module, "HUGE", 1000)
    hasty = optimize(data, sniff(data), Recipe(80))
    assert len(quantizations) == 1
    assert isinstance(verify(data, hasty, Recipe(80)), Accept)
    assert len(whole) < len(hasty) < len(data)
    assert len(lossless) < len(optimize(data, sniff(data), Recipe(100)))


def test_all_frames_make_an_animation_huge(monkeypatch):
    """The effort for an animated PNG goes by all its frames."""
    levels = []
    monkeypatch.setattr(
        png_lossless.oxipng, "optimize_from_memory", lambda data, *, level, **_: levels.append(level) or data
    )
    data = apng(frames=4)
    for most in (5000, 2000):
        monkeypatch.setattr(png_lossless, "HUGE", most)
        optimize(data, sniff(data), Recipe(80))
    assert levels == [2, 0]


@pytest.mark.slow
def test_huge_webp_is_tried_on_strips(monkeypatch):
    """A lossy WebP of many pixels is encoded whole once: what is tried before are strips of it."""
    image = pyvips.Image.new_from_buffer(saved("photograph", "png"), "").replicate(2, 2)
    data = image.webpsave_buffer(Q=98)
    heights = []
    tried = webp.encoded
    monkeypatch.setattr(webp, "encoded", lambda part, setting: heights.append(part.height) or tried(part, setting))
    monkeypatch.setattr(webp, "HUGE", image.width * image.height - 1)
    result = optimize(data, sniff(data), Recipe(80))
    assert heights.count(image.height) == 1
    assert heights[0] < image.height
    assert isinstance(verify(data, result, Recipe(80)), Accept)


def test_huge_lossless_webp(monkeypatch):
    """A lossless WebP of many pixels stays lossless at the least effort."""
    data = pyvips.Image.new_from_buffer(saved("code", "png"), "").webpsave_buffer(lossless=True, effort=0)
    careful = optimize(data, sniff(data), Recipe(100))
    monkeypatch.setattr(webp, "HUGE", 1000)
    hasty = optimize(data, sniff(data), Recipe(100))
    assert len(careful) < len(hasty) < len(data)
    assert isinstance(verify(data, hasty, Recipe(100)), Accept)


@pytest.mark.parametrize("step", range(2, 7))
def test_rounding_keeps_black_and_white(step):
    """Fewer levels leave black and white as they are, and rounding twice is rounding once."""
    table = rounding.table(step)
    assert table[0] == 0
    assert table[255] == 255
    assert [table[value] for value in table] == table
    assert all(abs(after - value) <= step for value, after in enumerate(table))
