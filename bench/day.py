"""Whether a full store is as fast as an empty one: what a day of a hundred million events leaves behind.

    python bench/day.py [--outbox sqlite|postgres] [--scale 1] [--rounds 5]

Two stores of one engine are filled alike with TEMPLATES settled and as many waiting deliveries, as the pipeline makes
them. The database itself then multiplies those of one: 10,000,000 settled over the last week and 2,000,000 waiting on
PostgreSQL, a third of that on SQLite, times `--scale`. The other has 8,000 settled, spread over the same week, and so
many waiting that some have waited as long at the end: what is asked of each day, and of what waits for long, takes as
long in both, and what is measured is what deliveries cost, not what days or a late destination do. By turns the same is
done in both: events are taken in, claimed, settled, searched for and taken in once more (duplicates), then a server on
each shows its pages and takes arrays by HTTP. Printed are the CPU time of all rounds (this process, the server,
PostgreSQL's backends), the full store's beside the other's (goal: none above 1.5 times), the ratio of elapsed time, the
server's memory, and the bytes that a delivery takes on the disk once it is settled and while it waits. Console's pages
are asked for ASKED times a round.
"""

import argparse
import asyncio
import itertools
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpx
import psutil
import psycopg

from app.config import load_settings
from app.core.deliveries import Claimed, NewDelivery, State
from app.core.events import Outcome
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.outbox import Outbox, open_outbox
from app.outbox.postgres.retention import day_of, table_of
from app.outbox.sqlite.database import connect
from bench.drain import AD_ACCOUNT_ID, different, mapped
from bench.receive import ARRAY, ARRAY_CONNECTIONS, cpu_of, measure, served
from tests.outbox.build import delivered
from tests.outbox.postgres_server import empty_outbox
from tests.process import clean_environment, free_port

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package


#: Settled and waiting ones of a full store at scale 1.
FULL: Final = {"postgres": (10_000_000, 2_000_000), "sqlite": (3_333_333, 666_667)}
TEMPLATES: Final = 1_000
#: Settled ones of the store that is compared with, beside TEMPLATES.
EMPTY: Final = 7 * TEMPLATES
#: So many copies of each template are made by one statement.
TOGETHER: Final = 50
A_ROUND: Final = 500
#: Times that a page is asked for in a round, as every search is: what takes CPU is counted in hundredths of a second.
ASKED: Final = 20
WEEK_S: Final = 7 * DAY_S
GOAL: Final = 1.5
PAGES: Final = {
    "overview": "/console",
    "deliveries": "/console/deliveries",
    "what waits": "/console/deliveries?state=pending",
    "a day's errors": "/console/deliveries?state=dead",
    "revenue": "/console/revenue",
    "status": "/api/v1/status",
    "metrics": "/metrics",
}

_TIMES: Final = {
    "enqueued_at": f"t.enqueued_at - {WEEK_S} * (1 - 1.0 * :n / :copies)",
    "settled_at": f"t.settled_at - {WEEK_S} * (1 - 1.0 * :n / :copies)",
}
_IDS: Final = {name: f"t.{name} || '-' || :n" for name in ("message_id", "event_id", "order_id", "checkout_id")}
#: Of each table, by engine, what of a copy is not as in its template; `:n` is its number.
COPIED: Final[Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]] = {
    "sqlite": {
        "settled": {"delivery": _IDS | _TIMES, "attempt": {}, "dedup_key": {}},
        "waiting": {"delivery": _IDS, "payload": {}, "dedup_key": {}},
    },
    "postgres": {
        "settled": {"delivered": _IDS | _TIMES, "dedup_key": {}},
        "waiting": {"delivery": _IDS, "queue": {}, "dedup_key": {}},
    },
}
_DIGEST: Final = {"sqlite": "lower(hex(randomblob(10)))", "postgres": "substr(md5(t.digest || :n), 1, 20)"}


@dataclass(kw_only=True)
class Store:
    """One of the two that are compared."""

    name: str
    url: str
    outbox: Outbox
    new: Iterator[NewDelivery]
    #: Tables of which nothing is copied.
    left_out: frozenset[str] = frozenset()
    claimed: list[Claimed] = field(default_factory=list)
    last: list[NewDelivery] = field(default_factory=list)
    #: CPU and elapsed seconds of all rounds, by what was done.
    spent: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))

    @property
    def engine(self) -> str:
        """Which engine it is."""
        return self.url.partition(":")[0].removesuffix("ql")

    async def note(
        self, what: str, work: Callable[[], Awaitable[object]], server: psutil.Process | None = None
    ) -> None:
        """Do `work` and add what it took."""
        cpu_s, begun = self.cpu_s(server), time.perf_counter()
        await work()
        self.spent[what][0] += self.cpu_s(server) - cpu_s
        self.spent[what][1] += time.perf_counter() - begun

    def cpu_s(self, server: psutil.Process | None) -> float:
        """Return the CPU time so far of what works on the store: the server, else this process, and the backends."""
        ours = time.process_time() if server is None else cpu_of(server)
        if self.engine == "sqlite":
            return ours
        with psycopg.connect(self.url, autocommit=True) as connection:
            own = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            return ours + sum(_cpu_of_backend(pid) for (pid,) in connection.execute(own))

    def size_bytes(self) -> int:
        """Return the bytes of the disk that the store takes."""
        if self.engine == "sqlite":
            with closing(connect(self.path, timeout_s=60)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return self.path.stat().st_size
        with psycopg.connect(self.url) as connection:
            return int(connection.execute("SELECT pg_database_size(current_database())").fetchall()[0][0])

    @property
    def path(self) -> Path:
        """The file of SQLite."""
        return Path(self.url.removeprefix("sqlite:///"))

    async def fill(self, kind: str, count: int) -> None:
        """Make TEMPLATES of a kind, settled or waiting, and copies of them until there are `count`; 0 makes none."""
        at = time.time() - 600
        made = list(itertools.islice(self.new, TEMPLATES))
        assert {each.outcome for each in await self.outbox.enqueue(made, [], [], now=at)} == {Outcome.ENQUEUED}
        if kind == "settled":
            claimed = await claim(self.outbox, TEMPLATES, at)
            await self.outbox.settle([delivered(each) for each in claimed], [], now=at + 1)
        copies = count // TEMPLATES
        if copies:
            size, begun = self.size_bytes(), time.monotonic()
            await asyncio.to_thread(
                multiply_sqlite if self.engine == "sqlite" else multiply_postgres, self, kind, copies
            )
            await self.filter_ids()
            rows, grown = copies * TEMPLATES, self.size_bytes() - size
            mean = sum(len(each.payload) for each in made) / TEMPLATES
            print(
                f"{kind}: {rows:,} made in {time.monotonic() - begun:.0f} s, {grown / rows:,.0f} bytes of the disk each"
                f" (payloads of {mean:,.0f} bytes)",
                flush=True,
            )

    async def filter_ids(self) -> None:
        """Let retention make SQLite's filters of ids, as it does while a store fills; a week ago nothing was old."""
        while self.engine == "sqlite" and await self.outbox.retain(now=time.time() - WEEK_S, limit=A_ROUND):
            pass


def _cpu_of_backend(pid: int) -> float:
    """Return its CPU time so far; 0 where it has just ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def statements(engine: str, kind: str, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what copies the rows of the temporary tables `of_...`, numbered from `:low` to `:high` of `:copies`."""
    numbers = (
        "WITH RECURSIVE s (n) AS (SELECT :low UNION ALL SELECT n + 1 FROM s WHERE n < :high) "
        if engine == "sqlite"
        else "WITH s (n) AS (SELECT generate_series(:low, :high)) "
    )
    found = []
    for table, names in columns.items():
        changes = COPIED[engine][kind][table]
        changed = {_id_of(names): f"t.{_id_of(names)} + :n * {TEMPLATES}", "digest": _DIGEST[engine], **changes}
        values = ", ".join(changed.get(name, f"t.{name}") for name in names).replace(":n", "s.n")
        into = f"INSERT INTO {table} ({', '.join(names)})"
        found.append(f"{numbers} {into} SELECT {values} FROM s CROSS JOIN of_{table} AS t ORDER BY s.n")
    return found


def _id_of(columns: Sequence[str]) -> str:
    return "id" if "id" in columns else "delivery_id"


def _template(table: str, columns: Sequence[str]) -> str:
    """Return what copies the newest TEMPLATES of a table aside."""
    newest = f"(SELECT max({_id_of(columns)}) FROM {table}) - {TEMPLATES}"
    return f"CREATE TEMP TABLE of_{table} AS SELECT * FROM {table} WHERE {_id_of(columns)} > {newest}"


def chunks(copies: int) -> Iterator[dict[str, int]]:
    """Yield the parameters of `statements` until all copies are made."""
    for low in range(1, copies + 1, TOGETHER):
        yield {"low": low, "high": min(low + TOGETHER - 1, copies), "copies": copies}


def multiply_sqlite(store: Store, kind: str, copies: int) -> None:
    """Copy templates; triggers would count each, so they are made again afterwards."""
    with closing(connect(store.path, timeout_s=60)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in COPIED["sqlite"][kind].keys() - store.left_out
        }
        for table, names in columns.items():
            connection.execute(_template(table, names))
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'delivery'"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        made = statements("sqlite", kind, columns)
        for numbers in chunks(copies):
            for statement in made:
                connection.execute(statement, numbers)
        connection.execute(
            "UPDATE backlog SET (count, bytes) = (SELECT count(*), coalesce(sum(payload_bytes), 0) FROM delivery AS d "
            "WHERE d.ad_account_id = backlog.ad_account_id AND d.state = backlog.state)"
        )
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")


def multiply_postgres(store: Store, kind: str, copies: int) -> None:
    """Copy templates, and count them."""
    with psycopg.connect(store.url, autocommit=True) as server:
        server.execute("SET synchronous_commit = off")
        for day in range(day_of(time.time() - WEEK_S - DAY_S), day_of(time.time())):
            server.execute(
                f"CREATE TABLE IF NOT EXISTS {table_of('delivered', day)} PARTITION OF delivered "
                f"FOR VALUES FROM ({day * DAY_S}) TO ({(day + 1) * DAY_S})".encode()
            )
        asked = "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
        tables = COPIED["postgres"][kind].keys() - store.left_out
        columns = {table: [row[0] for row in server.execute(asked, [table])] for table in tables}
        for table, names in columns.items():
            server.execute(_template(table, names).encode())
        made = statements("postgres", kind, columns)
        for numbers in chunks(copies):
            for statement in made:
                text = re.sub(r":(low|high|copies)\b", lambda found: str(numbers[found[1]]), statement)  # noqa: B023
                server.execute(text.encode())
        highest = (
            "SELECT max(id) FROM (SELECT max(id) AS id FROM delivery UNION ALL SELECT max(id) FROM delivered) AS ids"
        )
        server.execute(f"SELECT setval('delivery_id', ({highest}))")
        if kind == "waiting":
            server.execute(
                "UPDATE backlog SET count = count * %s, bytes = bytes * %s WHERE state = 'pending'", [copies + 1] * 2
            )
        server.execute("VACUUM ANALYZE")
        server.execute("CHECKPOINT")


async def claim(outbox: Outbox, limit: int, now: float) -> list[Claimed]:
    """Claim what is due."""
    return await outbox.claim(AD_ACCOUNT_ID, limit=limit, max_bytes=10**9, max_wait_s=0, lease_s=3_600, now=now)


async def a_round(store: Store) -> None:
    """Do everything once that the flow does."""
    outbox, now = store.outbox, time.time()
    store.last = list(itertools.islice(store.new, A_ROUND))

    async def claimed() -> None:
        store.claimed = await claim(outbox, A_ROUND, now)

    async def search(*queries: Query) -> None:
        for query in queries * ASKED:
            await outbox.search(query, limit=50)

    one = store.last[0]
    by_id = Query(message_id=one.message_id), Query(event_id=one.event_id), Query(order_id=one.order_id or "none")
    lists = Query(state=State.DEAD), Query(state=State.PENDING), Query()
    await store.note("intake", lambda: outbox.enqueue(store.last, [], [], now=now))
    await store.note("de-duplication", lambda: outbox.enqueue(store.last, [], [], now=now))
    await store.note("claim", claimed)
    assert len(store.claimed) == A_ROUND
    await store.note("settle", lambda: outbox.settle([delivered(each) for each in store.claimed], [], now=now))
    await store.note("search by id", lambda: search(*by_id))
    await store.note("newest, by state", lambda: search(*lists))


async def show(store: Store, server: psutil.Process, port: int) -> None:
    """Ask a server for each page."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=300) as client:
        for name, path in PAGES.items():

            async def ask(path: str = path) -> None:
                for _ in range(ASKED):
                    (await client.get(path)).raise_for_status()

            await store.note(name, ask, server)


async def compare(stores: Sequence[Store], rounds: int) -> dict[str, float]:
    """Measure by turns; return the memory of the server of each, in bytes."""
    for number in range(rounds):
        for store in stores[:: 1 if number % 2 else -1]:
            await a_round(store)
    memory = {}
    with ExitStack() as stack:
        servers = []
        for store in stores:
            port = free_port()
            environment = clean_environment(
                outbox_url=store.url,
                pinterest_ad_account_id=AD_ACCOUNT_ID,
                pinterest_conversion_token="day",
                withhold="crawlers",
            )
            program = [str(Path(sys.executable).parent / "pinrelay"), "serve", "--role", "receive"]
            servers.append((store, stack.enter_context(served(program, port, environment)), port))
        for number in range(rounds + 1):  # the first warms up
            for store, server, port in servers[:: 1 if number % 2 else -1]:
                await show(store if number else replace(store, spent=defaultdict(lambda: [0.0, 0.0])), server, port)
        for store, server, port in servers:
            each = await asyncio.to_thread(measure, server, port, "--array", str(ARRAY), connections=ARRAY_CONNECTIONS)
            store.spent["arrays by HTTP"] = [each.cpu_s, 1 / each.requests_per_s]
            memory[store.name] = float(server.memory_info().rss)
    return memory


def tell(full: Store, empty: Store, memory: Mapping[str, float]) -> None:
    """Print what each took, and whether the goal is met."""
    print(f"{'':16} {'full, CPU':>12} {'empty, CPU':>12} {'ratio':>6} {'ratio elapsed':>14}")
    worst = 0.0
    for what, (cpu_s, elapsed_s) in full.spent.items():
        other_cpu_s, other_elapsed_s = empty.spent[what]
        ratio = cpu_s / max(other_cpu_s, 0.01)
        worst = max(worst, ratio)
        times = f"{cpu_s * 1e3:9.0f} ms {other_cpu_s * 1e3:9.0f} ms"
        print(f"{what:16} {times} {ratio:6.2f} {elapsed_s / other_elapsed_s:14.2f}")
    grown = memory[full.name] / memory[empty.name]
    print(f"{'memory':16} {memory[full.name] / 1e6:9.0f} MB {memory[empty.name] / 1e6:9.0f} MB {grown:6.2f}")
    print(f"the worst by CPU time {worst:.2f}   goal {GOAL}: {'met' if max(worst, grown) <= GOAL else 'MISSED'}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


async def run(engine: str, scale: float, rounds: int) -> None:
    """Fill both, compare, print."""
    originals = await mapped()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stores = []
        for name in ("full", "empty"):
            (Path(folder) / name).mkdir()
            url = stack.enter_context(empty_outbox(Path(folder) / name, engine))
            settings = load_settings(outbox_url=url, outbox_max_backlog_bytes=10**12)
            outbox = open_outbox(url, settings)
            stores.append(Store(name=name, url=url, outbox=outbox, new=different(originals)))
        for store in stores:
            # each round claims A_ROUND of what has waited longest: in both stores some of it is there at the end
            emptied = EMPTY, (rounds * A_ROUND // TEMPLATES + 1) * TEMPLATES
            counts = [round(count * scale) for count in FULL[engine]] if store.name == "full" else emptied
            for kind, count in zip(("settled", "waiting"), counts, strict=True):
                await store.fill(kind, count)
        memory = await compare(stores, rounds)
        for store in stores:
            await store.outbox.close()
        tell(stores[0], stores[1], memory)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outbox", choices=tuple(FULL), default="sqlite")
    parser.add_argument("--scale", type=float, default=1, help="of what a day leaves behind (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="of all is told the sum")
    given = parser.parse_args()
    asyncio.run(run(given.outbox, given.scale, given.rounds))


if __name__ == "__main__":
    main()
