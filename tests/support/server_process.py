"""A server in its own process, on a real socket, with an engine for tests: `Served` starts it and sends requests.

The process is a fork of one that has imported the server already, once for all servers of a run: the imports are most
of what a start costs.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

from imgshrink.core.errors import Declined, MachineTrouble, Rejected, Unavailable
from imgshrink.core.model import Accept, ImageInfo, Judgement, NotSmaller, Recipe, Refuse
from imgshrink.image.metadata import reduce
from imgshrink.server.database import NAME, Database
from imgshrink.server.keys import Keys
from imgshrink.server.limits import Limits

PATIENCE = 60.0

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["httpx", "imgshrink.engines.builtin", "imgshrink.server.run", "imgshrink.worker_tasks"])


class Trim:
    """An engine without a codec: it logs each call, takes `seconds`, and reduces metadata."""

    name = "trim"
    fingerprint = "trim 1"

    def __init__(self, seconds: float = 0, asked: str = "") -> None:
        self._seconds = seconds
        self._asked = asked
        self._closed = False

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        if self._asked:
            with Path(self._asked).open("a") as file:
                file.write("asked\n")
        self._wait()
        return self.result(data)

    def _wait(self) -> None:
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            if self._closed:
                raise Unavailable("interrupted")
            time.sleep(0.01)

    def result(self, data: bytes) -> bytes:
        return reduce(data)

    def close(self) -> None:
        self._closed = True


class Crash(Trim):
    """An engine whose codec crashes with every image."""

    def result(self, data: bytes) -> bytes:
        raise Rejected("the codec crashed")


class Decline(Trim):
    """An engine that declines every image."""

    def result(self, data: bytes) -> bytes:
        raise Declined("not for this engine")


class Stumble(Trim):
    """An engine with a bug."""

    def result(self, data: bytes) -> bytes:
        raise ZeroDivisionError("secret detail")


class Absent(Trim):
    """An engine that is unavailable for its first five calls."""

    def result(self, data: bytes) -> bytes:
        if len(Path(self._asked).read_text().splitlines()) <= 5:
            raise Unavailable("no worker process could be started")
        return super().result(data)


class Killed(Trim):
    """An engine whose processes the system kills, for its first `killed` calls."""

    def __init__(self, seconds: float = 0, asked: str = "", killed: int = 3) -> None:
        super().__init__(seconds, asked)
        self._killed = killed

    def result(self, data: bytes) -> bytes:
        if len(Path(self._asked).read_text().splitlines()) <= self._killed:
            raise MachineTrouble("the worker was killed")
        return super().result(data)


class Murdered(Killed):
    """An engine whose processes the system always kills."""

    def __init__(self, seconds: float = 0, asked: str = "") -> None:
        super().__init__(seconds, asked, killed=10**9)


class Die(Trim):
    """An engine that kills the server."""

    def result(self, data: bytes) -> bytes:
        os._exit(9)


class Swap(Trim):
    """An engine that returns another image."""

    def result(self, data: bytes) -> bytes:
        return b"another image"


ENGINES: Mapping[str, Callable[..., Trim]] = {
    engine.__name__.lower(): engine for engine in (Trim, Crash, Decline, Stumble, Absent, Killed, Murdered, Die, Swap)
}


def judge(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
    """Verify for engines without a codec."""
    if candidate == b"another image":
        return Refuse("it shows another image")
    return Accept(candidate) if len(candidate) < len(original) else NotSmaller()


def until(happens: Callable[[], object]) -> None:
    """Wait for a condition that another process fulfils, such as a line in its log."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.02)


class Served:
    """One server and its data folder, which survives it. Use as a context manager, or call `start` and `kill`."""

    def __init__(self, data: Path, *, engine: str = "trim", jobs: int = 2, key: str = "", **more: Any) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        self.url = ""
        self._config = {"data": str(data), "engine": engine, "jobs": jobs, **more}
        self._process: BaseProcess | None = None
        self.key = key or self.add_key("tests")

    def add_key(self, name: str, limit: int = 10_000) -> str:
        database = Database(self._config.get("database") or self.data)
        try:
            return Keys(database).add(name, limit)
        finally:
            database.close()

    def break_database(self) -> None:
        """Take a table away, after the server has begun to serve."""
        assert self.get("/health/live").status_code == 200
        with contextlib.closing(sqlite3.connect(self.data / NAME)) as connection:
            connection.execute("DROP TABLE jobs")
            connection.commit()

    def revoke_key(self, name: str) -> None:
        database = Database(self._config.get("database") or self.data)
        try:
            Keys(database).revoke(name)
        finally:
            database.close()

    def start(self, **changed: Any) -> Served:
        self._config |= changed
        said, says = forks.Pipe(duplex=False)
        shell = {"environ": dict(os.environ), "folder": str(Path.cwd()), "log": str(self.log)}
        self._process = forks.Process(target=main, args=(self._config, says, shell), daemon=True)
        self._process.start()
        says.close()
        with said:
            try:
                while "listening on " not in (line := said.recv()):
                    pass
            except EOFError:
                raise AssertionError(f"the server did not start: {self.log.read_text()}") from None
        self.url = line.split("listening on ")[1].split(",")[0]
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self.exit_code()

    def stop(self) -> int:
        """Stop it in order and return its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait until it exits by itself."""
        assert self._process is not None
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, "the server did not end in time"
        return self._process.exitcode

    def __enter__(self) -> Served:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            try:
                if self._process.exitcode is None:
                    self.stop()
            finally:
                self._process.kill()

    def connected(self, data: bytes = b"") -> socket.socket:
        """Open a connection and send `data`."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
        sock.sendall(data)
        return sock

    def get(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        return self.request("GET", path, key, **more)

    def request(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """Send one request with the tests' key, with another one, or with none for ""."""
        key = self.key if key is None else key
        headers = {**({"X-API-Key": key} if key else {}), **more.pop("headers", {})}
        url = path if path.startswith("http") else self.url + path
        return httpx.request(method, url, headers=headers, timeout=PATIENCE, verify=False, **more)

    def post(self, image: bytes, key: str | None = None, *, quality: Any = None, **more: Any) -> httpx.Response:
        fields = {} if quality is None else {"quality": quality}
        return self.request("POST", "/api/optimize", key, files={"image": ("image.png", image)}, data=fields, **more)

    def accepted(self, image: bytes, **more: Any) -> int:
        """Upload an image and return its number."""
        reply = self.post(image, **more)
        assert reply.status_code == 200, reply.text
        number = reply.json()["data"]["image_id"]
        assert isinstance(number, int)
        return number

    def ended(self, number: int, key: str | None = None) -> dict[str, Any]:
        """Wait until an image is completed or failed, and return its data."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            reply = self.get(f"/api/status/{number}", key)
            assert reply.status_code == 200, reply.text
            data: dict[str, Any] = reply.json()["data"]
            if data["status"] != "processing":
                return data
            time.sleep(0.02)
        raise AssertionError(f"image {number} does not end: {self.log.read_text()[-2000:]}")


def main(config: dict[str, Any], says: Connection, shell: Mapping[str, Any]) -> None:
    """Serve with this configuration until stopped, in the folder and with the environment of who asks for it."""
    os.environ.clear()
    os.environ.update(shell["environ"])
    os.chdir(shell["folder"])
    tempfile.tempdir = None
    if shift := config.get("clock_ahead", 0):
        right = time.time
        time.time = lambda: right() + shift
    with Path(shell["log"]).open("a") as log:
        os.dup2(log.fileno(), 2)
    from fault_proxy import LIES, Faults
    from imgshrink.server import run
    from imgshrink.server.backend import Places
    from imgshrink.server.work import Work

    engine: Any
    verify: Any = judge
    if config["engine"] == "builtin":
        from imgshrink.engines.builtin import Builtin
        from imgshrink.worker_tasks import remote_verify, worker_pool

        workers = worker_pool(config["jobs"])
        engine, verify = Builtin(workers), remote_verify(workers)
    elif config["engine"] in LIES:
        engine, verify = LIES[config["engine"]](config.get("seconds", 0)), lambda _, candidate, __: Accept(candidate)
    else:
        engine = ENGINES[config["engine"]](config.get("seconds", 0), config.get("asked", ""))
    if config.get("file_size"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (config["file_size"], config["file_size"]))
    if config.get("faulty"):
        app = run.create_app
        run.create_app = lambda *arguments, **named: Faults(app(*arguments, **named))
    run.serve(
        Work(engine, verify),
        Places(Path(config["data"]), config.get("database", ""), config.get("blobs", "")),
        address=run.Address(port=config.get("port", 0), public_url=config.get("public_url", "")),
        limits=Limits(**config.get("limits", {})),
        jobs=config["jobs"],
        grace=config.get("grace", 0.2),
        announce=says.send,
        operating=run.Operating(**config.get("operating", {})),
    )
