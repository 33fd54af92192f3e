"""The outbox in one SQLite file, which several processes may share."""

# ruff: noqa: D102 - app/outbox/store.py says what the methods promise

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from app.core.deliveries import Claimed, Delivery, Enqueued, NewDelivery, Seen, Settlement, Shared, State, Withdrawal
from app.core.events import DroppedEvent, Tally
from app.core.pages import AuditEntry, AuditPage, Backlog, Message, NotePage, Page, Query, Revenue, Session
from app.core.people import PeopleChanges
from app.errors import OutboxUnavailable, RowRefused
from app.outbox.backpressure import loads_of, nowhere_room
from app.outbox.enqueue import prepare_call
from app.outbox.hold_clock import HoldClock
from app.outbox.orders import OrderPage
from app.outbox.people import altering
from app.outbox.rules import DiskRules, OutboxRules
from app.outbox.settlement import ClaimCall, HastenCall, SettleCall, WithdrawCall
from app.outbox.sqlite import accounts, ledger, shared
from app.outbox.sqlite.claim import RenewCall, claim, hasten, renew
from app.outbox.sqlite.database import SQL, checkpoint, open_writable
from app.outbox.sqlite.enqueue import NewCall, enqueue, enqueue_new, parameters, prepare_connection
from app.outbox.sqlite.guard import Guard, free_reserve
from app.outbox.sqlite.inventory import SqliteInventory
from app.outbox.sqlite.notifier import Watch
from app.outbox.sqlite.people import KeepsPeople
from app.outbox.sqlite.readers import Readers
from app.outbox.sqlite.redrive import SqliteDeadLetters
from app.outbox.sqlite.retention import RetainCall, retain
from app.outbox.sqlite.sealed_events import SqliteSealedEvents
from app.outbox.sqlite.set_aside import claim_the_rest, renew_the_rest, settle_the_rest
from app.outbox.sqlite.settle import settle, withdraw
from app.outbox.sqlite.writer import Writer


class SqliteOutbox(KeepsPeople):
    """The `Outbox` of app/outbox/store.py: what each method promises is said there.

    Writes go to one thread and share commits (writer.py); reads have connections of their own (readers.py).
    """

    def __init__(
        self,
        path: Path,
        rules: OutboxRules,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        async def wall() -> float:
            return clock()

        self._path = path
        self.hold_clock = HoldClock(self, machine=clock, wall=wall, steady=steady, boot=boot)
        connection = _opened(path)
        prepare_connection(connection)
        self._guard = Guard(path)
        self._writer = Writer(connection, self._guard)
        self._readers = Readers(path, self._guard)
        self._watch = Watch(path, self._guard, clock)
        self._rules = rules
        self.inventory = SqliteInventory(self._writer, self._readers)
        self.sealed_events = SqliteSealedEvents(path, self._writer, self._readers)
        super().__init__(path, self._writer, self._readers, rules)
        self.dead_letters = SqliteDeadLetters(self._writer, self._readers, rules, self._watch.wake)

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        notes: Sequence[DroppedEvent],
        tallies: Sequence[Tally],
        *,
        now: float,
        people: PeopleChanges | None = None,
    ) -> list[Enqueued]:
        held_from = await self.hold_clock.held_from(deliveries, now)
        call = await prepare_call(
            deliveries, notes, tallies, now=now, held_from=held_from, rules=self._rules, people=people
        )
        ready = parameters(call.all_new, self._rules) if call.all_new else None
        new = NewCall(call=call, parameters=ready)
        answer = await self._writer.do(
            partial(enqueue, new=new, rules=self._rules),
            rows=call.rows,
            alone=partial(enqueue_new, new=new) if altering(people) is None else None,
            takes_in=True,
        )
        self._watch.wake()
        return answer

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> int:
        call = WithdrawCall(withdrawals=withdrawals, now=now)
        return await self._writer.do(partial(withdraw, call=call), rows=len(withdrawals))

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        return await self._readers.read(ledger.seen, deliveries, now, self._rules)

    async def claim(
        self,
        ad_account_id: str,
        *,
        limit: int,
        max_bytes: int,
        max_wait_s: float,
        lease_s: float,
        now: float,
        without_presets: frozenset[str] = frozenset(),
        take_over: bool = True,
    ) -> list[Claimed]:
        await self.hold_clock.keep()
        call = ClaimCall(
            ad_account_id=ad_account_id,
            limit=limit,
            max_bytes=max_bytes,
            max_wait_s=max_wait_s,
            lease_s=lease_s,
            without_presets=without_presets,
            take_over=take_over,
            now=now,
            holds=self.hold_clock.over(ad_account_id, now),
        )
        try:
            claimed = await self._writer.do(partial(claim, call=call), rows=limit)
        except RowRefused:
            claimed = await self._writer.do(partial(claim_the_rest, call=call), rows=limit)
        self._watch.claimed(ad_account_id, found=bool(claimed), now=now)
        return claimed

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        if claimed:
            call = RenewCall(claimed=claimed, until=now + lease_s)
            try:
                await self._writer.do(partial(renew, call=call), rows=len(claimed))
            except RowRefused:
                await self._writer.do(partial(renew_the_rest, call=call), rows=len(claimed))

    async def hasten(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        call = HastenCall(ad_account_id=ad_account_id, pending_by=pending_by, claimed_by=claimed_by, limit=limit)
        changed = await self._writer.do(partial(hasten, call=call), rows=limit)
        self._watch.wake()
        return changed

    async def settle(self, settlements: Sequence[Settlement], tallies: Sequence[Tally], *, now: float) -> None:
        call = SettleCall(settlements=settlements, tallies=tallies, now=now)
        try:
            await self._writer.do(partial(settle, call=call, rules=self._rules), rows=len(settlements))
        except RowRefused:
            await self._writer.do(partial(settle_the_rest, call=call, rules=self._rules), rows=len(settlements))
        if any(settlement.state is State.PENDING for settlement in settlements):
            self._watch.wake()

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        await self._watch.wait(ad_account_id, timeout_s)

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        return await self._readers.read(ledger.search, query, limit, cursor)

    async def search_notes(self, query: Query, *, limit: int, cursor: str | None = None) -> NotePage:
        return await self._readers.read(ledger.search_notes, query, limit, cursor)

    async def orders(self, *, noted: bool, since: float, after: int | None = None, limit: int) -> OrderPage:
        return await self._readers.read(ledger.orders, noted, since, after, limit)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return await self._readers.read(ledger.delivery, delivery_id)

    async def message(self, message_id: str) -> Message:
        return await self._readers.read(ledger.message, message_id)

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        return await self._readers.read(ledger.backlog, ad_account_id, self._rules, self._path)

    async def tallies(
        self, *, since: float, step_s: int, until: float | None = None, names: Collection[str] | None = None
    ) -> list[tuple[float, Tally]]:
        return await self._readers.read(ledger.tallies, since, step_s, until, names)

    async def revenue(self, *, first_day: int, last_day: int) -> list[Revenue]:
        return await self._readers.read(ledger.revenue, first_day, last_day)

    async def get_shared(self, key: str) -> Shared | None:
        return await self._readers.read(shared.get, key)

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None:
        call = shared.PutCall(key=key, value=orjson.dumps(value).decode(), revision=revision)
        return await self._writer.do(partial(shared.put, call=call))

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]:
        return await self._readers.read(shared.list_by_prefix, prefix)

    async def write_audit(self, entry: AuditEntry) -> None:
        await self._writer.do(partial(accounts.write_audit, entry=entry))

    async def audit(self, *, limit: int, cursor: str | None = None) -> AuditPage:
        return await self._readers.read(accounts.audit, limit, cursor)

    async def open_session(self, session: Session) -> None:
        await self._writer.do(partial(accounts.open_session, session=session))

    async def session(self, digest: str, *, now: float) -> Session | None:
        return await self._readers.read(accounts.find_session, digest, now)

    async def end_session(self, digest: str) -> None:
        await self._writer.do(partial(accounts.end_session, digest=digest))

    async def retain(self, *, now: float, limit: int) -> int:
        call = RetainCall(now=now, limit=limit)
        touched = await self._writer.do(partial(retain, call=call, rules=self._rules), rows=limit)
        if touched == 0:
            await asyncio.to_thread(checkpoint, self._path)
        return touched

    async def check(self, ad_account_ids: Collection[str] = ()) -> None:
        probe = partial(_probe, rules=self._rules, ad_account_ids=ad_account_ids)
        await self._writer.do(probe, takes_in=True)

    async def protect(self, rules: DiskRules) -> None:
        self._guard.keep_reserve(rules.reserve_bytes)
        if rules.quick_check_s > 0:
            await asyncio.to_thread(self._guard.look_through, for_s=rules.quick_check_s)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._watch.close()
        self._readers.close()


def _opened(path: Path) -> sqlite3.Connection:
    """Open the file to write; on a full disk with the room of the reserve, so that what waits can be sent."""
    try:
        return open_writable(path)
    except OutboxUnavailable as exc:
        if exc.why != "disk full" or not free_reserve(path):
            raise
        return open_writable(path)


def _probe(connection: sqlite3.Connection, rules: OutboxRules, ad_account_ids: Collection[str]) -> None:
    connection.execute(SQL["probe"])
    if full := nowhere_room(rules, loads_of(connection.execute(SQL["waiting"])), ad_account_ids):
        raise full
