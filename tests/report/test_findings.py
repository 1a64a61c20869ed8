"""Annotations as GitHub's runner parses them, and the code quality report."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.model import Outcome, Status
from imgshrink.report.findings import ANNOTATIONS, LEFT_ALONE, NOT_SHRUNK, TOO_LARGE, Finding, to_github, to_gitlab


def finding(path: str, kind: str = NOT_SHRUNK, size: int = 5000) -> Finding:
    return Finding(Outcome(path, Status.SKIPPED, size, size, reason="why"), kind, limit=1000)


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does (actions/runner, src/Runner.Common/ActionCommand.cs)."""
    match = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line)
    assert match is not None
    pairs = dict(pair.split("=", 1) for pair in (match[2] or "").split(",") if "=" in pair)
    decode = {"%3A": ":", "%2C": ",", "%0D": "\r", "%0A": "\n", "%25": "%"}

    def plain(text: str) -> str:
        for code, letter in decode.items():
            text = text.replace(code, letter)
        return text

    return match[1], {name: plain(value) for name, value in pairs.items()}, plain(match[3])


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_survives(path: str) -> None:
    """No name can end the command, add a property, or begin a command of its own."""
    (line,) = to_github([finding(path)], {})
    assert len(re.split("[\r\n]", line)) == 1
    kind, properties, text = parsed(line)
    assert (kind, properties["file"]) == ("error", path)
    assert text.startswith(f"{path}: not shrunk (5 kB)")


def test_ten_and_their_number() -> None:
    rows = [finding(f"{number}.png", size=number * 1000) for number in range(ANNOTATIONS + 3)]
    lines = to_github([*rows, finding("left.png", LEFT_ALONE)], {})
    assert len(lines) == ANNOTATIONS + 1
    assert "12.png" in lines[0]
    assert "3 more images" in lines[-1]


def test_paths_from_the_root_of_the_checkout(tmp_path: Path) -> None:
    inside, outside = str(tmp_path / "a/b.png"), "/elsewhere/c.png"
    rows = json.loads(to_gitlab([finding(inside), finding(outside)], {"CI_PROJECT_DIR": str(tmp_path)}))
    assert {row["location"]["path"] for row in rows} == {"a/b.png", "/elsewhere/c.png"}


def test_messages_of_all_kinds() -> None:
    assert finding("a", TOO_LARGE).message == "5 kB, more than --max-size allows (1 kB)"
    assert finding("a", LEFT_ALONE).message == "left alone: why"
    assert json.loads(to_gitlab([finding("a", LEFT_ALONE)], {})) == []
