"""The outbox as the rest of Pinrelay sees it: one Protocol, several engines."""

from collections.abc import Collection, Sequence
from typing import Protocol

from app.config.settings import OutboxSettings
from app.core.consent import Answer, Lifted, Subject
from app.core.deliveries import Claimed, Delivery, Enqueued, NewDelivery, Seen, Settlement, Withdrawal
from app.core.events import CounterRow, DroppedEvent
from app.core.pages import (
    AuditEntry,
    AuditPage,
    Backlog,
    DroppedPage,
    Message,
    Page,
    Query,
    Revenue,
    Session,
    Undelivered,
)
from app.core.people import Ownership, PeopleChanges, PeopleFound
from app.core.shared_values import SharedValues
from app.outbox.hold_clock import HoldClock
from app.outbox.inventory import Inventory
from app.outbox.orders import OrderPage
from app.outbox.people import KeptDataPage, OtherKeptData
from app.outbox.redrive import DeadLetters
from app.outbox.sealed_events import SealedEvents


class Outbox(SharedValues, Protocol):
    """The durable store between the request and Pinterest. Every method may raise OutboxUnavailable."""

    @property
    def inventory(self) -> Inventory:
        """The counts of what arrives, by name."""

    @property
    def hold_clock(self) -> HoldClock:
        """The time by which holds of deliveries end."""

    @property
    def sealed_events(self) -> SealedEvents:
        """The events that the quarantine keeps, encrypted."""

    @property
    def dead_letters(self) -> DeadLetters:
        """What can be done with dead deliveries: redrive, dismiss, count by cause."""

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        dropped: Sequence[DroppedEvent],
        counters: Sequence[CounterRow],
        *,
        now: float,
        people: PeopleChanges | None = None,
    ) -> list[Enqueued]:
        """Commit, then return one Enqueued a delivery, in order. Nothing is kept where it raises.

        Raises BacklogFull, which names the ad accounts, where more deliveries would wait for one than may.

        `people` is what changes in memory by the same events; raises MemoryChanged where others changed it since it was
        read.

        Duplicates (a key is remembered, also of earlier deliveries of the same call) are not stored again;
        the ledger keeps them as dropped events. An order that has the id of another, but not its buyer nor its total,
        is stored with a warning.
        """

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

    async def people_with(self, digests: Sequence[str], *, after: str) -> tuple[list[str], str | None]:
        """Return ids under which one of some digests is remembered, or which begin as one, of a stretch of memory.

        It goes in the order of keys, and begins behind the key `after`; the second is where it ends, None where it is
        the last.
        """

    async def owned(self, keys: Collection[str], *, messages: Collection[str] = ()) -> list[Ownership]:
        """Return whose messages are of which an id, or a digest of a contact, begins as a key; and whose `messages`."""

    async def kept_copies(self, *, now: float) -> tuple[str, ...]:
        """Return in sentences which copies hold what was erased, as far as the store knows, with their age."""

    async def kept_of(self, digests: Collection[str], *, after: int) -> KeptDataPage:
        """Return what deliveries hold one of some digests (SHA-256 in hex), of a stretch in the order of their ids.

        The stretch begins behind the id `after`; 0 begins with the first.
        """

    async def kept_elsewhere(self, digests: Collection[str]) -> OtherKeptData:
        """Return what is kept of other people than those of some digests beside deliveries."""

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

    async def scrub(self, texts: Collection[str]) -> None:
        """Leave nothing of some texts that were erased, nor of what `forget` erased, in the free room of files.

        An engine whose server writes the files does nothing.
        """

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> list[int]:
        """Erase what is pending of cancelled orders, and keep each as withdrawn; return how many, by withdrawal.

        An order is found by its key, so where orders are compared only. What is claimed, settled or dead stays as it
        is, and so does what is more trusted, or only paid back in part. Keys stay: the same order, sent again, is a
        duplicate. It is remembered for orders that are still to come: see `withdraw_cancelled`.
        """

    async def withdraw_cancelled(self, orders: Sequence[NewDelivery], *, now: float) -> list[int]:
        """Withdraw what is pending of orders that were cancelled before they came; return the places of these orders.

        To be asked once they are committed.
        """

    async def withhold(self, claimed: Sequence[tuple[Claimed, str]], *, now: float) -> int:
        """Erase what is claimed and may not be sent, and keep each as withdrawn, with its reason; return how many.

        A claim that is no longer ours changes nothing.
        """

    async def subjects_of(self, deliveries: Collection[str]) -> dict[str, list[Subject]]:
        """Return whose some deliveries are, by their ids; a merged order is of several messages."""

    async def consents(self, keys: Collection[str]) -> list[Answer]:
        """Return what people answered about some ids, by their keys."""

    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]:
        """Return about which ids anything else was answered since a moment of the store, and the moment of now.

        Each with its nos as `ConsentBook.kept` has them. "0" begins with the first.
        """

    async def write_consents(self, answers: Sequence[Answer]) -> list[Lifted]:
        """Commit answers in their order; each yes lifts what it lifts (`app.core.consent`), which is returned."""

    async def forget_yeses(self, keys: Collection[str]) -> int:
        """Erase every yes about some ids, and of those who have them; return how many. What said no stays."""

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        """Return, for each delivery in order, the earlier one that it would repeat, or what would warn of it.

        None where it is new and like no other. Checks as `enqueue` would at `now`, by keys that are remembered, and of
        the same call the earlier deliveries; stores nothing and takes no key.
        """

    async def order_ids(self, numbers: Sequence[str]) -> dict[str, list[str]]:
        """Return by other name, the number where `order_id` is the id, the ids of the orders that have it.

        As long as their keys are remembered; names that no order has are left out.
        """

    async def order_names(self, digests: Collection[str]) -> list[str]:
        """Return the ids and other names of the orders that hold these keys (`order_digests`), while remembered."""

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

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        """Lengthen leases that are still ours, and those of what the engine keeps at hand for the next claims.

        Call it every third of a lease, also where nothing is claimed.
        """

    async def reschedule(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int:
        """Let nothing wait for longer: what is pending is due by `pending_by`, and leases end by `claimed_by`.

        For a clock that was set back: what was due at once then would wait until that time comes again. Takes at most
        `limit` deliveries; returns how many it changed: 0 means that nothing is left to do. What is held follows when
        it comes back into the queue.
        """

    async def settle(self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], *, now: float) -> None:
        """Record outcomes. A claim that is no longer ours changes nothing. Delivered and dead are final here.

        The payload is erased with `delivered`, or stripped of IP address and user agent where it is kept for a while.
        A dead delivery keeps it whole, for a redrive, and releases its keys of de-duplication, for a replay.
        """

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when something may be due for an ad account, or after `timeout_s` at most.

        Returns at once where anything was written since the last `wait`, else when that happens,
        or when a pause or a lease of the account ends that its last empty `claim` found running.
        What is due already but too young for a batch does not wake: give `max_wait_s` as the timeout.
        One task a process should wait for each ad account.
        """

    async def search(self, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False) -> Page:
        """Return deliveries that the query means, newest first unless asked otherwise, without history.

        A page with `scanned` may hold fewer than `limit` and still lead on.
        """

    async def search_dropped(
        self, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False
    ) -> DroppedPage:
        """Return dropped events that the query means, each with its time, in the order and the pages of `search`."""

    async def orders(self, *, dropped: bool, since: float, after: int | None = None, limit: int) -> OrderPage:
        """Return deliveries of checkouts received since a moment, the oldest first.

        `dropped` asks for dropped events of orders instead. `after` is that of the page before; None begins with the
        first.
        """

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return one delivery with its history and, while kept, its payload; None where there is none."""

    async def message(self, message_id: str) -> Message:
        """Return what became of one message id: empty where it is not known."""

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Return how many deliveries of the ad account wait, are claimed and are dead; of what waits also the bytes."""

    async def counters(
        self, *, since: float, step_s: int, until: float | None = None, names: Collection[str] | None = None
    ) -> list[tuple[float, CounterRow]]:
        """Return the counts since then, summed by steps: (start of the step, counter). `step_s` 0 sums all into one.

        `until` is the end of a step from which on nothing is counted, `names` are those that are asked for; None: all.
        """

    async def revenue(self, *, first_day: int, last_day: int) -> list[Revenue]:
        """Return what the orders of some days are worth, in the order of the days; days are counted from 1970 (UTC).

        A withdrawn order is one of the day of its cancellation. What an erasure takes away while it waits is gone.
        """

    async def undelivered(
        self, *, since: float, until: float, step_s: int, by_source: bool = False
    ) -> list[Undelivered]:
        """Count the deliveries received from a moment to before another that are not delivered, by step and state."""

    async def write_audit(self, entry: AuditEntry) -> None:
        """Commit one entry of the audit log."""

    async def audit(self, *, limit: int, cursor: str | None = None, target: str | None = None) -> AuditPage:
        """Return lines of the audit log, newest first, of one target or of all (None).

        A cursor that cannot be read begins at the newest.
        """

    async def open_session(self, session: Session) -> None:
        """Commit that somebody has logged in."""

    async def session(self, digest: str, *, now: float) -> Session | None:
        """Return the session of a cookie, by its digest; None where there is none, or its time is over."""

    async def end_session(self, digest: str) -> None:
        """Commit that a session is over. One that is not there is over."""

    async def retain(self, *, now: float, limit: int) -> int:
        """Take one small step of retention: what is old of payloads, ledger, keys, audit log, sessions and memory.

        Returns how many rows it touched: 0 means that nothing is left to do.
        """

    async def check(self, ad_account_ids: Collection[str] = ()) -> None:
        """Raise OutboxUnavailable unless a commit would succeed now.

        With ad accounts: and one of them has room for another delivery; raises BacklogFull where none has.
        """

    async def start_disk_checks(self, rules: OutboxSettings) -> None:
        """Look through the store for damage, and keep a reserve of the disk. Called where events are received.

        The reserve is freed when the disk is full, so that what waits can be sent and settled. Raises nothing: `check`
        and `enqueue` raise what was found. An engine whose server sees to its disk does nothing.
        """

    async def close(self) -> None:
        """Finish what is being written and release the store."""
