"""One run: a plan that is drawn from a seed, played to its end, and judged by what happened.

SEED=4711 pytest tests/simulation       plays one seed again
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeAlias, get_args
from unittest.mock import patch

from app import assemble
from app.config.settings import DeliverySettings, OutboxSettings
from app.core.events import Outcome
from app.core.pages import Query
from app.core.receipts import Receipt
from app.errors import OutboxUnavailable
from app.outbox import ConsentBook, notifier, search
from app.outbox.ledger import delivery_of
from app.outbox.sqlite import SqliteOutbox, database
from app.outbox.sqlite.filters import filtered
from app.pipeline import pipeline as receiving
from app.pipeline.consent import Consents
from app.pipeline.pipeline import Pipeline
from app.sender import circuit_breaker, failures, worker
from tests import assembled
from tests.outbox.build import rules
from tests.sender.claims import a_policy
from tests.simulation.history import History, Outage, faults
from tests.simulation.machine import Fate, Machine, Process
from tests.simulation.pinterest_model import BREAKING, TAKES_NOTHING, Mood, Pinterest, Spell
from tests.simulation.virtual_loop import Universe

#: What may go wrong in a run.
Kind: TypeAlias = Literal[
    "outage",
    "outage beyond the age",
    "refusals",
    "blocked token",
    "lost answers",
    "poison",
    "breaking events",
    "bad events",
    "crash",
    "crash at a commit",
    "freeze",
    "clock",
    "locked store",
    "stop",
]
#: What is drawn of in most runs; the other takes long.
KINDS: Final[tuple[Kind, ...]] = tuple(kind for kind in get_args(Kind) if kind != "outage beyond the age")

#: What goes wrong where browsers answer: no call is under way for long behind the question.
ANSWERED: Final[tuple[tuple[Kind, ...], ...]] = (("crash", "crash at a commit"), ("locked store", "outage"), ("stop",))

#: The default policy in a hurry: a thirtieth of each time, and the age in the same proportion to the rest as an hour.
POLICY: Final = a_policy(
    batch_max_events=50,
    batch_max_wait_s=0,
    max_calls_in_flight=2,
    send_timeout_s=5,
    retry_max_attempts=3,
    retry_max_age_hours=1 / 6,
    retry_max_pause_s=20,
    shutdown_timeout_s=4,
)
#: A thirtieth of an hour.
FAILING_FOR_S: Final = 120.0
RULES: Final[OutboxSettings] = rules(ledger_s=10 * 86_400, ledger_delivered_s=10 * 86_400, dedup_window_s=10 * 86_400)

#: Events arrive for so long, and something goes wrong for so long.
_BUSY_S: Final = 60.0
#: After the last fault all is settled within so long: a lease, the longest pauses, and some more tries.
_CALM_S: Final = 240.0
#: So long good events still arrive one by one then: what is refused alone is proven bad only by others that are taken.
_LATE_S: Final = 160.0
_LATE_EVERY_S: Final = 10.0
#: A sender that has heard nothing for so long posts again.
_SENDER_PATIENCE_S: Final = 10.0
#: A process that lives notices within so long that the clock was set, and tells it.
_NOTICES_S: Final = 20.0
_MAX_STEPS: Final = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A run that is over."""

    seed: int
    kinds: tuple[Kind, ...]
    history: History
    #: What must not be; empty where all is well.
    faults: list[str]


def play(seed: int, folder: Path, *, kinds: Sequence[Kind] | None = None, answers: bool = False) -> Played:
    """Play one run in an empty folder; `kinds` None draws what goes wrong. With `answers` browsers say no and yes."""
    with _in_a_hurry():
        run = _Run(seed, folder, kinds, answers=answers)
        run.go()
    return Played(seed=seed, kinds=run.kinds, history=run.history, faults=faults(run.history))


@contextmanager
def _in_a_hurry() -> Iterator[None]:
    """Shorten what is looked at again and again, and take out what reads a clock that is not ours."""
    with ExitStack() as stack:
        for where, name, value in (
            (worker, "REST_S", 6.0),
            (notifier, "POLL_S", 3.0),
            (database, "BUSY_TIMEOUT_S", -1.0),
            (database, "_MIGRATION_S", -1.0),
            (receiving, "_TURN_S", 1e9),
            (circuit_breaker, "MIN_BLOCKED_PAUSE_S", 6.0),
            (circuit_breaker, "MAX_BLOCKED_PAUSE_S", 60.0),
            (failures, "FAILING_FOR_S", FAILING_FOR_S),
        ):
            stack.enter_context(patch.object(where, name, value))
        yield


#: What answers do.
CONSENTS: Final = assembled.settings(consent_categories=("ads",))


@cache
def _pipelines() -> dict[bool, Pipeline]:
    """Return what maps web events and offline events, by whether they are offline; presets are compiled once."""
    settings = assembled.settings(suppress="fill", consent_categories=("ads",))
    catalog = assembled.shipped_catalog()
    return {
        False: assemble.pipeline(settings, catalog),
        True: assemble.pipeline(settings, catalog, action_source="offline"),
    }


@dataclass(slots=True)
class _Post:
    """One request of a sender, which comes again until it is answered."""

    events: tuple[str, ...]
    is_answered: bool = False


@dataclass(slots=True)
class _Plan:
    """What will go wrong."""

    spells: list[Spell] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    breaking: set[str] = field(default_factory=set)
    ends_at: float = _BUSY_S


class _Run:
    def __init__(self, seed: int, folder: Path, kinds: Sequence[Kind] | None, *, answers: bool) -> None:
        self._chance = Random(seed)
        self._answers = answers
        self.kinds = tuple(kinds) if kinds else self._draw_kinds()
        self._universe = Universe(Random(self._chance.random()))
        self._nature = self._universe.loop()
        self._policy = self._draw_policy()
        self._count = self._chance.choice((5, 20, 60))
        self._names = [f"e-{number}" for number in range(self._count)]
        if answers:
            says = ("e", "e", "e", "no", "yes")
            self._names = [f"{self._chance.choice(says)}-{n}@b{self._chance.randrange(4)}" for n in range(self._count)]
        self._plan = _Plan()
        self._posts: list[_Post] = []
        self._all: list[Process] = []
        is_offline = self._chance.random() < 0.15
        self.history = History(
            is_offline=is_offline,
            max_age_s=self._policy.retry_max_age_s,
            max_pause_s=self._policy.retry_max_pause_s,
            bad=frozenset(),
            breaks_for_s=FAILING_FOR_S,
        )
        self._pinterest = Pinterest(
            universe=self._universe,
            loop=self._nature,
            chance=Random(self._chance.random()),
            history=self.history,
            poison=frozenset(),
            failing=frozenset(),
            timeout_s=self._policy.limits.send_timeout_s,
        )
        path = folder / f"{seed}.db"
        shutil.copyfile(_template(folder), path)
        self._machine = Machine(path, self._universe, self._pinterest, self.history, rules=RULES)

    def _draw_kinds(self) -> tuple[Kind, ...]:
        if self._chance.random() < 0.03:
            return ("outage beyond the age",)
        return tuple(self._chance.sample(KINDS, self._chance.choice((1, 2, 2, 3))))

    def _draw_policy(self) -> DeliverySettings:
        policy = POLICY.with_limits(batch_max_events=self._chance.choice((1, 3, 8, 50)))
        return policy.model_copy(update={"max_calls_in_flight": self._chance.choice((1, 2, 4))})

    # The plan.

    def _at(self, moment: float, what: Callable[[], object]) -> None:
        self._plan.ends_at = max(self._plan.ends_at, moment)
        self._nature.call_at(moment, what)

    def _moment(self) -> float:
        return self._chance.uniform(1, _BUSY_S)

    def _make_plan(self) -> None:
        for kind in self.kinds:
            self._add(kind)
        self._pinterest.spells = self._plan.spells
        self._pinterest.poison = frozenset(self._plan.poison)
        self._pinterest.failing = frozenset(self._plan.failing)
        self._pinterest.breaking = self.history.breaking = frozenset(
            self._plan.breaking - self._plan.poison - self._plan.failing
        )
        self.history.bad = frozenset(self._plan.poison | self._plan.failing | self._plan.breaking)
        for number in range(self._chance.choice((1, 2, 2, 3))):
            self._nature.call_at(number * 0.1, self._start)
        left = list(self._names)
        while left:
            size = min(len(left), self._chance.choice((1, 1, 3, 10, 30)))
            self._nature.call_at(self._moment(), self._post, _Post(tuple(left[:size])))
            left = left[size:]

    def _add(self, kind: Kind) -> None:  # noqa: C901, PLR0912 - one case a kind
        chance, begun = self._chance, self._moment()
        match kind:
            case "outage":
                moods: tuple[Mood, ...] = ("down", "unreachable", "rate limits")
                self._spell(chance.choice(moods), begun, chance.choice((10, 60, 150)))
            case "outage beyond the age":
                self._spell("down", 20, 720)
            case "refusals":
                self._spell("refuses", begun, chance.choice((5, 60, 150)))
            case "blocked token":
                self._block(begun)
            case "lost answers":
                lossy: tuple[Mood, ...] = ("broken", "hangs", "garbles", "cuts off")
                for mood in chance.sample(lossy, 2):
                    self._spell(mood, self._moment(), 30, share=chance.choice((0.3, 1.0)))
            case "poison":
                self._plan.poison |= set(chance.sample(self._names, chance.choice((1, 1, 3))))
            case "breaking events":
                self._plan.breaking |= set(chance.sample(self._names, chance.choice((1, 1, 2))))
                self._pinterest.breaks_by = chance.choice(BREAKING)
            case "bad events":
                self._plan.failing |= set(chance.sample(self._names, chance.choice((1, 3))))
            case "crash":
                for _ in range(chance.choice((1, 2, 4))):
                    self._at(self._moment(), lambda: self._crash(chance.randrange(1, 200)))
            case "crash at a commit":
                for _ in range(chance.choice((1, 3))):
                    self._at(
                        self._moment(), lambda: self._doom(chance.choice(("before its commit", "after its commit")))
                    )
            case "freeze":
                self._at(begun, lambda: self._freeze(chance.choice((3, 12, 40, 70))))
            case "clock":
                for _ in range(chance.choice((1, 1, 2))):
                    self._at(self._moment(), lambda: self._set_clock(chance.choice((-3_600, -30, 30, 3_600, 345_600))))
            case "locked store":
                self._at(begun, self._machine.lock)
                self.history.free_at = begun + chance.choice((3, 20, 60))
                self._at(self.history.free_at, self._machine.unlock)
            case "stop":
                self._at(begun, self._stop)

    def _spell(self, mood: Mood, begun: float, seconds: float, *, share: float = 1.0) -> None:
        ended = begun + seconds
        self._plan.spells.append(Spell(mood=mood, began_at=begun, ended_at=ended, share=share))
        self._plan.ends_at = max(self._plan.ends_at, ended)
        if mood in TAKES_NOTHING:
            self.history.outages.append(Outage(begun, ended))

    def _block(self, begun: float) -> None:
        if self._chance.random() < 0.5:
            self._spell("blocks", begun, self._chance.choice((10, 60)))
        else:  # another token is valid from now on, and is known here only later
            self._at(begun, lambda: setattr(self._pinterest, "accepted", "t-1"))
            known = begun + self._chance.choice((10, 60))
            self._at(known, lambda: setattr(self._pinterest, "token", "t-1"))
            self.history.outages.append(Outage(begun, known))

    # What goes wrong.

    def _one(self) -> Process | None:
        alive = self._machine.processes
        return self._chance.choice(alive) if alive else None

    def _crash(self, steps: int) -> None:
        if process := self._one():
            process.loop.after_steps(steps, process.kill)

    def _doom(self, fate: Fate) -> None:
        if process := self._one():
            process.fate = fate

    def _freeze(self, seconds: float) -> None:
        if process := self._one():
            process.freeze(seconds, breaks=seconds >= self._policy.lease_s / 2)
            self._plan.ends_at = max(self._plan.ends_at, self._universe.now + seconds)

    def _set_clock(self, seconds: float) -> None:
        self._machine.set_by_s += seconds
        witnesses, lives = list(self._machine.processes), len(self.history.lives)

        def ask() -> None:
            if all(process.is_dead for process in witnesses) or len(self.history.lives) > lives:
                self.history.has_unseen_jump = True

        self._nature.call_later(_NOTICES_S, ask)

    def _stop(self) -> None:
        if process := self._one():
            process.stop()

    def _start(self) -> None:
        try:
            process = self._machine.start(self._pipeline_of, self._policy, CONSENTS if self._answers else None)
        except OutboxUnavailable:
            self._nature.call_later(1, self._start)
            return
        self._all.append(process)
        process.on_end = self._start_later

    def _start_later(self) -> None:
        self._nature.call_later(self._chance.uniform(0.1, 5), self._start)

    def _pipeline_of(self, outbox: SqliteOutbox) -> Pipeline:
        like = _pipelines()[self.history.is_offline]
        router = like._router
        if self._answers:
            router = copy(router)  # each process knows by itself what it has read of answers
            assert router.reader is not None
            router.consents = Consents(CONSENTS, router.reader, ConsentBook(lambda: self._universe.now))
        return Pipeline(like.catalog, router, outbox=outbox)

    # The senders.

    def _post(self, post: _Post) -> None:
        if post not in self._posts:
            self._posts.append(post)
        if post.is_answered:
            return
        for event in post.events:
            self.history.posted.setdefault(event, self._universe.now)
        process = self._one()
        if process is None:
            self._nature.call_later(1, self._post, post)
            return
        self._nature.call_later(_SENDER_PATIENCE_S, self._post, post)
        process.accept(post.events, lambda receipt: self._answered(post, receipt))

    def _answered(self, post: _Post, receipt: Receipt) -> None:
        for event in receipt.events:
            for line in event.deliveries:
                may_be_withheld = self._answers and line.outcome is Outcome.WITHHELD
                if line.outcome not in {Outcome.ENQUEUED, Outcome.DUPLICATE} and not may_be_withheld:
                    self.history.failures.append(f"{event.message_id} left by {line.outcome}: {line.reason}")
            self.history.acknowledged.setdefault(str(event.message_id), self._universe.now)
        post.is_answered = post.is_answered or self._chance.random() > 0.1  # else the answer is lost on its way

    # The run.

    def go(self) -> None:
        """Play it to the end."""
        self._make_plan()
        self._until(lambda: self._universe.now >= self._plan.ends_at)
        for process in self._machine.processes:
            process.fate = None
            process.loop.after_steps(10**9, process.kill)
        calm_at = self._universe.now
        number = 0
        while self._universe.now < calm_at + _CALM_S and not self._is_settled():
            if self._universe.now < calm_at + _LATE_S:
                self._post(_Post((f"late-{number}",)))
                number += 1
            ends_at = self._universe.now + _LATE_EVERY_S
            self._until(lambda: self._universe.now >= ends_at)  # noqa: B023 - used within the round
        self._close()

    def _until(self, condition: Callable[[], bool]) -> None:
        self._nature.call_later(_LATE_EVERY_S, _nothing)
        for _ in range(_MAX_STEPS):
            if condition():
                return
            if not self._universe.step():
                self._nature.call_later(1, _nothing)
        self.history.failures.append(f"no end after {_MAX_STEPS} steps, at {self._universe.now:.0f} s")

    def _is_settled(self) -> bool:
        if not all(post.is_answered for post in self._posts):
            return False
        with closing(sqlite3.connect(self._machine.path)) as connection:
            query = "SELECT coalesce(sum(count), 0) FROM backlog WHERE state IN ('pending', 'claimed')"
            return bool(connection.execute(query).fetchone() == (0,))

    def _close(self) -> None:
        history, machine = self.history, self._machine
        history.unanswered = sum(not post.is_answered for post in self._posts)
        for process in self._all:
            history.failures += [f"unforeseen: {each}" for each in process.loop.failures]
        for process in list(machine.processes):
            process.on_end = _nothing
            process.kill()
        machine.unlock()
        self._nature.end()
        for process in self._all:
            process.loop.unwind()
        with closing(sqlite3.connect(machine.path)) as connection:
            sql, parameters = filtered("search", database.SQL["search"], Query())
            rows = connection.execute(sql, parameters | {"before": search.END, "floor": 0, "limit": -1})
            history.deliveries = list(map(delivery_of, rows))
        for suffix in ("", "-wal", "-shm"):
            Path(f"{machine.path}{suffix}").unlink(missing_ok=True)


def _nothing(*_: object) -> None:
    """Let time pass."""


def _template(folder: Path) -> Path:
    """Return an empty outbox, which a run begins with a copy of."""
    path = folder / "template.db"
    if not path.exists():
        connection = database.open_writable(path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    return path
