"""When a delivery is tried again: each row shows its arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.deliveries import Rejected, Retry
from app.sender.retry import decide, pause_s
from tests.rows import every_row
from tests.sender.claims import NOW, a_claim, a_moment, a_policy

HOUR = 3_600


@every_row(
    ("attempt", "chance", "pause"),
    [
        (1, 1.0, 2.0),  # 1 * 2 * 2^0
        (1, 0.5, 1.0),  # 0.5 * 2 * 2^0
        (2, 1.0, 4.0),  # 1 * 2 * 2^1
        (5, 1.0, 32.0),  # 1 * 2 * 2^4
        (5, 0.25, 8.0),  # 0.25 * 2 * 2^4
        (5, 0.0, 0.0),  # 0 * ...
        (7, 1.0, 100.0),  # 2 * 2^6 = 128, at most 100
        (7, 0.5, 50.0),  # 0.5 * 100
        (10_000, 1.0, 100.0),  # no overflow
    ],
)
def test_the_pause_doubles_up_to_a_bound_and_is_drawn_evenly_below(attempt: int, chance: float, pause: float) -> None:
    assert pause_s(attempt, a_policy(retry_base_s=2, retry_max_pause_s=100), chance=chance) == pause


@every_row(
    ("retry_after_s", "due_at"),
    [
        (None, NOW + 2),  # 0.5 * 1 * 2^2: the third attempt
        (0.0, NOW),
        (30.0, NOW + 30),
        (600.0, NOW + 600),
        (86_400.0, NOW + 600),  # at most retry_max_pause_s
        (-5.0, NOW),  # at least 0
        (float("inf"), NOW + 600),
    ],
)
def test_what_pinterest_asks_for_takes_the_place_of_chance_within_bounds(
    retry_after_s: float | None, due_at: float
) -> None:
    retry = Retry(reason="slow down", status=429, retry_after_s=retry_after_s)

    assert decide(a_claim(attempt=3), retry, a_policy(), a_moment(chance=0.5)) == due_at


@every_row(
    ("attempt", "age_s", "reason"),
    [
        (1, 0, None),
        (19, 0, None),
        (20, 0, "given up after 20 attempts: broke"),
        (21, 0, "given up after 21 attempts: broke"),
        (1, 72 * HOUR - 1, None),
        (1, 72 * HOUR, "given up after 72 hours: broke"),
        (20, 72 * HOUR, "given up after 20 attempts: broke"),
    ],
)
def test_attempts_and_age_have_limits(attempt: int, age_s: float, reason: str | None) -> None:
    decision = decide(a_claim(attempt=attempt), Retry(reason="broke"), a_policy(), a_moment(age_s=age_s))

    assert decision == (Rejected(reason=reason) if reason else NOW)


@every_row(
    ("action_source", "ambiguous", "allowed", "dead"),
    [
        ("offline", True, False, True),
        ("offline", True, True, False),
        ("offline", False, False, False),
        ("web", True, False, False),
        ("app_ios", True, False, False),
    ],
)
def test_an_offline_event_that_may_have_arrived_is_sent_again_only_where_the_setting_says_so(
    action_source: str, *, ambiguous: bool, allowed: bool, dead: bool
) -> None:
    decision = decide(
        a_claim(action_source=action_source),
        Retry(reason="no answer in time", ambiguous=ambiguous),
        a_policy(retry_offline_ambiguous=allowed),
        a_moment(),
    )

    assert isinstance(decision, Rejected) == dead
    if isinstance(decision, Rejected):
        assert decision.reason.endswith("RETRY_OFFLINE_AMBIGUOUS sends them again): no answer in time")


@every_row(
    ("age_s", "chance", "pause"),
    [
        (0, 1.0, 1),  # at least retry_base_s
        (30, 1.0, 30),  # as long as it waited: the time doubles
        (30, 0.5, 15),
        (5 * HOUR, 1.0, 600),  # at most retry_max_pause_s
        (5 * HOUR, 0.1, 60),
    ],
)
def test_what_pinterest_did_not_judge_is_tried_again_by_the_time_it_has_waited(
    age_s: float, chance: float, pause: float
) -> None:
    """However often that was."""
    moment = a_moment(age_s=age_s, chance=chance, judged=False)

    for attempt in (1, 20, 1_000):
        assert decide(a_claim(attempt=attempt), Retry(reason="broke"), a_policy(), moment) == NOW + pause


def test_what_pinterest_did_not_judge_is_given_up_by_age_alone() -> None:
    moment = a_moment(age_s=72 * HOUR, judged=False)

    decision = decide(a_claim(attempt=1_000), Retry(reason="broke"), a_policy(), moment)

    assert decision == Rejected(reason="given up after 72 hours: broke")


@given(failures=st.lists(st.floats(0, 1, exclude_max=True), max_size=500))
def test_no_outage_within_the_age_kills_what_pinterest_did_not_judge(failures: list[float]) -> None:
    age_s = 0.0
    for chance in failures:
        moment = a_moment(now=NOW + age_s, age_s=age_s, chance=chance, judged=False)
        decision = decide(a_claim(), Retry(reason="broke"), a_policy(), moment)
        if isinstance(decision, Rejected):
            assert age_s >= 72 * HOUR
            return
        age_s = max(age_s, decision - NOW) + 30  # and the call itself


@given(attempt=st.integers(1, 10**6), chance=st.floats(0, 1, exclude_max=True))
def test_no_pause_is_negative_or_beyond_the_bound(attempt: int, chance: float) -> None:
    assert 0 <= pause_s(attempt, a_policy(), chance=chance) <= a_policy().retry_max_pause_s
