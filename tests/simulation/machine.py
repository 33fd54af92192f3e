"""One machine: the file of the outbox, the clock, and the processes that receive and send; each can die at any step."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import orjson
from pydantic import SecretStr

from app.config.settings import ConsentSettings, DeliverySettings, OutboxSettings
from app.core.coordination import Switches
from app.core.deliveries import Settlement, State
from app.core.receipts import Receipt
from app.destination.client import PinterestClient
from app.errors import OutboxUnavailable
from app.outbox.sqlite import SqliteOutbox
from app.outbox.sqlite.writer import Job, _resolve
from app.pipeline.pipeline import Pipeline
from app.sender.clocks import Clocks
from app.sender.consent import consent_check
from app.sender.context import Dependencies
from app.sender.worker import Worker
from app.source import Intake, read_raw_event
from tests.simulation.history import History, Life
from tests.simulation.pinterest_model import Pinterest
from tests.simulation.virtual_loop import Universe

ACCOUNT = "1000000000001"
#: What the clock of the machine shows at the beginning.
WALL = 1_800_000_000.0
#: A commit takes so long; one that finds the file locked waits for so long before it gives up.
_COMMIT_S = 0.003
_BUSY_S = 5.0

Fate = Literal["before its commit", "after its commit"]


class Machine:
    """What the processes of one machine share."""

    def __init__(
        self, path: Path, universe: Universe, pinterest: Pinterest, history: History, *, rules: OutboxSettings
    ) -> None:
        self.path = path
        self.universe = universe
        self.pinterest = pinterest
        self.history = history
        self.rules = rules
        #: By how much the clock of the machine was set.
        self.set_by_s = 0.0
        self.processes: list[Process] = []
        self._locker: sqlite3.Connection | None = None

    def wall(self) -> float:
        return WALL + self.universe.now + self.set_by_s

    @property
    def is_locked(self) -> bool:
        return self._locker is not None

    def lock(self) -> None:
        """Hold the file locked, as another program does."""
        if self._locker is None:
            self._locker = sqlite3.connect(self.path, isolation_level=None)
            self._locker.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        if self._locker is not None:
            self._locker.close()
            self._locker = None

    def start(
        self,
        pipeline_of: Callable[[SqliteOutbox], Pipeline],
        policy: DeliverySettings,
        consents: ConsentSettings | None = None,
    ) -> "Process":
        """Start one more process; `consents` says what answers do, None: nothing."""
        process = Process(self, pipeline_of, policy, consents)
        self.processes.append(process)
        return process


class _NoThread:
    """Stands for the thread that commits: the loop of its process does its work."""

    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None: ...

    def join(self) -> None: ...


class Process:
    """Pipeline, outbox and worker over the file of the machine, in a loop of their own."""

    def __init__(
        self,
        machine: Machine,
        pipeline_of: Callable[[SqliteOutbox], Pipeline],
        policy: DeliverySettings,
        consents: ConsentSettings | None,
    ) -> None:
        self.machine = machine
        self._consents = consents
        self.loop = machine.universe.loop()
        self.life = Life(number=len(machine.history.lives), began_at=machine.universe.now)
        machine.history.lives.append(self.life)
        self.is_dead = False
        #: Where it dies next; None where it lives on.
        self.fate: Fate | None = None
        #: Called when it has ended, however.
        self.on_end: Callable[[], None] = _ignore
        with patch.object(threading, "Thread", _NoThread):
            self.outbox = SqliteOutbox(machine.path, machine.rules, clock=machine.wall)
        self.outbox._writer._jobs = _Commits(self)  # type: ignore[assignment] # as much of a queue as the writer uses
        self._pipeline = pipeline_of(self.outbox)
        self._worker = self._make_worker(policy)
        self._running = self.loop.create_task(self._worker.run())

    def _make_worker(self, policy: DeliverySettings) -> Worker:
        machine = self.machine
        client = PinterestClient(
            api_url="http://pinterest/v5",
            ad_account_id=ACCOUNT,
            token=lambda: SecretStr(machine.pinterest.token),
            timeout_s=policy.limits.send_timeout_s,
            transport=machine.pinterest.transport(self.life, self.loop),
        )
        return Worker(
            self.outbox,
            client,
            policy,
            ad_account_id=ACCOUNT,
            surroundings=Dependencies(
                clocks=Clocks(machine.wall, lambda: machine.universe.now),
                rng=Random(machine.universe.chance.random()),
                consents=consent_check(self.outbox, self._consents, lambda: machine.universe.now)
                if self._consents
                else None,
                switches=Switches,
                redact=str,
                on_call=lambda report: self._note_deaths(report.settlements),
                on_settled_unsent=lambda settlements, _: self._note_deaths(settlements),
                on_trouble=_ignore,
                on_jump=_ignore,
                on_error=self._on_error,
            ),
        )

    def _note_deaths(self, settlements: Sequence[Settlement]) -> None:
        history = self.machine.history
        for settlement in settlements:
            if settlement.state is State.DEAD:
                history.died_at.setdefault(settlement.claimed.event_id, self.machine.universe.now)

    def _on_error(self, error: Exception) -> None:
        """Errors of a locked store are expected; everything else is a fault."""
        if not isinstance(error, OutboxUnavailable):
            self.machine.history.failures.append(f"the worker survived {error!r}")

    def accept(self, events: Sequence[str], answer: Callable[[Receipt], None]) -> None:
        """Receive a request; `answer` is told its receipt, and nothing where it is 503 or the process dies."""

        async def receive() -> None:
            now = self.machine.wall()
            posted = self.machine.history.posted
            raw = [read_raw_event(_page(event, WALL + posted[event]), now=now) for event in events]
            try:
                receipt = await self._pipeline.accept(Intake(raw, now=now))
            except OutboxUnavailable:
                return
            if not self.is_dead:
                answer(receipt)

        self.loop.call_soon(lambda: self.loop.create_task(receive()))

    def kill(self) -> None:
        """End it as SIGKILL does: what is not committed is gone."""
        if not self.is_dead:
            self._break()
            self._end()

    def _break(self) -> None:
        if self.life.broke_at is None:
            self.life.broke_at = self.machine.universe.now

    def _let_go(self) -> None:
        self.outbox._readers.close()
        with suppress(sqlite3.Error):
            self.outbox._writer._connection.close()

    def freeze(self, seconds: float, *, breaks: bool) -> None:
        """Let it do nothing for a while; where that is longer than a lease, it counts as broken."""
        self.loop.freeze(seconds)
        if breaks:
            self._break()

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._worker.stop()
        self._running.add_done_callback(lambda _: self._end())
        if self.machine.is_locked:
            self.life.broke_at = self.machine.universe.now  # it may have to leave before it can record

    def _end(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            self.loop.end()
            self._let_go()
            self.machine.processes.remove(self)
            self.on_end()


class _Commits:
    """The writer's queue: what waits is committed together, a moment later, unless the process dies there."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._jobs: list[Job] = []

    def put(self, job: Job) -> None:
        if not self._jobs:
            self._process.loop.call_later(self._pause_s(), self._commit)
        self._jobs.append(job)

    def _pause_s(self) -> float:
        return _BUSY_S if self._process.machine.is_locked else _COMMIT_S

    def _commit(self) -> None:
        group, self._jobs = self._jobs, []
        process, fate = self._process, self._process.fate
        if fate == "before its commit":
            process.kill()
            return
        answers = process.outbox._writer._commit(group)
        if fate == "after its commit":
            process.kill()
            return
        _resolve(group, answers)


def _page(event: str, at: float) -> bytes:
    """Return the event of a name; one of a browser says no or yes, or nothing of it: `no-3@b1`."""
    context: dict[str, Any] = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11)"}
    page: dict[str, Any] = {"type": "page", "messageId": event, "context": context}
    kind, _, browser = event.partition("@")
    if browser:
        page |= {"anonymousId": browser, "timestamp": at}
    if kind.startswith(("no-", "yes-")):
        context["consent"] = {"categoryPreferences": {"ads": kind.startswith("yes-")}}
    return orjson.dumps(page)


def _ignore(*_: object) -> None:
    """Hear what is told of sending; the checker looks at what happened, not at what is said of it."""
