"""Claim: the right to send deliveries, and its expiry."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core.deliveries import LEASE_LOST, Claimed
from app.outbox.enqueue import PAYLOAD_VERSION
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.settle import drop, release_keys
from app.outbox.settlement import AFTER_LOSS, ClaimQuery, end_holds, end_waits, hold, release


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The result of a claim, and whether it released held deliveries."""

    claimed: list[Claimed]
    #: Whether deliveries were released: another claim may find more.
    released: bool = False


#: The index of the payload in a row of the query `claim`.
_PAYLOAD: Final = 9


async def claim(connection: Connection, asked: ClaimQuery) -> Taken:
    if asked.holds:
        await end_holds(connection, asked, asked.holds)
    if asked.without_presets:
        await hold(connection, asked)
    claimed = await _take(connection, asked)
    by = asked.holds.by if asked.holds else None
    held = {preset for (preset,) in await connection.rows("held_presets", ad_account_id=asked.ad_account_id, by=by)}
    if None in held and asked.holds:
        async with connection.transaction():
            ended = await end_waits(connection, asked, asked.holds)
            await drop(connection, [(*each, 0) for each in ended.dropped], asked.now)
            await release_keys(connection, ended.withheld)
        claimed = claimed or await _take(connection, asked)
    again = held - asked.without_presets - {None}
    if not again:
        return Taken(claimed=claimed)
    await release(connection, asked, again)
    return Taken(claimed=claimed or await _take(connection, asked), released=True)


async def _take(connection: Connection, asked: ClaimQuery) -> list[Claimed]:
    token = secrets.token_hex(8)
    rows = await connection.rows(
        "claim",
        **asked.parameters,
        claim=token,
        claim_after_loss=token + AFTER_LOSS,
        lease_lost=LEASE_LOST,
        version=PAYLOAD_VERSION,
    )
    changed = [row[0] for row in rows if row[_PAYLOAD] is None]
    if not changed:
        return [_claimed(row) for row in rows]
    anew = {id_: what for id_, *what in await connection.rows("claimed_anew", ids=changed)}
    return [_claimed(row, *anew.get(row[0], ())) for row in rows]


def _claimed(row: Sequence[Any], event_id: str = "", payload: bytes = b"") -> Claimed:
    """Read a row of the query `claim`, and of `claimed_anew` if there is one."""
    delivery_id, ad_account_id, preset, message_id, event_name, id_then, source, attempt, at, *rest = row
    payload_then, traceparent, token, lease_was_lost = rest
    return Claimed(
        delivery_id=str(delivery_id),
        claim=token,
        ad_account_id=ad_account_id,
        preset=preset,
        message_id=message_id,
        event_name=event_name,
        event_id=event_id or id_then,
        action_source=source,
        payload=payload or payload_then,
        attempt=attempt,
        enqueued_at=at,
        traceparent=traceparent,
        lease_was_lost=lease_was_lost,
    )
