"""The outbox in a PostgreSQL database, which any number of processes on any number of machines share."""

# ruff: noqa: D102 - app/outbox/store.py says what the methods promise

import dataclasses
from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from app.core.deliveries import Claimed, Delivery, Enqueued, NewDelivery, Seen, Settlement, State, Withdrawal
from app.core.events import DroppedEvent, Tally
from app.core.pages import AuditEntry, AuditPage, Backlog, Message, NotePage, Page, Query, Revenue, Session
from app.core.people import PeopleChanges
from app.errors import OutboxUnavailable, RowRefused
from app.outbox.backpressure import Loads, loads_of, nowhere_room
from app.outbox.enqueue import prepare_call
from app.outbox.hold_clock import HoldClock
from app.outbox.orders import OrderPage
from app.outbox.postgres import accounts, inventory, ledger, sealed_events
from app.outbox.postgres.claim import claim, hasten, renew
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database, ServerClock, rows_of
from app.outbox.postgres.notifier import Watch
from app.outbox.postgres.people import KeepsPeople
from app.outbox.postgres.redrive import PostgresDeadLetters
from app.outbox.postgres.retention import Days, retain
from app.outbox.postgres.set_aside import claim_the_rest, renew_the_rest, settle_the_rest
from app.outbox.postgres.settle import settle, withdraw
from app.outbox.postgres.shared import PostgresShared
from app.outbox.postgres.writer import Writer
from app.outbox.rules import DiskRules, OutboxRules
from app.outbox.settlement import ClaimCall, HastenCall, SettleCall, WithdrawCall


class PostgresOutbox(PostgresShared, KeepsPeople):
    """The `Outbox` of app/outbox/store.py. Its times are the server's: `now` is shifted by how far clocks differ."""

    def __init__(
        self,
        url: str,
        rules: OutboxRules,
        *,
        clock: Callable[[], float] | None,
        steady: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        self._clock = ServerClock(clock)
        self.hold_clock = HoldClock(self, machine=self._clock.machine, wall=self._read_clock, steady=steady, boot=boot)
        self._database = Database(url, self._clock.hear)
        self._days = Days(self._database)
        self._writer = Writer(self._database, self._days, rules)
        self._watch = Watch(self._database, self._clock)
        self._rules = rules
        self.inventory = inventory.PostgresInventory(self._database, self._by_server)
        self.sealed_events = sealed_events.PostgresSealedEvents(self._database)
        self.dead_letters = PostgresDeadLetters(self._database, rules, self._by_server, self._watch.wake)

    async def _by_server(self, now: float) -> float:
        """Return when the server's clock shows what this machine calls now; the first time it has to be asked."""
        await self._database.open()
        return self._clock.of(now)

    async def _read_clock(self) -> float:
        """Ask the server for its time: a difference that was heard before may be gone, since a clock was set."""
        ((server_time,),) = await self._database.run(rows_of, "server_time")
        self._clock.hear(server_time)
        return self._clock()

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        notes: Sequence[DroppedEvent],
        tallies: Sequence[Tally],
        *,
        now: float,
        people: PeopleChanges | None = None,
    ) -> list[Enqueued]:
        at = await self._by_server(now)
        held_from = await self.hold_clock.held_from(deliveries, at)
        call = await prepare_call(
            deliveries, notes, tallies, now=at, held_from=held_from, rules=self._rules, people=people
        )
        answers = await self._writer.do(call)
        self._watch.wake()
        return answers

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> int:
        call = WithdrawCall(withdrawals=withdrawals, now=await self._by_server(now))
        await self._days.be_ready([call.now])
        return await self._database.run(withdraw, call)

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        return await self._database.run(ledger.seen, deliveries, await self._by_server(now), self._rules)

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
        at = await self._by_server(now)
        call = ClaimCall(
            ad_account_id=ad_account_id,
            limit=limit,
            max_bytes=max_bytes,
            max_wait_s=max_wait_s,
            lease_s=lease_s,
            without_presets=without_presets,
            take_over=take_over,
            now=at,
            holds=self.hold_clock.over(ad_account_id, at),
        )
        try:
            taken = await self._database.run(claim, call)
        except RowRefused:
            taken = await self._database.run(claim_the_rest, call)
        self._watch.claimed(ad_account_id, found=bool(taken.claimed), now=call.now)
        if taken.released:
            self._watch.wake()
        return taken.claimed

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        if claimed:
            until = await self._by_server(now) + lease_s
            try:
                await self._database.run(renew, claimed, until)
            except RowRefused:
                await self._database.run(renew_the_rest, claimed, until)

    async def hasten(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        call = HastenCall(
            ad_account_id=ad_account_id,
            pending_by=await self._by_server(pending_by),
            claimed_by=await self._by_server(claimed_by),
            limit=limit,
        )
        changed = await self._database.run(hasten, call)
        self._watch.wake()
        return changed

    async def settle(self, settlements: Sequence[Settlement], tallies: Sequence[Tally], *, now: float) -> None:
        at = await self._by_server(now)
        shifted = [self._shifted(settlement) for settlement in settlements]
        call = SettleCall(settlements=shifted, tallies=tallies, now=at)
        await self._days.be_ready([call.now])
        try:
            await self._settle(call)
        except OutboxUnavailable:
            self._days.forget()
            raise
        if any(settlement.state is State.PENDING for settlement in settlements):
            self._watch.wake()

    async def _settle(self, call: SettleCall) -> None:
        try:
            await self._database.run(settle, call, self._rules)
        except RowRefused:
            self._days.forget()  # the table of the day may be what is missing
            await self._days.be_ready([call.now])
            await self._database.run(settle_the_rest, call, self._rules)

    def _shifted(self, settlement: Settlement) -> Settlement:
        if settlement.due_at is None:
            return settlement
        return replace(settlement, due_at=self._clock.of(settlement.due_at))

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        await self._watch.wait(ad_account_id, timeout_s)

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        return await self._database.run(ledger.search, query, limit, cursor)

    async def search_notes(self, query: Query, *, limit: int, cursor: str | None = None) -> NotePage:
        return await self._database.run(ledger.search_notes, query, limit, cursor)

    async def orders(self, *, noted: bool, since: float, after: int | None = None, limit: int) -> OrderPage:
        return await self._database.run(ledger.orders, noted, since, after, limit)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return await self._database.run(ledger.delivery, delivery_id)

    async def message(self, message_id: str) -> Message:
        return await self._database.run(ledger.message, message_id)

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        return await self._database.run(ledger.backlog, ad_account_id, self._rules)

    async def tallies(
        self, *, since: float, step_s: int, until: float | None = None, names: Collection[str] | None = None
    ) -> list[tuple[float, Tally]]:
        return await self._database.run(ledger.tallies, since, step_s, until, names)

    async def revenue(self, *, first_day: int, last_day: int) -> list[Revenue]:
        return await self._database.run(ledger.revenue, first_day, last_day)

    async def write_audit(self, entry: AuditEntry) -> None:
        at = await self._by_server(entry.at)
        await self._database.run(accounts.write_audit, dataclasses.replace(entry, at=at))

    async def audit(self, *, limit: int, cursor: str | None = None) -> AuditPage:
        return await self._database.run(accounts.audit, limit, cursor)

    async def open_session(self, session: Session) -> None:
        ends_at = await self._by_server(session.ends_at)
        await self._database.run(accounts.open_session, dataclasses.replace(session, ends_at=ends_at))

    async def session(self, digest: str, *, now: float) -> Session | None:
        return await self._database.run(accounts.find_session, digest, await self._by_server(now))

    async def end_session(self, digest: str) -> None:
        await self._database.run(accounts.end_session, digest)

    async def retain(self, *, now: float, limit: int) -> int:
        return await self._database.run(retain, await self._by_server(now), limit, self._rules)

    async def check(self, ad_account_ids: Collection[str] = ()) -> None:
        if full := nowhere_room(self._rules, await self._database.run(_probe), ad_account_ids):
            raise full

    async def protect(self, rules: DiskRules) -> None:
        """Do nothing: the server sees to its disk, and tells of what it cannot read or keep."""

    async def close(self) -> None:
        await self._writer.close()
        await self._watch.close()
        await self._database.close()


async def _probe(connection: Connection) -> Loads:
    """Prove that a commit succeeds, and return how much waits."""
    await connection.execute(SQL["probe"], {"slot": connection.slot})
    return loads_of(await rows_of(connection, "waiting"))
