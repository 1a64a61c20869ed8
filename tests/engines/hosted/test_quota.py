"""What an account has used and has left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.engines.hosted.quota import Quota, read_quota, rows
from json_values import json_values


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"data": {"limit": 100, "used": 63, "remaining": 37}}, Quota(100, 63, 37)),
        ({"limit": 100, "used": 63}, Quota(100, 63, 37)),
        ({"limit": 10, "used": 63}, Quota(10, 63, 0)),
        ({"remaining": "37"}, Quota(None, None, 37)),
        ({"data": {"quota": {"monthlyLimit": 5, "used": 1, "resetAt": "2026-12-01T00"}}}, Quota(5, 1, 4, "2026-12-01")),
        ({"remaining_quota": 0, "monthly_quota": 50, "resets": 1796083200}, Quota(50, None, 0, "2026-12-01")),
        ({"left": 5, "renews_on": 1796083200000}, Quota(None, None, 5, "2026-12-01")),
        ({"left": 5, "reset": "soon", "resets_at": "2026-12-01"}, Quota(None, None, 5, "2026-12-01")),
        ({"left": 5, "reset": 10**18}, Quota(None, None, 5)),
        ({"left": 5, "reset": 12}, Quota(None, None, 5)),
        ({"history": [{"used": 9}], "used": 3}, Quota(None, 3, None)),
        ({"limit": "many", "used": None, "left": -3}, Quota()),
        ({"limit": {"images": 5}}, Quota()),
        ({}, Quota()),
    ],
)  # fmt: skip
def test_quota(reply: dict[str, object], expected: Quota) -> None:
    """The quota is found under any of the usual names, at any depth; what is absent stays unknown."""
    assert read_quota(reply) == expected


def test_rows_show_everything() -> None:
    """Every field is shown as it came, in its order, known or not, with the names of its parents."""
    reply = {
        "success": True,
        "data": {"plan": "free", "trend": [{"month": "2026-10", "images": 4}], "paid": False, "x": None},
    }
    assert rows(reply) == [
        ("plan", "free"),
        ("trend.1", "month 2026-10, images 4"),
        ("paid", "no"),
        ("x", "-"),
    ]


def test_rows_without_an_envelope() -> None:
    """A reply without `data` is shown whole, but for `success`."""
    assert rows({"success": True, "used": 1.5, "on": True}) == [("used", "1.5"), ("on", "yes")]


def test_rows_are_bounded() -> None:
    """A reply of endless fields is cut, and a deep one is not followed for ever."""
    deep: dict[str, object] = {"end": 1}
    for _ in range(50):
        deep = {"deeper": deep}
    assert rows(deep) == []
    assert len(rows({str(number): number for number in range(5000)})) == 500


NAMES = ("limit", "used", "remaining", "reset", "data", "quota")


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), json_values, max_size=6))
def test_any_reply(reply: dict[str, object]) -> None:
    """No reply makes the readers raise, and every cell is printable."""
    read_quota(reply)
    assert all(name.isprintable() and value.isprintable() for name, value in rows(reply))
