"""Standard streams that are closed: no file that is opened later takes their number, and what is printed with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shell import UNMEASURED

RECORD = """
import atexit, os, sys
def record():
    with open(sys.argv.pop(1), "w") as file:
        file.write(str(file.fileno()))
atexit.register(record)
"""
ENTRIES = {
    "command": "from imgshrink.cli import main; main(['--version'])",
    "hook": "from imgshrink.hook import main; main([])",
}
CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("entry", ENTRIES)
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path, entry: str, closed: str) -> None:
    """Command and hook occupy the descriptors 0 to 2 before they open any file."""
    number = tmp_path / "number"
    command = ["sh", "-c", f'"$0" -c "$1" "$2" {closed}', sys.executable, RECORD + ENTRIES[entry], str(number)]
    subprocess.run(command, capture_output=True, check=True, env=os.environ | UNMEASURED)
    assert int(number.read_text()) > 2


def test_programs_inherit_the_null_device() -> None:
    """A program that is started with the streams of ours can write to each."""
    script = (
        "import subprocess; from imgshrink.report.console import occupy_standard_streams as occupy; occupy();"
        "subprocess.run(['sh', '-c', 'echo x && echo x >&2'], check=True)"
    )
    command = ["sh", "-c", '"$0" -c "$1" >&- 2>&-', sys.executable, script]
    subprocess.run(command, capture_output=True, check=True, env=os.environ | UNMEASURED)


def test_open_streams_stay(capfd: pytest.CaptureFixture[str]) -> None:
    """Where no stream is closed nothing changes."""
    from imgshrink.report.console import occupy_standard_streams

    occupy_standard_streams()
    print("still here", flush=True)
    assert capfd.readouterr().out == "still here\n"
