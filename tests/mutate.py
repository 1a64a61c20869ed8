"""Change one line of a module after the other, and print the changes that no test notices.

    python tests/mutate.py files/atomic --tests tests/files/test_atomic.py --then tests/pipeline tests/contracts

A change flips a comparison or a condition, moves a constant, swaps `and` and `or`, removes a statement or empties a
result. It is made in a copy of `src`, never in the checkout. A change that makes the tests hang counts as noticed.

`--tests` are collected once; each change inside a function is given to its loaded code in a fork, which runs the tests
that execute the changed statement, the fastest first. Changes outside of functions are imported by a fork that has
loaded the libraries alone, and so is what `--tests` do not notice, with `--then`. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import copy
import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import hypothesis
import PIL.Image  # noqa: F401  loaded once, for every fork
import pytest
import pyvips  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
PYTEST = ("-x", "-q", "-s", "-p", "no:cacheprovider", "-m", "not slow and not browser")
OUT = os.dup(1)
"""The terminal; forks are silent."""

PATIENCE = 1800
MEMORY = 6 << 30
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
    """The nodes of annotations, docstrings and `dataclass` decorators, by identity: they do nothing."""
    dead: set[int] = set()
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node)
        if isinstance(node, ast.ClassDef):
            parts += [one for one in node.decorator_list if "dataclass" in ast.unparse(one)]
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
        case ast.Compare(ops=ops):
            found.extend(swap(at) for at, op in enumerate(ops) if type(op) in COMPARISONS)
            if isinstance(ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
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


def swap(at: int) -> Callable[[ast.Compare, ast.Module], None]:
    """The change of one comparison of a chain."""
    return lambda twin, _: twin.ops.__setitem__(at, COMPARISONS[type(twin.ops[at])]())


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


@dataclass(frozen=True)
class Module:
    """The changed module in a copy of the package: `source` is the copy, `target` the module's file."""

    source: Path
    target: Path
    tree: ast.Module

    def write(self, changed: ast.Module) -> None:
        """Put a change where processes that the tests start import it."""
        self.target.write_text(ast.unparse(changed), encoding="utf-8")

    def inside(self, line: int) -> bool:
        """Whether a line belongs to the body of a function: else it is executed on import."""
        return any(isinstance(node, ast.FunctionDef) and spans(node.body, line) for node in ast.walk(self.tree))

    def statement(self, line: int) -> range:
        """The lines of the innermost statement at `line`."""
        found = [one for one in ast.walk(self.tree) if isinstance(one, ast.stmt) and spans([one], line)]
        innermost = max(found, key=lambda one: one.lineno)
        return range(innermost.lineno, (innermost.end_lineno or innermost.lineno) + 1)

    def load(self, changed: ast.Module) -> None:
        """Give the changed code to the functions of this process; raises `ValueError` where that can't be done."""
        codes = dict(functions(compile(changed, self.target, "exec")))
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename == str(self.target):
                name = one.__code__.co_qualname, one.__code__.co_firstlineno
                one.__code__ = codes.get(name, one.__code__)


def tell(text: str) -> None:
    """Print a line, from a fork too."""
    os.write(OUT, f"{text}\n".encode())


def spans(body: Sequence[ast.stmt], line: int) -> bool:
    """Whether a line belongs to one of the statements."""
    return body[0].lineno <= line <= (body[-1].end_lineno or 0)


def functions(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    """Yield the code of every function by its name and first line."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield (constant.co_qualname, constant.co_firstlineno), constant
            yield from functions(constant)


def forked(work: Callable[[], int], seconds: float) -> int:
    """Return the exit code of `work` in a silent fork; -1 if it takes longer."""
    child = os.fork()
    if child == 0:
        code = 3
        with contextlib.suppress(BaseException):
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(silence, stream)
            code = work()
        os._exit(code)
    end = time.monotonic() + seconds
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if ended[0] == 0:
        os.waitpid(child, 0)
        return -1
    return os.waitstatus_to_exitcode(ended[1])


def imported(module: Module, tests: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Run the tests with a fresh import of the copy, in this process; return pytest's exit code."""
    os.environ.update(PYTHONPATH=str(module.source), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(module.source))
    where = f"--basetemp={module.source.parent / 'run'}"
    return int(pytest.main([*PYTEST, where, *tests], plugins=[Quick(), *plugins]))


class Quick:
    """A pytest plugin: property tests fail at once, as the smallest example is of no use here."""

    def pytest_configure(self) -> None:
        """Replace the profile that conftest loads."""
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", derandomize=True, database=None, phases=phases)
        hypothesis.settings.load_profile("mutants")


@dataclass
class Session:
    """A pytest plugin that, instead of running the collected tests, runs those that execute a change, for each."""

    module: Module
    rows: Sequence[tuple[int, str, ast.Module]]
    report: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the seconds of set-up, call and tear-down."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Write the numbers of the changes that survive; nothing where the tests fail before any."""
        if forked(lambda: self._observe(session), PATIENCE) != 0:
            return True
        found = json.loads(self.report.read_text(encoding="utf-8"))
        self.seconds, lines = found["seconds"], found["lines"]
        if not self._survives(session, (1, "", self.module.tree), lines):
            return True
        survivors = []
        for number, row in enumerate(self.rows):
            if self._survives(session, row, lines):
                survivors.append(number)
                tell(f"  {number} of {len(self.rows)}: not noticed in line {row[0]}: {row[1]}")
        self.report.write_text(json.dumps(survivors), encoding="utf-8")
        return True

    def _survives(self, session: pytest.Session, row: tuple[int, str, ast.Module], lines: dict[str, list[str]]) -> bool:
        line, _, changed = row
        names = {name for at in self.module.statement(line) for name in lines.get(str(at), ()) if name}
        chosen = [item for item in session.items if item.nodeid in names] or session.items
        chosen = sorted(chosen, key=lambda item: self.seconds.get(item.nodeid, 0.0))
        patience = 10 + 5 * sum(self.seconds.get(item.nodeid, 0.0) for item in chosen)
        self.module.write(changed)
        return forked(lambda: self._changed(session, changed, chosen), patience) == 0

    def _changed(self, session: pytest.Session, changed: ast.Module, chosen: Sequence[pytest.Item]) -> int:
        try:
            self.module.load(changed)
        except ValueError:  # it no longer closes over the same names: the fresh import decides
            return 0
        return self._run(session, chosen)

    def _run(
        self, session: pytest.Session, items: Sequence[pytest.Item], tracer: coverage.Coverage | None = None
    ) -> int:
        for item, following in zip(items, [*items[1:], None], strict=True):
            if tracer is not None:
                tracer.switch_context(item.nodeid)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0

    def _observe(self, session: pytest.Session) -> int:
        tracer = coverage.Coverage(data_file=None, include=[str(self.module.target)], config_file=False)
        tracer.start()
        code = self._run(session, session.items, tracer)
        tracer.stop()
        lines = tracer.get_data().contexts_by_lineno(str(self.module.target))
        self.report.write_text(json.dumps({"seconds": self.seconds, "lines": lines}), encoding="utf-8")
        return code


def main() -> int:
    """Run over one module; return 1 where a change survives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="the module below src/imgshrink, as files/atomic")
    parser.add_argument("--tests", nargs="+", required=True, help="the test files that should notice")
    parser.add_argument("--then", nargs="+", default=[], help="test files for what those do not notice")
    parser.add_argument("--lines", type=int, nargs=2, default=(0, 10**6), metavar=("FROM", "TO"))
    given = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(source, quiet=2)
        target = source / "imgshrink" / f"{given.module.removesuffix('.py')}.py"
        for compiled in target.parent.glob(f"__pycache__/{target.stem}.*"):
            compiled.unlink()
        return survey(Module(source, target, ast.parse(target.read_text(encoding="utf-8"))), given)


def survey(module: Module, given: argparse.Namespace) -> int:
    """Try every change of the module, and print what survives."""
    rows = [row for row in mutants(module.tree) if given.lines[0] <= row[0] <= given.lines[1]]
    tell(f"{given.module}: {len(rows)} changes")
    functional = [row for row in rows if module.inside(row[0])]
    report = module.source / "report.json"
    session = Session(module, functional, report)
    forked(lambda: imported(module, given.tests, [session]), PATIENCE * 10)
    quiet = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    if not isinstance(quiet, list):
        tell("the tests fail before anything is changed")
        return 2
    survivors = [functional[number] for number in quiet]
    survivors = [row for row in survivors if not given.then or unnoticed(module, row, given.then)]
    survivors += [row for row in rows if row not in functional and unnoticed(module, row, [*given.tests, *given.then])]
    for line, text, _ in survivors:
        tell(f"  survives: line {line}: {text}")
    tell(f"{given.module}: {len(survivors)} of {len(rows)} survive")
    return 1 if survivors else 0


def unnoticed(module: Module, row: tuple[int, str, ast.Module], tests: Sequence[str]) -> bool:
    """Whether the tests pass where the change is imported."""
    module.write(row[2])
    return forked(lambda: imported(module, tests), PATIENCE) == 0


if __name__ == "__main__":
    sys.exit(main())
