"""The files that GitHub reads: valid by their published schemas, with no right more than they need, and up to date."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from places import ROOT
from real_tools import run
from shell import linter

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
DOCS = ROOT / "example_site" / "docs"
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "github-workflows"),
    **{path: "github-issue-forms" for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"},
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": "github-issue-config",
    GITHUB / "dependabot.yml": "dependabot",
    ROOT / "action.yml": "github-actions",
}
WIDER = {
    ("publish", "attest"): {"id-token": "write", "attestations": "write"},
    ("publish", "publish"): {"id-token": "write"},
    ("docs", "publish"): {"pages": "write", "id-token": "write"},
}
"""The jobs that have a right beyond reading the repository: none of them checks it out or runs anything of it."""


def read(path: Path) -> dict[Any, Any]:
    """The value of a YAML file."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    """Every job, with the names of its workflow and its own."""
    return [(path.stem, name, job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


@pytest.mark.tools
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_files_are_as_their_schemas_say(path: Path, tmp_path: Path) -> None:
    """Each file is valid by the schema that its service publishes."""
    check = linter("check-jsonschema")
    done = run(check, "--builtin-schema", f"vendor.{SCHEMAS[path]}", path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.tools
def test_auditor_finds_nothing() -> None:
    """zizmor, offline, finds no injection, no right too many, and no credential that stays behind."""
    done = run(linter("zizmor"), "--offline", "--no-progress", "--config", GITHUB / "zizmor.yml", ".", cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.tools
def test_actionlint_finds_nothing() -> None:
    """actionlint, where it is installed, finds no wrong expression, no unknown key and no bad shell."""
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("needs actionlint (https://github.com/rhysd/actionlint)")
    done = run(program, "-no-color", *WORKFLOWS, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read(path: Path) -> None:
    """No workflow has a right at its top but to read, none runs a fork's code with secrets."""
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) <= {"push", "pull_request", "workflow_call"}  # YAML 1.1 reads `on` as true
    assert "secrets." not in path.read_text(encoding="utf-8")


def test_wider_rights_are_those_of_jobs_that_run_nothing_of_ours() -> None:
    """Jobs that may write take files from other jobs: they have no checkout and no script."""
    found = {(stem, name): job["permissions"] for stem, name, job in jobs() if "permissions" in job}
    assert found == WIDER
    for stem, name, job in jobs():
        if (stem, name) in WIDER:
            assert all("run" not in step and "checkout" not in step["uses"] for step in job["steps"])


def test_jobs_end_and_keep_no_credentials() -> None:
    """Each job has a limit of time, each checkout forgets its token, and no expression stands in a script."""
    for stem, name, job in jobs():
        assert "timeout-minutes" in job or "uses" in job, (stem, name)
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), (stem, name)
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, (stem, name)


def test_tests_run_on_every_version_that_the_package_names() -> None:
    """Linux, macOS, Windows and Alpine, on each Python of the classifiers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r"Python :: (3\.\d+)", text)
    found = read(GITHUB / "workflows/tests.yml")["jobs"]
    assert found["systems"]["strategy"]["matrix"]["python"] == versions
    assert found["alpine"]["strategy"]["matrix"]["python"] == versions
    assert {name.split("-")[0] for name in found["systems"]["strategy"]["matrix"]["os"]} == {
        "ubuntu",
        "macos",
        "windows",
    }


def test_actions_have_one_version_everywhere() -> None:
    """What we use and what the pages tell to use is the same version of each action."""
    texts = [*WORKFLOWS, ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    used = {pair for path in texts for pair in re.findall(r"uses: ([\w./-]+)@([\w./-]+)", path.read_text("utf-8"))}
    versions = {(re.sub(r"^(actions/cache)/.*", r"\1", name), tag) for name, tag in used}
    assert len({name for name, _ in versions}) == len(versions), sorted(versions)
    assert ("actions/checkout", "v7") in versions


def test_own_action_is_named_at_the_tag_of_this_version() -> None:
    """The pages show our action at the version that they describe."""
    from imgshrink import __version__

    found = {
        tag
        for path in DOCS.glob("*.md")
        for tag in re.findall(r"uses: imgshrink/imgshrink@(\S+)", path.read_text(encoding="utf-8"))
    }
    assert found == {f"v{__version__}"}
