"""Enqueue: store new deliveries; unless all are new, check each delivery for duplicates."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from itertools import islice
from operator import attrgetter
from typing import Final, TypeAlias

from psycopg import Rollback
from psycopg.pq import TransactionStatus

from app.config.settings import OutboxSettings
from app.core.deliveries import Enqueued, StoredDelivery
from app.core.events import Outcome
from app.core.values.times import MINUTE_S
from app.errors import MemoryChanged, OutboxUnavailable
from app.outbox.counts import summed
from app.outbox.enqueue import (
    PAYLOAD_VERSION,
    Held,
    PreparedEnqueue,
    Rows,
    erased_keys,
    holders,
    other_sides,
    stored_warnings,
    without_duplicates,
)
from app.outbox.pairing import NOT_CONFIRMED, read_twins
from app.outbox.people import changes_to_people
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import COLLISIONS, until_done
from app.outbox.postgres.people import joined_additions, joined_changes, lock_suppressions, write_people
from app.outbox.postgres.settle import drop
from app.outbox.refusals import added, backlog_full, loads_of
from app.outbox.rows import as_json

#: Columns of a delivery, in the order of the statement `store`.
_BEFORE_WARNINGS: Final = attrgetter(
    *("ad_account_id", "preset", "message_id", "event_name", "event_id", "action_source", "order_id", "event_time")
)
_BEHIND_WARNINGS: Final = attrgetter(
    *("traceparent", "source", "amount", "currency", "checkout_id", "buyer", "name", "is_trusted", "shop", "channel")
)
#: The result of a call.
Answer: TypeAlias = list[Enqueued] | OutboxUnavailable | MemoryChanged


async def enqueue(connection: Connection, calls: Sequence[PreparedEnqueue], rules: OutboxSettings) -> list[Answer]:
    """Store calls in one transaction; return one result each.

    A call fails alone if the backlog is full or its memory has changed.
    """
    if not any(changes_to_people(call.people) for call in calls):
        return await _enqueue(connection, calls, rules)
    answers = await _enqueue_with_people(connection, calls, rules)
    if answers is None and len(calls) > 1:
        each = [await _enqueue_with_people(connection, [call], rules) for call in calls]
        return [found[0] if found else MemoryChanged() for found in each]
    return answers or [MemoryChanged()]


async def _enqueue_with_people(
    connection: Connection, calls: Sequence[PreparedEnqueue], rules: OutboxSettings
) -> list[Answer] | None:
    """Store calls with their changes of the memory.

    `None`, without a change, if the memory changed after it was read.

    The result is also `None` if one of several calls fails.
    """
    changes = joined_changes([each for call in calls if (each := changes_to_people(call.people))])
    if changes is None:
        return None
    added_by_keys = joined_additions([(each, call.now) for call in calls if (each := changes_to_people(call.people))])
    answers: list[Answer] | None = None
    try:
        async with connection.transaction() as transaction:
            await lock_suppressions(connection, changes)
            if not await write_people(connection, changes, rules, added_by_keys):
                raise Rollback(transaction)
            answers = await _enqueue(connection, calls, rules)
            if any(isinstance(answer, OutboxUnavailable) for answer in answers):
                answers = answers if len(calls) == 1 else None
                raise Rollback(transaction)
    except COLLISIONS:
        return None
    return answers


async def _enqueue(connection: Connection, calls: Sequence[PreparedEnqueue], rules: OutboxSettings) -> list[Answer]:
    """Store calls; usually every delivery is new, and one statement stores all."""
    new = [call.all_new for call in calls if call.all_new is not None]
    if len(new) == len(calls):
        together = new[0] if len(new) == 1 else Rows()
        if len(new) > 1:
            for rows in new:
                together.extend(rows)
        try:
            async with _within(connection):
                stored = await _store(connection, together, rules)
        except COLLISIONS:
            stored = False
        if stored:
            return [call.all_enqueued() for call in calls]
    return await _enqueue_checked(connection, calls, rules)


def _within(connection: Connection) -> AbstractAsyncContextManager[object]:
    """Return a savepoint, which keeps a transaction usable after a failed statement.

    No effect outside a transaction.
    """
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    return nullcontext() if is_idle else connection.transaction()


async def _enqueue_checked(
    connection: Connection, calls: Sequence[PreparedEnqueue], rules: OutboxSettings
) -> list[Answer]:
    """Check every delivery, and store the new ones; repeat if another process was faster."""
    ids = [row[0] for row in await connection.rows("next_ids", count=sum(len(call.deliveries) for call in calls))]
    digests = [digest for call in calls for digest in call.digests]
    now = max(call.now for call in calls)

    async def store(connection: Connection) -> list[Answer] | None:
        rows, answers, met = await _check_all(connection, calls, digests, ids, rules)
        taken = [digest for digest, *_ in (*rows.keys, *rows.learned)]
        await connection.execute(SQL["forget_expired"], {"digests": taken, "now": now})
        if rows.evicted:
            await connection.execute(SQL["release_keys"], {"rows": as_json(rows.evicted)})
        stored = await _store(connection, rows, rules, ids=ids[: len(rows.deliveries)])
        if not stored or not await _is_unchanged(connection, rows, met):
            return None
        await connection.execute(SQL["learn_keys"], {"rows": as_json(rows.learned)})
        await _pair(connection, rows, now)
        return answers

    return await until_done(connection, store)


async def _check_all(
    connection: Connection,
    calls: Sequence[PreparedEnqueue],
    digests: Sequence[str],
    ids: Sequence[int],
    rules: OutboxSettings,
) -> tuple[Rows, list[Answer], Sequence[StoredDelivery]]:
    """Check every delivery by the current keys; also return the counterparts of orders as they were read."""
    found = await connection.rows("keys_taken", digests=list(digests))
    waiting = loads_of(await connection.rows("waiting"))
    held: Held = holders(found)
    twins = await read_twins(connection, other_sides(calls, held))
    met = list(twins.values())
    together = Rows()
    answers: list[Answer] = []
    for call in calls:
        left = list(islice(ids, len(together.deliveries), None))
        checked = without_duplicates(call, held, left, rules, twins, erased=erased_keys(found, call.now))
        more = checked.rows.loads
        if full := backlog_full(rules, waiting, checked.rows.asked(rules, more)):
            answers.append(full)
            continue
        waiting, held = added(waiting, more), checked.held
        together.extend(checked.rows)
        answers.append(checked.answers)
    return together, answers, met


async def _is_unchanged(connection: Connection, rows: Rows, met: Sequence[StoredDelivery]) -> bool:
    """Return whether the deliveries behind a decision are unchanged, and lock them.

    Settled deliveries never change.
    """
    decided = {
        *(merge.stored.delivery_id for merge in rows.merges),
        *(id_ for id_, _ in rows.superseded),
        *rows.followed,
    }
    asked = [each for each in met if each.delivery_id in decided and each.settled_at is None]
    if not asked:
        return True
    given = as_json([(each.delivery_id, each.state, each.merged, each.was_tried) for each in asked])
    return len(await connection.rows("unchanged", rows=given)) == len(asked)


async def _pair(connection: Connection, rows: Rows, now: float) -> None:
    for merge in rows.merges:
        given = merge.parameters(now) | {"payload": (merge.stored.payload or b"").decode()}
        await connection.execute(SQL["merge"], {"rows": as_json([given]), "slot": connection.slot})
    for ad_account_id, gone, next_id in rows.heirs:
        await connection.execute(SQL["follow"], {"ad_account_id": ad_account_id, "gone": gone, "next_id": next_id})
    if rows.told:
        for query in ("tell_waiting", "tell_delivered"):
            await connection.execute(SQL[query], {"rows": as_json(rows.told)})
    if rows.confirmed:
        await connection.execute(SQL["confirm"], {"ids": rows.confirmed, "reason": NOT_CONFIRMED})
    await drop(connection, [(id_, Outcome.DUPLICATE, why, 0) for id_, why in rows.superseded], now)


def _deliveries(rows: Rows) -> str:
    return as_json(
        [
            (
                *_BEFORE_WARNINGS(each),
                stored_warnings(each, placed),
                *_BEHIND_WARNINGS(each),
                placed.side,
                placed.follows,
                owner,
                placed.hold_until,
                len(each.payload),
                placed.due_at,
                placed.at,
            )
            for each, placed, owner in zip(rows.deliveries, rows.placed, rows.owned, strict=True)
        ]
    )


async def _store(
    connection: Connection, rows: Rows, rules: OutboxSettings, *, ids: Sequence[int] | None = None
) -> bool:
    """Store rows if all are new and the backlog has room; return whether they were stored.

    Rows with `ids` were checked: later rows of another process violate the key of `dedup_key`.
    """
    loads = rows.loads
    asked = rows.asked(rules, loads) if ids is None else loads  # the sum of several calls, each of them checked
    digests = [digest for digest, *_ in rows.keys] if ids is None else []
    payloads, spans = rows.blob
    parameters = {
        "deliveries": _deliveries(rows),
        "payloads": payloads,
        "spans": spans,
        "ids": ids,
        "loads": as_json([[account, *load] for account, load in asked.items()]),
        "max_backlog_bytes": rules.max_backlog_bytes,
        "version": PAYLOAD_VERSION,
        "keys": as_json(rows.keys),
        # an array literal of PostgreSQL: base64 needs no quotes, and psycopg needs a microsecond per element
        "digests": f"{{{','.join(digests)}}}",
        "dropped_events": as_json(rows.dropped),
        "counters": as_json(summed(rows.counters, span_s=MINUTE_S)),
        "owners": as_json(rows.owners),
        "named": as_json(rows.named),
    }
    ((stored,),) = await connection.rows("store", **parameters)
    return bool(stored)
