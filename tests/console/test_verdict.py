"""What needs a person: a line for each problem and ad account, ordered by what it costs."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.console.verdict import HealthFacts, Need, needs_of, quiet_line
from app.core.pages import AccountView, Backlog, DeadLoss
from app.core.shared_values import ClockJump, SetAside
from app.insights.alerts.overall import Alert
from app.sender.status import (
    PROBLEM_STATES,
    AccountStatus,
    DeliveryProblem,
    delivery_problems,
    problems_of_refused_rows,
)
from tests.console.world import ACCOUNT, NOW
from tests.rows import every_row
from tests.sender.claims import a_trouble

HOUR = 3_600
EU, US = (AccountView(ad_account_id=which, name=name, live=True) for which, name in (("1", "EU"), ("2", "US")))
ALONE = AccountView(ad_account_id=ACCOUNT, live=True)
JUMP = ClockJump(before=NOW - 86_400, after=NOW)
REFUSED = SetAside(doing="claim", ad_account_id="1", why="CHECK failed", since=NOW, again_at=NOW)


def problems(**different: Any) -> list[DeliveryProblem]:
    """Return what keeps delivery from being well: the destination is blocked, where nothing else is said."""
    trouble = a_trouble(reason="the token is not valid", next_probe_at=NOW + 125, since=NOW - HOUR)
    given: dict[str, Any] = {"trouble": trouble, "switched_off": False} | different
    return delivery_problems(given.pop("trouble"), now=NOW, **given)


def account(view: AccountView = ALONE, found: list[DeliveryProblem] | None = None, **backlog: Any) -> AccountStatus:
    return AccountStatus(account=view, backlog=Backlog(**backlog), problems=found or [])


def facts(*accounts: AccountStatus, **different: Any) -> HealthFacts:
    standard: dict[str, Any] = {
        "now": NOW,
        "live": True,
        "accounts": accounts or (account(),),
        "received": 1_200,
        "matched": 300,
        "invalid": 0,
        "period_words": "in the last 24 hours",
    }
    return HealthFacts(**(standard | different))


def loss(count: int, amount: str = "0", **different: Any) -> DeadLoss:
    standard: dict[str, Any] = {"reason": "bad currency", "ad_account_id": ACCOUNT, "currency": "EUR"}
    times = {"first_at": NOW - HOUR, "last_at": NOW}
    return DeadLoss(**(standard | times | {"count": count, "amount": Decimal(amount)} | different))


OFF = problems(trouble=None, switched_off=True)
PRESET_OFF = problems(trouble=None, presets_off=["Lead"])
LATE: dict[str, Any] = {"pending": 1, "oldest_at": NOW - 7_300}


@every_row(
    ("rule", "given", "level", "said"),
    [
        ("dead letters by Pinterest's words", facts(losses=[loss(1)]), "warn", "1 event was rejected: bad currency."),
        ("one in ten invalid is borne", facts(invalid=30), None, ""),
        ("more is not", facts(invalid=31), "warn", "31 events of 300 matched ones could not be sent in the last 24"),
        ("an hour is borne", facts(account(pending=1, oldest_at=NOW - HOUR)), None, ""),
        ("more is late", facts(account(**LATE)), "bad", "Deliveries are late: the oldest has waited for 2 hours."),
        (
            "what waits for a preset that is off is not late",
            facts(account(ALONE, PRESET_OFF, **LATE)),
            "warn",
            "Lead is",
        ),
        ("switched off", facts(account(ALONE, OFF)), "warn", "Sending is switched off"),
        ("blocked", facts(account(ALONE, problems())), "bad", "Pinterest refuses our calls: the token is not valid."),
        ("whose", facts(account(EU, problems())), "bad", "EU: Pinterest refuses our calls"),
        (
            "failing",
            facts(account(ALONE, problems(trouble=a_trouble(state="failing")))),
            "bad",
            "Calls to Pinterest fail",
        ),
        (
            "rate limited",
            facts(account(ALONE, problems(trouble=a_trouble(state="rate limited")))),
            "warn",
            "limits our",
        ),
        ("full", facts(account(ALONE, problems(trouble=None, full="1 GB"))), "bad", "The backlog is full"),
        ("filling", facts(account(ALONE, problems(trouble=None, full_in_s=600))), "warn", "it is full in 10 minutes"),
        ("rows", facts(account(ALONE, problems_of_refused_rows({"delivery/1": REFUSED}))), "bad", "change 1 delivery"),
        ("the clock", facts(account(ALONE, problems(trouble=None, jumps=[JUMP]))), "warn", "jumped forward by 1 day"),
        ("too few events", facts(alerts=[Alert(key="volume", text="Too few events: 3. Check it.")]), "warn", "Too few"),
    ],
)
def test_each_state_is_a_line(rule: str, given: HealthFacts, level: str | None, said: str) -> None:
    found = needs_of(given)
    assert [need.level for need in found] == ([] if level is None else [level]), rule
    assert all(said in need.sentence for need in found)


def test_every_problem_is_a_line_and_of_all_ad_accounts_one() -> None:
    """Not the first alone: each state of each ad account, and what concerns all of them once."""
    for state in PROBLEM_STATES:
        one = DeliveryProblem(state=state, sentence=f"It is {state}.", remedy="Mend it.")
        found = needs_of(facts(account(EU, [one], pending=2), account(US, [one], pending=3)))
        is_of_all = state in {"preset switched off", "rows refused", "clock"}
        assert len(found) == (1 if is_of_all else 2), state
    both = needs_of(facts(account(EU, [*problems(), *OFF]), account(US, OFF), losses=[loss(1, ad_account_id="1")]))
    assert len(both) == 4


def test_what_costs_most_an_hour_comes_first_then_what_is_most_events() -> None:
    dear = loss(1, "900", reason="dear")
    slow = loss(1, "5000", reason="slow", first_at=NOW - 100 * HOUR)
    many, few = loss(500, reason="many"), loss(2, reason="few")
    waits = account(EU, problems(), pending=7, oldest_at=NOW - HOUR)
    given = facts(waits, account(), losses=[few, many, slow, dear], waiting_worth={"1": {"EUR": Decimal(100)}})
    words = ["dear", "refuses our calls", "slow", "many", "few"]
    assert all(said in need.sentence for said, need in zip(words, needs_of(given), strict=True))
    turned_away = needs_of(replace(given, unavailable="The disk is full: free some space."))
    assert (turned_away[0].sentence, len(turned_away)) == ("Events are turned away: they cannot be kept.", 6)


def test_a_line_says_since_when_what_it_costs_and_what_to_do() -> None:
    waits = account(EU, problems(), pending=4, claimed=1, oldest_at=NOW - HOUR)
    (blocked,) = needs_of(facts(waits, waiting_worth={"1": {"EUR": Decimal("12.5"), "CHF": Decimal(30)}}))
    assert (blocked.since, blocked.events, blocked.money) == (NOW - HOUR, 5, ["30.00 CHF", "12.50 EUR"])
    assert "The next try is in 2 minutes." in blocked.detail
    assert blocked.act
    assert (blocked.act.label, blocked.act.page) == ("See what waits", "deliveries?state=waiting&ad_account_id=1")


def test_of_one_reason_and_ad_account_currencies_are_summed_apart_and_presets_are_one_line() -> None:
    found = needs_of(
        facts(
            account(EU),
            account(US),
            losses=[
                loss(3, "10", ad_account_id="1"),
                loss(2, "5", ad_account_id="1", currency="USD"),
                loss(1, ad_account_id="2"),
                loss(9, ad_account_id="gone"),
            ],
        )
    )
    assert [(need.events, need.money) for need in found] == [(5, ["10.00 EUR", "5.00 USD"]), (1, [])]
    assert found[0].act
    assert "cause=bad+currency" in found[0].act.page


def test_an_alert_that_is_a_line_already_is_no_second_one() -> None:
    alerts = [
        Alert(key=key, text="Told. Do it.") for key in ("EU: blocked", "EU: dead", "backlog", "tag: checkout", "x")
    ]
    found = needs_of(facts(account(EU, problems()), alerts=alerts))
    assert [need.act.label for need in found if need.act] == ["See what waits", "See the tag check", "See the events"]
    assert {(need.sentence, need.detail) for need in found[1:]} == {("Told.", "Do it.")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (facts(), "Nothing needs you. All events to be sent in the last hour were delivered."),
        (facts(live=False), "were delivered to the sandbox."),
        (facts(account(pending=1, oldest_at=NOW - 5)), "were delivered; 1 delivery is on the way."),
        (facts(received=0), "Nothing was received in the last 24 hours. If events should arrive, check the source."),
    ],
)
def test_where_nothing_needs_a_person_one_quiet_line_says_so(given: HealthFacts, said: str) -> None:
    assert needs_of(given) == []
    assert said in quiet_line(given)


def test_a_need_without_a_time_or_money_has_its_place() -> None:
    assert Need(level="warn", sentence="x").rank(NOW) == (0, 0, True)
