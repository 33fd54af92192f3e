"""Compare the shop's orders with the ledger, and send those that were never received."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from app.access.audit import Audit
from app.access.users import Person
from app.core.events import Outcome
from app.core.pages import AuditAction
from app.core.receipts import Receipt
from app.core.values.times import DAY_S
from app.errors import WarehouseError
from app.insights.orders.reconcile import (
    NOT_AGAIN,
    LedgerPart,
    MissingOrders,
    Reconciliation,
    missing_events,
    orders_permitted,
    reconciled,
)
from app.insights.orders.verdicts import OrderVerdict
from app.outbox import Outbox
from app.source import Arrival, Intake, read_event
from app.warehouse import open_rows, temporary_folder

_BATCH_ROWS: Final = 1_000
#: Maximum number of listed orders for each reason.
_NAMED: Final = 1_000


@dataclass(slots=True, kw_only=True)
class SentMissing:
    """The results for missing orders, or the preview."""

    outcomes: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    #: Ids of orders that may not be sent, by reason.
    unsent: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def enqueued(self) -> int:
        return sum(count for (outcome, _), count in self.outcomes.items() if outcome is Outcome.ENQUEUED)

    def json(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        outcomes = [
            {"outcome": outcome.value, "reason": reason, "count": n} for (outcome, reason), n in self.outcomes.items()
        ]
        return {"outcomes": outcomes, "unsent": dict(self.unsent)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Orders that were never received, and the permission to send them."""

    #: The file or address of the shop's orders, and the query.
    rows: tuple[str, str | None]
    compared: Reconciliation
    orders: MissingOrders
    #: The column with the opt-in; `None`: `words` explain why no consent is needed.
    consent: str | None
    words: str
    source: str
    max_event_age_days: float


class OrderActs:
    """Compares orders, and sends missing ones. Every method may raise WarehouseError and OutboxUnavailable."""

    def __init__(self, outbox: Outbox, audit: Audit) -> None:
        self._outbox = outbox
        self._audit = audit

    async def compare(
        self,
        person: Person,
        where: str,
        *,
        query: str | None = None,
        named: Mapping[str, str | None] = MappingProxyType({}),
        part: LedgerPart,
        ledger_begins: float,
        on_verdict: Callable[[OrderVerdict], object] = lambda _: None,
        is_strange: bool = False,
    ) -> Reconciliation:
        """Return the state of each order of the shop: see `reconciled`, which has the same arguments.

        The audit log has neither address nor file name: an address may contain a password, and a file name a person's
        name.
        """
        what = await asyncio.to_thread(_described, where)
        try:
            found = await reconciled(
                self._outbox,
                where,
                query=query,
                named=named,
                part=part,
                ledger_begins=ledger_begins,
                on_verdict=on_verdict,
                is_strange=is_strange,
            )
        except WarehouseError:
            await self._audit.note(person, AuditAction.COMPARED, after=f"{what}, could not be read")
            raise
        await self._audit.note(person, AuditAction.COMPARED, after=f"{what}, {found.rows:,} rows")
        return found

    async def send_missing(
        self, person: Person, missing: Missing, accept: Callable[[Intake], Awaitable[Receipt]]
    ) -> SentMissing:
        """Send the permitted missing orders; return the results of all. `accept` commits their events."""
        sent = await self.judge_missing(missing, accept)
        why = missing.words or f"permitted by the column {missing.consent}"
        await self._audit.note(person, AuditAction.MISSING_SENT, target=why, after=str(sent.enqueued))
        return sent

    async def judge_missing(self, missing: Missing, take: Callable[[Intake], Awaitable[Receipt]]) -> SentMissing:
        """Return the results for missing orders, with the permitted ones passed to `take`."""
        sent, left = SentMissing(), set(missing.orders.ids)
        (where, query), columns = missing.rows, missing.compared.columns
        with temporary_folder() as folder, open_rows(where, folder, query=query) as table:
            consent = missing.consent
            may = None if consent is None else orders_permitted(table, columns, missing.orders.ids, consent)
            for some in table.wholes(limit=_BATCH_ROWS):
                now, events = self._audit.clock(), []
                oldest = now - missing.max_event_age_days * DAY_S
                for order, event, why in missing_events(
                    some, columns, left, place=missing.compared.place, permitted=may, oldest=oldest
                ):
                    left.discard(order)
                    if event is not None:
                        events.append(read_event(event, Arrival.at(now, is_live=False)))
                    elif len(sent.unsent[why]) < _NAMED:
                        sent.unsent[why].append(order)
                if events:
                    receipt = await take(Intake(events, now, source=missing.source, is_trusted=True))
                    sent.outcomes.update(
                        (line.outcome, line.reason) for each in receipt.events for line in each.deliveries
                    )
                if not left:
                    break
        if left:
            sent.unsent[NOT_AGAIN] = sorted(left)[:_NAMED]
        return sent


def _described(where: str) -> str:
    file = Path(where)
    return f"a file of {file.stat().st_size:,} bytes" if file.is_file() else "rows of a database"
