"""The results of a request's events before the outbox responds: receipts, deliveries, dropped events, counts."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from app.core.consent import Answer
from app.core.deliveries import Delivery, Enqueued, KnownOrder, NewDelivery, Withdrawal
from app.core.events import MAX_LABEL_CHARACTERS, CounterRow, DroppedEvent, Event, Outcome
from app.core.pages import Message
from app.core.people import Ownership
from app.core.receipts import EventReceipt, MemoryChange, PresetResult, Receipt
from app.core.values.hidden_emails import unpersonal_id
from app.errors import EventRefused
from app.outbox import warning_label
from app.pipeline.delivery_factory import dropped_event_of
from app.pipeline.quarantine import QuarantineCandidate
from app.source import Intake

#: Outcomes with a ledger entry; unmatched events without an order are only counted.
_NOTED = frozenset({Outcome.REFUSED, Outcome.MATCHED, Outcome.WITHHELD, Outcome.INVALID})
_COUNTED_BY_REASON = frozenset({Outcome.UNMATCHED, Outcome.WITHHELD, Outcome.INVALID})

#: Why an ad account does not get an event that others do.
BACKLOG_FULL = "its backlog is full: send the event again when it no longer is"

#: Why a cancellation has no delivery: this text follows the order, before one of the next two.
CANCELLED: Final = "is cancelled"
CANCELLED_IN_TIME: Final = f"{CANCELLED}: its waiting deliveries are not sent"
CANCELLED_LATE: Final = f"{CANCELLED} too late: none of its deliveries waits, it was sent before or never came"
#: Why a partial refund withdraws no order.
REFUNDED_IN_PART: Final = "is refunded in part: nothing of it is withdrawn"
#: The reason of an order that was cancelled before it arrived.
CANCELLED_BEFORE: Final = "its order was cancelled before: it is withdrawn"
#: A result without the event and its person: preset, destination, its ad account, outcome, reason, warnings.
_Told: TypeAlias = tuple[str | None, str, str, Outcome, str, tuple[str, ...]]


class Answered(NamedTuple):
    """The answers in an event, with the positions of its deliveries."""

    first: int
    end: int
    is_opt_out: bool
    said: Sequence[Answer]


@dataclass(slots=True)
class IntakeBatch:
    """Collects the results of events. Equal results are counted together, because only a few of a thousand differ."""

    #: The source and time of the events.
    intake: Intake
    #: Memory has no room for another suppression, and so stores no data.
    memory_is_full: bool = False
    #: Results to enqueue already have that outcome.
    events: list[EventReceipt] = field(default_factory=list)
    #: A delivery for each of these results, in the same order; added by the caller.
    deliveries: list[NewDelivery] = field(default_factory=list)
    dropped: list[DroppedEvent] = field(default_factory=list)
    #: Ledger entries of cancellations, after it is known whether they were in time.
    cancellations: list[DroppedEvent] = field(default_factory=list)
    #: Withdrawals after the commit of the deliveries; added by the caller.
    withdrawals: list[Withdrawal] = field(default_factory=list)
    #: Owners of the stored data; added by the caller.
    owners: list[Ownership] = field(default_factory=list)
    #: For each of `deliveries`, if opt-outs apply to later events: the event of a checkout, and its owner.
    whose: list[tuple[Event | None, Ownership]] = field(default_factory=list)
    #: The answers in the events; for opt-outs with their author and ids.
    answered: list[Answered] = field(default_factory=list)
    refusing: set[str | None] = field(default_factory=set)
    #: Events without a delivery, for the quarantine; `None` without a quarantine.
    candidates: list[QuarantineCandidate] | None = None
    #: Positions in `events` of those without an id from the sender.
    _made: set[int] = field(default_factory=set)
    #: The received name of each of `events`.
    _names: list[str] = field(default_factory=list)
    #: Orders that are not sent, by the positions of event and result: `events` are for senders, without them.
    _orders: dict[tuple[int, int], KnownOrder] = field(default_factory=dict)
    #: How many lines are equal.
    _alike: Counter[_Told] = field(default_factory=Counter)
    _noted: set[tuple[str, _Told]] = field(default_factory=set)
    #: The number of groups added from memory, by preset and ad account.
    _recalled: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def refuse(self, event: EventRefused, *, name: str = "", order: KnownOrder | None = None) -> None:
        """Add an event that is unreadable or that its source does not forward; `order` is its order, if any."""
        receipt = receipt_of_refusal(event)
        self.add(receipt.message_id, [replace(line, order=order) for line in receipt.deliveries], name=name)

    def add(
        self,
        message_id: str | None,
        lines: Sequence[PresetResult],
        *,
        name: str = "",
        is_made: bool = False,
        given: MemoryChange | None = None,
    ) -> None:
        """Add the results of an event with its received `name`; `is_made`: the sender gave it no id.

        `given` are its changes of memory; `None` if they are not reported.
        """
        told: tuple[PresetResult, ...] = ()
        for line in lines:
            key = line.preset, line.destination, line.ad_account_id, line.outcome, line.reason, line.warnings
            self._alike[key] += 1
            if line.order is not None:
                self._orders[len(self.events), len(told)] = line.order
            is_plain = line.memory is None or not self.intake.is_known
            told += (_line(*key) if is_plain else replace(line, event=None),)
            for group in line.memory or ():
                self._recalled[line.preset or "", line.ad_account_id, group] += 1
            if line.outcome is not Outcome.ENQUEUED and self._is_kept(
                name, key, line, has_id=bool(message_id) and not is_made
            ):
                (self.cancellations if CANCELLED_IN_TIME in line.reason else self.dropped).append(
                    dropped_event_of(
                        line,
                        message_id=message_id or "",
                        name=name,
                        source=self.intake.source,
                        is_trusted=self.intake.is_trusted,
                    )
                )
        if is_made:
            self._made.add(len(self.events))
        self.events.append(
            EventReceipt(message_id=message_id, deliveries=told, given=given, is_trusted=self.intake.is_trusted)
        )
        self._names.append(name)

    def _is_kept(self, name: str, told: _Told, line: PresetResult, *, has_id: bool) -> bool:
        """Return whether a result has a ledger entry.

        Of equal results without id and order only the first of each name has.
        """
        if line.order is not None and line.order.order_id is not None:
            return True
        if line.outcome not in _NOTED:
            return False
        is_first = (name, told) not in self._noted
        self._noted.add((name, told))
        return is_first or has_id

    def without(self, full: Collection[str]) -> "IntakeBatch | None":
        """Return these drafts with all deliveries to ad accounts without room (`full`) withheld.

        `None` if nothing would be left to store: the sender can repeat the request.
        """
        reasons = {place: BACKLOG_FULL for place, each in enumerate(self.deliveries) if each.ad_account_id in full}
        return self.withheld(reasons) if len(reasons) < len(self.deliveries) else None

    def withheld(self, reasons: Mapping[int, str]) -> "IntakeBatch":
        """Return these drafts with some deliveries withheld, by position, each with its reason."""
        left = [each for place, each in enumerate(self.deliveries) if place not in reasons]
        rest = IntakeBatch(self.intake, memory_is_full=self.memory_is_full)
        deliveries = iter(enumerate(self.deliveries))
        for place, event in enumerate(self.events):
            lines = [
                _held_off(line, *next(deliveries), reasons)
                if line.outcome is Outcome.ENQUEUED
                else replace(line, order=self._orders.get((place, number)))
                for number, line in enumerate(event.deliveries)
            ]
            made = place in self._made
            rest.add(event.message_id, lines, name=self._names[place], is_made=made, given=event.given)
        rest.deliveries, rest.withdrawals, rest.candidates = left, self.withdrawals, self.candidates
        rest.owners = self.owners
        rest.whose = [each for place, each in enumerate(self.whose) if place not in reasons]
        rest._recalled = self._recalled
        return rest

    def tell_late(self, late: Collection[tuple[str, str, str]]) -> None:
        """Mark cancellations, by message, preset and ad account, whose orders had no waiting delivery."""
        if late:
            self.events = [
                replace(
                    event,
                    deliveries=tuple(
                        replace(line, reason=line.reason.replace(CANCELLED_IN_TIME, CANCELLED_LATE))
                        if (event.message_id, line.preset, line.ad_account_id) in late
                        else line
                        for line in event.deliveries
                    ),
                )
                for event in self.events
            ]
            self.cancellations = [
                dataclasses.replace(each, reason=each.reason.replace(CANCELLED_IN_TIME, CANCELLED_LATE))
                if (each.message_id, each.preset, each.ad_account_id) in late
                else each
                for each in self.cancellations
            ]

    def counters(self) -> list[CounterRow]:
        """Return the counts of warnings by field, and of outcomes that the outbox does not decide (see `counts`)."""
        counts: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
        refused = 0
        for (preset, _, account, outcome, reason, warnings), count in self._alike.items():
            if outcome is Outcome.REFUSED:
                refused += count
            if preset:
                counts[Outcome.MATCHED.value, preset, account, ""] += count
            if outcome in _COUNTED_BY_REASON:
                counts[outcome.value, preset or "", account, reason[:MAX_LABEL_CHARACTERS]] += count
            for warning in warnings:
                counts["warning", preset or "", account, warning_label(warning)] += count
        for (preset, account, group), count in self._recalled.items():
            counts["memory", preset, account, group] += count
        counts["memory_full", "", "", "" if self.intake.is_trusted else "key"] = int(self.memory_is_full)
        counts[Outcome.REFUSED.value, "", "", ""] = refused
        counts[Outcome.ACCEPTED.value, "", "", ""] = len(self.events) - refused
        return [_counter(*key, self.intake.source, count) for key, count in counts.items() if count]

    def receipt(self, answers: Sequence[Enqueued]) -> Receipt:
        """Return the results of all events, with the outbox's results for `deliveries`."""
        if all(answer.outcome is Outcome.ENQUEUED and not answer.warnings for answer in answers):
            return receipt_of(self.events)
        left = iter(answers)
        return receipt_of(
            [
                replace(
                    event,
                    deliveries=tuple(
                        _settled(line, next(left)) if line.outcome is Outcome.ENQUEUED else line
                        for line in event.deliveries
                    ),
                )
                for event in self.events
            ]
        )


def receipt_of_refusal(event: EventRefused) -> EventReceipt:
    """Return the receipt of an event that is unreadable or that its source does not forward."""
    message_id = event.message_id and unpersonal_id(event.message_id)
    line = PresetResult(preset=None, outcome=Outcome(event.outcome), reason=event.reason)
    return EventReceipt(message_id=message_id, deliveries=(line,))


def receipt_of(events: Sequence[EventReceipt]) -> Receipt:
    """Return a receipt with the counts of its events' outcomes."""
    counts: defaultdict[Outcome, int] = defaultdict(int)
    for event in events:
        for line in event.deliveries:
            counts[line.outcome] += 1
    accepted = len(events) - counts.get(Outcome.REFUSED, 0)
    return Receipt(events=tuple(events), counts={Outcome.ACCEPTED: accepted, **counts})


def receipt_of_message(message: Message, names: Mapping[str, str]) -> EventReceipt:
    """Return the results that the senders of a message id got, oldest first: one for each arrival.

    `names` are those of the destinations, by ad account. Unmatched events are only known if they have an order.
    """

    def told(kept: Delivery | DroppedEvent, outcome: Outcome, reason: str) -> PresetResult:
        account = kept.ad_account_id or ""
        return _line(kept.preset, names.get(account, ""), account, outcome, reason, kept.warnings)

    own = (each for each in message.deliveries if each.message_id == message.message_id)
    lines = [(each.enqueued_at, told(each, Outcome.ENQUEUED, "")) for each in own]
    lines += [(at, told(event, event.outcome, event.reason)) for at, event in message.dropped_events]
    lines.sort(key=itemgetter(0))
    told_lines = tuple(line for _, line in lines)
    return EventReceipt(message_id=message.message_id, deliveries=told_lines, is_trusted=message.is_trusted)


def _held_off(line: PresetResult, place: int, delivery: NewDelivery, reasons: Mapping[int, str]) -> PresetResult:
    """Return the result, withheld if there is a reason."""
    if place not in reasons:
        return line
    order = KnownOrder(
        event_name=delivery.event_name,
        order_id=delivery.order_id,
        amount=delivery.amount,
        currency=delivery.currency,
        channel=delivery.channel,
    )
    return replace(line, outcome=Outcome.WITHHELD, reason=reasons[place], warnings=(), order=order)


def _settled(line: PresetResult, answer: Enqueued) -> PresetResult:
    warnings = (*line.warnings, *answer.warnings)
    settled = _line(line.preset, line.destination, line.ad_account_id, answer.outcome, answer.reason, warnings)
    return settled if line.memory is None else replace(settled, memory=line.memory)


@lru_cache(4_096)
def _counter(name: str, preset: str, account: str, label: str, source: str, count: int) -> CounterRow:
    return CounterRow(name=name, preset=preset, label=label, ad_account_id=account, source=source, count=count)


@lru_cache(4_096)
def _line(
    preset: str | None, destination: str, account: str, outcome: Outcome, reason: str, warnings: tuple[str, ...]
) -> PresetResult:
    return PresetResult(
        preset=preset, destination=destination, ad_account_id=account, outcome=outcome, reason=reason, warnings=warnings
    )
