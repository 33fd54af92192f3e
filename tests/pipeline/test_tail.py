"""What the live tail holds, for how long, and what it never holds."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from app import assemble
from app.access.audit import Audit
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.core.coordination import Coordination
from app.core.events import Outcome
from app.core.pages import Query
from app.errors import EventRefused, OutboxUnavailable
from app.operations.acts import TailActs
from app.outbox import Outbox, open_outbox
from app.outbox.arrivals import ArrivalTerms
from app.pipeline.tail import MAX_TAIL_S, MAX_TAILED, MAX_TAILED_BYTES, Tail
from app.source import AcceptsIntake, Intake
from tests import assembled
from tests.outbox.new_store import new_store

if TYPE_CHECKING:
    from app.core.deliveries import Claimed

NOW = 1_800_000_000.0
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", "traits": {"email": "ann@shop.example"}}
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ann",
    "context": PERSON,
    "properties": {"order_id": "SO-1", "total": 5, "currency": "EUR"},
}
SETTINGS: dict[str, Any] = {
    "remember_days": 90,
    "remember_secret": "a secret of the installation, long",
    "consent_categories": ("ads",),
}
YES = {"consent": {"categoryPreferences": {"ads": True}}}
DELETE = {"type": "delete", "userId": "ann"}
SIGNED_UP = {"type": "track", "event": "Signed Up", "userId": "ann", "context": PERSON}
NO = {"consent": {"categoryPreferences": {"ads": False}}}
_numbers = count()


@dataclass
class Door:
    """A pipeline with its tail."""

    tail: Tail
    accepts: AcceptsIntake
    outbox: Outbox
    coordination: Coordination
    acts: TailActs

    async def send(self, *events: Any, now: float = NOW, is_trusted: bool = True, agreed: bool = True) -> list[Outcome]:
        """Send these in one request; return what became of them."""
        complete = [each if isinstance(each, EventRefused) else self._complete(each, agreed=agreed) for each in events]
        receipt = await self.accepts.accept(Intake(complete, now=now, source="shop", is_trusted=is_trusted))
        return [line.outcome for event in receipt.events for line in event.deliveries]

    def _complete(self, event: dict[str, Any], *, agreed: bool) -> dict[str, Any]:
        context = event.get("context", {}) | (YES if agreed and "consent" not in event.get("context", {}) else {})
        return {"messageId": f"m-{next(_numbers)}", "timestamp": NOW, **event, "context": context}

    def names(self, now: float = NOW) -> list[str]:
        return [each.name for each in self.tail.events(now=now)]


def open_door(outbox: Outbox, name: str) -> Door:
    """Return the pipeline of one process, whose tail is on."""
    settings = assembled.settings(**SETTINGS)
    running = assemble.running_catalog(settings)
    here = Coordination(outbox, lambda: "", presets=list, ad_account_ids=(), generation="", process_id=name, role="all")
    tail = assemble.live_tail(settings, running, outbox, here)
    audit = Audit(outbox, lambda: NOW)
    acts = assemble.forget_acts(settings, outbox, audit, lambda: here.empty_tails(now=NOW))
    pipeline = assemble.pipeline(settings, running.catalog, outbox=outbox, erasing=acts)
    pipeline.listeners = (tail,)
    tail.follow(NOW + 300, now=NOW)
    return Door(
        tail,
        pipeline,
        outbox,
        here,
        TailActs(tail, here, audit),
    )


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    outbox = open_outbox(new_store(tmp_path, "o.db"), assembled.settings(**SETTINGS), clock=lambda: NOW)
    yield open_door(outbox, "a")
    await outbox.close()


@pytest.mark.slow
async def test_an_event_stands_there_with_what_became_of_it_and_as_it_was_received(door: Door) -> None:
    await door.send(ORDER | {"messageId": "m-7", "idIsMade": True}, ORDER | {"event": "Basket Emptied"})
    unknown, order = door.tail.events(now=NOW)
    assert (order.source, order.at, order.lines[0].preset) == ("shop", NOW, "Order Completed")
    assert [each.lines[0].outcome for each in (order, unknown)] == [Outcome.ENQUEUED, Outcome.UNMATCHED]
    text = orjson.loads(order.text)
    assert text["context"]["traits"] == PERSON["traits"]
    assert "idIsMade" not in text
    assert "ann@shop.example" not in repr(order)


async def test_while_it_is_off_it_holds_nothing(door: Door) -> None:
    door.tail.follow(0, now=NOW)
    await door.send(ORDER)
    assert door.names() == []


@pytest.mark.parametrize("until_at", [NOW, NOW - 1, NOW + MAX_TAIL_S + 1], ids=["now", "before", "too far"])
def test_it_is_not_on_for_no_time_nor_for_longer_than_the_bound(door: Door, until_at: float) -> None:
    door.tail.follow(until_at, now=NOW)
    assert not door.tail.is_on


@pytest.mark.slow
@pytest.mark.parametrize("way", ["looked at", "an event arrives", "the process looks"])
async def test_it_ends_by_itself_and_lets_go_of_all(door: Door, way: str) -> None:
    await door.send(ORDER)
    assert door.names(NOW + 299) == ["Order Completed"]
    if way == "an event arrives":
        await door.send(ORDER, now=NOW + 300)
    elif way == "the process looks":
        door.tail.follow(door.tail.until, now=NOW + 300)
    else:
        assert door.names(NOW + 300) == []
    assert not door.tail.is_on
    assert not any(door.tail._events.values())


@pytest.mark.parametrize(
    "no",
    [
        {"integrations": {"All": False}},
        {"context": PERSON | NO},
        {"context": PERSON | {"consent": {"categoryPreferences": {}}}},
        {"context": PERSON | {"device": {"adTrackingEnabled": False}}},
        {"context": PERSON | {"gpc": True}},
        {"properties": {"order_id": "SO-1", "opt_out": True}},
        {"properties": {"order_id": "SO-1", "opt_out": "what is this"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["Order Completed", "Basket Emptied"])
async def test_who_says_no_is_never_held(door: Door, no: dict[str, Any], name: str) -> None:
    await door.send(ORDER | {"event": name} | no)
    assert (door.names(), door.tail.hidden) == ([], 1)


async def test_who_said_no_before_is_never_held(door: Door) -> None:
    linked = {"type": "identify", "userId": "ann", "anonymousId": "x"}
    await door.send(linked, ORDER | {"context": PERSON | NO})
    door.tail.clear()
    await door.send(ORDER | {"userId": None, "anonymousId": "x", "event": "Basket Emptied"}, agreed=False)
    bob = {"userId": "bob", "context": PERSON | {"traits": {"email": "bob@example.com"}}}
    await door.send(ORDER | bob | {"properties": {"order_id": "SO-2", "total": 5, "currency": "EUR"}})
    assert door.names() == ["Order Completed"]


async def test_what_was_refused_is_never_held(door: Door) -> None:
    await door.send(EventRefused("no type"), ORDER)
    assert (door.names(), door.tail.hidden) == (["Order Completed"], 1)


@pytest.mark.slow
async def test_a_delete_of_a_trusted_sender_lets_go_of_all_that_came_before(door: Door) -> None:
    await door.send(ORDER)
    await door.send(DELETE, is_trusted=False)
    assert door.names() == ["Order Completed"]
    await door.send(ORDER, DELETE, ORDER | {"event": "Basket Emptied"})
    assert door.names() == ["Basket Emptied"]


async def refresh(door: Door) -> list[str]:
    """Do what a process does each second; return what its tail holds then."""
    await door.coordination.refresh(now=NOW)
    door.acts.follow()
    return door.names()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("events", "taken"),
    [
        ([ORDER], ["Order Completed"]),
        ([ORDER, DELETE], []),
        ([ORDER, DELETE, SIGNED_UP], ["Sign Up"]),
    ],
    ids=["nothing is erased", "it is erased behind it", "what comes behind the erasure is stored anew"],
)
async def test_no_sender_takes_what_is_erased_in_the_same_request(
    door: Door, events: list[dict[str, Any]], taken: list[str]
) -> None:
    promised: list[asyncio.Future[list[Claimed]]] = []

    def claimer(_: int) -> ArrivalTerms:
        promised.append(asyncio.get_running_loop().create_future())
        return ArrivalTerms(limit=100, max_bytes=10**6, lease_s=60, without_presets=frozenset(), claimed=promised[-1])

    door.outbox.offer_arrivals(SANDBOX_AD_ACCOUNT_ID, claimer)
    await door.send(*events)
    assert [each.preset for claimed in promised for each in await claimed] == taken
    left = (await door.outbox.search(Query(), limit=10)).deliveries
    assert [each.preset for each in left] == taken


@pytest.mark.slow
async def test_a_delete_reaches_the_tails_of_all_processes_and_they_go_on(door: Door) -> None:
    other = open_door(door.outbox, "b")
    await door.coordination.want_tail(NOW + 300)
    await other.send(ORDER)
    assert await refresh(other) == ["Order Completed"]
    await door.send({"type": "delete", "userId": "ann"}, is_trusted=False)
    assert await refresh(other) == ["Order Completed"]
    await door.send({"type": "delete", "userId": "ann"})
    assert await refresh(other) == []
    await other.send(ORDER | {"event": "Basket Emptied"})
    assert await refresh(other) == ["Basket Emptied"]


@pytest.mark.slow
async def test_a_delete_that_could_not_be_told_is_told_again(door: Door) -> None:
    class Away:
        async def put_shared(self, *_: Any, **__: Any) -> None:
            raise OutboxUnavailable("gone for a moment")

    here, other = door.coordination, open_door(door.outbox, "b")
    await here.want_tail(NOW + 300)
    await other.send(ORDER)
    here._shared = Away()  # type: ignore[assignment] # it only writes
    with pytest.raises(OutboxUnavailable):
        await door.send({"type": "delete", "userId": "ann"})
    here._shared = door.outbox
    assert await refresh(other) == ["Order Completed"]
    await refresh(door)
    assert await refresh(other) == []


async def test_what_is_about_to_be_held_when_somebody_is_erased_is_not(door: Door) -> None:
    class Slow:
        async def people(self, keys: Any, **asked: Any) -> Any:
            door.tail.clear()
            return await door.outbox.people(keys, **asked)

    door.tail._memory = cast("Outbox", Slow())
    await door.send(ORDER)
    assert (door.names(), door.tail.hidden) == ([], 1)


@pytest.mark.slow
async def test_it_is_bounded_in_events_and_in_bytes(door: Door) -> None:
    await door.send(*(ORDER | {"messageId": f"n-{number}"} for number in range(MAX_TAILED + 5)))
    assert [each.number for each in door.tail.events(now=NOW)] == list(range(MAX_TAILED + 5, 5, -1))
    long = {"note": "x" * (MAX_TAILED_BYTES // 3)}
    await door.send(*(ORDER | {"properties": long} for _ in range(5)))
    assert len(door.names()) == 2
    await door.send(ORDER | {"properties": {"note": "x" * MAX_TAILED_BYTES}})
    assert door.names() == []


@pytest.mark.slow
async def test_a_flood_of_public_events_pushes_no_trusted_one_out(door: Door) -> None:
    await door.send(ORDER | {"messageId": "shop-1"})
    await door.send(*(ORDER | {"messageId": f"page-{n}"} for n in range(MAX_TAILED)), is_trusted=False)
    assert [each.number for each in door.tail.events(now=NOW)] == [*range(MAX_TAILED + 1, MAX_TAILED // 2 + 1, -1), 1]
    await door.send(ORDER | {"properties": {"note": "x" * (MAX_TAILED_BYTES // 2)}}, is_trusted=False)
    assert [each.number for each in door.tail.events(now=NOW)] == [1]


async def test_what_cannot_be_written_is_not_held_and_nothing_is_lost(door: Door) -> None:
    nested: Any = []
    for _ in range(300):
        nested = [nested]
    assert await door.send(ORDER | {"properties": ORDER["properties"] | {"deep": nested}}) == [Outcome.ENQUEUED]
    assert (door.names(), door.tail.hidden) == ([], 1)


async def test_a_fault_of_the_tail_does_not_reach_who_sent_the_event(door: Door) -> None:
    class Away:
        async def people(self, keys: Any, **_: Any) -> Any:
            raise OSError

    door.tail._memory = cast("Outbox", Away())
    assert await door.send(ORDER) == [Outcome.ENQUEUED]
    assert door.names() == []
