"""What verify must refuse: images changed in ways that a person notices, each way in several strengths.

Pillow alone, and a seed: the same alterations on every machine. `ALTERATIONS` change a given image, `DRAWN` draw a page
twice, once with other text or without a line. Strengths are ordered from weak to strong; `noticed` is the weakest that
a person notices side by side at 100 %, `None` as a strength's result means that the image has no place for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageStat

Change = Callable[[Image.Image, float, random.Random], Image.Image | None]


@dataclass(frozen=True)
class Alteration:
    """One way to alter an image, and its strengths; from `noticed` on a person notices it side by side."""

    name: str
    change: Change
    strengths: Sequence[float]
    noticed: float

    def seen(self, strength: float) -> bool:
        """Tell whether a person notices this strength."""
        return self.strengths.index(strength) >= self.strengths.index(self.noticed)


def mosaic(image: Image.Image, side: float, _: random.Random) -> Image.Image:
    """Replace squares of `side` pixels by their mean."""
    small = image.reduce(int(side))
    return small.resize((small.width * int(side), small.height * int(side)), Image.Resampling.NEAREST).crop(
        (0, 0, *image.size)
    )


def resolution(image: Image.Image, parts: float, _: random.Random) -> Image.Image:
    """Keep one `parts`-th of the resolution."""
    small = image.resize((max(1, round(image.width / parts)), max(1, round(image.height / parts))))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def blur(image: Image.Image, sigma: float, _: random.Random) -> Image.Image:
    """Blur as a Gaussian of `sigma` pixels does."""
    return image.filter(ImageFilter.GaussianBlur(sigma))


def sharpened(image: Image.Image, percent: float, _: random.Random) -> Image.Image:
    """Sharpen by an unsharp mask."""
    return image.filter(ImageFilter.UnsharpMask(2, int(percent), 0))


def shifted(image: Image.Image, pixels: float, _: random.Random) -> Image.Image:
    """Move everything right."""
    moved = image.copy()
    moved.paste(image, (int(pixels), 0))
    return moved


def posterized(image: Image.Image, levels: float, _: random.Random) -> Image.Image:
    """Keep so many levels a channel: bands in gradients."""
    step = 256 / levels
    table = [round((value // step + 0.5) * step) for value in range(256)]
    bands = image.split()
    return Image.merge(image.mode, [band.point(table) for band in bands[:3]] + list(bands[3:]))


def brighter(image: Image.Image, levels: float, _: random.Random) -> Image.Image:
    """Brighten or, where it is bright, darken everything."""
    return _colours(image, lambda part: _lighter(part, levels))


def saturated(image: Image.Image, percent: float, _: random.Random) -> Image.Image | None:
    """Take saturation from everything, where an area of 32 x 32 pixels has colour."""
    if _chroma(image.convert("RGB")).reduce(32).getextrema()[1] < 30:
        return None
    return _colours(image, lambda part: ImageEnhance.Color(part).enhance(1 - percent / 100))


def brighter_part(image: Image.Image, levels: float, chance: random.Random) -> Image.Image | None:
    """Brighten a part of 48 x 48 pixels."""
    return _on_part(image, chance, (48, 48), lambda part: _lighter(part, levels))


def hue_of_part(image: Image.Image, degrees: float, chance: random.Random) -> Image.Image | None:
    """Turn the hue of a part of 96 x 64 pixels that has colour."""
    return _on_part(image, chance, (96, 64), lambda part: _turned(part, degrees), _colourful)


def saturation_of_part(image: Image.Image, percent: float, chance: random.Random) -> Image.Image | None:
    """Take saturation from a part of 96 x 64 pixels that has colour."""
    return _on_part(
        image, chance, (96, 64), lambda part: ImageEnhance.Color(part).enhance(1 - percent / 100), _colourful
    )


def patch_painted_over(image: Image.Image, height: float, chance: random.Random) -> Image.Image | None:
    """Paint a word's worth of pixels over with the colour that is most frequent there."""
    return _on_part(image, chance, (int(3 * height), int(height)), _painted, _detailed)


def patch_moved(image: Image.Image, pixels: float, chance: random.Random) -> Image.Image | None:
    """Move what stands in a part of 80 x 24 pixels."""
    return _on_part(image, chance, (80, 24), lambda part: ImageChops.offset(part, int(pixels), 0), _detailed)


def patch_mosaic(image: Image.Image, side: float, chance: random.Random) -> Image.Image | None:
    """Make a mosaic of a part of 80 x 24 pixels."""
    return _on_part(image, chance, (80, 24), lambda part: mosaic(part, side, chance), _detailed)


def icon_erased(image: Image.Image, side: float, chance: random.Random) -> Image.Image | None:
    """Erase a square with details."""
    return _on_part(image, chance, (int(side), int(side)), _painted, _detailed)


def line_erased(image: Image.Image, contrast: float, chance: random.Random) -> tuple[Image.Image, Image.Image]:
    """Return the image with a line of one pixel and 120 pixels' length drawn on it, opaque, and without it."""
    left, top = chance.randrange(max(1, image.width - 120)), chance.randrange(image.height)
    with_line = image.copy()
    box = (left, top, min(image.width, left + 120), top + 1)
    line = _lighter(image.crop(box).convert("RGB"), contrast)
    with_line.paste(line.convert(image.mode), box)
    return with_line, image


def shadow_dropped(image: Image.Image, alpha: float, _: random.Random) -> Image.Image | None:
    """Drop everything that is more transparent than `alpha`, as binary transparency does with a shadow."""
    if image.mode != "RGBA":
        return None
    bands = image.split()
    return Image.merge("RGBA", [*bands[:3], bands[3].point([0 if value <= alpha else value for value in range(256)])])


def more_transparent(image: Image.Image, levels: float, _: random.Random) -> Image.Image | None:
    """Lower the alpha of everything that is not transparent."""
    if image.mode != "RGBA":
        return None
    bands = image.split()
    return Image.merge("RGBA", [*bands[:3], bands[3].point([max(0, value - int(levels)) for value in range(256)])])


def badly_encoded(image: Image.Image, quality: float, _: random.Random) -> Image.Image:
    """Encode as a JPEG of low quality."""
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=int(quality))
    coarse = Image.open(buffer).convert("RGB")
    return Image.merge("RGBA", [*coarse.split(), image.getchannel("A")]) if image.mode == "RGBA" else coarse


def mirrored_part(image: Image.Image, side: float, chance: random.Random) -> Image.Image | None:
    """Mirror a square with details, as an arrow that points the other way."""
    return _on_part(
        image, chance, (int(side), int(side)), lambda part: part.transpose(Image.Transpose.FLIP_LEFT_RIGHT), _detailed
    )


def channels_exchanged(image: Image.Image, side: float, chance: random.Random) -> Image.Image | None:
    """Exchange red and blue in a square that has colour."""
    return _on_part(image, chance, (int(side), int(side)), _exchanged, _colourful)


ALTERATIONS = (
    Alteration("mosaic", mosaic, (2, 3, 4, 8), 3),
    Alteration("1/n of the resolution", resolution, (2, 3, 4), 3),
    Alteration("blur", blur, (0.7, 1, 1.5, 2, 3), 2),
    Alteration("sharpened", sharpened, (50, 100, 200, 300), 300),
    Alteration("shifted", shifted, (1, 2, 3), 1),
    Alteration("levels left (bands)", posterized, (32, 16, 8, 4), 4),
    Alteration("brightness of all", brighter, (5, 10, 20), 10),
    Alteration("saturation of all", saturated, (10, 20, 40, 60, 100), 100),
    Alteration("brightness of a part", brighter_part, (5, 10, 20, 30), 10),
    Alteration("hue of a part", hue_of_part, (10, 20, 40, 90), 40),
    Alteration("saturation of a part", saturation_of_part, (10, 20, 40, 60), 60),
    Alteration("part painted over", patch_painted_over, (12, 16, 24), 12),
    Alteration("part moved", patch_moved, (1, 2, 3), 1),
    Alteration("mosaic of a part", patch_mosaic, (3, 4, 8), 8),
    Alteration("icon erased", icon_erased, (8, 12, 16), 12),
    Alteration("icon mirrored", mirrored_part, (12, 16, 24), 16),
    Alteration("red and blue exchanged", channels_exchanged, (24, 48), 24),
    Alteration("shadow dropped", shadow_dropped, (20, 40, 60, 110), 110),
    Alteration("more transparent", more_transparent, (10, 20, 40), 20),
    Alteration("JPEG of quality", badly_encoded, (20, 10, 5), 5),
)


def visible(before: Image.Image, after: Image.Image) -> bool:
    """Tell whether an alteration shows at all, on black or on white: nothing that an eye sees changes in a flat image.

    100 pixels differ by 8 levels of luma, or by 24 of a channel, when both images are a little out of focus.
    """
    return any(_changed(_soft(before, ground), _soft(after, ground)) >= 100 for ground in ("black", "white"))


def _soft(image: Image.Image, ground: str) -> Image.Image:
    if image.mode == "RGBA":
        below = Image.new("RGBA", image.size, ground)
        below.alpha_composite(image)
        image = below.convert("RGB")
    return image.filter(ImageFilter.GaussianBlur(1))


def _changed(before: Image.Image, after: Image.Image) -> int:
    luma = ImageChops.difference(before.convert("L"), after.convert("L")).point(lambda value: 255 * (value >= 8))
    bands = [band.point(lambda value: 255 * (value >= 24)) for band in ImageChops.difference(before, after).split()]
    seen = luma
    for band in bands:
        seen = ImageChops.lighter(seen, band)
    return seen.histogram()[255]


def _chroma(part: Image.Image) -> Image.Image:
    red, green, blue = part.split()
    top = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return ImageChops.subtract(top, ImageChops.darker(ImageChops.darker(red, green), blue))


def _colours(image: Image.Image, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    if image.mode != "RGBA":
        return change(image)
    return Image.merge("RGBA", [*change(image.convert("RGB")).split(), image.getchannel("A")])


def _lighter(image: Image.Image, levels: float) -> Image.Image:
    step = levels if ImageStat.Stat(image.convert("L")).mean[0] < 128 else -levels
    return image.point([min(255, max(0, round(value + step))) for value in range(256)] * len(image.getbands()))


def _turned(image: Image.Image, degrees: float) -> Image.Image:
    hue, *others = image.convert("HSV").split()
    turned = hue.point([(value + round(degrees * 256 / 360)) % 256 for value in range(256)])
    return Image.merge("HSV", [turned, *others]).convert("RGB")


def _exchanged(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", [blue, green, red])


def _painted(part: Image.Image) -> Image.Image:
    """A flat area in the colour that is most frequent."""
    colours = part.getcolors(part.width * part.height) or [(1, 0)]
    return Image.new(part.mode, part.size, max(colours)[1])


def _detailed(part: Image.Image) -> bool:
    """Tell whether something stands there that a person reads or sees: a sixth of the pixels stand out by 40 levels."""
    grey = part.convert("L")
    ground = max(grey.getcolors(256) or [(0, 0)])[1]
    histogram = grey.histogram()
    outside = sum(count for value, count in enumerate(histogram) if abs(value - ground) > 40)
    return outside > part.width * part.height / 6


def _colourful(part: Image.Image) -> bool:
    return ImageStat.Stat(_chroma(part)).mean[0] > 70


def _on_part(
    image: Image.Image,
    chance: random.Random,
    size: tuple[int, int],
    change: Callable[[Image.Image], Image.Image],
    fits: Callable[[Image.Image], bool] = lambda _: True,
) -> Image.Image | None:
    """Return the image with one opaque part changed, None where 300 tries found none that fits."""
    width, height = size
    if image.width < width or image.height < height:
        return None
    for _ in range(300):
        left, top = chance.randrange(image.width - width + 1), chance.randrange(image.height - height + 1)
        box = (left, top, left + width, top + height)
        part = image.crop(box)
        opaque = image.mode != "RGBA" or part.getchannel("A").getextrema()[0] == 255
        bare = part.convert("RGB")
        if opaque and fits(bare):
            altered = image.copy()
            altered.paste(change(bare).convert("RGB"), box)
            return altered
    return None


TEXT = {
    "digit 8 > 3": ("port 8080", "port 8030"),
    "digit 1 > 7": ("version 2.14", "version 2.74"),
    "letter": ("read the file", "reed the file"),
    "word": ("Enabled", "Disabled"),
    "word of the same length": ("allow all", "block all"),
    "point": ("12.50 MB", "1250 MB"),
    "minus": ("-40 dB", "40 dB"),
    "erased": ("not for production", ""),
}
"""What stands on a drawn page, and what an altered one says instead."""

SINGLE_GLYPHS = ("digit 8 > 3", "digit 1 > 7", "letter", "point", "minus")
"""Below 14 pixels these, and below 16 one letter, are like the noise of a JPEG; see the page "How it works"."""


@dataclass(frozen=True)
class Page:
    """A drawn page: one line of `TEXT` between others, and a rule under it."""

    kind: str
    size: int
    contrast: int
    dark: bool
    seed: int

    @property
    def hard(self) -> bool:
        """Whether the alteration is one that cannot be told from the noise of honest encoders."""
        least = 16 if self.kind == "letter" else 14
        return self.contrast < 40 or (self.kind in SINGLE_GLYPHS and (self.size < least or self.contrast < 100))

    def both(self) -> tuple[Image.Image, Image.Image]:
        """Return the page as it should be, and altered."""
        return self._drawn(TEXT[self.kind][0]), self._drawn(TEXT[self.kind][1])

    def _drawn(self, text: str) -> Image.Image:
        chance = random.Random(self.seed)
        ground = chance.randrange(0, 40) if self.dark else chance.randrange(215, 256)
        ink = ground + self.contrast if self.dark else ground - self.contrast
        image = Image.new("RGB", (320, 5 * self.size + 40), (ground, ground, ground))
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(size=self.size)
        left, colour = 8 + chance.random(), (ink, ink, min(255, ink + chance.randrange(12)))
        for line, words in enumerate(("Settings of the server", text, "Apply and restart now")):
            draw.text((left, 8 + line * round(1.5 * self.size)), words, fill=colour, font=font)
        draw.rectangle((0, image.height - 12, 320, image.height - 12), fill=colour)
        return image


def pages(sizes: Sequence[int] = (12, 14, 16, 20, 28), contrasts: Sequence[int] = (40, 60, 120, 200)) -> Iterator[Page]:
    """Yield pages of every kind, size and contrast, on light and on dark grounds by turns."""
    seed = 0
    for kind in TEXT:
        for size in sizes:
            for contrast in contrasts:
                seed += 1
                yield Page(kind, size, contrast, bool(seed % 2), seed)
