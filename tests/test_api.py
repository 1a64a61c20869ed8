"""The public API: what it does, that it loads nothing early, and that its page names it all and tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import imgshrink
from imgshrink.image.seal import seal
from places import IMAGES, ROOT
from real_tools import OTHER_PNG, PNG

PAGE = (ROOT / "example_site" / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with two images, a cache and a home of its own, and no key."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("TINYJPG_API_KEY", raising=False)
    folder = tmp_path / "project"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "a.png").write_bytes(PNG.read_bytes())
    (folder / "docs" / "b.png").write_bytes((IMAGES / "still.png").read_bytes())
    monkeypatch.chdir(folder)
    return folder


def test_a_result_is_smaller_and_verified() -> None:
    """A result is smaller, carries no seal, and is what verify accepts; a result itself gains nothing more."""
    data = PNG.read_bytes()
    result = imgshrink.optimize_bytes(data, quality=70)
    assert len(result) < len(data)
    assert imgshrink.read_seal(result) is None
    assert isinstance(imgshrink.verify(data, result, 70), imgshrink.Accept)
    assert isinstance(imgshrink.verify(data, data), imgshrink.NotSmaller)
    assert isinstance(imgshrink.verify(OTHER_PNG.read_bytes(), result), imgshrink.Refuse)


def test_a_sealed_image_is_returned_as_it_is() -> None:
    """A sealed image is finished at every quality, but a lossless seal only at quality 100."""
    data = PNG.read_bytes()
    assert imgshrink.optimize_bytes(seal(data, 80), quality=50) == seal(data, 80)
    assert imgshrink.optimize_bytes(seal(data, 100), quality=100) == seal(data, 100)
    assert len(imgshrink.optimize_bytes(seal(data, 100))) < len(data)
    assert imgshrink.read_seal(seal(data, 80)) == 80


def test_data_itself_where_nothing_is_gained() -> None:
    """Where no codec gains anything, the very object comes back."""
    smallest = imgshrink.optimize_bytes(PNG.read_bytes(), quality=100)
    assert imgshrink.optimize_bytes(smallest, quality=100) is smallest


@pytest.mark.parametrize("data", [b"", b"text", PNG.read_bytes()[:2000]])
def test_what_is_no_image_is_declined(data: bytes) -> None:
    """What is no image, or ends early, is an error of its own."""
    with pytest.raises(imgshrink.Declined):
        imgshrink.optimize_bytes(data)


def test_damaged_pixels_are_an_error_of_ours() -> None:
    """Pixels that no codec can read raise an `EngineError`, whatever the codec itself raises."""
    data = bytearray(PNG.read_bytes())
    at = data.index(b"IDAT") + 40
    data[at : at + 400] = bytes(400)
    with pytest.raises(imgshrink.EngineError):
        imgshrink.optimize_bytes(bytes(data))


@pytest.mark.parametrize("quality", [0, 101, True, "80", 80.0])
def test_wrong_quality(quality: object) -> None:
    """A quality that is no whole number from 1 to 100 is named, with what is allowed."""
    with pytest.raises(imgshrink.SettingsError, match="whole number from 1 to 100"):
        imgshrink.optimize_bytes(PNG.read_bytes(), quality)  # type: ignore[arg-type]
    with pytest.raises(imgshrink.SettingsError, match="whole number from 1 to 100"):
        imgshrink.verify(b"", b"", quality)  # type: ignore[arg-type]


def test_session(project: Path) -> None:
    """A session warms, checks and optimizes; a second one finds everything shrunk."""
    (project / "imgshrink.toml").write_text('exclude = ["b.png"]\n')
    before = (project / "docs/a.png").read_bytes()
    with imgshrink.Session(imgshrink.load_settings(project, quality=70)) as session:
        assert [(row.path, row.status) for row in session.warm("docs")] == [("docs/a.png", imgshrink.Status.OPTIMIZED)]
        assert (project / "docs/a.png").read_bytes() == before
        assert [row.path for row in session.check(["docs"])] == ["docs/a.png"]
        (outcome,) = session.optimize([Path("docs")])
        assert (outcome.from_cache, outcome.before) == (True, len(before))
    with imgshrink.Session(imgshrink.load_settings(project)) as session:
        assert session.check(Path("docs")) == []
        assert session.optimize("docs")[0].status is imgshrink.Status.KEPT
        assert imgshrink.read_seal((project / "docs/a.png").read_bytes()) == 70


@pytest.mark.slow
def test_a_session_ends_its_workers(project: Path) -> None:
    """After the `with` statement no worker runs, also after an exception in it."""
    with pytest.raises(KeyError), imgshrink.Session(imgshrink.load_settings(project)) as session:  # noqa: PT012
        session.warm("docs")
        raise KeyError("in between")
    assert session.stop.is_set()
    with pytest.raises(imgshrink.EngineError):
        session.workers.call("optimize", PNG.read_bytes(), quality=80)


@pytest.mark.parametrize("options", [{"qualty": 70}, {"quality": 700}, {"seal": "never"}])
def test_wrong_settings(project: Path, options: dict[str, object]) -> None:
    """Unknown settings and values are errors."""
    with pytest.raises(imgshrink.SettingsError):
        imgshrink.load_settings(project, **options)


def test_a_path_that_is_not_there(project: Path) -> None:
    """A path that does not exist is an error, not an outcome."""
    with imgshrink.Session(imgshrink.load_settings(project)) as session, pytest.raises(imgshrink.SettingsError):
        session.optimize("nowhere")


def test_importing_loads_nothing() -> None:
    """Importing the package loads no other module of it, and reading a seal loads no codec."""
    code = (
        "import sys, imgshrink\n"
        "print([name for name in sys.modules if name.startswith('imgshrink.')])\n"
        "imgshrink.read_seal(b'')\n"
        "print({'pyvips', 'httpx', 'diskcache', 'click', 'tomlkit', 'imgshrink.session'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "set()"]


def test_all_names_are_there() -> None:
    """Each public name can be imported and is listed; a private one is an error."""
    assert imgshrink.__all__ == sorted(imgshrink.__all__)
    assert set(imgshrink.__all__) <= set(dir(imgshrink))
    for name in imgshrink.__all__:
        assert getattr(imgshrink, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        imgshrink.nothing  # noqa: B018


@pytest.mark.slow
def test_type_checkers_see_the_names(tmp_path: Path) -> None:
    """mypy knows the types of the public API in somebody else's code."""
    pytest.importorskip("mypy", reason="mypy is in the group `lint`")
    (tmp_path / "user.py").write_text(
        "import imgshrink\n"
        "small: bytes = imgshrink.optimize_bytes(b'', quality=80)\n"
        "with imgshrink.Session(imgshrink.load_settings('.', quality=70)) as session:\n"
        "    outcomes: list[imgshrink.Outcome] = session.optimize(['docs'])\n"
        "wrong: int = imgshrink.read_seal(b'')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": ""},
    )
    assert re.findall(r"^user\.py:(\d+): error", done.stdout, re.MULTILINE) == ["5"], done.stdout + done.stderr


def test_the_page_names_the_public_api() -> None:
    """The page has a heading or a row for each public name, and for no other."""
    named = re.findall(r"^(?:### |\| )`(\w+)", PAGE, re.MULTILINE)
    assert sorted(named) == imgshrink.__all__


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_run(project: Path, example: str) -> None:
    """Each example of the page runs as it stands, in a project with images."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, cwd=project)
    assert done.returncode == 0, done.stderr
    assert len(EXAMPLES) >= 3
