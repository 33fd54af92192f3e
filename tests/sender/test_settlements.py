"""From results to settlements and counts."""

from functools import partial
from typing import Any

import pytest

from app.core.deliveries import LEASE_LOST, Blocked, CallResult, Delivered, Rejected, Retry, Settlement, State
from app.core.events import MAX_LABEL_CHARACTERS, CounterRow
from app.sender.settlements import after_loss, counters, settle, status_label, too_old
from tests.rows import every_row
from tests.sender.claims import NOW, a_claim, a_moment, a_policy


def settled(result: CallResult, *, preset: str = "Checkout", attempt: int = 1, **moment: Any) -> Settlement:
    return settle(a_claim(preset=preset, attempt=attempt), result, a_policy(), lambda _: a_moment(chance=0.5, **moment))


@every_row(
    ("result", "state", "due_at", "give_back"),
    [
        (Delivered(), State.DELIVERED, None, False),
        (Rejected(reason="bad", status=422), State.DEAD, None, False),
        (Blocked(reason="no", status=401), State.PENDING, NOW, True),
        (Retry(reason="busy", status=503), State.PENDING, NOW + 0.5, False),  # 0.5 * 1 * 2^0
        (Retry(reason="stop", tried=False), State.PENDING, NOW, True),
        (Retry(reason="off", tried=False, retry_after_s=60), State.PENDING, NOW + 60, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_result_has_its_state(result: CallResult, state: State, due_at: float | None, *, give_back: bool) -> None:
    settlement = settled(result)

    assert settlement.result is result
    assert (settlement.state, settlement.due_at, settlement.give_back) == (state, due_at, give_back)


def test_what_is_not_worth_another_attempt_is_dead_and_says_why() -> None:
    settlement = settled(Retry(reason="busy", status=503), attempt=20)

    assert settlement.state is State.DEAD
    assert settlement.result == Rejected(reason="given up after 20 attempts: busy", status=503)


def test_what_was_not_tried_has_no_limit() -> None:
    assert settled(Retry(reason="stop", tried=False), attempt=20).state is State.PENDING


def test_a_call_that_judged_nothing_uses_up_no_attempt() -> None:
    settlement = settled(Retry(reason="busy", status=503), attempt=20, judged=False)

    assert (settlement.state, settlement.give_back) == (State.PENDING, True)


def test_an_unknown_status_uses_no_attempt_beside_events_that_were_judged() -> None:
    """An offline event is sent again too, so that an unknown status alone makes no dead letter."""
    retry = Retry(reason="unknown", status=200, uses_attempt=False)
    claim = a_claim(attempt=1_000, action_source="offline")

    settlement = settle(claim, retry, a_policy(), lambda _: a_moment(chance=0.5, age_s=600))

    assert (settlement.state, settlement.due_at, settlement.give_back) == (State.PENDING, NOW + 300, True)


@every_row(
    ("changes", "age_s", "resend", "reason"),
    [
        ({"action_source": "web", "attempt": 2}, 0, False, None),
        ({"action_source": "app_ios", "attempt": 1_000}, 0, False, None),  # what was lost is no verdict
        ({"action_source": "web", "attempt": 2}, 73 * 3_600, False, f"given up after 72 hours: {LEASE_LOST}"),
        ({"action_source": "offline", "attempt": 2}, 0, True, None),
        ({"action_source": "offline", "attempt": 2}, 0, False, "Pinterest cannot de-duplicate offline events"),
    ],
    ids=["web", "app, however often", "too old", "offline, as the setting says", "offline"],
)
def test_after_a_lost_lease_what_may_be_sent_again_is(
    changes: dict[str, Any], age_s: float, *, resend: bool, reason: str | None
) -> None:
    settlement = after_loss(a_claim(**changes), a_policy(retry_offline_ambiguous=resend), now=NOW, age_s=age_s)

    assert (settlement is None) is (reason is None)
    if settlement is not None:
        assert isinstance(settlement.result, Rejected)
        assert (settlement.state, settlement.give_back) == (State.DEAD, False)
        assert str(reason) in settlement.result.reason


@pytest.mark.parametrize(("age_s", "is_given_up"), [(72 * 3_600 - 1, False), (72 * 3_600, True)])
def test_what_waits_longer_than_the_age_is_given_up_and_says_why_it_waited(age_s: float, *, is_given_up: bool) -> None:
    settlement = too_old(a_claim(), a_policy(), "Pinterest did not answer", age_s=age_s)

    assert (settlement is not None) == is_given_up
    if settlement is not None:
        assert settlement.state is State.DEAD
        assert settlement.result == Rejected(reason="given up after 72 hours: Pinterest did not answer")


def test_exits_are_counted_by_preset_and_status_and_warnings_by_their_first_words() -> None:
    warning = "w" * (MAX_LABEL_CHARACTERS + 1)
    settlements = [
        settled(Delivered()),
        settled(Delivered(warning=warning)),
        settled(Delivered(), preset="Lead"),
        settled(Rejected(reason="bad", status=422)),
        settled(Retry(reason="broke")),
        settled(Retry(reason="stop", tried=False)),
        settled(Blocked(reason="no", status=401)),
    ]

    told = partial(CounterRow, ad_account_id="42")
    assert counters(settlements) == [
        told(name="delivered", preset="Checkout", label="200", count=2),
        told(name="warning", preset="Checkout", label="w" * MAX_LABEL_CHARACTERS, count=1),
        told(name="delivered", preset="Lead", label="200", count=1),
        told(name="rejected", preset="Checkout", label="422", count=1),
        told(name="retry", preset="Checkout", label="failure", count=1),
        told(name="blocked", preset="Checkout", label="401", count=1),
    ]


def test_a_call_without_an_answer_is_a_failure() -> None:
    assert (status_label(None), status_label(429)) == ("failure", "429")
