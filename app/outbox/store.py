"""The outbox as the rest of Pinrelay sees it: one class, several engines."""

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
    """The durable store between the request and Pinterest. Every method may raise OutboxUnavailable."""

    #: The counts of what arrives, by name.
    inventory: Inventory
    #: The time by which holds of deliveries end.
    hold_clock: HoldClock
    #: The events that the quarantine keeps, encrypted.
    sealed_events: SealedEvents
    #: What can be done with dead deliveries: redrive, dismiss, count by cause.
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
        """Commit, then return one Enqueued a delivery, in order. Nothing is kept where it raises.

        Raises BacklogFull, which names the ad accounts, where more deliveries would wait for one than may.

        `is_final` is whether nothing behind it in the same request erases any of it: then a sender may claim deliveries
        while they are stored (see `offer_arrivals`).

        `people` is what changes in memory by the same events; raises MemoryChanged where others changed it since it was
        read.

        Duplicates (a key is remembered, also of earlier deliveries of the same call) are not stored again;
        the ledger keeps them as dropped events. An order that has the id of another, but not its buyer nor its total,
        is stored with a warning.
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
        """Return what is remembered of some ids, of the users that they are linked to, and of all ids of those users.

        Of very many ids of one user only some: those of the newest links. `browsers` are those of the keys to which no
        id can be linked: of each `anonymousId`. To name them saves looking for such. `public_key` names the public
        key whose events are about to come `now`: whether there is room for more of it is told too.
        """

    @abstractmethod
    async def kept_copies(self, *, now: float) -> tuple[str, ...]:
        """Return in sentences which copies hold what was erased, as far as the store knows, with their age."""

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
        """Erase what is kept under some ids beside memory: deliveries that wait or are dead, and kept payloads.

        The same of some `messages`, and what tells the buyers of orders by one of some `digests`.
        Keys stay, so that nothing of it is stored again: what has one of them is withheld, since its person was erased
        at `now`. Only messages of the ids `again`, which are about to be stored, let go of them.
        Returns how many messages anything was erased of. Call `scrub` when all is erased.
        """

    @abstractmethod
    async def scrub(self, texts: Collection[str]) -> None:
        """Leave nothing of some texts that were erased, nor of what `forget` erased, in the free room of files.

        An engine whose server writes the files does nothing.
        """

    @abstractmethod
    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        """Erase what is pending of cancelled orders, and keep each as withdrawn; return how many, by withdrawal.

        An order is found by its key, so where orders are compared only. What is claimed, settled or dead stays as it
        is, and so does what is more trusted, or only paid back in part. Keys stay: the same order, sent again, is a
        duplicate. It is remembered for orders that are still to come: see `withdraw_cancelled`.
        """

    @abstractmethod
    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        """Withdraw what is pending of orders that were cancelled before they came; return the places of these orders.

        To be asked once they are committed.
        """

    @abstractmethod
    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int:
        """Erase what is claimed and may not be sent, and keep each as withdrawn, with its reason; return how many.

        A claim that is no longer ours changes nothing.
        """

    @abstractmethod
    async def write_consents(self, answers: Sequence[Answer]) -> list[Lifted]:
        """Commit answers in their order; each yes lifts what it lifts (`app.core.consent`), which is returned."""

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
        """Take up to `limit` due deliveries of at most `max_bytes` in all (but at least one), counting an attempt.

        Returns [] unless `limit` or `max_bytes` is reached,
        or the oldest due one has waited `max_wait_s` since it was due.
        Fair: fresh deliveries and retries share a claim half and half where both are due.
        Those of `without_presets`, which are switched off, are left out, and their number costs the others nothing;
        only one whose lease was lost may be among the claimed, for what became of it must be settled first.
        Without `take_over` what others hold is left to them, even where their leases have ended.
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
        """Let a sender claim deliveries of its ad account while `enqueue` stores them; None: nobody does any longer.

        They are stored as `claim` would leave them. An engine may offer nothing: then all wait for `claim`.
        """

    @abstractmethod
    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        """Lengthen leases that are still ours, and those of what the engine keeps at hand for the next claims.

        Call it every third of a lease, also where nothing is claimed.
        """

    @abstractmethod
    async def reschedule(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        """Let nothing wait for longer: what is pending is due by `pending_by`, and leases end by `claimed_by`.

        For a clock that was set back: what was due at once then would wait until that time comes again. Takes at most
        `limit` deliveries; returns how many it changed: 0 means that nothing is left to do. What is held follows when
        it comes back into the queue.
        """

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], *, now: float) -> None:
        """Record results. A claim that is no longer ours changes nothing. Delivered and dead are final here.

        The payload is erased with `delivered`, or stripped of IP address and user agent where it is kept for a while.
        A dead delivery keeps it whole, for a redrive, and releases its keys of de-duplication, for a replay.
        """

    @abstractmethod
    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when something may be due for an ad account, or after `timeout_s` at most.

        Returns at once where this process has put something into the queue since the last `wait`, or another one has
        written; else when that happens, or when a pause or a lease of the account ends that its last empty `claim`
        found running.
        What is due already but too young for a batch does not wake: give `max_wait_s` as the timeout.
        One task a process should wait for each ad account.
        """

    @abstractmethod
    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Return how many deliveries of the ad account wait, are claimed and are dead; of what waits also the bytes."""

    @abstractmethod
    async def retain(self, *, now: float, limit: int) -> int:
        """Take one small step of retention: what is old of payloads, ledger, keys, audit log, sessions and memory.

        Returns how many rows it touched: 0 means that nothing is left to do.
        """

    async def check(self, ad_account_ids: Collection[str] = ()) -> None:
        """Raise OutboxUnavailable unless a commit would succeed now, and each shared value that it needs is readable.

        With ad accounts: and one of them has room for another delivery; raises BacklogFull where none has.
        """
        await self._check(ad_account_ids)
        await self.check_shared()

    @abstractmethod
    async def _check(self, ad_account_ids: Collection[str]) -> None: ...

    @abstractmethod
    async def start_disk_checks(self, rules: OutboxSettings) -> None:
        """Look through the store for damage, and keep a reserve of the disk. Called where events are received.

        The reserve is freed when the disk is full, so that what waits can be sent and settled. Raises nothing: `check`
        and `enqueue` raise what was found. An engine whose server sees to its disk does nothing.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what is being written and release the store."""
