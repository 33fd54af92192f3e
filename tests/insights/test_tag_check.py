"""The calls of Pinterest's tag that pages report, compared with what was sent: planted rates come out exactly."""

import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.core.events import CounterRow
from app.core.shared_values import TAG_CALLS, TAG_FIGURES, TagCall, TagCounts
from app.core.trust import SourceTraits
from app.core.values.times import DAY_S, HOUR_S
from app.errors import OutboxUnavailable
from app.insights.alerts.overall import tag_doubles
from app.insights.tag_check import (
    DAYS_KEPT,
    MAX_CALLS,
    TagLine,
    TagReport,
    TagReports,
    compare_old,
    doubles_of,
    read_report,
)
from app.outbox import Outbox, open_outbox
from tests.assembled import shipped_catalog
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.new_store import new_store
from tests.rows import every_row


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    store = open_outbox(new_store(tmp_path, "o.db"), rules())
    yield store
    await store.close()


@pytest.fixture
def reports(outbox: Outbox, clock: Clock) -> TagReports:
    return TagReports(outbox, clock=clock, on_error=lambda exc: pytest.fail(str(exc)))


#: What is known of sources: pages show the key of one.
TRAITS = {"": SourceTraits(), "shop": SourceTraits(), "pixel": SourceTraits(is_trusted=False, has_page_key=True)}


async def report_of(outbox: Outbox, clock: Clock, days: int = 7) -> TagReport:
    return await read_report(outbox, shipped_catalog(), TRAITS.__getitem__, now=clock.now, days=days)


async def sends(outbox: Outbox, *deliveries: Any) -> None:
    counters = [CounterRow(name="enqueued", preset="Order Completed", count=len(deliveries))]
    counters += [CounterRow(name="warning", preset="Order Completed"), CounterRow(name="enqueued", preset="gone")]
    await outbox.enqueue(list(deliveries), [], counters, now=NOW)


def planted(rng: random.Random, number: int) -> tuple[list[Any], list[TagCall], dict[str, Any]]:
    """Return deliveries, calls of the tag, and how many there are of each kind, with the sum of what counts twice."""
    deliveries, calls, worth = [], [], Decimal(0)
    counts = dict.fromkeys(("one_id", "two_ids", "without_id", "by_message", "tag_alone", "sent_alone"), 0)
    for at in range(number):
        kind, amount = rng.choice(list(counts)), f"{rng.randrange(100, 9_999)}.{rng.randrange(10)}0"
        given: dict[str, Any] = {"order_id": f"o{at}", "amount": amount, "currency": "EUR", "event_id": f"e{at}"}
        deliveries += [] if kind == "tag_alone" else [new(**given, message_id=f"m{at}")]
        tag_id = {"one_id": f"e{at}", "without_id": None, "by_message": f"m{at}"}.get(kind, f"tag{at}")
        if kind != "sent_alone":
            calls.append(TagCall(event="checkout", event_id=tag_id, order_id=rng.choice((f"o{at}", f"#o{at}"))))
        counts[kind] += 1
        if kind in ("two_ids", "without_id", "by_message"):
            worth += Decimal(amount)
    return deliveries, calls, {**counts, "worth": worth}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_planted_rates_of_doubles_come_out_exactly_at_once_and_after_the_hour(
    outbox: Outbox, reports: TagReports, clock: Clock, seed: int
) -> None:
    deliveries, calls, is_planted = planted(random.Random(seed), 120)
    reports.take(calls[:50])
    await reports.look()
    await sends(outbox, *deliveries)  # the shop's webhook comes later than the page's report
    clock.now += 400
    reports.take(calls[50:])
    await reports.look()
    at_once = await report_of(outbox, clock)
    clock.now += 2 * HOUR_S
    await reports.look()
    assert await TAG_CALLS.read_all(outbox) == {}
    assert await report_of(outbox, clock) == at_once
    (line,) = at_once.lines
    assert line.event == "checkout"
    twice = is_planted["two_ids"] + is_planted["without_id"] + is_planted["by_message"]
    assert line.counts == TagCounts(
        calls=len(calls),
        one_id=is_planted["one_id"],
        two_ids=twice,
        without_id=is_planted["without_id"],
        by_message=is_planted["by_message"],
        two_by_message=is_planted["by_message"],
        worth={"EUR": str(is_planted["worth"])},
    )
    assert (line.tag_alone, line.sent_alone) == (is_planted["tag_alone"], is_planted["sent_alone"])
    assert line.worth == f"{is_planted['worth']} EUR"
    assert line.sent == len(deliveries)


async def test_calls_are_counted_once_though_two_processes_compare_them(
    outbox: Outbox, reports: TagReports, clock: Clock
) -> None:
    reports.take([TagCall(event="lead", event_id="a")])
    await reports.look()
    kept = await TAG_CALLS.read_all(outbox)
    clock.now += 2 * HOUR_S
    await reports.look()
    ((place, calls),) = kept.items()
    await TAG_CALLS.of(place).write(outbox, calls)  # as if a process had been killed before it took them away
    assert [line.counts.calls for line in (await report_of(outbox, clock)).lines] == [1]
    await reports.look()
    assert await TAG_CALLS.read_all(outbox) == {}
    assert [line.counts.calls for line in (await report_of(outbox, clock)).lines] == [1]


async def test_another_process_that_writes_first_delays_a_report_and_loses_none(
    outbox: Outbox, reports: TagReports, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TagReports(outbox, clock=clock, on_error=lambda exc: pytest.fail(str(exc)))
    reports.take([TagCall(event="lead")])
    other.take([TagCall(event="signup")])
    read = outbox.get_shared

    async def read_and_wait(key: str) -> Any:
        found = await read(key)
        monkeypatch.setattr(outbox, "get_shared", read)
        await other.look()
        return found

    monkeypatch.setattr(outbox, "get_shared", read_and_wait)
    await reports.look()
    assert [line.event for line in (await report_of(outbox, clock)).lines] == ["signup"]
    await reports.look()
    assert [line.event for line in (await report_of(outbox, clock)).lines] == ["lead", "signup"]


async def test_another_process_that_compares_first_is_not_repeated(
    outbox: Outbox, reports: TagReports, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports.take([TagCall(event="lead")])
    await reports.look()
    clock.now += 2 * HOUR_S
    read = outbox.get_shared

    async def read_and_wait(key: str) -> Any:
        found = await read(key)
        if key == TAG_FIGURES.name:
            monkeypatch.setattr(outbox, "get_shared", read)
            await compare_old(outbox, clock.now)
        return found

    monkeypatch.setattr(outbox, "get_shared", read_and_wait)
    await compare_old(outbox, clock.now)
    assert [line.counts.calls for line in (await report_of(outbox, clock)).lines] == [1]


async def test_what_is_reported_beyond_the_bound_is_only_counted(
    outbox: Outbox, reports: TagReports, clock: Clock
) -> None:
    for _ in range(3):
        reports.take([TagCall(event="page_visit")] * (MAX_CALLS - 1))
    await reports.look()
    reports.take([TagCall(event="page_visit")] * 7)
    await reports.look()
    clock.now += 2 * HOUR_S
    await reports.look()
    report = await report_of(outbox, clock)
    assert (report.lines[0].counts.calls, report.more) == (MAX_CALLS, 2 * MAX_CALLS - 3 + 7)


async def test_old_days_are_dropped(outbox: Outbox, reports: TagReports, clock: Clock) -> None:
    for _ in range(2):
        clock.now += (DAYS_KEPT + 1) * DAY_S
        reports.take([TagCall(event="lead")] * (MAX_CALLS + 1))
        await reports.look()
        clock.now += 2 * HOUR_S
        await reports.look()
    figures = await TAG_FIGURES.read(outbox)
    assert figures is not None
    assert (len(figures.days), len(figures.more)) == (1, 1)
    clock.now += 2 * DAY_S
    assert (await report_of(outbox, clock, days=1)).lines == ()


@pytest.mark.parametrize(
    ("call", "counts"),
    [
        ({"event_id": "e", "order_id": "o"}, {"one_id": 1}),
        ({"event": "lead", "event_id": "e"}, {}),
        ({"event_id": "dead", "order_id": "dead"}, {}),
        ({"event": "page_visit", "beside": ("x", "visit")}, {"two_ids": 1, "without_id": 1}),
        ({"event": "page_visit", "event_id": "visit", "beside": ("visit",)}, {"one_id": 1}),
        ({"event": "page_visit", "order_id": "o"}, {"without_id": 1}),
        ({"event_id": "same"}, {"one_id": 1, "by_message": 1}),
    ],
)
async def test_what_a_call_counts_for(
    outbox: Outbox, reports: TagReports, clock: Clock, call: dict[str, Any], counts: dict[str, Any]
) -> None:
    await At(outbox).dead_letter(new(event_id="dead", order_id="dead", amount="1"))
    await sends(
        outbox,
        new(event_id="e", order_id="o", amount="5", currency=None),
        new(event_id="visit", event_name="page_visit"),
        new(event_id="same", message_id="same"),
    )
    reports.take([TagCall(**{"event": "checkout"} | call)])
    await reports.look()
    (line,) = (await report_of(outbox, clock)).lines
    assert line.counts == TagCounts(calls=1, **counts)


async def test_an_alert_names_what_counts_twice(outbox: Outbox, reports: TagReports, clock: Clock) -> None:
    await sends(outbox, *(new(event_id=f"e{n}", order_id=f"o{n}") for n in range(30)))
    for event, doubles, number in (("checkout", 2, 20), ("lead", 0, 20), ("checkout", 1, 11)):
        await TAG_FIGURES.write(outbox, None)
        clock.now += 3 * HOUR_S
        reports.take(
            [
                TagCall(event=event, event_id=f"{'t' if n < doubles else 'e'}{n}", order_id=f"o{n}")
                for n in range(number)
            ]
        )
        await reports.look()
        clock.now += 2 * HOUR_S
        await reports.look()
        told = tag_doubles(await doubles_of(outbox, clock.now))
        if (event, number) == ("checkout", 20):
            assert [each.key for each in told] == ["tag: checkout"]
            assert "counts 2 of 20 checkout events of the page's tag twice" in told[0].text
        else:
            assert told == []


SHOPIFY_ID = "sh-f6f828db-F77B-43E8-96C4-1D51DACD52A3"


@every_row(
    ("sent", "calls", "counts", "twice"),
    [
        # an app that has ids of its own
        ({"pixel": 4}, ["a", "b", "c"], (3, 0, 0), 3),
        ({"pixel": 2}, ["a", "b", "c"], (3, 0, 0), 2),
        ({"pixel": 4}, [None, None], (2, 0, 0), 2),
        # an app that sends Shopify's ids, as the pixel does
        ({"pixel": 4}, [f"{SHOPIFY_ID}-{number}" for number in range(3)], (3, 3, 0), 0),
        ({"pixel": 4}, [f"{SHOPIFY_ID}-0", "a"], (2, 1, 0), 1),
        # what servers send need not be what pages report
        ({"shop": 4}, ["a", "b", "c"], (3, 0, 0), 0),
        ({"shop": 3, "pixel": 1}, ["a", "b", "c"], (3, 0, 0), 1),
    ],
)
async def test_events_of_a_pixel_and_of_pinterests_app_that_both_count_are_told(
    tmp_path_factory: pytest.TempPathFactory,
    sent: dict[str, int],
    calls: list[str | None],
    counts: tuple[int, int, int],
    twice: int,
) -> None:
    outbox = open_outbox(new_store(tmp_path_factory.mktemp("o"), "o.db"), rules())
    clock = Clock()
    reports = TagReports(outbox, clock=clock, on_error=lambda exc: pytest.fail(str(exc)))
    ids = {"pixel": SHOPIFY_ID, "shop": "shop"}
    kept = [
        new(event_name="add_to_cart", preset="Add to Cart", event_id=f"{ids[source]}-{number}", source=source)
        for source, count in sent.items()
        for number in range(count)
    ]
    await outbox.enqueue(kept, [], [], now=NOW)
    reports.take([TagCall(event="add_to_cart", event_id=each) for each in calls])
    await reports.look()
    (line,) = (await report_of(outbox, clock)).lines
    await outbox.close()
    assert (line.counts.calls, line.counts.one_id, line.counts.two_ids) == counts
    assert (line.sent, line.sent_by_pixel) == (sum(sent.values()), sent.get("pixel", 0))
    assert line.estimated_twice == line.as_json()["estimated_twice"] == twice
    assert (f"about {twice} count twice" in line.advice) == bool(twice)


@every_row(
    ("event", "counts", "advice"),
    [
        ("checkout", {"calls": 9, "one_id": 9}, ""),
        ("page_visit", {"calls": 9, "two_ids": 4, "without_id": 9}, "Remove pintrk('page')"),
        ("checkout", {"calls": 9, "two_ids": 4, "two_by_message": 3}, "The tag gets the message id"),
        ("checkout", {"calls": 9, "two_ids": 4}, "Give the tag the event id"),
        ("page_visit", {"calls": 9, "two_ids": 4}, "remove its page_visit call"),
    ],
)
def test_advice_names_the_change(event: str, counts: dict[str, Any], advice: str) -> None:
    line = TagLine(event=event, sent=None, counts=TagCounts(**counts))
    assert line.advice == "" if not advice else advice in line.advice
    assert line.sent_alone is None


@pytest.mark.parametrize(
    ("counts", "fed"),
    [
        ([{"calls": 9}], None),
        ([{"calls": 9, "one_id": 5, "by_message": 5}], True),
        ([{"calls": 9, "one_id": 5}], False),
        ([{"calls": 9, "one_id": 4, "by_message": 1}, {"calls": 9, "two_ids": 3, "by_message": 3}], True),
    ],
)
def test_it_says_whether_the_tag_gets_message_ids(counts: list[dict[str, Any]], fed: bool | None) -> None:  # noqa: FBT001 - a column
    lines = tuple(TagLine(event="lead", sent=1, counts=TagCounts(**each)) for each in counts)
    report = TagReport(lines=lines, more=0)
    assert report.is_fed_message_ids is fed
    assert report.as_json()["tag_gets_message_ids"] is fed


async def test_a_store_that_is_away_is_reported_and_asked_again(
    outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = []
    reports = TagReports(outbox, clock=clock, on_error=errors.append)
    reports.take([TagCall(event="lead")])

    async def away(_: str) -> Any:
        raise OutboxUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "list_shared", away)
        reports.stop()
        await reports.run()
    assert [str(each) for each in errors] == ["the disk is gone"]
    await reports.run()
    assert [line.event for line in (await report_of(outbox, clock)).lines] == ["lead"]
