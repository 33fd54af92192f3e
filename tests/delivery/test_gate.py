"""The blocked state is known to all processes, through the outbox."""

from collections.abc import Callable

from app.delivery import Closed, Gate, Open, Probe, blocked_key
from app.outbox import Outbox
from app.types import Blocked
from tests.delivery.overtaken import Overtaken

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
    first = await outbox.get_shared(blocked_key("42"))
    await one.refuse(REFUSED, now=1_001, probe=False)

    assert await outbox.get_shared(blocked_key("42")) == first


async def test_of_two_processes_that_ask_at_once_one_gets_the_probe(outbox: Outbox) -> None:
    await gate(outbox).refuse(REFUSED, now=1_000, probe=False)

    assert await gate(Overtaken(outbox)).ask(now=1_060) == Closed(1)
