"""Palettes for photographs: chosen in the space that SSIMULACRA2 compares in, as exact as libvips allows."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
import pyvips

from imgshrink.engines.builtin.exact import ExactScorer
from imgshrink.engines.builtin.palette import is_full, quantized, quantized_to_sight
from imgshrink.engines.builtin.score import on
from places import IMAGES
from screenshots import saved

HASHED = f"""
import hashlib, sys, pyvips
from imgshrink.engines.builtin.palette import quantized_to_sight
image = pyvips.Image.new_from_file({str(IMAGES / "camera.jpg")!r})
print(hashlib.sha256(quantized_to_sight(image.copy_memory())).hexdigest())
"""


@pytest.fixture(scope="module")
def board() -> pyvips.Image:
    """A photograph with thin red lines, in memory."""
    return pyvips.Image.new_from_buffer(saved("circuit_board", "png"), "").copy_memory()


def decoded(data: bytes) -> pyvips.Image:
    """Return the pixels of a PNG."""
    return pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory()


def test_photograph_looks_better(board):
    """The worst place of a photograph gains by the choice of colours, as SSIMULACRA2 sees it."""
    scorer = ExactScorer(board)
    plain, seen = (scorer.scores(decoded(each(board, 100))) for each in (quantized, quantized_to_sight))
    assert seen.whole > plain.whole
    assert min(seen.places) > min(plain.places)


def test_colours_are_the_means_of_their_pixels(board):
    """No part of the image is tinted: its mean colour stays within half a level."""
    result = decoded(quantized_to_sight(board))
    assert is_full(quantized_to_sight(board))
    for band in range(3):
        assert result[band].avg() == pytest.approx(board[band].avg(), abs=0.5)


def test_flat_colours_stay(board):
    """White, black and a flat colour beside a photograph are not tinted by its pixels."""
    flat = [[255, 255, 255], [0, 0, 0], [37, 99, 235]]
    panels = [(pyvips.Image.black(board.width, 96, bands=3) + colour).cast("uchar") for colour in flat]
    joined = board
    for panel in panels:
        joined = joined.join(panel, "vertical")
    result = decoded(quantized_to_sight(joined.copy(interpretation="srgb").copy_memory()))
    for number, colour in enumerate(flat):
        assert result(10, board.height + 96 * number + 48) == colour


def test_alpha_stays():
    """What is transparent stays so, and what is opaque looks as it did."""
    image = pyvips.Image.new_from_buffer(saved("transparent_diagram", "png"), "").copy_memory()
    result = decoded(quantized_to_sight(image))
    assert result.bands == 4
    assert (result[3] - image[3]).abs().max() <= 16
    for background in (0, 255):
        assert ExactScorer(on(image, background)).scores(on(result, background)).whole > 90


@pytest.mark.slow
def test_same_bytes_with_any_number_of_threads():
    """Threads of libvips change no byte."""
    found = {
        subprocess.run(
            [sys.executable, "-c", HASHED],
            env=os.environ | {"VIPS_CONCURRENCY": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "8")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == len(hashlib.sha256().hexdigest())
