"""Claims, settlements and cancellations as both engines read them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import (
    HELD,
    RESULT_NAMES,
    CallResult,
    Claimed,
    Delivered,
    NewDelivery,
    Retry,
    Settlement,
    Withdrawal,
)
from app.core.events import Outcome
from app.core.trust import may_change
from app.core.values.times import DAY_S
from app.outbox.dedup import cancelled_digests
from app.outbox.hold_clock import EndedHolds
from app.outbox.pairing import LOOK_S, WaitsOver, waits_over
from app.outbox.rows import as_json, kept
from app.outbox.statements import Statements, read_deliveries

#: The number of due deliveries of either kind to process in one claim: a million that are disabled at once leave the
#: queue in a hundred claims, and each of these still claims others.
HOLD_ROWS: Final = 10_000
#: The suffix of the token of a claim after a lost lease.
AFTER_LOSS: Final = "-after-loss"
#: More than the bytes of any batch.
_ANY_BYTES: Final = 2**50


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimQuery:
    """The selection of a claim, for all its statements."""

    ad_account_id: str
    limit: int
    max_bytes: int
    max_wait_s: float
    lease_s: float
    without_presets: frozenset[str]
    #: Whether claims with expired leases may be taken over.
    take_over: bool
    now: float
    #: The finished holds; `None`: they were ended just now.
    holds: EndedHolds | None
    #: The age limit of Pinterest.
    max_event_age_s: float = 7 * DAY_S
    #: The only deliveries to try, to find those that the store refuses; `None`: all.
    only: list[int] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of statements, by name."""
        return asdict(self) | {"without_presets": sorted(self.without_presets)}

    def of(self, ids: Sequence[int]) -> "ClaimQuery":
        return replace(self, only=list(ids), limit=max(1, len(ids)), max_bytes=_ANY_BYTES, max_wait_s=0)


async def hold(store: Statements, asked: ClaimQuery) -> None:
    """Remove pending deliveries of disabled presets from the queue."""
    await store.count("hold", **asked.parameters | {"reason": HELD, "limit": HOLD_ROWS})


async def end_holds(store: Statements, asked: ClaimQuery, over: EndedHolds) -> None:
    """Put deliveries with finished holds into the queue, and deliveries that only a wrong clock delays."""
    which = asked.parameters | {"limit": HOLD_ROWS} | asdict(over)
    await store.count("end_holds", **which)
    if over.ahead_s is not None:
        await store.count("tell_holds", **which)


async def end_waits(store: Statements, asked: ClaimQuery, over: EndedHolds) -> WaitsOver:
    """Decide about deliveries that follow others; return the ones to drop, and the other decisions."""
    which = {"ad_account_id": asked.ad_account_id, "by": over.by, "limit": HOLD_ROWS}
    states = dict(await store.rows("followers", **which))
    waiting = await read_deliveries(store, states)
    ended = waits_over(waiting, states, now=asked.now, max_event_age_s=asked.max_event_age_s)
    await store.count("let_go", ids=ended.sent, now=asked.now)
    for gone, next_id in ended.first.items():
        await store.count("follow", ad_account_id=asked.ad_account_id, gone=gone, next_id=next_id)
    await store.count("wait_on", ids=ended.waiting, until=over.by + LOOK_S)
    return ended


async def release(store: Statements, asked: ClaimQuery, presets: Iterable[str]) -> None:
    """Return deliveries of each of these presets to the queue, as many as a claim allows."""
    for preset in presets:
        await store.count("release", **asked.parameters, preset=preset)


async def renew(store: Statements, claimed: Sequence[Claimed], until: float) -> None:
    """Extend the leases that this process still owns."""
    rows = as_json([(int(each.delivery_id), each.claim) for each in claimed])
    await store.count("renew", rows=rows, until=until)


def last_of_each(settlements: Sequence[Settlement]) -> list[Settlement]:
    """Return the settlements; of two for one claim, the last."""
    if len({each.claimed.delivery_id for each in settlements}) == len(settlements):
        return list(settlements)
    return list({(each.claimed.delivery_id, each.claimed.claim): each for each in settlements}.values())


def reason_of(result: CallResult) -> str:
    """Return the reason why the delivery waits or is dead; "" for a delivered one."""
    return "" if isinstance(result, Delivered) else result.reason


def was_tried(result: CallResult) -> bool:
    """Return whether the result comes from an attempt for the history."""
    return not isinstance(result, Retry) or result.tried


def attempt_row(result: CallResult) -> tuple[Outcome, int | None, str]:
    """Return the columns of the history: outcome, status, message."""
    message = result.warning if isinstance(result, Delivered) else result.reason
    return RESULT_NAMES[type(result)], result.status, message


class PendingOrder(NamedTuple):
    """A pending delivery of an order."""

    delivery_id: int
    is_trusted: bool
    amount: str | None
    currency: str | None


def reason_of_withdrawal(withdrawal: Withdrawal) -> str:
    """Return the reason of a withdrawal for the ledger."""
    return kept(f"withdrawn by message {withdrawal.message_id}")


def withdraws(asked: Withdrawal, order: PendingOrder) -> bool:
    """Return whether a cancellation or refund withdraws an order.

    The order must not be more trusted than the cancellation, and the whole amount must be refunded.
    """
    if not may_change(by_trusted=asked.is_trusted, of_trusted=bool(order.is_trusted)):
        return False
    if asked.amount is None or order.amount is None or (asked.currency or order.currency) != order.currency:
        return True
    return Decimal(asked.amount) >= Decimal(order.amount)


def cancelled_rows(withdrawals: Iterable[Withdrawal], now: float, rules: OutboxSettings) -> list[list[Any]]:
    """Return rows that store cancellations: digest, position, expiry, content, trust.

    A trusted and a public cancellation have separate positions, so that neither hides the other.
    """
    rows = {}
    for each in withdrawals:
        said = orjson.dumps({"message_id": each.message_id, "amount": each.amount, "currency": each.currency}).decode()
        for digest in cancelled_digests(each, rules):
            rows[digest, each.is_trusted] = [
                digest,
                int(not each.is_trusted),
                now + rules.ledger_s,
                said,
                each.is_trusted,
            ]
    return list(rows.values())


def withdrawals_of(
    orders: Sequence[NewDelivery], found: Iterable[tuple[str, str, bool]], rules: OutboxSettings
) -> list[tuple[int, Withdrawal]]:
    """Return the remembered cancellations of orders, each with the index of its order.

    `found` are the stored rows: digest, content, trust.
    """
    by_digest: dict[str, list[tuple[Mapping[str, Any], bool]]] = {}
    for digest, said, is_trusted in found:
        by_digest.setdefault(digest, []).append((orjson.loads(said), bool(is_trusted)))
    return [
        (
            place,
            Withdrawal(
                ad_account_id=order.ad_account_id,
                preset=order.preset,
                order_id=order.order_id or "",
                source=order.source,
                shop=order.shop,
                is_trusted=is_trusted,
                **said,
            ),
        )
        for place, order in enumerate(orders)
        for digest in cancelled_digests(order, rules)
        for said, is_trusted in by_digest.get(digest, ())
    ]
