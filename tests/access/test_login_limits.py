"""How often a password may be got wrong."""

import pytest

from app.access.sessions import MAX_WRONG, MAX_WRONG_REMEMBERED, WINDOW_S, LoginLimiter
from tests.rows import every_row

NOW = 1_795_000_000.0
ONE = "192.0.2.7"


def after(wrong: int, client: str | None) -> LoginLimiter:
    limiter = LoginLimiter()
    for _ in range(wrong):
        limiter.failed(client, now=NOW)
    return limiter


@every_row(
    ("wrong", "asks", "later_s", "waits_s"),
    [
        (MAX_WRONG - 1, ONE, 0, 0),
        (MAX_WRONG, ONE, 0, 61),
        (MAX_WRONG, ONE, 59.5, 1),
        (MAX_WRONG, ONE, WINDOW_S, 0),
        (MAX_WRONG_REMEMBERED, "192.0.2.8", 0, 0),
    ],
)
def test_five_wrong_ones_a_minute_make_one_client_wait_and_no_other(
    wrong: int, asks: str, later_s: float, waits_s: int
) -> None:
    assert after(wrong, ONE).wait_s(asks, now=NOW + later_s) == waits_s


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer() -> None:
    assert after(MAX_WRONG, ONE).wait_s(ONE, now=NOW - 3_600) == 0


@pytest.mark.parametrize(
    ("tried", "asks", "waits"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        (None, None, True),
        (None, ONE, False),
    ],
)
def test_a_client_of_ipv6_is_a_network(tried: str | None, asks: str | None, *, waits: bool) -> None:
    assert bool(after(MAX_WRONG, tried).wait_s(asks, now=NOW)) is waits


def test_what_is_remembered_of_many_clients_is_bounded() -> None:
    limiter = after(MAX_WRONG, ONE)
    for number in range(MAX_WRONG_REMEMBERED):
        limiter.failed(f"10.0.{number // 250}.{number % 250}", now=NOW)
    assert limiter.wait_s(ONE, now=NOW) == 0
