"""What is left alone before anybody decodes it."""

from __future__ import annotations

import pytest

from imgshrink.core.model import Format, ImageInfo
from imgshrink.image.limits import unsupported


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (ImageInfo(Format.PNG, 8000, 8001), "megapixels"),
        (ImageInfo(Format.GIF, 1, 1, frames=5001), "frames are over"),
        (ImageInfo(Format.GIF, 1000, 1000, frames=513), "frames hold over 512 megapixels"),
        (ImageInfo(Format.WEBP, 1000, 1000, frames=257), "frames hold over 256 megapixels"),
        (ImageInfo(Format.PNG, 1000, 1000, frames=257), "frames hold over 256 megapixels"),
        (ImageInfo(Format.JPEG, 8, 8, arithmetic=True), "arithmetic coding"),
        (ImageInfo(Format.JPEG, 8, 8, image_count=2), "2 images"),
        (ImageInfo(Format.PNG, 8, 8, signed=True), "signed"),
    ],
)
def test_left_alone(info: ImageInfo, words: str) -> None:
    """Each limit has its reason."""
    assert words in unsupported(info)


def test_ordinary_image_is_not() -> None:
    """An ordinary image is for the engines."""
    assert unsupported(ImageInfo(Format.PNG, 800, 600)) == ""
    assert unsupported(ImageInfo(Format.GIF, 1000, 1000, frames=512)) == ""
