"""Many ad accounts over one outbox, some of them bad, each in its own way: for tests and measurements."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import httpx
import orjson
from pydantic import SecretStr

from app.core.coordination import Switches
from app.core.deliveries import State
from app.core.pages import Backlog
from app.core.shared_values import TROUBLE
from app.destination.client import PinterestClient
from app.outbox import Outbox, open_outbox
from app.sender.clocks import Clocks
from app.sender.context import CallReport, Dependencies
from app.sender.worker import Worker
from tests.outbox.build import new, rules
from tests.outbox.new_store import new_store
from tests.sender.claims import a_policy
from tests.waiting import until_async

GOOD = ("1", "2", "3", "4", "5")
#: How each of the bad five is bad.
BLOCKED, SLOW, REFUSING, LIMITED, OFF = BAD = ("91", "92", "93", "94", "95")
#: Deliveries of one ad account are enqueued by so many at once, so many times a second.
TICKS_A_SECOND = 20


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
async def workers(outbox: Outbox, accounts: Sequence[str], *, batch_max_wait_s: float) -> AsyncIterator[Seen]:
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
            a_policy(batch_max_wait_s=batch_max_wait_s, max_calls_per_minute=a_minute, shutdown_timeout_s=0.1),
            ad_account_id=account,
            surroundings=Dependencies(
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


async def enqueue(outbox: Outbox, accounts: Sequence[str], count: int) -> None:
    deliveries = [new(ad_account_id=account) for _ in range(count) for account in accounts]
    await outbox.enqueue(deliveries, [], [], now=time.time())


async def ages_of_the_good(
    folder: Path, bad: Sequence[str], *, a_second: int, seconds: float, backlog: int, batch_max_wait_s: float
) -> tuple[list[float], dict[str, Backlog]]:
    """Return the ages (s) at delivery of the good ad accounts' events, and what waits of the bad ones' at the end.

    Each ad account has so many events a second for so many seconds, and a bad one a backlog before.
    """
    outbox = open_outbox(new_store(folder, "outbox.db"), rules())
    accounts = (*GOOD, *bad)
    for place in range(0, backlog, 1_000):
        await enqueue(outbox, bad, min(1_000, backlog - place))
    ticks, a_tick = round(seconds * TICKS_A_SECOND), max(1, round(a_second / TICKS_A_SECOND))
    async with workers(outbox, accounts, batch_max_wait_s=batch_max_wait_s) as seen:
        begun = time.monotonic()
        for tick in range(ticks):
            await enqueue(outbox, accounts, a_tick)
            await asyncio.sleep(max(0.0, begun + (tick + 1) / TICKS_A_SECOND - time.monotonic()))

        async def all_delivered() -> bool:
            return all(len(seen.ages[account]) == ticks * a_tick for account in GOOD)

        await until_async(all_delivered, 60 + seconds, "the good ad accounts' events to be delivered")
        waiting = {account: await outbox.backlog(account, now=time.time()) for account in bad}
        if bad:
            await until_async(lambda: _is_each_ones_own(outbox), 30, "each trouble to be told of its own ad account")
    assert seen.errors == []
    await outbox.close()
    return [age for account in GOOD for age in seen.ages[account]], waiting


async def _is_each_ones_own(outbox: Outbox) -> bool:
    found = await TROUBLE.read_all(outbox)
    return {name: trouble.state for name, trouble in found.items()} == {BLOCKED: "blocked", REFUSING: "refusing"}
