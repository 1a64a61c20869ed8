"""How long a commit waits for nothing: the hook on one finished image, as a multiple of `python -c pass`.

Run it on a quiet machine: `python benchmarks/startup.py`. Both are timed in turn, and the fastest of each is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imgshrink.image.seal import seal

PICTURE = Path(__file__).resolve().parents[1] / "example_site" / "docs" / "images" / "pnp" / "ViewPicker1.PNG"
ROUNDS = 30
AIM = 6.0
HOOK = "from imgshrink.hook import main; assert main(['done.png']) == 0"
HEAVY = ("httpx", "pyvips", "diskcache", "click", "mkdocs", "pathspec", "filelock", "tomlkit")


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one process; it must succeed."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as installed
    begun = time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "done.png").write_bytes(seal(PICTURE.read_bytes(), 80))
        bare = [sys.executable, "-c", "pass"]
        hook = [sys.executable, "-c", HOOK]
        rounds = [(seconds(bare, folder), seconds(hook, folder)) for _ in range(ROUNDS)]
        probe = [sys.executable, "-c", f"{HOOK}; import sys; print([name for name in {HEAVY} if name in sys.modules])"]
        loaded = subprocess.run(probe, check=True, cwd=folder, capture_output=True, text=True).stdout.strip()
    least_bare, least_hook = (min(column) for column in zip(*rounds, strict=True))
    print(f"python -c pass        {least_bare * 1000:6.1f} ms")
    print(f"hook, one image done  {least_hook * 1000:6.1f} ms   {least_hook / least_bare:.1f} times (aim: {AIM:.0f})")
    print(f"heavy modules loaded  {loaded}")


if __name__ == "__main__":
    main()
