"""Which dead deliveries may be redriven, and which are overtaken: another delivery of the same event was sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, cast

import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import OrderSide, State
from app.core.pages import Redrive
from app.outbox.dedup import EVENT_ID, Deduplicator, every_key_of, keys_of
from app.outbox.enqueue import Held
from app.outbox.pairing import read_side
from app.outbox.search import END

#: Dead deliveries looked at in one commit.
REDRIVE_ROWS = 1_000
#: Stands in the reason of a dead delivery that was replayed.
REPLAYED = "not redriven:"


#: What one step of a redrive did, and `before` of the next step; None where this was the last.
RedriveStep: TypeAlias = tuple[Redrive, int | None]


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
    is_proven: bool
    shop: str
    stored_side: str | None

    @property
    def side(self) -> OrderSide | None:
        return read_side(orjson.loads(self.stored_side)) if self.stored_side else None

    @property
    def token(self) -> str | None:
        return self.side.token if self.side else None

    @property
    def number(self) -> str | None:
        return self.side.number if self.side else None

    @property
    def buyer(self) -> Sequence[str]:
        """Digests of the buyer's e-mail addresses."""
        buyer: list[str] = orjson.loads(self.buyers)
        return buyer


@dataclass(slots=True)
class RedrivePlan:
    """What a step of redriving writes."""

    redriven: list[int] = field(default_factory=list)
    #: Keys of deliveries, as `Rows.keys`, by id.
    keys: list[list[Any]] = field(default_factory=list)
    #: As `Rows.learned`.
    learned: list[list[Any]] = field(default_factory=list)
    #: Dead deliveries of events that are stored as another delivery too, each with the id of that.
    repeats: list[tuple[DeadLetter, int]] = field(default_factory=list)


def every_digest_of(held: Sequence[DeadLetter]) -> list[str]:
    """Return the digests of every key that deliveries may hold."""
    return [key.digest for each in held for key in every_key_of(each)]


def erased_key_rows(held: Sequence[DeadLetter], now: float, rules: OutboxSettings) -> list[list[Any]]:
    """Return rows of [digest, delivery, end, whether it is proven] of the keys that erased deliveries are known by."""
    return [
        [
            key.digest,
            each.delivery_id,
            now + (rules.dedup_window_s if key.kind == EVENT_ID else rules.ledger_s),
            each.is_proven,
        ]
        for each in held
        for key in keys_of(each, rules)
    ]


def digests_of_dead(dead: Sequence[DeadLetter], rules: OutboxSettings) -> list[str]:
    """Return the digests of the keys that dead deliveries would take again."""
    return [key.digest for each in dead for key in keys_of(each, rules)]


def plan_redrive(dead: Sequence[DeadLetter], held: Held, now: float, rules: OutboxSettings) -> RedrivePlan:
    """Decide which dead deliveries are redriven, newest first: of two of one event the newer mapping wins.

    `held` are the holders of their keys, by digest.
    """
    dedup = Deduplicator(held, now=now, rules=rules)
    plan = RedrivePlan()
    for each in dead:
        result = dedup.check(each, keys_of(each, rules), each.delivery_id)
        if result.repeats is None:
            plan.redriven.append(each.delivery_id)
            plan.keys += [taken.row(each.delivery_id) for taken in result.taken]
        else:
            plan.learned += [taken.row(taken.holder.delivery_id) for taken in result.taken]
            plan.repeats.append((each, cast("int", result.repeats.delivery_id)))
    return plan


def split_repeats(
    repeats: Sequence[tuple[DeadLetter, int]], states: Mapping[int, str]
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return [delivery, the reason that it now has] of repeats: of those that were overtaken, and those that wait.

    `states` are the states of the holders, by id.
    """
    overtaken, staying = [], []
    for letter, holder in repeats:
        if states.get(holder) == State.DELIVERED:
            why = f"{_cause(letter)}; the same event was delivered as delivery {holder}"
            overtaken.append([letter.delivery_id, why])
        else:
            why = f"{_cause(letter)}; {REPLAYED} the same event was sent again as delivery {holder}"
            staying.append([letter.delivery_id, why])
    return overtaken, staying


def dismissed(dead: Sequence[DeadLetter], because: str) -> list[list[Any]]:
    """Return [delivery, the reason that it now has] of what somebody puts away."""
    return [[each.delivery_id, f"{_cause(each)}; {because}"] for each in dead]


def next_step(dead: Sequence[DeadLetter]) -> int | None:
    """Return below which id the next step looks; None where this was the last."""
    return dead[-1].delivery_id if len(dead) == REDRIVE_ROWS else None


async def all_redriven(step: Callable[[int], Awaitable[RedriveStep]]) -> Redrive:
    """Take step after step of a redrive, each from its `before` on; return what all of them did."""
    done, before = await step(END)
    while before is not None:
        more, before = await step(before)
        done = Redrive(
            redriven=done.redriven + more.redriven,
            overtaken=done.overtaken + more.overtaken,
            waiting=done.waiting + more.waiting,
        )
    return done


async def all_dismissed(step: Callable[[int], Awaitable[tuple[int, int | None]]]) -> int:
    """Take step after step of a dismissal likewise; return how many were dismissed."""
    count, before = await step(END)
    while before is not None:
        more, before = await step(before)
        count += more
    return count


def _cause(letter: DeadLetter) -> str:
    """Return why a delivery died, without what was added when it was not redriven."""
    return letter.reason.partition(f"; {REPLAYED}")[0]
