"""Fail where a module is less covered by the tests, branches counted, than its kind demands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

from test_layers import PURE

ROOT = Path(__file__).resolve().parents[1]
WHOLE, OTHERS = 100.0, 95.0


def main() -> int:
    subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", ".coverage.json"], check=True, cwd=ROOT)
    files = json.loads((ROOT / ".coverage.json").read_text(encoding="utf-8"))["files"]
    short = [line for name, file in sorted(files.items()) if (line := shortfall(name, file))]
    print("\n".join(short) or f"{len(files)} modules are covered as their kind demands")
    return 1 if short else 0


def shortfall(name: str, file: dict[str, dict[str, float]]) -> str:
    """One line for a person, or "" where the module is covered as it must be."""
    inside = PurePosixPath(Path(name).as_posix()).relative_to("src/imgshrink")
    part = inside.with_suffix("").as_posix().removesuffix("/__init__")
    whole = part in PURE or part.partition("/")[0] in PURE - {"engine"} or part == "pipeline"
    least = WHOLE if whole else OTHERS
    covered = file["summary"]["percent_covered"]
    return "" if covered >= least else f"{name}: {covered:.1f} % covered, {least:.0f} % needed"


if __name__ == "__main__":
    sys.exit(main())
