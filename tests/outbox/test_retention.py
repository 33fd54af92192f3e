"""Retention: small steps, and nothing goes before its time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.log import log_error
from app.core.pages import FileImported, Query, RowsImported, Session
from app.core.people import Ownership, PeopleChanges, PersonChange, SuppressionChange
from app.core.shared_values import IMPORTED, REPORTS_TURN, ROW_DIGESTS, ROWS_IMPORTED
from app.outbox import open_outbox
from app.outbox.set_aside import FairShares
from app.sender.clocks import Clocks
from app.sender.retention import Retention
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, delivered, new, rules
from tests.waiting import until_async

#: What belongs to the ledger goes when its day is over, so up to a day later than it must be kept.
LEDGER_S = 30 * DAY_S
LEDGER_END_S = LEDGER_S + DAY_S
NOTE = DroppedEvent(message_id="noted", preset=None, outcome=Outcome.REFUSED, reason="r")


async def _all(at: At) -> int:
    return len((await at.outbox.search(Query(), limit=1_000)).deliveries)


async def test_an_outbox_with_nothing_old_is_left_alone(at: At) -> None:
    await at.enqueue(new(), dropped=(NOTE,), counters=(CounterRow(name="accepted"),))
    assert await at.outbox.retain(now=NOW, limit=100) == 0


@pytest.mark.parametrize("settle", [At.deliver, At.kill], ids=["delivered", "dead"])
async def test_settled_deliveries_go_when_the_ledger_ends(at: At, settle: Callable[..., object]) -> None:
    await at.enqueue(new())
    await settle(at, *await at.claim())  # type: ignore[misc] # both are async
    await at.later(LEDGER_S - 1).retain_all()
    assert await _all(at) == 1
    await at.later(LEDGER_END_S).retain_all()
    assert await _all(at) == 0


@pytest.mark.parametrize(("delivered_days", "days"), [(2, 5), (5, 2)], ids=["delivered go first", "they go last"])
async def test_what_was_delivered_has_a_time_of_its_own(
    open_at: Callable[..., At], delivered_days: int, days: int
) -> None:
    at = open_at(ledger_delivered_s=delivered_days * DAY_S, ledger_s=days * DAY_S)
    await at.dead_letter(new(message_id="dead"))
    await at.enqueue(new(message_id="delivered"), dropped=(NOTE,))
    await at.deliver(*await at.claim())
    found = []
    for day in range(8):
        await at.later(day * DAY_S).retain_all()
        page = await at.outbox.search(Query(), limit=10)
        dropped = (await at.outbox.message("noted")).dropped_events
        found.append(({each.message_id for each in page.deliveries}, len(dropped)))
    assert [("delivered" in messages) for messages, _ in found][:delivered_days] == [True] * delivered_days
    assert [("dead" in messages, dropped) for messages, dropped in found][:days] == [(True, 1)] * days
    assert all("delivered" not in messages for messages, _ in found[delivered_days + 1 :])
    assert all(("dead" not in messages, dropped) == (True, 0) for messages, dropped in found[days + 1 :])


async def test_of_two_sides_of_midnight_each_day_goes_in_its_turn(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=DAY_S, ledger_s=DAY_S)
    midnight = at.later(-NOW % DAY_S)
    before, after = midnight.later(-1), midnight.later(1)
    for side, name in ((before, "before"), (after, "after")):
        await side.enqueue(new(message_id=name), dropped=(replace(NOTE, message_id=name),))
        await side.deliver(*await side.claim())

    async def left() -> list[tuple[int, int]]:
        messages = [await at.outbox.message(name) for name in ("before", "after")]
        return [(len(message.deliveries), len(message.dropped_events)) for message in messages]

    await before.later(DAY_S - 1).retain_all()
    assert await left() == [(1, 1), (1, 1)]
    await midnight.later(DAY_S).retain_all()
    assert await left() == [(0, 0), (1, 1)]
    await midnight.later(2 * DAY_S).retain_all()
    assert await left() == [(0, 0), (0, 0)]


async def test_what_is_held_or_waits_outlives_the_ledger_and_is_sent_then(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=DAY_S, ledger_s=DAY_S)
    await at.enqueue(new(message_id="held", preset="off"), new(message_id="waits"))
    assert [each.message_id for each in await at.claim(without_presets=frozenset({"off"}))] == ["waits"]
    later = at.later(100 * DAY_S)
    await later.retain_all()
    assert await _all(at) == 2
    claimed = await later.claim()
    claimed += await later.claim()
    assert sorted(each.message_id for each in claimed) == ["held", "waits"]
    await later.deliver(*claimed)
    await later.retain_all()
    assert await _all(at) == 2


async def test_unsettled_deliveries_never_go(at: At) -> None:
    await at.enqueue(new(), new())
    await at.claim(limit=1, lease_s=1)
    await at.later(1_000 * DAY_S).retain_all()
    assert len(await at.later(1_000 * DAY_S).claim()) == 2


async def test_notes_go_when_the_ledger_ends(at: At) -> None:
    await at.enqueue(dropped=(NOTE,))
    await at.later(LEDGER_S - 1).retain_all()
    assert len((await at.outbox.message("noted")).dropped_events) == 1
    await at.later(LEDGER_END_S).retain_all()
    assert (await at.outbox.message("noted")).dropped_events == ()


async def test_a_key_outlives_a_ledger_that_is_shorter_than_its_window(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=HOUR_S)
    await at.enqueue(new(event_id="e"))
    await at.deliver(*await at.claim())
    await at.later(DAY_S - 1).retain_all()
    assert await _all(at) == 0
    (within,) = await at.later(DAY_S - 1).enqueue(new(event_id="e"))
    await at.later(DAY_S).retain_all()
    (after,) = await at.later(DAY_S).enqueue(new(event_id="e"))
    assert (within.outcome, after.outcome) == (Outcome.DUPLICATE, Outcome.ENQUEUED)


async def test_the_id_of_a_forgotten_delivery_is_not_given_again(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=HOUR_S)
    await at.enqueue(new(event_id="e"))
    (old,) = await at.claim()
    await at.deliver(old)
    await at.later(HOUR_S).retain_all()
    await at.later(HOUR_S).enqueue(new())
    (fresh,) = await at.later(HOUR_S).claim()
    assert fresh.delivery_id != old.delivery_id


async def test_payloads_kept_longer_go_when_their_time_is_over(open_at: Callable[..., At]) -> None:
    at = open_at(payload_s=DAY_S)
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.deliver(claimed)
    kept = []
    for seconds in (DAY_S - 1, DAY_S):
        await at.later(seconds).retain_all()
        delivery = await at.delivery(claimed.delivery_id)
        kept.append(delivery.payload is not None)
    assert kept == [True, False]


async def test_minutes_become_hours_after_two_days_and_keep_their_sums(at: At) -> None:
    for minute in (0, 1, 59, 60):
        await at.later(minute * 60).enqueue(counters=(CounterRow(name="accepted", count=minute + 1),))
    await at.later(3 * DAY_S).retain_all(limit=3)
    assert await at.outbox.counters(since=NOW, step_s=60) == [
        (NOW, CounterRow(name="accepted", count=1 + 2 + 60)),
        (NOW + HOUR_S, CounterRow(name="accepted", count=61)),
    ]


async def test_hours_go_when_the_ledger_ends(at: At) -> None:
    await at.enqueue(counters=(CounterRow(name="accepted"),))
    await at.later(3 * DAY_S).retain_all()
    await at.later(LEDGER_S).retain_all()
    assert len(await at.outbox.counters(since=NOW, step_s=0)) == 1
    await at.later(LEDGER_END_S).retain_all()
    assert await at.outbox.counters(since=NOW, step_s=0) == []


async def test_a_step_touches_no_more_than_it_may(at: At) -> None:
    await at.enqueue(*(new() for _ in range(25)), dropped=(NOTE,) * 5)
    await at.deliver(*await at.claim())
    later = at.later(100 * DAY_S)
    steps = [await later.outbox.retain(now=later.now, limit=10) for _ in range(10)]
    assert all(step <= 10 for step in steps)
    assert (steps[0] > 0, steps[-1]) == (True, 0)
    assert await _all(at) == 0


async def test_how_far_an_import_came_goes_when_it_was_not_gone_on_with(at: At) -> None:
    """And the rows of one go with it; other shared values stay."""
    await IMPORTED.of("old").write(at.outbox, FileImported(done=1, at=NOW))
    await IMPORTED.of("young").write(at.outbox, FileImported(done=1, at=NOW + 2))
    for name, moved_at in (("old", NOW), ("young", NOW + 2)):
        await ROWS_IMPORTED.of(name).write(at.outbox, RowsImported(at=moved_at))
        await ROW_DIGESTS.under(name).of("7").write(at.outbox, ("0a1b",))
    await ROW_DIGESTS.under("young").of("6").write(at.outbox, None)
    await REPORTS_TURN.write(at.outbox, None)
    await at.later(LEDGER_S + 1).retain_all(limit=1)
    assert sorted(await at.outbox.list_shared("")) == [
        "import-digests/young/7", "import-rows/young", "import/young", "reports/turn",
    ]  # fmt: skip


@pytest.fixture
async def crowded(open_at: Callable[..., At]) -> At:
    """An outbox in which everything that goes by rows is too old or too much, some hundred rows of each."""
    at = open_at(remember_s=DAY_S, remember_max_people=10, payload_s=DAY_S, dedup_window_s=HOUR_S)
    kept_at: dict[str, Any] = {"seen_at": NOW, "stale_at": NOW + 900 * DAY_S}
    people = [
        PersonChange(key=sha256(b"%d" % number).hexdigest(), revision=0, record='{"facts": {}}', **kept_at)
        for number in range(300)
    ]
    marks = [SuppressionChange(key=each.key, was=None, now=None) for each in people]
    deliveries = [new(message_id=f"m{number}") for number in range(300)]
    whose = [Ownership(message_id=each.message_id, user="u" * 64, anonymous=None) for each in deliveries]
    await at.outbox.enqueue(
        deliveries,
        [replace(NOTE, message_id=f"noted{number}") for number in range(300)],
        [],
        now=NOW,
        people=PeopleChanges(people=people, suppressions=marks, owners=whose),
    )
    await at.deliver(*await at.claim())
    for number in range(300):
        await at.outbox.open_session(replace(SESSION, digest=f"d{number}"))
    return at.later(800 * DAY_S)


SESSION = Session(digest="d", who="ada", seal="s", ends_at=NOW + 1)


@pytest.mark.slow
async def test_people_that_are_too_many_go_while_everything_else_is_behind_too(crowded: At) -> None:
    """No step takes rows from another: each gets its part, and what is left over."""
    left = [len((await crowded.outbox.people_with([""], after=""))[0])]
    for _ in range(3):
        assert await crowded.outbox.retain(now=crowded.now, limit=100) == 100
        left.append(len((await crowded.outbox.people_with([""], after=""))[0]))
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == 4
    await crowded.retain_all()
    assert len((await crowded.outbox.people_with([""], after=""))[0]) == 10


@pytest.mark.slow
@pytest.mark.prove
async def test_the_bound_of_people_holds_within_a_minute_of_the_last_event(
    outbox_url: str, rounds: Callable[[str], int]
) -> None:
    """While everything else is over its time as well. Issue 40: 450,751 people at a bound of 100,000."""
    bound = 100 * rounds("storms")
    settings = rules(remember_s=DAY_S, remember_max_people=bound, dedup_window_s=0.01, ledger_delivered_s=0.001 * DAY_S)
    outbox = open_outbox(outbox_url, settings, clock=time.time)
    retention = Retention(outbox, clocks=Clocks(time.time, time.monotonic), on_error=log_error)
    running = None
    for call in range(2 * rounds("storms") ** 2):
        now = time.time()
        keys = [sha256(b"%d %d" % (call, number)).hexdigest() for number in range(500)]
        kept_at: dict[str, Any] = {"seen_at": now, "stale_at": now + DAY_S}
        changes = PeopleChanges(
            people=[PersonChange(key=key, revision=0, record='{"facts": {}}', **kept_at) for key in sorted(keys)],
            suppressions=[SuppressionChange(key=key, was=None, now=None) for key in sorted(keys)],
        )
        deliveries = [new(message_id=key) for key in keys[:100]]
        await outbox.enqueue(deliveries, [], [], now=now, people=changes)
        claimed = await outbox.claim(ACCOUNT, limit=100, max_bytes=10**9, max_wait_s=0, lease_s=60, now=now)
        await outbox.settle([delivered(each) for each in claimed], [], now=now)
        running = running or asyncio.create_task(retention.run())

    async def holds() -> bool:
        keys, after = await outbox.people_with([""], after="")
        return after is None and len(keys) <= bound

    await until_async(holds, deadline_s=60)
    retention.stop()
    assert running
    await running
    await outbox.close()


@pytest.mark.parametrize(
    ("limit", "wanted", "got"),
    [
        (9, {"a": 9, "b": 9, "c": 9}, {"a": 3, "b": 3, "c": 3}),
        (9, {"a": 0, "b": 9, "c": 1}, {"a": 0, "b": 8, "c": 1}),
        (9, {"a": 9, "b": 0, "c": 0}, {"a": 9, "b": 0, "c": 0}),
        (10, {"a": 9, "b": 9, "c": 9}, {"a": 4, "b": 4, "c": 2}),
        (2, {"a": 9, "b": 9, "c": 9}, {"a": 1, "b": 1, "c": 0}),
        (0, {"a": 9}, {"a": 0}),
        (9, {}, {}),
        (6, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}),
    ],
)
def test_rows_of_a_step_are_shared_out_fairly(limit: int, wanted: dict[str, int], got: dict[str, int]) -> None:
    """Three tasks of which each has so many rows to delete."""
    shares = FairShares(wanted, limit)
    done = dict.fromkeys(wanted, 0)
    while task := shares.next():
        name, size = task
        touched = min(size, wanted[name] - done[name])
        done[name] += touched
        shares.take(name, touched)
    assert done == got
    assert shares.left == limit - sum(got.values())
