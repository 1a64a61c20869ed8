"""Quality 80 never takes more bytes than quality 100, in any format."""

from __future__ import annotations

import io
import random

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.image.sniff import sniff
from places import IMAGES
from screenshots import PICTURES, recording, saved

pytestmark = pytest.mark.slow


def sizes(data: bytes) -> list[int]:
    """Return the bytes at 80 and at 100."""
    return [len(optimize(data, sniff(data), Recipe(quality))) for quality in (80, 100)]


def assert_never_larger(data: bytes) -> None:
    lossy, lossless = sizes(data)
    assert lossy <= lossless


@pytest.mark.parametrize(
    "path", sorted(path for path in IMAGES.iterdir() if path.suffix != ".md"), ids=lambda p: p.name
)
def test_of_real_images(path):
    """Of the small real images."""
    assert_never_larger(path.read_bytes())


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("name", PICTURES)
def test_of_made_images(name, format):
    """Of images on which encoders fail visibly."""
    assert_never_larger(saved(name, format))


def test_of_a_recording():
    """Of a screen recording with noise, where leaving out small changes tears runs apart."""
    assert_never_larger(recording())


def drawn(seed: int) -> Image.Image:
    """Return an image of shapes, gradients and noise in random shares."""
    chance = random.Random(seed)
    size = chance.randrange(16, 300), chance.randrange(16, 200)
    slope = Image.linear_gradient("L").rotate(chance.choice([0, 90, 45])).resize(size)
    image = Image.merge(
        "RGB", [slope.point([value * share // 256 for value in range(256)]) for share in chance.randbytes(3)]
    )
    if chance.random() < 0.5:
        image.paste(tuple(chance.randbytes(3)), (0, 0, *size))
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randrange(40)):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        draw.rectangle((left, top, left + chance.randrange(60), top + chance.randrange(30)), tuple(chance.randbytes(3)))
    if chance.random() < 0.4:
        image = Image.blend(image, Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1])), 0.05)
    return image


FORMATS = {
    "stored": ("png", {"compress_level": 0}),
    "png": ("png", {}),
    "jpeg": ("jpeg", {"quality": 98, "subsampling": 0}),
    "plain jpeg": ("jpeg", {"quality": 85}),
    "webp": ("webp", {"quality": 97}),
    "lossless webp": ("webp", {"lossless": True}),
}


@pytest.mark.parametrize("name", [*FORMATS, "palette"])
@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=5)
def test_of_any_image(name, seed):
    """Of any image, however wastefully it was saved."""
    out = io.BytesIO()
    if name == "palette":
        drawn(seed).quantize(random.Random(seed).randrange(2, 257)).save(out, "png")
    else:
        format, options = FORMATS[name]
        drawn(seed).save(out, format, **options)
    assert_never_larger(out.getvalue())


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=5)
def test_of_any_animation(seed):
    """Of any animation, as GIF and as WebP."""
    frames = [drawn(seed)]
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 5)):
        shift = chance.randrange(6)
        frame = frames[-1].point([min(255, value + shift) for value in range(256)] * 3)
        frame.paste(tuple(chance.randbytes(3)), (2, 2, chance.randrange(3, 12), 9))
        frames.append(frame)
    for format in ("gif", "webp"):
        out = io.BytesIO()
        frames[0].save(out, format, save_all=True, append_images=frames[1:], duration=90)
        assert_never_larger(out.getvalue())


def test_of_16_bits():
    """Of 16 bits in a channel."""
    x = pyvips.Image.xyz(200, 120)
    noise = pyvips.Image.gaussnoise(200, 120, sigma=300, seed=3)
    image = (
        (x[0] * 200 + noise).cast("ushort").bandjoin((x[1] * 300).cast("ushort")).bandjoin((x[0] * 9).cast("ushort"))
    )
    assert_never_larger(bytes(image.copy(interpretation="rgb16").pngsave_buffer()))
