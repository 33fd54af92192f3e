"""The token bucket: each row shows its arithmetic; and the limit holds within any minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.shared_values import RATE, Bucket
from app.outbox import Outbox
from app.sender.rate_limit import Limiter, take
from tests.rows import every_row
from tests.sender.overtaken import Overtaken


@every_row(
    ("bucket", "wanted", "now", "granted", "left"),
    [
        (None, 8, 100.0, 8, 2.0),  # a full one of 600 / 60 * 1 s = 10
        (None, 99, 100.0, 10, 0.0),
        (Bucket(calls=0, at=100.0), 8, 100.0, 0, 0.0),
        (Bucket(calls=0, at=100.0), 8, 100.5, 4, 0.9166667),  # 0.5 s * 590 / 60 = 4.9166667
        (Bucket(calls=1, at=100.0), 1, 100.0, 1, 0.0),
        (Bucket(calls=5, at=100.0), 99, 999.0, 10, 0.0),  # never more than it holds
        (Bucket(calls=5, at=100.0), 1, 99.0, 1, 4.0),  # another machine's clock is behind: nothing flows in
        (Bucket(calls=5, at=500.0), 1, 100.0, 0, 0.0),  # the clock was set back: begin anew, empty
    ],
)
def test_calls_flow_in_evenly(bucket: Bucket | None, wanted: int, now: float, granted: int, left: float) -> None:
    grant = take(bucket, wanted, max_calls_per_minute=600, now=now)

    assert grant.calls == granted
    assert grant.bucket.calls == pytest.approx(left)
    assert (grant.wait_s > 0) == (granted == 0)


def test_the_wait_is_until_the_next_call_has_flowed_in() -> None:
    grant = take(Bucket(calls=0.5, at=100.0), 8, max_calls_per_minute=120, now=100.0)

    assert grant.wait_s == pytest.approx(0.5 / (118 / 60))
    assert take(grant.bucket, 8, max_calls_per_minute=120, now=100.0 + grant.wait_s + 1e-6).calls == 1


def test_one_call_a_minute_is_possible() -> None:
    assert take(Bucket(calls=0, at=0.0), 1, max_calls_per_minute=1, now=120.0).calls == 1


@given(
    limit=st.integers(2, 5_000),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=200),
    wanted=st.integers(1, 100),
)
def test_within_any_minute_no_more_is_granted_than_allowed(limit: int, pauses: list[float], wanted: int) -> None:
    bucket, now = None, 0.0
    granted: list[tuple[float, int]] = []
    for pause in pauses:
        now += pause
        grant = take(bucket, wanted, max_calls_per_minute=limit, now=now)
        bucket = grant.bucket
        granted.append((now, grant.calls))

    for start, _ in granted:
        assert sum(calls for at, calls in granted if start <= at < start + 60) <= limit + 1e-6


def limiter(outbox: Outbox, *, max_calls_per_minute: int = 600) -> Limiter:
    return Limiter(outbox, ad_account_id="42", max_calls_per_minute=max_calls_per_minute)


async def test_processes_share_one_bucket(outbox: Outbox) -> None:
    one, other = limiter(outbox), limiter(outbox)

    granted = [await each.take(now=100.0) == 0 for each in (one, other) for _ in range(10)]

    assert granted.count(True) == 10  # 600 / 60 * 1 s


async def test_a_wait_is_told_where_nothing_is_left(outbox: Outbox) -> None:
    one = limiter(outbox, max_calls_per_minute=60)

    assert await one.take(now=100.0) == 0
    assert 0 < await one.take(now=100.0) <= 60 / 59 + 1e-9
    assert await one.take(now=102.0) == 0


async def test_several_calls_are_reserved_at_once_and_lapse(outbox: Outbox) -> None:
    one = limiter(outbox)

    await one.take(now=100.0)
    reserved = await RATE.of("42").read_revised(outbox)
    await one.take(now=100.5)
    unchanged = await RATE.of("42").read_revised(outbox)
    await one.take(now=101.5)
    renewed = await RATE.of("42").read_revised(outbox)

    assert reserved.value == Bucket(calls=2, at=100.0)  # 10 - 8
    assert reserved.revision == unchanged.revision != renewed.revision


async def test_who_writes_second_asks_again_soon(outbox: Outbox) -> None:
    late = Limiter(Overtaken(outbox), ad_account_id="42", max_calls_per_minute=600)

    assert 0 < await late.take(now=100.0) < 0.1


async def test_a_clock_that_was_set_back_stops_no_call_for_longer_than_a_bucket_takes_to_fill(outbox: Outbox) -> None:
    assert await limiter(outbox).take(now=10_000.0) == 0

    now, set_back = 6_400.0, limiter(outbox)

    while wait_s := await set_back.take(now=now):
        now += wait_s
        assert now < 6_402
