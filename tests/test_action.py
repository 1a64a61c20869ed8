"""The action of GitHub: its steps are run by bash as a runner does it, with a `gh` that writes down what it is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from places import ROOT
from real_tools import BIN, OTHER_PNG, PNG, git, make_repository
from selection import rest_slow
from shell import INSTALLING

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
INSTALL, RUN, COMMENT, END = STEPS
GH = """#!/bin/sh
printf '%s\\n' "$*" >>"$GH_LOG"
case "$*" in
  *--paginate*) [ -z "$GH_REFUSES" ] || exit 1; cat "$GH_KNOWN" ;;
  *--method*) cat "${7#body=@}" >"$GH_BODY" ;;
  "pr comment"*) cat "$5" >"$GH_BODY" ;;
esac
"""
pytestmark = pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="no bash as runners have it")


@dataclass
class Job:
    """A job of a runner: its folders, and the environment of its steps."""

    folder: Path
    outputs: Path
    environ: dict[str, str]

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a step's script as a runner does, with its variables given."""
        step = STEPS[name]
        assert set(step["env"]) == set(inputs)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**os.environ, **self.environ, **inputs},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )

    def imgshrink(self, command: str = "check", paths: str = "docs", args: str = "") -> tuple[str, Mapping[str, str]]:
        """Run the command's step; return what it prints and its outputs."""
        done = self.step(RUN, COMMAND=command, PATHS=paths, ARGS=args)
        assert done.returncode == 0, done.stdout
        return done.stdout, dict(line.split("=", 1) for line in self.outputs.read_text().splitlines())

    def comment(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run the comment's step with this report."""
        report = self.folder / "report.md"
        report.write_text(text)
        return self.step(COMMENT, GH_TOKEN="t", GH_REPO="o/r", NUMBER="7", REPORT=str(report))

    @property
    def asked(self) -> list[str]:
        """What `gh` was called with."""
        log = Path(self.environ["GH_LOG"])
        return log.read_text().splitlines() if log.exists() else []

    @property
    def commented(self) -> str:
        """The text of the comment that `gh` has written."""
        return Path(self.environ["GH_BODY"]).read_text()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job in a folder with two images, imgshrink installed, and a `gh` on the PATH."""
    docs, temp, tools = tmp_path / "work" / "docs", tmp_path / "temp", tmp_path / "tools"
    for folder in (docs, temp / "imgshrink" / "bin", tools):
        folder.mkdir(parents=True)
    shutil.copyfile(PNG, docs / "a.png")
    shutil.copyfile(OTHER_PNG, docs / "b c.png")
    (temp / "imgshrink" / "bin" / "imgshrink").symlink_to(BIN / "imgshrink")
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    (tmp_path / "known").write_text("")
    return Job(
        docs.parent,
        tmp_path / "outputs",
        {
            "RUNNER_TEMP": str(temp),
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GH_LOG": str(tmp_path / "log"),
            "GH_BODY": str(tmp_path / "body"),
            "GH_KNOWN": str(tmp_path / "known"),
            "GH_REFUSES": "",
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        },
    )


def test_no_input_is_part_of_a_script() -> None:
    """What a stranger writes into an input, or calls a branch, is never read as a script."""
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]
    used = " ".join(str(step.get("env")) + str(step.get("if")) for step in STEPS.values())
    assert set(re.findall(r"inputs\.(\w+)", used)) == set(ACTION["inputs"])
    assert all(step["shell"] == "bash" for step in STEPS.values())


def test_check_fails_after_it_has_said_everything(job: Job) -> None:
    """Images that are not shrunk are named in the log and in the report; the code comes with the last step."""
    said, outputs = job.imgshrink()
    assert outputs["exit-code"] == "1"
    report = Path(outputs["report"]).read_text()
    assert report.startswith("### imgshrink check\n\n    imgshrink: 2 of 2 images are not shrunk")
    for text in (said, report):
        assert "docs/a.png" in text
        assert "docs/b c.png" in text
    assert job.step(END, CODE="1").returncode == 1
    assert job.step(END, CODE="").returncode == 1
    assert job.step(END, CODE="0").returncode == 0


@pytest.mark.slow
def test_optimize_shrinks_and_reports_a_table(job: Job) -> None:
    """The files are shrunk, with the options given; the report is our Markdown table; the check then passes."""
    _, outputs = job.imgshrink("optimize", args="--quality=70\n  --min-size=1")
    assert outputs["exit-code"] == "0"
    assert "| image | before | after | smaller by |" in Path(outputs["report"]).read_text()
    assert b"imgshrink1 q70" in (job.folder / "docs/a.png").read_bytes()
    job.outputs.unlink()
    assert job.imgshrink(paths="docs/a.png\n\ndocs/b c.png\r\n", args="--quality=70")[1]["exit-code"] == "0"


@pytest.mark.parametrize(
    "evil",
    rest_slow(
        ["docs; touch evil", "$(touch evil)", "`touch evil`", "docs\n--write-baseline=evil", "*"],
        lambda evil: evil in {"$(touch evil)", "docs\n--write-baseline=evil"},
    ),
)
def test_inputs_are_data(job: Job, evil: str) -> None:
    """A path is a path, whatever it looks like: nothing of it is run, expanded, or taken for an option."""
    _, outputs = job.imgshrink(paths=evil)
    assert outputs["exit-code"] == "2"
    job.imgshrink(args=evil)
    assert not (job.folder / "evil").exists() or "--write-baseline" in evil


def test_no_path_is_all_that_git_tracks(job: Job) -> None:
    """With no path, the check looks at tracked images, wherever they are; its annotations stay out of the comment."""
    make_repository(job.folder)
    shutil.copyfile(PNG, job.folder / "docs/untracked.png")
    git(job.folder, "add", "docs/a.png")
    job.environ["GITHUB_ACTIONS"] = "true"
    said, outputs = job.imgshrink(paths="")
    assert "::error file=docs/a.png" in said
    report = Path(outputs["report"]).read_text()
    assert "docs/a.png" in report
    assert "::" not in report
    assert "untracked" not in said


def test_commands_are_two(job: Job) -> None:
    """Other commands are refused with an error that names the input."""
    done = job.step(RUN, COMMAND="cache clear", PATHS="docs", ARGS="")
    assert done.returncode == 1
    assert done.stdout == "::error::the input command must be check or optimize\n"


def test_first_comment(job: Job) -> None:
    """Where no comment of ours is there, one is made, with the hidden marker."""
    done = job.comment("### A table\n")
    assert done.returncode == 0, done.stdout
    assert [line.split()[:2] for line in job.asked] == [["api", "--paginate"], ["pr", "comment"]]
    assert job.commented == "<!-- imgshrink -->\n### A table\n"


def test_later_comments_renew_the_first(job: Job) -> None:
    """The comment with our marker is edited, the first of them where there are several."""
    Path(job.environ["GH_KNOWN"]).write_text("41\n42\n")
    done = job.comment("### Another\n")
    assert done.returncode == 0, done.stdout
    assert job.asked[1].startswith("api --silent --method PATCH repos/o/r/issues/comments/41 ")
    assert job.commented == "<!-- imgshrink -->\n### Another\n"


@pytest.mark.tools
def test_comments_of_people_are_not_edited(job: Job, tmp_path: Path) -> None:
    """The filter takes comments of bots that begin with the marker, and no others."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    found = re.search(r"^\s*ours='(.+)'$", STEPS[COMMENT]["run"], re.MULTILINE)
    assert found is not None
    rows = [
        {"id": number, "user": {"type": kind}, "body": body}
        for number, (kind, body) in enumerate(
            [("User", "<!-- imgshrink -->"), ("Bot", "x <!-- imgshrink -->"), ("Bot", "<!-- imgshrink -->\nours")]
        )
    ]
    done = subprocess.run(["jq", "-r", found[1]], input=json.dumps(rows), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]


def test_comment_that_is_refused_fails_nothing(job: Job) -> None:
    """A fork's token can't write: one warning says so, and the job goes on."""
    job.environ["GH_REFUSES"] = "1"
    done = job.comment("### A table\n")
    assert done.returncode == 0
    assert done.stdout.startswith("::warning::imgshrink could not comment on the pull request")


def test_long_reports_are_cut_to_what_a_comment_holds(job: Job) -> None:
    """GitHub takes 65,536 characters."""
    job.comment("x" * 100_000)
    assert 50_000 < len(job.commented) < 65_536


@pytest.mark.parametrize("version", ["1.0 --index-url=http://evil", "-r evil", "1.0;touch evil", "git+http://evil"])
def test_version_is_a_version(job: Job, version: str) -> None:
    """Nothing but a version reaches pip."""
    done = job.step(INSTALL, VERSION=version, SOURCE=str(ROOT))
    assert done.returncode == 1
    assert done.stdout == "::error::the input version must be one like 1.0.0\n"


def test_old_python_is_told_what_to_do(job: Job, tmp_path: Path) -> None:
    """Where the runner's Python is too old, the error says which step is missing."""
    for name in ("python3", "python"):
        (tmp_path / "tools" / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "tools" / name).chmod(0o755)
    done = job.step(INSTALL, VERSION="", SOURCE=str(ROOT))
    assert done.returncode == 1
    assert "put actions/setup-python before this step" in done.stdout


@pytest.mark.slow
def test_action_installs_itself(job: Job, tmp_path: Path) -> None:
    """Without a version, what is installed is what lies beside action.yml, and it works."""
    shutil.rmtree(tmp_path / "temp" / "imgshrink")
    job.environ |= INSTALLING
    job.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{job.environ['PATH']}"
    done = job.step(INSTALL, VERSION="", SOURCE=str(ROOT))
    assert done.returncode == 0, done.stdout
    assert job.imgshrink("optimize", paths="docs/a.png")[1]["exit-code"] == "0"
    assert (job.folder / "docs/a.png").stat().st_size < PNG.stat().st_size
