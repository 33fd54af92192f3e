"""Retention: small steps, and nothing goes before its time."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.events import CounterRow, DroppedEvent, Exit
from app.core.pages import FileImported, Query, RowsImported
from app.core.shared_values import IMPORTED, REPORTS_TURN, ROW_DIGESTS, ROWS_IMPORTED
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, new

#: What belongs to the ledger goes when its day is over, so up to a day later than it must be kept.
LEDGER_S = 30 * DAY_S
LEDGER_END_S = LEDGER_S + DAY_S
NOTE = DroppedEvent(message_id="noted", preset=None, exit=Exit.REFUSED, reason="r")


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
        dropped = (await at.outbox.message("noted")).notes
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
        return [(len(message.deliveries), len(message.notes)) for message in messages]

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
    assert len((await at.outbox.message("noted")).notes) == 1
    await at.later(LEDGER_END_S).retain_all()
    assert (await at.outbox.message("noted")).notes == ()


async def test_a_key_outlives_a_ledger_that_is_shorter_than_its_window(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=HOUR_S)
    await at.enqueue(new(event_id="e"))
    await at.deliver(*await at.claim())
    await at.later(DAY_S - 1).retain_all()
    assert await _all(at) == 0
    (within,) = await at.later(DAY_S - 1).enqueue(new(event_id="e"))
    await at.later(DAY_S).retain_all()
    (after,) = await at.later(DAY_S).enqueue(new(event_id="e"))
    assert (within.exit, after.exit) == (Exit.DUPLICATE, Exit.ENQUEUED)


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
