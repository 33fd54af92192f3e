"""Which deliveries repeat an earlier one: judged as `Outbox.enqueue` does, told without storing anything."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.outbox.keys import Key, keys_of
from app.outbox.outbox_rules import OutboxRules
from app.outbox.refusals import seen_before
from app.types import NewDelivery, Seen


class Holder(NamedTuple):
    """The delivery that holds a key."""

    #: Its id; None where it is one of the same call, which has none yet.
    delivery_id: object | None
    #: When it was enqueued or redriven, in Unix seconds.
    since: float


def keys_under(delivery: NewDelivery, rules: OutboxRules) -> tuple[Key, ...]:
    """Return the keys of a delivery under the rules."""
    return keys_of(
        ad_account_id=delivery.ad_account_id,
        preset=delivery.preset,
        event_name=delivery.event_name,
        event_id=delivery.event_id,
        order_id=delivery.order_id,
        dedup_orders=rules.dedup_orders,
    )


def repeated(keys: Sequence[tuple[Key, ...]], held: Mapping[str, Holder], *, now: float) -> list[Seen | None]:
    """Return, for the keys of each delivery, which earlier delivery it repeats; None where it is new.

    `held` has, by digest, who holds a key within its window. What is new holds its keys for those that follow.
    """
    known = dict(held)
    found: list[Seen | None] = []
    for of_delivery in keys:
        key = next((each for each in of_delivery if each.digest in known), None)
        if key is None:
            known |= {each.digest: Holder(None, now) for each in of_delivery}
            found.append(None)
        else:
            holder = known[key.digest]
            found.append(Seen(reason=seen_before(key, holder.delivery_id), at=holder.since))
    return found
