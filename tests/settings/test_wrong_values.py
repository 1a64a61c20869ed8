"""Wrong values end in one line that names the place and the cure, never in a traceback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.errors import SettingsError
from imgshrink.settings.load import load
from imgshrink.settings.parsers import InvalidValue, RawValue, duration, per_cent, size, whole
from imgshrink.settings.schema import fields_of

NUMBERS = {"quality", "min_saving", "min_size", "jobs", "max_uploads", "max_time", "cache_size"} | {
    "pages_saving",
    "pages_eager",
}
TEXTS = [
    "9" * 400,
    "9" * 5000,
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1_000",
    "\u0661\u0662",
    "\u00b2",
    "0x10",
    "1,5",
    "+ 1",
]
VALUES = [10**400, -(10**400), 16**6000, -1, float("nan"), float("inf"), float("-inf"), 1e308, True, [], {}]


def error_of(folder: Path, **sources: Any) -> str:
    """Load settings that are wrong, and return the error."""
    with pytest.raises(SettingsError) as error:
        load(folder, environ={"HOME": os.environ["HOME"]} | sources.pop("environ", {}), **sources)
    return str(error.value)


def test_every_number_is_in_the_table() -> None:
    """A new setting that takes numbers has to be tried here."""
    parsers = {duration, per_cent, size}
    counted = {row.name for row in fields_of() if row.parse in parsers or row.parse.__qualname__.startswith("whole")}
    assert counted == NUMBERS


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("text", TEXTS, ids=map(str, range(len(TEXTS))))
def test_text_that_is_no_number(tmp_path: Path, name: str, text: str) -> None:
    """Numbers of hundreds of digits, below zero, without an end, or in other digits are refused as what they are."""
    said = error_of(tmp_path, environ={f"IMGSHRINK_{name.upper()}": text})
    assert said.startswith(f"IMGSHRINK_{name.upper()} is ")
    assert "; it must be " in said
    assert len(said) < 250
    assert error_of(tmp_path, arguments={name: text}).startswith("--" + name.replace("_", "-"))


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("value", VALUES, ids=map(str, range(len(VALUES))))
def test_value_that_is_no_number(tmp_path: Path, name: str, value: object) -> None:
    """The same for the numbers of TOML and YAML, which may be as long as they like."""
    assert error_of(tmp_path, mkdocs={name: value}).startswith(f"{name} in mkdocs.yml is ")


@pytest.mark.parametrize("parse", [duration, per_cent, size, whole(1, 100)])
@given(value=st.text(max_size=30) | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_parsers_of_numbers_raise_nothing_else(parse: Any, value: object) -> None:
    """Whatever a source holds, a parser returns a number that is not below zero, or says what is allowed."""
    for text in (False, True):
        try:
            number = parse(RawValue(value, text=text))
        except InvalidValue:
            continue
        assert number is None or 0 <= number < 2**63


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"paths": ["a"], "qualty": 90}, "row 2: qualty is not known: did you mean quality?"),
        ({"paths": ["a"], "strict": True}, "row 2: strict is not known: known are paths, quality, engine"),
        ({"paths": ["a"], 3: True}, "row 2: 3 is not known: known are paths, quality, engine"),
        ({"paths": ["a"], "quality": 900}, "row 2: quality is 900; it must be a whole number from 1 to 100"),
        ({"paths": ["a"], "engine": "local"}, "row 2: engine is 'local'; it must be auto, hosted or builtin"),
        ({"paths": 3, "quality": 90}, "row 2: paths is 3; it must be a list of gitignore patterns"),
        ({"quality": 90}, "row 2: paths is missing; it must have paths, and quality or engine or both"),
        ({"paths": ["a"]}, "row 2: quality or engine is missing; it must have paths, and quality or engine or both"),
        ("a", "row 2 is 'a'; it must be a table with paths, and with quality or engine or both"),
    ],
)
def test_overrides_name_the_row_and_the_key(tmp_path: Path, row: object, words: str) -> None:
    """A wrong row of overrides is named by its number and its key; the other rows are not printed."""
    rows = [{"paths": ["fine"], "quality": 70}, row]
    assert error_of(tmp_path, mkdocs={"overrides": rows}) == f"overrides in mkdocs.yml, {words}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("quality = " + "9" * 5000, "is not valid TOML"),
        ("quality = 0x" + "f" * 6000, "quality in "),
        ("a = " + "[" * 20000, "nested too deeply"),
    ],
    ids=["many digits", "many hexadecimal digits", "deep"],
)
def test_project_file_of_odd_numbers(tmp_path: Path, content: str, words: str) -> None:
    """What the TOML reader itself stumbles over is one line too."""
    (tmp_path / "imgshrink.toml").write_text(content)
    said = error_of(tmp_path)
    assert words in said
    assert len(said) < 400
