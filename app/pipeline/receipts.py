"""What the events of one request gave, until the outbox answers: receipts, deliveries, dropped events, counts."""

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

#: What the ledger keeps a note of; unmatched events that name no order are only counted.
_NOTED = frozenset({Outcome.REFUSED, Outcome.MATCHED, Outcome.WITHHELD, Outcome.INVALID})
_COUNTED_BY_REASON = frozenset({Outcome.UNMATCHED, Outcome.WITHHELD, Outcome.INVALID})

#: Why an ad account gets nothing of an event that others take.
BACKLOG_FULL = "its backlog is full: send the event again when it no longer is"

#: Why a cancellation makes no delivery: this behind the order, and one of the next two.
CANCELLED: Final = "is cancelled"
CANCELLED_IN_TIME: Final = f"{CANCELLED}: its waiting deliveries are not sent"
CANCELLED_LATE: Final = f"{CANCELLED} too late: none of its deliveries waits, it was sent before or never came"
#: Why a refund of a part of an order withdraws nothing.
REFUNDED_IN_PART: Final = "is refunded in part: nothing of it is withdrawn"
#: What is told of an order that was cancelled before it came.
CANCELLED_BEFORE: Final = "its order was cancelled before: it is withdrawn"
#: All of a Line but the event and what is known of its person: preset, destination, its ad account, outcome, reason,
#: warnings.
_Told: TypeAlias = tuple[str | None, str, str, Outcome, str, tuple[str, ...]]


class Answered(NamedTuple):
    """That one event answered to being tracked, with the places of its deliveries."""

    first: int
    end: int
    is_no: bool
    said: Sequence[Answer]


@dataclass(slots=True)
class _Alike:
    """What is told of equal lines, and how many there are."""

    #: One: an event that has no other line is told this very tuple.
    told: tuple[PresetResult]
    count: int = 0


@dataclass(slots=True)
class IntakeBatch:
    """Collects what events give, one by one. Equal lines are counted together: few of a thousand differ."""

    #: When they came, where from, and by whom.
    intake: Intake
    #: Memory has no room for another suppression, and so remembers nothing.
    memory_is_full: bool = False
    #: Lines that are to be enqueued say so already.
    events: list[EventReceipt] = field(default_factory=list)
    #: One for each of these lines, in the same order: the caller's to add.
    deliveries: list[NewDelivery] = field(default_factory=list)
    dropped: list[DroppedEvent] = field(default_factory=list)
    #: What the ledger keeps of cancellations, once it is known whether they came in time.
    cancellations: list[DroppedEvent] = field(default_factory=list)
    #: What is withdrawn once they are committed: the caller's to add.
    withdrawals: list[Withdrawal] = field(default_factory=list)
    #: Whose what is kept of them is: the caller's to add.
    owners: list[Ownership] = field(default_factory=list)
    #: Of each of `deliveries`, where a no reaches later events: the event of a checkout, and whose it is.
    whose: list[tuple[Event | None, Ownership]] = field(default_factory=list)
    #: What the events answer; and of their nos who said them, and about whom.
    answered: list[Answered] = field(default_factory=list)
    refusing: set[str | None] = field(default_factory=set)
    #: Events that made no delivery, for the quarantine; None where there is none.
    candidates: list[QuarantineCandidate] | None = None
    #: Where in `events` those are to which their sender gave no id.
    _made: set[int] = field(default_factory=set)
    #: Under which name each of `events` arrived.
    _names: list[str] = field(default_factory=list)
    #: Of orders that are not sent, by the places of their event and line: `events` are told to senders, without them.
    _orders: dict[tuple[int, int], KnownOrder] = field(default_factory=dict)
    _alike: dict[_Told, _Alike] = field(default_factory=dict)
    _noted: set[tuple[str, _Told]] = field(default_factory=set)
    #: How often memory completed a group, by preset and ad account.
    _recalled: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def refuse(self, event: EventRefused, *, name: str = "", order: KnownOrder | None = None) -> None:
        """Add an event that could not be read, or that its source does not hand on; `order` is what it told of one."""
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
        """Add what an event gives that arrived under a `name`; `is_made` says that its sender gave it no id.

        `given` is what it gave to memory, None where that is not told.
        """
        told: tuple[PresetResult, ...] = ()
        for line in lines:
            key = line.preset, line.destination, line.ad_account_id, line.outcome, line.reason, line.warnings
            alike = self._alike.get(key)
            if alike is None:
                alike = self._alike[key] = _Alike((_line(*key),))
            alike.count += 1
            if line.order is not None:
                self._orders[len(self.events), len(told)] = line.order
            told += alike.told if line.memory is None or not self.intake.is_known else (replace(line, event=None),)
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
        """Return whether a line gets a note; of equal lines without id and order only the first of each name does."""
        if line.order is not None and line.order.order_id is not None:
            return True
        if line.outcome not in _NOTED:
            return False
        is_first = (name, told) not in self._noted
        self._noted.add((name, told))
        return is_first or has_id

    def without(self, full: Collection[str]) -> "IntakeBatch | None":
        """Return these drafts with all that is for ad accounts without room (`full`) withheld.

        None where nothing would be left to keep: whoever sent it can come again.
        """
        reasons = {place: BACKLOG_FULL for place, each in enumerate(self.deliveries) if each.ad_account_id in full}
        return self.withheld(reasons) if len(reasons) < len(self.deliveries) else None

    def withheld(self, reasons: Mapping[int, str]) -> "IntakeBatch":
        """Return these drafts with some deliveries withheld, by their places, each for its reason."""
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
        """Say of cancellations, by message, preset and ad account, that nothing of their orders waited."""
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
        for (preset, _, account, outcome, reason, warnings), alike in self._alike.items():
            count = alike.count
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
        """Return what became of every event, by the outbox's answers to `deliveries`."""
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
    """Return what is told of an event that could not be read, or that its source does not hand on."""
    message_id = event.message_id and unpersonal_id(event.message_id)
    line = PresetResult(preset=None, outcome=Outcome(event.outcome), reason=event.reason)
    return EventReceipt(message_id=message_id, deliveries=(line,))


def receipt_of(events: Sequence[EventReceipt]) -> Receipt:
    """Make a receipt, which counts the outcomes of its events."""
    counts: defaultdict[Outcome, int] = defaultdict(int)
    for event in events:
        for line in event.deliveries:
            counts[line.outcome] += 1
    accepted = len(events) - counts.get(Outcome.REFUSED, 0)
    return Receipt(events=tuple(events), counts={Outcome.ACCEPTED: accepted, **counts})


def receipt_of_message(message: Message, names: Mapping[str, str]) -> EventReceipt:
    """Return what its senders were told of a message id, oldest first: a line for each time that it arrived.

    `names` are those of the destinations, by ad account. Of events that no preset takes only those are known that name
    an order.
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
    """Return the line as it is, or withheld where there is a reason for it."""
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
