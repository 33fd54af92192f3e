"""What the file refuses to change: found by halving, each part in a savepoint, and set aside (app/outbox/set_aside)."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

import msgspec
import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Settlement
from app.core.events import CounterRow
from app.core.shared_values import SetAside
from app.errors import RowRefused
from app.outbox import set_aside
from app.outbox.rows import as_json
from app.outbox.set_aside import Refused, RowHalving, SkippingDelete
from app.outbox.settlement import HOLD_ROWS, ClaimQuery, last_of_each
from app.outbox.sqlite.claim import claim, renew
from app.outbox.sqlite.database import SQL, Connection, unavailable
from app.outbox.sqlite.settle import settle

Item = TypeVar("Item")
Answer = TypeVar("Answer")
#: Deletes, of the rows behind `skip` that are too old, `limit` at most; returns how many that were.
Step: TypeAlias = Callable[[int, int], int]


def attempt(connection: Connection, do: Callable[[], Answer], *, is_kept: bool = True) -> Answer:
    """Do something in a savepoint, taken back where it is not kept. Raises RowRefused, with nothing changed."""
    connection.execute("SAVEPOINT part")
    try:
        answer = do()
    except (sqlite3.Error, RowRefused) as exc:
        if not connection.in_transaction:  # SQLite has given up the whole transaction
            raise
        connection.execute("ROLLBACK TO part")
        connection.execute("RELEASE part")
        if isinstance(exc, sqlite3.Error) and isinstance(refused := unavailable(exc), RowRefused):
            raise refused from exc
        raise
    if not is_kept:
        connection.execute("ROLLBACK TO part")
    connection.execute("RELEASE part")
    return answer


def refused_of(
    connection: Connection, items: Sequence[Item], do: Callable[[Sequence[Item]], object], *, is_kept: bool
) -> Refused[Item]:
    """Do something for all items but those for which it is refused alone; return these, each with the reason."""
    halving = RowHalving(items)
    while part := halving.next():
        try:
            attempt(connection, partial(do, part), is_kept=is_kept)
        except RowRefused as exc:
            halving.refuse(part, exc.words)
    return halving.refused


def claim_the_rest(connection: Connection, asked: ClaimQuery) -> list[Claimed]:
    """Claim what can be claimed, and set the rest aside. Raises RowRefused where that is too much.

    Behind those that are set aside come others, which may be refused too.
    """
    set_aside.check_room(_read(connection))
    while True:
        try:
            return attempt(connection, partial(claim, connection, asked))
        except RowRefused:
            by = asked.holds.by if asked.holds else None
            which = {"ad_account_id": asked.ad_account_id, "now": asked.now, "by": by, "limit": HOLD_ROWS, "only": None}
            ids = [id_ for (id_,) in connection.execute(SQL["claimable"], which)]
            refused = refused_of(connection, ids, lambda part: claim(connection, asked.of(part)), is_kept=False)
            if not refused:
                raise
            put(connection, set_aside.unclaimed(refused, asked.ad_account_id, now=asked.now))


def settle_the_rest(
    connection: Connection,
    settlements: Sequence[Settlement],
    counters: Sequence[CounterRow],
    now: float,
    rules: OutboxSettings,
) -> None:
    """Settle what can be settled, and set the rest aside. Raises RowRefused where that is too much.

    Nothing else of what is set aside is done: it stays claimed, and is not sent again.
    """
    set_aside.check_room(_read(connection))
    units: list[Settlement | CounterRow] = [*last_of_each(settlements), *counters]
    refused = refused_of(
        connection, units, lambda some: settle(connection, *set_aside.split(some), now, rules), is_kept=True
    )
    put(connection, set_aside.unsettled(refused, now=now))


def renew_the_rest(connection: Connection, claimed: Sequence[Claimed], until: float) -> None:
    """Renew what can be renewed. What is refused is found again when it is settled."""
    refused_of(connection, claimed, lambda some: renew(connection, some, until), is_kept=True)


class SetAsideRows:
    """What is set aside, as one step of retention finds it."""

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._known = _read(connection)

    def delete(self, name: str, do: Step, limit: int) -> int:
        """Do one step, `do(limit, skip)`, past the rows that are refused; return how many rows it touched."""
        known = self._known.get(f"{set_aside.ROWS}{name}")
        skip = known.rows if known and not set_aside.is_due(known, now=self._now) else 0
        passing = SkippingDelete(limit, skip)
        while not passing.is_over:
            try:
                passing.take(attempt(self._connection, partial(do, passing.size, passing.stay)))
            except RowRefused as exc:
                passing.refuse(exc.words)
        if passing.why:
            put(self._connection, {f"{set_aside.ROWS}{name}": set_aside.with_rows(known, passing, now=self._now)})
        elif known and not skip:
            _drop(self._connection, [f"{set_aside.ROWS}{name}"])
        return passing.gone

    def try_again(self, rules: OutboxSettings) -> int:
        """Try again what is due; return how much is no longer set aside."""
        return self._claim_again() + self._settle_again(rules)

    def _claim_again(self) -> int:
        """Put back in the line what can be claimed."""
        names = set_aside.due(self._known, ["claim"], now=self._now)
        refused = refused_of(self._connection, names, self._claim, is_kept=False)
        return self._done(names, refused)

    def _claim(self, names: Sequence[str]) -> None:
        _drop(self._connection, names)
        ids = [set_aside.set_aside_id(name) for name in names]
        for account in {self._known[name].ad_account_id for name in names}:
            claim(self._connection, set_aside.claim_of(ids, account, now=self._now))

    def _settle_again(self, rules: OutboxSettings) -> int:
        names = set_aside.due(self._known, ["settle", "count"], now=self._now)
        refused = refused_of(self._connection, names, partial(self._settle, rules), is_kept=True)
        return self._done(names, refused)

    def _settle(self, rules: OutboxSettings, names: Sequence[str]) -> None:
        units = [set_aside.unit_of(self._known[name]) for name in names]
        settle(self._connection, *set_aside.split(units), self._now, rules)

    def _done(self, names: Sequence[str], refused: Refused[str]) -> int:
        still = {name: set_aside.tried_again(self._known[name], why, now=self._now) for name, why in refused}
        if still:
            put(self._connection, still)
        if gone := [name for name in names if name not in still]:
            _drop(self._connection, gone)
        return len(gone)


def put(connection: Connection, found: Mapping[str, SetAside]) -> None:
    """Write what is set aside. Raises RowRefused where that is too much for it to be about rows."""
    for name, each in found.items():
        value = orjson.dumps(msgspec.to_builtins(each)).decode()
        connection.execute(SQL["put_shared"], {"key": set_aside.shared_key(name), "value": value, "revision": None})
    set_aside.check_room(_read(connection))


def _drop(connection: Connection, names: Sequence[str]) -> None:
    connection.execute(SQL["drop_shared"], {"keys": as_json([set_aside.shared_key(name) for name in names])})


def _read(connection: Connection) -> dict[str, SetAside]:
    return set_aside.read_set_aside(connection.execute(SQL["set_aside"]))
