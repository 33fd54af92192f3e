"""Count the house: files and lines of each room, and the files and functions that one order passes until it is stored.

    python .ci/size.py [--list]

`--list` prints these functions by file, and no rooms.
An order is posted to the whole application in this process, with a SQLite outbox, after a first one has warmed it up.
A function counts once, however often it is called, also one that was generated (it counts to no file).
"""

import asyncio
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.main import Role, create_app  # noqa: E402 - found by the line above
from tests.assembled import settings  # noqa: E402 - found by the line above
from tests.outbox.new_store import new_store  # noqa: E402 - found by the line above

ORDER = {
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


def main() -> None:
    """Print both counts, or what the second one counts."""
    passed = asyncio.run(passed_by_one_order())
    if "--list" in sys.argv[1:]:
        for file in sorted(passed):
            print(file, *sorted(passed[file]), sep="\n    ")
    else:
        print_rooms()
    files = sum(not file.startswith("<") for file in passed)
    functions = sum(map(len, passed.values()))
    print(f"\none order passes {files} files and {functions} functions until it is stored")


def print_rooms() -> None:
    """Print files and lines of Python by room of app/, and the sums of app/ and tests/."""
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for path in sorted((ROOT / "app").rglob("*.py")):
        room = path.relative_to(ROOT / "app").parts[0]
        files[room] += 1
        lines[room] += lines_of(path)
    for room in sorted(files):
        print(f"{room:<14}{files[room]:>5}{lines[room]:>8,}")
    print(f"{'app':<14}{files.total():>5}{lines.total():>8,}")
    tests = [*(ROOT / "tests").rglob("*.py")]
    print(f"{'tests':<14}{len(tests):>5}{sum(map(lines_of, tests)):>8,}")


def lines_of(path: Path) -> int:
    """Count the lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


async def passed_by_one_order() -> dict[str, list[str]]:
    """Return in which files of app/, and in which of their functions, one order is worked on until it is answered."""
    seen: set[tuple[str, str, int]] = set()
    is_noting = threading.Event()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and is_noting.is_set():
            code = frame.f_code
            seen.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    threading.setprofile(note)  # the outbox writes in a thread of its own
    sys.setprofile(note)
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(settings(outbox_url=new_store(Path(folder), "pinrelay.db")), role=Role.RECEIVE)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            await client.post("/webhook", json={**ORDER, "messageId": "first"})
            is_noting.set()
            answer = await client.post("/webhook", json={**ORDER, "messageId": "second"})
            is_noting.clear()
            answer.raise_for_status()
    sys.setprofile(None)
    passed: dict[str, list[str]] = {}
    for file, function, _ in seen:
        if file.startswith((str(ROOT / "app"), "<generated", "<mapping")):
            passed.setdefault(file.removeprefix(f"{ROOT}/"), []).append(function)
    return passed


if __name__ == "__main__":
    main()
