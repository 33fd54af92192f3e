"""Decide which dead deliveries are redriven, and which are overtaken: another delivery of the same event was sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias, cast

from app.config.settings import OutboxSettings
from app.core.deliveries import State, StoredDelivery
from app.core.pages import DeadCause, DeadLoss, Query, Redrive
from app.outbox.dedup import EVENT_ID, Deduplicator, keys_of
from app.outbox.enqueue import Held, holders
from app.outbox.rows import as_json, record_of
from app.outbox.search import END
from app.outbox.statements import Statements, UsesStore, read_deliveries, reads

#: The number of dead deliveries per commit.
REDRIVE_ROWS = 1_000
#: Part of the reason of a dead delivery that was replayed.
REPLAYED = "not redriven:"

#: [delivery, its new reason] of each.
Rows: TypeAlias = list[list[Any]]


@dataclass(slots=True)
class RedrivePlan:
    """The writes of a redrive step."""

    redriven: list[int] = field(default_factory=list)
    #: Keys of deliveries, as `Rows.keys`, by id.
    keys: list[list[Any]] = field(default_factory=list)
    #: As `Rows.learned`.
    learned: list[list[Any]] = field(default_factory=list)
    #: Dead deliveries with another stored delivery of the same event, each with the id of that delivery.
    repeats: list[tuple[StoredDelivery, int]] = field(default_factory=list)


def erased_key_rows(held: Sequence[StoredDelivery], now: float, rules: OutboxSettings) -> list[list[Any]]:
    """Return rows of [digest, delivery, end, is trusted] for the keys of erased deliveries without stored keys.

    Delivered events still have their keys.
    """
    return [
        [
            key.digest,
            each.delivery_id,
            now + (rules.dedup_window_s if key.kind == EVENT_ID else rules.ledger_s),
            each.is_trusted,
        ]
        for each in held
        if each.state is not State.DELIVERED
        for key in keys_of(each, rules)
    ]


def plan_redrive(dead: Sequence[StoredDelivery], held: Held, now: float, rules: OutboxSettings) -> RedrivePlan:
    """Decide which dead deliveries are redriven, newest first: of two of one event the newer mapping wins.

    `held` are the owners of their keys, by digest.
    """
    dedup = Deduplicator(held, now=now, rules=rules)
    plan = RedrivePlan()
    for each in dead:
        result = dedup.check(each, keys_of(each, rules), each.delivery_id)
        if result.repeats is None:
            plan.redriven.append(each.delivery_id)
            plan.keys += [taken.row(each.delivery_id) for taken in result.taken]
        else:
            plan.learned += [taken.row(taken.holder.delivery_id) for taken in result.taken]
            plan.repeats.append((each, cast("int", result.repeats.delivery_id)))
    return plan


async def plan_of(store: Statements, dead: Sequence[StoredDelivery], now: float, rules: OutboxSettings) -> RedrivePlan:
    """Decide about dead deliveries by the current keys."""
    digests = [key.digest for each in dead for key in keys_of(each, rules)]
    return plan_redrive(dead, holders(await store.rows("keys_taken", digests=digests)), now, rules)


async def dismiss_overtaken(
    store: Statements, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Dismiss dead deliveries of delivered events, among deliveries just sent and just dead."""
    found = await store.rows("overtaken", sent=list(sent), died=list(died), now=now)
    if not found:
        return
    async with store.together():
        plan = await plan_of(store, await read_deliveries(store, [id_ for (id_,) in found]), now, rules)
        overtaken, _ = await split_plan(store, plan)
        await _dismiss(store, overtaken)


async def _dismiss(store: Statements, rows: Rows) -> None:
    """Dismiss dead deliveries, each with its new reason, and erase their payloads."""
    if rows:
        await store.count("dismiss", rows=as_json(rows))
        await store.count("erase_payloads", ids=[id_ for id_, _ in rows])


async def write_plan(store: Statements, plan: RedrivePlan, now: float) -> Redrive | None:
    """Write a plan; return `None` if another process has taken one of the keys."""
    if await store.count("take_keys", rows=as_json(plan.keys), now=now) != len(plan.keys):
        return None
    await store.count("redrive", ids=plan.redriven, now=now)
    await store.count("learn_keys", rows=as_json(plan.learned))
    overtaken, staying = await split_plan(store, plan)
    await store.count("explain_dead", rows=as_json(staying))
    await _dismiss(store, overtaken)
    return Redrive(redriven=len(plan.redriven), overtaken=len(overtaken), waiting=len(staying))


async def split_plan(store: Statements, plan: RedrivePlan) -> tuple[Rows, Rows]:
    """Return the overtaken repeats of a plan, and the waiting ones, by the states of their owners."""
    states = dict(await store.rows("states", ids=[holder for _, holder in plan.repeats]))
    overtaken, staying = [], []
    for letter, holder in plan.repeats:
        if states.get(holder) == State.DELIVERED:
            why = f"{_cause(letter)}; the same event was delivered as delivery {holder}"
            overtaken.append([letter.delivery_id, why])
        else:
            why = f"{_cause(letter)}; {REPLAYED} the same event was sent again as delivery {holder}"
            staying.append([letter.delivery_id, why])
    return overtaken, staying


def dismissed(dead: Sequence[StoredDelivery], because: str) -> Rows:
    """Return the rows of deliveries that a person dismisses."""
    return [[each.delivery_id, f"{_cause(each)}; {because}"] for each in dead]


def next_step(dead: Sequence[StoredDelivery]) -> int | None:
    """Return the id below which the next step reads; `None` after the last step."""
    return dead[-1].delivery_id if len(dead) == REDRIVE_ROWS else None


class DeadLetters(UsesStore):
    """Deliveries that are dead. Every method may raise OutboxUnavailable."""

    #: Called after deliveries became pending: wakes the senders of this process.
    on_redriven: Callable[[], None]

    async def _dead(self, store: Statements, query: Query, before: int) -> list[StoredDelivery]:
        """Return at most REDRIVE_ROWS dead deliveries with an id below `before`, newest first, and lock them."""
        found = await store.matching("dead", query, before=before, limit=REDRIVE_ROWS)
        return await read_deliveries(store, [id_ for (id_,) in found])

    async def _redrive_step(self, query: Query, before: int, now: float) -> tuple[Redrive, int | None]:
        """Redrive the dead deliveries of one step, those below the id `before`.

        Returns the result, and `before` of the next step; `None` after the last step.
        """
        server_now = await self._by_server(now)

        async def step(store: Statements) -> tuple[Redrive, int | None] | None:
            dead = await self._dead(store, query, before)
            plan = await plan_of(store, dead, server_now, self._rules)
            done = await write_plan(store, plan, server_now)
            return None if done is None else (done, next_step(dead))

        return await self._change(step, rows=REDRIVE_ROWS)

    async def _dismiss_step(self, query: Query, before: int, because: str) -> tuple[int, int | None]:
        """Dismiss the deliveries of one step; return their number, and `before` of the next step."""

        async def step(store: Statements) -> tuple[int, int | None]:
            dead = await self._dead(store, query, before)
            await _dismiss(store, dismissed(dead, because))
            return len(dead), next_step(dead)

        return await self._change(step, rows=REDRIVE_ROWS)

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        """Make matching dead deliveries pending again, attempts from 0, with their history; return the result.

        Idempotent.

        `enqueued_at` is set again too, and with it the age that ends retries. Keys of de-duplication are taken again;
        if a replay owns one, the delivery stays dead with this reason, or is dismissed if the replay was delivered.
        """
        done, before = await self._redrive_step(query, END, now)
        while before is not None:
            more, before = await self._redrive_step(query, before, now)
            done = Redrive(
                redriven=done.redriven + more.redriven,
                overtaken=done.overtaken + more.overtaken,
                waiting=done.waiting + more.waiting,
            )
        self.on_redriven()
        return done

    async def dismiss(self, query: Query, *, because: str) -> int:
        """Dismiss matching dead deliveries: their payloads are erased. Return their number. Idempotent.

        `because` is added to their reasons: the person and the cause. If another delivery of the same event is
        delivered, `settle` dismisses the dead one.
        """
        count, before = await self._dismiss_step(query, END, because)
        while before is not None:
            more, before = await self._dismiss_step(query, before, because)
            count += more
        return count

    @reads
    async def causes(self, store: Statements, *, limit: int) -> list[DeadCause]:
        """Return the reasons of dead deliveries, by reason, ad account and preset, the most frequent first.

        At most the newest 100,000 dead deliveries are read.
        """
        return [record_of(DeadCause, row) for row in await store.rows("dead_causes", limit=limit)]

    @reads
    async def losses(self, store: Statements) -> list[DeadLoss]:
        """Return the value of dead deliveries, by reason, ad account and currency, with the same limit."""
        return [
            record_of(DeadLoss, row, amount=Decimal(f"{row[-1] or 0:.2f}")) for row in await store.rows("dead_losses")
        ]


def _cause(letter: StoredDelivery) -> str:
    """Return the reason of a dead delivery, without later additions about its redrive."""
    return letter.reason.partition(f"; {REPLAYED}")[0]
