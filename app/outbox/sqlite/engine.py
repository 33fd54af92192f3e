"""The outbox in one SQLite file, which several processes may share."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Enqueued, NewDelivery, Settlement, State, Withdrawal
from app.core.events import CounterRow, DroppedEvent, InventoryCount
from app.core.pages import Backlog
from app.core.people import PeopleChanges
from app.errors import OutboxUnavailable, RowRefused
from app.outbox.arrivals import ArrivalClaim, Claimer, claim_arrivals
from app.outbox.enqueue import PreparedEnqueue, prepare
from app.outbox.hold_clock import HoldClock
from app.outbox.inventory import Inventory, add_to_inventory, inventory_rows, keep_bounds
from app.outbox.ledger import Kept
from app.outbox.people import changes_to_people
from app.outbox.redrive import DeadLetters
from app.outbox.refusals import backlog_of, loads_of, no_room_error
from app.outbox.sealed_events import SealedEvents
from app.outbox.settlement import ClaimQuery, renew
from app.outbox.sqlite.claim import claim
from app.outbox.sqlite.database import SQL, Connection, checkpoint, open_writable
from app.outbox.sqlite.enqueue import enqueue, enqueue_new, parameters, prepare_connection
from app.outbox.sqlite.guard import Guard, free_bytes, free_reserve, unused_bytes
from app.outbox.sqlite.notifier import FileNotifier
from app.outbox.sqlite.people import KeepsPeople
from app.outbox.sqlite.readers import Readers, UsesFile
from app.outbox.sqlite.retention import retain
from app.outbox.sqlite.scrub import scrub_payloads
from app.outbox.sqlite.set_aside import FileRows
from app.outbox.sqlite.settle import settle, withdraw, withdraw_cancelled, withhold
from app.outbox.sqlite.writer import Writer
from app.outbox.statements import reads
from app.outbox.store import Outbox

#: The rows per commit: of a full inventory with about ten thousand rows, events wait only for this number.
_INVENTORY_ROWS: Final = 1_000


class SqliteOutbox(KeepsPeople, Outbox):
    """The `Outbox` of app/outbox/store.py, which documents its methods.

    Writes go to one thread and share commits (writer.py); reads have separate connections (readers.py).
    """

    def __init__(
        self,
        path: Path,
        rules: OutboxSettings,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        async def wall() -> float:
            return clock()

        self.hold_clock = HoldClock(self, machine=clock, wall=wall, steady=steady, boot=boot)
        connection = _opened(path)
        prepare_connection(connection)
        self._claimers: dict[str, Claimer] = {}
        self._guard = Guard(path)
        readers = Readers(path, self._guard)
        self._notifier = FileNotifier(readers, clock)
        writer = Writer(connection, self._guard, on_others=self._notifier.wake_from_thread)
        super().__init__(path, writer, readers, rules)
        parts = self._path, self._writer, self._readers, rules
        self.inventory = _FileInventory(*parts)
        self.sealed_events = _FileSealedEvents(*parts)
        self.dead_letters = _FileDeadLetters(*parts)
        self.dead_letters.on_redriven = self._notifier.wake

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        dropped: Sequence[DroppedEvent],
        counters: Sequence[CounterRow],
        *,
        now: float,
        people: PeopleChanges | None = None,
        is_final: bool = False,
    ) -> list[Enqueued]:
        of_notes = not deliveries and any(not each.is_trusted for each in dropped)
        if (of_notes or any(each.leaves_room for each in deliveries)) and (full := self._guard.refusal_of_public()):
            raise full
        held_from = await self.hold_clock.held_from(deliveries, now)
        call = await prepare(
            deliveries, dropped, counters, now=now, held_from=held_from, rules=self._rules, people=people
        )
        claims = claim_arrivals(call.all_new, self._claimers, now=now) if call.all_new and is_final else []
        stored = self._store(call, claims)
        # after the cancellation of a request, the sender still gets its claim
        return await (asyncio.shield(asyncio.create_task(stored)) if claims else stored)

    async def _store(self, call: PreparedEnqueue, claims: Sequence[ArrivalClaim]) -> list[Enqueued]:
        rules, first_id = self._rules, None
        ready = parameters(call.all_new, rules, are_new=True, claims=claims) if call.all_new else None
        is_alone = changes_to_people(call.people) is None
        try:
            answer = await self._writer.do(
                partial(enqueue, call=call, ready=ready, rules=rules),
                rows=call.rows,
                alone=partial(enqueue_new, call=call, ready=ready) if is_alone else None,
                takes_in=True,
            )
            first_id = call.first_id
        finally:
            for each in claims:
                each.hand_over(call.deliveries, first_id)
        if first_id is None or sum(len(each.places) for each in claims) < len(call.deliveries):
            self._notifier.wake()
        return answer

    def offer_arrivals(self, ad_account_id: str, claimer: Claimer | None) -> None:
        if claimer:
            self._claimers[ad_account_id] = claimer
        else:
            self._claimers.pop(ad_account_id, None)

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        work = partial(withdraw, withdrawals=withdrawals, now=now, rules=self._rules)
        return await self._writer.do(work, rows=len(withdrawals))

    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        return await self._writer.do(partial(withdraw_cancelled, orders=orders, now=now, rules=self._rules))

    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int:
        return await self._writer.do(partial(withhold, claimed=claimed, now=now), rows=len(claimed))

    async def _claim(self, asked: ClaimQuery) -> list[Claimed]:
        try:
            claimed = await self._write(partial(claim, asked=asked), rows=asked.limit)
        except RowRefused:
            claimed = await self._write(lambda store: FileRows(store).claim_the_rest(asked), rows=asked.limit)
        self._notifier.claimed(asked.ad_account_id, found=bool(claimed), now=asked.now)
        return claimed

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        if claimed:
            until = now + lease_s
            try:
                await self._write(partial(renew, claimed=claimed, until=until), rows=len(claimed))
            except RowRefused:
                await self._write(lambda store: FileRows(store).renew_the_rest(claimed, until), rows=len(claimed))

    async def reschedule(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        which = {"ad_account_id": ad_account_id, "pending_by": pending_by, "claimed_by": claimed_by, "limit": limit}
        changed: int = await self._write(lambda store: store.count("reschedule", **which), rows=limit)
        self._notifier.wake()
        return changed

    async def settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], *, now: float) -> None:
        what, rules = (settlements, counters, now), self._rules
        try:
            await self._writer.do(lambda connection: settle(connection, *what, rules), rows=len(settlements))
        except RowRefused:
            await self._write(lambda store: FileRows(store).settle_the_rest(*what, rules), rows=len(settlements))
        if any(settlement.state is State.PENDING for settlement in settlements):
            self._notifier.wake()

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        await self._notifier.wait(ad_account_id, timeout_s)

    async def retain(self, *, now: float, limit: int) -> int:
        touched = await self._write(partial(retain, now=now, limit=limit, rules=self._rules), rows=limit)
        if touched == 0:
            await asyncio.to_thread(scrub_payloads, self._path)
        return touched

    async def _check(self, ad_account_ids: Collection[str]) -> None:
        probe = partial(_probe, rules=self._rules, ad_account_ids=ad_account_ids)
        await self._writer.do(probe, takes_in=True)

    @reads
    async def backlog(self, store: Connection, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        rows = await store.rows("backlog", ad_account_id=ad_account_id)
        ((oldest_at,),) = await store.rows("oldest_unsettled", ad_account_id=ad_account_id)
        counts = {state: count for state, count, _ in rows}
        size_bytes = sum(size for state, _, size in rows if state != State.DEAD)
        return backlog_of(counts, size_bytes, oldest_at, self._rules, disk_bytes=_room(store, self._path))

    async def _kept(self, store: Connection, ids: Sequence[int]) -> Mapping[int, Kept]:
        kept = {}
        for id_ in ids:
            payload = await store.rows("payload", delivery_id=id_)
            kept[id_] = await store.rows("history", delivery_id=id_), payload[0][0] if payload else None
        return kept

    async def start_disk_checks(self, rules: OutboxSettings) -> None:
        self._guard.keep_reserve(rules.limits.outbox_reserve_bytes)
        if rules.limits.outbox_quick_check_s > 0:
            await asyncio.to_thread(self._guard.look_through, for_s=rules.limits.outbox_quick_check_s)

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
        self._notifier.close()
        await asyncio.to_thread(self._readers.close)


class _FileInventory(UsesFile, Inventory):
    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        rows = inventory_rows(counts, now)
        for first in range(0, len(rows), _INVENTORY_ROWS):
            piece = rows[first : first + _INVENTORY_ROWS]
            await self._write(partial(add_to_inventory, rows=piece), rows=len(piece))
        if rows:
            await self._write(partial(keep_bounds, now=now, max_names=max_names))


class _FileDeadLetters(UsesFile, DeadLetters):
    """Dead deliveries in the file."""


class _FileSealedEvents(UsesFile, SealedEvents):
    async def _erase(self, name: str, **parameters: Any) -> int:
        """Erase without remains in the file."""
        count = await super()._erase(name, **parameters)
        if count:
            await asyncio.to_thread(checkpoint, self._path)
        return count


def _opened(path: Path) -> Connection:
    """Open the file to write; on a full disk with the space of the reserve, so that waiting deliveries can be sent."""
    try:
        return open_writable(path)
    except OutboxUnavailable as exc:
        if exc.why != "disk full" or not free_reserve(path):
            raise
        return open_writable(path)


def _probe(connection: sqlite3.Connection, rules: OutboxSettings, ad_account_ids: Collection[str]) -> None:
    connection.execute(SQL["probe"])
    if full := no_room_error(rules, loads_of(connection.execute(SQL["waiting"])), ad_account_ids):
        raise full


def _room(connection: Connection, path: Path) -> int | None:
    """Return the free bytes of the disk and of the file itself; `None` if those of the disk are unknown."""
    try:
        return free_bytes(path) + unused_bytes(connection)
    except OSError:
        return None
