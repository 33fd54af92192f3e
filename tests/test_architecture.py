"""The shape of the code: which module may know which, and how big a thing may grow."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import ROOT

BASE = {"errors", "types", "config", "log", "metrics", "money", "flags", "placeholders"}
STAGES = {"source", "trigger", "mapping", "destination", "outbox", "delivery", "console", "sandbox"}
#: They build the objects and join them, so they may know everything.
TOP = {"main", "cli", "commands"}
#: Modules that may read the clock and draw random numbers. Everywhere else both are arguments.
CLOCK_READERS = {"main", "cli", "commands", "worker"}

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40
#: Larger files, each with its reason.
LARGE_FILES = {
    "app/types.py": "the records of all rooms stand beside each other, to be read once from top to bottom",
}
NAMELESS = {"util", "utils", "common", "helper", "helpers", "model", "models", "manager", "managers", "misc"}

CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}

FILES = sorted((ROOT / "app").rglob("*.py"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def room(path: Path) -> str:
    """Name the folder below app, or the module where it lies in app itself."""
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Name every room of app that the file imports from, at its top or anywhere below."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("app.")}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def may_know(name: str) -> set[str]:
    """Name the rooms that the room `name` may import."""
    everything = {room(path) for path in FILES}
    if name in TOP:
        return everything
    if name in BASE:
        return BASE
    if name in STAGES:
        return BASE | {name}
    return everything - TOP


@every_file
def test_base_knows_only_base_and_a_stage_only_base_and_itself(path: Path) -> None:
    # `__version__` lies in the package itself.
    strangers = imported_rooms(path) - may_know(room(path)) - {"__version__"}
    assert not strangers, f"{room(path)} must not import {sorted(strangers)}"


def test_every_stage_of_the_design_exists() -> None:
    assert {path.name for path in (ROOT / "app").iterdir() if (path / "__init__.py").exists()} >= STAGES


@every_file
def test_a_file_fits_in_a_head(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if str(path.relative_to(ROOT)) in LARGE_FILES:
        assert lines > MAX_FILE_LINES, "it is small enough: take it off the list"
    else:
        assert lines <= MAX_FILE_LINES


@every_file
def test_a_function_fits_on_a_screen(path: Path) -> None:
    functions = (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    large = {node.name: lines for node in functions if (lines := height(node)) > MAX_FUNCTION_LINES}
    assert not large


def height(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function, its docstring left out: a long promise is no fault."""
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    return lines_of(function) - (lines_of(docstring) if docstring else 0)


def lines_of(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


@every_file
def test_a_module_is_named_after_what_it_does(path: Path) -> None:
    assert not NAMELESS & set(path.relative_to(ROOT).with_suffix("").parts)


@every_file
def test_the_clock_and_chance_are_arguments(path: Path) -> None:
    if room(path) not in CLOCK_READERS:
        assert not list(readings(path))


def readings(path: Path) -> Iterator[str]:
    """Yield each call of the wall clock or of global randomness.

    `clock: Callable[[], float] = time.time` is an argument, `random.Random(7)` makes one,
    and secrets and identities are not chance: they decide nothing.
    """
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CLOCKS or (name.startswith("random.") and name != "random.Random"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"time", "random"}:
            # What reads them stays in sight: `time.time()`, not `time()`.
            names = {alias.name for alias in node.names} - {"Random"}
            yield from (f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in sorted(names))
