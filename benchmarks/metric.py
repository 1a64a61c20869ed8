"""SSIMULACRA2 of two images as a viewer sees them, by the codecs' own implementation in libvips operations."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import pyvips
from PIL import Image, ImageFile

from imgshrink.engines.builtin.ssimulacra2 import SCALES, Original

ImageFile.LOAD_TRUNCATED_IMAGES = True
Image.MAX_IMAGE_PIXELS = None

CROP = 768
"""Pixels: the side of the central part that is compared, so that a large picture costs no more than a second."""

LEAST = 8 << (SCALES - 1)
"""Pixels: the side that six scales need. The metric counts its weights on over the scales that are there, so that with
fewer a picture is weighed by those of other scales, 5 to 19 points too low; smaller ones are mirrored around."""

GROUNDS = (0, 255)
_FRAMES = 5


def score(original: bytes, candidate: bytes) -> float:
    """Return the lowest SSIMULACRA2 over the grounds black and white and over five frames; 100 for equal bytes."""
    if original == candidate:
        return 100.0
    return min(_score(before, after) for before, after in _pairs(original, candidate))


def score_arrays(before: np.ndarray, after: np.ndarray) -> float:
    """Return SSIMULACRA2 of two RGB arrays of equal shape, 0..255."""
    return _score(before.astype(np.uint8), after.astype(np.uint8))


def views(data: bytes, frame: float = 0.0) -> list[np.ndarray]:
    """Return the central part of the frame shown at `frame` (0..1 of the duration), on black and on white."""
    image = Image.open(io.BytesIO(data))
    _seek(image, frame)
    image = image.convert("RGBA" if _transparent(image) else "RGB")
    left, top = (max(0, side - CROP) // 2 for side in image.size)
    image = image.crop((left, top, left + min(CROP, image.width), top + min(CROP, image.height)))
    if image.mode == "RGB":
        return [np.asarray(image)]
    return [_on(image, ground) for ground in GROUNDS]


def _pairs(original: bytes, candidate: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    frames = getattr(Image.open(io.BytesIO(original)), "n_frames", 1)
    moments = [0.0] if frames == 1 else [index / _FRAMES for index in range(_FRAMES)]
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for moment in moments:
        pairs += zip(views(original, moment), views(candidate, moment), strict=False)
    return pairs


def _seek(image: Image.Image, moment: float) -> None:
    """Go to the frame shown at `moment` of the total duration."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or moment == 0:
        return
    durations = []
    for index in range(frames):
        image.seek(index)
        durations.append(image.info.get("duration", 0) or 0)
    target, passed = moment * sum(durations), 0
    for index, duration in enumerate(durations):
        passed += duration
        if passed > target:
            image.seek(index)
            return


def _transparent(image: Image.Image) -> bool:
    return "transparency" in image.info or image.mode in ("RGBA", "LA", "PA")


def _on(image: Image.Image, ground: int) -> np.ndarray:
    under = Image.new("RGBA", image.size, (ground,) * 3 + (255,))
    return np.asarray(Image.alpha_composite(under, image).convert("RGB"))


def _score(before: np.ndarray, after: np.ndarray) -> float:
    if before.shape == after.shape and np.array_equal(before, after):
        return 100.0
    before, after = _large_enough(before), _large_enough(after)
    return _prepared(before.tobytes(), before.shape).scores(_image(after))[0]


def _large_enough(image: np.ndarray) -> np.ndarray:
    lacking = [max(0, LEAST - side) for side in image.shape[:2]]
    around = [(lack // 2, lack - lack // 2) for lack in lacking]
    return np.pad(image, (*around, (0, 0)), mode="symmetric")


@lru_cache(maxsize=4)
def _prepared(pixels: bytes, shape: tuple[int, ...]) -> Original:
    return Original(_image(np.frombuffer(pixels, np.uint8).reshape(shape)))


def _image(pixels: np.ndarray) -> pyvips.Image:
    height, width, bands = pixels.shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, bands, "uchar")
    return image.copy(interpretation="srgb")
