"""How fast a backlog drains: the real worker from a real outbox, to a Pinterest that only says yes.

    python bench/drain.py [--outbox sqlite|postgres] [--standby] [--deliveries 100000] [--latency-ms 200] [--profile]

With `postgres` the outbox is a PostgreSQL server of its own, with fsync on; with `--standby` a synchronous standby too.

Beside it, in the same run: the same bodies in the same batches, as many calls in flight, posted by a bare httpx loop
that neither reads answers nor remembers anything. Pinterest is an endpoint in a process of its own; `--latency-ms` is
how long it thinks about a call. Printed are deliveries a second of both and their ratio (goal: 85 %), the rate of the
first and of the last tenth (goal: within 20 %), and the CPU time and the memory (RSS) of the draining process at each
tenth.

At 0 ms the bare loop only copies memory, and no durable queue comes near it; with the 200 ms of a call over the
Internet it shows what the queue itself costs. Tenths are worth reading from 100,000 deliveries on (ten calls each);
on a busy machine read their CPU time.
"""

import argparse
import asyncio
import contextlib
import cProfile
import itertools
import os
import pstats
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
from msgspec.structs import replace
from pydantic import SecretStr

from app import assemble
from app.config import Settings, load_settings
from app.config.settings import DeliverySettings
from app.core.consent import Answer, Lifted
from app.core.coordination import Switches
from app.core.deliveries import Enqueued, NewDelivery, Withdrawal
from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.log import configure_logging, log_attempts, log_error
from app.core.metrics import Metrics
from app.core.people import PeopleChanges, PeopleFound
from app.destination import redact
from app.destination.client import PinterestClient
from app.outbox import Outbox, open_outbox
from app.sender.clocks import Clocks
from app.sender.context import CallReport, Dependencies
from app.sender.status import log_jump, log_trouble
from app.sender.worker import Worker
from app.source import Intake, read_raw_event
from tests.outbox.postgres_server import empty_outbox

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package


ROOT = Path(__file__).parents[1]
AD_ACCOUNT_ID = "549755885175"
#: The events are of 4 March 2026.
MAPPED_AT = datetime.fromisoformat("2026-03-05T01:00:00Z").timestamp()
ENQUEUED_TOGETHER = 2_000
#: The bare loop posts these bodies again and again, so that making them costs it nothing.
BARE_BODIES = 20
TENTHS = 10
LATENCY = "DRAIN_LATENCY_S"


async def pinterest(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every call as Pinterest does where all is well (an ASGI application)."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await asyncio.sleep(float(os.environ[LATENCY]))
    count = body.count(b'"event_name":')
    one = b'{"status":"processed","error_message":null,"warning_message":null}'
    answer = b'{"num_events_received":%d,"num_events_processed":%d,"events":[%s]}' % (
        count,
        count,
        b",".join([one] * count),
    )
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


@contextlib.contextmanager
def serving(latency_ms: float) -> Iterator[str]:
    """Run that endpoint in a process of its own and yield its address."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parent), "drain:pinterest"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-access-log", "--lifespan", "off"],
        env=os.environ | {LATENCY: str(latency_ms / 1000)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        found = (re.search(r"http://[\d.]+:\d+", line) for line in process.stderr)
        yield next(match.group() for match in found if match)
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@dataclass(kw_only=True)
class Kept:
    """Stands where the pipeline expects the outbox, and keeps what it is given."""

    deliveries: list[NewDelivery] = field(default_factory=list)

    async def forget(self, keys: Sequence[str], *, again: Collection[str] = ()) -> int:
        """Keep nothing of anybody."""
        raise NotImplementedError(keys, again)

    async def scrub(self, texts: Collection[str]) -> None:
        """Keep nothing of anybody."""
        raise NotImplementedError(texts)

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        """Withdraw nothing: no preset has cancellations."""
        raise NotImplementedError(withdrawals, now)

    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        """Withdraw nothing: no preset has cancellations."""
        raise NotImplementedError(orders, now)

    async def consents(self, keys: Collection[str]) -> list[Answer]:
        """Know of no answer."""
        raise NotImplementedError(keys)

    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]:
        """Know of no answer."""
        return [], after

    async def write_consents(self, answers: Sequence[Answer]) -> list[Lifted]:  # noqa: ARG002 - as the outbox asks
        """Keep no answer: nobody asks for one."""
        return []

    async def people(self, keys: Sequence[str], **_: Any) -> PeopleFound:
        """Remember nobody."""
        raise NotImplementedError(keys)

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        _dropped: Sequence[DroppedEvent],
        _counters: Sequence[CounterRow],
        *,
        now: float,
        people: PeopleChanges | None = None,  # noqa: ARG002 - nobody is remembered
        is_final: bool = False,  # noqa: ARG002 - nobody sends
    ) -> list[Enqueued]:
        """Keep deliveries."""
        assert now
        self.deliveries.extend(deliveries)
        return [Enqueued(outcome=Outcome.ENQUEUED)] * len(deliveries)


async def mapped() -> list[NewDelivery]:
    """Map the events of the conformance suite by the presets of the project."""
    kept = Kept()
    settings = load_settings(
        presets_dir=(ROOT / "presets",),
        mappings_dir=(ROOT / "mappings",),
        pinterest_ad_account_id=AD_ACCOUNT_ID,
        pinterest_conversion_token="token",
        remember_secret="of-this-benchmark-0123456789-abcdef",
    )
    pipeline = assemble.pipeline(settings, outbox=cast("Outbox", kept))
    lines = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
    await pipeline.accept(Intake([read_raw_event(line, now=MAPPED_AT) for line in lines], now=MAPPED_AT))
    return kept.deliveries


def different(originals: Sequence[NewDelivery]) -> Iterator[NewDelivery]:
    """Yield them again and again, without end, each with ids of its own."""
    for number, original in enumerate(itertools.cycle(originals)):
        event_id = f"{original.event_id}-{number}"
        yield replace(
            original,
            message_id=event_id,
            event_id=event_id,
            order_id=original.order_id and f"{original.order_id}-{number}",
            payload=original.payload.replace(original.event_id.encode(), event_id.encode()),
        )


async def fill(outbox: Outbox, originals: Sequence[NewDelivery], count: int) -> None:
    """Enqueue `count` deliveries."""
    source = itertools.islice(different(originals), count)
    while chunk := list(itertools.islice(source, ENQUEUED_TOGETHER)):
        answers = await outbox.enqueue(chunk, [], [], now=time.time())
        assert all(answer.outcome is Outcome.ENQUEUED for answer in answers)


@dataclass(kw_only=True)
class Progress:
    """When each tenth was delivered; says at each how fast it went and how much memory the process holds."""

    deliveries: int
    delivered: int = 0
    started_at: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)
    #: CPU time of this process at each tenth: what others on the machine do is not in it.
    cpu_times: list[float] = field(default_factory=lambda: [time.process_time()])
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, count: int) -> None:
        """Count what was delivered just now."""
        self.delivered += count
        while self.delivered * TENTHS >= self.deliveries * (len(self.times) + 1):
            self.times.append(time.perf_counter() - self.started_at)
            rss_mb = psutil.Process().memory_info().rss / 1e6
            self.cpu_times.append(time.process_time())
            print(
                f"tenth {len(self.times):2} {self.rates[-1]:16,.0f} deliveries a second, "
                f"{self.cpu_us[-1]:.0f} microseconds of CPU each, RSS {rss_mb:.0f} MB",
                flush=True,
            )
            if len(self.times) == TENTHS:
                self.finished.set()
                return

    @property
    def rates(self) -> list[float]:
        """Deliveries a second in each tenth."""
        return [self.deliveries / TENTHS / (end - begin) for begin, end in itertools.pairwise([0.0, *self.times])]

    @property
    def cpu_us(self) -> list[float]:
        """Microseconds of CPU time a delivery in each tenth."""
        each = self.deliveries / TENTHS / 1e6
        return [(end - begin) / each for begin, end in itertools.pairwise(self.cpu_times)]


async def drain(outbox: Outbox, url: str, policy: DeliverySettings, deliveries: int) -> Progress:
    """Let the worker deliver everything, with the logs and metrics of the real server."""
    progress = Progress(deliveries=deliveries)
    metrics = Metrics()

    def on_call(report: CallReport) -> None:
        metrics.observe_call(report.duration_s)
        metrics.count(report.counters)
        log_attempts(report.settlements, duration_s=report.duration_s)
        progress.add(len(report.settlements))

    client = PinterestClient(
        api_url=url, ad_account_id=AD_ACCOUNT_ID, token=SecretStr("drain"), timeout_s=policy.limits.send_timeout_s
    )
    surroundings = Dependencies(
        clocks=Clocks(time.time, time.monotonic),
        rng=random.Random(),
        switches=Switches,
        redact=redact,
        on_call=on_call,
        on_settled_unsent=lambda settlements, _: progress.add(len(settlements)),
        on_trouble=partial(log_trouble, ""),
        on_jump=log_jump,
        on_error=log_error,
    )
    worker = Worker(outbox, client, policy, ad_account_id=AD_ACCOUNT_ID, surroundings=surroundings)
    running = asyncio.create_task(worker.run())
    await progress.finished.wait()
    worker.stop()
    await running
    await client.close()
    return progress


def batches(originals: Sequence[NewDelivery], policy: DeliverySettings) -> Iterator[list[bytes]]:
    """Yield payloads, without end, in the batches that the worker makes of them."""
    batch: list[bytes] = []
    size = 0
    for delivery in different(originals):
        if batch and (
            len(batch) == policy.limits.batch_max_events or size + len(delivery.payload) > policy.limits.batch_max_bytes
        ):
            yield batch
            batch, size = [], 0
        batch.append(delivery.payload)
        size += len(delivery.payload)


async def bare(url: str, policy: DeliverySettings, originals: Sequence[NewDelivery], deliveries: int) -> float:
    """Post as many deliveries by httpx alone; answer deliveries a second."""
    some = list(itertools.islice(batches(originals, policy), BARE_BODIES))
    bodies = itertools.cycle([(b'{"data":[' + b",".join(batch) + b"]}", len(batch)) for batch in some])
    left = deliveries
    headers = {"Authorization": "Bearer drain", "Content-Type": "application/json"}

    async def post_until_done(client: httpx.AsyncClient) -> None:
        nonlocal left
        while left > 0:
            body, count = next(bodies)
            left -= count
            (await client.post(f"{url}/ad_accounts/{AD_ACCOUNT_ID}/events", content=body)).raise_for_status()

    async with httpx.AsyncClient(headers=headers, timeout=policy.limits.send_timeout_s, trust_env=False) as client:
        began = time.perf_counter()
        await asyncio.gather(*(post_until_done(client) for _ in range(policy.max_calls_in_flight)))
        return (deliveries - left) / (time.perf_counter() - began)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the outbox and close it."""
    outbox = open_outbox(settings.outbox_url, settings)
    try:
        yield outbox
    finally:
        await outbox.close()


async def measure(url: str, settings: Settings, deliveries: int, profile: cProfile.Profile | None) -> None:
    """Fill, drain, compare, print."""
    policy = settings
    originals = await mapped()
    async with opened(settings) as outbox:
        began = time.perf_counter()
        await fill(outbox, originals, deliveries)
        print(f"fill           {deliveries / (time.perf_counter() - began):10,.0f} deliveries a second", flush=True)
        before = await bare(url, policy, originals, deliveries)
        with profile or contextlib.nullcontext():
            progress = await drain(outbox, url, policy, deliveries)
        after = await bare(url, policy, originals, deliveries)
    report(progress, bare_rate=(before + after) / 2)


def report(progress: Progress, *, bare_rate: float) -> None:
    """Print what was measured."""
    rate, rates, cpu_us = progress.deliveries / progress.times[-1], progress.rates, progress.cpu_us
    print(f"bare httpx     {bare_rate:10,.0f} deliveries a second (before and after, their mean)")
    print(f"worker         {rate:10,.0f} deliveries a second, {rate / bare_rate:.0%} of it (goal: 85 %)")
    print(f"first tenth    {rates[0]:10,.0f} deliveries a second")
    print(f"last tenth     {rates[-1]:10,.0f} deliveries a second, {rates[-1] / rates[0] - 1:+.0%} (goal: within 20 %)")
    print(
        f"CPU time       {sum(cpu_us) / TENTHS:10,.0f} microseconds a delivery, last {cpu_us[-1] / cpu_us[0] - 1:+.0%}"
    )


def main() -> None:
    """Read the arguments and measure; what is logged goes to a file that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outbox", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--standby", action="store_true", help="with postgres: every commit is on two servers")
    parser.add_argument("--latency-ms", type=float, default=200, help="how long Pinterest thinks about a call")
    parser.add_argument("--log-level", choices=("info", "warning"), default="info")
    parser.add_argument("--profile", action="store_true", help="say what the event loop's time is spent on")
    arguments = parser.parse_args()
    deliveries = arguments.deliveries
    profile = cProfile.Profile() if arguments.profile else None
    with (
        tempfile.TemporaryDirectory() as folder,
        empty_outbox(Path(folder), arguments.outbox, standby=arguments.standby) as outbox_url,
        serving(arguments.latency_ms) as url,
        (Path(folder) / "log").open("w", encoding="utf-8") as log,
        contextlib.redirect_stderr(log),
    ):
        settings = load_settings(outbox_url=outbox_url)
        configure_logging("json", arguments.log_level)
        asyncio.run(measure(url, settings, deliveries, profile))
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
