"""Worker processes: what they answer, how they end, and that nothing of them stays."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core import errors
from imgshrink.workers import __main__ as worker
from imgshrink.workers.framing import BrokenFrame, receive, send
from imgshrink.workers.pool import WorkerCrashed, WorkerKilled, WorkerMemory, WorkerPool, WorkerTimeout
from imgshrink.workers.process import Watchdog
from patience import ENDLESS, PATIENCE, gone, until
from places import SRC, SUPPORT
from poison import SECRETS
from shell import UNMEASURED

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory limits and /proc are Linux")


@pytest.fixture
def make_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerPool]]:
    """Make pools that serve the faulty table; every one is closed afterwards."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    made: list[WorkerPool] = []

    def make(jobs: int = 1, **limits: float) -> WorkerPool:
        made.append(WorkerPool(jobs, table="faulty_tasks", **limits))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for workers in made:
        workers.close()


def test_echo(make_workers):
    """Blobs of any bytes, empty ones included, arrive and come back as they were."""
    blobs = (b"", b"\x00\xff" * 100_000, b"text")
    assert blobs == make_workers().call("echo", *blobs)


def test_options(make_workers):
    """Options arrive as keyword arguments of the same type."""
    assert make_workers().call("echo", quality=80, name="x") == (b"{'quality': 80, 'name': 'x'}",)


def test_lazy(make_workers):
    """No process is started before the first task."""
    workers = make_workers(4)
    assert workers.started == 0
    workers.call("echo")
    workers.call("echo")
    assert workers.started == 1


def test_no_more_than_jobs(make_workers):
    """Many callers share at most `jobs` processes."""
    workers = make_workers(2)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: workers.call("echo", str(number).encode()), range(40)))
    assert [(str(number).encode(),) for number in range(40)] == answers
    assert workers.started <= 2


@pytest.mark.parametrize(
    ("task", "error", "text"),
    [
        ("decline", errors.Declined, "not for me"),
        ("unavailable", errors.Unavailable, "not now"),
        ("not_installed", errors.Unavailable, "No module named 'codec'"),
        ("stumble", errors.Rejected, "first line"),
        ("stumble_silently", errors.Rejected, "KeyboardInterrupt"),
        ("no_such_task", errors.Rejected, "'no_such_task'"),
    ],
)
def test_errors(make_workers, task, error, text):
    """An error in the worker arrives as the error that says what the caller can do, and the worker lives on."""
    workers = make_workers()
    with pytest.raises(error) as caught:
        workers.call(task)
    assert text == str(caught.value)
    assert workers.call("echo", b"x") == (b"x",)
    assert workers.started == 1


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file in which a task counts how often it was begun."""
    return tmp_path / "begun"


def begun(notes: Path) -> int:
    """How often a task that keeps `notes` was begun."""
    return len(notes.read_text().splitlines())


@pytest.mark.parametrize("task", ["crash", "abort"])
def test_crash(make_workers, task):
    """A codec that crashes twice by itself is named as such, which is a verdict; the next task gets a new worker."""
    workers = make_workers()
    with pytest.raises(WorkerCrashed, match="the codec crashed") as caught:
        workers.call(task)
    assert isinstance(caught.value, errors.Rejected)
    assert workers.started == 2
    assert workers.call("echo", b"x") == (b"x",)
    assert workers.started == 3


@pytest.mark.parametrize("task", ["crash_once", "killed_once", "terminated_once", "exit_once", "full_once"])
def test_trouble_once(make_workers, notes, task):
    """After one crash, kill or lack of memory a new worker does the task, and nobody notices."""
    assert make_workers().call(task, b"x", notes=str(notes)) == (b"x",)
    assert begun(notes) == 2


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("killed", "its worker process was killed (SIGKILL)"),
        ("terminated", "its worker process was killed (SIGTERM)"),
        ("exits", "its worker process was killed (exit code 3)"),
    ],
)
def test_killed_from_outside(make_workers, task, text):
    """A worker that something else ends, twice, is trouble of the machine: no verdict on its task."""
    workers = make_workers()
    with pytest.raises(WorkerKilled) as caught:
        workers.call(task)
    assert (str(caught.value), workers.started) == (text, 2)
    assert isinstance(caught.value, errors.MachineTrouble)
    assert not isinstance(caught.value, errors.Rejected)


@pytest.mark.parametrize("task", ["no_room", "no_room_in_libvips"])
def test_full_disk(make_workers, task):
    """What the system refuses is trouble of the machine; the line says what it was."""
    with pytest.raises(errors.MachineTrouble, match="No space left on device") as caught:
        make_workers().call(task)
    assert "\n" not in str(caught.value)


def test_crash_after_a_kill_is_no_verdict(make_workers, notes):
    """A codec that crashed only once is not judged, whatever else ended the other try."""
    with pytest.raises(errors.MachineTrouble, match=r"killed .SIGKILL.; in a second try the codec crashed"):
        make_workers().call("killed_then_crash", notes=str(notes))
    assert begun(notes) == 2


def test_killed_while_idle(make_workers):
    """A worker that is killed between two tasks costs nothing: the second task is done by another."""
    workers = make_workers()
    process = int(workers.call("whoami")[0])
    os.kill(process, signal.SIGKILL)
    until(lambda: gone(process))
    assert workers.call("echo", b"x") == (b"x",)


@LINUX
def test_second_try_is_alone(make_workers, tmp_path):
    """While a task is tried again no other worker runs; those that wait are served afterwards."""
    workers = make_workers(3)
    with ThreadPoolExecutor(12) as threads:
        others = [threads.submit(workers.call, "rest", str(number).encode()) for number in range(6)]
        retried = threads.submit(workers.call, "alone_after_a_kill", notes=str(tmp_path / "begun"))
        others += [threads.submit(workers.call, "rest", str(number).encode()) for number in range(6, 10)]
        assert retried.result(60) == (b"1 worker",)
        assert [other.result(60) for other in others] == [(str(number).encode(),) for number in range(10)]


def test_two_second_tries(make_workers, tmp_path):
    """Several tasks that must be tried again are tried one after the other."""
    workers = make_workers(3)
    with ThreadPoolExecutor(6) as threads:
        names = [str(tmp_path / f"begun {number}") for number in range(6)]
        calls = [threads.submit(workers.call, "killed_once", b"x", notes=name) for name in names]
        assert [call.result(PATIENCE) for call in calls] == [(b"x",)] * 6


def test_closed_while_waiting_to_be_alone(make_workers, notes):
    """A caller that waits for its second try hears that the pool was closed."""
    workers = make_workers(2)
    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(workers.call, "hang")
        until(lambda: workers._busy)
        again = threads.submit(workers.call, "killed", b"x")
        until(lambda: workers._reserved)
        workers.stop()
        for caller in (busy, again):
            with pytest.raises(errors.Unavailable, match="interrupted"):
                caller.result(timeout=PATIENCE)
    assert not workers._reserved


def test_garbage_is_a_crash(make_workers):
    """A codec that writes into the pipe of the answers is at fault itself."""
    with pytest.raises(WorkerCrashed):
        make_workers().call("garbage")


def test_watchdog_that_is_late(make_workers):
    """A watchdog whose time comes after the answer ends nothing: the next task is done by the same worker."""
    ended = []
    watchdog = Watchdog(600, lambda: ended.append(1))
    watchdog.call_off()
    watchdog.fire()
    assert (ended, watchdog.fired) == ([], False)


def test_watchdog_fires_once():
    """A watchdog that has fired says so, and does not fire again."""
    ended = []
    watchdog = Watchdog(600, lambda: ended.append(1))
    watchdog.fire()
    watchdog.fire()
    watchdog.call_off()
    assert (ended, watchdog.fired) == ([1], True)


@pytest.mark.parametrize("task", ["hang", "hang_locked"])
def test_hang(make_workers, task):
    """A worker that takes longer than its time is ended, also where it holds the interpreter."""
    workers = make_workers(seconds=0.5)
    with pytest.raises(WorkerTimeout, match=r"took longer than 0\.5 s"):
        workers.call(task)


@LINUX
def test_memory(make_workers):
    """A worker that eats memory is stopped at its limit."""
    workers = make_workers(memory=300 * 10**6)
    with pytest.raises(WorkerMemory, match="needed more than 300 MB of memory"):
        workers.call("eat")


@LINUX
def test_memory_lost_to_earlier_tasks(make_workers):
    """What a used worker has no memory left for is done by a new one; a task too large for that too is given up."""
    workers = make_workers(memory=300 * 10**6)
    workers.call("hoard")
    assert workers.call("need") == (b"done",)
    assert (workers.started, len(workers._idle)) == (2, 1)
    with pytest.raises(WorkerMemory):
        workers.call("eat")
    assert workers.started == 3
    assert workers.call("need") == (b"done",)


@LINUX
def test_nothing_of_a_task_stays(make_workers):
    """What a task was given and what it answered is freed before the next one comes."""
    workers = make_workers()
    before = int(workers.call("resident")[0])
    workers.call("echo", bytes(40_000_000))
    assert int(workers.call("resident")[0]) < before + 20_000_000


def test_abort_for_memory(make_workers):
    """Native code that aborts because an allocation failed is told from other crashes by what it says."""
    with pytest.raises(WorkerMemory, match="needed more than"):
        make_workers().call("abort_for_memory")


def test_chatter(make_workers, capfd):
    """What native code prints reaches neither the frames nor our own streams."""
    assert make_workers().call("chatter", b"x") == (b"x",)
    assert capfd.readouterr() == ("", "")


def test_no_secrets(make_workers, monkeypatch):
    """Of a full environment a worker gets what it needs by name, and no token, key or password."""
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    (found,) = make_workers().call("environment")
    names = found.decode().splitlines()
    assert {"PATH", "HOME", "PYTHONPATH", "LC_TIME", "VIPS_CONCURRENCY"} <= set(names)
    assert set(names).isdisjoint(SECRETS)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_interrupted(make_workers, end):
    """Ending the pool releases callers that run and callers that wait, and no process stays."""
    workers = make_workers(1)
    process = int(workers.call("whoami")[0])
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(workers.call, "hang") for _ in range(3)]
        until(lambda: workers._busy)
        getattr(workers, end)()
        for caller in waiting:
            with pytest.raises(errors.Unavailable, match="interrupted"):
                caller.result(timeout=PATIENCE)
    until(lambda: gone(process))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_keeps_nobody_waiting(make_workers, monkeypatch):
    """Where a forked process holds the workers' pipes open, all idle ones together are given a second to leave."""
    granted = []

    def wait(worker, seconds):
        granted.append(seconds)
        waits(worker, seconds)

    workers = make_workers(6)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: workers.call("rest"), range(6)))
    child = os.fork()
    if child == 0:
        time.sleep(ENDLESS)
        os._exit(0)
    try:
        processes = [worker._process for worker in workers._idle]
        assert len(processes) > 3
        waits = type(workers._idle[0]).wait
        monkeypatch.setattr(type(workers._idle[0]), "wait", wait)
        workers.close()
        leaving = granted[::2]  # each is waited for once more after it is killed
        assert len(leaving) == len(processes)
        assert sum(leaving) <= 1
        assert all(process.poll() is not None for process in processes)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_closed(make_workers):
    """A closed pool starts nothing, and closing twice is fine."""
    workers = make_workers()
    workers.close()
    workers.close()
    with pytest.raises(errors.Unavailable, match="interrupted"):
        workers.call("echo")
    assert workers.started == 0


def test_cannot_start(make_workers, monkeypatch):
    """Where no process can be started the codecs are unavailable, which is nobody's fault."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(errors.Unavailable, match="no worker process could be started"):
        make_workers().call("echo")


def killed_parent(task: str, seconds: float) -> int:
    """Kill a process whose worker is at `task`, and return the worker's process id."""
    script = (
        "import sys, threading, time; from imgshrink.workers.pool import WorkerPool\n"
        f"workers = WorkerPool(1, table='faulty_tasks', seconds={seconds})\n"
        "print(workers.call('whoami')[0].decode(), flush=True)\n"
        f"threading.Thread(target=workers.call, args=({task!r},), daemon=True).start()\n"
        "time.sleep(0.2); print('ready', flush=True); time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
    return worker


@LINUX
@pytest.mark.parametrize("task", ["echo", "hang"])
def test_parent_killed(task, monkeypatch):
    """When the parent is killed, idle and busy workers end by themselves."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    worker = killed_parent(task, seconds=60)
    until(lambda: gone(worker))


@LINUX
def test_ctrl_c_is_the_parents(make_workers):
    """Ctrl-C in the terminal goes to the parent alone: a worker is in a session of its own."""
    process = int(make_workers().call("whoami")[0])
    assert os.getsid(process) == process
    assert os.getsid(process) != os.getsid(0)


def test_alarm_is_off_between_tasks(monkeypatch):
    """A worker that waits longer than a task may take is not ended for it: its alarm is set for the task alone."""
    alarms: list[object] = []
    monkeypatch.setattr(worker, "_set_alarm", alarms.append)
    tasks = {"look": lambda: alarms.append("at work") or ()}
    request = {"task": "look", "options": {}, "seconds": 5.0}, ()
    assert worker._serve(request, tasks, io.BytesIO(), threading.Event())
    assert alarms == [5.0 + worker._GRACE, "at work", 0]


@LINUX
@pytest.mark.slow
def test_alarm_ends_the_locked(monkeypatch):
    """A codec that hangs and holds the interpreter ends by itself soon after its time, though the parent was killed."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    worker = killed_parent("hang_locked", seconds=10)
    until(lambda: gone(worker))


def test_main_is_not_imported_again(tmp_path):
    """A script without a main guard runs once, though it uses workers."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('once', flush=True)\n"
        "from imgshrink.workers.pool import WorkerPool\n"
        "workers = WorkerPool(2, table='faulty_tasks')\n"
        "print(workers.call('echo', b'x'))\n"
        "workers.close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "once\n(b'x',)\n"


def test_parent_side_is_standard_library_only():
    """Importing the parent's side loads no codec and nothing from outside the standard library."""
    script = (
        "import sys, imgshrink.workers.pool; print({'pyvips', 'oxipng', 'multiprocessing', 'cffi'} & set(sys.modules))"
    )
    # Measuring coverage loads multiprocessing into every program that the tests start.
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | UNMEASURED).stdout
    assert output == "set()\n"


def test_many_threads_close(make_workers):
    """Closing while many threads call leaves every caller with an answer or the interruption."""
    workers = make_workers(2)
    results: list[object] = []

    def call() -> None:
        try:
            while True:
                workers.call("echo", b"x")
        except errors.Unavailable as error:
            results.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(6)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    workers.close()
    for caller in callers:
        caller.join(PATIENCE)
    assert results == ["interrupted"] * 6


@given(st.lists(st.binary(max_size=50), max_size=4), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_frames_come_back(blobs, options):
    """A frame that was written is read as it was."""
    stream = io.BytesIO()
    send(stream, {"options": options}, blobs)
    stream.seek(0)
    assert ({"options": options}, tuple(blobs)) == receive(stream)


@given(st.binary(max_size=40))
def test_junk_is_not_a_frame(junk):
    """Bytes that are no frame raise `BrokenFrame` and nothing else."""
    with pytest.raises(BrokenFrame):
        receive(io.BytesIO(junk))


@pytest.mark.parametrize("header", [b"[]", b"{}", b'{"blobs": 3}', b'{"blobs": [9]}', b'{"blobs": ["x"]}', b"\xff"])
def test_wrong_headers(header):
    """A header that is not an object with the lengths of the blobs is no frame."""
    with pytest.raises(BrokenFrame):
        receive(io.BytesIO(len(header).to_bytes(4, "big") + header))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds imgshrink and a table, found by nobody who does not add it to `sys.path`."""
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "imgshrink").symlink_to(SRC)
    (folder / "table.py").write_text("import json\nTASKS = {'name': lambda: (json.__name__.encode(),)}\n")
    return folder


def started_apart(script: str, *flags: str, cwd: Path) -> str:
    """Run a script in an interpreter that finds no installed package, and return what it prints."""
    code = f"{script}\nworkers = WorkerPool(1, table='table')\nprint(workers.call('name'))\nworkers.close()\n"
    command = [sys.executable, "-S", *flags, "-c", code]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | UNMEASURED
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("flags", [(), ("-I",)])
def test_installed_where_only_this_program_looks(installed: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """A script that adds the folder of imgshrink to `sys.path` itself has workers that find it too."""
    script = f"import sys; sys.path.append({str(installed)!r}); from imgshrink.workers.pool import WorkerPool"
    assert started_apart(script, *flags, cwd=tmp_path) == "(b'json',)\n"


def test_modules_of_the_working_folder_are_not_imported(installed: Path, tmp_path: Path) -> None:
    """A module in the working folder takes the place of none in a worker, though the caller's `sys.path` has it."""
    (tmp_path / "json.py").write_text("raise SystemExit(1)\n")
    script = (
        "import sys; own = sys.path.pop(0); import json; sys.path.insert(0, own)\n"
        f"sys.path.append({str(installed)!r}); from imgshrink.workers.pool import WorkerPool"
    )
    assert started_apart(script, cwd=tmp_path) == "(b'json',)\n"


def test_a_worker_that_can_not_start_says_why(installed: Path, tmp_path: Path) -> None:
    """Where a package of the codecs is broken, the reason is in the line, not only that a process has ended."""
    (installed / "table.py").write_text("import no_such_codec\n")
    script = f"import sys; sys.path.append({str(installed)!r}); from imgshrink.workers.pool import WorkerPool"
    said = started_apart(script, cwd=tmp_path).splitlines()[-1]
    assert "Unavailable: a worker process failed: ModuleNotFoundError: No module named 'no_such_codec'" in said


def test_python_inside_of_another_program(make_workers, monkeypatch):
    """Where Python is part of another program and has none of its own, the codecs are unavailable."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(errors.Unavailable, match="does not know its own program"):
        make_workers().call("echo")
