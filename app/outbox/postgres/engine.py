"""The outbox in a PostgreSQL database, shared by any number of processes and machines."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Enqueued, NewDelivery, Settlement, State, Withdrawal
from app.core.events import CounterRow, DroppedEvent, InventoryCount
from app.core.pages import Backlog
from app.core.people import PeopleChanges
from app.errors import OutboxUnavailable, RowRefused
from app.outbox.enqueue import prepare
from app.outbox.hold_clock import HoldClock, steady_clock
from app.outbox.inventory import Inventory, add_to_inventory, inventory_rows, keep_bounds
from app.outbox.ledger import Kept
from app.outbox.postgres.claim import claim
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database, ServerClock, UsesDatabase
from app.outbox.postgres.notifier import ServerNotifier
from app.outbox.postgres.people import KeepsPeople
from app.outbox.postgres.retention import Days, retain
from app.outbox.postgres.set_aside import ServerRows
from app.outbox.postgres.settle import settle, withdraw, withdraw_cancelled, withhold
from app.outbox.postgres.writer import Writer
from app.outbox.redrive import DeadLetters
from app.outbox.refusals import Loads, backlog_of, loads_of, no_room_error
from app.outbox.sealed_events import SealedEvents
from app.outbox.settlement import ClaimQuery, renew
from app.outbox.statements import reads, writes
from app.outbox.store import Outbox


class PostgresOutbox(KeepsPeople, Outbox):
    """The `Outbox` of app/outbox/store.py. Its times are the server's, not those of this machine."""

    def __init__(
        self,
        url: str,
        rules: OutboxSettings,
        *,
        clock: Callable[[], float] | None,
        steady: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        server_clock = ServerClock(clock, steady=steady or steady_clock)
        super().__init__(Database(url, server_clock.hear), server_clock, rules)
        self.hold_clock = HoldClock(self, machine=server_clock.machine, wall=self._read_clock, steady=steady, boot=boot)
        self._days = Days(self._database)
        self._writer = Writer(self._database, self._days, rules)
        self._notifier = ServerNotifier(self._database, server_clock)
        parts = self._database, server_clock, rules
        self.inventory = _ServerInventory(*parts)
        self.sealed_events = _ServerSealedEvents(*parts)
        self.dead_letters = _ServerDeadLetters(*parts)
        self.dead_letters.on_redriven = self._notifier.wake

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        dropped: Sequence[DroppedEvent],
        counters: Sequence[CounterRow],
        *,
        now: float,
        people: PeopleChanges | None = None,
        is_final: bool = False,  # noqa: ARG002 - senders claim by `claim` here
    ) -> list[Enqueued]:
        at = await self._by_server(now)
        held_from = await self.hold_clock.held_from(deliveries, at)
        call = await prepare(
            deliveries, dropped, counters, now=at, held_from=held_from, rules=self._rules, people=people
        )
        answers = await self._writer.do(call)
        self._notifier.wake()
        return answers

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        at = await self._by_server(now)
        await self._days.ensure_tables([at])
        return await self._database.run(withdraw, withdrawals, at, self._rules)

    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        at = await self._by_server(now)
        await self._days.ensure_tables([at])
        return await self._database.run(withdraw_cancelled, orders, at, self._rules)

    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int:
        at = await self._by_server(now)
        await self._days.ensure_tables([at])
        return await self._database.run(withhold, claimed, at)

    async def _claim(self, asked: ClaimQuery) -> list[Claimed]:
        try:
            taken = await self._database.run(claim, asked)
        except RowRefused:
            taken = await self._database.run(lambda connection: ServerRows(connection).claim_the_rest(asked))
        self._notifier.claimed(asked.ad_account_id, found=bool(taken.claimed), now=asked.now)
        if taken.released:
            self._notifier.wake()
        return taken.claimed

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        if claimed:
            until = await self._by_server(now) + lease_s
            try:
                await self._database.run(renew, claimed, until)
            except RowRefused:
                await self._database.run(lambda connection: ServerRows(connection).renew_the_rest(claimed, until))

    async def reschedule(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        await self._by_server(pending_by)  # reads the server's clock if that is stale
        ends = {"pending_by": self._clock.of(pending_by), "claimed_by": self._clock.of(claimed_by)}
        changed = await self._database.run(
            Connection.count, "reschedule", ad_account_id=ad_account_id, limit=limit, **ends
        )
        self._notifier.wake()
        return changed

    async def settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], *, now: float) -> None:
        at = await self._by_server(now)
        shifted = [self._shifted(settlement) for settlement in settlements]
        await self._days.ensure_tables([at])
        try:
            await self._settle(shifted, counters, at)
        except OutboxUnavailable:
            self._days.forget()
            raise
        if any(settlement.state is State.PENDING for settlement in settlements):
            self._notifier.wake()

    async def _settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], at: float) -> None:
        try:
            await self._database.run(settle, settlements, counters, at, self._rules)
        except RowRefused:
            self._days.forget()  # the table of the day may be missing
            await self._days.ensure_tables([at])
            what = settlements, counters, at, self._rules
            await self._database.run(lambda connection: ServerRows(connection).settle_the_rest(*what))

    def _shifted(self, settlement: Settlement) -> Settlement:
        if settlement.due_at is None:
            return settlement
        return replace(settlement, due_at=self._clock.of(settlement.due_at))

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        await self._notifier.wait(ad_account_id, timeout_s)

    async def retain(self, *, now: float, limit: int) -> int:
        return await self._database.run(retain, await self._by_server(now), limit, self._rules)

    async def _check(self, ad_account_ids: Collection[str]) -> None:
        if full := no_room_error(self._rules, await self._database.run(_probe), ad_account_ids):
            raise full

    @reads
    async def backlog(self, store: Connection, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        rows = await store.rows("backlog", ad_account_id=ad_account_id)
        counts = {state: count for state, count, _, _ in rows}
        size_bytes = sum(size for _, _, size, _ in rows)
        return backlog_of(counts, size_bytes, rows[0][3] if rows else None, self._rules)

    async def _kept(self, store: Connection, ids: Sequence[int]) -> Mapping[int, Kept]:
        rows = await store.rows("whole", ids=list(ids))
        return {id_: (history or (), payload) for id_, history, payload in rows}

    async def start_disk_checks(self, rules: OutboxSettings) -> None:
        """Do nothing: the server checks its disk and reports unreadable data."""

    async def close(self) -> None:
        await self._writer.close()
        await self._notifier.close()
        await self._database.close()


class _ServerInventory(UsesDatabase, Inventory):
    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        if counts:
            await self._add(counts, now, max_names)

    @writes
    async def _add(self, connection: Connection, counts: Sequence[InventoryCount], now: float, max_names: int) -> None:
        at = self._clock.of(now)
        async with connection.transaction():
            await connection.execute(SQL["one_inventory"])
            await add_to_inventory(connection, inventory_rows(counts, at))
            await keep_bounds(connection, at, max_names)


class _ServerDeadLetters(UsesDatabase, DeadLetters):
    """Dead deliveries in the database."""


class _ServerSealedEvents(UsesDatabase, SealedEvents):
    """The server removes the remains of erased events."""


async def _probe(connection: Connection) -> Loads:
    """Prove that a commit succeeds, and return the waiting load."""
    await connection.execute(SQL["probe"], {"slot": connection.slot})
    return loads_of(await connection.rows("waiting"))
