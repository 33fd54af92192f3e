"""Redrive: dead deliveries become pending again, unless that would send something twice."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.outbox.keys import Key, keys_of
from app.outbox.outbox_rules import OutboxRules
from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.sql import SQL
from app.types import Query

#: Dead deliveries looked at in one commit.
STEP_ROWS = 1_000
#: Stands in the reason of a dead delivery that was replayed.
REPLAYED = "not redriven:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveCall:
    """One step of an `Outbox.redrive`."""

    query: Query
    #: Only deliveries below this id.
    before: int
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What one step did."""

    count: int
    #: `before` of the next step; None where this was the last.
    before: int | None


class _Dead(NamedTuple):
    """A row of the query `dead`."""

    delivery_id: int
    ad_account_id: str
    preset: str
    event_name: str
    event_id: str
    order_id: str | None
    reason: str


def redrive(connection: sqlite3.Connection, call: RedriveCall, rules: OutboxRules) -> Redriven:
    """Do one step of `Outbox.redrive`, newest first: of two deliveries of one event the newer mapping wins."""
    sql, parameters = conditions(SQL["dead"], call.query)
    found = connection.execute(sql, {**parameters, "before": call.before, "limit": STEP_ROWS}).fetchall()
    dead = [_Dead(*row) for row in found]
    keys = {each.delivery_id: _keys(each, rules) for each in dead}
    taken = _taken(connection, [key for of_delivery in keys.values() for key in of_delivery], call.now)
    redriven, staying = [], []
    for each in dead:
        holders = [taken[key.digest] for key in keys[each.delivery_id] if key.digest in taken]
        if holders:
            staying.append((each.delivery_id, _explained(each.reason, holders[0])))
        else:
            redriven.append(each.delivery_id)
            taken.update((key.digest, each.delivery_id) for key in keys[each.delivery_id])
    until = call.now + rules.dedup_window_s
    rows = [(key.digest, delivery_id, until) for delivery_id in redriven for key in keys[delivery_id]]
    connection.execute(SQL["redrive"], {"rows": as_rows(redriven), "now": call.now})
    connection.execute(SQL["take_keys"], {"rows": as_rows(rows), "first_id": 0})
    connection.execute(SQL["explain_dead"], {"rows": as_rows(staying)})
    return Redriven(count=len(redriven), before=dead[-1].delivery_id if len(dead) == STEP_ROWS else None)


def _keys(dead: _Dead, rules: OutboxRules) -> tuple[Key, ...]:
    return keys_of(
        ad_account_id=dead.ad_account_id,
        preset=dead.preset,
        event_name=dead.event_name,
        event_id=dead.event_id,
        order_id=dead.order_id,
        dedup_orders=rules.dedup_orders,
    )


def _taken(connection: sqlite3.Connection, keys: Sequence[Key], now: float) -> dict[str, int]:
    """Look up which keys are held within their window: digest -> delivery id."""
    rows = one_json(connection, "keys_taken", rows=as_rows([key.digest for key in keys]))
    return {digest: holder for digest, holder, until in rows if until > now}


def _explained(reason: str, holder: int) -> str:
    """Add to the reason of a dead delivery, once, that another delivery carries its event."""
    first, _, _ = reason.partition(f"; {REPLAYED}")
    return f"{first}; {REPLAYED} the same event was sent again as delivery {holder}"
