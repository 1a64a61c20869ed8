"""A virtual environment of this clone's own: made once, and brought up to date when what it holds has changed."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # what an older one runs into when it is called by hand
    sys.exit(
        f"imgshrink needs Python 3.11 or newer, and this is Python {sys.version_info[0]}.{sys.version_info[1]}. "
        f"Run the same command with a newer one, for example: python3.12 {sys.argv[0]}"
    )

ROOT = Path(__file__).resolve().parent.parent
NO_VENV = "Could not make a virtual environment in {}. On Debian and Ubuntu: apt install python3-venv"
NO_INSTALL = "Could not install into {}: pip says why above. Run the same command again to go on."


def interpreter(folder: Path) -> Path:
    """The Python of the virtual environment in `folder`."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ready(name: str, *requirements: str) -> Path:
    """Return the interpreter of the environment `name` in this clone, holding `requirements` (pip install's arguments).

    It is installed again only when pyproject.toml, the requirements, this Python or the clone's place have changed.
    """
    folder = ROOT / name
    stamp, made_for, holds = folder / "stamp", f"{sys.version}\n{ROOT}", _holds(requirements)
    before = stamp.read_text(encoding="utf-8").split("\n\n") if stamp.is_file() else [""]
    if before == [made_for, holds]:
        return interpreter(folder)
    stamp.unlink(missing_ok=True)
    print(f"Preparing {name} (only once; a minute or two)", flush=True)
    if before[0] != made_for:
        _make(folder)
    _install(folder, requirements)
    stamp.write_text(f"{made_for}\n\n{holds}", encoding="utf-8")
    return interpreter(folder)


def _holds(requirements: tuple[str, ...]) -> str:
    packaging = (ROOT / "pyproject.toml").read_bytes() + "\n".join(requirements).encode()
    return hashlib.sha256(packaging).hexdigest()


def _make(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False).returncode:
        sys.exit(NO_VENV.format(folder))


def _install(folder: Path, requirements: tuple[str, ...]) -> None:
    pip = [str(interpreter(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for wanted in (["--upgrade", "pip>=25.1"], requirements):  # older ones know no dependency groups
        if subprocess.run([*pip, *wanted], cwd=ROOT, check=False).returncode:
            sys.exit(NO_INSTALL.format(folder))
