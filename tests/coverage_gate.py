"""Fail where a module is less covered by the tests, branches counted, than its kind demands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from import_rules import WHOLLY_COVERED  # noqa: E402  its folder is on the path only now

WHOLE, OTHERS = 100.0, 95.0


def main() -> int:
    subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", ".coverage.json"], check=True, cwd=ROOT)
    report = json.loads((ROOT / ".coverage.json").read_text(encoding="utf-8"))
    short = [line for name, file in sorted(report["files"].items()) if (line := shortfall(name, file))]
    covered = report["totals"]["percent_covered"]
    if covered < OTHERS:
        short.append(f"all modules together: {covered:.1f} % covered, {OTHERS:.0f} % needed")
    print("\n".join(short) or f"{covered:.1f} % covered, and the pure modules wholly")
    return 1 if short else 0


def shortfall(name: str, file: dict[str, dict[str, float]]) -> str:
    """One line for a person, or "" where the module may be covered in part, or is covered wholly."""
    inside = PurePosixPath(Path(name).as_posix()).relative_to("src/imgshrink")
    module = inside.with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
    whole = any(module == part or module.startswith(part + ".") for part in WHOLLY_COVERED)
    covered = file["summary"]["percent_covered"]
    return f"{name}: {covered:.1f} % covered, {WHOLE:.0f} % needed" if whole and covered < WHOLE else ""


if __name__ == "__main__":
    sys.exit(main())
