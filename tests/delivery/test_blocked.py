"""The blocked destination: pauses between probes, and what ends them."""

from collections.abc import Callable

import pytest

from app.delivery import Closed, Gate, Open, Probe
from app.delivery.blocked import MAX_PAUSE_S, MIN_PAUSE_S, block, probing, wait_s
from app.outbox import Outbox
from app.shared_values import BLOCKED, Block
from app.types import Blocked
from tests.delivery.overtaken import Overtaken

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


REFUSED = Blocked(reason="Authentication failed.", status=401)


def gate(outbox: Outbox | Overtaken, fingerprint: Callable[[], str] = lambda: "token-1") -> Gate:
    return Gate(outbox, ad_account_id="42", fingerprint=fingerprint)


async def test_it_is_open_until_pinterest_refuses(outbox: Outbox) -> None:
    one, other = gate(outbox), gate(outbox)

    assert await one.ask(now=1_000) == Open()
    await one.refuse(REFUSED, now=1_000, probe=False)
    assert await other.ask(now=1_010) == Closed(50)


async def test_after_the_pause_one_process_sends_one_probe(outbox: Outbox) -> None:
    one, other = gate(outbox), gate(outbox)
    await one.refuse(REFUSED, now=1_000, probe=False)

    assert await one.ask(now=1_060) == Probe()
    assert await other.ask(now=1_060) == Closed(60)


async def test_a_refused_probe_closes_for_longer_and_a_taken_one_opens(outbox: Outbox) -> None:
    one = gate(outbox)
    await one.refuse(REFUSED, now=1_000, probe=False)
    await one.refuse(REFUSED, now=1_060, probe=True)
    assert await one.ask(now=1_060) == Closed(120)

    await one.open()
    assert await gate(outbox).ask(now=1_060) == Open()
    await one.refuse(REFUSED, now=1_100, probe=False)
    assert await one.ask(now=1_100) == Closed(60)


async def test_another_token_is_tried_at_once(outbox: Outbox) -> None:
    await gate(outbox).refuse(REFUSED, now=1_000, probe=False)

    assert await gate(outbox, lambda: "token-2").ask(now=1_001) == Probe()


async def test_a_refusal_that_says_nothing_new_is_not_written(outbox: Outbox) -> None:
    one = gate(outbox)
    await one.refuse(REFUSED, now=1_000, probe=False)
    first = await BLOCKED.of("42").read_revised(outbox)
    await one.refuse(REFUSED, now=1_001, probe=False)

    assert await BLOCKED.of("42").read_revised(outbox) == first


async def test_of_two_processes_that_ask_at_once_one_gets_the_probe(outbox: Outbox) -> None:
    await gate(outbox).refuse(REFUSED, now=1_000, probe=False)

    assert await gate(Overtaken(outbox)).ask(now=1_060) == Closed(1)
