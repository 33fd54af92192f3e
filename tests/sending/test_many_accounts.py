"""One outbox, many ad accounts: no trouble of one is felt by another. Workers and store are real."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from statistics import median

import httpx
import orjson
import pytest
from pydantic import SecretStr

from app.coordination import Switches
from app.delivery import Clocks
from app.destination.client import PinterestClient
from app.outbox import Outbox, open_outbox
from app.sending.surroundings import CallReport, Surroundings
from app.sending.worker import Worker
from app.shared_values import TROUBLE
from app.types import NewDelivery, State
from tests.delivery.claims import a_policy
from tests.outbox.build import rules
from tests.waiting import until_async

GOOD = ("1", "2", "3", "4", "5")
#: How each of the bad five is bad.
BLOCKED, SLOW, REFUSING, LIMITED, OFF = BAD = ("91", "92", "93", "94", "95")
BACKLOG, ROUNDS, A_ROUND = 300, 20, 10


async def pinterest(request: httpx.Request) -> httpx.Response:
    """Answer for each ad account in its own way."""
    account = request.url.path.split("/")[-2]
    events = orjson.loads(request.content)["data"]
    if account == BLOCKED:
        return httpx.Response(403, json={"code": 29, "message": "You are not permitted to access that resource."})
    if account == SLOW:
        await asyncio.sleep(30)
    if account == REFUSING:
        return httpx.Response(400, json={"code": 1, "message": "Invalid request"})
    return httpx.Response(
        200,
        json={
            "num_events_received": len(events),
            "num_events_processed": len(events),
            "events": [{"status": "processed", "error_message": "", "warning_message": ""} for _ in events],
        },
    )


class Seen:
    """What the calls delivered, by ad account: the age of each at its delivery, in seconds."""

    def __init__(self) -> None:
        self.ages: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: list[Exception] = []

    def on_call(self, report: CallReport) -> None:
        for each in report.settlements:
            if each.state is State.DELIVERED:
                self.ages[report.ad_account_id].append(time.time() - each.claimed.enqueued_at)


@asynccontextmanager
async def workers(outbox: Outbox, accounts: Sequence[str]) -> AsyncIterator[Seen]:
    """Run a worker for each ad account."""
    seen = Seen()
    running: list[tuple[Worker, PinterestClient, asyncio.Task[None]]] = []
    switches = Switches(accounts_off=frozenset({OFF}))
    for account in accounts:
        client = PinterestClient(
            api_url="https://pinterest.example/v5",
            ad_account_id=account,
            token=SecretStr("t"),
            timeout_s=60,
            transport=httpx.MockTransport(pinterest),
        )
        a_minute = 1 if account == LIMITED else 4_500
        worker = Worker(
            outbox,
            client,
            a_policy(batch_max_wait_s=0.05, max_calls_per_minute=a_minute, shutdown_timeout_s=0.1),
            ad_account_id=account,
            surroundings=Surroundings(
                clocks=Clocks(time.time, time.monotonic),
                rng=Random(7),
                switches=lambda account=account: switches.of(account),  # type: ignore[misc]
                redact=str,
                on_call=seen.on_call,
                on_settled_unsent=lambda *_: None,
                on_trouble=lambda *_: None,
                on_jump=lambda _: None,
                on_error=seen.errors.append,
            ),
        )
        running.append((worker, client, asyncio.create_task(worker.run())))
    try:
        yield seen
    finally:
        for worker, _, _ in running:
            worker.stop()
        await asyncio.gather(*(task for _, _, task in running))
        for _, client, _ in running:
            await client.close()


def delivery(account: str, event_id: str) -> NewDelivery:
    return NewDelivery(
        ad_account_id=account,
        preset="Checkout",
        message_id=event_id,
        event_name="checkout",
        event_id=event_id,
        action_source="web",
        order_id=None,
        event_time=1_774_000_000,
        payload=orjson.dumps({"event_id": event_id, "event_name": "checkout"}),
        warnings=(),
        quality=(),
    )


async def enqueue(outbox: Outbox, accounts: Sequence[str], prefix: str, count: int) -> None:
    new = [delivery(account, f"{prefix}-{n}") for n in range(count) for account in accounts]
    await outbox.enqueue(new, [], [], now=time.time())


async def ages_of_the_good(folder: Path, bad: Sequence[str]) -> tuple[list[float], dict[str, int]]:
    """Return the ages at delivery of the good ad accounts' events, and how many of the bad ones' wait at the end."""
    outbox = open_outbox(f"sqlite:///{folder}/outbox.db", rules())
    accounts = (*GOOD, *bad)
    if bad:
        await enqueue(outbox, bad, "backlog", BACKLOG)
    async with workers(outbox, accounts) as seen:
        for n in range(ROUNDS):
            await enqueue(outbox, accounts, f"round-{n}", A_ROUND)
            await asyncio.sleep(0.02)

        async def all_delivered() -> bool:
            return all(len(seen.ages[account]) == ROUNDS * A_ROUND for account in GOOD)

        await until_async(all_delivered, 60, "the good ad accounts' events to be delivered")
        waiting = {}
        for account in bad:
            backlog = await outbox.backlog(account, now=time.time())
            waiting[account] = backlog.pending + backlog.claimed + backlog.dead
        if bad:
            await _trouble_is_each_ones_own(outbox)
    assert seen.errors == []
    await outbox.close()
    return [age for account in GOOD for age in seen.ages[account]], waiting


async def _trouble_is_each_ones_own(outbox: Outbox) -> None:
    async def told() -> bool:
        found = await TROUBLE.read_all(outbox)
        return {name: trouble.state for name, trouble in found.items()} == {BLOCKED: "blocked", REFUSING: "refusing"}

    await until_async(told, 30, "each trouble to be told of its own ad account")


async def test_five_bad_ad_accounts_hold_up_none_of_the_good(tmp_path: Path) -> None:
    """Blocked, slow, refusing, at its rate limit, switched off, each with a backlog: the others do not wait for them.

    How much later the others' events arrive is measured by bench/accounts.py; here it is only that they do, long before
    the slow one's first call is answered.
    """
    ages, waiting = await ages_of_the_good(tmp_path, BAD)
    total = BACKLOG + ROUNDS * A_ROUND
    assert len(ages) == len(GOOD) * ROUNDS * A_ROUND
    assert median(ages) < 10
    assert {account: waiting[account] for account in (BLOCKED, SLOW, REFUSING, OFF)} == dict.fromkeys(
        (BLOCKED, SLOW, REFUSING, OFF), total
    )


@pytest.mark.parametrize("off", [frozenset({"2"}), frozenset()], ids=["off", "on"])
def test_a_switch_of_one_ad_account_is_no_others(off: frozenset[str]) -> None:
    switches = Switches(accounts_off=off)
    told = Counter(switches.of(account).destination_off for account in GOOD)
    assert told == Counter({True: len(off), False: len(GOOD) - len(off)} if off else {False: len(GOOD)})
    assert switches.why_off("Checkout", "2") == ("the destination is switched off" if off else None)
    assert switches.why_off("Checkout", "1") is None
