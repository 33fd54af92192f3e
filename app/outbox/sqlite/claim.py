"""Claim: the right to send deliveries, and its expiry."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from app.core.deliveries import LEASE_LOST, Claimed
from app.core.events import Outcome
from app.errors import RowRefused
from app.outbox.enqueue import PAYLOAD_VERSION
from app.outbox.settlement import AFTER_LOSS, ClaimQuery, end_holds, end_waits, hold, release
from app.outbox.sqlite.database import Connection
from app.outbox.sqlite.settle import add_attempts, drop, release_keys


async def claim(connection: Connection, asked: ClaimQuery) -> list[Claimed]:
    if asked.holds:
        await end_holds(connection, asked, asked.holds)
    if asked.without_presets:
        await hold(connection, asked)
    claimed, held, waited = await _take(connection, asked)
    if waited and asked.holds:
        ended = await end_waits(connection, asked, asked.holds)
        drop(connection, ended.dropped, asked.now)
        release_keys(connection, ended.withheld)
    again = held - asked.without_presets
    await release(connection, asked, again)
    if not claimed and (again or waited):
        claimed, *_ = await _take(connection, asked)
    lost = [
        (int(each.delivery_id), (each.attempt - 1, Outcome.RETRY, None, LEASE_LOST))
        for each in claimed
        if each.lease_was_lost
    ]
    if lost:
        add_attempts(connection, lost, at=asked.now)
    return claimed


async def _take(connection: Connection, asked: ClaimQuery) -> tuple[list[Claimed], frozenset[str], bool]:
    """Claim, and return the claimed deliveries, the presets with held ones, and whether a wait for others is over.

    One statement claims, a second reads the claimed deliveries as one row (see queries.sql), and a third counts from
    this row.
    """
    token = secrets.token_hex(8)
    by = asked.holds.by if asked.holds else None
    parameters = asked.parameters | {"claim": token, "claim_after_loss": token + AFTER_LOSS, "by": by}
    await connection.count("claim", **parameters)
    found = await connection.rows("claimed", **parameters)
    ((taken, bodies, version, count, size_bytes, without_payload, held, waited),) = found
    if without_payload is not None:
        words = f"the payload of delivery {without_payload} is missing"
        raise RowRefused(f"In the outbox {words}.", words=words)
    if count:
        await connection.count("count_claimed", ad_account_id=asked.ad_account_id, count=count, bytes=size_bytes)
    if version and version > PAYLOAD_VERSION:
        words = f"a payload of version {version}: a newer Pinrelay wrote it, start that version"
        raise RowRefused(f"The outbox holds {words}.", words=words)
    claimed = _claimed(zip(*orjson.loads(taken), strict=True), bodies, token, asked.ad_account_id)
    return claimed, frozenset(orjson.loads(held)), bool(waited)


def _claimed(rows: Iterable[Sequence[Any]], bodies: bytes, token: str, ad_account_id: str) -> list[Claimed]:
    claimed, begin = [], 0
    for delivery_id, preset, message_id, name, event_id, source, attempt, at, size, traceparent, was_lost in rows:
        end = begin + size
        claimed.append(
            Claimed(
                delivery_id=delivery_id,
                claim=token + AFTER_LOSS if was_lost else token,
                ad_account_id=ad_account_id,
                preset=preset,
                message_id=message_id,
                event_name=name,
                event_id=event_id,
                action_source=source,
                payload=bodies[begin:end],
                attempt=attempt,
                enqueued_at=float(at),
                traceparent=traceparent,
                lease_was_lost=bool(was_lost),
            )
        )
        begin = end
    return claimed
