"""The benchmarks and scripts follow the code: every name that they take from it is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = [path for folder in ("benchmarks", "scripts", "tests") for path in sorted((ROOT / folder).glob("*.py"))]
SUPPORT = {path.stem for path in (ROOT / "tests/support").glob("*.py")}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imported_names_are_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            module = importlib.import_module(node.module)
            missing = [name.name for name in node.names if not _holds(module.__name__, name.name)]
            assert not missing, f"{path.name}, line {node.lineno}: {node.module} has no {', '.join(missing)}"


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "imgshrink" or module in SUPPORT


def _holds(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True
