"""Where the package for lossless JPEGs is missing, as on a new Python: bytes are lost, never the run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from imgshrink.engines.builtin.versions import RULES, fingerprint
from imgshrink.image.seal import read_seal
from imgshrink.image.sniff import sniff
from places import IMAGES
from real_tools import PNG, program, run

JPEG = IMAGES / "camera.jpg"
PACKAGE = "mozjpeg_lossless_optimization"


@pytest.fixture
def without(tmp_path: Path) -> Mapping[str, str]:
    """The environment of programs, and of their workers, that can't import the package."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{PACKAGE!r}] = None\n")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a JPEG that is not progressive, and a PNG."""
    folder = tmp_path / "docs"
    folder.mkdir()
    shutil.copy(JPEG, folder / "a.jpg")
    shutil.copy(PNG, folder / "b.png")
    return folder


def optimized(docs: Path, quality: int, environ: Mapping[str, str] | None = None) -> dict[str, dict[str, object]]:
    """Run the command over the folder, and return what its report says of each file."""
    report = docs.parent / "report.json"
    done = run(
        *(program("imgshrink"), "optimize", "--redo", f"--quality={quality}", f"--report={report}", "docs"),
        cwd=docs.parent,
        environ=environ,
    )
    assert done.returncode == 0, done.stdout
    return {Path(row["path"]).name: row for row in json.loads(report.read_text())["images"]}


@pytest.mark.slow
def test_jpegs_get_smaller_at_80(docs, without):
    """A JPEG is encoded anew, and progressive, within a twentieth of what it takes with the package."""
    found = optimized(docs, 80, without)
    assert {name: row["status"] for name, row in found.items()} == {"a.jpg": "optimized", "b.png": "optimized"}
    info = sniff((docs / "a.jpg").read_bytes())
    assert info is not None
    assert info.scans > 1
    alone = (docs / "a.jpg").stat().st_size
    shutil.copy(JPEG, docs / "a.jpg")
    optimized(docs, 80)
    assert alone < 1.05 * (docs / "a.jpg").stat().st_size


@pytest.mark.slow
def test_jpegs_stay_as_they_are_at_100(docs, without):
    """Without loss nothing is gained: the JPEG gets its seal and no other change; a PNG gets smaller as ever."""
    found = optimized(docs, 100, without)
    assert {name: row["status"] for name, row in found.items()} == {"a.jpg": "sealed", "b.png": "optimized"}
    assert read_seal((docs / "a.jpg").read_bytes()) == 100


@pytest.mark.slow
def test_results_are_not_those_of_machines_that_have_it(docs, without):
    """One cache for both: what was found without the package is no answer where it is there."""
    assert optimized(docs, 100, without)["a.jpg"]["status"] == "sealed"
    shutil.copy(JPEG, docs / "a.jpg")
    assert optimized(docs, 100)["a.jpg"]["status"] == "optimized"


def test_names_of_results(without):
    """Where the package is there the rules alone name the results; finding that out imports no codec."""
    script = (
        "import sys; from imgshrink.engines.builtin.versions import fingerprint; print(fingerprint())\n"
        f"print({{'pyvips', {PACKAGE!r}}} & {{name for name, module in sys.modules.items() if module}})"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **without}, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == [f"builtin rules {RULES} without lossless JPEG", "set()"]
    assert fingerprint() == f"builtin rules {RULES}"


def test_doctor_asks_for_nothing_that_is_not_there(docs, without):
    """The codecs work without the package, and doctor says so."""
    done = run(program("imgshrink"), "doctor", cwd=docs, environ=without)
    assert "the built-in codecs work" in done.stdout


def test_doctor_says_what_is_lost(monkeypatch):
    """Where the package is not installed, doctor says what that costs, and not to install it."""
    from imgshrink.cli.doctor import environment

    real = environment._version
    monkeypatch.setattr(environment, "_version", lambda name: "" if name == environment.LOSSLESS_JPEG else real(name))
    said = list(environment.versions(None, Path(), {}))
    assert [line for line in said if "mozjpeg" in line] == [
        "no mozjpeg-lossless-optimization (some machines have no wheel of it): JPEGs stay as they are at quality 100"
    ]
    assert not any(line.startswith("!") for line in said)


def test_jpeg_of_these_tests_is_baseline():
    """So that scans show who has encoded it."""
    assert sniff(JPEG.read_bytes()).scans == 1
