"""Set aside rows that the store refuses to change, with the reason, and try them again later.

Refused rows are found by halving. So one bad row (by a constraint, a trigger, an unreadable value) blocks only itself.
The row is stored as the shared value `SET_ASIDE`.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args

import msgspec
import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import CallResult, Claimed, Settlement, State
from app.core.events import CounterRow
from app.core.log import logger
from app.core.shared_values import SET_ASIDE, SetAside
from app.core.values.times import DAY_S, MINUTE_S
from app.errors import RowRefused
from app.outbox.hold_clock import EndedHolds
from app.outbox.inventory import HOURS_KEPT_S
from app.outbox.settlement import HOLD_ROWS, ClaimQuery, last_of_each, renew
from app.outbox.shared import read_shared
from app.outbox.statements import Statements

#: With more refused rows, the store itself has failed.
MAX_SET_ASIDE: Final = 1_000
#: The number of retries per step of retention.
TRIED_AT_ONCE: Final = 100
#: The pause before the next try grows with the time since the first refusal.
_LEAST_PAUSE_S: Final = MINUTE_S
_MOST_PAUSE_S: Final = 10 * MINUTE_S
DELIVERY: Final = "delivery/"
ROWS: Final = "rows/"
_COUNT: Final = "count/"

Item = TypeVar("Item")
Answer = TypeVar("Answer")
#: The result of a claim.
Taken = TypeVar("Taken")
#: The smallest parts of a settlement.
Unit: TypeAlias = Settlement | CounterRow
#: Items that are refused alone, with the reason.
Refused: TypeAlias = Sequence[tuple[Item, str]]


class RowHalving(Generic[Item]):
    """Find the items that are refused alone."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._waiting = [items]
        #: Items that are refused alone, with the reason.
        self.refused: list[tuple[Item, str]] = []

    def next(self) -> Sequence[Item]:
        """Return the next part to try, in the order of the items; empty at the end."""
        return self._waiting.pop() if self._waiting else ()

    def refuse(self, part: Sequence[Item], why: str) -> None:
        """Note that a part was refused: its halves follow."""
        if len(part) == 1:
            self.refused.append((part[0], why))
        else:
            middle = len(part) // 2
            self._waiting += [part[middle:], part[:middle]]


class SkippingDelete:
    """Delete rows in their order and skip refused ones: these stay first, and are counted."""

    def __init__(self, limit: int, skip: int) -> None:
        #: The number of rows in the next deletion, and of rows to skip.
        self.size, self.stay = limit, skip
        self._left = limit
        self.gone = 0
        #: The reason for the last refused row; "" without one.
        self.why = ""

    @property
    def is_over(self) -> bool:
        """Whether the limit of rows is reached."""
        return self._left <= 0

    def take(self, gone: int) -> None:
        """Note that all existing rows, up to `size`, were deleted."""
        self.gone += gone
        self._left -= self.size
        self.size = min(self.size * 2, self._left)

    def refuse(self, why: str) -> None:
        """Note a refusal: half as many rows follow, or those after the row that is refused alone."""
        if self.size > 1:
            self.size //= 2
        else:
            self.stay, self._left, self.why = self.stay + 1, self._left - 1, why


class FairShares:
    """Distribute the rows of a step of retention over its tasks, so that no task waits for the end of others.

    Each task has an equal share; tasks that used their whole share divide the rest.
    """

    def __init__(self, names: Iterable[str], limit: int) -> None:
        #: The number of remaining rows; below 0 if a task exceeded its share.
        self.left = limit
        self._waiting = list(names)
        #: The tasks that used their whole share.
        self._hungry: list[str] = []
        self._share = self._share_of(self._waiting)
        self._size = 0

    def next(self) -> tuple[str, int] | None:
        """Return the name of the next task, and its number of rows; `None` at the end."""
        if not self._waiting:
            self._waiting, self._hungry = self._hungry, []
            self._share = self._share_of(self._waiting)
        self._size = min(self._share, self.left)
        return (self._waiting.pop(0), self._size) if self._size > 0 else None

    def take(self, name: str, touched: int) -> None:
        """Note the number of rows that a task processed."""
        self.left -= touched
        if touched >= self._size:
            self._hungry.append(name)

    def _share_of(self, names: Sequence[str]) -> int:
        return -(-self.left // len(names)) if names else 0


def with_rows(known: SetAside | None, passed: SkippingDelete, *, now: float) -> SetAside:
    """Return the record of a table with refused rows."""
    since = known.since if known else now
    logger().error("rows refused", doing="retain", rows=passed.stay, why=passed.why)
    return SetAside(doing="retain", rows=passed.stay, why=passed.why, since=since, again_at=_again_at(since, now))


def _again_at(since: float, now: float) -> float:
    return now + min(max(now - since, _LEAST_PAUSE_S), _MOST_PAUSE_S)


def split(units: Sequence[Unit]) -> tuple[list[Settlement], list[CounterRow]]:
    """Return the settlements and the counts among units."""
    settlements = [each for each in units if isinstance(each, Settlement)]
    return settlements, [each for each in units if isinstance(each, CounterRow)]


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement or a count in the stored form."""

    counter: CounterRow | None = None
    #: Without its payload.
    claimed: Any = None
    #: The name of the result's type, and its fields. Stores of earlier versions contain it as `outcome`.
    result: tuple[str, dict[str, Any]] = msgspec.field(default=("", {}), name="outcome")
    state: State = State.PENDING
    due_at: float | None = None
    give_back: bool = False


_RESULTS: Final[Mapping[str, type[CallResult]]] = {kind.__name__: kind for kind in get_args(CallResult)}


def _unsettled(unit: Unit, why: str, now: float) -> tuple[str, SetAside]:
    """Return the record of a settlement or a count that is set aside, with its name."""
    if isinstance(unit, CounterRow):
        record, name = _Record(counter=unit), secrets.token_hex(8)
        return f"{_COUNT}{name}", _new("count", why, now, record=record, name=name)
    claimed, result = unit.claimed, unit.result
    record = _Record(
        claimed=msgspec.structs.replace(claimed, payload=b""),
        result=(type(result).__name__, msgspec.to_builtins(result)),
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


def unit_of(known: SetAside) -> Unit:
    """Return the settlement or count of a record. Its payload is empty."""
    record = msgspec.convert(known.record, _Record)
    if record.counter:
        return record.counter
    kind, fields = record.result
    return Settlement(
        claimed=msgspec.convert(record.claimed, Claimed),
        result=_RESULTS[kind](**fields),
        state=record.state,  # type: ignore[arg-type] # CLAIMED is never settled
        due_at=record.due_at,
        give_back=record.give_back,
    )


def is_due(known: SetAside, *, now: float) -> bool:
    """Return whether to try again: the pause is over, or the clock was set back."""
    return not known.again_at - _MOST_PAUSE_S <= now < known.again_at


def due(known: Mapping[str, SetAside], doing: Collection[str], *, now: float) -> list[str]:
    """Return the names of records to try again, the longest due first, as many as one step allows."""
    names = [name for name, each in known.items() if each.doing in doing and is_due(each, now=now)]
    return sorted(names, key=lambda name: known[name].again_at)[:TRIED_AT_ONCE]


#: Delete at most `limit` expired rows after the first `skip`; return their number.
Step: TypeAlias = Callable[[int, int], Awaitable[int]]
#: Run one task of retention on at most this number of rows; return the number of rows.
Task: TypeAlias = Callable[[int], Awaitable[int]]


def deleting(store: Statements, now: float, rules: OutboxSettings, name: str) -> Step:
    """Return the step that runs the named statement, which deletes expired rows."""
    ledger_start = now - rules.ledger_s
    starts = {
        "now": now,
        "delivered_start": now - rules.ledger_delivered_s,
        "ledger_start": ledger_start,
        "audit_start": now - rules.audit_s,
        "hours_start": now - HOURS_KEPT_S,
        "days_start": ledger_start - DAY_S,
    }
    return lambda limit, skip: store.count(name, **starts, limit=limit, skip=skip)


class RowByRow(ABC, Generic[Taken]):
    """Repeat on one connection a change that the store refused as a whole, without the rows that it refuses."""

    def __init__(self, store: Statements) -> None:
        self._store = store
        #: As read by `look`.
        self._known: Mapping[str, SetAside] = {}
        self._now = 0.0

    @abstractmethod
    async def attempt(self, do: Callable[[], Awaitable[Answer]], *, is_kept: bool = True) -> Answer:
        """Run something whole or not at all, and undo it unless `is_kept`.

        Raises RowRefused, without a change.
        """

    @abstractmethod
    async def claim(self, asked: ClaimQuery) -> Taken: ...

    @abstractmethod
    async def settle(
        self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], now: float, rules: OutboxSettings
    ) -> None: ...

    async def _with_payload(self, unit: Unit, rules: OutboxSettings) -> Unit:  # noqa: ARG002 - for an engine that needs it
        """Return a unit that was set aside, with the finished event if the settlement requires the event."""
        return unit

    async def claim_the_rest(self, asked: ClaimQuery) -> Taken:
        """Claim the claimable deliveries, and set the rest aside. Raises RowRefused if the rest is too large.

        Further deliveries follow the ones set aside, and may be refused too.
        """
        check_room(await self._read())
        while True:
            try:
                return await self.attempt(partial(self.claim, asked))
            except RowRefused:
                by, due_by = (asked.holds.by, asked.holds.due_by) if asked.holds else (None, None)
                which = {
                    "ad_account_id": asked.ad_account_id,
                    "now": asked.now,
                    "by": by,
                    "due_by": due_by,
                    "only": None,
                }
                ids = [id_ for (id_,) in await self._store.rows("claimable", **which, limit=HOLD_ROWS)]
                refused = await self._refused_of(ids, lambda part: self.claim(asked.of(part)), is_kept=False)
                if not refused:
                    raise
                account = asked.ad_account_id
                new = {id_: _new("claim", why, asked.now, name=str(id_), ad_account_id=account) for id_, why in refused}
                await self._put({f"{DELIVERY}{id_}": each for id_, each in new.items()})

    async def settle_the_rest(
        self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], now: float, rules: OutboxSettings
    ) -> None:
        """Settle the unaffected deliveries, and set the rest aside. Raises RowRefused if the rest is too large.

        The rest stays claimed without further changes, and is not sent again.
        """
        check_room(await self._read())
        units: list[Unit] = [*last_of_each(settlements), *counters]
        refused = await self._refused_of(units, lambda some: self.settle(*split(some), now, rules))
        await self._put(dict(_unsettled(each, why, now) for each, why in refused))

    async def renew_the_rest(self, claimed: Sequence[Claimed], until: float) -> None:
        """Renew the unaffected leases. Refused ones are found again by the settlement."""
        await self._refused_of(claimed, partial(renew, self._store, until=until))

    async def look(self, now: float) -> None:
        """Read the records at the beginning of a step of retention."""
        self._known, self._now = await self._read(), now

    async def retain(
        self,
        steps: Mapping[str, Step],
        limit: int,
        rules: OutboxSettings,
        *,
        others: Mapping[str, Task] = MappingProxyType({}),
    ) -> int:
        """Retry due records, and run steps and other tasks in turn; return the number of rows.

        Rows that the store refuses to change stay, and block no others. Call `look` before.
        """
        tasks = {name: partial(self.delete, name, step) for name, step in steps.items()} | dict(others)
        tried_again = await self._claim_again() + await self._settle_again(rules)
        shares = FairShares(tasks, limit - tried_again)
        while task := shares.next():
            name, size = task
            shares.take(name, await tasks[name](size))
        return limit - shares.left

    async def delete(self, name: str, do: Step, limit: int) -> int:
        """Run one step without the refused rows; return how many rows are deleted or newly refused.

        Refused rows count, so that a step of refused rows only does not end retention: rows after them are due too.
        """
        known = self._known.get(f"{ROWS}{name}")
        skip = known.rows if known and not is_due(known, now=self._now) else 0
        passing = SkippingDelete(limit, skip)
        while not passing.is_over:
            try:
                passing.take(await self.attempt(partial(do, passing.size, passing.stay)))
            except RowRefused as exc:
                passing.refuse(exc.words)
        if passing.why:
            await self._put({f"{ROWS}{name}": with_rows(known, passing, now=self._now)})
        elif known and not skip:
            await self._drop([f"{ROWS}{name}"])
        return passing.gone + passing.stay - skip

    async def _claim_again(self) -> int:
        """Return claimable deliveries to the queue; return the number of deleted records."""
        names = due(self._known, ["claim"], now=self._now)
        return await self._done(names, await self._refused_of(names, self._would_claim, is_kept=False))

    async def _would_claim(self, names: Sequence[str]) -> None:
        await self._drop(names)
        ids = [int(name.removeprefix(DELIVERY)) for name in names]
        for account in {self._known[name].ad_account_id for name in names}:
            await self.claim(claim_of(ids, account, now=self._now))

    async def _settle_again(self, rules: OutboxSettings) -> int:
        names = due(self._known, ["settle", "count"], now=self._now)
        return await self._done(names, await self._refused_of(names, partial(self._settle, rules)))

    async def _settle(self, rules: OutboxSettings, names: Sequence[str]) -> None:
        units = [await self._with_payload(unit_of(self._known[name]), rules) for name in names]
        await self.settle(*split(units), self._now, rules)

    async def _done(self, names: Sequence[str], refused: Refused[str]) -> int:
        still = {}
        for name, why in refused:
            again_at = _again_at(self._known[name].since, self._now)
            still[name] = replace(self._known[name], why=why, again_at=again_at)
        if still:
            await self._put(still)
        if gone := [name for name in names if name not in still]:
            await self._drop(gone)
        return len(gone)

    async def _refused_of(
        self, items: Sequence[Item], do: Callable[[Sequence[Item]], Awaitable[object]], *, is_kept: bool = True
    ) -> Refused[Item]:
        """Run an operation for all items except those that are refused alone; return these, each with the reason."""
        halving = RowHalving(items)
        while part := halving.next():
            try:
                await self.attempt(partial(do, part), is_kept=is_kept)
            except RowRefused as exc:
                halving.refuse(part, exc.words)
        return halving.refused

    async def _put(self, found: Mapping[str, SetAside]) -> None:
        """Write records. Raises RowRefused if there are too many for errors of single rows."""
        async with self._store.together():
            for name, each in found.items():
                value = orjson.dumps(msgspec.to_builtins(each)).decode()
                await self._store.rows("put_shared", key=_shared_key(name), value=value, revision=None)
            check_room(await self._read())

    async def _drop(self, names: Sequence[str]) -> None:
        await self._store.count("drop_shared", keys=[_shared_key(name) for name in names])

    async def _read(self) -> dict[str, SetAside]:
        found = {}
        for key, value, revision in await self._store.rows("set_aside"):
            name = key.removeprefix(SET_ASIDE.prefix)
            each = SET_ASIDE.of(name).revised(read_shared(key, value, revision)).value
            if each is not None:
                found[name] = each
        return found


def _shared_key(name: str) -> str:
    """Return the key of the shared value."""
    return SET_ASIDE.of(name).name


def check_room(known: Mapping[str, SetAside]) -> None:
    """Raise RowRefused if there are too many records for errors of single rows."""
    if len(known) >= MAX_SET_ASIDE:
        raise RowRefused(words=next(iter(known.values())).why)


def claim_of(ids: Sequence[int], ad_account_id: str, *, now: float) -> ClaimQuery:
    """Return the query that tests whether any of these can be claimed."""
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
