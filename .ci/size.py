"""Measure the project: code by package, and the number of concepts that an engineer has to know.

    python .ci/size.py [--list]

`--list` prints the functions, the record types and the classes with delivery columns behind the figures.
An order is posted to the whole application in this process, with a SQLite outbox and the sandbox. A first order warms
the application up. A function counts once; a generated function counts to no file. A record type counts if a line that
names the type ran before the delivery was recorded.
Lines of code exclude blank lines, comments and docstrings.
"""

import ast
import asyncio
import builtins
import dis
import re
import sqlite3
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.config import Settings  # noqa: E402 - found by the line above
from app.core.deliveries import Delivery, NewDelivery  # noqa: E402 - found by the line above
from app.main import Role, create_app  # noqa: E402 - found by the line above
from tests.assembled import settings  # noqa: E402 - found by the line above
from tests.outbox.new_store import new_store  # noqa: E402 - found by the line above

APP: Final = ROOT / "app"
ORDER: Final = {
    "type": "track",
    "event": "Order Completed",
    "userId": "cust-1",
    "context": {"traits": {"email": "ada@example.com"}},
    "properties": {
        "order_id": "SO-1",
        "revenue": 20.0,
        "currency": "USD",
        "products": [{"product_id": "P-1", "price": 10, "quantity": 2}],
    },
}
#: A class with `REPEATED` fields of these repeats the columns of a delivery.
DELIVERY_COLUMNS: Final = frozenset(NewDelivery.__struct_fields__) | Delivery.__annotations__.keys()
REPEATED: Final = 5
RECORD_BASES: Final = frozenset({"Struct", "NamedTuple", "BaseModel", "TypedDict"})
#: A statement of SQL that has a name: `-- name --`.
STATEMENT: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)
#: The packages that may declare an operation, such as `redrive`.
SURFACES: Final = ("operations", "commands", "api", "console")
DEADLINE_S: Final = 30


def main() -> None:
    """Print the figures, or with `--list` the names behind the figures."""
    functions = asyncio.run(functions_of_one_order())
    records = asyncio.run(records_of_one_order())
    repeating = classes(repeats_columns)
    if "--list" in sys.argv[1:]:
        for file in sorted(functions):
            print(file, *sorted(functions[file]), sep="\n    ")
        print("\nrecord types", *sorted(records), sep="\n    ")
        print("\nclasses with delivery columns", *repeating, sep="\n    ")
        return
    print_packages()
    print()
    for label, figure in {
        "record types from socket to recorded delivery": len(records),
        f"classes with {REPEATED} or more delivery columns": len(repeating),
        "protocols": len(classes(lambda each: "Protocol" in base_names(each))),
        "files that one order passes until it is stored": sum(not file.startswith("<") for file in functions),
        "functions that one order passes until it is stored": sum(map(len, functions.values())),
        "declarations of one operation (redrive)": len(declarations("redrive")),
        "settings": len(Settings.model_fields),
        "SQL statements with the same name in both engines": len(statements("sqlite") & statements("postgres")),
    }.items():
        print(f"{label:<52}{figure:>6,}")


def print_packages() -> None:
    """Print the number of files and lines of code of each package of app/, of app/ and of tests/."""
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for path in sorted(APP.rglob("*.py")):
        package = path.relative_to(APP).parts[0]
        files[package] += 1
        lines[package] += code_lines(path)
    tests = sorted((ROOT / "tests").rglob("*.py"))
    tests = [path for path in tests if "node_modules" not in path.parts]
    rows = [(package, files[package], lines[package]) for package in sorted(files)]
    rows += [("app", files.total(), lines.total()), ("tests", len(tests), sum(map(code_lines, tests)))]
    for package, count, size in rows:
        print(f"{package:<14}{count:>5}{size:>8,}")
    sql = sum(1 for path in APP.rglob("*.sql") for line in path.read_text("utf-8").splitlines() if line.strip())
    print(f"{'SQL':<14}{len([*APP.rglob('*.sql')]):>5}{sql:>8,}")


def code_lines(path: Path) -> int:
    """Count the lines of a Python file without blank lines, comments and docstrings."""
    text, tree = path.read_text("utf-8"), parsed(path)
    count = sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                docstring = text.splitlines()[first.lineno - 1 : first.end_lineno]
                count -= sum(1 for line in docstring if line.strip() and not line.strip().startswith("#"))
    return count


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text("utf-8"))


def classes(is_wanted: Callable[[ast.ClassDef], bool]) -> list[str]:
    """Return the classes of app/ for which the condition holds, as `file:Class`."""
    return [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in sorted(APP.rglob("*.py"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and is_wanted(node)
    ]


def base_names(node: ast.ClassDef) -> set[str]:
    """Return the names of the bases of a class, without module and type parameters."""
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}


def repeats_columns(node: ast.ClassDef) -> bool:
    """Return whether a class declares at least `REPEATED` columns of a delivery."""
    fields = {each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and type(each.target) is ast.Name}
    return len(fields & DELIVERY_COLUMNS) >= REPEATED


def declarations(operation: str) -> list[str]:
    """Return the files of the surfaces that define a function for an operation."""
    return [
        str(path.relative_to(ROOT))
        for surface in SURFACES
        for path in sorted((APP / surface).rglob("*.py"))
        if any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and operation in node.name.split("_")
            and not node.name.startswith("_")
            for node in ast.walk(parsed(path))
        )
    ]


def statements(engine: str) -> set[str]:
    """Return the names of the SQL statements of an engine."""
    return {name for path in (APP / "outbox" / engine).glob("*.sql") for name in STATEMENT.findall(path.read_text())}


async def functions_of_one_order() -> dict[str, list[str]]:
    """Return the functions that ran until one order was stored, by file of app/."""
    seen: set[tuple[str, str, int]] = set()
    is_noting = threading.Event()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and is_noting.is_set():
            code = frame.f_code
            seen.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    threading.setprofile(note)  # the outbox writes in a thread of its own
    sys.setprofile(note)
    async with served(Role.RECEIVE) as (client, _):
        await post(client, "first")
        is_noting.set()
        await post(client, "second")
        is_noting.clear()
    sys.setprofile(None)
    threading.setprofile(None)  # type: ignore[arg-type] - None ends profiling, as `sys.setprofile` documents
    passed: dict[str, list[str]] = {}
    for file, function, _ in seen:
        if file.startswith((str(APP), "<generated", "<mapping")):
            passed.setdefault(file.removeprefix(f"{ROOT}/"), []).append(function)
    return passed


async def records_of_one_order() -> set[str]:
    """Return the record types of app/ that lines named while one order was received, stored, sent and recorded."""
    lines: dict[CodeType, tuple[dict[str, Any], set[int]]] = {}
    is_noting = threading.Event()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(str(APP)):
            return None
        if event == "line" and is_noting.is_set():
            lines.setdefault(frame.f_code, (frame.f_globals, set()))[1].add(frame.f_lineno)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    async with served(Role.ALL) as (client, store):
        await post(client, "first")
        await delivered(store, "first")
        is_noting.set()
        await post(client, "second")
        await delivered(store, "second")
        is_noting.clear()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type] - None ends tracing, as `sys.settrace` documents
    named = (each for code, (names, ran) in lines.items() for each in named_values(code, names, ran))
    return {f"{each.__module__}.{each.__qualname__}" for each in named if is_record(each)}


def named_values(code: CodeType, names: dict[str, Any], lines: set[int]) -> Iterator[Any]:
    """Yield the global values, and attributes of modules and classes, that lines of a function name."""
    value = None
    for step in dis.get_instructions(code):
        if step.positions is None or step.positions.lineno not in lines:
            continue
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            value = names.get(step.argval, getattr(builtins, step.argval, None))
        elif step.opname in {"LOAD_ATTR", "LOAD_METHOD"} and isinstance(value, ModuleType):
            value = getattr(value, step.argval, None)
        else:
            continue
        yield value


def is_record(value: Any) -> bool:
    """Return whether a value is a class of app/ with declared fields. The sandbox is not on the path to Pinterest."""
    if (
        not isinstance(value, type)
        or not value.__module__.startswith("app.")
        or value.__module__.startswith("app.sandbox")
    ):
        return False
    bases = {base.__name__ for base in value.__mro__}
    is_named_tuple = issubclass(value, tuple) and hasattr(value, "_fields")
    return is_named_tuple or bool(bases & RECORD_BASES) or "__dataclass_fields__" in vars(value)


@asynccontextmanager
async def served(role: Role) -> Any:
    """Run the application in this process; yield a client and the path of its SQLite store."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(settings(outbox_url=new_store(Path(folder), "pinrelay.db")), role=role)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            yield client, Path(folder) / "pinrelay.db"


async def post(client: httpx.AsyncClient, message_id: str) -> None:
    """Post the order with this message id, and an order id of its own."""
    properties = {**ORDER["properties"], "order_id": f"SO-{message_id}"}  # type: ignore[dict-item]
    answer = await client.post("/webhook", json={**ORDER, "messageId": message_id, "properties": properties})
    answer.raise_for_status()


async def delivered(store: Path, message_id: str) -> None:
    """Wait until the delivery of a message is recorded. Raise TimeoutError after `DEADLINE_S` seconds."""
    async with asyncio.timeout(DEADLINE_S):
        while _states(store, message_id) != ["delivered"]:  # noqa: ASYNC110 - SQLite notifies no other connection
            await asyncio.sleep(0.05)


def _states(store: Path, message_id: str) -> list[str]:
    connection = sqlite3.connect(store)
    try:
        rows = connection.execute("SELECT state FROM delivery WHERE message_id = ?", (message_id,)).fetchall()
    finally:
        connection.close()
    return [state for (state,) in rows]


if __name__ == "__main__":
    main()
