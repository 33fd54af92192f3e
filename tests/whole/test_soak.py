"""An hour at half load, with a fault each minute: nothing is lost, and memory, descriptors, files and lag stay flat.

    make soak                     an hour for each engine, side by side
    MINUTES=5 SEED=3 make soak    five minutes, other faults

The curves are written to build/soak-ENGINE-SEED.csv, a line every two seconds.
"""

import csv
import json
import os
import random
import shutil
import stat
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.disks import small_disk_at
from tests.outbox.new_store import new_store
from tests.outbox.postgres_server import PostgresServer
from tests.process import PLAIN, ROOT, Server
from tests.rounds import Kind
from tests.tools import need_postgres
from tests.whole.conftest import Pinterest, delivery, until_settled

pytestmark = [pytest.mark.prove, pytest.mark.soak, pytest.mark.whole]

SEED = int(os.environ.get("SEED", "1"))
BATCH = 25
#: No more than this, whatever the machine could do: of a sandbox that keeps what it got for an hour.
MOST_EVENTS_A_SECOND = 250
EVERY_S = 2.0
DISK_BYTES = 1_500_000_000
#: Kept for so short that what is kept comes to its end within the first minutes.
SETTINGS: dict[str, Any] = {
    "retry_base_s": 0.1,
    "retry_max_pause_s": 2,
    "retry_max_attempts": 1_000,
    "send_timeout_s": 2,
    "max_event_age_hours": 24,
    "retention_days": f"delivered:{60 / 86_400},other:{60 / 86_400}",
    "dedup_window_hours": 60 / 3_600,
    "log_format": "json",
}


@dataclass
class Sender:
    """Sends batches at a rate, each until it is answered 200."""

    url: str
    events_a_second: float
    stop: threading.Event = field(default_factory=threading.Event)
    answered: list[str] = field(default_factory=list)
    refusals: int = 0
    number: int = 0

    def run(self) -> None:
        began, sent = time.monotonic(), 0
        with httpx.Client(timeout=30, **PLAIN) as client:
            while not self.stop.is_set():
                ids = [f"soak-{self.number + each}" for each in range(BATCH)]
                self.number += BATCH
                self._until_answered(client, ids)
                sent += BATCH
                # one that was held up does not make up for it: that would be more than half load
                ahead_s = sent / self.events_a_second - (time.monotonic() - began)
                began -= min(0.0, ahead_s + 1)
                self.stop.wait(max(0.0, ahead_s))

    def _until_answered(self, client: httpx.Client, ids: list[str]) -> None:
        events = [
            {"type": "page", "messageId": each, "context": {"ip": "203.0.113.9", "userAgent": "x"}} for each in ids
        ]
        while True:
            with suppress(httpx.TransportError):
                if client.post(f"{self.url}/webhook", json=events).status_code == 200:
                    self.answered += ids
                    return
            self.refusals += 1
            time.sleep(0.2)


@dataclass
class World:
    """What faults are made of."""

    server: Server
    pinterest: Pinterest
    folder: Path
    clock: Path
    postgres: PostgresServer | None
    chance: random.Random

    def pinterest_fails(self) -> None:
        self.pinterest.misbehave(
            *self.chance.sample(
                [
                    {"status": 503, "probability": 0.5, "times": 40},
                    {"status": 429, "retry_after": 1, "probability": 0.3, "times": 10},
                    {"reset": True, "probability": 0.3, "times": 20},
                    {"delay_s": 3, "reset": True, "probability": 0.2, "times": 3},
                ],
                2,
            )
        )

    def clock_jumps(self) -> None:
        self.clock.write_text(str(self.chance.choice([-90, -5, 5, 90])), encoding="utf-8")
        time.sleep(5)
        self.clock.write_text("0", encoding="utf-8")

    def disk_fills(self) -> None:
        filler = self.folder / "filler"
        free = shutil.disk_usage(self.folder).free
        with suppress(OSError), filler.open("wb") as file:
            for _ in range(free // 1_000_000 + 1):
                file.write(bytes(1_000_000))
        time.sleep(3)
        filler.unlink()

    def postgres_restarts(self) -> None:
        assert self.postgres
        self.chance.choice([self.postgres.stop, self.postgres.kill])()
        time.sleep(self.chance.uniform(0.5, 3))
        self.postgres.start()

    @property
    def faults(self) -> list[Callable[[], None]]:
        own = [self.postgres_restarts] if self.postgres else [self.clock_jumps, self.disk_fills]
        return [self.pinterest_fails, *own]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How it was at one moment."""

    at_s: float
    rss_mb: float
    descriptors: int
    threads: int
    files: int
    store_mb: float
    pending: int
    answered: int
    fault: str


def sample(world: World, sender: Sender, at_s: float, fault: str) -> Sample:
    process = psutil.Process(world.server.process.pid)
    sizes = list(sizes_of(world.folder))
    try:
        state = delivery(world.server)
        pending = state["pending"] + state["claimed"]
    except (httpx.HTTPError, KeyError):
        pending = -1  # nothing can be asked for now
    return Sample(
        at_s=round(at_s, 1),
        rss_mb=round(process.memory_info().rss / 1e6, 1),
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        files=len(sizes),
        store_mb=round(sum(sizes) / 1e6, 1),
        pending=pending,
        answered=len(sender.answered),
        fault=fault,
    )


def sizes_of(folder: Path) -> Iterator[int]:
    """Yield the sizes of the files in a folder, in which some may end meanwhile."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield status.st_size


@pytest.fixture(params=["sqlite", "postgres"])
def world(
    request: pytest.FixtureRequest, pinterest: Pinterest, start_server: Callable[..., Server], tmp_path: Path
) -> Iterator[World]:
    """A server over one engine."""
    clock, folder = tmp_path / "clock", tmp_path / "disk"
    clock.write_text("0", encoding="utf-8")
    folder.mkdir()
    with ExitStack() as cleanup:
        postgres = None
        if request.param == "postgres":
            need_postgres()
            postgres = cleanup.enter_context(PostgresServer())
            outbox_url = postgres.create("soak")
        else:
            cleanup.enter_context(small_disk_at(folder, size_bytes=DISK_BYTES))
            outbox_url = new_store(folder, "pinrelay.db")
        server = start_server(
            **pinterest.settings | SETTINGS | {"outbox_url": outbox_url},
            arguments=(str(clock),),
            program="tests.whole.soak_server:main",
        )
        yield World(
            server=server,
            pinterest=pinterest,
            folder=folder,
            clock=clock,
            postgres=postgres,
            chance=random.Random(SEED),
        )
        server.end()


def capacity(world: World) -> float:
    """Return how many events a second it takes and delivers, in ten seconds without faults."""
    sender = Sender(world.server.url, 1e6, number=10**9)
    thread = threading.Thread(target=sender.run)
    began = time.monotonic()
    thread.start()
    time.sleep(10)
    sender.stop.set()
    thread.join()
    until_settled(world.server, 60)
    return len(sender.answered) / (time.monotonic() - began)


def test_at_half_load_and_with_a_fault_each_minute_all_stays_flat(
    world: World,
    request: pytest.FixtureRequest,
    rounds: Callable[[Kind], int],
    record_figure: Callable[[str, object], None],
) -> None:
    minutes = float(os.environ.get("MINUTES", rounds("minutes")))
    rate = min(MOST_EVENTS_A_SECOND, capacity(world) / 2)
    sender = Sender(world.server.url, rate)
    thread = threading.Thread(target=sender.run)
    thread.start()
    samples = list(observed(world, sender, minutes * 60))
    sender.stop.set()
    thread.join()
    until_settled(world.server, 120)
    engine = request.node.callspec.params["world"]
    write(samples, ROOT / f"build/soak-{engine}-{SEED}.csv")
    record_figure(f"soak, {engine}, seed {SEED}, {minutes:.0f} min at {rate:.0f} events/s", told(samples, sender))

    with world.pinterest.file.open(encoding="utf-8") as lines:  # half a gigabyte after an hour
        arrived = {json.loads(line)["event_id"] for line in lines}
    assert [each for each in sender.answered if each not in arrived] == []
    assert delivery(world.server)["dead"] == 0
    settled = samples[len(samples) // 3 :]  # until then caches fill, and what is kept reaches its end
    assert growth([each.rss_mb for each in settled]) < 30
    assert growth([each.descriptors for each in settled]) < 15
    assert growth([each.threads for each in settled]) < 5
    if not world.postgres:  # PostgreSQL drops tables of whole days
        assert growth([each.store_mb for each in settled]) < 100
    assert lag_s([each.pending for each in settled], rate) < 10


def observed(world: World, sender: Sender, duration_s: float) -> Iterator[Sample]:
    """Yield how it is every two seconds, while a fault begins each minute: in the middle of it, at a random second."""
    began, minute, fault = time.monotonic(), 0, threading.Thread()
    name, due_s = "", world.chance.uniform(5, 25)
    while (at_s := time.monotonic() - began) < duration_s:
        if at_s >= due_s and not fault.is_alive():
            kind = world.chance.choice(world.faults)
            fault, name = threading.Thread(target=kind), kind.__name__
            fault.start()
            minute += 1
            due_s = 60 * minute + world.chance.uniform(5, 25)
        yield sample(world, sender, at_s, name)
        name = ""
        time.sleep(EVERY_S)
    if fault.is_alive():
        fault.join()


def growth(values: list[float]) -> float:
    """Return by how much the last fifth of a curve is above its first fifth, by the medians."""
    part = max(1, len(values) // 5)
    return statistics.median(values[-part:]) - statistics.median(values[:part])


def lag_s(pending: list[int], rate: float) -> float:
    """Return for how long half of the time at least a delivery waits: faults last a few seconds of each minute."""
    return statistics.median(each for each in pending if each >= 0) / rate


def told(samples: list[Sample], sender: Sender) -> str:
    first, last = samples[len(samples) // 3], samples[-1]
    faults = sum(bool(each.fault) for each in samples)
    return (
        f"{len(sender.answered)} events, {sender.refusals} refusals, {faults} faults; "
        f"rss {first.rss_mb:.0f} to {last.rss_mb:.0f} MB, descriptors {first.descriptors} to {last.descriptors}, "
        f"files {first.files} to {last.files}, store {first.store_mb:.0f} to {last.store_mb:.0f} MB, "
        f"most pending {max(each.pending for each in samples)}, pending at the end {last.pending}"
    )


def write(samples: list[Sample], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(vars(samples[0])))
        lines.writeheader()
        lines.writerows(map(vars, samples))
