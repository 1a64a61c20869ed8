"""A real PostgreSQL on loopback, in a folder of its own."""

from __future__ import annotations

import atexit
import contextlib
import functools
import getpass
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from real_servers import free_port

OWNER = "postgres"
_numbers = itertools.count()


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is; Debian keeps those of each version in a folder of their own."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(versions[-1]) if versions else shutil.which(name)


def why_not() -> str:
    """Why there is none here, or ""."""
    if os.name != "posix":
        return "PostgreSQL is started as on Debian"
    if program("initdb") is None:
        return "PostgreSQL is not installed"
    if os.geteuid() == 0:
        import pwd

        try:
            pwd.getpwnam(OWNER)
        except KeyError:
            return f"root can't start PostgreSQL, and there is no user {OWNER}"
    return ""


needs_postgresql = [pytest.mark.tools, pytest.mark.skipif(bool(why_not()), reason=why_not() or "it is there")]


class PostgreSQL:
    """One server. It is stopped and started as an operator would do it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imgshrink-postgresql-"))
        self._root = os.geteuid() == 0
        if self._root:
            shutil.chown(self.folder, OWNER)
        self.port = free_port()
        self._as_owner(program("initdb"), "-D", str(self.folder / "data"), "-A", "trust", "-U", OWNER, "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        options += " -c max_connections=200"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: all connections end."""
        self._control("stop", "-w", "-m", mode)

    def pause(self) -> None:
        """Stop all its processes, so that nobody gets an answer."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False)
        for process in [postmaster, *map(int, children.stdout.split())]:
            os.kill(process, number)

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str = OWNER) -> list[tuple[object, ...]]:
        """Run a statement and return its rows."""
        import psycopg

        url = f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        """Stop it and delete its folder."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        self._as_owner(program("pg_ctl"), "-D", str(self.folder / "data"), *arguments)

    def _as_owner(self, *command: str | None) -> None:
        assert command[0] is not None
        words = [word or "" for word in command]
        if self._root and getpass.getuser() != OWNER:
            words = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", *words]
        log = self.folder / "control.log" if not self._root else Path(tempfile.gettempdir()) / f"{self.folder.name}.log"
        with log.open("ab") as output:  # a pipe would be held open by the server
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder)


@functools.cache
def postgresql() -> PostgreSQL:
    """The server of this test process, started when it is first asked for."""
    server = PostgreSQL()
    atexit.register(server.remove)
    return server
