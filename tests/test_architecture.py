"""The shape of the code: which module may know which, and how big a thing may grow."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.process import ROOT

#: The floors of the house, from the top. A module imports its own room and the rooms of lower floors. A stage imports
#: no other stage; on the other floors a room may import the rooms beside it, but never in a circle.
FLOORS = {
    "wiring": {"main", "cli", "assemble", "commands"},
    "shells": {"api", "console", "web"},
    "operations": {"operations"},
    "flows": {"pipeline", "sender", "insights", "access"},
    "catalog": {"catalog"},
    "stages": {
        "source",
        "trigger",
        "mapping",
        "destination",
        "identity",
        "outbox",
        "sandbox",
        "warehouse",
    },
    "core": {"core"},
    "config": {"config"},
    "errors": {"errors"},
}
#: Modules that may read the clock and draw random numbers. Everywhere else both are arguments.
CLOCK_READERS = {"main", "cli", "commands", "assemble", "sender/worker"}

MAX_FUNCTION_LINES = 40
NAMELESS = {"util", "utils", "common", "helper", "helpers", "model", "models", "manager", "managers", "misc"}

CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}

FILES = sorted((ROOT / "app").rglob("*.py"))


def room(path: Path) -> str:
    """Return the folder below app, or the module where it lies in app itself; "" for the package."""
    parts = path.relative_to(ROOT / "app").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return [*ast.walk(tree(path))]


def imported_rooms(path: Path) -> set[str]:
    """Return every room of app that the file imports from, at its top or anywhere below."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    # `__version__` lies in the package itself.
    return {name.split(".")[1] for name in names if name.startswith("app.")} - {"__version__"}


def floor(name: str) -> int:
    """Return the number of the floor that the room is on, counted from the top. Raises KeyError where it has none."""
    for number, rooms in enumerate(FLOORS.values()):
        if name in rooms:
            return number
    raise KeyError(name)


def may_know(name: str, other: str) -> bool:
    """Whether the room `name` may import the room `other`."""
    if name == other or floor(other) > floor(name):
        return True
    return floor(other) == floor(name) and list(FLOORS)[floor(name)] != "stages"


def breaches(imports: Mapping[str, set[str]]) -> list[str]:
    """Return what breaks the law, given which rooms each room imports."""
    homeless = [f"{name} has no floor" for name in imports if not any(name in rooms for rooms in FLOORS.values())]
    if homeless:
        return homeless
    strangers = [
        f"{name} must not import {other}"
        for name, others in sorted(imports.items())
        for other in sorted(others)
        if not may_know(name, other)
    ]
    try:
        TopologicalSorter({name: others - {name} for name, others in imports.items()}).prepare()
    except CycleError as exc:
        strangers.append(f"a circle: {' <- '.join(exc.args[1])}")
    return strangers


@cache
def house() -> MappingProxyType[str, set[str]]:
    """Return which rooms each room imports."""
    imports: dict[str, set[str]] = {}
    for path in FILES:
        if name := room(path):
            imports.setdefault(name, set()).update(imported_rooms(path))
    return MappingProxyType(imports)


@pytest.mark.slow
def test_every_room_knows_only_what_its_floor_may_know() -> None:
    assert breaches(house()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "other", "told"),
    [
        ("mapping", "destination", ["mapping must not import destination"]),
        ("core", "outbox", ["core must not import outbox"]),
        ("pipeline", "console", ["pipeline must not import console"]),
        ("cupboard", "core", ["cupboard has no floor"]),
    ],
)
def test_a_room_on_a_wrong_floor_is_named(name: str, other: str, told: list[str]) -> None:
    imports = {**house(), name: house().get(name, set()) | {other}}
    assert breaches(imports)[: len(told)] == told


def test_a_circle_of_rooms_on_one_floor_is_named() -> None:
    imports = {**house(), "pipeline": house()["pipeline"] | {"insights"}}
    assert any(told.startswith("a circle") for told in breaches(imports))


def test_every_room_of_the_law_exists() -> None:
    assert set(house()) == set().union(*FLOORS.values())


def circles(imports: Mapping[str, set[str]]) -> list[str]:
    """Return the modules that import each other in a circle when they are loaded."""
    try:
        TopologicalSorter({name: others - {name} for name, others in imports.items()}).prepare()
    except CycleError as exc:
        return [" <- ".join(exc.args[1])]
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(loaded_modules()) == []


def loaded_modules() -> dict[str, set[str]]:
    """Return which modules each module imports at its top."""
    names = {dotted(path) for path in FILES}
    found: dict[str, set[str]] = {}
    for path in FILES:
        found[dotted(path)] = {
            f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in names else str(node.module)
            for node in tree(path).body
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("app")
            for alias in node.names
        }
    return found


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.slow
def test_a_function_fits_on_a_screen() -> None:
    large = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and height(node) > MAX_FUNCTION_LINES
    ]
    assert large == []


def height(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function, its docstring left out: a long promise is no fault."""
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    return lines_of(function) - (lines_of(docstring) if docstring else 0)


def lines_of(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_a_module_is_named_after_what_it_does() -> None:
    assert [path for path in FILES if NAMELESS & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_commands_print_by_what_writes_hidden_characters_out_alone() -> None:
    printing = ("typer.echo", "typer.secho", "print", "rich.print", "sys.stdout.write", "sys.stderr.write")
    own = [path for path in FILES if room(path) == "commands" or module(path) == "cli"]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in own
        if module(path) != "commands/terminal"
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ((name := ast.unparse(node.func)) in printing or name.endswith("table.add_row"))
        and not (node.args and ast.unparse(node.args[0]).startswith("visible("))
    ]
    assert own
    assert found == []


@pytest.mark.slow
def test_the_clock_and_chance_are_arguments() -> None:
    closed = [path for path in FILES if not {room(path), module(path)} & CLOCK_READERS]
    assert [reading for path in closed for reading in readings(path)] == []


def module(path: Path) -> str:
    return str(path.relative_to(ROOT / "app").with_suffix(""))


def readings(path: Path) -> Iterator[str]:
    """Yield each call of the wall clock or of global randomness.

    `clock: Callable[[], float] = time.time` is an argument, `random.Random(7)` makes one,
    and secrets and identities are not chance: they decide nothing.
    """
    for node in nodes(path):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CLOCKS or (name.startswith("random.") and name != "random.Random"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"time", "random"}:
            # What reads them stays in sight: `time.time()`, not `time()`.
            names = {alias.name for alias in node.names} - {"Random"}
            yield from (f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in sorted(names))
