"""Transcripts: what a person types and what is printed, as text files that a real shell runs again.

A line that begins with `$ ` is typed, and so are the lines behind it that begin with `> `. What follows is printed;
`[exit 1]` is the exit code where it is not 0. Lines that begin with `-- ` say what the person wants.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

END = "\x1eended "
PROSE = "-- "
SERVER = "listening on "
_UNIT = r"(?:bytes?|[kMG]B|KiB|MiB|GiB|%|s|min|h|ms|seconds?|x)"
MEASURED = [
    (re.compile(r"imgshrink_[0-9a-f]{12}_[\w-]+|(?<=imgshrink-compare-)\w+|(?<=/patch)\d+-\d+"), "#"),
    (re.compile(r"(?<=/direct-file/)[\w./-]+"), "#"),
    (re.compile(rf"\d+(?:[.,]\d+)* ?(?={_UNIT}\b)|\d+(?:\.\d+)? %"), "# "),
    (re.compile(r"\b[0-9a-f]{7,64}\b|\b\d{4}-\d\d(?:-\d\d)?(?:T[\d:.]+(?:Z|\+00:00))?|\b\d{4,}\b"), "#"),
    (re.compile(r"\b\d+\.\d+(?:\.\d+)*(?:rc\d+)?\b"), "#"),
    (re.compile(r"[ \t]+"), " "),
]
"""Keys and names that are made up, addresses of results, sizes and times, hashes, dates and large numbers, versions."""

PASSING = re.compile(r"imgshrink: \d+ of \d+ images?, .*")
"""Lines that come every ten seconds: a busy machine prints some."""


@dataclass(frozen=True)
class Step:
    """What is typed, and what is printed; `prose` is said before it."""

    prose: tuple[str, ...]
    command: str
    printed: str = ""

    def __str__(self) -> str:
        typed = "$ " + self.command.replace("\n", "\n> ")
        return "\n".join([*(PROSE + line for line in self.prose), typed, *filter(None, [self.printed])]) + "\n"


def read(text: str) -> list[Step]:
    """The steps of a transcript."""
    steps: list[Step] = []
    prose: list[str] = []
    for line in text.splitlines():
        if line.startswith(PROSE):
            prose.append(line.removeprefix(PROSE))
        elif line.startswith("$ "):
            steps.append(Step(tuple(prose), line.removeprefix("$ ")))
            prose = []
        elif line.startswith("> ") and not steps[-1].printed:
            steps[-1] = replace(steps[-1], command=f"{steps[-1].command}\n{line.removeprefix('> ')}")
        else:
            steps[-1] = replace(steps[-1], printed=f"{steps[-1].printed}{line}\n")
    return [replace(step, printed=step.printed.rstrip()) for step in steps]


def write(steps: Iterable[Step]) -> str:
    """The text of a transcript."""
    return "\n".join(map(str, steps))


def masked(text: str) -> str:
    """What is compared: a text without what was measured, in lines without what only passes."""
    kept = "\n".join(line for line in text.splitlines() if not PASSING.fullmatch(line.partition("-  ")[2] or line))
    for pattern, word in MEASURED:
        kept = pattern.sub(word, kept)
    return kept.strip()


class Typist:
    """One bash, and somebody who types into it. `places` are paths of this machine and what they are called instead.

    `copied` are words in commands that stand for something printed before, each with a pattern that finds it.
    """

    def __init__(
        self, home: Path, environ: Mapping[str, str], places: Mapping[str, str], copied: Mapping[str, str]
    ) -> None:
        self._places = places
        self._copied = copied
        self._said = ""
        self._script = home.parent / "typed.sh"
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=home,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def type(self, command: str) -> str:
        """Run a command and return what it prints, with its exit code where that is not 0."""
        command = self._filled(command)
        if command.endswith("&"):
            log = self._script.with_suffix(".log")
            command = f"{command[:-1]} >{log} 2>&1 &\nuntil grep -q '{SERVER}' {log}; do sleep 0.05; done; cat {log}"
        self._script.write_text(command, encoding="utf-8")
        stdin, stdout = self._shell.stdin, self._shell.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f". {self._script} </dev/null; printf '\\n{END}%d\\n' $?\n")
        stdin.flush()
        printed = ""
        for line in stdout:
            if line.startswith(END):
                break
            printed += line
        else:
            raise AssertionError(f"the shell ended: {printed}")
        code = line.removeprefix(END).strip()
        self._said += printed
        return self._called(printed).rstrip() + (f"\n[exit {code}]" if code != "0" else "")

    def _filled(self, command: str) -> str:
        for word, pattern in self._copied.items():
            if word in command and (found := re.findall(pattern, self._said)):
                command = command.replace(word, found[-1])
        for path, name in self._places.items():
            command = command.replace(name, path)
        return command

    def _called(self, text: str) -> str:
        for path, name in self._places.items():
            text = text.replace(path, name)
        return text

    def leave(self) -> None:
        """Close the shell; what it has started in the background ends."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        self._shell.stdin.close()
        self._shell.stdout.read()
        self._shell.stdout.close()
        self._shell.wait(60)


def follow(path: Path, typed: Callable[[str], str]) -> Iterator[tuple[Step, Step]]:
    """Each step of a transcript as it is written, and as it happens now; the file is written again on wish."""
    steps = read(path.read_text(encoding="utf-8"))
    now: list[Step] = []
    for step in steps:
        printed = typed(step.command).strip("\n")
        same = masked(printed) == masked(step.printed)
        now.append(step if same else replace(step, printed=printed))
        if not os.environ.get("WRITE_GOLDEN"):
            yield step, now[-1]
    if os.environ.get("WRITE_GOLDEN") and now != steps:
        path.write_text(write(now), encoding="utf-8")
