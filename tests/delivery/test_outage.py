"""While Pinterest judges nothing, all calls pause."""

import pytest

from app.delivery import Outage, after_failure
from app.types import Retry
from tests.delivery.claims import a_policy

POLICY = a_policy(retry_base_s=1, retry_max_pause_s=100)


@pytest.mark.parametrize(
    ("calls", "pause_s"),
    [
        (1, 0),  # chance
        (2, 0),
        (3, 1),  # 1 * 2^0
        (4, 2),
        (9, 64),
        (10, 100),  # 2^7 = 128, at most 100
    ],
)
def test_from_the_third_failure_in_a_row_on_the_pause_doubles(calls: int, pause_s: float) -> None:
    outage = after_failure(Outage(calls=calls - 1), Retry(reason="broke"), POLICY, now=1_000)

    assert outage == Outage(calls=calls, resume_at=1_000 + pause_s)


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(0, 0), (30, 30), (500, 100)])
def test_what_pinterest_asks_for_holds_for_all_calls_from_the_first(retry_after_s: float, pause_s: float) -> None:
    retry = Retry(reason="busy", status=429, retry_after_s=retry_after_s)

    assert after_failure(Outage(), retry, POLICY, now=1_000).resume_at == 1_000 + pause_s


def test_a_later_failure_does_not_shorten_the_pause() -> None:
    assert after_failure(Outage(calls=1, resume_at=1_090), Retry(reason="broke"), POLICY, now=1_000).resume_at == 1_090
