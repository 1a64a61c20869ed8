"""Keys: everything that can change the output bytes takes part, and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.keys import cache_key, content_hash, done_key, variant_key
from imgshrink.core.model import Recipe

KEY = cache_key("content", Recipe(80), "builtin 1")


def test_content_hash_is_the_files_sha256() -> None:
    """Anyone can check a content hash with sha256sum."""
    assert hashlib.sha256(b"image").hexdigest() == content_hash(b"image")


def test_content_is_part_of_the_key() -> None:
    """Another image has another key."""
    assert cache_key("other", Recipe(80), "builtin 1") != KEY


def test_quality_is_part_of_the_key() -> None:
    """Another quality has another key."""
    assert cache_key("content", Recipe(81), "builtin 1") != KEY


def test_fingerprint_is_part_of_the_key() -> None:
    """Another engine, or another version of its codecs, has another key."""
    assert cache_key("content", Recipe(80), "builtin 2") != KEY


def test_every_field_of_the_recipe_is_part_of_the_key() -> None:
    """A wish added to the recipe later can't be forgotten in the key."""

    @dataclass(frozen=True)
    class RicherRecipe(Recipe):
        chroma: str = "4:2:0"

    assert cache_key("content", RicherRecipe(80), "f") != cache_key("content", RicherRecipe(80, chroma="4:4:4"), "f")


def test_key_is_the_same_on_every_machine() -> None:
    """The key is fixed by its parts alone; a change of this value throws every cache away."""
    assert KEY == "4bfb3791d74455fdcb53b48d4772234ba0ae1d173e889157b77619f6017bded7"


def test_done_and_result_of_one_content_differ() -> None:
    """Our output under its own hash is never taken for a result."""
    assert done_key("content") not in (cache_key("content", Recipe(80), ""), cache_key("", Recipe(80), "content"))


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_parts_do_not_run_together(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Different parts have different keys, also where their texts joined are equal."""
    same = cache_key(one[0], Recipe(80), one[1]) == cache_key(other[0], Recipe(80), other[1])
    assert same == (one == other)


def test_parts_that_join_to_the_same_text_have_different_keys() -> None:
    """The length goes before each part."""
    assert cache_key("ab", Recipe(80), "c") != cache_key("a", Recipe(80), "bc")


def test_a_fingerprint_that_is_not_unicode_has_a_key() -> None:
    """A version text with an undecodable byte in it does not stop a build."""
    assert len(cache_key("content", Recipe(80), "libvips \udcff")) == 64


VARIANT = variant_key("original", "published", Recipe(80), "builtin 1", ("webp", "avif"), 10)


def test_every_part_of_a_variant_is_part_of_its_key() -> None:
    """Another original, published image, quality, encoder, choice of formats or least gain has another key."""
    others = [
        variant_key("", "published", Recipe(80), "builtin 1", ("webp", "avif"), 10),
        variant_key("original", "other", Recipe(80), "builtin 1", ("webp", "avif"), 10),
        variant_key("original", "published", Recipe(81), "builtin 1", ("webp", "avif"), 10),
        variant_key("original", "published", Recipe(80), "builtin 2", ("webp", "avif"), 10),
        variant_key("original", "published", Recipe(80), "builtin 1", ("webp",), 10),
        variant_key("original", "published", Recipe(80), "builtin 1", ("webp", "avif"), 11),
    ]
    assert len({VARIANT, *others}) == 7


def test_order_of_formats_is_no_part_of_the_key() -> None:
    """Formats are a set, and a whole number is a number."""
    assert variant_key("original", "published", Recipe(80), "builtin 1", ["avif", "webp", "webp"], 10.0) == VARIANT
