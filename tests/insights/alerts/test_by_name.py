"""Alerts by name: weeks of traffic raise none, and each planted fault raises its own within the hour."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest

from app.config.settings import AlertLimits, AlertSettings
from app.core.events import EventKey, Measure
from app.core.values.times import DAY_S, HOUR_S
from app.insights.alerts.by_name import MOST_TOLD, NameFacts, by_name, usual
from app.insights.inventory.figures import Change
from tests.insights.alerts.traffic import (
    LEAD,
    LOGIN,
    MONDAY,
    NO_EVENT,
    ORDER,
    PAGE,
    SLOT_S,
    VIEW,
    Fault,
    Seen,
    Shop,
    no_fault,
)
from tests.rounds import Kind
from tests.rows import every_row

RULES = AlertSettings.model_construct()
#: Monday of the second week at noon, and half past.
NOON = MONDAY + 7 * DAY_S + 12 * HOUR_S
#: A fault begins with five minutes that may be over already, and the look comes with the next.
WITHIN_S = HOUR_S + SLOT_S


class Days:
    """A shop, what is seen of it, and when each alert was raised first, by its key: it is looked every five minutes."""

    def __init__(self, seed: int) -> None:
        self._shop, self._seen = Shop(seed), Seen()
        self.told: dict[str, int] = {}

    def go_on(self, until: int, fault: Fault = no_fault, *, looked_from: int = 0) -> dict[str, int]:
        """Let time pass; return what was told until then."""
        now = 0
        while now < until:
            now, slots = self._shop.next_slots(fault)
            self._seen.add(now, slots)
            for alert in by_name(self._seen.facts(now), RULES) if now >= looked_from else ():
                self.told.setdefault(alert.key, now)
        return self.told


@cache
def _week_until_noon() -> Days:
    """A week in which all is well, and which ends as every planted fault begins: it is gone through once."""
    days = Days(seed=3)
    assert days.go_on(NOON, looked_from=NOON - DAY_S) == {}
    return days


@pytest.mark.slow
@pytest.mark.prove
def test_weeks_of_usual_traffic_raise_no_alert(rounds: Callable[[Kind], int]) -> None:
    seeds, days = ((1, 2), 16) if rounds("seeds") > 1 else ((1,), 10)
    for seed in seeds:
        assert (seed, Days(seed).go_on(MONDAY + days * DAY_S)) == (seed, {})


def rate_times(key: EventKey, times: float) -> Callable[..., float]:
    def change(which: EventKey, rate: float, _exits: dict[str, float], _found: dict[str, float]) -> float:
        return rate * times if which == key else rate

    return change


def leaves_by(key: EventKey, outcome: str, part: float) -> Callable[..., float]:
    def change(which: EventKey, rate: float, outcomes: dict[str, float], _found: dict[str, float]) -> float:
        if which == key:
            outcomes[outcome] = part
        return rate

    return change


def found_in(label: str, part: float) -> Callable[..., float]:
    def change(which: EventKey, rate: float, _exits: dict[str, float], found: dict[str, float]) -> float:
        if which == ORDER:
            found[label] = part
        return rate

    return change


@pytest.mark.slow
@every_row("begins_at", [NOON, NOON + HOUR_S // 2], ids=["at noon", "half past"])
@every_row(
    ("change", "key"),
    [
        pytest.param(rate_times(ORDER, 0), "ceased: shop/track/Order Completed", id="orders cease"),
        pytest.param(rate_times(LOGIN, 0), "ceased: shop/identify/", id="a name that nothing takes ceases"),
        pytest.param(rate_times(PAGE, 0.2), "fallen: shop/page/", id="four of five pages are missing"),
        pytest.param(rate_times(VIEW, 5), "surged: shop/track/Product Viewed", id="five times the views"),
        pytest.param(leaves_by(ORDER, "unmatched", 0.8), "unmatched: shop/track/Order Completed", id="renamed in part"),
        pytest.param(leaves_by(ORDER, "invalid", 0.8), "invalid: shop/track/Order Completed", id="orders are invalid"),
        pytest.param(leaves_by(VIEW, "withheld", 0.6), "withheld: shop/track/Product Viewed", id="consent is lost"),
        pytest.param(leaves_by(ORDER, "duplicate", 0.7), "duplicate: shop/track/Order Completed", id="sent twice"),
        pytest.param(found_in("in no feed", 0.7), "in no feed: shop/track/Order Completed", id="other ids"),
        pytest.param(found_in("value", 0.2), "without value: shop/track/Order Completed", id="the value is missing"),
        pytest.param(found_in("currency", 0), "without currency: shop/track/Order Completed", id="no currency"),
    ],
)
def test_a_planted_fault_raises_its_own_alert_within_the_hour(
    change: Callable[..., float], key: str, begins_at: int
) -> None:
    def fault(at: int, which: EventKey, rate: float, outcomes: dict[str, float], found: dict[str, float]) -> float:
        return change(which, rate, outcomes, found) if at >= begins_at else rate

    told = deepcopy(_week_until_noon()).go_on(begins_at + WITHIN_S + SLOT_S, fault)
    assert {each.partition(": ")[2] for each in told} == {key.partition(": ")[2]}  # what ceases has fallen before
    assert begins_at < told[key] <= begins_at + WITHIN_S


@pytest.mark.slow
def test_a_rare_name_that_ceases_is_told_once_chance_is_ruled_out() -> None:
    def fault(at: int, which: EventKey, rate: float, _exits: dict[str, float], _found: dict[str, float]) -> float:
        return 0 if which == LEAD and at >= NOON else rate

    told = Days(seed=4).go_on(MONDAY + 9 * DAY_S, fault, looked_from=NOON - DAY_S)
    assert set(told) == {"silence: app"}
    assert told["silence: app"] - NOON < DAY_S


# ---------------------------------------------------------------------------------------------------------------------
# Single conditions


def hours(
    full: int, *earlier: int, running: int = 0, now: float = NOON + HOUR_S / 2, key: EventKey = ORDER
) -> NameFacts:
    """What came in the last full hour, and in this and the next hour of earlier days: one count stands for seven."""
    full_at = int(now // HOUR_S - 1) * HOUR_S
    counts = earlier * 7 if len(earlier) == 1 else earlier
    history = {full_at: full, full_at + HOUR_S: running}
    for day, count in enumerate(counts, start=1):
        history |= dict.fromkeys((full_at - day * DAY_S, full_at + HOUR_S - day * DAY_S), count)
    return NameFacts(now=now, history={key: {at: count for at, count in history.items() if count}})


def kinds(facts: NameFacts, rules: AlertSettings = RULES) -> list[str]:
    return [alert.key.partition(":")[0] for alert in by_name(facts, rules)]


@every_row(
    ("facts", "expected"),
    [
        pytest.param(hours(100, 100, running=50), [], id="as usual"),
        pytest.param(hours(30, 100, running=15), ["fallen"], id="less than half"),
        pytest.param(hours(30, 100, running=50), [], id="the hour that runs is well again"),
        pytest.param(hours(1, 100, 100, running=50), [], id="two days are too few"),
        pytest.param(hours(30, 100, 100, 100, running=50), [], id="a first weekend may be so"),
        pytest.param(hours(9, 100, 100, 100, running=4), ["fallen"], id="so low it cannot be"),
        pytest.param(hours(5, 19, running=9), [], id="too few to judge"),
        pytest.param(hours(49, 100, running=50), [], id="less than half may be chance"),
        pytest.param(hours(1_000, 1_000, running=100), ["fallen"], id="the hour that runs has fallen"),
        pytest.param(hours(1_000, 1_000, now=NOON + 60), [], id="an hour that has just begun"),
        pytest.param(hours(301, 100, running=50), ["surged"], id="over three times"),
        pytest.param(hours(300, 100, running=50), [], id="three times"),
        pytest.param(hours(100, 100, running=301), ["surged"], id="the hour that runs has surged"),
        pytest.param(hours(60, 1, running=1), [], id="a rare name needs many to surge"),
        pytest.param(hours(0, 100), ["silence"], id="nothing"),
        pytest.param(hours(0, 7), [], id="nothing, where little was to come"),
        pytest.param(hours(40, 100, 100, 100, 40, 100, 100, 40, running=50), [], id="like a week ago"),
        pytest.param(hours(301, 100, key=NO_EVENT), ["surged"], id="what is no event"),
        pytest.param(hours(0, 100, key=EventKey("s", "", "*")), [], id="others cannot cease"),
    ],
)
def test_an_hour_with_far_more_or_fewer_events_than_usual_is_told(facts: NameFacts, expected: list[str]) -> None:
    assert kinds(facts) == expected


def test_thresholds_are_settings() -> None:
    given = hours(30, 100, running=15)
    assert kinds(given, AlertSettings.model_construct(alert_limits=AlertLimits(fall=0.2))) == []
    assert kinds(given, AlertSettings.model_construct(alert_limits=AlertLimits(least_events=101))) == []
    assert kinds(hours(100, 20, running=9), AlertSettings.model_construct(alert_limits=AlertLimits(surge=6))) == []


def test_what_is_usual_is_the_median_and_the_same_weekday() -> None:
    at = NOON
    days = dict.fromkeys(range(1, 8), 100) | {2: 9_000, 7: 40}
    history = {at - day * DAY_S: count for day, count in days.items()}
    assert usual(history, at) == (40, 100)
    assert usual({at - DAY_S: 1, at - 2 * DAY_S: 1}, at) is None
    assert usual({at - day * DAY_S: 100 for day in (1, 2, 3)}, at) == (50, 200)
    assert usual({at - 3 * DAY_S: 9}, at) == (0, 0)


def shares(now: dict[str, int], before: dict[str, int]) -> NameFacts:
    """Outcomes of the last full hour, and of the days before."""
    full_at = NOON - HOUR_S
    lately = {ORDER: {full_at: {(Measure.OUTCOME, outcome): count for outcome, count in now.items()}}}
    return NameFacts(
        now=NOON,
        history={ORDER: {full_at: 1}},
        lately=lately,
        before={ORDER: {(Measure.OUTCOME, outcome): count for outcome, count in before.items()}},
    )


@every_row(
    ("now", "before", "expected"),
    [
        ({"enqueued": 50, "invalid": 50}, {"enqueued": 990, "invalid": 10}, ["invalid"]),
        ({"enqueued": 85, "invalid": 15}, {"enqueued": 990, "invalid": 10}, []),
        ({"enqueued": 10, "invalid": 9}, {"enqueued": 990, "invalid": 10}, []),
        ({"enqueued": 10, "invalid": 12}, {"enqueued": 700, "invalid": 300}, []),
        ({"enqueued": 50, "invalid": 50}, {"enqueued": 10, "invalid": 9}, []),
        ({"unmatched": 50}, {"unmatched": 990}, []),
        ({"unmatched": 50}, {"enqueued": 990}, ["unmatched"]),
        ({"enqueued": 50, "refused": 50}, {"enqueued": 990}, []),
    ],
    ids=["half", "not so much more", "too few", "chance", "nothing known", "always so", "newly so", "another outcome"],
)
def test_an_exit_that_takes_a_larger_share_than_usual_is_told(
    now: dict[str, int], before: dict[str, int], expected: list[str]
) -> None:
    assert kinds(shares(now, before)) == expected


def test_a_text_says_what_where_how_much_and_leads_to_the_page() -> None:
    rules, hour_at = AlertSettings.model_construct(public_url="https://relay.shop.example"), NOON - HOUR_S
    (alert,) = by_name(shares({"enqueued": 50, "invalid": 50}, {"enqueued": 990, "invalid": 10}), rules)
    assert alert.text == (
        "Order Completed from shop: 50 of 100 (50%) were invalid in the last full hour, usually 1%. "
        "https://relay.shop.example/console/deliveries?name=Order+Completed&source=shop&outcome=invalid"
        f"&since={hour_at}&until={NOON}"
    )
    (alert,) = by_name(shares({"enqueued": 50, "unmatched": 50}, {"enqueued": 990, "unmatched": 10}), rules)
    assert alert.text.endswith(
        " https://relay.shop.example/console/inventory/name?source=shop&type=track&name=Order+Completed"
    )
    (fallen,) = by_name(hours(30, 100, running=15), RULES)
    assert fallen.text == "Order Completed from shop has fallen: 30 in the last full hour, usually 100."
    (silent,) = by_name(hours(0, 100), RULES)
    assert silent.text == "The source shop is silent: no event for 23.5 hours, 150 expected."
    assert (silent.source, silent.events, silent.since) == ("shop", 150, NOON - 23 * HOUR_S)
    others = hours(100, 100, running=50, key=VIEW).history
    (ceased,) = by_name(replace(given := hours(0, 100), history={**given.history, **others}), RULES)
    assert ceased.text == "Order Completed from shop has stopped: none for 23.5 hours, 150 expected."


def test_of_many_names_those_that_matter_most_are_told_and_the_others_counted() -> None:
    history = {}
    for n in range(1, 9):
        (one,) = hours(0, 100 * n).history.values()
        history[EventKey("shop", "track", f"name {n}")] = one
    history |= hours(100, 100, running=50).history
    alerts = by_name(NameFacts(now=NOON + HOUR_S / 2, history=history), RULES)
    assert [alert.key for alert in alerts] == [
        *(f"ceased: shop/track/name {n}" for n in range(8, 8 - MOST_TOLD, -1)),
        "ceased: others",
    ]
    assert "3 more event names" in alerts[-1].text


def test_changes_are_told_new_names_only_where_they_come_often() -> None:
    found = [
        Change(key=ORDER, what="vanished property", label="properties.total number"),
        Change(key=VIEW, what="new name", received=19),
        Change(key=PAGE, what="new name", received=20),
    ]
    alerts = by_name(NameFacts(now=NOON, history={}, changes=found), RULES)
    assert [alert.text for alert in alerts] == [
        "Order Completed from shop: properties.total number is missing.",
        "page from shop is new.",
    ]
    many = [Change(key=ORDER, what="new property", label=f"properties.{n} text") for n in range(30)]
    alerts = by_name(NameFacts(now=NOON, history={}, changes=many), RULES)
    assert (len(alerts), alerts[-1].text) == (2 * MOST_TOLD + 1, "20 more changes. See the inventory.")
