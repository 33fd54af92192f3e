"""What the line of an event asks of the outbox: a delivery that is to be enqueued, or one that is to be withdrawn."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol

import orjson

from app.core.deliveries import NewDelivery, Withdrawal
from app.core.events import DEFAULT_SOURCE, Event, Exit, Tally
from app.core.receipts import PresetResult
from app.destination import match_keys
from app.inventory.received_names import received_name
from app.source import checkout_id_of

_OF_WITHDRAWAL = attrgetter("preset", "ad_account_id", "source")


class Withdraws(Protocol):
    """What is asked of the outbox."""

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> int:
        """Do `Outbox.withdraw`."""
        ...


async def withdrawn(outbox: Withdraws, withdrawals: Sequence[Withdrawal], *, now: float) -> list[Tally]:
    """Withdraw, and return how many deliveries that were, by preset, ad account and source of the cancellation.

    Raises OutboxUnavailable.
    """
    tallies = []
    for (preset, account, source), alike in groupby(sorted(withdrawals, key=_OF_WITHDRAWAL), _OF_WITHDRAWAL):
        if count := await outbox.withdraw(list(alike), now=now):
            name = Exit.WITHDRAWN.value
            tallies.append(Tally(name=name, preset=preset, ad_account_id=account, source=source, count=count))
    return tallies


def drafted_withdrawal(message_id: str, line: PresetResult, *, source: str) -> Withdrawal:
    """Return what a line that cancels an order withdraws."""
    return Withdrawal(
        ad_account_id=line.ad_account_id,
        preset=line.preset or "",
        order_id=line.cancels or "",
        source=source,
        message_id=message_id,
    )


def drafted_delivery(message_id: str, event: Event, line: PresetResult, *, source: str = DEFAULT_SOURCE) -> NewDelivery:
    """Return the delivery that the line of an event, which carries the finished one, gives."""
    built = line.event or {}
    is_checkout = built["event_name"] == "checkout"
    custom_data = built.get("custom_data", {})
    return NewDelivery(
        ad_account_id=line.ad_account_id,
        preset=line.preset or "",
        message_id=message_id,
        event_name=built["event_name"],
        event_id=built["event_id"],
        action_source=built["action_source"],
        order_id=custom_data.get("order_id") if is_checkout else None,
        event_time=built["event_time"],
        source=source,
        hold_s=line.hold_s,
        checkout_id=checkout_id_of(event) if is_checkout else None,
        amount=custom_data.get("value"),
        currency=custom_data.get("currency"),
        buyer=tuple(built["user_data"].get("em", ())) if is_checkout else (),
        payload=orjson.dumps(built),
        warnings=line.warnings,
        quality=match_keys(built),
        memory=line.memory,
        name=received_name(event),
    )
