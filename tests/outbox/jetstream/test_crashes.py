"""What a crash or an unreachable server leaves behind: nothing is lost, little is doubled, all is said."""

import asyncio
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from app.errors import OutboxUnavailable, OutboxVersionError
from app.outbox.jetstream import JetStreamOutbox, ledger
from app.outbox.jetstream.record import decode, encode
from app.outbox.jetstream.streams import LEDGER, QUEUE, address
from app.types import Exit, Query, State
from tests.outbox.build import ACCOUNT, new
from tests.outbox.jetstream.conftest import claim_one, now, until
from tests.outbox.nats_server import NatsServer
from tests.tools import OLDEST_NATS_OF_A_CLUSTER, need_nats

#: The long proof: CRASH_ROUNDS=20 LEADER_ROUNDS=5 pytest tests/outbox/jetstream/test_crashes.py -s
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))
LEADER_ROUNDS = int(os.environ.get("LEADER_ROUNDS", "2"))


async def test_what_was_settled_but_not_acknowledged_is_not_sent_again(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(new())
    claimed = await claim_one(outbox, lease_s=0.5)
    delivery = await outbox.delivery(claimed.delivery_id)
    assert delivery is not None
    stored = await outbox._broker.last(LEDGER, f"pinrelay.ledger.{address(delivery)}")
    assert stored is not None
    content = orjson.loads(stored.body)
    content["delivery"]["state"] = State.DELIVERED
    await outbox._broker.publish(stored.subject, orjson.dumps(content))

    async def is_gone() -> bool:
        assert await now(other).claim(lease_s=0.5) == []
        return (await other.backlog(ACCOUNT, now=0)).pending == 0

    assert await until(is_gone)


async def test_of_two_processes_that_enqueue_the_same_event_at_once_one_is_told_that_it_is_a_duplicate(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    for round_ in range(20):
        answers = await asyncio.gather(
            now(outbox).enqueue(new(event_id=f"{round_}")), now(other).enqueue(new(event_id=f"{round_}"))
        )
        assert sorted(answer.exit for (answer,) in answers) == [Exit.DUPLICATE, Exit.ENQUEUED]
    assert len(await now(outbox).claim()) == 20


async def test_a_record_of_a_newer_version_is_refused(outbox: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new())
    (listed,) = (await outbox.search(Query(), limit=1)).deliveries
    stored = await outbox._broker.last(LEDGER, f"pinrelay.ledger.{address(listed)}")
    assert stored is not None
    body = orjson.dumps({**orjson.loads(encode(decode(stored.body))), "version": 2})
    await outbox._broker.publish(stored.subject, body)
    with pytest.raises(OutboxVersionError, match="version 2"):
        await outbox.delivery(listed.delivery_id)


async def test_a_search_of_many_says_how_many_it_looked_at(
    outbox: JetStreamOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "SCAN_RECORDS", 3)
    await now(outbox).enqueue(*(new() for _ in range(5)))
    page = await outbox.search(Query(), limit=10)
    assert (len(page.deliveries), page.scanned) == (3, 3)


async def test_no_server_is_said_at_once_and_its_return_is_enough(
    server: NatsServer, open_outbox_at: Callable[..., JetStreamOutbox]
) -> None:
    server.kill()
    outbox = open_outbox_at(server)
    with pytest.raises(OutboxUnavailable, match="NATS"):
        await outbox.check()
    server.start()
    await outbox.check()


async def _load(outbox: JetStreamOutbox, taken: set[str], stop: asyncio.Event, seed: int) -> None:
    """Enqueue one event after the other, again until it is taken, and note what was answered."""
    number = 0
    while not stop.is_set():
        event_id = f"{seed}-{number}"
        try:
            await asyncio.wait_for(now(outbox).enqueue(new(event_id=event_id)), 2)
        except (OutboxUnavailable, TimeoutError):
            continue
        taken.add(event_id)
        number += 1


async def _drain(outbox: JetStreamOutbox, expected: set[str]) -> list[str]:
    """Deliver until all that is expected has come; everything that came, in order."""
    sent: list[str] = []

    async def all_came() -> bool:
        with suppress(OutboxUnavailable):  # the last crash is not over yet
            claimed = await now(outbox).claim(lease_s=30)
            sent.extend(each.event_id for each in claimed)
            await now(outbox).deliver(*claimed)
        return expected <= set(sent)

    await until(all_came)
    return sent


async def _crash_at_random(
    outbox: JetStreamOutbox, rounds: int, crash: Callable[[random.Random], None]
) -> tuple[int, int]:
    """Enqueue under load through crashes, then deliver: how many were taken, how many of them were doubled."""
    taken: set[str] = set()
    stop = asyncio.Event()
    chance = random.Random(5)
    loads = [asyncio.create_task(_load(outbox, taken, stop, seed)) for seed in range(8)]
    for _ in range(rounds):
        before = len(taken)
        await until(lambda before=before: _is_more(taken, before + chance.randrange(60)))  # type: ignore[misc]
        await asyncio.to_thread(crash, chance)
    stop.set()
    await asyncio.gather(*loads)
    sent = await _drain(outbox, taken)
    return len(taken), len(sent) - len(set(sent))


async def _is_more(taken: set[str], than: int) -> bool:
    return len(taken) > than


@pytest.mark.xdist_group("nats-crashes")
async def test_a_server_that_is_killed_again_and_again_under_load_loses_nothing(
    server: NatsServer, outbox: JetStreamOutbox, record_property: Callable[[str, object], None]
) -> None:
    def crash(_: random.Random) -> None:
        server.kill()
        server.start()

    started = time.monotonic()
    taken, doubled = await _crash_at_random(outbox, ROUNDS, crash)
    print(f"{taken} taken, lost 0, doubled {doubled}, {time.monotonic() - started:.0f} s")  # noqa: T201 - a figure
    assert doubled <= 8 * ROUNDS


@pytest.mark.xdist_group("nats-crashes")
async def test_a_cluster_whose_leader_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, server: NatsServer, open_outbox_at: Callable[..., JetStreamOutbox]
) -> None:
    need_nats(OLDEST_NATS_OF_A_CLUSTER)
    servers = NatsServer.cluster(tmp_path, 3)
    try:
        outbox = open_outbox_at(*servers, replicas=3)
        await until(lambda: _is_ready(outbox))

        leaders: list[str] = []
        loop = asyncio.get_running_loop()

        def crash(_: random.Random) -> None:
            name = asyncio.run_coroutine_threadsafe(until(lambda: _leader(outbox)), loop).result()
            leaders.append(name)
            (leader,) = [each for each in servers if each.name == name]
            leader.kill()
            leader.start()

        taken, doubled = await _crash_at_random(outbox, LEADER_ROUNDS, crash)
        print(f"{taken} taken, lost 0, doubled {doubled}, leaders killed: {leaders}")  # noqa: T201 - a figure
        assert doubled <= 8 * LEADER_ROUNDS
    finally:
        for each in servers:
            each.kill()


async def _leader(outbox: JetStreamOutbox) -> str | None:
    """Name the server that leads the queue; None while one is chosen."""
    with suppress(OutboxUnavailable):
        async with outbox._broker._connection.lend() as lent:
            info = await lent.stream.stream_info(QUEUE)
            return info.cluster.leader if info.cluster else None
    return None


async def _is_ready(outbox: JetStreamOutbox) -> bool:
    try:
        await outbox.check()
    except OutboxUnavailable:
        return False
    return True
