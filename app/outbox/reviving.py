"""Which dead deliveries may be redriven: those that no other delivery of the same event was sent for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.outbox.keys import Key, keys_of
from app.outbox.outbox_rules import OutboxRules
from app.types import Query

#: Dead deliveries looked at in one commit.
REDRIVE_ROWS = 1_000
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


class DeadLetter(NamedTuple):
    """A row of an engine's query `dead`."""

    delivery_id: int
    ad_account_id: str
    preset: str
    event_name: str
    event_id: str
    order_id: str | None
    reason: str

    def keys(self, rules: OutboxRules) -> tuple[Key, ...]:
        """Return the keys that it takes again."""
        return keys_of(
            ad_account_id=self.ad_account_id,
            preset=self.preset,
            event_name=self.event_name,
            event_id=self.event_id,
            order_id=self.order_id,
            dedup_orders=rules.dedup_orders,
        )


@dataclass(slots=True)
class Revival:
    """What a step of redriving writes."""

    redriven: list[int] = field(default_factory=list)
    #: [digest, its delivery, when its window ends]
    keys: list[tuple[str, int, float]] = field(default_factory=list)
    #: [delivery, the reason that it now has]
    staying: list[tuple[int, str]] = field(default_factory=list)


def revive(dead: Sequence[DeadLetter], taken: Mapping[str, int], now: float, rules: OutboxRules) -> Revival:
    """Judge dead deliveries, newest first: of two of one event the newer mapping wins.

    `taken` are the keys held within their window: digest -> the delivery that holds it.
    """
    held = dict(taken)
    revival = Revival()
    until = now + rules.dedup_window_s
    for each in dead:
        digests = [key.digest for key in each.keys(rules)]
        holder = next((held[digest] for digest in digests if digest in held), None)
        if holder is None:
            revival.redriven.append(each.delivery_id)
            revival.keys += [(digest, each.delivery_id, until) for digest in digests]
            held.update(dict.fromkeys(digests, each.delivery_id))
        else:
            revival.staying.append((each.delivery_id, _explained(each.reason, holder)))
    return revival


def next_step(dead: Sequence[DeadLetter]) -> int | None:
    """Return below which id the next step looks; None where this was the last."""
    return dead[-1].delivery_id if len(dead) == REDRIVE_ROWS else None


def _explained(reason: str, holder: int) -> str:
    """Add to the reason of a dead delivery, once, that another delivery carries its event."""
    first, _, _ = reason.partition(f"; {REPLAYED}")
    return f"{first}; {REPLAYED} the same event was sent again as delivery {holder}"
