"""Settle: record the results of claimed deliveries."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import psycopg

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, NewDelivery, Settlement, State, StoredDelivery, Withdrawal
from app.core.events import CounterRow, Outcome
from app.core.fields import UNHASHED
from app.core.values.times import MINUTE_S
from app.outbox.counts import summed
from app.outbox.dedup import cancelled_digests, key_rows, order_digests
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.redrive import dismiss_overtaken
from app.outbox.rows import as_json
from app.outbox.settlement import (
    PendingOrder,
    attempt_row,
    cancelled_rows,
    last_of_each,
    reason_of,
    reason_of_withdrawal,
    was_tried,
    withdrawals_of,
    withdraws,
)
from app.outbox.statements import read_deliveries


async def settle(
    connection: Connection,
    settlements: Sequence[Settlement],
    counters: Sequence[CounterRow],
    now: float,
    rules: OutboxSettings,
) -> None:
    settlements = last_of_each(settlements)
    parameters = {
        "kinds": as_json(_kinds(settlements)),
        "counters": as_json(summed([(now, counter) for counter in counters], span_s=MINUTE_S)),
        "now": now,
    }
    sent = [each for each in settlements if each.state is State.DELIVERED]
    if (rules.payload_s > 0 and sent) or any(each.state is State.DEAD for each in settlements):
        async with connection.transaction():
            died = [id_ for (id_,) in await connection.rows("settle", **parameters)]
            await release_keys(connection, await read_deliveries(connection, died))
            if rules.payload_s > 0 and sent:
                await _keep(connection, sent, rules, now)
    else:
        died = [id_ for (id_,) in await connection.rows("settle", **parameters)]
    if sent or died:
        ids = [int(each.claimed.delivery_id) for each in sent]
        with suppress(psycopg.Error):  # all results are recorded: missed dismissals follow at the next redrive
            await dismiss_overtaken(connection, sent=ids, died=died, now=now, rules=rules)


def _kinds(settlements: Sequence[Settlement]) -> list[list[Any]]:
    """Return equal settlements as one, with the ids of their deliveries."""
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for each in settlements:
        kind = each.claimed.claim, each.state, each.due_at, each.give_back, each.result
        kinds.setdefault(kind, []).append(int(each.claimed.delivery_id))
    return [
        [*kind, int(back), reason_of(result), attempt_row(result) if was_tried(result) else None, ids]
        for (*kind, back, result), ids in kinds.items()
    ]


async def release_keys(connection: Connection, held: Sequence[StoredDelivery]) -> None:
    if held:
        await connection.execute(SQL["release_keys"], {"rows": as_json(key_rows(held))})
        await connection.execute(SQL["release_learned"], {"ids": [each.delivery_id for each in held]})


async def _keep(connection: Connection, delivered: Sequence[Settlement], rules: OutboxSettings, now: float) -> None:
    """Store payloads for a limited time, without unhashed data."""
    ids = [int(each.claimed.delivery_id) for each in delivered]
    bodies = [_stripped(each.claimed.payload) for each in delivered]
    erase_at = now + rules.payload_s
    await connection.execute(SQL["keep_payloads"], {"ids": ids, "bodies": bodies, "erase_at": erase_at, "now": now})


def _stripped(payload: bytes) -> bytes:
    event = orjson.loads(payload)
    for name in UNHASHED:
        event.get("user_data", {}).pop(name, None)
    return orjson.dumps(event)


async def withdraw(
    connection: Connection, withdrawals: Sequence[Withdrawal], now: float, rules: OutboxSettings
) -> list[int]:
    rows = as_json(cancelled_rows(withdrawals, now, rules))
    await connection.execute(SQL["remember_cancelled"], {"rows": rows})
    return await _withdraw(connection, withdrawals, now)


async def withdraw_cancelled(
    connection: Connection, orders: Sequence[NewDelivery], now: float, rules: OutboxSettings
) -> list[int]:
    digests = [digest for order in orders for digest in cancelled_digests(order, rules)]
    found = await connection.rows("cancelled", digests=digests, now=now)
    asked = withdrawals_of(orders, [(digest, said, is_trusted) for digest, said, is_trusted in found], rules)
    counts = await _withdraw(connection, [withdrawal for _, withdrawal in asked], now)
    return [place for (place, _), count in zip(asked, counts, strict=True) if count]


async def _withdraw(connection: Connection, withdrawals: Sequence[Withdrawal], now: float) -> list[int]:
    rows = [
        (digest, asked.preset, place)
        for place, asked in enumerate(withdrawals)
        for digest in order_digests(asked.ad_account_id, asked.order_id, asked.source, asked.shop)
    ]
    async with connection.transaction():
        # locked by id, so that two calls cannot deadlock
        asked_of = await connection.rows("pending_of_orders", rows=as_json(rows))
        found = [(place, PendingOrder(*row)) for place, *row in sorted(asked_of, key=lambda row: row[:2])]
        gone = {
            order.delivery_id: (order.delivery_id, Outcome.WITHDRAWN, reason_of_withdrawal(withdrawals[place]), place)
            for place, order in reversed(found)
            if withdraws(withdrawals[place], order)
        }
        counts = Counter(await drop(connection, list(gone.values()), now))
    return [counts[place] for place in range(len(withdrawals))]


async def drop(connection: Connection, dropped: Sequence[tuple[int, Outcome, str, int]], now: float) -> list[int]:
    """Erase pending deliveries, each with its outcome and reason for the ledger; return their positions."""
    return await _drop(connection, [(*each, None) for each in dropped], now)


async def withhold(connection: Connection, claimed: Sequence[tuple[Claimed, str]], now: float) -> int:
    ids = [int(each.delivery_id) for each, _ in claimed]
    rows = [(id_, Outcome.WITHHELD, why, id_, each.claim) for id_, (each, why) in zip(ids, claimed, strict=True)]
    async with connection.transaction():
        held = await read_deliveries(connection, ids)
        gone = set(await _drop(connection, rows, now))
        await release_keys(connection, [each for each in held if each.delivery_id in gone])
    return len(gone)


async def _drop(
    connection: Connection, dropped: Sequence[tuple[int, Outcome, str, int, str | None]], now: float
) -> list[int]:
    if not dropped:
        return []
    minute = int(now // MINUTE_S) * MINUTE_S
    rows = await connection.rows("drop", rows=as_json(dropped), now=now, minute=minute)
    return [place for (place,) in rows]
