"""Drafts what some events ask of the outbox, and what their senders are told, for all of them together.

Each step is done for all events before the next one begins, so that the processor has its code at hand: one event after
the other took a tenth longer; with memory half as long again.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from app.catalog import Catalog
from app.core.events import Event
from app.core.receipts import Given, PresetResult
from app.core.values.hidden_emails import unpersonal_id
from app.errors import EventHeldBack, EventRefused
from app.identity import NOTHING_KNOWN, LoadedMemory
from app.pipeline.delivery_factory import drafted_delivery, drafted_withdrawal, unsent_order, with_orders
from app.pipeline.enrichment import Enrichment, NotingMemory
from app.pipeline.identity_events import Ids
from app.pipeline.quarantine import is_quarantine_candidate
from app.pipeline.receipts import IntakeBatch
from app.pipeline.received_names import received_name
from app.pipeline.router import Router

#: Types of events that speak to memory rather than to presets: what they gave to it is told.
_TO_MEMORY = frozenset({"identify", "alias", "group", "screen", "delete"})


class _Asked(NamedTuple):
    """What an event asks of the outbox."""

    message_id: str
    lines: list[PresetResult]
    #: Whether there is a delivery.
    delivers: bool


def draft(
    walk: Router, events: Sequence[Event | EventRefused], catalog: Catalog, drafts: IntakeBatch
) -> Iterator[None]:
    """Add to `drafts` what events give: receipts, and the deliveries that are to be enqueued.

    Yields after each event that is mapped, so that others may get their turn.
    """
    read, now = _read(events), drafts.intake.now
    matched = [walk.matched(event, catalog, drafts.intake.source) for event in read]
    mapped = []
    for event, its in zip(read, matched, strict=True):
        mapped.append(walk.mapped(event, its, now))
        yield
    asked = [
        _ask(
            walk,
            event,
            walk.finished(event, its, lines, catalog, known=NOTHING_KNOWN, now=now, source=drafts.intake.source),
            catalog,
            drafts,
        )
        for event, its, lines in zip(read, matched, mapped, strict=True)
    ]
    _tell(walk, events, asked, [None] * len(asked), catalog, drafts)


def draft_with(
    walk: Router,
    memory: LoadedMemory,
    remembering: Enrichment,
    events: Sequence[Event | EventRefused],
    ids: Iterator[Ids],
    catalog: Catalog,
    drafts: IntakeBatch,
) -> None:
    """Do `draft` for events that are completed by memory, which remembers what they say.

    The ids of those that could be read are taken from `ids`: see `Remembering.load`.
    """
    read, now, is_proven = _read(events), drafts.intake.now, drafts.intake.is_proven
    matched = [walk.matched(event, catalog, drafts.intake.source) for event in read]
    mapped = [walk.mapped(event, its, now) for event, its in zip(read, matched, strict=True)]
    met = []
    for event, its, lines in zip(read, matched, mapped, strict=True):
        noting = NotingMemory(memory) if is_proven and event["type"] in _TO_MEMORY else None
        known, encounter = remembering.meet(
            event,
            its.presets,
            lines,
            catalog,
            noting or memory,
            now=now,
            is_proven=is_proven,
            ids=next(ids),
        )
        met.append((known, encounter, noting.given() if noting else None))
    asked = []
    for event, its, lines, (known, encounter, _) in zip(read, matched, mapped, met, strict=True):
        finished = walk.finished(event, its, lines, catalog, known=known, now=now, source=drafts.intake.source)
        one = _ask(walk, event, finished, catalog, drafts)
        asked.append(one)
        if one.delivers:
            memory.note_whose(one.message_id, encounter)
    _tell(walk, events, asked, [given for _, _, given in met], catalog, drafts)


class RequestPiece(NamedTuple):
    """Some events of a request, which are stored before those behind them are looked at."""

    events: list[Event | EventRefused]
    #: The ids of the messages behind them.
    behind: frozenset[str] = frozenset()


def apart_behind_deletes(events: Iterable[Event | EventRefused]) -> list[RequestPiece]:
    """Return the events of a request in pieces of which each ends with what erases somebody, but for the last.

    Whoever is erased loses what was stored of them until then; what comes behind it in the request is stored anew, also
    where the request is sent once more, and what is erased is what it stored before.
    """
    pieces: list[list[Event | EventRefused]] = [[]]
    was_delete = False
    for event in events:
        is_delete = not isinstance(event, EventRefused) and event["type"] == "delete"
        if was_delete and not is_delete:
            pieces.append([])
        pieces[-1].append(event)
        was_delete = is_delete
    apart: list[RequestPiece] = []
    behind: frozenset[str] = frozenset()
    while pieces:
        apart.append(RequestPiece(piece := pieces.pop(), behind))
        if pieces:
            behind |= {unpersonal_id(event["messageId"]) for event in _read(piece)}
    return apart[::-1]


def _read(events: Sequence[Event | EventRefused]) -> list[Event]:
    """Return the events that could be read, without the refusals."""
    return [event for event in events if not isinstance(event, EventRefused)]


def _ask(walk: Router, event: Event, lines: list[PresetResult], catalog: Catalog, drafts: IntakeBatch) -> _Asked:
    """Add to `drafts` what the lines of an event ask of the outbox."""
    if any(line.event is None for line in lines):
        lines = with_orders(lines, event, catalog, lambda line: walk.account(line.destination).making.rules)
        if event["type"] == "delete":
            lines = walk.of_delete(lines, is_proven=drafts.intake.is_proven)
    message_id = unpersonal_id(event["messageId"])
    count = len(drafts.deliveries)
    for line in lines:
        if line.cancels is not None:
            drafts.withdrawals.append(drafted_withdrawal(message_id, line, source=drafts.intake.source))
        if line.event:
            drafts.deliveries.append(drafted_delivery(message_id, event, line, source=drafts.intake.source))
    if drafts.candidates is not None and is_quarantine_candidate(event, lines):
        drafts.candidates.append((event, lines))
    return _Asked(message_id, lines, len(drafts.deliveries) > count)


def _tell(
    walk: Router,
    events: Sequence[Event | EventRefused],
    asked: Sequence[_Asked],
    given: Sequence[Given | None],
    catalog: Catalog,
    drafts: IntakeBatch,
) -> None:
    """Add to `drafts` what is told of each event, in their order; `given` is what each that was read gave to memory."""
    left = zip(asked, given, strict=True)
    for event in events:
        if isinstance(event, EventRefused):
            _refuse(walk, event, catalog, drafts)
            continue
        (message_id, lines, _), to_memory = next(left)
        drafts.add(message_id, lines, name=received_name(event), is_made="idIsMade" in event, given=to_memory)


def _refuse(walk: Router, event: EventRefused, catalog: Catalog, drafts: IntakeBatch) -> None:
    order = None
    if isinstance(event, EventHeldBack):
        order = unsent_order(event.event, catalog, walk.account("").making.rules)
    drafts.refuse(event, name=received_name(event), order=order)
