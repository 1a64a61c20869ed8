"""The command as a person runs it against an API: a home of its own, a folder of images, real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lying_server import Connection, Fault, LyingServer, Seen

KEY = "tj_0123456789abcdef"


class Person:
    """Somebody with a home, a project and an API key."""

    def __init__(self, folder: Path, url: str, *, key: str = KEY, **environ: str) -> None:
        self.project = folder / "project"
        self.docs = self.project / "docs"
        self.home = folder / "home"
        self.docs.mkdir(parents=True)
        self.home.mkdir()
        self.environ = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "TINYJPG_API_URL": url,
            "TINYJPG_API_KEY": key,
            **environ,
        }
        self.running: subprocess.Popen[str] | None = None

    def has(self, images: Mapping[str, bytes]) -> None:
        """Put images into the project."""
        for name, data in images.items():
            target = self.docs / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def holds(self, name: str) -> bytes:
        """Return what a file of the project holds."""
        return (self.docs / name).read_bytes()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        self.running = subprocess.Popen(
            [sys.executable, "-m", "imgshrink", *words],
            cwd=self.project,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.running

    def run(self, *words: str) -> tuple[int, str]:
        """Run the command to its end; return its exit code and all that it said."""
        process = self.start(*words)
        said = process.communicate(timeout=300)[0]
        return process.returncode, said

    def killed(self, *words: str) -> int:
        """Start the command, wait until something has killed it, and return its exit code."""
        process = self.start(*words)
        process.communicate(timeout=300)
        return process.returncode

    def dies(self, then: Fault | None = None, first: Fault | None = None) -> Fault:
        """Return a fault that kills the running command, between two others."""

        def fault(connection: Connection, server: LyingServer, seen: Seen) -> None:
            running = self.running
            assert running is not None
            if first is not None:
                first(connection, server, seen)
            running.kill()
            if then is not None:
                then(connection, server, seen)

        return fault
