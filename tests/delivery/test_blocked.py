"""The blocked destination: pauses between probes, and what ends them."""

import pytest

from app.delivery.blocked import MAX_PAUSE_S, MIN_PAUSE_S, Block, block, probing, wait_s
from app.types import Blocked

REFUSED = Blocked(reason="Authentication failed.", status=401)
FIRST = Block(reason=REFUSED.reason, status=401, since=1_000, next_probe_at=1_060, pause_s=MIN_PAUSE_S, token="old")


def test_the_first_refusal_blocks_for_a_minute() -> None:
    assert block(None, REFUSED, token="old", now=1_000, probe=False) == FIRST


def test_calls_that_were_under_way_say_nothing_new() -> None:
    assert block(FIRST, REFUSED, token="old", now=1_001, probe=False) == FIRST


@pytest.mark.parametrize(
    ("pause_s", "longer_s"),
    [(60, 120), (120, 240), (1_920, 3_600), (3_600, 3_600)],  # 2 * 1920 = 3840, at most 3600
)
def test_each_refused_probe_doubles_the_pause_up_to_an_hour(pause_s: float, longer_s: float) -> None:
    before = Block(reason="x", status=401, since=1_000, next_probe_at=2_000, pause_s=pause_s, token="old")

    after = block(before, Blocked(reason="no access", status=403), token="old", now=3_000, probe=True)

    assert after == Block(
        reason="no access", status=403, since=1_000, next_probe_at=3_000 + longer_s, pause_s=longer_s, token="old"
    )
    assert longer_s <= MAX_PAUSE_S


def test_another_token_that_is_refused_too_begins_with_the_shortest_pause() -> None:
    before = Block(reason="x", status=401, since=1_000, next_probe_at=9_000, pause_s=3_600, token="old")

    after = block(before, REFUSED, token="new", now=3_000, probe=True)

    assert (after.since, after.pause_s, after.next_probe_at, after.token) == (1_000, 60, 3_060, "new")


@pytest.mark.parametrize(
    ("token", "now", "wait"),
    [("old", 1_000, 60), ("old", 1_059, 1), ("old", 1_060, 0), ("old", 5_000, 0), ("new", 1_000, 0)],
)
def test_a_probe_waits_for_the_pause_or_for_another_token(token: str, now: float, wait: float) -> None:
    assert wait_s(FIRST, token=token, now=now) == wait


@pytest.mark.parametrize(("token", "pause_s"), [("old", 240), ("new", 60)])
def test_while_a_probe_is_under_way_no_other_is_sent(token: str, pause_s: float) -> None:
    before = Block(reason="x", status=401, since=1_000, next_probe_at=2_000, pause_s=240, token="old")

    after = probing(before, token=token, now=2_000)

    assert wait_s(after, token=token, now=2_000) == pause_s
