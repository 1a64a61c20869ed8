"""Only what a known key has signed is believed, and only under its own name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.cache.signature import HEAD, ID, VERSION, Doubt, Genuine, InvalidKey, Keyring, Signer, new_secret
from shelves import PUBLIC, SECRET, SIGNER, STRANGER

KEYRING = Keyring((PUBLIC,))
NAME = "v1/ab/abcd"
RECORD = b"a record of some length"


@given(name=st.text(), record=st.binary(max_size=200))
def test_what_was_signed_is_believed(name: str, record: bytes) -> None:
    """A record comes back as it was, with the id of its key."""
    assert KEYRING.unseal(name, SIGNER.seal(name, record)) == Genuine(SIGNER.key_id, record)


@given(st.data())
def test_a_changed_bit(data: st.DataObject) -> None:
    """A blob with one bit changed, wherever, is not believed."""
    blob = bytearray(SIGNER.seal(NAME, RECORD))
    at = data.draw(st.integers(0, 8 * len(blob) - 1))
    blob[at // 8] ^= 1 << at % 8
    part = Doubt.UNSIGNED if at // 8 < len(VERSION) else Doubt.UNKNOWN if at // 8 < len(VERSION) + ID else Doubt.FORGED
    assert KEYRING.unseal(NAME, bytes(blob)) is part


@given(st.integers(0, HEAD + len(RECORD) - 1))
def test_a_blob_cut_off(length: int) -> None:
    """A blob that ends early is not believed."""
    doubt = KEYRING.unseal(NAME, SIGNER.seal(NAME, RECORD)[:length])
    assert doubt is (Doubt.UNSIGNED if length < HEAD else Doubt.FORGED)


@given(other=st.text(), added=st.binary(min_size=1))
def test_another_name_or_more_bytes(other: str, added: bytes) -> None:
    """A blob is believed neither under another name nor with something behind it."""
    blob = SIGNER.seal(NAME, RECORD)
    assert KEYRING.unseal(other + "x", blob) is Doubt.FORGED
    assert KEYRING.unseal(NAME, blob + added) is Doubt.FORGED


@given(name=st.text(), blob=st.binary(max_size=300), start=st.sampled_from([b"", VERSION]))
def test_any_bytes(name: str, blob: bytes, start: bytes) -> None:
    """Whatever bytes come, they are not believed, and nothing is raised."""
    assert isinstance(KEYRING.unseal(name, start + blob), Doubt)


def test_name_and_record_are_told_apart() -> None:
    """The end of a name can't become the start of a record."""
    blob = SIGNER.seal("ab", b"cd")
    moved = blob[:HEAD] + b"bcd"
    assert KEYRING.unseal("a", moved) is Doubt.FORGED


def test_unknown_keys() -> None:
    """What another key has signed is not believed; with two keys both are."""
    blob = STRANGER.seal(NAME, RECORD)
    assert KEYRING.unseal(NAME, blob) is Doubt.UNKNOWN
    both = Keyring((PUBLIC, STRANGER.public))
    assert both.unseal(NAME, blob) == Genuine(STRANGER.key_id, RECORD)
    assert both.ids == (SIGNER.key_id, STRANGER.key_id)


def test_another_keys_id() -> None:
    """A signature under the id of a key that did not make it is not believed."""
    theirs, ours = STRANGER.seal(NAME, RECORD), SIGNER.seal(NAME, RECORD)
    mixed = ours[: len(VERSION) + ID] + theirs[len(VERSION) + ID :]
    assert KEYRING.unseal(NAME, mixed) is Doubt.FORGED


@pytest.mark.parametrize(
    "text",
    ["", "short", PUBLIC, SECRET[:-1], SECRET + "A", SECRET[:-1] + "*", f"x{SECRET}"],
    ids=["empty", "short", "public", "cut", "too long", "another letter", "another beginning"],
)
def test_no_secret(text: str) -> None:
    """What is no secret is refused, and not quoted."""
    with pytest.raises(InvalidKey) as caught:
        Signer(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "short", PUBLIC[:-1], PUBLIC + "A", PUBLIC[:-1] + "*", SECRET],
    ids=["empty", "short", "cut", "too long", "another letter", "secret"],
)
def test_no_public_key(text: str) -> None:
    """What is no public key is refused, and not quoted."""
    with pytest.raises(InvalidKey) as caught:
        Keyring((text,))
    assert not text or text not in str(caught.value)


def test_a_signer_shows_no_secret() -> None:
    """Neither a signer nor a new secret's public key shows the secret."""
    secret = new_secret()
    signer = Signer(f" {secret}\n")
    assert len(signer.public) == 43
    assert secret[-20:] not in repr(signer) + str(signer) + signer.public
    assert new_secret() != secret
