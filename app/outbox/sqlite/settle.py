"""Record the results of claimed deliveries, and withdraw, withhold or drop deliveries."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Delivered, NewDelivery, Settlement, State, StoredDelivery, Withdrawal
from app.core.events import CounterRow, Outcome
from app.core.values.times import MINUTE_S
from app.outbox.counts import summed
from app.outbox.dedup import cancelled_digests, key_rows, order_digests
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
from app.outbox.sqlite.database import SQL, Connection, at_once, one_json
from app.outbox.statements import read_deliveries

#: The attempt that is not stored, see tried.sql.
_PLAIN: Final = Delivered()

#: The number of an attempt, its outcome, status and message: most attempts of a call are equal.
AttemptKind: TypeAlias = tuple[int, Outcome, int | None, str]


def settle(
    connection: Connection,
    settlements: Sequence[Settlement],
    counters: Sequence[CounterRow],
    now: float,
    rules: OutboxSettings,
) -> None:
    """Record results.

    A dead payload is stored unchanged: an event with only IP address and user agent as identifiers could not be sent
    again without them.
    """
    last = last_of_each(settlements)
    by_claim = _deliver(connection, [each for each in last if each.state is State.DELIVERED], now)
    sent = [id_ for ids in by_claim.values() for id_ in ids]
    held = _still_ours(connection, [each for each in last if each.state is not State.DELIVERED])
    died = [int(each.claimed.delivery_id) for each in held if each.state is State.DEAD]
    if held:
        connection.execute(SQL["settle"], {"rows": as_json([_state_row(each, now) for each in held])})
        release_keys(connection, at_once(read_deliveries(connection, died)))
    if tried := [each for each in last if each.result != _PLAIN and was_tried(each.result)]:
        ours = {(claim, id_) for (claim, _), ids in by_claim.items() for id_ in ids}
        ours |= {(each.claimed.claim, int(each.claimed.delivery_id)) for each in held}
        noted = [each for each in tried if (each.claimed.claim, int(each.claimed.delivery_id)) in ours]
        kinds = ((int(each.claimed.delivery_id), (each.claimed.attempt, *attempt_row(each.result))) for each in noted)
        add_attempts(connection, kinds, at=now)
    if died:
        sums, _ = connection.execute(SQL["sums"], {"rows": as_json(died), "claim": None}).fetchone()
        connection.execute(SQL["count_settled"], {"sums": sums, "state": State.DEAD})
    if sent:
        _erase(connection, sent, rules, now)
    if (sent or died) and connection.execute(SQL["any_dead"]).fetchone()[0]:
        at_once(dismiss_overtaken(connection, sent=sent, died=died, now=now, rules=rules))
    add_counters(connection, ((now, counter) for counter in counters))


def _deliver(
    connection: Connection, settlements: Sequence[Settlement], now: float
) -> dict[tuple[str, str], Sequence[int]]:
    """Settle deliveries that Pinterest accepted.

    Return the ids of those that this process owns, by claim and ad account.
    """
    claims: dict[tuple[str, str], list[int]] = {}
    for each in settlements:
        claims.setdefault((each.claimed.claim, each.claimed.ad_account_id), []).append(int(each.claimed.delivery_id))
    ours: dict[tuple[str, str], Sequence[int]] = {}
    for (claim, ad_account_id), ids in claims.items():
        given = {"rows": as_json(ids), "claim": claim, "now": now}
        sums, count = connection.execute(SQL["sums"], given).fetchone()
        if count:
            connection.execute(SQL["count_delivered"], {"sums": sums, "ad_account_id": ad_account_id})
            connection.execute(SQL["count_settled"], {"sums": sums, "state": State.DELIVERED})
            is_whole = count == len(ids)
            ours[claim, ad_account_id] = (
                ids if is_whole else [id_ for (id_,) in connection.execute(SQL["held_by"], given)]
            )
            connection.execute(SQL["deliver"], given)
    return ours


def _still_ours(connection: Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    rows = as_json([(int(each.claimed.delivery_id), each.claimed.claim) for each in settlements])
    return [settlements[place] for place in one_json(connection, "still_ours", rows=rows)] if settlements else []


def _state_row(settlement: Settlement, now: float) -> list[Any]:
    settled_at = None if settlement.state is State.PENDING else now
    reason, id_ = reason_of(settlement.result), int(settlement.claimed.delivery_id)
    return [id_, settlement.state, settlement.due_at, settled_at, int(settlement.give_back), reason]


def _erase(connection: Connection, ids: Sequence[int], rules: OutboxSettings, now: float) -> None:
    if rules.payload_s > 0:
        connection.execute(SQL["strip_payloads"], {"rows": as_json(ids), "erase_at": now + rules.payload_s})
    else:
        connection.execute(SQL["erase_payloads"], {"ids": as_json(ids)})


def release_keys(connection: sqlite3.Connection, held: Sequence[StoredDelivery]) -> None:
    """Delete the keys of dead or deleted deliveries, so that the same event can be sent again."""
    if held:
        connection.execute(SQL["release_keys"], {"rows": as_json(key_rows(held))})
        connection.execute(SQL["release_learned"], {"ids": as_json([each.delivery_id for each in held])})


def withdraw(
    connection: sqlite3.Connection, withdrawals: Sequence[Withdrawal], now: float, rules: OutboxSettings
) -> list[int]:
    connection.execute(SQL["remember_cancelled"], {"rows": as_json(cancelled_rows(withdrawals, now, rules))})
    return [_withdraw(connection, each, now) for each in withdrawals]


def withdraw_cancelled(
    connection: sqlite3.Connection, orders: Sequence[NewDelivery], now: float, rules: OutboxSettings
) -> list[int]:
    digests = as_json([digest for order in orders for digest in cancelled_digests(order, rules)])
    found = connection.execute(SQL["cancelled"], {"digests": digests, "now": now}).fetchall()
    asked = withdrawals_of(orders, found, rules)
    return [place for place, withdrawal in asked if _withdraw(connection, withdrawal, now)]


def _withdraw(connection: sqlite3.Connection, asked: Withdrawal, now: float) -> int:
    digests = as_json(order_digests(asked.ad_account_id, asked.order_id, asked.source, asked.shop))
    found = connection.execute(SQL["pending_of_order"], {"rows": digests, "preset": asked.preset}).fetchall()
    ids = [order.delivery_id for order in map(PendingOrder._make, found) if withdraws(asked, order)]
    drop(connection, [(id_, Outcome.WITHDRAWN, reason_of_withdrawal(asked)) for id_ in ids], now)
    return len(ids)


def drop(connection: sqlite3.Connection, dropped: Sequence[tuple[int, Outcome, str]], now: float) -> None:
    """Erase waiting deliveries, each with its outcome and reason for the ledger.

    They were counted as enqueued: so they are counted as withdrawn, whatever the outcome.
    """
    minute = int(now // MINUTE_S) * MINUTE_S
    for outcome, reason in dict.fromkeys((outcome, reason) for _, outcome, reason in dropped):
        rows = {"rows": as_json([id_ for id_, *why in dropped if why == [outcome, reason]])}
        connection.execute(SQL["drop_withdrawn"], {**rows, "outcome": outcome.value, "reason": reason, "at": now})
        connection.execute(SQL["keep_owners"], {**rows, "at": now})
        counted = {"outcome": Outcome.WITHDRAWN.value, "minute": minute, "span_s": MINUTE_S}
        connection.execute(SQL["count_withdrawn"], {**rows, **counted})
        connection.execute(SQL["reopen_steps"], {"moment": minute})
        connection.execute(SQL["forget_waiting_orders"], rows)
        connection.execute(SQL["withdraw"], rows)


def withhold(connection: Connection, claimed: Sequence[tuple[Claimed, str]], now: float) -> int:
    """Erase deliveries that are still claimed, each with its reason, and record them as withheld; return their number.

    Their keys are deleted: after an opt-in of the person, the same events may arrive again.
    """
    asked = as_json([[int(each.delivery_id), each.claim] for each, _ in claimed])
    ours = set(one_json(connection, "still_claimed", rows=asked))
    held = at_once(read_deliveries(connection, ours))
    reasons = [(int(each.delivery_id), Outcome.WITHHELD, reason) for each, reason in claimed]
    drop(connection, [each for each in reasons if each[0] in ours], now)
    release_keys(connection, held)
    return len(ours)


def add_attempts(connection: sqlite3.Connection, attempts: Iterable[tuple[int, AttemptKind]], *, at: float) -> None:
    """Add attempts, each with the id of its delivery, to the histories of these deliveries."""
    kinds: dict[AttemptKind, list[int]] = {}
    for delivery_id, kind in attempts:
        kinds.setdefault(kind, []).append(delivery_id)
    connection.execute(SQL["add_attempts"], {"kinds": as_json([[*kind, ids] for kind, ids in kinds.items()]), "at": at})


def add_counters(
    connection: sqlite3.Connection, counters: Iterable[tuple[float, CounterRow]], *, span_s: int = MINUTE_S
) -> None:
    """Add counts, each with its time, to their minute or hour (`span_s`)."""
    rows = summed(counters, span_s=span_s)
    if rows:
        connection.execute(SQL["add_counters"], {"rows": as_json(rows), "span_s": span_s})
        if span_s == MINUTE_S:
            connection.execute(SQL["reopen_steps"], {"moment": rows[0][0]})
