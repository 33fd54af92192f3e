"""Claim, renew and hold: who may send what, and until when; and what is out of the line, since its preset is off."""

import secrets
import sqlite3
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

import orjson

from app.core.deliveries import HELD, LEASE_LOST, Claimed
from app.core.events import Exit
from app.outbox.hold_clock import EndedHolds
from app.outbox.pairing import LOOK_S, Waiting, waits_over
from app.outbox.records import check_payload_version
from app.outbox.rows import as_json
from app.outbox.settlement import AFTER_LOSS, HOLD_ROWS, ClaimQuery
from app.outbox.sqlite.counters import add_attempts
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.settle import drop, release_keys

#: Where the length of its payload stands in a row of the query `claimed`.
_BODY_BYTES: Final = 10


def hold(connection: sqlite3.Connection, asked: ClaimQuery) -> None:
    connection.execute(SQL["hold"], {**_parameters(asked), "reason": HELD, "limit": HOLD_ROWS})


def end_holds(connection: sqlite3.Connection, asked: ClaimQuery, over: EndedHolds) -> None:
    """Put what is no longer held by its preset into the line."""
    which = {**_parameters(asked), "by": over.by, "ahead_s": over.ahead_s, "limit": HOLD_ROWS}
    connection.execute(SQL["end_holds"], which)
    if over.ahead_s is not None:
        connection.execute(SQL["tell_holds"], which)


def end_waits(connection: sqlite3.Connection, asked: ClaimQuery, over: EndedHolds) -> None:
    """Decide about deliveries that wait for what becomes of others."""
    which = {"ad_account_id": asked.ad_account_id, "by": over.by, "limit": HOLD_ROWS}
    found = [Waiting.of(row) for row in connection.execute(SQL["followers"], which)]
    ended = waits_over(found, now=asked.now, max_event_age_s=asked.max_event_age_s)
    connection.execute(SQL["let_go"], {"rows": as_json(ended.sent), "now": asked.now})
    for gone, next_id in ended.first.items():
        connection.execute(SQL["follow"], {"ad_account_id": asked.ad_account_id, "gone": gone, "next_id": next_id})
    connection.execute(SQL["wait_on"], {"rows": as_json(ended.waiting), "until": over.by + LOOK_S})
    drop(connection, ended.dropped, asked.now)
    release_keys(connection, ended.withheld)


def release(connection: sqlite3.Connection, asked: ClaimQuery, presets: frozenset[str]) -> None:
    """Put deliveries of each of these presets back in the line, as many as a claim takes."""
    for preset in presets:
        connection.execute(SQL["release"], {**_parameters(asked), "preset": preset})


def _parameters(asked: ClaimQuery) -> dict[str, Any]:
    taken = asked.parameters
    only = None if asked.only is None else as_json(asked.only)
    return taken | {"without_presets": as_json(taken["without_presets"]), "only": only}


def claim(connection: sqlite3.Connection, asked: ClaimQuery) -> list[Claimed]:
    if asked.holds:
        end_holds(connection, asked, asked.holds)
    if asked.without_presets:
        hold(connection, asked)
    claimed, held, waited = _take(connection, asked)
    if waited and asked.holds:
        end_waits(connection, asked, asked.holds)
    if again := held - asked.without_presets:
        release(connection, asked, again)
    if again or waited:
        claimed = claimed or _take(connection, asked)[0]
    lost = [
        (int(each.delivery_id), (each.attempt - 1, Exit.RETRY, None, LEASE_LOST))
        for each in claimed
        if each.lease_was_lost
    ]
    if lost:
        add_attempts(connection, lost, at=asked.now)
    return claimed


def _take(connection: sqlite3.Connection, asked: ClaimQuery) -> tuple[list[Claimed], frozenset[str], bool]:
    """Claim, and return what was taken, of which presets something is held, and whether a wait for others is over.

    One statement takes, a second reads what it took as one row (see queries.sql).
    """
    token = secrets.token_hex(8)
    by = asked.holds.by if asked.holds else None
    parameters = {**_parameters(asked), "claim": token, "claim_after_loss": token + AFTER_LOSS, "by": by}
    connection.execute(SQL["claim"], parameters)
    taken, bodies, held, waited = connection.execute(SQL["claimed"], parameters).fetchone()
    rows = orjson.loads(taken)
    ends = accumulate(row[_BODY_BYTES] for row in rows)
    claimed = [_claimed(row, bodies[end - row[_BODY_BYTES] : end], token) for row, end in zip(rows, ends, strict=True)]
    return claimed, frozenset(orjson.loads(held)), bool(waited)


def _claimed(row: Sequence[Any], body: bytes, token: str) -> Claimed:
    delivery_id, ad_account_id, preset, message_id, event_name, event_id, source, attempt, at, *rest = row
    version, _, traceparent, lease_was_lost = rest
    check_payload_version(version)
    return Claimed(
        delivery_id=str(delivery_id),
        claim=token + AFTER_LOSS if lease_was_lost else token,
        ad_account_id=ad_account_id,
        preset=preset,
        message_id=message_id,
        event_name=event_name,
        event_id=event_id,
        action_source=source,
        payload=body,
        attempt=attempt,
        enqueued_at=float(at),
        traceparent=traceparent,
        lease_was_lost=bool(lease_was_lost),
    )


def renew(connection: sqlite3.Connection, claimed: Sequence[Claimed], until: float) -> None:
    rows = as_json([(int(each.delivery_id), each.claim) for each in claimed])
    connection.execute(SQL["renew"], {"rows": rows, "until": until})
