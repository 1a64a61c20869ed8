"""Made pictures on which encoders fail visibly: each is drawn here, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFont

Drawing = Callable[[], Image.Image]

_SIZE = (480, 320)
_CODE = (
    "def shrink(data: bytes) -> bytes:",
    '    """Return the picture in fewer bytes."""',
    "    for part in parts(data, Format.PNG):",
    "        if part.kind == 'IDAT':  # pixels",
    "            yield inflate(part.body)",
    "    return b''.join(kept)",
)
_INKS = ((255, 121, 198), (241, 250, 140), (139, 233, 253), (98, 114, 164), (80, 250, 123), (248, 248, 242))


def red_text_on_dark() -> Image.Image:
    """Saturated red text on a dark ground: what 4:2:0 smears."""
    image = Image.new("RGB", _SIZE, (24, 24, 28))
    draw = ImageDraw.Draw(image)
    for line in range(16):
        draw.text((12, 10 + 19 * line), "ERROR: connection refused, giving up after 3 tries", fill=(255, 30, 30))
    return image


def thin_lines() -> Image.Image:
    """Lines of one pixel in many directions and colours."""
    image = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(image)
    for step in range(0, 480, 12):
        draw.line((step, 0, 479 - step, 319), fill=(step // 2, 60, 255 - step // 2))
        draw.line((0, step * 2 // 3, 479, 319 - step * 2 // 3), fill=(30, step // 3, 90))
    return image


def gradient() -> Image.Image:
    """A smooth gradient of many colours: what a palette turns into bands."""
    image = Image.new("RGB", _SIZE)
    pixels = [(x * 255 // 479, y * 255 // 319, 255 - (x + y) * 255 // 798) for y in range(320) for x in range(480)]
    image.putdata(pixels)
    return image


def dithering() -> Image.Image:
    """A picture that is dithered already."""
    return gradient().quantize(64, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")


def code() -> Image.Image:
    """A screenshot of code on a dark theme, with soft edges as a browser draws them."""
    large = Image.new("RGB", (960, 640), (40, 42, 54))
    draw = ImageDraw.Draw(large)
    font = ImageFont.load_default(size=26)
    for line in range(18):
        draw.text((24, 12 + 34 * line), f"{line + 1:2}  {_CODE[line % 6]}", fill=_INKS[line % 6], font=font)
    return large.resize(_SIZE, Image.Resampling.LANCZOS)


def transparent_diagram() -> Image.Image:
    """A diagram with soft edges and shadows on a transparent ground, dark and light ink."""
    large = Image.new("RGBA", (960, 640), (0, 0, 0, 0))
    draw = ImageDraw.Draw(large)
    font = ImageFont.load_default(size=40)
    for number, colour in enumerate(((33, 150, 243), (244, 67, 54), (76, 175, 80), (255, 193, 7))):
        left, top = 60 + 460 * (number % 2), 60 + 300 * (number // 2)
        draw.rounded_rectangle((left + 12, top + 12, left + 392, top + 212), 40, fill=(0, 0, 0, 90))
        draw.rounded_rectangle((left, top, left + 380, top + 200), 40, fill=(*colour, 255), outline="black", width=6)
        draw.text((left + 60, top + 70), f"service {number}", fill="white", font=font)
    draw.line((440, 160, 520, 160), fill="black", width=8)
    return large.resize(_SIZE, Image.Resampling.LANCZOS)


def photograph() -> Image.Image:
    """Noise in soft shapes, as a photograph has it."""
    chance = random.Random(7)
    small = Image.new("RGB", (60, 40))
    small.putdata([tuple(chance.randrange(30, 220) for _ in range(3)) for _ in range(2400)])
    soft = small.resize(_SIZE, Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", _SIZE, chance.randbytes(480 * 320)).convert("RGB")
    return Image.blend(soft, grain, 0.06)


def soft_sky() -> Image.Image:
    """A sky of slow gradients in which a camera left a little noise: where a palette shows bands."""
    chance = random.Random(11)
    colours = [(90, 120, 170), (150, 170, 205), (205, 190, 190), (235, 205, 180)]
    small = Image.new("RGB", (2, 4))
    small.putdata([tuple(value + 6 * side for value in colour) for colour in colours for side in range(2)])
    sky = small.resize(_SIZE, Image.Resampling.BICUBIC)
    noise = Image.frombytes("RGB", _SIZE, bytes(chance.choices(range(3), k=3 * 480 * 320)))
    return ImageChops.add(sky, noise)


def photograph_on_page() -> Image.Image:
    """A photograph on a white page of text, about a twelfth of it."""
    image = Image.new("RGB", (960, 640), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=20)
    for line in range(24):
        draw.text((30, 16 + 26 * line), f"{line + 1}. Press the button until the light turns green", "black", font=font)
    image.paste(photograph().resize((280, 188), Image.Resampling.LANCZOS), (640, 400))
    return image


def dark_theme() -> Image.Image:
    """Panels of a dark theme that differ by a few levels, with shadows, coloured dots and dim text."""
    large = Image.new("RGB", (960, 640), (18, 18, 20))
    draw = ImageDraw.Draw(large)
    font = ImageFont.load_default(size=28)
    for number in range(8):
        left, top = 30 + 465 * (number % 2), 24 + 152 * (number // 2)
        for depth in range(12):
            box = (left + depth, top + depth, left + 436 - depth, top + 132 - depth)
            draw.rounded_rectangle(box, 20, fill=(20 + depth, 20 + depth, 23 + depth))
        draw.ellipse((left + 24, top + 44, left + 64, top + 84), fill=_INKS[number % 6])
        draw.text((left + 90, top + 46), f"worker {number}: waiting", fill=(96, 98, 110), font=font)
    return large.resize(_SIZE, Image.Resampling.LANCZOS)


def circuit_board() -> Image.Image:
    """A photograph of a green board, with thin red lines and labels drawn over it as instructions do."""
    chance = random.Random(5)
    small = Image.new("RGB", (120, 80))
    small.putdata([(20 + rise // 3, 70 + rise, 50 + rise // 2) for rise in chance.choices(range(60), k=9600)])
    board = small.resize(_SIZE, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(board)
    for _ in range(60):
        left, top = chance.randrange(470), chance.randrange(310)
        draw.rectangle(
            (left, top, left + chance.randrange(6, 40), top + 8), fill=(170, 165, chance.randrange(120, 170))
        )
    grain = Image.frombytes("L", _SIZE, chance.randbytes(480 * 320)).convert("RGB")
    board = Image.blend(board, grain, 0.05)
    draw = ImageDraw.Draw(board)
    for number in range(9):
        end = (30 + 50 * number, 20 + 30 * number)
        draw.line((20 + 30 * number, 300, *end), fill=(230, 20, 20))
        draw.text(end, f"JP{number}", fill=(255, 40, 40))
    return board


PICTURES: dict[str, Drawing] = {
    drawing.__name__: drawing
    for drawing in (
        *(red_text_on_dark, thin_lines, gradient, dithering, code, transparent_diagram, photograph),
        *(soft_sky, photograph_on_page, dark_theme, circuit_board),
    )
}


def saved(drawn: str | Image.Image, format: str) -> bytes:
    """Return a picture, or the one of that name, as PNG, or at high quality as JPEG or WebP."""
    image = PICTURES[drawn]() if isinstance(drawn, str) else drawn
    out = BytesIO()
    if format == "jpeg":
        image.convert("RGB").save(out, "jpeg", quality=97, subsampling=0)
    elif format == "webp":
        image.save(out, "webp", quality=98)
    else:
        image.save(out, "png")
    return out.getvalue()


def recording() -> bytes:
    """Return a GIF of a screen on which code is typed, each frame with a little noise, as screen recorders leave it."""
    chance = random.Random(5)
    whole = code()
    frames = []
    for step in range(8):
        frame = Image.new("RGB", _SIZE, (40, 42, 54))
        frame.paste(whole.crop((0, 0, 480, 40 * step + 40)), (0, 0))
        noise = Image.frombytes("L", _SIZE, bytes(chance.choices(range(5), k=480 * 320))).convert("RGB")
        frames.append(ImageChops.add(frame, noise))
    colours = frames[-1].quantize(256, dither=Image.Dither.NONE)
    drawn = [frame.quantize(palette=colours, dither=Image.Dither.NONE) for frame in frames]
    out = BytesIO()
    drawn[0].save(out, "gif", save_all=True, append_images=drawn[1:], duration=120, loop=0)
    return out.getvalue()
