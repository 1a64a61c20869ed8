"""Lossy variants: they meet the target against the original, and show its colours, turning and transparency."""

from __future__ import annotations

import io
import random

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

import image_builder as build
from imgshrink.core.model import Format, Variant
from imgshrink.engines.builtin.places import PlaceScorer
from imgshrink.engines.builtin.score import Scorer
from imgshrink.engines.builtin.variants import make as maker
from imgshrink.engines.builtin.variants import target as searcher
from imgshrink.engines.builtin.variants.make import make
from imgshrink.engines.builtin.variants.target import Target, VariantSearch, encoded, encoders, target
from imgshrink.engines.builtin.weights import LOSSY
from imgshrink.image.seal import seal
from imgshrink.image.sniff import sniff
from imgshrink.image.variants.avif import avif_size
from imgshrink.pixels.compare import acceptable
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.variants.judge import LIKE, looks_different
from imgshrink.pixels.variants.shown import decoded_variant, shown
from sample_images import (
    animated,
    clip,
    colourful,
    cutout,
    grey_profile,
    photo,
    saved,
    screen,
    srgb_profile,
    wide_profile,
)
from selection import rest_slow

BOTH = ("webp", "avif")
JPEG = saved(photo(), "JPEG", quality=95)
PNG = saved(photo(), "PNG")
LOUD = saved(colourful(), "JPEG", quality=97)


def avif_of(published: bytes, original: bytes | None = None, quality: int = 80) -> Variant:
    """The AVIF beside an image."""
    found = make(original, published, quality, BOTH, 10)
    assert found is not None
    assert (found.suffix, found.media_type) == (".avif", "image/avif")
    assert found.score is not None
    return found


PHOTOGRAPHS = {
    "JPEG": JPEG,
    "PNG": PNG,
    "grey JPEG": saved(photo().convert("L"), "JPEG", quality=97),
    "grey PNG": saved(photo().convert("L"), "PNG"),
    "colourful JPEG": saved(colourful(), "JPEG", quality=97, progressive=True),
}


@pytest.mark.parametrize("name", rest_slow(PHOTOGRAPHS, lambda row: row in ("JPEG", "PNG")))
def test_target(name: str) -> None:
    """A photograph has an AVIF of its size that meets the target of its format, with at least a tenth saved."""
    data = PHOTOGRAPHS[name]
    format = Format.PNG if name.endswith("PNG") else Format.JPEG
    found = avif_of(data)
    assert avif_size(found.data) == photo().size
    assert found.score is not None
    assert found.score >= target(format, 80, sealed=False).whole - 0.5
    assert len(found.data) <= 0.9 * len(data)


@pytest.mark.slow
def test_quality() -> None:
    """A higher quality has more bytes and a higher score."""
    low, high = avif_of(PNG, quality=60), avif_of(PNG, quality=90)
    assert len(low.data) < len(high.data)
    assert (low.score or 0) < (high.score or 0)


@pytest.mark.slow
def test_sealed() -> None:
    """Where only a sealed file is left, 4 points more are asked for; a lossless seal loses nothing."""
    plain, sealed = avif_of(LOUD), avif_of(seal(LOUD, 80))
    assert (sealed.score or 0) >= target(Format.JPEG, 80, sealed=False).whole + 3.5
    assert len(sealed.data) > len(plain.data)
    assert avif_of(seal(LOUD, 100)).data == plain.data
    assert avif_of(seal(LOUD, 80), LOUD).data == plain.data


@pytest.mark.slow
def test_original() -> None:
    """A variant is made from the original's pixels, where that shows what is published."""
    published = seal(saved(colourful(), "JPEG", quality=85), 80)
    assert avif_of(published, LOUD).data == avif_of(LOUD).data != avif_of(published).data


@pytest.mark.parametrize(
    "original",
    [
        saved(photo().rotate(180), "JPEG", quality=95),
        saved(photo().resize((160, 104)), "JPEG"),
        PNG,
        b"no image",
        saved(photo().convert("CMYK"), "JPEG"),
    ],
    ids=["turned", "smaller", "another format", "no image", "CMYK"],
)
def test_another_original(original: bytes) -> None:
    """A source that does not show what is published, in its format, is not its original."""
    data, before = maker._reference(original, JPEG, 80)
    assert data == JPEG
    assert before is not None


@pytest.mark.slow
def test_damaged_profile() -> None:
    """A damaged profile counts as none, as in browsers."""
    found = avif_of(saved(photo(), "JPEG", quality=95, icc_profile=wide_profile()[:-9]))
    assert found.data == avif_of(JPEG).data


@pytest.mark.parametrize("orientation", rest_slow([2, 3, 5, 6, 8], lambda row: row == 6))
def test_orientation(orientation: int) -> None:
    """What EXIF turns is encoded turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(photo(), "JPEG", quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    found = avif_of(data)
    assert avif_size(found.data) == upright.size
    plain = saved(upright, "PNG")
    info = sniff(plain)
    assert info is not None
    before = shown(plain, info)
    assert before is not None
    assert looks_different(before, info, found, 80, Looks().measure) == ""


@pytest.mark.slow
def test_profile() -> None:
    """A profile of other colours is carried, one that is sRGB by another name is left out."""
    wide = avif_of(saved(colourful(), "JPEG", quality=95, icc_profile=wide_profile()))
    plain = avif_of(saved(colourful(), "JPEG", quality=95, icc_profile=srgb_profile()))
    found = [
        image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else b""
        for image in (pyvips.Image.heifload_buffer(variant.data) for variant in (wide, plain))
    ]
    assert found == [wide_profile(), b""]


def test_grey_profile() -> None:
    """A grey image whose profile changes what is seen has no lossy variant: none can carry that profile."""
    dark = saved(photo().convert("L"), "JPEG", quality=97, icc_profile=grey_profile(3.0))
    usual = saved(photo().convert("L"), "JPEG", quality=97)
    assert make(None, dark, 80, BOTH, 10) is None
    assert make(None, usual, 80, BOTH, 10) is not None


@pytest.mark.slow
def test_notices() -> None:
    """A variant carries the notices of its image, and nothing else of its EXIF: no place, no camera."""
    exif = Image.Exif()
    exif[0x8298], exif[0x010F] = "Copyright Ann", "Camera of Bo"
    exif.get_ifd(0x8825)[1] = "N"
    lossy = avif_of(saved(photo(), "JPEG", quality=95, exif=exif)).data
    text = PngInfo()
    text.add_text("Copyright", "Copyright Ann")
    text.add_text("Comment", "Camera of Bo")
    exact = make(None, saved(screen(), "PNG", pnginfo=text), 100, BOTH, 10)
    assert exact is not None
    for data in (lossy, exact.data):
        found = Image.open(io.BytesIO(data)).info
        assert b"Copyright Ann" in found["xmp"]
        assert b"Camera" not in data
        assert "exif" not in found
    assert "xmp" not in Image.open(io.BytesIO(avif_of(JPEG).data)).info


def soft() -> Image.Image:
    """A photograph that fades out."""
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


@pytest.mark.slow
@pytest.mark.parametrize("formats", [BOTH, ("webp",)])
def test_alpha(formats: tuple[str, ...]) -> None:
    """Transparency stays, on both grounds; a channel that is opaque everywhere goes."""
    found = make(None, saved(soft(), "PNG"), 80, formats, 10)
    assert found is not None
    alpha = decoded_variant(found)[3]
    expected = pyvips.Image.new_from_buffer(saved(soft().getchannel("A"), "PNG"), "")
    assert (alpha - expected).abs().max() <= 40
    opaque = make(None, saved(photo().convert("RGBA"), "PNG"), 80, formats, 10)
    assert opaque is not None
    assert not decoded_variant(opaque).hasalpha()


@pytest.mark.slow
def test_lossy_webp() -> None:
    """Where AVIF is switched off, a JPEG has a lossy WebP, and a photograph as PNG the smaller of two."""
    found = make(None, JPEG, 80, ("webp",), 10)
    assert found is not None
    assert (found.suffix, found.media_type) == (".webp", "image/webp")
    assert (found.score or 0) >= target(Format.JPEG, 80, sealed=False).whole - 0.5
    smaller = make(None, PNG, 80, ("webp",), 10)
    assert smaller is not None
    assert smaller.score is not None


def test_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a libvips that can't write AVIF there is a lossy WebP, and nothing where that is not allowed."""

    def refuse(*arguments: object, **options: object) -> bytes:
        raise pyvips.Error("no such operation")

    monkeypatch.setattr(pyvips.Image, "heifsave_buffer", refuse, raising=False)
    assert encoders() == {"webp"}
    maker._encoders.cache_clear()
    try:
        found = make(None, JPEG, 80, BOTH, 10)
        assert found is not None
        assert found.suffix == ".webp"
        assert make(None, JPEG, 80, ("avif",), 10) is None
    finally:
        maker._encoders.cache_clear()
    monkeypatch.undo()
    assert encoders() == {"avif", "webp"}


def test_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat PNG that lossless WebP makes smaller is not encoded with losses at all."""
    monkeypatch.setattr(searcher, "encoded", None)
    found = make(None, saved(screen().quantize(64), "PNG"), 80, BOTH, 10)
    assert found is not None
    assert found.score is None


def test_hopeless() -> None:
    """A target that would take more bytes than allowed ends the search at once, and gives nothing."""
    asked: list[int] = []
    noise = Image.frombytes("RGB", (96, 96), random.Random(1).randbytes(96 * 96 * 3))
    data = saved(noise, "JPEG", quality=30)
    info = sniff(data)
    assert info is not None
    before = shown(data, info)
    assert before is not None

    def counted(image: pyvips.Image, setting: int, media: str) -> bytes:
        asked.append(setting)
        return encoded(image, setting, media)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searcher, "encoded", counted)
        assert VariantSearch(before, target(Format.JPEG, 95, sealed=False), "avif", 2000, Looks()).result() is None
    assert len(asked) == 1


def searched(image: Image.Image, wanted: Target) -> tuple[Variant | None, pyvips.Image, pyvips.Image | None]:
    """What the search finds for an image, the image, and how the variant is shown."""
    data = saved(image, "PNG")
    info = sniff(data)
    assert info is not None
    before = shown(data, info)
    assert before is not None
    found = VariantSearch(before, wanted, "avif", 1e9, Looks()).result()
    return found, before.image, decoded_variant(found) if found else None


@pytest.mark.slow
@pytest.mark.parametrize("image", [photo(), soft()], ids=["opaque", "transparent"])
def test_places(image: Image.Image) -> None:
    """Places that miss their target raise the setting, however good the whole image looks."""
    _, _, poor = searched(image, Target(20, 0, 20))
    found, before, good = searched(image, Target(20, 76, 20))
    assert found is not None
    worst = [PlaceScorer(before).scores(after, LOSSY).worst for after in (poor, good)]
    assert worst[0] < 70
    assert worst[1] >= 75.5


@pytest.mark.slow
def test_structure() -> None:
    """What verify would refuse raises the setting, whatever the scores are."""
    found, before, after = searched(photo(), Target(20, 0, 90))
    assert found is not None
    assert acceptable(before, after, 90, LIKE) == ""
    poor, before, after = searched(photo(), Target(20, 0, 20))
    assert poor is not None
    assert acceptable(before, after, 90, LIKE)
    assert len(poor.data) < len(found.data)


@pytest.mark.slow
def test_large() -> None:
    """An image of which a sample is searched meets the target as a whole."""
    found, before, after = searched(photo().resize((1000, 650)), Target(70, 50, 70))
    assert found is not None
    assert avif_size(found.data) == (1000, 650)
    assert Scorer(before).score(after, LOSSY) >= 70


@pytest.mark.parametrize(
    "wanted", rest_slow([Target(99.9, 50, 80), Target(20, 99.9, 20), Target(20, 0, 99)], lambda row: row.whole > 90)
)
def test_out_of_reach(wanted: Target) -> None:
    """A look that no setting reaches gives no variant, after few trials."""
    noise = Image.frombytes("RGB", (96, 96), random.Random(1).randbytes(96 * 96 * 3))
    assert searched(noise, wanted)[0] is None


@pytest.mark.slow
def test_worst_place() -> None:
    """A small photograph on a large plain page decides the setting: every place meets its target."""
    page = Image.new("RGB", (1400, 1200), "white")
    page.paste(photo(), (900, 800))
    data = saved(page, "JPEG", quality=97)
    found = avif_of(data)
    alone = avif_of(saved(photo(), "JPEG", quality=97))
    assert len(found.data) > 0.7 * len(alone.data)


@pytest.mark.parametrize(
    "data", [saved(photo().resize(size), "PNG") for size in ((1, 1), (7, 5), (300, 3), (15, 200), (17, 16))]
)
def test_tiny(data: bytes) -> None:
    """Sides of a few pixels are no error."""
    info = sniff(data)
    assert info is not None
    before = shown(data, info)
    assert before is not None
    found = VariantSearch(before, target(Format.PNG, 80, sealed=False), "avif", 1e9, Looks()).result()
    assert found is None or looks_different(before, info, found, 80, Looks().measure) == ""


def test_what_is_judged() -> None:
    """A variant of another size, that is cut or that shows something else is refused."""
    info = sniff(JPEG)
    assert info is not None
    before = shown(JPEG, info)
    assert before is not None
    good = avif_of(JPEG)
    assert looks_different(before, info, good, 80, Looks().measure) == ""
    other = saved(photo().rotate(180), "AVIF", quality=95)
    small = saved(photo().resize((100, 65)), "AVIF", quality=95)
    for data in (other, small, good.data[:-200], b""):
        wrong = Variant(good.suffix, good.media_type, data, 90.0)
        assert looks_different(before, info, wrong, 80, Looks().measure)


SMALL = [
    saved(photo().resize((80, 52)), "JPEG", quality=95),
    saved(photo().resize((80, 52)), "PNG"),
    saved(cutout().resize((64, 64)), "PNG"),
    animated(clip(), "GIF", 100),
]


@pytest.mark.slow
@given(build.damaged(SMALL))
def test_damaged(data: bytes) -> None:
    """Whatever the bytes are, a variant shows what can be decoded, or there is an ordinary error."""
    try:
        found = make(None, data, 80, BOTH, 0)
    except (pyvips.Error, ValueError):
        return
    assert found is None or len(found.data) < len(data)


@pytest.mark.slow
@given(st.sampled_from(SMALL), build.damaged(SMALL))
def test_damaged_original(published: bytes, original: bytes) -> None:
    """A damaged original is an ordinary error or none at all."""
    try:
        found = make(original, published, 80, BOTH, 0)
    except (pyvips.Error, ValueError):
        return
    assert found is None or len(found.data) < len(published)
