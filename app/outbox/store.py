"""The interface of the outbox: one class, several engines."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from functools import partial

from app.config.settings import OutboxSettings
from app.core.consent import Answer, Lifted
from app.core.deliveries import Claimed, Enqueued, NewDelivery, Settlement, Withdrawal
from app.core.events import CounterRow, DroppedEvent
from app.core.pages import Backlog
from app.core.people import PeopleChanges, PeopleFound
from app.outbox.arrivals import Claimer
from app.outbox.hold_clock import HoldClock
from app.outbox.inventory import Inventory
from app.outbox.ledger import Ledger
from app.outbox.people import KeepsPeople
from app.outbox.redrive import DeadLetters
from app.outbox.sealed_events import SealedEvents
from app.outbox.settlement import HOLD_ROWS, ClaimQuery
from app.outbox.shared import KeepsShared


class Outbox(Ledger, KeepsPeople, KeepsShared):
    """The durable store between requests and Pinterest. Every method may raise OutboxUnavailable."""

    #: Counts of events by name.
    inventory: Inventory
    #: The clock of holds.
    hold_clock: HoldClock
    #: The encrypted events of the quarantine.
    sealed_events: SealedEvents
    #: Operations on dead deliveries: redrive, dismiss, count by cause.
    dead_letters: DeadLetters

    @abstractmethod
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
        """Commit, then return one Enqueued per delivery, in order. After an error, nothing is stored.

        Raises BacklogFull, with the ad accounts, if too many deliveries would wait for one.

        `is_final` is whether no later part of the same request erases any of them: then a sender may claim deliveries
        while they are stored (see `offer_arrivals`).

        `people` are the changes of the memory by the same events; raises MemoryChanged if others changed the memory
        after it was read.

        Duplicates (a key is remembered, also of earlier deliveries of the same call) are not stored again; the ledger
        stores them as dropped events. An order with the id of another, but with a different buyer and total, is stored
        with a warning.
        """

    @abstractmethod
    async def people(
        self,
        keys: Sequence[str],
        *,
        browsers: Collection[str] = (),
        public_key: str | None = None,
        now: float | None = None,
    ) -> PeopleFound:
        """Return the remembered data of some ids, of their linked users, and of all ids of these users.

        Of very many ids of one user, only those with the newest links. `browsers` are those of the keys that no id can
        be linked to: of each `anonymousId`. This saves a search for links. `public_key` is the public key of the events
        that will arrive at `now`: the result then contains whether the memory has room for its data.
        """

    @abstractmethod
    async def kept_copies(self, *, now: float) -> tuple[str, ...]:
        """Return sentences about the copies with erased data that the store knows, with their age."""

    @abstractmethod
    async def forget(
        self,
        keys: Sequence[str],
        *,
        again: Collection[str] = (),
        messages: Collection[str] = (),
        digests: Collection[str] = (),
        now: float = 0,
    ) -> int:
        """Erase the stored data of some ids outside the memory: waiting and dead deliveries, and payloads.

        Also erase the same of some `messages`, and buyer data of orders with some `digests`. Keys stay, so that the
        data is not stored again: events with these keys are withheld, since their person was erased at `now`. Only
        messages of the ids `again`, which are about to be stored, lose their keys. Returns the number of messages with
        erased data. Call `scrub` after the last erasure.
        """

    @abstractmethod
    async def scrub(self, texts: Collection[str]) -> None:
        """Remove erased texts, and the data that `forget` erased, from the free space of files.

        An engine with a server that writes the files does nothing.
        """

    @abstractmethod
    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        """Erase pending deliveries of cancelled orders, and record each as withdrawn.

        Return the number of withdrawn deliveries for each withdrawal.

        An order is found by its key, so only if orders are compared. Claimed, settled and dead deliveries stay
        unchanged, and so do more trusted or partly refunded ones. Keys stay: the same order, sent again, is a
        duplicate. The cancellation is stored for later orders: see `withdraw_cancelled`.
        """

    @abstractmethod
    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        """Withdraw pending deliveries of orders that were cancelled before their arrival.

        Return the indexes of these orders.

        Call this after their commit.
        """

    @abstractmethod
    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int:
        """Erase claimed deliveries that must not be sent, and record each as withdrawn, with its reason.

        Return the number of withdrawn deliveries.

        A claim that was lost changes nothing.
        """

    @abstractmethod
    async def write_consents(self, answers: Sequence[Answer]) -> list[Lifted]:
        """Commit consent records in order; return the opt-outs that opt-ins cancel (`app.core.consent`)."""

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
        """Claim up to `limit` due deliveries of at most `max_bytes` in all (but at least one), counting an attempt.

        Returns [] unless `limit` or `max_bytes` is reached, or the oldest due one has waited `max_wait_s` since it was
        due. Fair: if both are due, new deliveries and retries each get half of a claim. Deliveries of
        `without_presets`, which are disabled, are omitted, and do not slow down the others; only one with a lost lease
        may be among the claimed, since its result must be settled first. Without `take_over`, claims of others are left
        to them, even after their leases end.
        """
        await self.hold_clock.keep()
        at = await self._by_server(now)
        holds = self.hold_clock.over(ad_account_id, at)
        if holds and holds.is_set_back:
            reschedule = partial(self.reschedule, ad_account_id, pending_by=now, claimed_by=now + lease_s)
            while await reschedule(limit=HOLD_ROWS):
                pass
        asked = ClaimQuery(
            ad_account_id=ad_account_id,
            limit=limit,
            max_bytes=max_bytes,
            max_wait_s=max_wait_s,
            lease_s=lease_s,
            without_presets=without_presets,
            take_over=take_over,
            now=at,
            holds=holds,
            max_event_age_s=self._rules.max_event_age_s,
        )
        return await self._claim(asked)

    @abstractmethod
    async def _claim(self, asked: ClaimQuery) -> list[Claimed]: ...

    def offer_arrivals(self, ad_account_id: str, claimer: Claimer | None) -> None:
        """Let a sender claim deliveries of its ad account while `enqueue` stores them; `None` ends this.

        They are stored in the state after `claim`. An engine may offer none: then all wait for `claim`.
        """

    @abstractmethod
    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        """Extend the leases that this process still owns, and those of prepared deliveries in the engine.

        Call this every third of a lease, also without claims.
        """

    @abstractmethod
    async def reschedule(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        """Limit waits: pending deliveries are due by `pending_by`, and leases end by `claimed_by`.

        For a clock that was set back: deliveries that were due would wait until the clock shows their time again.
        Changes at most `limit` deliveries; returns the number of changed deliveries: 0 means that none is left. Held
        deliveries follow when they return to the queue.
        """

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], *, now: float) -> None:
        """Record results. A lost claim changes nothing. Delivered and dead are final here.

        The payload of a delivered event is erased, or stored for some time without IP address and user agent. A dead
        delivery retains its whole payload for a redrive, and releases its keys of de-duplication for a replay.
        """

    @abstractmethod
    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when a delivery may be due for an ad account, or after at most `timeout_s`.

        Returns at once if this process has enqueued since the last `wait`, or another one has written; otherwise when
        that happens, or at the end of a pause or a lease of the account that ran during its last empty `claim`. Due
        deliveries that are too young for a batch do not wake: pass `max_wait_s` as the timeout. Only one task per
        process should wait for each ad account.
        """

    @abstractmethod
    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Return the numbers of waiting, claimed and dead deliveries of the ad account, and the waiting bytes."""

    @abstractmethod
    async def retain(self, *, now: float, limit: int) -> int:
        """Run one small step of retention: old payloads, ledger entries, keys, audit log, sessions and memory.

        Returns the number of rows: 0 means that retention is complete.
        """

    async def check(self, ad_account_ids: Collection[str] = ()) -> None:
        """Raise OutboxUnavailable unless a commit would succeed now, and each required shared value is readable.

        With ad accounts: one of them must have room for another delivery; raises BacklogFull if none has.
        """
        await self._check(ad_account_ids)
        await self.check_shared()

    @abstractmethod
    async def _check(self, ad_account_ids: Collection[str]) -> None: ...

    @abstractmethod
    async def start_disk_checks(self, rules: OutboxSettings) -> None:
        """Check the store for damage, and reserve disk space. Called by processes that receive events.

        The reserve is freed when the disk is full, so that waiting deliveries can be sent and settled. Raises nothing:
        `check` and `enqueue` raise the found errors. An engine with a server that checks its disk does nothing.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish current writes and release the store."""
