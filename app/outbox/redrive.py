"""Which dead deliveries may be redriven, and which are overtaken: another delivery of the same event was sent."""

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

#: Dead deliveries looked at in one commit.
REDRIVE_ROWS = 1_000
#: Stands in the reason of a dead delivery that was replayed.
REPLAYED = "not redriven:"

#: [delivery, the reason that it now has] of each.
Rows: TypeAlias = list[list[Any]]


@dataclass(slots=True)
class RedrivePlan:
    """What a step of redriving writes."""

    redriven: list[int] = field(default_factory=list)
    #: Keys of deliveries, as `Rows.keys`, by id.
    keys: list[list[Any]] = field(default_factory=list)
    #: As `Rows.learned`.
    learned: list[list[Any]] = field(default_factory=list)
    #: Dead deliveries of events that are stored as another delivery too, each with the id of that.
    repeats: list[tuple[StoredDelivery, int]] = field(default_factory=list)


def erased_key_rows(held: Sequence[StoredDelivery], now: float, rules: OutboxSettings) -> list[list[Any]]:
    """Return rows of [digest, delivery, end, is trusted] for the keys of erased deliveries that hold no keys any more.

    Delivered events still hold their keys.
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

    `held` are the holders of their keys, by digest.
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
    """Decide about dead deliveries by the keys that are held now."""
    digests = [key.digest for each in dead for key in keys_of(each, rules)]
    return plan_redrive(dead, holders(await store.rows("keys_taken", digests=digests)), now, rules)


async def dismiss_overtaken(
    store: Statements, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Dismiss dead deliveries of events that are delivered, among deliveries just sent and just dead."""
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
    """Do what a plan says; None where another process has taken one of the keys meanwhile."""
    if await store.count("take_keys", rows=as_json(plan.keys), now=now) != len(plan.keys):
        return None
    await store.count("redrive", ids=plan.redriven, now=now)
    await store.count("learn_keys", rows=as_json(plan.learned))
    overtaken, staying = await split_plan(store, plan)
    await store.count("explain_dead", rows=as_json(staying))
    await _dismiss(store, overtaken)
    return Redrive(redriven=len(plan.redriven), overtaken=len(overtaken), waiting=len(staying))


async def split_plan(store: Statements, plan: RedrivePlan) -> tuple[Rows, Rows]:
    """Return the repeats of a plan that were overtaken, and those that wait: by where their holders stand."""
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
    """Return below which id the next step looks; None where this was the last."""
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

        Returns what was done, and `before` of the next step; None if this step was the last.
        """
        server_now = await self._by_server(now)

        async def step(store: Statements) -> tuple[Redrive, int | None] | None:
            dead = await self._dead(store, query, before)
            plan = await plan_of(store, dead, server_now, self._rules)
            done = await write_plan(store, plan, server_now)
            return None if done is None else (done, next_step(dead))

        return await self._change(step, rows=REDRIVE_ROWS)

    async def _dismiss_step(self, query: Query, before: int, because: str) -> tuple[int, int | None]:
        """Dismiss those of one step likewise; the first of both is how many."""

        async def step(store: Statements) -> tuple[int, int | None]:
            dead = await self._dead(store, query, before)
            await _dismiss(store, dismissed(dead, because))
            return len(dead), next_step(dead)

        return await self._change(step, rows=REDRIVE_ROWS)

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        """Make matching dead deliveries pending again, attempts from 0, history kept; return what was done. Idempotent.

        `enqueued_at` begins again too, and with it the age that ends retries. Keys of de-duplication are taken again;
        where a replay holds one, the delivery stays dead and its reason says so, or is dismissed where the replay was
        delivered.
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
        """Dismiss matching dead deliveries: their payloads are erased. Returns how many. Idempotent.

        `because` joins their reasons: who did it, and why. What is dead of an event that is delivered as another
        delivery is dismissed by `settle`.
        """
        count, before = await self._dismiss_step(query, END, because)
        while before is not None:
            more, before = await self._dismiss_step(query, before, because)
            count += more
        return count

    @reads
    async def causes(self, store: Statements, *, limit: int) -> list[DeadCause]:
        """Return why deliveries are dead, by reason, ad account and preset, the most frequent first.

        Of very many dead ones the newest 100,000 are looked at.
        """
        return [record_of(DeadCause, row) for row in await store.rows("dead_causes", limit=limit)]

    @reads
    async def losses(self, store: Statements) -> list[DeadLoss]:
        """Return what dead deliveries are worth, by reason, ad account and currency, likewise."""
        return [
            record_of(DeadLoss, row, amount=Decimal(f"{row[-1] or 0:.2f}")) for row in await store.rows("dead_losses")
        ]


def _cause(letter: StoredDelivery) -> str:
    """Return why a delivery died, without what was added when it was not redriven."""
    return letter.reason.partition(f"; {REPLAYED}")[0]
