"""What identity memory costs: CPU an event with it and without, and the size of what is remembered.

    python bench/memory.py [--people 1000000] [--outbox sqlite|postgres] [--rounds 4]

So many people are remembered first, each with a user, a browser, an e-mail address and a click: the database makes
them itself. Then pages and orders of people drawn at random are accepted, by turns with memory and without, each into a
store of its own:

    arrays       of 500 events
    singles      one event a request, 128 requests under way, as the server gathers them
    alone        one event a request, nobody else: each waits for its own commit
    new people   arrays of people of whom nothing is known, each with both ids and an e-mail address: all is written

A quarter of the events each have the browser's id only (pages), both ids (pages, orders), and the user's only (orders).
CPU time is that of this process: SQLite works in it, PostgreSQL does not. The least of the rounds counts.
"""

import argparse
import asyncio
import gc
import hashlib
import hmac
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import psycopg

from app import assemble
from app.config import Settings, load_settings
from app.outbox import open_outbox
from app.outbox.sqlite.database import connect
from app.pipeline.batcher import RequestBatcher
from app.pipeline.pipeline import Pipeline
from app.source import Intake
from tests.outbox.postgres_server import empty_outbox

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package


ROOT = Path(__file__).parents[1]
NOW: Final = 1_800_000_000.0
SECRET: Final = "a secret for measuring, long enough"
ARRAY: Final = 500
REQUESTS: Final = 128
#: More events an array or a single, microseconds.
GOALS: Final = {"arrays": 25, "singles": 60}
#: HMAC by PostgreSQL itself, which has SHA-256 but no HMAC: https://www.rfc-editor.org/rfc/rfc2104#section-2
_BLOCK_BYTES: Final = 64
_FACT: Final = '"at":1800000000.0,"by":'

_PEOPLE_OF_SQLITE: Final = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < :people - 1),
keyed AS MATERIALIZED (SELECT n, user_key(n) AS user, browser_key(n) AS browser FROM number)
INSERT INTO person (id, key, linked_to, linked_id, linked_at, seen_at, stale_at, revision, record)
SELECT person_id(user), user, NULL, NULL, NULL, :at, :at + 5184000, 1, user_record(n) FROM keyed
UNION ALL
SELECT person_id(browser), browser, user, person_id(user), :at, :at, :at + 5184000, 1, browser_record(n, user)
FROM keyed
ORDER BY 1
"""
_PEOPLE_OF_POSTGRES: Final = """
INSERT INTO person (key, linked_to, linked_at, seen_at, stale_at, revision, record)
SELECT user_key, NULL, NULL, %(at)s, %(at)s + 5184000, 1,
       '{"facts":{"em":{"members":{"em":["' || encode(sha256(('e' || n)::bytea), 'hex') || '"]},' || %(identify)s
       || '},"external_id":{"members":{"external_id":["' || encode(sha256(('u' || n)::bytea), 'hex') || '"]},'
       || %(identify)s || '}},"link":null}'
FROM (SELECT n, encode(sha256(%(outer)s::bytea || sha256(%(of_user)s::bytea || ('u' || n)::bytea)), 'hex') AS user_key
      FROM generate_series(0, %(people)s - 1) AS n) AS keyed
UNION ALL
SELECT encode(sha256(%(outer)s::bytea || sha256(%(of_browser)s::bytea || ('a' || n)::bytea)), 'hex'), user_key, %(at)s,
       %(at)s, %(at)s + 5184000, 1,
       '{"facts":{"click":{"members":{"click_id":"dj0' || lpad(n::text, 20, '0') || '"},' || %(page)s
       || '}},"link":{"to":"' || user_key || '","at":1800000000.0,"is_followed":true}}'
FROM (SELECT n, encode(sha256(%(outer)s::bytea || sha256(%(of_user)s::bytea || ('u' || n)::bytea)), 'hex') AS user_key
      FROM generate_series(0, %(people)s - 1) AS n) AS keyed
"""


def configured(url: str, *, days: int) -> Settings:
    """Return settings with memory, or without it (0 days)."""
    return load_settings(
        presets_dir=(ROOT / "presets",),
        mappings_dir=(ROOT / "mappings",),
        outbox_url=url,
        remember_days=days,
        remember_max_people=40_000_000,
        remember_secret=SECRET,
        max_event_age_days=3650,
        order_scope="none",
    )


def remember(url: str, people: int) -> None:
    """Let the store remember people, as if each had come, clicked and logged in."""
    if url.startswith("sqlite"):
        with closing(connect(Path(url.removeprefix("sqlite:///")), timeout_s=5)) as connection:
            _remember_in_sqlite(connection, people)
    else:
        with psycopg.connect(url, autocommit=True) as server:
            _remember_in_postgres(server, people)


def _remember_in_sqlite(connection: sqlite3.Connection, people: int) -> None:
    def sha256(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    def key(kind: str, text: str) -> str:
        return hmac.digest(SECRET.encode(), f"{kind}\0{text}".encode(), "sha256").hex()

    def user_record(n: int) -> str:
        said = [f'"{name}":{{"members":{{"{name}":["{sha256(text)}"]}},{_FACT}"identify"}}' for name, text in of(n)]
        return f'{{"facts":{{{",".join(said)}}},"link":null}}'

    def of(n: int) -> list[tuple[str, str]]:
        return [("em", f"e{n}"), ("external_id", f"u{n}")]

    def browser_record(n: int, user: str) -> str:
        click = f'"click":{{"members":{{"click_id":"dj0{n:020d}"}},{_FACT}"page"}}'
        return f'{{"facts":{{{click}}},"link":{{"to":"{user}","at":{NOW},"is_followed":true}}}}'

    connection.create_function("user_key", 1, lambda n: key("userId", f"u{n}"))
    connection.create_function("browser_key", 1, lambda n: key("anonymousId", f"a{n}"))
    connection.create_function("user_record", 1, user_record)
    connection.create_function("browser_record", 2, browser_record)
    for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=FILE"):
        connection.execute(f"PRAGMA {pragma}")
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'person' AND type IN ('index', 'trigger')"
    ).fetchall()
    connection.execute("BEGIN")
    for kind, name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    connection.execute(_PEOPLE_OF_SQLITE, {"people": people, "at": NOW})
    for *_, sql in made:
        connection.execute(sql)
    connection.execute("UPDATE memory_size SET count = ? WHERE kind = 'person'", (2 * people,))
    connection.execute("COMMIT")


def _remember_in_postgres(server: psycopg.Connection[Any], people: int) -> None:
    def begun(pad: int, kind: bytes = b"") -> bytes:
        return bytes(byte ^ pad for byte in SECRET.encode().ljust(_BLOCK_BYTES, b"\0")) + kind

    indexes = server.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'person' AND indexname <> 'person_pkey'"
    ).fetchall()
    for statement in ("SET synchronous_commit = off", "SET maintenance_work_mem = '1GB'", "SET work_mem = '256MB'"):
        server.execute(statement)
    for name, _ in indexes:
        server.execute(f"DROP INDEX {name}".encode())
    server.execute("ALTER TABLE person DROP CONSTRAINT person_pkey")
    words = {"identify": f'{_FACT}"identify"', "page": f'{_FACT}"page"', "at": NOW, "people": people}
    pads = {"outer": begun(0x5C), "of_user": begun(0x36, b"userId\0"), "of_browser": begun(0x36, b"anonymousId\0")}
    server.execute(_PEOPLE_OF_POSTGRES.encode(), {**words, **pads})
    server.execute("ALTER TABLE person ADD PRIMARY KEY (key)")
    for _, sql in indexes:
        server.execute(sql.encode())
    server.execute("INSERT INTO memory_size (kind, slot, count) VALUES ('person', 0, %s)", (2 * people,))
    server.execute("VACUUM ANALYZE person")
    server.execute("CHECKPOINT")


def events(people: int, count: int, turn: str) -> list[dict[str, Any]]:
    """Return pages and orders of people drawn at random; of another turn others."""
    rng = random.Random(turn)
    made = []
    for number in range(count):
        who, own_id, kind = rng.randrange(people), f"{turn}-{number}", number % 4
        ids = {"anonymousId": f"a{who}"} if kind < 3 else {}
        if kind > 0:
            ids["userId"] = f"u{who}"
        made.append(_event(own_id, ids, is_order=kind > 1))
    return made


def new_people(_: int, count: int, turn: str) -> list[dict[str, Any]]:
    """Return orders of people of whom nothing is known."""
    ids = [{"anonymousId": f"new a {turn} {number}", "userId": f"new u {turn} {number}"} for number in range(count)]
    return [
        _event(f"{turn}-{number}", both, is_order=True, email=f"{turn}.{number}@example.com")
        for number, both in enumerate(ids)
    ]


def _event(own_id: str, ids: dict[str, str], *, is_order: bool, email: str | None = None) -> dict[str, Any]:
    context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
    event: dict[str, Any] = {"messageId": own_id, "timestamp": NOW + 60, "context": context, **ids}
    if not is_order:
        return event | {"type": "page"}
    order = {"order_id": own_id, "revenue": 20, "currency": "USD"} | ({"email": email} if email else {})
    return event | {"type": "track", "event": "Order Completed", "properties": order}


async def in_arrays(pipeline: Pipeline, made: list[dict[str, Any]]) -> None:
    """Accept events in arrays, one after the other."""
    for start in range(0, len(made), ARRAY):
        await pipeline.accept(Intake(made[start : start + ARRAY], now=NOW + 60, is_trusted=True))


async def in_requests(pipeline: Pipeline, made: list[dict[str, Any]], requests: int) -> None:
    """Accept events one a request, so many requests under way."""
    turns, left = RequestBatcher(pipeline), iter(made)

    async def send() -> None:
        for event in left:
            await turns.accept(Intake([event], now=NOW + 60, is_trusted=True))

    await asyncio.gather(*[send() for _ in range(requests)])


async def singles(pipeline: Pipeline, made: list[dict[str, Any]]) -> None:
    """Accept events as a server with many senders does."""
    await in_requests(pipeline, made, REQUESTS)


async def alone(pipeline: Pipeline, made: list[dict[str, Any]]) -> None:
    """Accept events as a server with one sender does."""
    await in_requests(pipeline, made, 1)


#: How events are sent, how many a round, and who makes them.
WAYS: Final[dict[str, tuple[Callable[[Pipeline, list[dict[str, Any]]], Awaitable[None]], int, Callable[..., Any]]]] = {
    "arrays": (in_arrays, 4_000, events),
    "singles": (singles, 2_048, events),
    "alone": (alone, 200, events),
    "new people": (in_arrays, 2_000, new_people),
}


async def cost_us(pipeline: Pipeline, way: str, people: int, turn: str) -> float:
    """Return the CPU time of this process an event, in microseconds."""
    send, count, make = WAYS[way]
    made = make(people, count, turn)
    begun = time.process_time()
    await send(pipeline, made)
    return (time.process_time() - begun) / count * 1e6


async def measure(engine: str, people: int, rounds: int) -> None:
    """Print the cost with memory and without."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        settings = {}
        for name, days in (("with", 90), ("without", 0)):
            (Path(folder) / name).mkdir()
            url = stack.enter_context(empty_outbox(Path(folder) / name, engine))
            settings[name] = configured(url, days=days)
        outboxes = {name: open_outbox(each.outbox_url, each, clock=lambda: NOW) for name, each in settings.items()}
        for outbox in outboxes.values():
            await outbox.check()  # then there are tables
        begun = time.monotonic()
        await asyncio.to_thread(remember, settings["with"].outbox_url, people)
        print(f"{people:,} people remembered, made in {time.monotonic() - begun:.0f} s", flush=True)
        if engine == "sqlite":
            print(f"{size_of(folder) / people:.0f} bytes of the file a person")
        pipelines = {name: assemble.pipeline(each, outbox=outboxes[name]) for name, each in settings.items()}
        for way in WAYS:
            least: dict[str, float] = {}
            for turn in range(rounds + 1):
                for name, pipeline in pipelines.items():
                    found = await cost_us(pipeline, way, people, f"{way} {turn}")
                    if turn:  # the first warms up
                        least[name] = min(found, least.get(name, found))
            _print(way, least)
        for outbox in outboxes.values():
            await outbox.close()


def _print(way: str, least: dict[str, float]) -> None:
    more = least["with"] - least["without"]
    goal = GOALS.get(way)
    against = f"   goal {goal}: {'met' if more <= goal else 'MISSED'}" if goal else ""
    print(
        f"{way:10}  with {least['with']:6.1f} us, without {least['without']:6.1f} us:"
        f" {more:6.1f} us more an event{against}",
        flush=True,
    )


def size_of(folder: str) -> int:
    """Return the size of the store with memory, in bytes."""
    return sum(file.stat().st_size for file in (Path(folder) / "with").iterdir())


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000, help="how many are remembered first")
    parser.add_argument("--outbox", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--rounds", type=int, default=4, help="of each way; the least counts")
    options = parser.parse_args(sys.argv[1:])
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as the server does
    asyncio.run(measure(options.outbox, options.people, options.rounds))


if __name__ == "__main__":
    main()
