"""Tables of many cases: those that the plain tests try, and the others, which are slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
import pytest

PARTS = 6
"""Runs with `--part` that together run all slow tests."""

costly = hypothesis.settings(max_examples=min(100, hypothesis.settings().max_examples))
"""For properties of what takes milliseconds: at most 100 examples, also where the profile asks for more."""


def rest_slow(rows: Iterable[Any], plain: Callable[[Any], object]) -> list[Any]:
    """Return the rows of a parametrized table; those for which `plain` is false are marked as slow."""
    return [row if plain(row) else _slow(*(row if isinstance(row, tuple) else (row,))) for row in rows]


def _slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)
