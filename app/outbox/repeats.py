"""Which deliveries would repeat an earlier one: judged as `Outbox.enqueue` does, with nothing stored."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from app.core.deliveries import NewDelivery, Seen
from app.outbox.judging import Holder, Judge, Order
from app.outbox.keys import keys_of
from app.outbox.outbox_rules import OutboxRules

#: A row of an engine's query `seen`: digest, delivery, since when, until when, place, what is known of the order.
SeenRow: TypeAlias = tuple[str, int, float, float, int, str | None]


def digests_of(deliveries: Sequence[NewDelivery], rules: OutboxRules) -> list[str]:
    """Return the digests of the keys of all deliveries."""
    return [key.digest for delivery in deliveries for key in keys_of(delivery, rules)]


def repeated(
    deliveries: Sequence[NewDelivery], rows: Iterable[SeenRow], *, now: float, rules: OutboxRules
) -> list[Seen | None]:
    """Return which earlier delivery each one repeats, or what warns of it; None where it is new and like no other.

    `rows` tell who holds a key.
    """
    held: defaultdict[str, list[Holder]] = defaultdict(list)
    for digest, delivery_id, since, until, place, known in rows:
        held[digest].append(Holder(delivery_id, since, until, place, Order.read(known) if known else None))
    judge = Judge(held, now=now, rules=rules)
    found: list[Seen | None] = []
    for delivery in deliveries:
        verdict = judge.judge(delivery, keys_of(delivery, rules), None)
        at = verdict.repeats.since if verdict.repeats else now
        is_told = verdict.repeats or verdict.warnings
        found.append(Seen(reason=verdict.reason, at=at, warnings=verdict.warnings) if is_told else None)
    return found
