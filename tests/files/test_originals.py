"""Facts about originals: kept before they are replaced, found again from what replaced them, for a while."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_builder import chunk, png
from imgshrink.core.keys import content_hash
from imgshrink.files.originals import DAY, Backup, Originals
from imgshrink.image.seal import seal, unseal

NOW = 1_800_000_000
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def picture(text: str) -> bytes:
    """A complete PNG that differs from others."""
    return png(chunk(b"IDAT", text.encode()))


ORIGINAL, OUTPUT, LATER = picture("the original"), seal(picture("out"), 80), seal(picture("o"), 60)


@pytest.fixture
def kept(tmp_path: Path) -> Originals:
    """Originals in a folder that is not there yet."""
    return Originals(tmp_path / "state" / "originals", clock=lambda: float(NOW))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that is about to be replaced."""
    path = tmp_path / "image.png"
    path.write_bytes(OUTPUT)
    return path


def test_what_is_kept_is_found(kept: Originals, image: Path) -> None:
    """The original of a replaced file is found by the path, and by its own hash."""
    assert kept.store(ORIGINAL, OUTPUT, image) is True
    assert kept.find(image) == ORIGINAL
    assert kept.get(content_hash(ORIGINAL)) == ORIGINAL
    assert kept.notes() == []


def test_it_is_found_by_another_run(kept: Originals, image: Path, tmp_path: Path) -> None:
    """What one run keeps another one finds."""
    kept.store(ORIGINAL, OUTPUT, image)
    assert Originals(tmp_path / "state" / "originals").find(image) == ORIGINAL


@pytest.mark.parametrize("now", [unseal(OUTPUT), seal(unseal(OUTPUT), 60)], ids=["unsealed", "sealed again"])
def test_the_seal_does_not_matter(kept: Originals, image: Path, now: bytes) -> None:
    """The output is known without its seal, and with another one."""
    kept.store(ORIGINAL, OUTPUT, image)
    image.write_bytes(now)
    assert kept.find(image) == ORIGINAL


def test_it_follows_the_file(kept: Originals, image: Path) -> None:
    """A replaced file that was moved, or copied, still leads to its original."""
    kept.store(ORIGINAL, OUTPUT, image)
    moved = image.rename(image.with_name("moved.png"))
    assert kept.find(moved) == ORIGINAL


def test_an_edited_file_has_no_original(kept: Originals, image: Path) -> None:
    """A file that is not our output any more, one that is not there, and one that never was, lead to nothing."""
    assert kept.find(image) is None
    kept.store(ORIGINAL, OUTPUT, image)
    image.write_bytes(picture("an edit"))
    assert kept.find(image) is None
    image.unlink()
    assert kept.find(image) is None


def test_the_first_original(kept: Originals, image: Path) -> None:
    """After several replacements the first original is found, not one of our own outputs."""
    kept.store(ORIGINAL, OUTPUT, image)
    kept.store(OUTPUT, LATER, image)
    image.write_bytes(LATER)
    assert kept.find(image) == ORIGINAL


def test_a_circle(kept: Originals, image: Path) -> None:
    """Replacements that lead in a circle end somewhere."""
    kept.store(ORIGINAL, OUTPUT, image)
    kept.store(OUTPUT, ORIGINAL, image)
    assert kept.find(image) in (ORIGINAL, OUTPUT)


def test_two_originals_with_one_output(kept: Originals, image: Path) -> None:
    """Where two files became the same bytes, each finds its own original; a copy elsewhere finds the newest."""
    other, copy = image.with_name("other.png"), image.with_name("copy.png")
    for path in (other, copy):
        path.write_bytes(OUTPUT)
    later = Originals(kept._folder, clock=lambda: NOW + 10.0)
    later.store(picture("another"), OUTPUT, other)
    kept.store(ORIGINAL, OUTPUT, image)
    assert kept.find(image) == ORIGINAL
    assert kept.find(other) == picture("another")
    assert kept.find(copy) == picture("another")


def test_listing(kept: Originals, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every replacement is listed, by absolute path."""
    assert kept.listing() == []
    monkeypatch.chdir(image.parent)
    kept.store(ORIGINAL, OUTPUT, Path("image.png"))
    kept.store(picture("b"), LATER, Path("b.png"))
    assert kept.listing() == [
        Backup(image.parent / "b.png", content_hash(picture("b")), len(picture("b")), NOW),
        Backup(image, content_hash(ORIGINAL), len(ORIGINAL), NOW),
    ]


@POSIX
def test_names_of_all_kinds(kept: Originals, tmp_path: Path) -> None:
    """A path in no encoding is recorded and found."""
    path = tmp_path / os.fsdecode(b"\xff\n.png")
    path.write_bytes(OUTPUT)
    kept.store(ORIGINAL, OUTPUT, path)
    assert kept.find(path) == ORIGINAL
    assert [row.path for row in kept.listing()] == [path]


@POSIX
def test_the_folder_is_private(kept: Originals, image: Path) -> None:
    """Nobody else can look into the folder."""
    kept.store(ORIGINAL, OUTPUT, image)
    assert kept._folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("days", "there"), [(29, True), (31, False)])
def test_thirty_days(kept: Originals, image: Path, days: int, there: bool) -> None:
    """An original is kept for 30 days; the next run that keeps one removes it then, in silence, with its record."""
    kept.store(ORIGINAL, OUTPUT, image)
    later = Originals(kept._folder, clock=lambda: NOW + days * DAY + 1.0)
    later.store(picture("another"), LATER, image.with_name("another.png"))
    assert (later.find(image) == ORIGINAL) is there
    assert len(later.listing()) == 1 + there
    assert later.notes() == []


def test_keeping_again_counts_from_then(kept: Originals, image: Path) -> None:
    """An original that is replaced again is kept for 30 days more."""
    kept.store(ORIGINAL, OUTPUT, image)
    for days in (20, 40):
        Originals(kept._folder, clock=lambda days=days: NOW + days * float(DAY)).store(ORIGINAL, OUTPUT, image)
    assert kept.find(image) == ORIGINAL


def test_the_oldest_go_first(tmp_path: Path) -> None:
    """Over their size the oldest originals go, and a note counts them; the one just kept stays."""
    times = iter(range(NOW, NOW + 1000))
    kept = Originals(tmp_path / "originals", size=50_000, clock=lambda: float(next(times)))
    contents = [os.urandom(10_000) for _ in range(8)]
    for number, content in enumerate(contents):
        assert kept.store(content, bytes([number]), tmp_path / str(number))
    there = [number for number, content in enumerate(contents) if kept.get(content_hash(content))]
    assert there == list(range(there[0], 8))
    assert 3 <= len(there) <= 5
    assert len(kept.notes()) == 1
    assert f"the {8 - len(there)} oldest in {tmp_path / 'originals'} were removed" in kept.notes()[0]
    assert len(kept.listing()) == len(there)


def test_one_that_is_too_large(tmp_path: Path, image: Path) -> None:
    """An original larger than all may be is not kept; the others stay, and a note says so."""
    kept = Originals(tmp_path / "originals", size=1000)
    kept.store(ORIGINAL, OUTPUT, image)
    assert kept.store(bytes(1001), LATER, image) is False
    assert kept.find(image) == ORIGINAL
    assert len(kept.notes()) == 1


def test_a_folder_that_can_not_be_made(tmp_path: Path, image: Path) -> None:
    """Where nothing can be kept, keeping says so, with one note, and raises nothing."""
    (tmp_path / "state").write_bytes(b"in the way")
    kept = Originals(tmp_path / "state" / "originals")
    assert [kept.store(ORIGINAL, OUTPUT, image) for _ in range(2)] == [False, False]
    assert kept.find(image) is None
    assert kept.get(content_hash(ORIGINAL)) is None
    assert kept.listing() == []
    assert len(kept.notes()) == 1
    assert "can't be kept" in kept.notes()[0]


@POSIX
def test_a_folder_that_is_not_writable(unprivileged: Path) -> None:
    """The same for a folder without permission."""
    unprivileged.chmod(0o500)
    kept = Originals(unprivileged / "originals")
    assert kept.store(ORIGINAL, OUTPUT, unprivileged / "image.png") is False
    assert len(kept.notes()) == 1


@pytest.mark.parametrize("content", [b"", b"x", ORIGINAL[:-1]], ids=["empty", "other", "cut"])
def test_a_damaged_original_is_none(kept: Originals, image: Path, content: bytes) -> None:
    """A kept file that does not hold the original any more is not given back; keeping it again mends it."""
    kept.store(ORIGINAL, OUTPUT, image)
    (file,) = kept._folder.glob("*.original")
    file.write_bytes(content)
    assert kept.find(image) is None
    assert kept.store(ORIGINAL, OUTPUT, image)
    assert kept.find(image) == ORIGINAL


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "x" * 64, "A" * 64])
def test_a_hash_is_no_path(kept: Originals, tmp_path: Path, name: str) -> None:
    """What is no hash leads nowhere, in a record as well."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "secret.original").write_bytes(b"somebody's")
    kept.store(ORIGINAL, OUTPUT, tmp_path / "image.png")
    assert kept.get(name) is None
    (record,) = kept._records.glob("*.json")
    record.write_text(json.dumps({"path": "x", "original": name, "size": 1, "kept": 1}))
    assert kept.listing() == []


@given(
    content=st.one_of(
        st.binary(max_size=40),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(
            lambda value: json.dumps(value).encode()
        ),
        st.fixed_dictionaries(
            dict.fromkeys(("path", "original", "size", "kept"), st.none() | st.integers() | st.text(max_size=5))
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_a_damaged_record(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A record that is damaged or foreign counts as none, and nothing is raised."""
    folder = tmp_path_factory.mktemp("originals")
    kept = Originals(folder)
    kept.store(ORIGINAL, OUTPUT, folder / "image.png")
    (record,) = kept._records.glob("*.json")
    record.write_bytes(content)
    (folder / "image.png").write_bytes(OUTPUT)
    assert kept.find(folder / "image.png") is None
    assert kept.listing() == []


def test_threads_and_runs_share_it(tmp_path: Path) -> None:
    """Threads of two runs keep at once, also the same original, and lose nothing."""
    runs = [Originals(tmp_path / "originals") for _ in range(2)]
    contents = [picture(str(number)) for number in range(20)]

    def store(number: int) -> bool:
        return runs[number % 2].store(contents[number // 2], contents[number // 2] + b"out", tmp_path / str(number))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(store, range(40)))
    assert all(runs[0].get(content_hash(content)) == content for content in contents)
    assert len(runs[0].listing()) == 40
    assert [run.notes() for run in runs] == [[], []]


KEEP = """
import os, sys
from pathlib import Path
from imgshrink.files.originals import Originals
folder = Path(sys.argv[1])
number = 0
while True:
    content = b"%d" % number * 100_000
    assert Originals(folder).store(content, content[::-1], folder / str(number))
    number += 1
    print(number, flush=True)
"""


@POSIX
def test_a_killed_process_leaves_it_usable(tmp_path: Path) -> None:
    """What was kept before `kill -9` is there; the next run that keeps something removes what was left half done."""
    for moment in range(4):
        folder = tmp_path / str(moment)
        process = subprocess.Popen([sys.executable, "-c", KEEP, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(1 + moment)]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kept = Originals(folder)
        for number in range(len(said)):
            assert kept.get(content_hash(b"%d" % number * 100_000)) is not None
        assert kept.store(ORIGINAL, OUTPUT, tmp_path / "image.png")
        assert not list(folder.rglob("*.tmp"))
        assert kept.notes() == []


def test_the_newest_is_never_dropped(tmp_path: Path) -> None:
    """Where the newest backup alone takes nearly all the room, every other goes, and it stays."""
    kept = Originals(tmp_path / "originals", size=1000)
    first, newest = b"1" * 500, b"2" * 950
    assert kept.store(first, b"output one", tmp_path / "one.png")
    assert kept.store(newest, b"output two", tmp_path / "two.png")
    assert kept.get(content_hash(first)) is None
    assert kept.get(content_hash(newest)) == newest


def test_no_more_than_needed_is_dropped(tmp_path: Path) -> None:
    """When the room ends, the oldest backups go until nine tenths are left, and no more; exactly full is not over."""
    now = [1_000_000]
    kept = Originals(tmp_path / "originals", size=1200, clock=lambda: now[0])
    contents = [bytes([number]) * 300 for number in range(5)]
    for number, content in enumerate(contents):
        now[0] += 1
        assert kept.store(content, b"output %d" % number, tmp_path / f"{number}.png")
        there = [kept.get(content_hash(one)) is not None for one in contents[: number + 1]]
        assert there == ([True] * (number + 1) if number < 4 else [False, False, True, True, True])


def test_exactly_full(tmp_path: Path) -> None:
    """An original as large as all may be is kept, and backups that fill the room to the byte are all kept."""
    assert Originals(tmp_path / "one", size=300).store(b"1" * 300, b"out", tmp_path / "1.png")
    contents = [bytes([number]) * 100 for number in range(3)]
    for number, content in enumerate(contents):
        assert Originals(tmp_path / "three", size=300).store(content, b"%d" % number, tmp_path / str(number))
    assert all(Originals(tmp_path / "three").get(content_hash(content)) for content in contents)


def test_the_folder_is_read_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run looks through the backups when it keeps the first, and then only when the room ends."""
    swept: list[Path] = []
    monkeypatch.setattr("imgshrink.files.originals.sweep", swept.append)
    kept = Originals(tmp_path / "originals", size=300)
    counts = []
    for number in range(4):
        assert kept.store(bytes([number]) * 100, b"%d" % number, tmp_path / str(number))
        counts.append(len(swept))
    assert counts == [2, 2, 2, 4]


def test_days_to_the_second(tmp_path: Path) -> None:
    """A backup is kept for the whole of its days."""
    for age, there in ((30 * 86400, True), (30 * 86400 + 1, False)):
        now = [NOW]
        kept = Originals(tmp_path / str(age), days=30, clock=lambda now=now: float(now[0]))
        kept.store(ORIGINAL, OUTPUT, tmp_path / "a.png")
        now[0] += age
        Originals(tmp_path / str(age), days=30, clock=lambda now=now: float(now[0])).store(
            LATER, b"out", tmp_path / "b.png"
        )
        assert (kept.get(content_hash(ORIGINAL)) is not None) is there


def test_unless_said_otherwise(tmp_path: Path) -> None:
    """Backups are kept for 30 days, and up to a gigabyte."""
    kept = Originals(tmp_path)
    assert (kept._days, kept._size) == (30, 1_000_000_000)


def test_sizes_in_notes(tmp_path: Path) -> None:
    """The notes give the room in megabytes, and how many backups had to go."""
    kept = Originals(tmp_path / "originals", size=3_000_000)
    assert not kept.store(b"0" * 3_000_001, b"out", tmp_path / "0.png")
    for number in range(4):
        assert kept.store(bytes([number]) * 900_000, b"%d" % number, tmp_path / str(number))
    assert kept.notes() == [
        "an original is larger than all originals may be (3 MB): not kept",
        f"originals over 3 MB: the 1 oldest in {tmp_path / 'originals'} were removed",
    ]


def test_another_run_removes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup or record that another run removes first is no error."""
    unlink = Path.unlink

    def second(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=True)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", second)
    seconds = itertools.count(NOW)
    kept = Originals(tmp_path / "originals", size=250, clock=lambda: float(next(seconds)))
    for number in range(4):
        assert kept.store(bytes([number]) * 100, b"%d" % number, tmp_path / str(number))
    assert len(kept.notes()) == 1
    assert [row.path.name for row in kept.listing()] == ["2", "3"]


@POSIX
def test_nothing_is_read_through_a_symlink(kept: Originals, image: Path, tmp_path: Path) -> None:
    """A symlink to an image has no original; a backup or record that became a symlink is none."""
    kept.store(ORIGINAL, OUTPUT, image)
    link = tmp_path / "link.png"
    link.symlink_to(image)
    assert (kept.find(link), kept.find(image)) == (None, ORIGINAL)
    for pattern in ("*.original", "*.json"):
        (file,) = kept._folder.rglob(pattern)
        elsewhere = file.rename(tmp_path / file.name)
        file.symlink_to(elsewhere)
        assert kept.find(image) is None
        file.unlink()
        elsewhere.rename(file)
        assert kept.find(image) == ORIGINAL


def test_names_of_records(kept: Originals, image: Path) -> None:
    """A record is named by its output and its path, as earlier releases have named theirs."""
    kept.store(ORIGINAL, OUTPUT, image)
    (record,) = kept._records.iterdir()
    assert record.name == f"{content_hash(unseal(OUTPUT))}-{content_hash(os.fsencode(image))[:16]}.json"
