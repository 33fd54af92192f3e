"""What a sender claims while it is stored is what it would have claimed afterwards."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from app.core.deliveries import Claimed, Enqueued, NewDelivery
from app.core.pages import Backlog, Query
from app.errors import BacklogFull, OutboxUnavailable
from app.outbox.arrivals import ArrivalTerms
from app.outbox.sqlite import SqliteOutbox
from tests.outbox import random_values as some
from tests.outbox.build import ACCOUNT, NOW, At, given_back, new, rules

LEASE_S = 60


@dataclass
class Sender:
    """Promises to send what arrives, so much of each call."""

    limit: int = 1_000
    max_bytes: int = 10**9
    off: frozenset[str] = frozenset()
    #: How many deliveries of its ad account each call had that it was asked of.
    counts: list[int] = field(default_factory=list)
    terms: list[ArrivalTerms] = field(default_factory=list)
    #: Done while the call is about to be stored.
    meanwhile: Callable[[], object] = bool

    def __call__(self, count: int) -> ArrivalTerms:
        self.counts.append(count)
        claimed: asyncio.Future[list[Claimed]] = asyncio.get_running_loop().create_future()
        self.terms.append(
            ArrivalTerms(
                limit=self.limit, max_bytes=self.max_bytes, lease_s=LEASE_S, without_presets=self.off, claimed=claimed
            )
        )
        self.meanwhile()
        return self.terms[-1]

    def listen(self, at: At) -> None:
        at.outbox.offer_arrivals(ACCOUNT, self)

    async def claimed(self) -> list[Claimed]:
        """What it got of the calls that it was asked of."""
        return [each for terms in self.terms for each in await asyncio.wait_for(terms.claimed, 10)]


async def arrive(at: At, *deliveries: NewDelivery) -> list[Enqueued]:
    return await at.outbox.enqueue(deliveries, (), (), now=at.now, is_final=True)


async def facts(at: At) -> tuple[list[object], Backlog]:
    """All deliveries with their histories, without the store's own ids and the reasons of the claims; what waits."""
    page = await at.outbox.search(Query(), limit=1_000)
    shown = [await at.outbox.delivery(each.delivery_id) for each in page.deliveries]
    told = [each and changed(each, delivery_id="", reason="") for each in shown]
    return sorted(told, key=str), await at.outbox.backlog(ACCOUNT, now=at.now)


def expected(deliveries: list[NewDelivery], sender: Sender) -> Iterator[NewDelivery]:
    """What is due at once, may be sent twice, and is not switched off, while it fits."""
    count = size_bytes = 0
    for each in deliveries:
        if each.ad_account_id != ACCOUNT or each.hold_s or each.action_source == "offline" or each.preset in sender.off:
            continue
        count, size_bytes = count + 1, size_bytes + len(each.payload)
        if count > sender.limit or size_bytes > sender.max_bytes:
            return
        yield each


@pytest.mark.parametrize("seed", range(24))
async def test_it_is_as_if_it_had_been_claimed_at_once(at: At, tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    deliveries = [_alone(some.delivery(rng, number), number) for number in range(12)]
    sender = Sender(
        limit=rng.choice([3, 100]),
        max_bytes=rng.choice([700, 10**6]),
        off=frozenset(rng.sample(some.PRESETS, rng.choice([0, 0, 1]))),
    )
    sender.listen(at)
    after = At(SqliteOutbox(tmp_path / "after.db", rules(), clock=lambda: NOW))
    assert await arrive(at, *deliveries) == await after.enqueue(*deliveries)
    assert sender.counts == [sum(each.ad_account_id == ACCOUNT for each in deliveries)]
    arrived, wanted = await sender.claimed(), list(expected(deliveries, sender))
    assert [each.message_id for each in arrived] == [each.message_id for each in wanted]

    claimed = {each.message_id: each for each in await after.claim(lease_s=LEASE_S)}
    taken = [claimed.pop(each.message_id) for each in wanted]
    await after.settle(*(given_back(each, NOW) for each in claimed.values()))
    assert [_without_names(each) for each in arrived] == [_without_names(each) for each in taken]
    assert await facts(at) == await facts(after)
    await at.deliver(*arrived)
    await after.deliver(*taken)
    assert await facts(at) == await facts(after)
    await after.outbox.close()


def _alone(delivery: NewDelivery, number: int) -> NewDelivery:
    """A delivery that shares no key with another one."""
    return replace(delivery, message_id=f"m{number}", event_id=f"e{number}", order_id=None, checkout_id=None)


def _without_names(claimed: Claimed) -> Claimed:
    return replace(claimed, claim="", delivery_id="")


TWICE = new(), new()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([TWICE[0]], TWICE),
        ([], [TWICE[0], replace(TWICE[0], message_id="another")]),
    ],
    ids=["something is stored already", "something comes twice"],
)
async def test_a_call_that_is_not_all_new_waits_for_a_claim(
    at: At, first: list[NewDelivery], then: list[NewDelivery]
) -> None:
    await at.enqueue(*first)
    sender = Sender()
    sender.listen(at)
    await arrive(at, *then)
    assert await sender.claimed() == []
    assert len(await at.claim()) == len({each.event_id for each in [*first, *then]})


async def test_what_is_not_stored_is_not_claimed(path: Path) -> None:
    at, sender = At(SqliteOutbox(path, rules(room_for=1), clock=lambda: NOW)), Sender()
    sender.listen(at)
    with pytest.raises(BacklogFull):
        await arrive(at, new(), new())
    assert await sender.claimed() == []
    await at.outbox.close()
    with pytest.raises(OutboxUnavailable):
        await arrive(at, new())
    assert await sender.claimed() == []


async def test_what_may_be_taken_back_is_not_asked_of(at: At) -> None:
    sender = Sender()
    sender.listen(at)
    await at.enqueue(new())
    assert sender.counts == []
    assert len(await at.claim()) == 1


async def test_nobody_is_asked_who_does_not_listen_any_more(at: At) -> None:
    sender = Sender()
    sender.listen(at)
    for _ in range(2):
        at.outbox.offer_arrivals(ACCOUNT, None)
    await arrive(at, new())
    assert sender.counts == []


async def test_a_request_that_is_cut_off_leaves_no_claim_that_nobody_holds(at: At) -> None:
    sender = Sender()
    sender.listen(at)
    request = asyncio.create_task(arrive(at, new(), new()))
    sender.meanwhile = request.cancel
    with pytest.raises(asyncio.CancelledError):
        await request
    claimed = await sender.claimed()
    assert len(claimed) == 2
    await at.deliver(*claimed)
    assert await at.outbox.backlog(ACCOUNT, now=NOW) == Backlog()


async def test_a_sender_that_has_ended_meanwhile_loses_its_lease(at: At) -> None:
    sender = Sender()

    def end() -> None:
        sender.terms[0].claimed.cancel()

    sender.meanwhile = end
    sender.listen(at)
    await arrive(at, new())
    assert await at.later(LEASE_S - 1).claim() == []
    (claimed,) = await at.later(LEASE_S).claim()
    assert (claimed.attempt, claimed.lease_was_lost) == (2, True)


async def test_a_claimed_delivery_has_its_own_id_if_another_connection_stores_right_after_it(
    at: At, outbox: SqliteOutbox, path: Path
) -> None:
    other, loop = At(SqliteOutbox(path, rules(), clock=lambda: NOW)), asyncio.get_running_loop()
    is_stored, was_next = threading.Event(), threading.Event()

    def store_another(statement: str) -> None:
        if "INSERT INTO storing" in statement:  # traced again for each step of its trigger
            is_stored.set()
        elif is_stored.is_set() and not was_next.is_set():
            was_next.set()
            asyncio.run_coroutine_threadsafe(other.enqueue(new()), loop).result()

    sender = Sender()
    sender.listen(at)
    outbox._writer._connection.set_trace_callback(store_another)
    await arrive(at, new(message_id="mine"))
    (claimed,) = await sender.claimed()
    assert (await at.delivery(claimed.delivery_id)).message_id == "mine"
    await asyncio.to_thread(was_next.wait, 10)
    assert was_next.is_set()
    await other.outbox.close()
