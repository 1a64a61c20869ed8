"""The seal: bound to every other byte, at one place, and gone without a trace."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imgshrink.containers import identify
from imgshrink.seal import COST, read_seal, seal, unseal
from making import SAMPLES


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name)
def image(request: pytest.FixtureRequest) -> bytes:
    return Path(request.param).read_bytes()


def test_unseal_gives_the_image_back(image: bytes) -> None:
    """Sealing and unsealing leaves every byte as it was."""
    assert image == unseal(seal(image, 80))


@pytest.mark.parametrize("quality", [1, 9, 10, 80, 99, 100])
def test_seal_says_its_quality(image: bytes, quality: int) -> None:
    """A seal is read back with the quality it was written with."""
    assert quality == read_seal(seal(image, quality))


def test_seal_costs_what_the_table_says(image: bytes) -> None:
    """A seal of a two-digit quality adds exactly the published number of bytes."""
    format = identify(image)
    assert format is not None
    assert len(image) + COST[format] == len(seal(image, 80))


def test_seal_holds_the_hash_of_the_image_without_it(image: bytes) -> None:
    """The mark's 16 digits are the first of the SHA-256 of the unsealed file."""
    assert b"imgshrink1 q80 " + hashlib.sha256(image).hexdigest()[:16].encode() in seal(image, 80)


def test_an_unsealed_image_has_no_seal(image: bytes) -> None:
    """An image that never was sealed reads as None, and unseal returns it as it is."""
    assert (None, image) == (read_seal(image), unseal(image))


def test_every_changed_byte_invalidates(image: bytes) -> None:
    """Whatever byte of a sealed file is changed, the seal is no longer valid."""
    sealed = seal(image, 80)
    for at in range(0, len(sealed), max(1, len(sealed) // 300)):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        assert read_seal(changed) is None, at
