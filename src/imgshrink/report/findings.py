"""What a check found, for machines: JSON (version 1), GitHub's annotations, GitLab's code quality report."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.model import Outcome
from .units import size

VERSION = 1
NOT_SHRUNK, TOO_LARGE, LEFT_ALONE = "not_shrunk", "too_large", "left_alone"
ANNOTATIONS = 10
"""GitHub shows ten errors of a step (https://docs.github.com/en/rest/checks/runs says how many it keeps)."""

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}
"""As GitHub's own toolkit escapes them (https://github.com/actions/toolkit, packages/core/src/command.ts)."""


@dataclass(frozen=True)
class Finding:
    """One image that a check names, and why: `not_shrunk`, `too_large` or `left_alone`. `limit` is in bytes."""

    row: Outcome
    kind: str
    limit: int = 0

    @property
    def message(self) -> str:
        """Say what is wrong and what to do, in one line."""
        if self.kind == NOT_SHRUNK:
            return f"not shrunk ({size(self.row.before)}): run imgshrink optimize on it"
        if self.kind == TOO_LARGE:
            return f"{size(self.row.before)}, more than --max-size allows ({size(self.limit)})"
        return f"left alone: {self.row.reason}"


@dataclass(frozen=True)
class CheckSummary:
    """The numbers of a check; the fields are the words of its JSON."""

    images: int
    shrunk: int
    not_shrunk: int
    too_large: int
    in_baseline: int
    small: int
    left_alone: int
    excluded: int


def to_json(findings: Iterable[Finding], summary: CheckSummary, notes: Sequence[str], *, passed: bool) -> str:
    """Return the check as JSON; sizes are bytes, images are sorted by path."""
    rows = sorted(findings, key=lambda finding: (finding.row.path, finding.kind))
    images = [
        {
            "path": finding.row.path,
            "state": finding.kind,
            "size": finding.row.before,
            "format": finding.row.format.value if finding.row.format else None,
            "reason": finding.row.reason if finding.kind == LEFT_ALONE else finding.message,
        }
        for finding in rows
    ]
    document = {"version": VERSION, "passed": passed, "summary": vars(summary), "images": images, "notes": list(notes)}
    return json.dumps(document, indent=1)


def to_github(findings: Iterable[Finding], environ: Mapping[str, str]) -> list[str]:
    """Return workflow commands that annotate the failing files: ten, the largest first, then one with their number."""
    failing = [finding for finding in findings if finding.kind != LEFT_ALONE]
    largest = sorted(failing, key=lambda finding: (-finding.row.before, finding.row.path))
    lines = [
        f"::error file={_escaped(_from_root(finding.row.path, environ.get('GITHUB_WORKSPACE')), _PROPERTY)},"
        f"title=imgshrink::{_escaped(f'{finding.row.path}: {finding.message}', _DATA)}"
        for finding in largest[:ANNOTATIONS]
    ]
    if len(largest) > ANNOTATIONS:
        lines.append(f"::error title=imgshrink::{len(largest) - ANNOTATIONS} more images: see the log of this step")
    return lines


def to_gitlab(findings: Iterable[Finding], environ: Mapping[str, str]) -> str:
    """Return GitLab's code quality report (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format)."""
    rows = []
    for finding in sorted(findings, key=lambda finding: (finding.row.path, finding.kind)):
        if finding.kind == LEFT_ALONE:
            continue
        path = _from_root(finding.row.path, environ.get("CI_PROJECT_DIR"))
        rows.append(
            {
                "description": f"{finding.row.path}: {finding.message}",
                "check_name": f"imgshrink-{finding.kind.replace('_', '-')}",
                "fingerprint": hashlib.sha256(f"{finding.kind}\0{path}".encode("utf-8", "surrogatepass")).hexdigest(),
                "severity": "minor",
                "location": {"path": path, "lines": {"begin": 1}},
            }
        )
    return json.dumps(rows, indent=1)


def _from_root(path: str, root: str | None) -> str:
    """Return `path` relative to the checkout, as the service wants it; as it is where it lies elsewhere."""
    if not root:
        return path
    found = Path(os.path.realpath(path))
    folder = Path(os.path.realpath(root))
    return found.relative_to(folder).as_posix() if found.is_relative_to(folder) else path


def _escaped(text: str, letters: Mapping[str, str]) -> str:
    return "".join(letters.get(letter, letter) for letter in text)
