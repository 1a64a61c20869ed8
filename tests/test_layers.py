"""Who may import whom: the house keeps its shape because this test walks every import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "imgshrink"
FACES = {"cli", "hook", "mkdocs_plugin"}
PURE = set(
    "model errors containers tolerant exif notices rewrite foreign sniff seal metadata keys limits names wire replies "
    "report asking engine examine profiles timeline tolerance readings".split()
)
STDLIB_PURE = set(
    "__future__ collections contextlib dataclasses enum struct zlib hashlib re typing json shlex unicodedata threading "
    "time html math itertools functools types bisect string os pathlib email datetime base64 random urllib ipaddress "
    "binascii operator textwrap posixpath difflib concurrent".split()
)
# The only third-party packages that each part may import, lazily or not.
THIRD_PARTY = {
    "pixels": {"pyvips"},
    "verify": {"pyvips"},
    "portray": {"pyvips"},
    "engine/builtin": {"pyvips", "oxipng", "mozjpeg_lossless_optimization", "PIL"},
    "engine/hosted": {"httpx", "httpx2"},
    "engine/transport": {"httpx", "httpx2", "httpcore", "httpcore2"},
    "engine/sockets": {"httpx", "httpx2", "httpcore", "httpcore2"},
    "usage": {"httpx", "httpx2"},
    "cache": {"diskcache"},
    "flight": {"filelock"},
    "files": {"pathspec"},
    "originals": set(),
    "settings": {"platformdirs", "yaml"},
    "workers": {"pyvips"},
    "server": {"starlette", "uvicorn", "h11", "click", "multipart", "python_multipart", "anyio"},
    "cli": {"click", "mkdocs", "yaml"},
    "mkdocs_plugin": {"mkdocs", "jinja2"},
}
_PARTS = {"engine/builtin", "engine/hosted", "cache/local", "verify", "pixels", "workers", "settings", "runtime"}
# part -> the parts of the house it may not import, beyond the faces
FORBIDDEN = {
    "pipeline": _PARTS,
    "work": _PARTS | {"pipeline"},
    "engine": {"cache", "runtime", "pipeline", "settings", "server", "files"},
    "cache": {"engine", "runtime", "pipeline", "settings", "server"},
    "server": {"engine/hosted", "cache", "pipeline", "runtime", "settings"},
    "settings": {"engine", "cache", "pipeline", "runtime", "workers"},
}


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(SRC.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's name inside the package, with slashes: `engine/builtin/png`."""
    name = path.relative_to(SRC).with_suffix("").as_posix()
    return name.removesuffix("/__init__")


def imports(path: Path) -> set[str]:
    """What a module imports: `.engine/builtin` inside the house, `httpx` outside."""
    found: set[str] = set()
    package = list(path.relative_to(SRC).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= _from(node, package)
    return found


def _from(node: ast.ImportFrom, package: list[str]) -> set[str]:
    if not node.level:
        return {(node.module or "").split(".")[0]}
    base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
    here = {"." + "/".join(base)} if base else set()
    below = {"." + "/".join([*base, alias.name]) for alias in node.names}
    return here | {name for name in below if (SRC / (name[1:] + ".py")).exists() or (SRC / name[1:]).is_dir()}


def part_of(name: str, parts: set[str]) -> str | None:
    """The longest of `parts` that holds module `name`."""
    held = [part for part in parts if name == part or name.startswith(part + "/")]
    return max(held, key=len, default=None)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_third_party(path: Path) -> None:
    """A module imports no third-party package but those of its part."""
    name = name_of(path)
    allowed = THIRD_PARTY.get(part_of(name, set(THIRD_PARTY)) or "", set())
    outside = {module for module in imports(path) if not module.startswith(".")}
    assert outside - set(sys.stdlib_module_names) - {"imgshrink"} <= allowed


@pytest.mark.parametrize("path", [path for path in modules() if name_of(path) in PURE], ids=name_of)
def test_pure(path: Path) -> None:
    """A pure module does no I/O: it imports only the part of the standard library that does none."""
    assert {module for module in imports(path) if not module.startswith(".")} <= STDLIB_PURE


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_faces_are_on_top(path: Path) -> None:
    """Nothing imports a face but the face itself."""
    name = name_of(path)
    faces = {part_of(module[1:], FACES) for module in imports(path) if module.startswith(".")} - {None}
    assert faces <= {part_of(name, FACES) or ("cli" if name == "__main__" else None)}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_forbidden(path: Path) -> None:
    """The parts that must not know each other don't."""
    name = name_of(path)
    for part, forbidden in FORBIDDEN.items():
        if part_of(name, {part}):
            inside = {module[1:] for module in imports(path) if module.startswith(".")}
            assert not {module for module in inside if part_of(module, forbidden)}


def test_import_without_extras() -> None:
    """The package, its pipeline and its settings import with no extra installed and load nothing heavy."""
    code = (
        "import sys, imgshrink.pipeline, imgshrink.settings, imgshrink.runtime\n"
        "print(sorted({'httpx', 'pyvips', 'diskcache', 'mkdocs', 'click', 'starlette', 'oxipng'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
