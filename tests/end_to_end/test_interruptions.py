"""The whole way, by the real command on real files: the promises, and what breaks other tools."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageSequence

from bad_codecs import CRASH, EAT, HANG
from fakes import Watcher, by_name, chunk
from hostile_images import BOMBS
from imgshrink.core.model import Outcome, Status
from imgshrink.image.seal import COST, read_seal, unseal, why_not_sealable
from imgshrink.image.sniff import sniff
from imgshrink.session import Session
from imgshrink.settings.load import load
from imgshrink.workers.pool import WorkerPool
from once import once
from patience import PATIENCE, gone, until
from places import IMAGES, SUPPORT
from real_tools import PICTURES, program, run
from selection import rest_slow

SOON = 10
"""Seconds that a codec may take here: many for a codec that works on a slow machine, few to wait for a hanging one."""
POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


def optimize(folder: Path, *options: str, timeout: float = 600) -> dict[str, dict[str, object]]:
    """Run the real command over `folder`, which must end with 0; return the images of its JSON report by path."""
    report = folder.parent / f"{folder.name}.json"
    done = run(program("imgshrink"), "optimize", f"--report={report}", *options, ".", cwd=folder, timeout=timeout)
    assert done.returncode == 0, done.stdout
    return {str(row["path"]): row for row in json.loads(report.read_text())["images"]}


def contents(folder: Path) -> dict[str, bytes]:
    """Every plain file below `folder`."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def temporaries(folder: Path) -> list[Path]:
    """What looks like a temporary file of ours."""
    return [path for path in folder.rglob("*") if ".tmp" in path.name]


def copies(folder: Path, names: list[str] | None = None) -> Path:
    """The small test images, in a folder of their own."""
    folder.mkdir()
    for path in sorted(IMAGES.iterdir()):
        if path.suffix != ".md" and (names is None or path.name in names):
            shutil.copyfile(path, folder / path.name)
    return folder


def other_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Another machine: nothing of the first one's cache or state is there."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder / name))


def test_once_on_any_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run on another machine changes no byte and asks no engine."""
    folder = copies(tmp_path / "images", ["animated.webp", "palette.png", "photo.jpg", "still.png"])
    first = optimize(folder)
    assert any(row["status"] == "optimized" for row in first.values())
    before = contents(folder)
    other_home(monkeypatch, tmp_path / "other")
    second = optimize(folder)
    assert contents(folder) == before
    assert {row["engine"] for row in second.values()} <= {"", None}


@pytest.mark.slow
def test_equal_bytes_from_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same bytes, settings and versions give the same output, with one worker and with three."""
    one, three = copies(tmp_path / "one"), copies(tmp_path / "three")
    optimize(one, "--jobs=1")
    other_home(monkeypatch, tmp_path / "other")
    optimize(three, "--jobs=3")
    assert contents(one) == contents(three)


def test_two_processes_encode_each_content_once(tmp_path: Path) -> None:
    """Two processes on one folder with a cold cache share the work: each content is asked for once."""
    folder = copies(tmp_path / "images", ["palette.png", "photo.jpg", "still.png"])
    reports = [tmp_path / "a.json", tmp_path / "b.json"]
    running = [
        subprocess.Popen(
            [program("imgshrink"), "warm", f"--report={report}", "."], cwd=folder, stdout=subprocess.DEVNULL
        )
        for report in reports
    ]
    assert [process.wait(300) for process in running] == [0, 0]
    rows = [row for report in reports for row in json.loads(report.read_text())["images"]]
    assert not [row for row in rows if row["status"] == "failed"]
    computed = [row["path"] for row in rows if row["engine"] and not row["from_cache"]]
    assert len(computed) == len(set(computed))
    assert set(computed) == {row["path"] for row in rows if row["engine"]}


def commented(folder: Path, name: str, words: bytes) -> None:
    """Write a copy of a test PNG that says `words` in a comment."""
    data = (IMAGES / "still.png").read_bytes()
    (folder / name).write_bytes(data[:-12] + chunk(b"tEXt", b"Comment\0" + words) + data[-12:])


@pytest.fixture
def bad_codecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Outcome]]:
    """What becomes of a folder where one image crashes the codec, one hangs it, one eats memory and two are fine."""
    folder = copies(tmp_path / "images", ["still.png", "photo.jpg"])
    for name, words in (("crash.png", CRASH), ("hang.png", HANG), ("eat.png", EAT)):
        commented(folder, name, words)
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    with Session(load(folder, environ=os.environ, arguments={"jobs": 2})) as session:
        session.__dict__["workers"] = WorkerPool(2, seconds=SOON, memory=600 * 2**20, table="bad_codecs")
        sources = [session.selection.source(path, path.name) for path in sorted(folder.iterdir())]
        steps = session.run(sources, destination=session.in_place(sources), observer=Watcher(), in_place=True)
        yield by_name(list(steps))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a worker's memory")
def test_bad_codecs_are_named_and_the_rest_is_done(bad_codecs: dict[str, Outcome]) -> None:
    """A crashing, a hanging and a memory-eating codec cost their own image its gain, and nothing else.

    Only the crash, by itself and twice, is a verdict: what ran out of memory or time is neither sealed nor remembered.
    """
    found = {name: (bad_codecs[name].status, bad_codecs[name].reason) for name in ("crash.png", "hang.png", "eat.png")}
    assert found == {
        "crash.png": (Status.SEALED, "the codec crashed"),
        "hang.png": (Status.SKIPPED, f"took longer than {SOON} s"),
        "eat.png": (Status.SKIPPED, "needed more than 629 MB of memory"),
    }
    assert bad_codecs["still.png"].status is Status.OPTIMIZED
    assert bad_codecs["photo.jpg"].status in (Status.OPTIMIZED, Status.SEALED)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a worker's memory")
def test_memory_and_time_are_no_verdict(bad_codecs: dict[str, Outcome], tmp_path: Path) -> None:
    """What ran out of memory or time is untouched, the check names it, and the next run tries it again."""
    folder = tmp_path / "images"
    left = {"hang.png": HANG, "eat.png": EAT}
    for name, words in left.items():
        assert bad_codecs[name].status is Status.SKIPPED
        assert words in (folder / name).read_bytes()
        assert read_seal((folder / name).read_bytes()) is None
    done = run(program("imgshrink"), "check", ".", cwd=folder)
    assert (done.returncode, [name for name in left if name in done.stdout]) == (1, list(left))
    again = optimize(folder)
    assert {again[name]["status"] for name in left} == {"optimized"}


class Killer(threading.Thread):
    """Kills the workers of the process `parent` on sight, like a system that is short of memory: at most `most`."""

    def __init__(self, parent: int, most: float) -> None:
        super().__init__(daemon=True)
        self.killed: set[int] = set()
        self._parent = parent
        self._most = most
        self._ended = threading.Event()

    def run(self) -> None:
        """Look and kill until it is told to stop."""
        while not self._ended.wait(0.005):
            for worker in workers_of(self._parent) - self.killed:
                if len(self.killed) < self._most:
                    self.killed.add(worker)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)

    def stop(self) -> None:
        """Kill no more."""
        self._ended.set()
        self.join()


def workers_of(parent: int) -> set[int]:
    """The worker processes that a process has now."""
    found = set()
    with contextlib.suppress(OSError):
        for child in children(parent):
            with contextlib.suppress(OSError):
                if b"imgshrink.workers" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.add(child)
    return found


def run_killed(command: list[str], folder: Path, most: float = math.inf) -> tuple[int, str, int]:
    """Run a command whose workers are killed; return its exit code, what it printed, and how many were killed."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    killer = Killer(process.pid, most)
    killer.start()
    printed, _ = process.communicate(timeout=300)
    killer.stop()
    return process.returncode, printed, len(killer.killed)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for workers in /proc")
class TestKilledWorkers:
    """The system kills worker processes, as one does that is short of memory."""

    def test_always(self, tmp_path: Path) -> None:
        """The hook lets the commit pass with one line; nothing is sealed or remembered; the next run does the work."""
        folder = copies(tmp_path / "images", ["still.png"])
        before = contents(folder)
        code, printed, killed = run_killed([program("imgshrink-hook"), "still.png"], folder)
        assert (code, killed) == (0, 2)
        assert printed == "imgshrink: left alone: still.png (its worker process was killed (SIGKILL))\n"
        assert contents(folder) == before
        done = run(program("imgshrink"), "check", ".", cwd=folder)
        assert (done.returncode, "still.png" in done.stdout) == (1, True)
        assert run(program("imgshrink-hook"), "still.png", cwd=folder).returncode == 1
        assert read_seal((folder / "still.png").read_bytes()) == 80

    @pytest.mark.slow
    def test_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that is killed once costs time only: the results are the same bytes."""
        names = ["still.png", "photo.jpg"]
        undisturbed, disturbed = copies(tmp_path / "one", names), copies(tmp_path / "two", names)
        optimize(undisturbed)
        other_home(monkeypatch, tmp_path / "other")
        code, printed, killed = run_killed([program("imgshrink"), "optimize", "."], disturbed, most=1)
        assert (code, killed) == (0, 1), printed
        assert contents(disturbed) == contents(undisturbed)


def whole(path: Path, original: bytes) -> bool:
    """Whether the file is the whole original or a whole, sealed result."""
    data = path.read_bytes()
    return data == original or (read_seal(data) is not None and sniff(data) is not None)


def killed_at_random(folder: Path, originals: dict[str, bytes], times: int, seed: int) -> None:
    pick = random.Random(seed)
    for _ in range(times):
        for name, data in originals.items():
            (folder / name).write_bytes(data)
        process = subprocess.Popen(
            [program("imgshrink"), "optimize", "."],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(pick.uniform(0.05, 1.6))
        process.kill()
        process.wait()
        assert [name for name in originals if not whole(folder / name, originals[name])] == []


@POSIX
@pytest.mark.parametrize(
    ("times", "names"), rest_slow([(3, ["still.png", "photo.jpg", "palette.png"]), (60, None)], lambda row: row[0] == 3)
)
def test_killed_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, names: list[str] | None
) -> None:
    """After `kill -9` every file is whole; the next run finishes the job and leaves no temporary file."""
    folder = copies(tmp_path / "images", names)
    originals = contents(folder)
    for batch in range(max(1, times // 10)):
        other_home(monkeypatch, tmp_path / f"home{batch}")
        killed_at_random(folder, originals, min(times, 10), batch)
    optimize(folder)
    assert temporaries(folder) == []
    assert all(read_seal(data) is not None for data in contents(folder).values())


@POSIX
@pytest.mark.slow
def test_interrupted_in_a_long_animation(corpus: list[Path], tmp_path: Path) -> None:
    """Ctrl-C in the middle of a long GIF: gone with 130, no worker left, the file whole."""
    folder = tmp_path / "images"
    folder.mkdir()
    longest = max((path for path in corpus if path.suffix == ".gif"), key=lambda path: path.stat().st_size)
    shutil.copyfile(longest, folder / "long.gif")
    process = subprocess.Popen(
        [program("imgshrink"), "optimize", "."], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: any(seconds_of_work(worker) > 2 for worker in children(process.pid)))
    workers = children(process.pid)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    until(lambda: all(gone(worker) for worker in workers))
    assert (folder / "long.gif").read_bytes() == longest.read_bytes()


def seconds_of_work(process: int) -> float:
    """The seconds that a process has computed for, 0 where it is gone. Linux."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def children(parent: int) -> list[int]:
    """The processes that `parent` started."""
    return [
        int(word) for task in Path(f"/proc/{parent}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def test_edit_during_the_run_survives(tmp_path: Path) -> None:
    """An edit made to a file while it is worked on is kept."""
    folder = copies(tmp_path / "images", ["still.png"])
    edited = (IMAGES / "profile.png").read_bytes()
    with Session(load(folder, environ=os.environ)) as session:
        watcher = Watcher()
        watcher.planned = lambda plan: (folder / "still.png").write_bytes(edited) and None  # type: ignore[method-assign]
        sources = [session.selection.source(folder / "still.png", "still.png")]
        steps = session.run(
            sources,
            destination=session.in_place(sources), observer=watcher, in_place=True,
        )  # fmt: skip
        (outcome,) = steps
    assert outcome.status is Status.SKIPPED
    assert (folder / "still.png").read_bytes() == edited


@pytest.mark.slow
@pytest.mark.long
def test_whole_corpus(sweep: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole corpus: none fails, none grows by more than its seal; run again elsewhere, nothing is done."""
    folder = tmp_path / "corpus"
    top = Path(os.path.commonpath(sweep))
    for path in sweep:
        target = folder / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    rows = optimize(folder)
    assert len(rows) == len(sweep)
    assert [row for row in rows.values() if row["status"] == "failed"] == []
    grown = {name: row["after"] - row["before"] for name, row in rows.items() if row["after"] > row["before"]}
    assert all(growth <= 60 for growth in grown.values())
    before = contents(folder)
    other_home(monkeypatch, tmp_path / "other")
    again = optimize(folder)
    assert {row["engine"] for row in again.values()} <= {"", None}
    assert contents(folder) == before


@pytest.fixture(scope="session")
def hostile_run(
    hostile_made: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, str], dict[str, dict[str, object]]]:
    """The hostile inputs as they were and after the command, what each must get, and the report."""
    made, expected = hostile_made

    def optimized(base: Path) -> dict[str, dict[str, object]]:
        folder = base / "inputs"
        shutil.copytree(made, folder, symlinks=True)
        for path in made.iterdir():
            if not path.is_symlink() and path.is_file():
                os.utime(folder / path.name, (1_000_000_000, 1_000_000_000))
        with pytest.MonkeyPatch.context() as patch:
            other_home(patch, base / "home")
            return optimize(folder)

    base, rows = once(tmp_path_factory, "hostile-run", optimized)
    return made, base / "inputs", expected, rows


UNTOUCHED = [
        "truncated.png", "truncated.jpg", "truncated.gif", "truncated.webp", "zero.png", "zero.jpg", "html-error.png",
        "lfs-pointer.png", "bad-crc-idat.png", "bomb-60000-header.png", "bomb-20000-real.png", "bomb-gif-canvas.gif",
        "polyglot-gif.js.gif", "mpo.jpg", "svg-as-png.png", "svg-embeds-png.svg", "no-extension", "already-minimal.png",
        "1x1.gif", "1x1.png",
    ]  # fmt: skip
"""Those hostile inputs that must stay as they are, files on every system."""


@pytest.mark.slow
def test_hostile_is_untouched(hostile_run: tuple[Path, Path, object, object]) -> None:
    """What can't or mustn't be shrunk keeps its bytes and its time stamp."""
    made, folder, _, _ = hostile_run
    changed = [name for name in UNTOUCHED if (folder / name).read_bytes() != (made / name).read_bytes()]
    assert changed == []
    assert [name for name in UNTOUCHED if (folder / name).stat().st_mtime != 1_000_000_000] == []


@pytest.mark.slow
def test_hostile_set_is_complete(hostile_run: tuple[Path, Path, dict[str, str], object]) -> None:
    """Nothing appears and nothing goes; links stay links, modes stay modes."""
    made, folder, expected, _ = hostile_run
    assert {path.name for path in made.iterdir()} == {path.name for path in folder.iterdir()}
    assert len(expected) >= 76
    for path in made.iterdir():
        other = folder / path.name
        if path.is_symlink():
            assert other.readlink() == path.readlink()
        else:
            assert stat.S_IMODE(other.stat().st_mode) == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.slow
def test_hostile_never_fails(hostile_run: tuple[Path, Path, object, dict[str, dict[str, object]]]) -> None:
    """No hostile input is a failure of the run; what is left alone says why."""
    rows = hostile_run[3]
    assert [row for row in rows.values() if row["status"] == "failed"] == []
    assert all(row["reason"] for row in rows.values() if row["status"] == "skipped")
    assert "git lfs pull" in str(rows["lfs-pointer.png"]["reason"])


@pytest.mark.slow
def test_hostile_pictures_stay_the_same(hostile_run: tuple[Path, Path, object, object]) -> None:
    """Every input that another decoder can open shows the same picture afterwards, with frames, mode and size."""
    made, folder, _, _ = hostile_run
    changed = [
        path
        for path in sorted(made.iterdir())
        if path.is_file() and not path.is_symlink() and path.read_bytes() != (folder / path.name).read_bytes()
    ]
    # The one that Pillow does not open before either: a wrong checksum in a text chunk.
    compared = [path for path in changed if path.name != "bad-crc-ancillary.png"]
    for path in compared:
        same_image(path, folder / path.name)
    assert len(compared) > 30


def same_image(before: Path, after: Path) -> None:
    with Image.open(before) as one, Image.open(after) as two:
        assert (one.format, one.size) == (two.format, two.size), before.name
        assert one.info.get("loop") == two.info.get("loop"), before.name
        assert ("CMYK" in (one.mode, two.mode)) <= (one.mode == two.mode), before.name
        frames = shown(one), shown(two)
    assert frames[0][-1][0] == frames[1][-1][0], before.name
    ends = [end for end, _ in frames[0]]
    for end in ends[:: max(1, len(ends) // 20)]:
        pair = [next(frame for until, frame in timeline if until >= end) for timeline in frames]
        extremes = ImageChops.difference(*pair).reduce(8).getextrema()
        assert max(high for _, high in extremes) <= 40, before.name


def shown(image: Image.Image) -> list[tuple[float, Image.Image]]:
    """What an image shows, on grey, and until when, in milliseconds."""
    timeline: list[tuple[float, Image.Image]] = []
    end = 0.0
    for frame in ImageSequence.Iterator(image):
        end += frame.info.get("duration", 0) if getattr(image, "is_animated", False) else 0
        pixels = frame.convert("RGBA")
        ground = Image.new("RGBA", pixels.size, (128, 128, 128, 255))
        timeline.append((end, Image.alpha_composite(ground, pixels).convert("RGB")))
    return timeline


@pytest.mark.slow
def test_hostile_seals(hostile_run: tuple[Path, Path, object, object]) -> None:
    """A file that is sealed only differs from what it was by its seal alone."""
    made, folder, _, rows = hostile_run
    for name, row in rows.items():
        if row["status"] == "sealed":
            data = (folder / name).read_bytes()
            assert unseal(data) == unseal((made / name).read_bytes()), name
            assert row["after"] - row["before"] <= max(COST.values()), name


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux tells it")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_from_the_header(tmp_path: Path, name: str) -> None:
    """A picture of many gigabytes is left alone with no worker started and with little memory."""
    (tmp_path / name).write_bytes(BOMBS[name])
    code = (
        "import resource, sys; from pathlib import Path; from imgshrink.hook import main; code = main(sys.argv[1:]);"
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0];"
        "print('peak', peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    done = run(sys.executable, "-c", code, name, cwd=tmp_path)
    assert done.returncode == 0
    own, children_peak = map(int, done.stdout.rsplit("peak", 1)[1].split())
    assert own < 200 * 1024
    assert children_peak == 0


@pytest.mark.slow
def test_sealable_hostile_inputs_pass_a_check(hostile_run: tuple[Path, Path, object, object]) -> None:
    """After one run the offline check passes: what is not sealed is a note."""
    folder = hostile_run[1]
    done = run(program("imgshrink"), "check", ".", cwd=folder)
    assert done.returncode == 0, done.stdout


def test_example_pictures_may_be_sealed() -> None:
    """The pictures that the fast tests use can be sealed: the tests above test something."""
    assert all(not why_not_sealable(path.read_bytes()) for path in PICTURES.rglob("*.png"))
