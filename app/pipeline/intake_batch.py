"""Drafts what some events ask of the outbox, and what their senders are told, for all of them together.

Each step is done for all events before the next one begins, so that the processor has its code at hand: one event after
the other took a tenth longer; with memory half as long again.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from app.catalog import Catalog
from app.core.consent import KEY_DIGITS, key_of
from app.core.events import Event, Outcome
from app.core.fields import CONTACTS
from app.core.people import Ownership
from app.core.receipts import MemoryChange, PresetResult
from app.core.spans import NO_SPANS, Spans
from app.core.values.event_names import CHECKOUT
from app.core.values.hidden_emails import unpersonal_id
from app.errors import EventHeldBack, EventRefused
from app.identity import NOTHING_KNOWN, IdentityEvent, Memory, PersonHistory
from app.outbox import NOT_CONFIRMED, Outbox
from app.pipeline.delivery_factory import drafted_withdrawal, unsent_order, with_orders
from app.pipeline.enrichment import Enrichment, RecordingMemory
from app.pipeline.identity_events import Ids
from app.pipeline.quarantine import is_quarantine_candidate
from app.pipeline.receipts import IntakeBatch
from app.pipeline.received_names import received_name
from app.pipeline.router import Matched, Router
from app.source import Intake, is_delete

#: Types of events that speak to memory rather than to presets: what they gave to it is told.
_TO_MEMORY = frozenset({"identify", "alias", "group", "screen", "delete"})


#: What memory has for an event's deliveries, the event as memory sees it, and what the event gave to memory.
_Met: TypeAlias = tuple[PersonHistory, IdentityEvent | None, MemoryChange | None]
_OF_NOBODY: Final[_Met] = (NOTHING_KNOWN, None, None)
#: For so many events what is remembered is read at once.
_EVENTS_LOADED: Final = 500


#: Returns the finished event of a line.
_FINISHED: Final = attrgetter("event")


def _owner(message_id: str, lines: Sequence[PresetResult], ids: Ids | IdentityEvent, intake: Intake) -> Ownership:
    """Return whose the deliveries and notes of a message are."""
    contacts: tuple[str, ...] = ()
    for line in lines:
        if line.event:
            user_data = line.event["user_data"]
            for name in CONTACTS:
                if name in user_data:
                    contacts += tuple([key_of(digest) for digest in user_data[name]])
    return Ownership(
        message_id=message_id,
        user=ids.user and ids.user[:KEY_DIGITS],
        anonymous=ids.anonymous and ids.anonymous[:KEY_DIGITS],
        contacts=contacts if len(lines) == 1 else tuple(dict.fromkeys(contacts)),
        is_trusted=intake.is_trusted,
    )


class RequestMemory:
    """What memory knows of the people of some events, and what these events change in it; nothing is kept yet."""

    def __init__(
        self,
        enrichment: Enrichment | None,
        events: Iterable[Event | EventRefused],
        outbox: Outbox | None,
        *,
        public_key: str | None,
        is_known: bool,
        now: float,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Take the rules of identity memory and its store; without one of them nothing is remembered.

        `public_key` names the key that the events came by; None where they are trusted.
        """
        self._enrichment = enrichment if outbox else None
        #: `None` if nothing is remembered.
        self.changed = enrichment.new_memory(public_key) if enrichment and outbox else None
        self._now = now
        self._spans = spans
        self._left = iter(events)
        self._outbox = outbox
        self._is_trusted = public_key is None
        self._is_known = is_known
        #: Of the events that are loaded and were not met yet.
        self._ids = deque[Ids]()
        #: How many events are loaded and were not asked for yet.
        self._ahead = 0

    async def load(self, count: int) -> None:
        """Load what is remembered of the people of so many further events, if it is not yet; hundreds at once.

        Raises OutboxUnavailable.
        """
        if self._enrichment is None or self._outbox is None or self.changed is None:
            return
        self._ahead -= count
        if self._ahead < 0:
            some = list(islice(self._left, max(_EVENTS_LOADED, -self._ahead)))
            with self._spans.span("people"):
                self._ids += await self._enrichment.load(self.changed, some, self._outbox, now=self._now)
            self._ahead += len(some)

    def resolve(
        self,
        events: Sequence[Event],
        matched: Sequence[Matched],
        mapped: Sequence[list[PresetResult]],
        catalog: Catalog,
        now: float,
    ) -> list[_Met]:
        """Return for each event what `Enrichment.resolve` does, and what it gave to memory where that may be told."""
        memory, is_known = self.changed, self._is_known
        if self._enrichment is None or memory is None:
            return [_OF_NOBODY] * len(events)
        met: list[_Met] = []
        for event, its, lines in zip(events, matched, mapped, strict=True):
            if is_known and event["type"] == "delete":  # erased by what erases everywhere else
                self._ids.popleft()
                met.append(_OF_NOBODY)
                continue
            noting = RecordingMemory(memory) if is_known and event["type"] in _TO_MEMORY else None
            known, identity_event = self._enrichment.resolve(
                event,
                its.presets,
                lines,
                catalog,
                noting or memory,
                now=now,
                is_trusted=self._is_trusted,
                is_known=is_known,
                ids=self._ids.popleft(),
            )
            met.append((known, identity_event, noting.given() if noting else None))
        return met


def draft(
    router: Router,
    events: Sequence[Event | EventRefused],
    catalog: Catalog,
    drafts: IntakeBatch,
    memory: RequestMemory,
) -> Iterator[None]:
    """Add to `drafts` what events give: receipts, and the deliveries that are to be enqueued, completed by memory.

    What memory knows of them is loaded. Yields after each event that is mapped, so that others may get their turn.
    """
    read, now, source = _read(events), drafts.intake.now, drafts.intake.source
    matched = [router.matched(event, catalog, source) for event in read]
    mapped = []
    for event, its in zip(read, matched, strict=True):
        mapped.append(router.mapped(event, its, now))
        yield
    left = zip(read, matched, mapped, memory.resolve(read, matched, mapped, catalog, now), strict=True)
    for each in events:
        if isinstance(each, EventRefused):
            _refuse(router, each, catalog, drafts)
        else:
            _add(router, *next(left), catalog, drafts, memory.changed)


def _add(
    router: Router,
    event: Event,
    matched: Matched,
    mapped: list[PresetResult],
    met: _Met,
    catalog: Catalog,
    drafts: IntakeBatch,
    memory: Memory | None,
) -> None:
    """Add to `drafts` what an event asks of the outbox, whose it is, what it answers, and what its sender is told."""
    intake, (known, identity_event, given) = drafts.intake, met
    lines = router.finished(
        event, matched, mapped, catalog, known=known, now=intake.now, source=intake.source, is_trusted=intake.is_trusted
    )
    first = len(drafts.deliveries)
    message_id, lines = _ask(router, event, lines, catalog, drafts)
    made = drafts.deliveries[first:]
    if router.reader is not None:
        owner = None
        if made or any(line.outcome is not Outcome.UNMATCHED or line.order for line in lines):
            owner = _owner(message_id, lines, identity_event or router.reader.ids_of(event), intake)
            drafts.owners.append(owner)
        consents = router.consents
        if consents is not None:
            if owner is not None:
                drafts.whose += [(event if each.event_name == CHECKOUT else None, owner) for each in made]
            presets, places = matched.presets, range(first, len(drafts.deliveries))
            if consents.may_count(event, presets, lines, identity_event, drafts, owner=owner):
                consents.note(event, presets, lines, identity_event, catalog, drafts, places=places, memory=memory)
    name = made[0].name if made else received_name(event)
    drafts.add(message_id, lines, name=name, is_made="idIsMade" in event, given=given)


class RequestPiece(NamedTuple):
    """Some events of a request, which are stored before those behind them are looked at."""

    events: Iterable[Event | EventRefused]
    #: The ids of the messages behind them.
    behind: frozenset[str] = frozenset()
    #: It ends with events that erase somebody.
    has_deletes: bool = False
    #: What erases somebody right behind it: known once its events are read.
    deletes: Sequence[Event] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing in the request erases any of it once it is stored."""
        return not (self.has_deletes or self.deletes)


def split_after_deletes(events: Iterable[Event | EventRefused]) -> list[RequestPiece]:
    """Return the events of a request in pieces of which each ends with what erases somebody, but for the last.

    Whoever is erased loses what was stored of them until then; what comes behind it in the request is stored anew, also
    where the request is sent once more, and what is erased is what it stored before.
    """
    pieces: list[list[Event | EventRefused]] = [[]]
    was_delete = False
    for event in events:
        if was_delete and not is_delete(event):
            pieces.append([])
        pieces[-1].append(event)
        was_delete = is_delete(event)
    apart: list[RequestPiece] = []
    behind: frozenset[str] = frozenset()
    while pieces:
        piece = pieces.pop()
        apart.append(RequestPiece(piece, behind, any(map(is_delete, piece))))
        if pieces:
            behind |= {unpersonal_id(event["messageId"]) for event in _read(piece)}
    return apart[::-1]


def _read(events: Sequence[Event | EventRefused]) -> list[Event]:
    """Return the events that could be read, without the refusals."""
    return [event for event in events if not isinstance(event, EventRefused)]


def _ask(
    router: Router, event: Event, lines: list[PresetResult], catalog: Catalog, drafts: IntakeBatch
) -> tuple[str, list[PresetResult]]:
    """Add to `drafts` what the lines of an event ask of the outbox; return its id as it is kept, and all its lines."""
    if not all(map(_FINISHED, lines)):
        lines = with_orders(lines, event, catalog, lambda line: router.account(line.destination).making.rules)
        if event["type"] == "delete":
            lines = router.of_delete(lines, event, is_known=drafts.intake.is_known)
    message_id, sender = _kept_id(event["messageId"], lines), drafts.intake
    count = 0
    is_withheld_alone = False
    for place, line in enumerate(lines):
        if line.cancels is not None:
            drafts.withdrawals.append(
                drafted_withdrawal(
                    message_id,
                    line,
                    source=sender.source,
                    is_trusted=sender.is_trusted,
                    shop=router.shop_of(sender.source),
                )
            )
        if line.event:
            delivery = router.drafted(
                message_id, event, line, source=sender.source, is_trusted=sender.is_trusted, now=sender.now
            )
            lines = _with_warnings(lines, place, delivery.warnings)
            if sender.is_replayed and delivery.wait_s:
                delivery = replace(delivery, wait_s=0, is_withheld_alone=False)
            is_withheld_alone |= delivery.is_withheld_alone
            drafts.deliveries.append(delivery)
            count += 1
    if drafts.candidates is not None and (is_withheld_alone or count < len(lines)):
        if is_quarantine_candidate(event, lines):
            drafts.candidates.append((event, lines))
        elif is_withheld_alone:
            drafts.candidates.append(
                (event, [PresetResult(preset=None, outcome=Outcome.WITHHELD, reason=NOT_CONFIRMED)])
            )
    return message_id, lines


def _with_warnings(lines: list[PresetResult], place: int, warnings: tuple[str, ...]) -> list[PresetResult]:
    """Return lines of which one has the warnings of its delivery."""
    if lines[place].warnings is warnings:
        return lines
    return [*lines[:place], replace(lines[place], warnings=warnings), *lines[place + 1 :]]


def _kept_id(message_id: str, lines: Sequence[PresetResult]) -> str:
    """Return a message id as it is kept: most are sent as event id, and have been looked through for that."""
    sent = lines[0].event if lines else None
    return message_id if sent is not None and sent["event_id"] == message_id else unpersonal_id(message_id)


def _refuse(router: Router, event: EventRefused, catalog: Catalog, drafts: IntakeBatch) -> None:
    order = None
    if isinstance(event, EventHeldBack):
        order = unsent_order(event.event, catalog, router.account("").making.rules)
    drafts.refuse(event, name=received_name(event), order=order)
