"""Claim, renew and hold: who may send what, and until when; and what is out of the queue, since its preset is off."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core.deliveries import HELD, LEASE_LOST, Claimed
from app.outbox.enqueue import PAYLOAD_VERSION
from app.outbox.hold_clock import EndedHolds
from app.outbox.pairing import LOOK_S, Waiting, waits_over
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import count_of, rows_of
from app.outbox.postgres.settle import drop, release_keys
from app.outbox.rows import as_json
from app.outbox.settlement import AFTER_LOSS, HOLD_ROWS, ClaimQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a claim took, and whether it let held deliveries back into the queue."""

    claimed: list[Claimed]
    #: Deliveries came back into the queue: another claim may find more.
    released: bool = False


#: Where the payload stands in a row of the query `claim`.
_PAYLOAD: Final = 9


async def claim(connection: Connection, asked: ClaimQuery) -> Taken:
    if asked.holds:
        await end_holds(connection, asked, asked.holds)
    if asked.without_presets:
        await hold(connection, asked)
    claimed = await _take(connection, asked)
    by = asked.holds.by if asked.holds else None
    held = {preset for (preset,) in await rows_of(connection, "held_presets", ad_account_id=asked.ad_account_id, by=by)}
    if None in held and asked.holds:
        await end_waits(connection, asked, asked.holds)
        claimed = claimed or await _take(connection, asked)
    again = held - asked.without_presets - {None}
    if not again:
        return Taken(claimed=claimed)
    for preset in again:
        await release(connection, asked, preset)
    return Taken(claimed=claimed or await _take(connection, asked), released=True)


async def hold(connection: Connection, asked: ClaimQuery) -> None:
    await count_of(connection, "hold", **asked.parameters | {"reason": HELD, "limit": HOLD_ROWS})


async def end_holds(connection: Connection, asked: ClaimQuery, over: EndedHolds) -> None:
    which = asked.parameters | {"by": over.by, "ahead_s": over.ahead_s, "limit": HOLD_ROWS}
    await count_of(connection, "end_holds", **which)
    if over.ahead_s is not None:
        await count_of(connection, "tell_holds", **which)


async def end_waits(connection: Connection, asked: ClaimQuery, over: EndedHolds) -> None:
    which = {"ad_account_id": asked.ad_account_id, "by": over.by, "limit": HOLD_ROWS}
    async with connection.transaction():
        found = [Waiting.of(row) for row in await rows_of(connection, "followers", **which)]
        ended = waits_over(found, now=asked.now, max_event_age_s=asked.max_event_age_s)
        await count_of(connection, "let_go", ids=ended.sent, now=asked.now)
        for gone, next_id in ended.first.items():
            await count_of(connection, "follow", ad_account_id=asked.ad_account_id, gone=gone, next_id=next_id)
        await count_of(connection, "wait_on", ids=ended.waiting, until=over.by + LOOK_S)
        await drop(connection, [(*each, 0) for each in ended.dropped], asked.now)
        await release_keys(connection, ended.withheld)


async def release(connection: Connection, asked: ClaimQuery, preset: str) -> None:
    """Put deliveries of a preset back in the queue, as many as a claim takes."""
    await count_of(connection, "release", **asked.parameters, preset=preset)


async def _take(connection: Connection, asked: ClaimQuery) -> list[Claimed]:
    token = secrets.token_hex(8)
    rows = await rows_of(
        connection,
        "claim",
        **asked.parameters,
        claim=token,
        claim_after_loss=token + AFTER_LOSS,
        lease_lost=LEASE_LOST,
        slot=connection.slot,
        version=PAYLOAD_VERSION,
    )
    changed = [row[0] for row in rows if row[_PAYLOAD] is None]
    if not changed:
        return [_claimed(row) for row in rows]
    anew = {id_: what for id_, *what in await rows_of(connection, "claimed_anew", ids=changed)}
    return [_claimed(row, *anew.get(row[0], ())) for row in rows]


def _claimed(row: Sequence[Any], event_id: str = "", payload: bytes = b"") -> Claimed:
    """Read a row of the query `claim`, and of `claimed_anew` where there is one."""
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


async def renew(connection: Connection, claimed: Sequence[Claimed], until: float) -> None:
    rows = as_json([(int(each.delivery_id), each.claim) for each in claimed])
    await connection.execute(SQL["renew"], {"rows": rows, "until": until})
