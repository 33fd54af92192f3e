"""Deliveries counted by the name of their events are always as many as a search finds."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.deliveries import State, Withdrawal
from app.core.pages import Query
from app.core.people import Ownership, PeopleChanges
from app.core.values.times import DAY_S
from app.outbox import Outbox, open_outbox
from tests.outbox.build import ACCOUNT, NOW, At, dead, delivered, given_back, new, retry, rules
from tests.rounds import examples

NAMES = [(name, source) for name in ("Order Completed", "page Cart") for source in ("shop", "app")]
WAITING = {State.PENDING: "waiting", State.CLAIMED: "waiting"}
TODAY = int(NOW // DAY_S)
#: So long what is delivered is kept, and what is dead.
LEDGER = {"ledger_delivered_s": 2 * DAY_S, "ledger_s": 3 * DAY_S, "dedup_window_s": 100}
Step = Callable[[At, int], Coroutine[Any, Any, object]]


async def counted(outbox: Outbox) -> Counter[tuple[str, str, int, str]]:
    rows = await outbox.inventory.name_counts(NAMES, first_day=TODAY - 1, last_day=TODAY + 99)
    assert len({row[:4] for row in rows}) == len(rows)
    return Counter({(row.name, row.source, row.day, row.state): row.number for row in rows})


async def found(outbox: Outbox) -> Counter[tuple[str, str, int, str]]:
    page = await outbox.search(Query(), limit=1_000)
    return Counter(
        (each.name, each.source, int(each.enqueued_at // DAY_S), WAITING.get(each.state, each.state.value))
        for each in page.deliveries
    )


async def enqueue(at: At, number: int) -> None:
    name, source = NAMES[number % len(NAMES)]
    one = new(
        name=name,
        source=source,
        event_id=f"e-{number}",
        order_id=f"SO-{number}" if number % 3 else None,
        hold_s=DAY_S if number % 5 == 0 else 0.0,
    )
    people = PeopleChanges(
        people=[], suppressions=[], owners=[Ownership(message_id=one.message_id, user=f"u{number % 3}", anonymous=None)]
    )
    await at.outbox.enqueue([one, new(name=name, source="shop")], [], [], now=at.now, people=people)


async def settle(at: At, number: int) -> None:
    kinds = (delivered, dead, lambda each: retry(each, at.now + 5), lambda each: given_back(each, at.now + 5))
    claimed = await at.claim(number % 7 + 1, lease_s=30)
    await at.settle(*(kinds[(number + place) % 4](each) for place, each in enumerate(claimed[1:])))


async def claim(at: At, number: int) -> None:
    await at.claim(number % 3 + 1, lease_s=30)


async def redrive(at: At, number: int) -> None:
    await at.outbox.dead_letters.redrive(Query(name=NAMES[number % len(NAMES)][0]), now=at.now)


async def dismiss(at: At, number: int) -> None:
    await at.outbox.dead_letters.dismiss(Query(source=NAMES[number % len(NAMES)][1]), because="a test")


async def withdraw(at: At, number: int) -> None:
    for source in ("shop", "app"):
        asked = Withdrawal(
            ad_account_id=ACCOUNT, preset="checkout", order_id=f"SO-{number}", message_id="c", source=source
        )
        await at.outbox.withdraw([asked], now=at.now)


async def forget(at: At, number: int) -> None:
    await at.outbox.forget([f"u{number % 3}"])


async def retain(at: At, _number: int) -> None:
    await at.retain_all()


STEPS: dict[str, Step] = {
    each.__name__: each for each in (enqueue, settle, claim, redrive, dismiss, withdraw, forget, retain)
}


async def goes_well(url: str, history: list[tuple[str, int, float]]) -> None:
    at = At(open_outbox(url, rules(remember_s=9 * DAY_S, remember_max_people=9, **LEDGER), clock=lambda: NOW))
    try:
        for name, number, passed_s in history:
            at = at.later(passed_s)
            await STEPS[name](at, number)
            assert await counted(at.outbox) == await found(at.outbox), (name, number)
    finally:
        await at.outbox.close()


@pytest.mark.slow
async def test_each_way_that_a_delivery_goes_is_counted(outbox_url: str) -> None:
    """Everything happens here, on more than one day, until nothing is left."""
    enqueues = [("enqueue", number, 1.0) for number in range(12)]
    settles = [("settle", 6, 31.0), ("settle", 5, 31.0), ("claim", 2, 1.0), ("settle", 6, 31.0)]
    ends = [("redrive", 0, DAY_S), ("settle", 6, 1.0), ("dismiss", 0, 1.0), ("withdraw", 10, 1.0), ("forget", 1, 1.0)]
    kept = [("retain", 0, DAY_S), ("retain", 0, DAY_S), ("redrive", 1, 1.0), ("settle", 6, 1.0)]
    gone = [("forget", 0, 0.0), ("forget", 2, 0.0), ("dismiss", 0, 0.0), ("dismiss", 1, 0.0), ("retain", 0, 9 * DAY_S)]
    await goes_well(outbox_url, [*enqueues, *settles, *ends, *kept, *settles, *settles, *settles, *gone])


@pytest.mark.slow
@pytest.mark.prove
def test_any_history_is_counted(empty_store: Callable[[], AbstractContextManager[str]]) -> None:
    steps = st.tuples(
        st.sampled_from(["enqueue", "settle", *STEPS]), st.integers(0, 20), st.sampled_from([0.0, 31.0, DAY_S])
    )

    @settings(max_examples=examples(10), deadline=None)
    @given(history=st.lists(steps, min_size=5, max_size=25))
    def check(history: list[tuple[str, int, float]]) -> None:
        with empty_store() as url:
            asyncio.run(goes_well(url, history))

    check()
