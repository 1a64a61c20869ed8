"""Facts about a cache entry as bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.cache import record
from imgshrink.core.model import Entry, Verdict

PLAIN = [verdict for verdict in Verdict if verdict is not Verdict.BETTER]
NUMBERS = st.integers(-(2**62), 2**62)
REST = {"reason": st.text(max_size=50), "engine": st.text(max_size=20), "stored": NUMBERS, "verify": NUMBERS}
ENTRIES = st.one_of(
    st.builds(Entry, st.just(Verdict.BETTER), st.binary(min_size=1, max_size=200), quality=NUMBERS, **REST),
    st.builds(Entry, st.sampled_from(PLAIN), st.just(b""), quality=NUMBERS, **REST),
    st.builds(Entry, st.just(Verdict.VARIANT), st.binary(max_size=200), quality=NUMBERS, **REST),
)
ENTRY = Entry(Verdict.BETTER, b"bytes of an image", "", "builtin", 1_700_000_000, 1, 80)


def sealed(key: str, fields: object, data: bytes) -> bytes:
    """A record whose hash is right, with other fields than ours."""
    written = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    payload = len(written).to_bytes(4, "big") + written + data
    return record.VERSION + record._digest(key, payload) + payload


def fields(**changed: object) -> dict[str, object]:
    """The fields of a record, some of them changed."""
    whole: dict[str, object] = {
        "verdict": "better", "reason": "", "engine": "", "stored": 1, "verify": 1, "quality": 80,
    }  # fmt: skip
    return whole | changed


@given(key=st.text(max_size=70), entry=ENTRIES)
def test_what_was_encoded_is_decoded(key: str, entry: Entry) -> None:
    """A record gives back the entry that it was made from."""
    assert entry == record.decode(key, record.encode(key, entry))


@given(data=st.binary(max_size=300))
def test_anything_else_is_no_record(data: bytes) -> None:
    """Bytes that are no record decode to None, and nothing is raised."""
    assert record.decode("key", data) is None
    assert record.decode("key", record.VERSION + data) is None


@given(payload=st.binary(max_size=300))
def test_a_right_hash_makes_no_entry(payload: bytes) -> None:
    """What stands under a right hash is still checked: anybody can compute one."""
    assert record.decode("key", record.VERSION + record._digest("key", payload) + payload) is None


@given(cut=st.integers(0, len(record.encode("key", ENTRY)) - 1))
def test_a_record_cut_short_is_none(cut: int) -> None:
    """A record that ends early is no record."""
    assert record.decode("key", record.encode("key", ENTRY)[:cut]) is None


@given(place=st.integers(0, len(record.encode("key", ENTRY)) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place: int, bit: int) -> None:
    """No bit of a record can change unnoticed."""
    damaged = bytearray(record.encode("key", ENTRY))
    damaged[place] ^= 1 << bit
    assert record.decode("key", bytes(damaged)) is None


def test_a_long_reason_is_cut() -> None:
    """A reason of any length and letters makes a record that can be read again."""
    entry = record.decode("key", record.encode("key", Entry(Verdict.REFUSED, reason="\U0001f5bc" * 10**6)))
    assert entry is not None
    assert entry.reason == "\U0001f5bc" * 1000


def test_a_record_belongs_to_its_key() -> None:
    """A record moved under another key is no record there."""
    assert record.decode("other", record.encode("key", ENTRY)) is None
    assert record.decode("ke", record.encode("key", ENTRY)) is None


def test_the_helper_makes_records() -> None:
    """A record built by hand decodes, so that the refusals below are for their own reason."""
    assert record.decode("key", sealed("key", fields(), b"x")) == Entry(Verdict.BETTER, b"x", "", "", 1, 1, 80)


@pytest.mark.parametrize(
    "changed",
    [
        {"verdict": "best"},
        {"verdict": 1},
        {"verdict": "not-smaller"},
        {"reason": None},
        {"stored": 1.5},
        {"stored": True},
        {"quality": "80"},
        {"extra": 1},
    ],
    ids=str,
)
def test_fields_are_of_their_kind(changed: dict[str, object]) -> None:
    """A field of the wrong kind, an unknown one, and data where there may be none are refused."""
    assert record.decode("key", sealed("key", fields(**changed), b"x")) is None


@pytest.mark.parametrize(
    "text", [b"[]", b"{}", b"null", b"[" * 60000, b"1" * 10000, b"\xff"], ids=lambda text: repr(text[:5])
)
def test_fields_that_are_no_object(text: bytes) -> None:
    """JSON that is not the fields, or too deep, or too long a number, is refused and raises nothing."""
    assert record.decode("key", sealed("key", text, b"x")) is None


def test_better_needs_bytes() -> None:
    """An entry that claims better bytes and has none is refused."""
    assert record.decode("key", sealed("key", fields(), b"")) is None


def test_fields_are_bounded() -> None:
    """Fields longer than 64 KiB are not even parsed."""
    assert record.decode("key", sealed("key", fields(reason="x" * record.MAX_FIELDS), b"x")) is None
