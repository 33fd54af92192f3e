"""The request's half of the flow: match, map, normalise + hash, enqueue. It answers after the commit.

accept(events) -> Receipt          what the server does with received events
preview(event) -> list[Line]       the same up to the outbox; stores nothing
map_event(raw) -> [(preset, JSON)] the same for one raw event, for programs
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol, TypeAlias

import orjson

from app.catalog import Catalog, Preset
from app.destination import components, report_conversion_event
from app.errors import EventInvalid, EventRefused, MappingError
from app.outbox import enqueue_tallies
from app.source import read_raw_event
from app.types import Enqueued, Event, EventReceipt, Exit, Line, NewDelivery, Note, Receipt, Tally

#: Reasons are counted by their first characters.
MAX_LABEL_CHARACTERS = 160
#: After so many events the other requests of this process get their turn.
EVENTS_A_TURN = 50

_COUNTED_BY_REASON = frozenset({Exit.UNMATCHED, Exit.WITHHELD, Exit.INVALID})

#: Answers why an event must not be sent for a preset; None where it may be.
Gate: TypeAlias = Callable[[Event], str | None]
PresetGate: TypeAlias = Callable[[str], str | None]


class _Action(Protocol):
    """Builds the Pinterest event from resolved fields, or raises EventInvalid."""

    def __call__(self, fields: dict[str, Any], *, now: float | None) -> tuple[dict[str, Any], list[str]]: ...


class _Enqueues(Protocol):
    """The one thing the pipeline asks of the outbox."""

    async def enqueue(
        self, deliveries: Sequence[NewDelivery], notes: Sequence[Note], tallies: Sequence[Tally], *, now: float
    ) -> list[Enqueued]: ...


def _open(_: Any) -> None:
    """Let everything through: the gate where none is given."""


class Pipeline:
    """Turns events into deliveries. The catalog may be replaced while it runs."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        action: _Action = report_conversion_event,
        withheld: Gate = _open,
        switched_off: PresetGate = _open,
        outbox: _Enqueues | None = None,
        ad_account_id: str = "",
        on_count: Callable[[Sequence[Tally]], None] = _open,
    ) -> None:
        self.catalog = catalog
        self._action = action
        self._withheld = withheld
        self._switched_off = switched_off
        self._outbox = outbox
        self._ad_account_id = ad_account_id
        self._on_count = on_count
        self._arrays = asyncio.Lock()

    def use(self, catalog: Catalog) -> None:
        """Map by this catalog from the next event on."""
        self.catalog = catalog

    def map_event(self, raw: bytes, now: float) -> list[tuple[str, bytes]]:
        """Answer (preset, finished Pinterest JSON) for each preset that takes this raw JSON event.

        Raises EventError where `raw` is not a Segment event. Invalid and withheld deliveries are left out.
        """
        lines = self.preview(read_raw_event(raw, now=now), now=now)
        return [(line.preset or "", orjson.dumps(line.event)) for line in lines if line.event is not None]

    def preview(self, event: Event, *, now: float) -> list[Line]:
        """Answer one line for each preset that takes the event, or one that says why there is none.

        A line that would be enqueued carries the finished event.
        """
        reason = self._withheld(event)
        if reason is not None:
            return [Line(preset=None, exit=Exit.WITHHELD, reason=reason)]
        lines = [self._map(preset, event, now) for preset in self.catalog.matching(event)]
        return lines or [Line(preset=None, exit=Exit.UNMATCHED, reason="no preset's trigger holds for this event")]

    def _map(self, preset: Preset, event: Event, now: float) -> Line:
        reason = self._switched_off(preset.name)
        if reason is not None:
            return Line(preset=preset.name, exit=Exit.WITHHELD, reason=reason)
        try:
            built, warnings = self._action(preset.mapping.resolve(event) or {}, now=now)
        except EventInvalid as exc:
            return Line(preset=preset.name, exit=Exit.INVALID, reason=exc.reason)
        except MappingError as exc:
            return Line(preset=preset.name, exit=Exit.INVALID, reason=str(exc))
        return Line(preset=preset.name, exit=Exit.ENQUEUED, warnings=tuple(warnings), event=built)

    async def accept(self, events: Iterable[Event | EventRefused], *, now: float) -> Receipt:
        """Commit what the events give, then say what became of each; what could not be read is told in its place.

        Raises OutboxUnavailable where nothing could be committed.
        """
        if self._outbox is None:
            message = "this pipeline has no outbox: it only previews"
            raise RuntimeError(message)
        drafts, deliveries = await self._draft_all(iter(events), now)
        tallies = _tallies(drafts)
        answers = await self._outbox.enqueue(deliveries, list(_notes(drafts)), tallies, now=now)
        self._on_count([*tallies, *enqueue_tallies(deliveries, answers)])
        return _receipt(drafts, iter(answers))

    async def _draft_all(
        self, events: Iterator[Event | EventRefused], now: float
    ) -> tuple[list[EventReceipt], list[NewDelivery]]:
        """Draft one array after the other, so that the first commits while the next is mapped; a few events at once."""
        drafts, deliveries = self._draft_some(events, now)
        if len(drafts) == EVENTS_A_TURN:
            async with self._arrays:
                more = drafts
                while more:
                    await asyncio.sleep(0)
                    more, of_more = self._draft_some(events, now)
                    drafts += more
                    deliveries += of_more
        return drafts, deliveries

    def _draft_some(
        self, events: Iterator[Event | EventRefused], now: float
    ) -> tuple[list[EventReceipt], list[NewDelivery]]:
        """Draft the next events, and make the deliveries that they give."""
        drafts = [self.draft(event, now=now) for event in islice(events, EVENTS_A_TURN)]
        return drafts, [self._delivery(*item) for item in _lines(drafts, Exit.ENQUEUED)]

    def draft(self, event: Event | EventRefused, *, now: float) -> EventReceipt:
        """Preview one received event, or tell why it was refused."""
        if isinstance(event, EventRefused):
            line = Line(preset=None, exit=Exit.REFUSED, reason=event.reason)
            return EventReceipt(message_id=event.message_id, deliveries=(line,))
        return EventReceipt(message_id=event["messageId"], deliveries=tuple(self.preview(event, now=now)))

    def _delivery(self, message_id: str, line: Line) -> NewDelivery:
        built = line.event or {}
        is_checkout = built["event_name"] == "checkout"
        return NewDelivery(
            ad_account_id=self._ad_account_id,
            preset=line.preset or "",
            message_id=message_id,
            event_name=built["event_name"],
            event_id=built["event_id"],
            action_source=built["action_source"],
            order_id=built.get("custom_data", {}).get("order_id") if is_checkout else None,
            event_time=built["event_time"],
            payload=orjson.dumps(built),
            warnings=line.warnings,
            quality=components(built),
        )


def _lines(drafts: Sequence[EventReceipt], *exits: Exit) -> Iterator[tuple[str, Line]]:
    """Yield the lines that left by one of these exits, each with its message id."""
    for draft in drafts:
        for line in draft.deliveries:
            if line.exit in exits:
                yield draft.message_id or "", line


def _notes(drafts: Sequence[EventReceipt]) -> Iterator[Note]:
    """Yield what the ledger keeps of events that made no delivery; unmatched ones are only counted."""
    for message_id, line in _lines(drafts, Exit.REFUSED, Exit.WITHHELD, Exit.INVALID):
        yield Note(message_id=message_id, preset=line.preset, exit=line.exit, reason=line.reason)


def _tallies(drafts: Sequence[EventReceipt]) -> list[Tally]:
    """Count every exit but those that the outbox decides (enqueued, duplicate), and every warning by its field."""
    counts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for draft in drafts:
        refused = draft.deliveries[0].exit is Exit.REFUSED
        counts[Exit.REFUSED.value if refused else Exit.ACCEPTED.value, "", ""] += 1
        for line in draft.deliveries:
            preset = line.preset or ""
            if line.preset:
                counts[Exit.MATCHED.value, preset, ""] += 1
            if line.exit in _COUNTED_BY_REASON:
                counts[line.exit.value, preset, line.reason[:MAX_LABEL_CHARACTERS]] += 1
            for warning in line.warnings:
                counts["warning", preset, warning.partition(":")[0][:MAX_LABEL_CHARACTERS]] += 1
    return [_tally(*key, count) for key, count in counts.items()]


@lru_cache(4_096)
def _tally(name: str, preset: str, label: str, count: int) -> Tally:
    return Tally(name=name, preset=preset, label=label, count=count)


def _receipt(drafts: Sequence[EventReceipt], answers: Iterator[Enqueued]) -> Receipt:
    """Fill in what the outbox answered, and count."""
    events = tuple(
        EventReceipt(
            message_id=draft.message_id, deliveries=tuple(_settled(line, answers) for line in draft.deliveries)
        )
        for draft in drafts
    )
    counts: defaultdict[Exit, int] = defaultdict(int)
    for event in events:
        for line in event.deliveries:
            counts[line.exit] += 1
    return Receipt(events=events, counts={Exit.ACCEPTED: len(events) - counts.get(Exit.REFUSED, 0), **counts})


def _settled(line: Line, answers: Iterator[Enqueued]) -> Line:
    if line.exit is not Exit.ENQUEUED:
        return line
    answer = next(answers)
    return _line(line.preset, answer.exit, answer.reason, line.warnings)


@lru_cache(4_096)
def _line(preset: str | None, exit_: Exit, reason: str, warnings: tuple[str, ...]) -> Line:
    return Line(preset=preset, exit=exit_, reason=reason, warnings=warnings)
