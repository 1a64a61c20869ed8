"""Change one line of a module after the other, and print the changes that no test notices.

    python tests/mutate.py files/atomic --tests tests/files/test_atomic.py

A change flips a comparison or a condition, moves a constant, swaps `and` and `or`, removes a statement or empties a
result. It is made in a copy of `src`, never in the checkout. A change that makes the tests hang counts as noticed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not browser")
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
REMOVED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Break)


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """Yield every changed copy of a module, with the line and the old and the new text of what is changed."""
    for number, node in enumerate(ast.walk(tree)):
        for change in range(len(changes(node, annotated(tree)))):
            changed = copy.deepcopy(tree)
            twin = next(other for at, other in enumerate(ast.walk(changed)) if at == number)
            before = ast.unparse(node)
            changes(twin, annotated(changed))[change](twin, changed)  # type: ignore[operator]
            ast.fix_missing_locations(changed)
            line = getattr(node, "lineno", 0)
            yield (
                line,
                f"{short(before)}  ->  {short(ast.unparse(twin)) if alive(changed, twin) else 'removed'}",
                changed,
            )


def short(text: str) -> str:
    """The first line of some code, and not all of a long one."""
    first, *more = text.splitlines() or [""]
    return first[:90] + (" ..." if more or len(first) > 90 else "")


def annotated(tree: ast.Module) -> set[int]:
    """The nodes of annotations and docstrings, by identity: they do nothing."""
    dead: set[int] = set()
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts.append(node)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
            parts.append(node)
        dead |= {id(inner) for part in parts if part is not None for inner in ast.walk(part)}
    return dead


def alive(tree: ast.Module, node: ast.AST) -> bool:
    """Whether a node still stands in its module."""
    return any(other is node for other in ast.walk(tree))


def changes(node: ast.AST, dead: set[int]) -> list[object]:
    """The functions that change a node in place, given it and its module."""
    if id(node) in dead:
        return []
    found: list[object] = []
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            found.append(lambda twin, _: twin.ops.__setitem__(0, COMPARISONS[type(twin.ops[0])]()))
            if isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                found.append(lambda twin, tree: negate(twin, tree))
        case ast.BoolOp():
            found.append(lambda twin, _: setattr(twin, "op", ast.Or() if isinstance(twin.op, ast.And) else ast.And()))
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            found.append(lambda twin, _: setattr(twin, "op", OPERATORS[type(twin.op)]()))
        case ast.UnaryOp(op=ast.Not()):
            found.append(lambda twin, tree: substitute(tree, twin, twin.operand))
        case ast.Constant(value=bool() as value):
            found.append(lambda twin, _: setattr(twin, "value", not twin.value))
        case ast.Constant(value=int() as value):
            found.append(lambda twin, _: setattr(twin, "value", twin.value + 1))
        case ast.If() | ast.IfExp() | ast.While():
            found.append(lambda twin, _: setattr(twin, "test", ast.UnaryOp(ast.Not(), twin.test)))
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            found.append(lambda twin, _: setattr(twin, "value", ast.Constant(None)))
    if isinstance(node, REMOVED):
        found.append(lambda twin, tree: substitute(tree, twin, ast.Pass()))
    return found


def negate(node: ast.AST, tree: ast.Module) -> None:
    """Put `not` before an expression."""
    substitute(tree, node, ast.UnaryOp(ast.Not(), copy.copy(node)))


def substitute(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    """Put `new` where `old` stands."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list):
                value[:] = [new if one is old else one for one in value]


def passes(source: Path, tests: list[str], seconds: float) -> bool:
    """Whether the tests pass with the package in `source`; those that take longer do not."""
    environ = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [sys.executable, *PYTEST, *tests], cwd=ROOT, env=environ,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def main() -> int:
    """Run over one module; return 1 where a change survives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="the module below src/imgshrink, as files/atomic")
    parser.add_argument("--tests", nargs="+", required=True, help="the test files that should notice")
    parser.add_argument("--lines", type=int, nargs=2, default=(0, 10**6), metavar=("FROM", "TO"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        target = source / "imgshrink" / f"{given.module.removesuffix('.py')}.py"
        original = target.read_text(encoding="utf-8")
        begun = time.monotonic()
        if not passes(source, given.tests, 600):
            print("the tests fail before anything is changed")
            return 2
        seconds = 10 + 5 * (time.monotonic() - begun)
        every = [row for row in mutants(ast.parse(original)) if given.lines[0] <= row[0] <= given.lines[1]]
        print(f"{given.module}: {len(every)} changes, {seconds:.0f} s at most for each", flush=True)
        survivors = 0
        for line, text, changed in every:
            target.write_text(ast.unparse(changed), encoding="utf-8")
            if passes(source, given.tests, seconds):
                survivors += 1
                print(f"  survives: line {line}: {text}", flush=True)
        print(f"{given.module}: {survivors} of {len(every)} survive")
        return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
