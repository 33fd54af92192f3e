"""From outcomes to settlements and counts."""

from typing import Any

import pytest

from app.delivery import after_loss, settle, status_label, tallies
from app.types import (
    LEASE_LOST,
    MAX_LABEL_CHARACTERS,
    Blocked,
    Delivered,
    Outcome,
    Rejected,
    Retry,
    Settlement,
    State,
    Tally,
)
from tests.delivery.claims import NOW, a_claim, a_policy


def settled(outcome: Outcome, *, preset: str = "Checkout", attempt: int = 1) -> Settlement:
    return settle(a_claim(preset=preset, attempt=attempt), outcome, a_policy(), now=NOW, chance=0.5)


@pytest.mark.parametrize(
    ("outcome", "state", "due_at", "give_back"),
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
def test_each_outcome_has_its_state(outcome: Outcome, state: State, due_at: float | None, *, give_back: bool) -> None:
    settlement = settled(outcome)

    assert settlement.outcome is outcome
    assert (settlement.state, settlement.due_at, settlement.give_back) == (state, due_at, give_back)


def test_what_is_not_worth_another_attempt_is_dead_and_says_why() -> None:
    settlement = settled(Retry(reason="busy", status=503), attempt=20)

    assert settlement.state is State.DEAD
    assert settlement.outcome == Rejected(reason="given up after 20 attempts: busy", status=503)


def test_what_was_not_tried_has_no_limit() -> None:
    assert settled(Retry(reason="stop", tried=False), attempt=20).state is State.PENDING


# the attempt that was lost is the one before the claim's
@pytest.mark.parametrize(
    ("changes", "resend", "reason"),
    [
        ({"action_source": "web", "attempt": 2}, False, None),
        ({"action_source": "app_ios", "attempt": 20}, False, None),
        ({"action_source": "web", "attempt": 21}, False, f"given up after 20 attempts: {LEASE_LOST}"),
        ({"action_source": "web", "attempt": 2, "enqueued_at": NOW - 73 * 3_600}, False, "given up after 72 hours: "),
        ({"action_source": "offline", "attempt": 2}, True, None),
        ({"action_source": "offline", "attempt": 2}, False, "Pinterest cannot de-duplicate offline events"),
    ],
    ids=["web", "app, one try left", "no try left", "too old", "offline, as the setting says", "offline"],
)
def test_after_a_lost_lease_what_may_be_sent_again_is(
    changes: dict[str, Any], *, resend: bool, reason: str | None
) -> None:
    settlement = after_loss(a_claim(**changes), a_policy(retry_offline_ambiguous=resend), now=NOW)

    assert (settlement is None) is (reason is None)
    if settlement is not None:
        assert isinstance(settlement.outcome, Rejected)
        assert (settlement.state, settlement.give_back) == (State.DEAD, False)
        assert str(reason) in settlement.outcome.reason


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

    assert tallies(settlements) == [
        Tally(name="delivered", preset="Checkout", label="200", count=2),
        Tally(name="warning", preset="Checkout", label="w" * MAX_LABEL_CHARACTERS, count=1),
        Tally(name="delivered", preset="Lead", label="200", count=1),
        Tally(name="rejected", preset="Checkout", label="422", count=1),
        Tally(name="retry", preset="Checkout", label="failure", count=1),
        Tally(name="blocked", preset="Checkout", label="401", count=1),
    ]


def test_a_call_without_an_answer_is_a_failure() -> None:
    assert (status_label(None), status_label(429)) == ("failure", "429")
