"""Transfer: all that an outbox shows and remembers is shown and remembered by the other one, of whichever engine."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from app.core.consent import Answer
from app.core.events import CounterRow, DroppedEvent, EventKey, InventoryCount, Measure, Outcome
from app.core.pages import Query
from app.core.people import Ownership, PeopleChanges, PersonChange, Recalled, SuppressionChange
from app.errors import OutboxUnavailable
from app.outbox import Store, open_outbox, open_store
from app.outbox.inventory import NameCount
from app.outbox.sqlite import database
from app.outbox.transfer import TransferKind, transfer_all
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, audited, blocked, marked, new, payload, retry, rules

NOTE = DroppedEvent(
    message_id="noted",
    ad_account_id="1",
    preset="p",
    outcome=Outcome.INVALID,
    reason="r\u00e9",
    warnings=("w",),
    amount="1",
    source="s",
    channel="pos",
)
RECALLED = {"em": Recalled(age_s=3, by="identify")}
PAIRS = [
    ("sqlite", "sqlite"),
    *(
        pytest.param(pair, marks=pytest.mark.whole)
        for pair in (("sqlite", "postgres"), ("postgres", "sqlite"), ("postgres", "postgres"))
    ),
]


@pytest.fixture(params=PAIRS, ids=" to ".join)
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Two empty stores."""
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(_store(request, name, tmp_path / str(n))) for n, name in enumerate(request.param)
        )


def _store(request: pytest.FixtureRequest, engine: str, folder: Path) -> AbstractContextManager[str]:
    if engine == "postgres":
        server, template = (request.getfixturevalue(name) for name in ("postgres_server", "template"))
        database: AbstractContextManager[str] = server.database(template)
        return database
    return nullcontext(f"sqlite:///{folder}/o.db")


@asynccontextmanager
async def opened(url: str, **changes: Any) -> AsyncIterator[At]:
    outbox = open_outbox(url, rules(payload_s=DAY_S, **changes), clock=lambda: NOW)
    try:
        yield At(outbox)
    finally:
        await outbox.close()


async def moved(source: str, target: str) -> dict[str, int]:
    old, to = open_store(source), open_store(target)
    try:
        return await transfer_all(old, to)
    finally:
        await old.close()
        await to.close()


@pytest.mark.slow
async def test_nothing_is_carried_while_somebody_uses_the_outbox_that_is_left(
    urls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server took in meanwhile would be left behind, and what it had claimed would be sent twice."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.2)
    source, target = urls
    async with opened(source) as at:
        await at.enqueue(new())
        with pytest.raises(OutboxUnavailable, match="Stop its servers first"):
            await moved(source, target)
        assert len(await at.claim()) == 1
    assert (await moved(source, target))["waiting"] == 1


async def fill(at: At) -> None:
    """Something in every state, with every column."""
    order = {
        "order_id": "o",
        "checkout_id": "c",
        "amount": "12.50",
        "currency": "EUR",
        "channel": "pos",
        "buyer": ("a" * 64,),
    }
    await at.enqueue(
        new(message_id="delivered", warnings=("w",), source="shop", memory=RECALLED, **order), dropped=(NOTE,)
    )
    await at.deliver(*await at.claim())
    await at.enqueue(new(message_id="again", order_id="o"))
    await at.dead_letter(new(message_id="dead", payload=payload(client_ip_address="203.0.113.9")))
    await at.enqueue(new(message_id="retried", traceparent="00-1-2-03", event_id="\u00e9"), new(message_id="blocked"))
    first, second = await at.claim()
    await at.settle(retry(first, NOW + 100, "503 busy"), blocked(second, NOW + 200))
    await at.enqueue(new(message_id="held", preset="off"))
    await at.claim(without_presets=frozenset({"off"}))
    await at.enqueue(new(message_id="claimed"), new(message_id="other", ad_account_id="1"))
    await at.claim(limit=1)
    counted_one, owned = CounterRow(name="accepted", count=3), Ownership(message_id="pending", user="u", anonymous="x")
    whose = PeopleChanges(people=[], suppressions=[], owners=[owned])
    await at.outbox.enqueue([new(message_id="pending")], [], [counted_one], now=at.now, people=whose)
    counted = (CounterRow(name="accepted", preset="p", label="l", ad_account_id=which, count=4) for which in ("1", "2"))
    await at.later(HOUR_S).enqueue(counters=tuple(counted))
    for n in range(5):
        counts = [InventoryCount(EventKey("s", "track", f"\u00e9{n}"), counted, "l", 2) for counted in Measure]
        await at.outbox.inventory.add(counts, now=at.now, max_names=9)
    await at.outbox.put_shared("k/1", {"a": [1]})
    people = PeopleChanges(
        people=[
            PersonChange(key=key, revision=0, linked_to="u", linked_at=NOW, seen_at=NOW, stale_at=NOW + 9, record="{}")
            for key in "xy"
        ],
        suppressions=[SuppressionChange(key="n", was=None, now=marked(NOW))],
        owners=[Ownership(message_id=f"noted-{n}", user="v", anonymous=None, is_trusted=True) for n in range(5)],
    )
    await at.outbox.enqueue([], [], [], now=at.now, people=people)
    no = Answer(
        key="n", author="b", user="u", is_trusted=False, is_opt_out=True, kind="opt_out", at=NOW + 0.5, total="USD 1.00"
    )
    await at.outbox.write_consents([no, replace(no, key="m", is_trusted=True, for_trusted=True)])
    for n in range(5):
        await at.outbox.write_audit(audited(at=at.now + n, target=f"Lead {n}"))


async def named(at: At) -> list[NameCount]:
    """Where the deliveries of each name stand."""
    names = [("Order Completed", source) for source in ("default", "shop")]
    return sorted(await at.outbox.inventory.name_counts(names, first_day=0, last_day=10**6))


async def shown(at: At) -> dict[str, Any]:
    """All that the outbox shows."""
    page = await at.outbox.search(Query(), limit=100)
    audit = (await at.outbox.audit(limit=100)).entries
    found = await at.outbox.people(["u", "n"])
    messages = [await at.outbox.message(each.message_id) for each in page.deliveries]
    return {
        "messages": {message.message_id: message for message in messages},
        "noted": [await at.outbox.message(name) for name in ("noted", "again")],
        "backlog": [await at.outbox.backlog(account, now=NOW) for account in (ACCOUNT, "1")],
        "counters": await at.outbox.counters(since=0, step_s=60),
        "inventory": [
            await at.outbox.inventory.read(since=0, by_hour=by_hour, counted=list(Measure)) for by_hour in (True, False)
        ],
        "revenue": await at.outbox.revenue(first_day=0, last_day=10**6),
        "names": await named(at),
        "shared": {name: each.value for name, each in (await at.outbox.list_shared("k")).items()},
        "audit": audit,
        "consents": await at.outbox.consents(["m", "n"]),
        "people": [sorted(found.people, key=lambda row: row.key), found.suppressions],
        "owners": {each.message_id: each for each in await at.outbox.owned(["u", "v"])},
        "seen": await at.seen(new(order_id="o"), new(event_id="\u00e9"), new()),
    }


@pytest.mark.slow
async def test_everything_goes_over(urls: tuple[str, str]) -> None:
    source, target = urls
    async with opened(source) as at:
        await fill(at)
        before = await shown(at)
    arrived = await moved(source, target)
    async with opened(target) as at:
        assert await shown(at) == before
        assert len(before["messages"]) == 8
        assert {row.became for row in before["revenue"]} == {
            "delivered",
            "public",
            "duplicate",
            "waiting",
            "dead",
        }
        assert len(before["people"][0]) == 2
        assert len(before["owners"]) == 6
        assert [each[3:] for each in before["names"]] == [("dead", 1), ("waiting", 6), ("delivered", 1)]
        assert await at.outbox.forget(["x"]) == 1
    assert {name: arrived[name] for name in ("waiting", "delivered", "dropped_events")} == {
        "waiting": 7,
        "delivered": 1,
        "dropped_events": 2,
    }
    async with opened(source) as at:
        assert (await at.outbox.search(Query(), limit=10)).deliveries == ()
        assert await at.outbox.counters(since=0, step_s=0) == []
        assert await at.outbox.revenue(first_day=0, last_day=10**6) == []
        assert await named(at) == []
        assert await at.outbox.inventory.read(since=0, by_hour=False, counted=list(Measure)) == []
        assert (await at.outbox.audit(limit=10)).entries == ()
        assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 0
        assert await at.seen(new(order_id="o")) == [None]


@pytest.mark.slow
async def test_it_goes_on_as_if_nothing_had_happened(urls: tuple[str, str]) -> None:
    source, target = urls
    async with opened(source) as at:
        await fill(at)
        (highest,) = (await at.outbox.search(Query(), limit=1)).deliveries
    await moved(source, target)
    async with opened(target) as at:
        later = at.later(300)
        claimed = [*await later.claim(), *await later.claim()]
        lost = {each.message_id for each in claimed if each.lease_was_lost}
        assert {each.message_id for each in claimed} == {"retried", "blocked", "held", "claimed", "pending"}
        assert lost == {"claimed"}
        await later.deliver(*claimed)
        assert (await later.outbox.dead_letters.redrive(Query(), now=later.now)).redriven == 1
        (again,) = await later.claim()
        assert b"203.0.113.9" in again.payload
        await later.enqueue(new(message_id="new"), dropped=(NOTE,))
        await later.outbox.write_audit(audited(target="new"))
        targets = [entry.target for entry in (await later.outbox.audit(limit=3)).entries]
        assert targets == ["new", "Lead 4", "Lead 3"]
        fresh = await at.only_delivery("new")
        assert int(fresh.delivery_id) > int(highest.delivery_id)
        assert len((await at.outbox.message("noted")).dropped_events) == 2


class Interrupted(Exception):
    """The machine has failed."""


class Failing:
    """A store that fails at a given call of `write` or `drop`."""

    def __init__(self, store: Store, calls_left: int) -> None:
        self._store = store
        self._calls_left = calls_left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def _count(self) -> None:
        self._calls_left -= 1
        if self._calls_left < 0:
            raise Interrupted

    async def write(self, kind: TransferKind, rows: Sequence[list[Any]]) -> int:
        await self._count()
        return await self._store.write(kind, rows)

    async def drop(self, kind: TransferKind, rows: Sequence[list[Any]]) -> None:
        await self._count()
        await self._store.drop(kind, rows)


@pytest.mark.slow
async def test_interrupted_anywhere_it_is_begun_again_and_loses_nothing(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.transfer.BATCH_ROWS", 3)
    source, target = urls
    async with opened(source) as at:
        await fill(at)
        before = await shown(at)
    for place in range(100):
        old, to = open_store(source), open_store(target)
        try:
            failing = Failing(old, 2), Failing(to, 2 + place % 2)
            await transfer_all(*cast("tuple[Store, Store]", failing))
        except Interrupted:
            continue
        else:
            break
        finally:
            await old.close()
            await to.close()
    assert place > 3
    async with opened(target) as at:
        assert await shown(at) == before


@pytest.mark.slow
async def test_an_outbox_that_holds_something_else_is_left_alone(urls: tuple[str, str]) -> None:
    source, target = urls
    async with opened(source) as at:
        await fill(at)
        before = await shown(at)
    async with opened(target) as at:
        await at.enqueue(new(message_id="mine"))
    with pytest.raises(OutboxUnavailable, match="Name an empty one"):
        await moved(source, target)
    async with opened(source) as at:
        assert await shown(at) == before


async def test_nothing_at_all_can_be_carried_and_twice(urls: tuple[str, str]) -> None:
    assert set((await moved(*urls)).values()) == {0}
    assert set((await moved(*urls)).values()) == {0}


@pytest.mark.slow
async def test_sums_of_any_size_go_over(urls: tuple[str, str]) -> None:
    source, target = urls
    async with opened(source) as at:
        await at.enqueue(*(new(order_id=f"{n}", amount="9999999999.99", currency="EUR") for n in range(1_000)))
    await moved(source, target)
    async with opened(target) as at:
        (row,) = await at.outbox.revenue(first_day=0, last_day=10**6)
        assert (row.orders, row.amount >= 9_000_000_000_000) == (1_000, True)
