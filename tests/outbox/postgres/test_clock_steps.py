"""Clocks are set while events are stored: when the clocks agree again, no delivery is due later than its hold.

The server's clock is set by functions that replace PostgreSQL's own in one database.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.outbox.hold_clock import BEAT_S
from app.outbox.postgres import PostgresOutbox
from tests.outbox.build import DAY_S, HOUR_S, At, new, retry, rules
from tests.outbox.postgres_server import PostgresServer
from tests.rounds import examples

pytestmark = pytest.mark.slow

HOLD_S = 700.0
#: How late a hold may end.
LATE_S = 60.0
LEASE_S = 30.0
YEAR_S = 365 * DAY_S
#: By how much a clock of these tests may differ from the right time when nobody has set it.
ACCURACY_S = 2.0
#: The functions through which Pinrelay and its statements read the server's clock, and by how much they are ahead.
SERVER_CLOCK = """
CREATE TABLE set_by AS SELECT 0::float8 AS seconds;
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM public.set_by';
CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM public.set_by';
"""


class Step(NamedTuple):
    """Clocks that are set by some seconds, at a moment of the storing of one event."""

    own_s: float
    server_s: float
    #: The own clock is set after it was read so often, the server's after so many milliseconds.
    reads: int
    after_ms: float


@dataclass
class OwnClock:
    """The clock of the machine of one process."""

    set_by_s: float
    #: The next step, and after how many reads it comes.
    step_s: float = 0.0
    reads: int = 0

    def __call__(self) -> float:
        if self.reads == 0:
            self.set_by_s, self.step_s = self.set_by_s + self.step_s, 0.0
        self.reads -= 1
        return time.time() + self.set_by_s


class World:
    """A store, its server's clock, and a process that stores events with a clock of its own."""

    def __init__(self, url: str, connection: psycopg.AsyncConnection, own_set_by_s: float) -> None:
        self.own = OwnClock(own_set_by_s)
        self.passed_s = 0.0
        self._connection = connection
        self.outbox = PostgresOutbox(url, rules(), clock=None, steady=lambda: time.monotonic() + self.passed_s)
        self.outbox._clock.machine = self.outbox.hold_clock._machine = self.own

    async def set_server(self, by_s: float, after_ms: float = 0) -> None:
        await asyncio.sleep(after_ms / 1_000)
        await self._connection.execute("UPDATE set_by SET seconds = seconds + %s", [by_s])

    async def store(self, step: Step, hold_s: float) -> None:
        """Store one event while clocks are set."""
        self.own.step_s, self.own.reads = step.own_s, step.reads
        await asyncio.gather(
            At(self.outbox, self.own()).enqueue(new(hold_s=hold_s)), self.set_server(step.server_s, step.after_ms)
        )

    async def agree(self) -> None:
        """Set all clocks right."""
        self.own = OwnClock(self.passed_s)
        self.outbox._clock.machine = self.outbox.hold_clock._machine = self.own
        await self._connection.execute("UPDATE set_by SET seconds = %s", [self.passed_s])

    async def pass_time(self, seconds: float) -> None:
        self.passed_s += seconds
        self.own.set_by_s += seconds
        await self.set_server(seconds)

    async def late(self) -> list[float]:
        """Return by how many seconds deliveries are due too late."""
        asked = "SELECT due_at - (hold_until IS NOT NULL)::integer * %s FROM queue"
        rows = await (await self._connection.execute(asked, [HOLD_S])).fetchall()
        return [due_at - time.time() for (due_at,) in rows if due_at > time.time() + ACCURACY_S]

    async def last_enqueued_at(self) -> float:
        asked = "SELECT enqueued_at FROM queue ORDER BY id DESC LIMIT 1"
        ((enqueued_at,),) = await (await self._connection.execute(asked)).fetchall()
        return float(enqueued_at)

    async def deliver(self) -> int:
        """Deliver all that can be claimed; return how many that were."""
        at = At(self.outbox, self.own())
        claimed = await at.claim()
        await at.deliver(*claimed)
        return len(claimed)


@asynccontextmanager
async def world_of(url: str, own_set_by_s: float) -> AsyncIterator[World]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(SERVER_CLOCK)
        await connection.execute(
            f"ALTER DATABASE {connection.info.dbname} SET search_path = public, pg_catalog".encode()
        )
        world = World(url, connection, own_set_by_s)
        try:
            yield world
        finally:
            await world.outbox.close()


async def _is_on_time(url: str, own_set_by_s: float, steps: Sequence[Step]) -> None:
    async with world_of(url, own_set_by_s) as world:
        for step in steps:
            await world.store(step, hold_s=0)
            await world.store(step, hold_s=HOLD_S)
        if not any(step.server_s for step in steps):
            assert await world.late() == []
        await world.agree()
        await world.pass_time(BEAT_S + ACCURACY_S)
        assert await world.deliver() == len(steps)
        await world.pass_time(HOLD_S + LATE_S)
        assert await world.deliver() == len(steps)


SIZES_S = [3.0, 60.0, HOUR_S, DAY_S, YEAR_S, 14 * YEAR_S, 50 * YEAR_S]
sizes = st.sampled_from([0.0, *SIZES_S, *(-size for size in SIZES_S)])
#: A quarter of the steps set both clocks, as on one machine.
steps = st.tuples(sizes, sizes, st.integers(0, 3), st.booleans(), st.floats(0, 4)).map(
    lambda drawn: Step(drawn[0], drawn[0] if drawn[3] else drawn[1], drawn[2], drawn[4])
)
#: Years that the own clock is behind: it may begin in 1970.
begins = st.sampled_from([0.0, -1_000.0, HOUR_S, -time.time() + 100])


@pytest.mark.prove
def test_no_delivery_is_due_later_than_its_hold_after_the_clocks_agree(
    postgres_server: PostgresServer, template: str
) -> None:
    @settings(max_examples=examples(30), deadline=None)
    @given(own_set_by_s=begins, steps=st.lists(steps, min_size=1, max_size=6))
    @example(own_set_by_s=0.0, steps=[Step(14 * YEAR_S, 0.0, 0, 0)])
    @example(own_set_by_s=-time.time(), steps=[Step(time.time(), 0.0, 1, 0)])
    def check(own_set_by_s: float, steps: list[Step]) -> None:
        with postgres_server.database(template) as url:
            asyncio.run(_is_on_time(url, own_set_by_s, steps))

    check()


@pytest.mark.parametrize("server_s", [HOUR_S, 14 * YEAR_S])
async def test_retries_and_leases_last_no_longer_after_the_server_is_set_back(
    postgres_url: str, server_s: float
) -> None:
    async with world_of(postgres_url, 0) as world:
        at = At(world.outbox, world.own())
        await at.enqueue(new(), new())
        await world.set_server(server_s)
        await world.pass_time(BEAT_S)
        claimed, _lost = await at.claim(lease_s=LEASE_S)
        await at.settle(retry(claimed, time.time() + HOLD_S))
        await world.agree()
        await world.pass_time(BEAT_S)
        assert [each.message_id for each in await at.claim(lease_s=LEASE_S)] == [claimed.message_id]
        await world.pass_time(LEASE_S + ACCURACY_S)
        assert len(await at.claim()) == 2


@pytest.mark.parametrize("server_s", [-14 * YEAR_S, HOUR_S, 14 * YEAR_S])
@pytest.mark.parametrize("is_same_machine", [False, True])
async def test_a_process_that_only_stores_follows_the_clock_of_the_server(
    postgres_url: str, server_s: float, *, is_same_machine: bool
) -> None:
    async with world_of(postgres_url, 0) as world:
        await world.store(Step(0, 0, 0, 0), hold_s=0)
        await world.set_server(server_s)
        if is_same_machine:
            world.own.set_by_s += server_s
        else:
            await world.pass_time(BEAT_S)
        await world.store(Step(0, 0, 0, 0), hold_s=0)
        enqueued_at = await world.last_enqueued_at()
        assert abs(enqueued_at - time.time() - world.passed_s - server_s) < ACCURACY_S
