"""What an event costs on its whole way: received, mapped, committed, claimed, sent, settled.

    python bench/flow.py [--events clean|sources] [--outbox sqlite|postgres] [--standby] [--workers 1] [--seconds 6]

The real `pinrelay serve` takes events for some seconds (receiving/load.py) and sends them at the same time to a
Pinterest that says yes after 50 ms (drain.py's, a process of its own). A round ends when nothing waits any more: CPU
time is that of all processes of the server for all of this, and events a second count until then. The best of ROUNDS
counts. What PostgreSQL's own processes take is not in it, nor what the load and the stand-in take.

Beside it, in the same run, the sum of its bare parts, as CPU time of one event too:
    route      a FastAPI route that parses the JSON (receiving/bare.py) under the same load
    by hand    mapped and hashed by `by_hand` of engine.py, which knows the clean events only
    insert     the payload and two ids in one table, durable: a commit for each array, for single events one for 64
    call       one HTTP call of httpx for a thousand payloads
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from bench.drain import AD_ACCOUNT_ID, serving
from bench.engine import by_hand, digest
from bench.receive import ARRAY, ARRAY_CONNECTIONS, BENCH, CONNECTIONS, cpu_of, measure, served
from bench.receiving import source_events
from tests.outbox.postgres_server import empty_outbox
from tests.process import clean_environment, free_port
from tests.waiting import until

ROUNDS = 2
LATENCY_MS = 50
DRAIN_S = 300
#: Single events that share a commit, as `MAX_BATCH` of the server.
COMMITTED_TOGETHER = 64
TABLE = "CREATE TABLE bare (id INTEGER PRIMARY KEY, message_id TEXT, event_id TEXT, payload {bytes})"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How events are sent."""

    name: str
    #: Events of a request; 0: a single one that is no array.
    array: int
    connections: int
    #: Microseconds of CPU time that an event may take in all on SQLite.
    goal_us: float

    @property
    def arguments(self) -> list[str]:
        """Those of the load."""
        return ["--array", str(self.array)] if self.array else []


KINDS = (
    Kind(name=f"arrays of {ARRAY}", array=ARRAY, connections=ARRAY_CONNECTIONS, goal_us=110),
    Kind(name="single events", array=0, connections=CONNECTIONS, goal_us=200),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", choices=("clean", "sources"), default="clean", help="which are sent")
    parser.add_argument("--outbox", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--standby", action="store_true", help="with postgres: every commit is on two servers")
    parser.add_argument("--workers", default="1", help="processes (default: 1)")
    parser.add_argument("--seconds", default="6", help="of load in a round; more where others want the same cores")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        empty_outbox(Path(folder), given.outbox, standby=given.standby) as url,
        serving(LATENCY_MS) as pinterest,
    ):
        environment = clean_environment(
            outbox_url=url,
            log_format="json",
            pinterest_api_url=pinterest,
            pinterest_ad_account_id=AD_ACCOUNT_ID,
            pinterest_conversion_token="flow",
            withhold="none",
        )
        port = free_port()
        program = [str(Path(sys.executable).parent / "pinrelay"), "serve", "--workers", given.workers]
        with served(program, port, environment) as server:
            more = ["--seconds", given.seconds, "--events", given.events]
            rounds = {kind.name: [_flow(server, port, kind, more) for _ in range(ROUNDS)] for kind in KINDS}
        for kind in KINDS:
            cpu_us, rate = min(us for us, _ in rounds[kind.name]), max(rate for _, rate in rounds[kind.name])
            bare = _bare_parts(kind, url, Path(folder), pinterest) if given.events == "clean" else {}
            _tell(kind, cpu_us, rate, bare, has_goal=given.outbox == "sqlite" and given.events == "clean")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _tell(kind: Kind, cpu_us: float, rate: float, bare: dict[str, float], *, has_goal: bool) -> None:
    goal = f"   goal {kind.goal_us:.0f} us: {'met' if cpu_us <= kind.goal_us else 'MISSED'}" if has_goal else ""
    print(f"{kind.name:15} {cpu_us:4.0f} us of CPU an event in all, {rate:7,.0f} a second{goal}")
    if bare:
        parts = ", ".join(f"{name} {us:.0f}" for name, us in bare.items())
        total = sum(bare.values())
        print(f"{'bare parts':15} {total:4.0f} us ({parts}); ours takes {cpu_us / total:.2f} times as long", flush=True)


def _flow(server: psutil.Process, port: int, kind: Kind, more: list[str]) -> tuple[float, float]:
    """Return microseconds of CPU time an event, and events a second, from the first byte to the last settlement."""
    load = [sys.executable, str(BENCH / "receiving" / "load.py"), str(port), "--connections", str(kind.connections)]
    before_s, begun = cpu_of(server), time.perf_counter()
    done = subprocess.run([*load, *more, *kind.arguments], check=True, capture_output=True, text=True)
    until(lambda: _waiting(port) == 0, DRAIN_S, "everything is settled")
    events = orjson.loads(done.stdout)["answered"] * (kind.array or 1)
    return (cpu_of(server) - before_s) / events * 1e6, events / (time.perf_counter() - begun)


def _waiting(port: int) -> int:
    delivery = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=30).json()["delivery"]
    return int(delivery["pending"] + delivery["claimed"])


def _bare_parts(kind: Kind, outbox_url: str, folder: Path, pinterest: str) -> dict[str, float]:
    """Return what each part takes of an event, in microseconds of CPU time."""
    lines = source_events.lines_of("clean")
    port = free_port()
    with served([sys.executable, str(BENCH / "receiving" / "bare.py"), str(port)], port) as route:
        each = measure(route, port, *kind.arguments, connections=kind.connections)
    made = [made for line in lines for made in by_hand(line)]
    share = len(made) / len(lines)
    insert = _postgres_insert if outbox_url.startswith("postgres") else _sqlite_insert
    size = kind.array or COMMITTED_TOGETHER
    together = [made[at : at + size] for at in range(0, len(made), size)]

    def map_all() -> None:
        digest.cache_clear()
        for line in lines:
            by_hand(line)

    return {
        "route": each.cpu_s / (kind.array or 1) * 1e6,
        "by hand": _us(map_all, len(lines)),
        "insert": insert(outbox_url, folder, together) * share,
        "call": _call(pinterest, [payload for _, payload in made][:1_000]) * share,
    }


def _us(work: Callable[[], object], count: int) -> float:
    """Return the CPU time of this process for each of `count`, the least of five."""
    found = []
    for _ in range(5):
        begun = time.process_time()
        work()
        found.append((time.process_time() - begun) / count * 1e6)
    return min(found)


def _rows(batch: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, str, bytes]]:
    for number, (preset, payload) in enumerate(batch):
        yield f"{preset}-{number}", f"{preset}-{number}-id", payload


def _sqlite_insert(_: str, folder: Path, together: Sequence[Sequence[tuple[str, bytes]]]) -> float:
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(TABLE.format(bytes="BLOB"))

        def insert() -> None:
            for batch in together:
                connection.execute("BEGIN")
                sql = "INSERT INTO bare (message_id, event_id, payload) VALUES (?, ?, ?)"
                connection.executemany(sql, _rows(batch))
                connection.execute("COMMIT")

        return _us(insert, sum(map(len, together)))


def _postgres_insert(url: str, _: Path, together: Sequence[Sequence[tuple[str, bytes]]]) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(TABLE.format(bytes="BYTEA").replace("INTEGER PRIMARY KEY", "BIGSERIAL PRIMARY KEY"))
        sql = (
            "INSERT INTO bare (message_id, event_id, payload) SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])"
        )

        def insert() -> None:
            for batch in together:
                connection.execute(sql, [list(column) for column in zip(*_rows(batch), strict=True)], binary=True)

        return _us(insert, sum(map(len, together)))


def _call(pinterest: str, payloads: Sequence[bytes]) -> float:
    body = b'{"data":[' + b",".join(payloads) + b"]}"
    with httpx.Client(trust_env=False, timeout=30) as client:
        url = f"{pinterest}/ad_accounts/{AD_ACCOUNT_ID}/events"
        return _us(lambda: client.post(url, content=body).raise_for_status().json(), len(payloads))


if __name__ == "__main__":
    main()
