"""Enqueue: check for duplicates, then store new deliveries.

Usually every delivery is new. So the event loop, which has Python's lock anyhow, prepares the parameters of the
statement in advance; the committing thread runs it with hardly a line of Python.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from app.config.settings import OutboxSettings
from app.core.deliveries import Enqueued, State
from app.core.events import Outcome
from app.core.values.times import MINUTE_S
from app.errors import MemoryChanged, OutboxUnavailable
from app.outbox.arrivals import ArrivalClaim
from app.outbox.counts import summed
from app.outbox.enqueue import (
    PAYLOAD_VERSION,
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
from app.outbox.refusals import backlog_full, loads_of
from app.outbox.rows import as_json
from app.outbox.sqlite.database import (
    SQL,
    Connection,
    at_once,
    execute_with_retries,
    one_json,
    script_of_store,
    statements,
)
from app.outbox.sqlite.people import are_changed, write_people
from app.outbox.sqlite.settle import drop

#: Columns that are equal for most deliveries of a call; the times of enqueueing and of the first attempt, the hold, and
#: the claim follow.
_ALIKE: Final = attrgetter(
    *("ad_account_id", "preset", "event_name", "action_source", "traceparent", "source", "currency", "name"),
    *("is_trusted", "shop", "channel"),
)


def _deliveries(rows: Rows) -> dict[str, str]:
    """Return the deliveries as two lists, since most of them are equal in the columns `_ALIKE`.

    `kinds` has each combination of these columns once; `deliveries` has the number of its kind and the other columns.
    """
    kinds: dict[tuple[Any, ...], int] = {}
    own = [
        (
            kinds.setdefault((*_ALIKE(each), *placed[:4]), len(kinds)),
            each.message_id,
            each.event_id,
            each.order_id,
            each.event_time,
            stored_warnings(each, placed),
            each.amount,
            each.checkout_id,
            each.buyer,
            placed.side,
            placed.follows,
            len(each.payload),
            owner,
        )
        for each, placed, owner in zip(rows.deliveries, rows.placed, rows.owned, strict=True)
    ]
    return {"kinds": as_json(list(kinds)), "deliveries": as_json(own)}


def _keys(rows: Rows) -> str:
    """Return keys grouped by expiry, position and trust; each is a text, which is read faster than a list.

    A text has 20 characters of the digest, 8 of the number of its delivery, and then the stored order.
    """
    kinds: dict[tuple[float, int, bool], list[str]] = {}
    for digest, delivery, until, place, known, is_trusted in rows.keys:
        kinds.setdefault((until, place, is_trusted), []).append(f"{digest}{delivery!s:8}{known or ''}")
    return as_json([[*kind, texts] for kind, texts in kinds.items()])


def parameters(
    rows: Rows, rules: OutboxSettings, *, are_new: bool, claims: Sequence[ArrivalClaim] = ()
) -> dict[str, Any]:
    """Return the parameters of `store`; with `are_new` the statement verifies that every delivery is new.

    `claims` are the claims of deliveries that are placed as claimed.
    """
    loads, (payloads, spans) = rows.loads, rows.blob
    return {
        "unseen": are_new,
        "max_bytes": rules.max_backlog_bytes,
        "loads": as_json([[account, *load] for account, load in rows.asked(rules, loads).items()]),
        "moves": as_json(
            [
                *([account, None, State.PENDING, *load] for account, load in loads.items()),
                *(
                    [each.ad_account_id, State.PENDING, State.CLAIMED, len(each.places), each.size_bytes]
                    for each in claims
                ),
            ]
        ),
        **_deliveries(rows),
        "payloads": payloads,
        "spans": spans,
        "version": PAYLOAD_VERSION,
        "keys": _keys(rows),
        "dropped_events": as_json(rows.dropped),
        "counters": as_json(summed(rows.counters, span_s=MINUTE_S)),
        "span_s": MINUTE_S,
        "owners": as_json([f"{owner}|{message_id}" for message_id, owner, _ in rows.owners]),
        "now": rows.owners[0][2] if rows.owners else 0,
        "named": as_json(rows.named),
    }


def enqueue(
    connection: Connection, call: PreparedEnqueue, ready: Mapping[str, Any] | None, rules: OutboxSettings
) -> list[Enqueued] | OutboxUnavailable | MemoryChanged:
    """Store a call within a transaction; `ready` are the parameters of its `all_new`.

    Returns an error, without a change, if the backlog is full, or if the memory changed after it was read.
    """
    people = changes_to_people(call.people)
    if people is None:
        return _enqueue(connection, call, ready, rules)
    if are_changed(connection, people):
        return MemoryChanged()
    answers = _enqueue(connection, call, ready, rules)
    if not isinstance(answers, OutboxUnavailable):
        write_people(connection, people, rules, call.now)
    return answers


def _enqueue(
    connection: Connection, call: PreparedEnqueue, ready: Mapping[str, Any] | None, rules: OutboxSettings
) -> list[Enqueued] | OutboxUnavailable:
    answers = enqueue_new(connection, call, ready)
    if answers is not None:
        return answers
    taken, last_id, waiting = one_json(connection, "before_enqueue", rows=as_json(call.digests))
    ids = range(last_id + 1, last_id + 1 + len(call.deliveries))
    held = holders(taken)
    twins = at_once(read_twins(connection, other_sides([call], held)))
    checked = without_duplicates(call, held, ids, rules, twins, erased=erased_keys(taken, call.now))
    if full := backlog_full(rules, loads_of(waiting), checked.rows.asked(rules, checked.rows.loads)):
        return full
    connection.execute(SQL["store"], parameters(checked.rows, rules, are_new=False)).fetchall()
    if checked.rows.learned:
        connection.execute(SQL["learn_keys"], {"rows": as_json(checked.rows.learned)})
    _pair(connection, checked.rows, call)
    return checked.answers


def _pair(connection: sqlite3.Connection, rows: Rows, call: PreparedEnqueue) -> None:
    """Write the decisions about the counterparts of orders."""
    for merge in rows.merges:
        given = merge.parameters(call.now)
        connection.execute(SQL["merge"], given)
        connection.execute(SQL["replace_payload"], given)
    for ad_account_id, gone, next_id in rows.heirs:
        connection.execute(SQL["follow"], {"ad_account_id": ad_account_id, "gone": gone, "next_id": next_id})
    for delivery_id, warnings in rows.told:
        connection.execute(SQL["tell"], {"delivery_id": delivery_id, "warnings": warnings})
    if rows.confirmed:
        connection.execute(SQL["confirm"], {"rows": as_json(rows.confirmed), "reason": NOT_CONFIRMED})
    drop(connection, [(delivery_id, Outcome.DUPLICATE, why) for delivery_id, why in rows.superseded], call.now)


def enqueue_new(
    connection: sqlite3.Connection, call: PreparedEnqueue, ready: Mapping[str, Any] | None
) -> list[Enqueued] | None:
    """Store a call by a single statement, which is a transaction.

    `None`, without a change, unless every delivery is new.
    """
    call.first_id = None  # a previous attempt may have been rolled back
    if call.all_new is None or ready is None:
        return None
    try:
        ((first_id,),) = execute_with_retries(connection, SQL["store"], ready).fetchall()
    except sqlite3.IntegrityError:
        call.all_new = None
        return None
    call.first_id = first_id
    return call.all_enqueued()


def prepare_connection(connection: sqlite3.Connection) -> None:
    """Set up a connection for the statement `store` of queries.sql (see store.sql)."""
    for statement in statements(script_of_store()):
        connection.execute(statement)
