"""What the command prints for programs: JSON by its published schemas, annotations. Which files it takes from lists."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imgshrink import cli
from imgshrink.image.seal import read_seal
from places import IMAGES, ROOT
from real_tools import PNG
from shell import UNMEASURED

SCHEMAS = ROOT / "example_site/docs/schemas"
AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@b.c")

Run = Callable[..., tuple[int, str, str]]


def git(*words: str) -> None:
    subprocess.run(["git", *AUTHOR, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, warmed: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with three committed images, as the working folder; their results are in the cache."""
    docs = tmp_path / "project" / "docs"
    docs.mkdir(parents=True)
    monkeypatch.chdir(docs.parent)
    git("init", "-q", "-b", "main")
    for name in ("photo.jpg", "still.png", "palette.png"):
        shutil.copy(IMAGES / name, docs)
    git("add", "docs")
    git("commit", "-qm", "a")
    return docs.parent


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; returns the exit code and what both streams got."""

    def command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        printed = capsys.readouterr()
        return int(str(ended.value.code or 0)), printed.out, printed.err

    return command


def valid(text: str, name: str) -> Any:
    """Return the JSON, which must be valid by the published schema of that name."""
    document = json.loads(text)
    schema = json.loads((SCHEMAS / f"{name}-1.json").read_text())
    jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker()).validate(document)
    return document


class TestJson:
    """`--json` prints one document on standard output, and nothing else there."""

    def test_optimize(self, project: Path, run: Run) -> None:
        (project / "docs" / "broken.png").write_bytes((IMAGES / "still.png").read_bytes()[:2000])
        code, out, err = run("optimize", "--json", "docs")
        document = valid(out, "report")
        assert code == 0
        assert document["summary"]["images"] == 4
        assert {row["path"]: row["status"] for row in document["images"]}["docs/broken.png"] == "skipped"
        assert [note for note in document["notes"] if "docs/broken.png" in note]
        assert "left alone" in err

    def test_warm_and_its_dry_run(self, project: Path, run: Run) -> None:
        assert run("cache", "clear", "--yes")[0] == 0
        before = valid(run("warm", "--dry-run", "--json", "docs")[1], "dry-run")
        assert before["summary"]["new"] == 3
        assert {row["state"] for row in before["images"]} == {"new"}
        valid(run("warm", "--json", "docs")[1], "report")
        after = valid(run("optimize", "--dry-run", "--json", "docs")[1], "dry-run")
        assert after["summary"]["new"] == 0
        assert all(row["after"] < row["before"] for row in after["images"])

    def test_check(self, project: Path, run: Run) -> None:
        (project / "docs" / "broken.png").write_bytes((IMAGES / "still.png").read_bytes()[:2000])
        run("optimize", "docs/photo.jpg")
        code, out, _ = run("check", "--json", "--max-size", "1kB", "docs")
        document = valid(out, "check")
        assert (code, document["passed"]) == (1, False)
        assert document["summary"] == {
            "images": 4, "shrunk": 1, "not_shrunk": 2, "too_large": 4, "in_baseline": 0, "small": 0, "left_alone": 1,
            "excluded": 0,
        }  # fmt: skip
        states = [(row["path"], row["state"]) for row in document["images"]]
        assert ("docs/photo.jpg", "too_large") in states
        assert ("docs/broken.png", "left_alone") in states

    def test_check_that_passes(self, project: Path, run: Run) -> None:
        run("optimize", "docs")
        code, out, _ = run("check", "--json")
        assert (code, valid(out, "check")["passed"]) == (0, True)

    def test_cache_info(self, project: Path, run: Run) -> None:
        assert run("cache", "clear", "--yes")[0] == 0
        assert valid(run("cache", "info", "--json")[1], "cache-info")["oldest"] is None
        run("warm", "docs/photo.jpg")
        document = valid(run("cache", "info", "--json")[1], "cache-info")
        assert document["verdicts"]["better"] == 1
        assert document["oldest"].startswith("20")

    def test_explain(self, project: Path, run: Run) -> None:
        assert run("cache", "clear", "--yes")[0] == 0
        document = valid(run("explain", "--json", "docs/photo.jpg")[1], "explain")
        assert (document["state"], document["result"], document["undo"]) == ("open", None, "")
        run("warm", "docs/photo.jpg")
        document = valid(run("explain", "--json", "docs/photo.jpg")[1], "explain")
        assert document["result"]["verdict"] == "better"
        run("optimize", "docs/photo.jpg")
        document = valid(run("explain", "--json", "docs/photo.jpg")[1], "explain")
        assert (document["state"], document["sealed_at"], document["result"]) == ("shrunk", 80, None)
        assert document["original"]["size"] > document["size"]
        (project / "docs" / "broken.png").write_bytes(b"")
        document = valid(run("explain", "--json", "docs/broken.png")[1], "explain")
        assert (document["state"], document["format"]) == ("broken", None)

    def test_explain_of_an_excluded_image(self, project: Path, run: Run) -> None:
        (project / "imgshrink.toml").write_text('exclude = ["docs/photo.jpg"]\nquality = 70\n')
        document = valid(run("explain", "--json", "docs/photo.jpg")[1], "explain")
        assert document["excluded"]
        assert document["quality"] == 70
        assert "imgshrink.toml" in document["sources"]["quality"]


class TestQuiet:
    """`-q` leaves notes and errors only."""

    @pytest.mark.slow
    def test_nothing_to_say(self, project: Path, run: Run) -> None:
        assert run("optimize", "-q", "docs") == (0, "", "")
        assert read_seal((project / "docs/photo.jpg").read_bytes()) == 80
        assert run("check", "-q", "docs") == (0, "", "")
        assert run("warm", "-q", "--dry-run", "docs") == (0, "", "")

    def test_notes_and_failures(self, project: Path, run: Run) -> None:
        (project / "docs" / "broken.png").write_bytes((IMAGES / "still.png").read_bytes()[:2000])
        code, out, err = run("optimize", "-q", "docs")
        assert (code, out) == (0, "")
        assert err == "imgshrink: left alone: docs/broken.png (file ends early)\n"
        shutil.copy(IMAGES / "photo.jpg", project / "docs")
        code, out, _ = run("check", "-q", "docs")
        assert code == 1
        assert "docs/photo.jpg" in out


class TestAnnotations:
    """What services show beside the files of a pull request."""

    def test_github_actions_get_them_with_the_text(
        self, project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_WORKSPACE", str(project))
        monkeypatch.chdir(project / "docs")
        code, out, _ = run("check", "photo.jpg")
        assert code == 1
        assert "imgshrink: 1 of 1 image is not shrunk" in out
        assert "::error file=docs/photo.jpg,title=imgshrink::photo.jpg: not shrunk (6 kB)" in out

    def test_gitlab(self, project: Path, run: Run) -> None:
        code, out, _ = run("check", "--output-format", "gitlab", "docs/photo.jpg", "docs/still.png")
        rows = json.loads(out)
        assert code == 1
        assert [row["location"] for row in rows] == [
            {"path": "docs/photo.jpg", "lines": {"begin": 1}},
            {"path": "docs/still.png", "lines": {"begin": 1}},
        ]
        assert len({row["fingerprint"] for row in rows}) == 2

    def test_github_alone(self, project: Path, run: Run) -> None:
        _, out, _ = run("check", "--output-format", "github", "docs")
        assert all(line.startswith("::error ") for line in out.splitlines())


class TestMaxSize:
    """`check --max-size` fails for large files, whatever else they are."""

    @pytest.mark.slow
    def test_shrunk_images_fail_too(self, project: Path, run: Run) -> None:
        run("optimize", "docs")
        assert run("check", "--max-size", "1MB", "docs")[0] == 0
        code, out, _ = run("check", "--max-size", "2kB", "docs")
        assert code == 1
        assert "images are larger than 2 kB (--max-size)" in out
        assert "docs/photo.jpg" in out

    def test_baseline_lets_them_pass(self, project: Path, run: Run) -> None:
        run("optimize", "docs")
        run("check", "--max-size", "2kB", "--write-baseline", "listed", "docs")
        assert run("check", "--max-size", "2kB", "--baseline", "listed", "docs")[0] == 0

    @pytest.mark.slow
    def test_file_too_large_to_read(self, project: Path, run: Run) -> None:
        with (project / "docs" / "huge.png").open("wb") as file:
            file.truncate(2 * 10**9)
        run("optimize", "-q", "docs")
        code, out, _ = run("check", "--max-size", "1MB", "docs")
        assert code == 1
        assert "docs/huge.png   2.0 GB" in out

    def test_wrong_size(self, project: Path, run: Run) -> None:
        code, _, err = run("check", "--max-size", "big", "docs")
        assert code == 2
        assert "a size such as" in err


class TestWhichFiles:
    """Without a path, from a list, since a commit."""

    def test_check_takes_all_tracked_images(self, project: Path, run: Run) -> None:
        shutil.copy(IMAGES / "still.png", project / "untracked.png")
        code, out, _ = run("check")
        assert code == 1
        assert "3 of 3 images are not shrunk" in out
        assert "untracked" not in out

    def test_outside_of_a_repository_all_images(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        shutil.copy(IMAGES / "still.png", tmp_path)
        assert "1 of 1 image is not shrunk" in run("check")[1]

    def test_since_a_commit(self, project: Path, run: Run) -> None:
        git("checkout", "-qb", "topic")
        shutil.copy(IMAGES / "camera.jpg", project / "docs" / "committed.jpg")
        git("add", "docs")
        git("rm", "-q", "docs/palette.png")
        git("commit", "-qm", "b")
        git("checkout", "-q", "main")
        shutil.copy(IMAGES / "profile.png", project / "docs" / "on-main.png")
        git("add", "docs")
        git("commit", "-qm", "c")
        git("checkout", "-q", "topic")
        shutil.copy(PNG, project / "docs" / "still.png")
        shutil.copy(PNG, project / "docs" / "new.png")
        names = {row["path"] for row in json.loads(run("check", "--json", "--since", "main")[1])["images"]}
        assert names == {"docs/committed.jpg", "docs/still.png", "docs/new.png"}
        code, out, _ = run("optimize", "--since", "main", "docs/new.png")
        assert code == 0
        assert "docs/new.png" in out
        assert read_seal((project / "docs/still.png").read_bytes()) is None

    def test_no_change_is_fine(self, project: Path, run: Run) -> None:
        code, out, _ = run("check", "--since", "main")
        assert code == 0
        assert "no images found in the changes since main" in out
        assert run("optimize", "--since", "main")[0] == 0

    @pytest.mark.parametrize("ref", ["nowhere", "--output=x", "-x"])
    def test_unknown_commit(self, project: Path, run: Run, ref: str) -> None:
        code, _, err = run("check", f"--since={ref}")
        assert code == 2
        assert "git can't compare with it" in err
        assert not (project / "x").exists()

    @pytest.mark.parametrize("separator", ["\n", "\0", "\r\n"])
    def test_list_of_files(self, project: Path, run: Run, separator: str) -> None:
        (project / "docs" / "page.md").write_text("text")
        names = ["docs/photo.jpg", "docs/page.md", "docs/gone.png", "docs/still.png", ""]
        (project / "list").write_bytes(separator.join(names).encode())
        code, out, _ = run("check", "--files-from", "list", "--json")
        assert code == 1
        assert [row["path"] for row in json.loads(out)["images"]] == ["docs/photo.jpg", "docs/still.png"]

    def test_list_on_standard_input(self, project: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"docs/photo.jpg\n")))
        assert run("optimize", "--files-from", "-", "-q") == (0, "", "")
        assert read_seal((project / "docs/photo.jpg").read_bytes()) == 80

    def test_empty_list_is_fine(self, project: Path, run: Run) -> None:
        (project / "list").touch()
        assert run("check", "--files-from", "list")[0] == 0
        assert run("optimize", "--files-from", "list")[0] == 0

    def test_list_that_is_not_there(self, project: Path, run: Run) -> None:
        code, _, err = run("optimize", "--files-from", "nowhere")
        assert code == 2
        assert "nowhere can't be read as a list of files" in err


class TestOneFile:
    """`--output` with the name of an image."""

    def test_result_is_written_there(self, project: Path, run: Run) -> None:
        before = (project / "docs/still.png").read_bytes()
        assert run("optimize", "-q", "--output", "new/small.png", "docs/still.png") == (0, "", "")
        assert (project / "docs/still.png").read_bytes() == before
        assert (project / "new/small.png").stat().st_size < len(before)

    def test_image_without_a_gain_is_copied(self, project: Path, run: Run) -> None:
        run("optimize", "-q", "docs/still.png")
        run("optimize", "-q", "--output", "small.png", "docs/still.png")
        assert (project / "small.png").read_bytes() == (project / "docs/still.png").read_bytes()

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (("new.png", "docs"), "is a file for one image, and more are named"),
            (("new.png", "docs/still.png", "docs/palette.png"), "is a file for one image, and more are named"),
            (("new.jpg", "docs/still.png"), "images keep their format"),
            (("docs/still.png", "docs/still.png"), "is the image itself"),
            (("docs/../docs/still.png", "docs/still.png"), "is the image itself"),
        ],
    )
    def test_names_that_can_not_be_meant(self, project: Path, run: Run, words: tuple[str, ...], text: str) -> None:
        before = (project / "docs/still.png").read_bytes()
        code, _, err = run("optimize", "--output", *words)
        assert code == 2
        assert text in err
        assert (project / "docs/still.png").read_bytes() == before


class TestStream:
    """`optimize -` reads standard input and writes standard output, as a real program."""

    @pytest.mark.parametrize("name", ["photo.jpg", "animated.gif"])
    def test_image(self, project: Path, name: str) -> None:
        data = (IMAGES / name).read_bytes()
        done = self.stream(data)
        assert done.returncode == 0
        assert len(done.stdout) <= len(data)
        assert read_seal(done.stdout) == 80

    def test_other_input_comes_out_unchanged(self, project: Path) -> None:
        done = self.stream(b"no image")
        assert (done.returncode, done.stdout) == (0, b"no image")
        assert b"left alone: standard input" in done.stderr
        assert self.stream(b"no image", "--strict").returncode == 3

    def test_stands_alone(self, project: Path, run: Run) -> None:
        for words in (["docs"], ["--redo"], ["--json"], ["--output", "x"], ["--dry-run"]):
            code, out, err = run("optimize", *words, "-")
            assert (code, out) == (2, "")
            assert "- stands alone" in err

    @pytest.mark.parametrize(
        ("words", "closed", "name"),
        [
            ("optimize -", "<&-", "input"),
            ("check --files-from -", "<&-", "input"),
            ("optimize - < docs/photo.jpg", ">&-", "output"),
        ],
    )
    def test_closed_streams_are_named(self, project: Path, words: str, closed: str, name: str) -> None:
        line = f"{shlex.quote(sys.executable)} -m imgshrink {words} {closed}"
        environ = os.environ | UNMEASURED
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environ, check=False)
        assert done.returncode == 2, done.stderr
        assert f"imgshrink: standard {name} is closed" in done.stderr
        assert "Traceback" not in done.stderr

    @staticmethod
    def stream(data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "imgshrink", "optimize", *words, "-"]
        return subprocess.run(command, input=data, capture_output=True, env=os.environ, check=False)
