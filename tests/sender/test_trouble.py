"""What calls without a verdict mean for those to come: each row shows its arithmetic."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.deliveries import Blocked, Rejected, Retry
from app.core.shared_values import Trouble
from app.sender.circuit_breaker import CallSignal, CallsInARow, probing, signal_of, wait_s, worsened
from tests.rows import every_row
from tests.sender.claims import NOW, a_policy, a_trouble

POLICY = a_policy(retry_base_s=1, retry_max_pause_s=100, send_timeout_s=30)


def a_sign(state: Any = "failing", **different: Any) -> CallSignal:
    standard = {"state": state, "reason": "broke", "status": None, "since": NOW}
    return CallSignal(**(standard | different))


def after(
    before: Trouble | None, sign: CallSignal, *, token: str = "one", now: float = NOW, probe: bool = False
) -> Trouble:
    return worsened(before, sign, POLICY, token=token, now=now, probe=probe)


@every_row(
    ("result", "state", "retry_after_s"),
    [
        (Blocked(reason="no", status=401), "blocked", 0),
        (Rejected(reason="no", status=400), "refusing", 0),
        (Retry(reason="busy", status=503, retry_after_s=7), "failing", 7),
        (Retry(reason="busy", status=429, retry_after_s=7), "rate limited", 7),
        (Retry(reason="busy", status=429, retry_after_s=-7), "rate limited", 0),
        (Retry(reason="no answer"), "failing", 0),
    ],
)
def test_what_a_call_is_a_sign_of(result: Blocked | Retry | Rejected, state: str, retry_after_s: float) -> None:
    sign = signal_of(result, now=NOW)

    assert (sign.state, sign.reason, sign.status) == (state, result.reason, result.status)
    assert (sign.retry_after_s, sign.since) == (retry_after_s, NOW)


@every_row(
    ("sign", "calls", "is_trouble"),
    [
        (a_sign(), 1, False),  # chance
        (a_sign(), 2, False),
        (a_sign(), 3, True),
        (a_sign("refusing"), 2, False),  # one bad event, tried again
        (a_sign("refusing"), 3, True),
        (a_sign("rate limited"), 2, False),
        (a_sign("rate limited", retry_after_s=1), 1, True),  # Pinterest asks for it
        (a_sign("blocked"), 1, True),
    ],
)
def test_from_the_third_call_in_a_row_on_it_is_no_chance(sign: CallSignal, calls: int, *, is_trouble: bool) -> None:
    row = CallsInARow()
    for number in range(calls):
        row = row.longer(replace(sign, since=NOW + number), [str(number)])

    assert row.is_trouble(sign) == is_trouble
    assert row.since == NOW


@every_row(
    ("calls", "has_others", "is_trouble", "event"),
    [
        ([("blocked", "a")], False, True, "a"),  # there is nothing else to send
        ([("blocked", "a")], True, False, "a"),
        ([("blocked", "ab")], True, False, ""),
        ([("blocked", "a"), ("blocked", "a")], True, True, "a"),  # nothing else was sent between them
        ([("blocked", "a"), ("blocked", "b")], True, True, ""),
        ([("blocked", "abcd"), ("blocked", "ab")], True, False, ""),
        ([("blocked", "abcd"), ("blocked", "ab"), ("blocked", "cd")], True, True, ""),
        ([("blocked", "ab"), ("blocked", "cd"), ("blocked", "cd")], True, True, ""),
        ([("failing", "a"), ("blocked", "b")], True, False, ""),
        ([("failing", "a"), ("failing", "a"), ("failing", "a")], False, True, "a"),
        ([("failing", "a"), ("failing", "b"), ("failing", "b")], False, True, ""),
    ],
)
def test_an_account_is_blocked_if_calls_with_other_events_are(
    calls: list[tuple[Any, str]], event: str, *, has_others: bool, is_trouble: bool
) -> None:
    row = CallsInARow()
    for state, events in calls:
        row = row.longer(a_sign(state), events)

    assert row.is_trouble(a_sign(calls[-1][0]), has_others=has_others) == is_trouble
    assert row.event == event


@every_row(
    ("before", "sign", "probe", "only"),
    [
        (None, "a", False, "a"),
        ("a", "a", True, "a"),
        ("a", "a", False, "a"),
        ("a", "", False, ""),  # a late answer to a call with other events
        ("a", "b", True, ""),
        ("", "b", True, ""),  # another process knows of others
    ],
)
def test_one_event_is_the_only_one_that_fails_until_another_does(
    before: str | None, sign: str, only: str, *, probe: bool
) -> None:
    trouble = None if before is None else a_trouble(state="failing", only=before)

    assert after(trouble, a_sign(only=sign), probe=probe).only == only


def test_a_batch_that_was_refused_whole_is_as_many_calls_as_that_took() -> None:
    assert CallsInARow().longer(a_sign("refusing"), ["1"], calls=3).is_trouble(a_sign("refusing"))


@every_row(
    ("sign", "pause_s"),
    [
        (a_sign(), 1),
        (a_sign("refusing"), 1),
        (a_sign(retry_after_s=30), 30),
        (a_sign(retry_after_s=500), 100),  # at most retry_max_pause_s
        (a_sign("blocked"), 60),
        (a_sign("blocked", status=403), 1),  # a firewall may refuse one event of each call: a probe shows it
        (a_sign("blocked", status=403, only="a"), 60),
    ],
)
def test_the_first_pause_is_as_long_as_the_sign_asks_for(sign: CallSignal, pause_s: float) -> None:
    found = after(None, replace(sign, since=NOW - 5))

    assert (found.state, found.since, found.pause_s, found.next_probe_at) == (
        sign.state,
        NOW - 5,
        pause_s,
        NOW + pause_s,
    )


@every_row(
    ("state", "pause_s", "sign", "longer_s"),
    [
        ("failing", 1, a_sign(), 2),
        ("failing", 64, a_sign(), 100),  # 2 * 64 = 128, at most 100
        ("failing", 1, a_sign("refusing"), 2),
        ("refusing", 8, a_sign("rate limited"), 16),
        ("failing", 4, a_sign(retry_after_s=30), 30),
        ("blocked", 60, a_sign("blocked"), 120),
        ("blocked", 1, a_sign("blocked", status=403), 60),
        ("blocked", 1_920, a_sign("blocked"), 3_600),  # 2 * 1920 = 3840, at most an hour
        ("blocked", 60, a_sign(), 1),  # the token may be well again: that is another trouble
        ("failing", 64, a_sign("blocked"), 60),
    ],
)
def test_a_probe_without_a_verdict_doubles_the_pause(
    state: Any, pause_s: float, sign: CallSignal, longer_s: float
) -> None:
    before = a_trouble(state=state, since=NOW - 999, pause_s=pause_s, token="one")

    found = after(before, sign, probe=True)

    assert (found.state, found.pause_s, found.next_probe_at) == (sign.state, longer_s, NOW + longer_s)
    is_same_trouble = (state == "blocked") == (sign.state == "blocked")
    assert found.since == (NOW - 999 if is_same_trouble else sign.since)


def test_another_token_that_is_refused_too_begins_with_the_shortest_pause() -> None:
    before = a_trouble(state="blocked", since=NOW - 999, pause_s=3_600, token="one")

    found = after(before, a_sign("blocked"), token="two", probe=True)

    assert (found.since, found.pause_s, found.token) == (NOW - 999, 60, "two")


@every_row(
    ("before", "sign"),
    [
        ("failing", a_sign()),
        ("failing", a_sign("refusing")),
        ("failing", a_sign(retry_after_s=5)),  # 5 s are over before the next probe
        ("blocked", a_sign("blocked")),
        ("blocked", a_sign()),
    ],
)
def test_calls_that_were_under_way_say_nothing_new(before: Any, sign: CallSignal) -> None:
    trouble = a_trouble(state=before, pause_s=8, next_probe_at=NOW + 8)

    assert after(trouble, sign) == trouble


def test_calls_that_were_under_way_tell_of_a_refused_token_and_of_a_longer_pause() -> None:
    trouble = a_trouble(state="failing", since=NOW - 9, pause_s=8, next_probe_at=NOW + 8)

    assert after(trouble, a_sign("blocked")).state == "blocked"
    longer = after(trouble, a_sign("rate limited", retry_after_s=30))
    assert longer == replace(trouble, pause_s=30, next_probe_at=NOW + 30)


@every_row(
    ("state", "token", "now", "wait"),
    [
        ("failing", "one", NOW, 60),
        ("failing", "two", NOW, 60),  # it is not the token's fault
        ("failing", "one", NOW + 59, 1),
        ("failing", "one", NOW + 60, 0),
        ("failing", "one", NOW + 4 * 86_400, 0),
        ("failing", "one", NOW - 3_600, 90),  # the clock was set back: 60 and a call of 30
        ("blocked", "one", NOW, 60),
        ("blocked", "two", NOW, 0),
    ],
)
def test_a_probe_waits_for_the_pause_or_for_another_token(state: Any, token: str, now: float, wait: float) -> None:
    trouble = a_trouble(state=state, pause_s=60, next_probe_at=NOW + 60, token="one")

    assert wait_s(trouble, POLICY, token=token, now=now) == wait


@pytest.mark.parametrize(("state", "token", "pause_s"), [("blocked", "one", 240), ("blocked", "two", 60)])
def test_while_a_probe_is_under_way_no_other_is_sent(state: Any, token: str, pause_s: float) -> None:
    before = a_trouble(state=state, next_probe_at=NOW, pause_s=240, token="one")

    found = probing(before, POLICY, token=token, now=NOW)

    assert wait_s(found, POLICY, token=token, now=NOW) == 30 + pause_s


SIGNS = st.builds(
    a_sign,
    st.sampled_from(["blocked", "refusing", "failing", "rate limited"]),
    retry_after_s=st.floats(0, 10_000),
    since=st.just(NOW),
)


@given(signs=st.lists(st.tuples(SIGNS, st.booleans(), st.sampled_from(["one", "two"])), min_size=1))
def test_no_pause_is_longer_than_the_longest(signs: list[tuple[CallSignal, bool, str]]) -> None:
    trouble, now = None, NOW
    for sign, probe, token in signs:
        trouble = after(trouble, sign, token=token, now=now, probe=probe)
        assert 0 < trouble.pause_s <= (3_600 if trouble.state == "blocked" else 100)
        assert -1e-6 < trouble.next_probe_at - now < trouble.pause_s + 1e-6
        now += 1
