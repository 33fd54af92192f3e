"""Which dead deliveries may be redriven: those that no other delivery of the same event was sent for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from app.outbox.judging import Judge
from app.outbox.keys import every_key_of, keys_of
from app.outbox.outbox_rules import OutboxRules
from app.outbox.storing import Held
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
    checkout_id: str | None
    source: str
    amount: str | None
    currency: str | None
    #: A JSON array.
    buyers: str
    reason: str

    @property
    def buyer(self) -> Sequence[str]:
        """Digests of the buyer's e-mail addresses."""
        buyer: list[str] = orjson.loads(self.buyers)
        return buyer


@dataclass(slots=True)
class Revival:
    """What a step of redriving writes."""

    redriven: list[int] = field(default_factory=list)
    #: Keys of deliveries, as `Rows.keys`, by id.
    keys: list[list[Any]] = field(default_factory=list)
    #: As `Rows.learned`.
    learned: list[list[Any]] = field(default_factory=list)
    #: [delivery, the reason that it now has]
    staying: list[tuple[int, str]] = field(default_factory=list)


def every_digest_of(held: Sequence[DeadLetter]) -> list[str]:
    """Return the digests of every key that deliveries may hold."""
    return [key.digest for each in held for key in every_key_of(each)]


def digests_of_dead(dead: Sequence[DeadLetter], rules: OutboxRules) -> list[str]:
    """Return the digests of the keys that dead deliveries would take again."""
    return [key.digest for each in dead for key in keys_of(each, rules)]


def revive(dead: Sequence[DeadLetter], held: Held, now: float, rules: OutboxRules) -> Revival:
    """Judge dead deliveries, newest first: of two of one event the newer mapping wins.

    `held` are the holders of their keys, by digest.
    """
    judge = Judge(held, now=now, rules=rules)
    revival = Revival()
    for each in dead:
        verdict = judge.judge(each, keys_of(each, rules), each.delivery_id)
        if verdict.repeats is None:
            revival.redriven.append(each.delivery_id)
            revival.keys += [taken.row(each.delivery_id) for taken in verdict.taken]
        else:
            revival.learned += [taken.row(taken.holder.delivery_id) for taken in verdict.taken]
            revival.staying.append((each.delivery_id, _explained(each.reason, verdict.repeats.delivery_id)))
    return revival


def next_step(dead: Sequence[DeadLetter]) -> int | None:
    """Return below which id the next step looks; None where this was the last."""
    return dead[-1].delivery_id if len(dead) == REDRIVE_ROWS else None


def _explained(reason: str, holder: object) -> str:
    """Add to the reason of a dead delivery, once, that another delivery carries its event."""
    first, _, _ = reason.partition(f"; {REPLAYED}")
    return f"{first}; {REPLAYED} the same event was sent again as delivery {holder}"
