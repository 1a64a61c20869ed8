"""Who may import whom: the house keeps its shape because this test walks every import."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from import_rules import (
    BEYOND,
    INSIDE,
    PROTOCOLS_ONLY,
    STANDARD_LIBRARY_WITHOUT_IO,
    THIRD_PARTY,
    WITHOUT_IO,
)
from places import SRC

MOST_ENTRIES = 23
MOST_MODULES = 16
LARGE_PACKAGES = {"server", "engines.builtin", "engines.hosted", "pages", "cli"}
LONGEST_MODULE = 280
LONGEST_FUNCTION = 40


def name_of(path: Path) -> str:
    """The module's dotted name inside the package: `engines.builtin.png`."""
    name = path.relative_to(SRC).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix("__init__").removesuffix(".")


MODULES = {name_of(path): path for path in sorted(SRC.rglob("*.py"))}


def part_of(name: str, parts: object) -> str:
    """The longest of `parts` that is, or holds, the module."""
    held = [part for part in parts if part and (name == part or name.startswith(part + "."))]  # type: ignore[attr-defined]
    return max(held, key=len, default="")


@cache
def imports(path: Path, *, types: bool = True) -> set[tuple[str, bool]]:
    """What a module imports, and whether it lies inside the package; with `types` also for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {id(inner) for node in ast.walk(tree) if _for_types(node) for inner in ast.walk(node)}
    found: set[tuple[str, bool]] = set()
    for node in ast.walk(tree):
        if not types and id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {(alias.name.split(".")[0], False) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(((node.module or "").split(".")[0], False))
        elif isinstance(node, ast.ImportFrom):
            found |= {(name, True) for name in _inside(node, list(path.relative_to(SRC).parts[:-1]))}
    return found


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _inside(node: ast.ImportFrom, package: list[str]) -> set[str]:
    base = ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).strip(".")
    names = {f"{base}.{alias.name}".strip(".") for alias in node.names}
    return {name if name in MODULES else base for name in names}


def allowed(name: str, target: str) -> bool:
    """Whether the tables let module `name` import module `target`."""
    package, other = part_of(name, INSIDE), part_of(target, INSIDE)
    if package == other or any(
        target == part or target.startswith(part + ".") for part in BEYOND.get(name, ()) if part
    ):
        return True
    if target == "":
        return "" in (*INSIDE[package], *BEYOND.get(name, ()))
    if (package, other) in PROTOCOLS_ONLY:
        return target == other
    return any(target == part or (part == other and target.startswith(part + ".")) for part in INSIDE[package])


@pytest.mark.parametrize("name", MODULES)
def test_inside(name: str) -> None:
    """A module imports only those packages of imgshrink that the table gives its package."""
    inside = {target for target, ours in imports(MODULES[name]) if ours}
    assert not {target for target in inside if not allowed(name, target)}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("core.model", "image.sniff"),
        ("image.seal", "files.atomic"),
        ("workers.pool", "engines.builtin.codecs"),
        ("settings.load", "workers.pool"),
        ("pixels.verify", "engines.builtin.score"),
        ("files.originals", "settings.load"),
        ("cache.local", "files.atomic"),
        ("engines.builtin", "engines.hosted.engine"),
        ("engines.hosted.engine", "cache.local"),
        ("engines.hosted.engine", "files.atomic"),
        ("report.html.images", "pipeline.run"),
        ("report.publish", "files.originals"),
        ("pipeline.resolver", "cache.local"),
        ("pipeline.resolver", "engines.builtin"),
        ("pipeline.run", "settings.schema"),
        ("server.app", "engines.builtin"),
        ("server.app", "pipeline.run"),
        ("session", "cli.run"),
        ("hook", "cli.run"),
        ("mkdocs_plugin", "engines.hosted.engine"),
        ("cli.run", "cache.local"),
    ],
)
def test_the_tables_forbid(name: str, target: str) -> None:
    """Each row of the table forbids what it is there to forbid."""
    assert name in MODULES
    assert target in MODULES
    assert not allowed(name, target)


@pytest.mark.parametrize("name", MODULES)
def test_third_party(name: str) -> None:
    """A module imports no third-party package but those of its part."""
    outside = {module for module, ours in imports(MODULES[name]) if not ours}
    permitted = THIRD_PARTY.get(part_of(name, THIRD_PARTY), set())
    assert outside - set(sys.stdlib_module_names) - {"imgshrink"} <= permitted


@pytest.mark.parametrize(("part", "packages"), THIRD_PARTY.items())
def test_third_party_rows_are_used(part: str, packages: set[str]) -> None:
    """No row of the table of third-party packages is stale."""
    mine = [path for name, path in MODULES.items() if part_of(name, THIRD_PARTY) == part]
    assert packages <= {module for path in mine for module, _ in imports(path)}


@pytest.mark.parametrize("name", [name for name in MODULES if part_of(name, WITHOUT_IO)])
def test_without_io(name: str) -> None:
    """A package without I/O imports neither os nor pathlib nor anything else that reaches the system, but as types."""
    outside = {module for module, ours in imports(MODULES[name], types=False) if not ours}
    assert outside <= STANDARD_LIBRARY_WITHOUT_IO


def test_no_circles() -> None:
    """No package imports one that stands above it, and modules import each other in no circle."""
    edges = {
        name: {target for target, ours in imports(path, types=False) if ours and target != name and target}
        for name, path in MODULES.items()
    }
    while leaves := [name for name, targets in edges.items() if not targets & set(edges)]:
        for name in leaves:
            del edges[name]
    assert edges == {}


def test_the_house_is_small() -> None:
    """Few names on the top floor, few modules in a package, no long module and no long function."""
    top = [path for path in SRC.iterdir() if path.name != "__pycache__"]
    assert len(top) <= MOST_ENTRIES
    packages = {path.parent for path in MODULES.values()}
    sizes = {name_of(package / "__init__.py"): len(list(package.glob("*.py"))) for package in packages}
    assert not {name for name, size in sizes.items() if size > MOST_MODULES} - LARGE_PACKAGES
    texts = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    assert not [name for name, text in texts.items() if text.count("\n") > LONGEST_MODULE]
    functions = [
        (name, node.name, node.end_lineno - node.lineno + 1)
        for name, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    ]
    assert not [row for row in functions if row[2] > LONGEST_FUNCTION]


def test_import_without_extras() -> None:
    """The package, its pipeline and its settings import with no extra installed and load nothing heavy."""
    code = (
        "import sys, imgshrink.pipeline.run, imgshrink.settings.load, imgshrink.session\n"
        "print(sorted({'httpx', 'pyvips', 'diskcache', 'mkdocs', 'click', 'starlette', 'oxipng'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
