"""What the store refuses to change is found by halving, set aside with the reason, and tried again later.

So one bad row (a constraint, a trigger, a value that cannot be read) blocks nothing but itself. It is kept as the
shared value `SET_ASIDE`. Both engines run these steps, each with its own statements.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args

import msgspec
import orjson

from app.core.deliveries import Claimed, Outcome, Settlement, Shared, State
from app.core.events import CounterRow
from app.core.log import logger
from app.core.shared_values import SET_ASIDE, SetAside
from app.core.values.times import MINUTE_S
from app.errors import RowRefused
from app.outbox.hold_clock import EndedHolds
from app.outbox.settlement import ClaimQuery

#: More of them are no rows but the store itself.
MAX_SET_ASIDE: Final = 1_000
#: So many are tried again in one step of retention.
TRIED_AT_ONCE: Final = 100
#: The pause before the next try grows with the time that the row was refused for.
_LEAST_PAUSE_S: Final = MINUTE_S
_MOST_PAUSE_S: Final = 10 * MINUTE_S
DELIVERY: Final = "delivery/"
ROWS: Final = "rows/"
_COUNT: Final = "count/"

Item = TypeVar("Item")
#: Each that is refused alone, and why.
Refused: TypeAlias = Sequence[tuple[Item, str]]


class RowHalving(Generic[Item]):
    """Finds which of some items are refused alone."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._waiting = [items]
        #: Each that is refused alone, and why.
        self.refused: list[tuple[Item, str]] = []

    def next(self) -> Sequence[Item]:
        """Return the next part to be tried, in the order of the items; nothing at the end."""
        return self._waiting.pop() if self._waiting else ()

    def refuse(self, part: Sequence[Item], why: str) -> None:
        """Take note that a part was refused: its halves come next."""
        if len(part) == 1:
            self.refused.append((part[0], why))
        else:
            middle = len(part) // 2
            self._waiting += [part[middle:], part[:middle]]


class SkippingDelete:
    """Deletes rows in their order, past those that are refused: these stay at the head, and are counted."""

    def __init__(self, limit: int, skip: int) -> None:
        #: How many rows are deleted next, behind how many that stay.
        self.size, self.stay = limit, skip
        self._left = limit
        self.gone = 0
        #: Why the last row was refused; "" where none was.
        self.why = ""

    @property
    def is_over(self) -> bool:
        """Whether as many rows as the limit were looked at."""
        return self._left <= 0

    def take(self, gone: int) -> None:
        """Take note that as many rows are gone as there were, up to `size`."""
        self.gone += gone
        self._left -= self.size
        self.size = min(self.size * 2, self._left)

    def refuse(self, why: str) -> None:
        """Take note that they were refused: half as many come next, or those behind the one that is refused alone."""
        if self.size > 1:
            self.size //= 2
        else:
            self.stay, self._left, self.why = self.stay + 1, self._left - 1, why


class FairShares:
    """Shares the rows of one step of retention out among its tasks, so that none waits until others are done.

    Each may touch an equal part; those that used all of theirs share what is left.
    """

    def __init__(self, names: Iterable[str], limit: int) -> None:
        #: How many rows may still be touched; below 0 where a task touched more than it might.
        self.left = limit
        self._waiting = list(names)
        #: The tasks that used all of their part.
        self._hungry: list[str] = []
        self._share = self._share_of(self._waiting)
        self._size = 0

    def next(self) -> tuple[str, int] | None:
        """Return the name of the task that comes next, and how many rows it may touch; None at the end."""
        if not self._waiting:
            self._waiting, self._hungry = self._hungry, []
            self._share = self._share_of(self._waiting)
        self._size = min(self._share, self.left)
        return (self._waiting.pop(0), self._size) if self._size > 0 else None

    def take(self, name: str, touched: int) -> None:
        """Take note of how many rows a task touched."""
        self.left -= touched
        if touched >= self._size:
            self._hungry.append(name)

    def _share_of(self, names: Sequence[str]) -> int:
        return -(-self.left // len(names)) if names else 0


def with_rows(known: SetAside | None, passed: SkippingDelete, *, now: float) -> SetAside:
    """Return what is set aside of a table whose rows were refused."""
    since = known.since if known else now
    logger().error("rows refused", doing="retain", rows=passed.stay, why=passed.why)
    return SetAside(doing="retain", rows=passed.stay, why=passed.why, since=since, again_at=_again_at(since, now))


def tried_again(known: SetAside, why: str, *, now: float) -> SetAside:
    """Return what is set aside after another try in vain."""
    return replace(known, why=why, again_at=_again_at(known.since, now))


def _again_at(since: float, now: float) -> float:
    return now + min(max(now - since, _LEAST_PAUSE_S), _MOST_PAUSE_S)


def unclaimed(refused: Refused[int], ad_account_id: str, *, now: float) -> dict[str, SetAside]:
    """Return by name what is set aside of deliveries that cannot be claimed."""
    return {
        f"{DELIVERY}{id_}": _new("claim", why, now, ad_account_id=ad_account_id, name=str(id_)) for id_, why in refused
    }


def split(units: Sequence[Settlement | CounterRow]) -> tuple[list[Settlement], list[CounterRow]]:
    """Return the settlements and the counts among units."""
    settlements = [each for each in units if isinstance(each, Settlement)]
    return settlements, [each for each in units if isinstance(each, CounterRow)]


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement or a count, as it is kept."""

    counter: CounterRow | None = None
    #: Without its payload.
    claimed: Any = None
    #: The name of its type, and its fields.
    outcome: tuple[str, dict[str, Any]] = ("", {})
    state: State = State.PENDING
    due_at: float | None = None
    give_back: bool = False


_OUTCOMES: Final[Mapping[str, type[Outcome]]] = {kind.__name__: kind for kind in get_args(Outcome)}


def unsettled(refused: Refused[Settlement | CounterRow], *, now: float) -> dict[str, SetAside]:
    """Return by name what is set aside of settlements and counts."""
    return dict(_unsettled(each, why, now) for each, why in refused)


def _unsettled(unit: Settlement | CounterRow, why: str, now: float) -> tuple[str, SetAside]:
    if isinstance(unit, CounterRow):
        record, name = _Record(counter=unit), secrets.token_hex(8)
        return f"{_COUNT}{name}", _new("count", why, now, record=record, name=name)
    claimed, outcome = unit.claimed, unit.outcome
    record = _Record(
        claimed=msgspec.structs.replace(claimed, payload=b""),
        outcome=(type(outcome).__name__, msgspec.to_builtins(outcome)),
        state=unit.state,
        due_at=unit.due_at,
        give_back=unit.give_back,
    )
    account, name = claimed.ad_account_id, claimed.delivery_id
    return f"{DELIVERY}{name}", _new("settle", why, now, record=record, ad_account_id=account, name=name)


def _new(doing: Any, why: str, now: float, *, name: str, record: _Record | None = None, **more: Any) -> SetAside:
    logger().error("row refused", doing=doing, row=name, why=why)
    kept = None if record is None else msgspec.to_builtins(record)
    return SetAside(doing=doing, why=why, since=now, again_at=_again_at(now, now), record=kept, **more)


def unit_of(known: SetAside) -> Settlement | CounterRow:
    """Return the settlement or count that is set aside. Its payload is empty."""
    record = msgspec.convert(known.record, _Record)
    if record.counter:
        return record.counter
    kind, fields = record.outcome
    return Settlement(
        claimed=msgspec.convert(record.claimed, Claimed),
        outcome=_OUTCOMES[kind](**fields),
        state=record.state,  # type: ignore[arg-type] # CLAIMED is never settled
        due_at=record.due_at,
        give_back=record.give_back,
    )


def is_due(known: SetAside, *, now: float) -> bool:
    """Return whether it is to be tried again: its pause is over, or the clock was set back."""
    return not known.again_at - _MOST_PAUSE_S <= now < known.again_at


def due(known: Mapping[str, SetAside], doing: Collection[str], *, now: float) -> list[str]:
    """Return the names of what is to be tried again, the longest due first, as many as one step takes."""
    names = [name for name, each in known.items() if each.doing in doing and is_due(each, now=now)]
    return sorted(names, key=lambda name: known[name].again_at)[:TRIED_AT_ONCE]


def set_aside_id(name: str) -> int:
    """Return the id of the delivery that is set aside under this name."""
    return int(name.removeprefix(DELIVERY))


def shared_key(name: str) -> str:
    """Return the key of the shared value."""
    return SET_ASIDE.of(name).name


def read_set_aside(rows: Iterable[Sequence[Any]]) -> dict[str, SetAside]:
    """Return by name what is set aside, given keys, values and revisions."""
    found = {}
    for key, value, revision in rows:
        name = key.removeprefix(SET_ASIDE.prefix)
        each = SET_ASIDE.of(name).revised(Shared(value=orjson.loads(value), revision=revision)).value
        if each is not None:
            found[name] = each
    return found


def check_room(known: Mapping[str, SetAside]) -> None:
    """Raise RowRefused where so much is set aside that it is not about rows."""
    if len(known) >= MAX_SET_ASIDE:
        raise RowRefused(words=next(iter(known.values())).why)


def claim_of(ids: Sequence[int], ad_account_id: str, *, now: float) -> ClaimQuery:
    """Return the query that tries whether any of these can be claimed."""
    return ClaimQuery(
        ad_account_id=ad_account_id,
        limit=0,
        max_bytes=0,
        max_wait_s=0,
        lease_s=0,
        without_presets=frozenset(),
        take_over=True,
        now=now,
        holds=EndedHolds(by=inf),
    ).of(ids)
