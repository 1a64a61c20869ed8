"""The benchmarks and scripts follow the code: every name that they take from it is there."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_names_in_imported_modules_are_there(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = dict(_imported_modules(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            module = modules[node.value.id]
            assert _holds(module, node.attr), f"{path.name}, line {node.lineno}: {module} has no {node.attr}"


def _imported_modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names that stand for modules of ours in the whole file, with those modules."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            package = importlib.import_module(node.module)
            for name in node.names:
                if isinstance(getattr(package, name.name, None), ModuleType):
                    yield name.asname or name.name, f"{node.module}.{name.name}"


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
