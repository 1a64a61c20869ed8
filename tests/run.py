"""Run the tests in a virtual environment of their own: `python3 tests/run.py [--all] [arguments of pytest]`.

Without `--all`, tests that are slow or need a browser or programs of the system are left out, and property tests try
few examples.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import environment

QUICK = ["--hypothesis-profile=plain", "-m", "not slow and not browser and not tools"]
WHOLE = ["--hypothesis-profile=all"]
SPREAD = [f"--numprocesses={min(4, 2 * (os.cpu_count() or 1))}", "--dist=worksteal"]
"""Two a core: many tests wait for programs that they started."""


def main() -> int:
    selection = WHOLE if "--all" in sys.argv else QUICK
    arguments = [argument for argument in sys.argv[1:] if argument != "--all"]
    python = environment.ready(".venv-test", "--editable", ".[mkdocs,pages,server]", "--group", "test")
    command = [str(python), "-m", "pytest", *SPREAD, *selection, *arguments]
    # The tests start hundreds of programs: each module is compiled once, not once a program.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=environment.ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
