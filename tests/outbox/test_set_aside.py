"""A row that the store refuses is set aside: it keeps nothing else, is not lost, and goes on when its cause is gone."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from random import Random
from typing import Any

import psycopg
import pytest

from app.core.deliveries import Claimed, Settlement, State
from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.pages import Query
from app.core.shared_values import SET_ASIDE, SetAside
from app.errors import OutboxUnavailable, RowRefused
from app.outbox import open_outbox, set_aside
from tests.outbox.build import DAY_S, NOW, At, audited, dead, delivered, new, payload, retry, rules
from tests.outbox.other_connection import execute
from tests.rounds import examples

pytestmark = pytest.mark.prove

EmptyStore = Callable[[], AbstractContextManager[str]]

#: What the triggers say, and whatever shows a refusal shows of it.
WORDS = "nobody may change this row"
#: After the longest pause.
LATER_S = 700.0


@contextmanager
def refused(url: str, change: str, table: str, which: str) -> Iterator[None]:
    """Refuse a change of some rows of a table, as a constraint or a broken value does."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            trigger = f"CREATE TRIGGER refuses BEFORE {change} ON {table} WHEN {which} "
            file.execute(f"{trigger} BEGIN SELECT RAISE(ABORT, '{WORDS}'); END")
            yield
            file.execute("DROP TRIGGER refuses")
    else:
        with psycopg.connect(url, autocommit=True) as database:
            function = f"CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '{WORDS}'; END $$"
            database.execute(function.encode())
            trigger = f"CREATE TRIGGER refuses BEFORE {change} ON {table} FOR EACH ROW WHEN ({which}) "
            database.execute(f"{trigger} EXECUTE FUNCTION refuses()".encode())
            yield
            database.execute(f"DROP TRIGGER refuses ON {table}".encode())
            database.execute("DROP FUNCTION refuses")


@contextmanager
def newer(url: str, ids: Collection[int]) -> Iterator[None]:
    """Have the payloads of some deliveries written by a newer version."""
    if url.startswith("sqlite"):
        change = f"UPDATE payload SET version = {{}} WHERE {among('delivery_id', ids)}"
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            file.execute(change.format(99))
            yield
            file.execute(change.format(1))
    else:
        change = f"UPDATE delivery SET payload_version = {{}} WHERE {among('id', ids)}"
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(change.format(99).encode())
            yield
            database.execute(change.format(1).encode())


@contextmanager
def without_payload(url: str, ids: Collection[int]) -> Iterator[None]:
    """Take away the rows with the payloads of some deliveries."""
    table, column = ("payload", "delivery_id") if url.startswith("sqlite") else ("delivery", "id")
    which = among(column, ids)
    execute(url, f"CREATE TABLE lost AS SELECT * FROM {table} WHERE {which}")
    execute(url, f"DELETE FROM {table} WHERE {which}")
    yield
    execute(url, f"INSERT INTO {table} SELECT * FROM lost")
    execute(url, "DROP TABLE lost")


def among(column: str, ids: Collection[object]) -> str:
    """A condition of SQL."""
    return f"{column} IN ({', '.join(map(repr, ids))})" if ids else "1 = 0"


@asynccontextmanager
async def opened(url: str, steady: Callable[[], float] | None = None, **changes: Any) -> AsyncIterator[At]:
    outbox = open_outbox(url, rules(**changes), clock=lambda: NOW, steady=steady)
    try:
        yield At(outbox)
    finally:
        await outbox.close()


async def aside(at: At) -> dict[str, SetAside]:
    return await SET_ASIDE.read_all(at.outbox)


async def claim_all(at: At, limit: int) -> list[Claimed]:
    """Claim until nothing is left; a claim finds nothing twice in a row only where there is nothing."""
    found: list[Claimed] = []
    while batch := await at.claim(limit):
        found += batch
    return found


#: Why a delivery cannot be claimed, and what causes that; None: a trigger.
CLAIMS = {
    WORDS: None,
    "a payload of version 99: a newer Pinrelay wrote it, start that version": newer,
    "the payload of delivery": without_payload,
}


@pytest.mark.parametrize("why", CLAIMS)
@pytest.mark.parametrize("seed", range(examples(4)))
async def test_what_cannot_be_claimed_keeps_nobody_else_and_is_claimed_when_its_cause_is_gone(
    empty_store: EmptyStore, seed: int, why: str
) -> None:
    chance = Random(seed)
    with empty_store() as url:
        async with opened(url) as at:
            await at.enqueue(*(new() for _ in range(chance.randint(1, 40))))
            await at.later(-60).enqueue(*(new(hold_s=60) for _ in range(chance.randint(0, 9))))
            ids = [each.delivery_id for each in (await at.outbox.search(Query(), limit=99)).deliveries]
            # what was tried before, what is held, and what is fresh
            for each in await at.claim(chance.randint(1, 9)):
                await at.settle(retry(each, NOW - 1))
            if chance.random() < 0.5:
                await at.claim(chance.randint(1, 9), without_presets=frozenset({"checkout"}))
            bad = sorted(chance.sample(ids, chance.randint(0, min(7, len(ids)))))
            table, numbers = "delivery" if url.startswith("sqlite") else "queue", list(map(int, bad))
            cause = CLAIMS[why]
            with cause(url, numbers) if cause else refused(url, "UPDATE", table, among("old.id", numbers)):
                claimed = await claim_all(at, chance.randint(1, 40))
                assert {each.delivery_id for each in claimed} == {*ids} - {*bad}
                found = await aside(at)
                assert sorted(found) == sorted(f"delivery/{id_}" for id_ in bad)
                assert all(each.doing == "claim" and why in each.why for each in found.values())
                await at.deliver(*claimed)
                assert await at.later(30).claim() == []
                await at.later(LATER_S).retain_all()  # tried in vain
                assert {each.again_at > NOW + LATER_S for each in (await aside(at)).values()} <= {True}
            later = at.later(2 * LATER_S)
            assert await later.claim() == []  # nobody tries before the pause is over
            await later.retain_all()
            assert await aside(at) == {}
            assert {each.delivery_id for each in await claim_all(later, 10)} == {*bad}


async def test_a_refused_delivery_that_was_stored_by_a_clock_far_ahead_keeps_nobody_else(
    empty_store: EmptyStore,
) -> None:
    with empty_store() as url:
        async with opened(url, steady=lambda: 0.0) as at:
            await at.later(DAY_S).enqueue(*(new() for _ in range(5)))
            bad, *good = [each.delivery_id for each in (await at.outbox.search(Query(), limit=9)).deliveries]
            table = "delivery" if url.startswith("sqlite") else "queue"
            with refused(url, "UPDATE", table, f"old.id = {bad}"):
                assert {each.delivery_id for each in await claim_all(at, 9)} == {*good}
                assert list(await aside(at)) == [f"delivery/{bad}"]


#: Where a settlement can be refused, by engine: change, table, column.
SETTLES = {
    "sqlite": [
        ("UPDATE", "delivery", "old.id"),
        ("DELETE", "payload", "old.delivery_id"),
        ("INSERT", "attempt", "new.delivery_id"),
    ],
    "postgres": [
        ("UPDATE", "queue", "old.id"),
        ("DELETE", "queue", "old.id"),
        ("DELETE", "delivery", "old.id"),
        ("INSERT", "delivered", "new.id"),
        ("INSERT", "dead", "new.id"),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("keeps_payloads", [False, True])
@pytest.mark.parametrize("place", range(5))
async def test_what_cannot_be_settled_keeps_nobody_else_and_is_recorded_when_its_cause_is_gone(
    empty_store: EmptyStore, engine: str, place: int, *, keeps_payloads: bool
) -> None:
    change, table, column = SETTLES[engine][place % len(SETTLES[engine])]
    for seed in range(examples(1)):
        chance = Random(f"{seed} {place} {keeps_payloads}")
        with empty_store() as url:
            async with opened(url, payload_s=DAY_S if keeps_payloads else 0) as at:
                await at.enqueue(*(new(payload=payload(client_ip_address="192.0.2.7")) for _ in range(30)))
                claimed = await at.claim()
                bad = chance.sample([each.delivery_id for each in claimed], chance.randint(0, 5))
                settled = [_anyhow(each, chance) for each in claimed]
                counts = tuple(CounterRow(name="delivered", label=str(n)) for n in range(3))
                with refused(url, change, table, among(column, list(map(int, bad)))):
                    await at.settle(*settled, counters=counts)
                    found = await aside(at)
                    stuck = {name.removeprefix("delivery/") for name in found}
                    assert stuck <= {*bad}
                    assert {(each.doing, each.why) for each in found.values()} <= {("settle", WORDS)}
                    await _stand_as_settled(at, [each for each in settled if each.claimed.delivery_id not in stuck])
                    for id_ in stuck:
                        assert (await at.delivery(id_)).state is State.CLAIMED
                    again = {each.delivery_id for each in await at.later(LATER_S).claim()}
                    assert not again & stuck  # they were sent: their leases end, and nobody sends them again
                    await at.later(LATER_S).retain_all()
                    assert {name.removeprefix("delivery/") for name in await aside(at)} == stuck
                await at.later(3 * LATER_S).retain_all()
                assert await aside(at) == {}
                late = [each for each in settled if each.claimed.delivery_id in stuck]
                await _stand_as_settled(at, late)
                assert sum(counter.count for _, counter in await at.outbox.counters(since=0, step_s=0)) == 33
                for each in late:
                    kept = (await at.delivery(each.claimed.delivery_id)).payload
                    assert (kept is not None) == (each.state is not State.DELIVERED or keeps_payloads)
                    assert kept is None or ("192.0.2.7" in str(kept)) == (each.state is not State.DELIVERED)


def _anyhow(claimed: Claimed, chance: Random) -> Settlement:
    return chance.choice([delivered(claimed), dead(claimed), retry(claimed, NOW + 5)])


async def _stand_as_settled(at: At, settlements: Collection[Settlement]) -> None:
    for each in settlements:
        delivery = await at.delivery(each.claimed.delivery_id)
        assert (delivery.state, len(delivery.history)) == (each.state, 1)


async def test_a_count_that_is_refused_is_added_when_its_cause_is_gone(empty_store: EmptyStore, engine: str) -> None:
    table = "counter" if engine == "sqlite" else "counter_minute"
    with empty_store() as url:
        async with opened(url) as at:
            await at.enqueue(new(), new())
            claimed = await at.claim()
            with refused(url, "INSERT", table, "new.label = '502'"):
                await at.settle(
                    *map(delivered, claimed),
                    counters=(CounterRow(name="calls", label="502", count=4), CounterRow(name="calls")),
                )
                (found,) = (await aside(at)).values()
                assert (found.doing, found.why) == ("count", WORDS)
                await _stand_as_settled(at, [delivered(each) for each in claimed])
            await at.later(LATER_S).retain_all()
            counted = {
                counter.label: counter.count
                for _, counter in await at.outbox.counters(since=0, step_s=0, names=["calls"])
            }
            assert counted == {"502": 4, "": 1}
            assert await aside(at) == {}


async def test_a_lease_that_cannot_be_renewed_leaves_the_others_theirs(empty_store: EmptyStore, engine: str) -> None:
    with empty_store() as url:
        async with opened(url) as at:
            await at.enqueue(*(new() for _ in range(5)))
            claimed = await at.claim(lease_s=10)
            bad = claimed[2].delivery_id
            with refused(url, "UPDATE", "delivery" if engine == "sqlite" else "queue", f"old.id = {bad}"):
                await at.outbox.renew(claimed, lease_s=1_000, now=NOW)
            assert [each.delivery_id for each in await at.later(100).claim()] == [bad]


#: What retention deletes, by engine: table, column, and of which rows it is.
DELETES = {
    "sqlite": [("delivery", "state"), ("dropped_event", "reason"), ("audit", "target"), ("dedup_key", "delivery_id")],
    "postgres": [("dead", "reason"), ("audit", "target"), ("dedup_key", "delivery_id")],
}


@pytest.mark.parametrize("place", range(4))
async def test_what_cannot_be_forgotten_keeps_nothing_else_and_is_forgotten_when_its_cause_is_gone(
    empty_store: EmptyStore, engine: str, place: int
) -> None:
    table, column = DELETES[engine][place % len(DELETES[engine])]
    for seed in range(examples(1)):
        chance = Random(f"{seed} {place}")
        with empty_store() as url:
            async with opened(url, ledger_s=DAY_S, ledger_delivered_s=DAY_S, audit_s=DAY_S) as at:
                names = [f"n{number}" for number in range(20)]
                await at.enqueue(
                    *(new() for _ in names),
                    dropped=tuple(
                        DroppedEvent(message_id=n, preset=None, outcome=Outcome.INVALID, reason=n) for n in names
                    ),
                )
                claimed = await at.claim()
                await at.settle(*(dead(each, n) for each, n in zip(claimed[:10], names, strict=False)))
                for name in names:
                    await at.outbox.write_audit(audited(target=name))
                await at.deliver(*claimed[10:])
                rows = _values(url, table, column)
                bad = chance.sample(sorted({*rows}), min(3, len({*rows})))
                stuck = [row for row in rows if row in bad]
                later = at.later(3 * DAY_S)
                with refused(url, "DELETE", table, among(f"old.{column}", bad)):
                    for _ in range(3):  # what stays is passed by, not tried each time
                        await later.retain_all(limit=chance.randint(1, 60))
                    assert sorted(_values(url, table, column)) == sorted(stuck)
                    found = (await aside(at)).values()
                    assert {(each.doing, each.why) for each in found} == {("retain", WORDS)}
                    assert sum(each.rows for each in found) == len(stuck)
                    others = {each for each, _ in DELETES[engine]} - {table}
                    assert {each: _values(url, each, "1") for each in others} == {each: [] for each in others}
                await at.later(3 * DAY_S + LATER_S).retain_all()
                assert _values(url, table, column) == []
                assert await aside(at) == {}


async def test_retention_goes_on_past_refused_rows_until_each_old_row_is_deleted(empty_store: EmptyStore) -> None:
    with empty_store() as url:
        async with opened(url, audit_s=DAY_S) as at:
            for number in range(31):
                await at.outbox.write_audit(audited(at=NOW + number, target="bad" if number < 30 else "good"))
            with refused(url, "DELETE", "audit", "old.target = 'bad'"):
                await at.later(3 * DAY_S).retain_all(limit=20)
                assert _values(url, "audit", "target") == ["bad"] * 30
            await at.later(3 * DAY_S + LATER_S).retain_all()


def _values(url: str, table: str, column: str) -> list[Any]:
    """A column of all rows of a table."""
    statement = f"SELECT {column} FROM {table}"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return [value for (value,) in file.execute(statement)]
    with psycopg.connect(url) as database:
        return [value for (value,) in database.execute(statement.encode())]


async def test_where_each_row_can_be_claimed_and_all_together_cannot_it_is_told(empty_store: EmptyStore) -> None:
    with empty_store() as url:
        async with opened(url) as at:
            await at.enqueue(new(), new())
            with together_refused(url), pytest.raises(RowRefused):
                await at.claim()
            assert await aside(at) == {}
            assert len(await at.claim()) == 2


@contextmanager
def together_refused(url: str) -> Iterator[None]:
    """Refuse to claim a delivery while another one is claimed."""
    words = f"'{WORDS}'"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            which = "WHEN new.state = 'claimed' AND EXISTS (SELECT 1 FROM delivery WHERE state = 'claimed')"
            file.execute(
                f"CREATE TRIGGER refuses BEFORE UPDATE ON delivery {which} BEGIN SELECT RAISE(ABORT, {words}); END"
            )
            yield
            file.execute("DROP TRIGGER refuses")
    else:
        with psycopg.connect(url, autocommit=True) as database:
            body = f"IF EXISTS (SELECT FROM queue WHERE state = 'claimed') THEN RAISE {words}; END IF; RETURN new;"
            database.execute(
                f"CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$".encode()
            )
            database.execute(b"CREATE TRIGGER refuses BEFORE UPDATE ON queue FOR EACH ROW EXECUTE FUNCTION refuses()")
            yield
            database.execute(b"DROP FUNCTION refuses CASCADE")


async def test_what_cannot_be_read_as_set_aside_counts_for_nothing(empty_store: EmptyStore) -> None:
    with empty_store() as url:
        async with opened(url) as at:
            await at.outbox.put_shared("set-aside/rows/of a newer Pinrelay", {"doing": "something new"})
            await at.later(DAY_S).retain_all()
            assert await aside(at) == {}


async def test_where_more_is_refused_than_rows_can_be_bad_it_is_the_store(
    empty_store: EmptyStore, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_aside, "MAX_SET_ASIDE", 5)
    table = "delivery" if engine == "sqlite" else "queue"
    with empty_store() as url:
        async with opened(url) as at:
            await at.enqueue(*(new() for _ in range(20)))
            with refused(url, "UPDATE", table, "1 = 1"):
                for _ in range(2):
                    with pytest.raises(RowRefused) as told:
                        await at.claim()
                    assert told.value.words == WORDS
            while await aside(at):
                await at.later(LATER_S).retain_all()
            claimed = await at.later(LATER_S).claim()
            assert len(claimed) == 20
            with (
                refused(url, "UPDATE" if engine == "sqlite" else "DELETE", table, "1 = 1"),
                pytest.raises(OutboxUnavailable),
            ):
                await at.deliver(*claimed)
