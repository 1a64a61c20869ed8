"""Six journeys of new users, typed into a real shell: what is printed is what the transcript says.

`WRITE_GOLDEN=1` writes the transcripts of `journeys` again where something but measured numbers has changed.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from places import IMAGES, PICTURES, ROOT
from real_tools import BIN, git, make_repository
from transcript import Typist, follow, masked, read, write

JOURNEYS = Path(__file__).parent / "journeys"
QUICK = {"ci-check"}
KEPT = ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "SYSTEMROOT")
COPIED = {
    "YOUR_API_KEY": r"shown only now: (\S+)",
    "OPTIMIZED_URL": r'"optimized_url": ?"([^"]+)"',
    "PAGE": r"(/\S+\.html)",
}
PICTURES_OF_THE_USER = {
    "setup.png": PICTURES / "argocd" / "zitadel-application-2.png",
    "overview.png": PICTURES / "argocd" / "scale_resources_1.png",
    "toolbar.png": PICTURES / "pnp" / "ViewPicker1.PNG",
    "photo.jpg": IMAGES / "photo.jpg",
    "still.png": IMAGES / "still.png",
    "palette.png": IMAGES / "palette.png",
    "animated.webp": IMAGES / "animated.webp",
    "tiny.png": PICTURES / "pnp" / "OfficeMono9.png",
}
GITCONFIG = """[user]
    name = You
    email = you@example.org
[init]
    defaultBranch = main
[advice]
    detachedHead = false
[core]
    pager = cat
[url "{published}"]
    insteadOf = https://github.com/imgshrink/imgshrink
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that the README names, with the tag of this version: its hooks, run by the tests' environment."""
    from imgshrink import __version__

    folder = make_repository(tmp_path_factory.mktemp("published"))
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (folder / ".pre-commit-hooks.yaml").write_text(yaml.safe_dump([{**row, "language": "system"} for row in hooks]))
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "All")
    git(folder, "tag", f"v{__version__}")
    return folder


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def typist(tmp_path: Path, published: Path) -> Iterator[Typist]:
    """Somebody with a new home, a folder of pictures in it, and git."""
    home = tmp_path / "home" / "you"
    (home / "pictures").mkdir(parents=True)
    for name, picture in PICTURES_OF_THE_USER.items():
        shutil.copyfile(picture, home / "pictures" / name)
    (home / ".gitconfig").write_text(GITCONFIG.format(published=published))
    environ = {name: os.environ[name] for name in KEPT if name in os.environ}
    environ |= {"HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": "/tmp", "COLUMNS": "80"}
    environ["PATH"] = f"{BIN}{os.pathsep}{environ['PATH']}"
    places = {str(home): "/home/you", str(BIN): "/usr/bin", str(free_port()): "8080"}
    one = Typist(home, environ, places, COPIED)
    yield one
    one.leave()


@pytest.mark.parametrize(
    "journey",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
        for path in sorted(JOURNEYS.glob("*.txt"))
    ],
)
def test_journey(journey: Path, typist: Typist) -> None:
    """What is printed after each line that is typed is what the transcript says."""
    for written, now in follow(journey, typist.type):
        assert masked(now.printed) == masked(written.printed), f"$ {written.command}\n{now.printed}"


def test_transcripts_are_written_as_they_are_read() -> None:
    """A transcript that is read and written again is the same text."""
    for path in JOURNEYS.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert write(read(text)) == text


def test_a_changed_word_is_a_difference() -> None:
    """Numbers that were measured are passed over; words, names and counts are not."""
    line = "imgshrink: 20 kB -> 14 kB, 33 % smaller. 3 shrunk (0 from the cache, 3 new). 0 uploads, 2.6 s"
    assert masked(line) == masked(line.replace("20", "21").replace("33", "5").replace("2.6 s", "12.0 s"))
    for old, new in (("smaller", "less"), ("3 shrunk", "4 shrunk"), ("0 uploads", "1 upload")):
        assert masked(line) != masked(line.replace(old, new))
    assert masked("a\n[exit 1]") != masked("a")


def test_what_is_made_up_is_passed_over() -> None:
    """Keys, temporary folders, hashes and dates differ from run to run, and are no difference."""
    for one, other in (
        ("only now: imgshrink_b01755514ebd_YE-x_1 x", "only now: imgshrink_203c78f1f6a7_-IU x"),
        ("/tmp/imgshrink-compare-mr55ycs6/compare.html", "/tmp/imgshrink-compare-tz60jv_t/compare.html"),
        ("to /x/patch1795804261-14864.", "to /x/patch1-2."),
        ("month 2026-11, accepted 2", "month 2027-01, accepted 2"),
        ("[main 0fe72d3] A", "[main 1234567] A"),
        ('"url":"http://h/direct-file/original/6bf0.jpg"', '"url":"http://h/direct-file/original/77aa.jpg"'),
    ):
        assert masked(one) == masked(other)
