"""The request's half of the flow: match, map, normalise + hash, enqueue. It answers after the commit.

accept(events) -> Receipt          what the server does with received events
preview(event) -> list[Line]       the same up to the outbox; stores nothing
map_event(raw) -> [(preset, JSON)] the same for one raw event, for programs
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeAlias

import orjson

from app.catalog import Catalog, Preset
from app.destination import components, report_conversion_event
from app.errors import EventInvalid, EventRefused, MappingError
from app.log import log_error
from app.outbox import enqueue_tallies
from app.receiving.receipts import Drafts
from app.source import read_raw_event
from app.types import Enqueued, Event, EventReceipt, Exit, Line, NewDelivery, Note, Receipt, Tally
from app.values.hidden_emails import unpersonal_id

#: After so many events the other requests of this process get their turn.
EVENTS_A_TURN = 50

#: Returns why an event must not be sent, None where it may be: the event's consent and routing.
WhyWithheld: TypeAlias = Callable[[Event], str | None]
#: Returns why the preset of this name sends nothing now, None where it does: the switches.
WhyOff: TypeAlias = Callable[[str], str | None]


class Action(Protocol):
    """Builds the Pinterest event from resolved fields, or raises EventInvalid."""

    def __call__(self, fields: dict[str, Any], *, now: float | None) -> tuple[dict[str, Any], list[str]]:
        """Return the event and warnings; `now` (Unix seconds) judges its age."""
        ...


class Enqueues(Protocol):
    """The one thing the pipeline asks of the outbox."""

    async def enqueue(
        self, deliveries: Sequence[NewDelivery], notes: Sequence[Note], tallies: Sequence[Tally], *, now: float
    ) -> list[Enqueued]:
        """Do `Outbox.enqueue`."""
        ...


def _nothing_against(_: object) -> None:
    """Stand for a rule, or a listener, where none is given."""


class Pipeline:
    """Turns events into deliveries. The catalog may be replaced while it runs."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        action: Action = report_conversion_event,
        withheld: WhyWithheld | None = None,
        why_off: WhyOff | None = None,
        outbox: Enqueues | None = None,
        ad_account_id: str = "",
        on_count: Callable[[Sequence[Tally]], None] | None = None,
    ) -> None:
        self.catalog = catalog
        self._action = action
        self._withheld = withheld or _nothing_against
        self._why_off = why_off or _nothing_against
        self._outbox = outbox
        self._ad_account_id = ad_account_id
        self._on_count = on_count or _nothing_against
        self._arrays = asyncio.Lock()

    def use(self, catalog: Catalog) -> None:
        """Map by this catalog from the next event on."""
        self.catalog = catalog

    def map_event(self, raw: bytes, now: float) -> list[tuple[str, bytes]]:
        """Return (preset, finished Pinterest JSON) for each preset that takes this raw JSON event.

        Raises EventError where `raw` is not a Segment event. Invalid and withheld deliveries are left out.
        """
        lines = self.preview(read_raw_event(raw, now=now), now=now)
        return [(line.preset or "", orjson.dumps(line.event)) for line in lines if line.event is not None]

    def preview(self, event: Event, *, now: float) -> list[Line]:
        """Return one line for each preset that takes the event, or one that says why there is none.

        A line that would be enqueued carries the finished event.
        """
        reason = self._withheld(event)
        if reason is not None:
            return [Line(preset=None, exit=Exit.WITHHELD, reason=reason)]
        lines = [self._map(preset, event, now) for preset in self.catalog.matching(event)]
        return lines or [Line(preset=None, exit=Exit.UNMATCHED, reason="no preset's trigger holds for this event")]

    def _map(self, preset: Preset, event: Event, now: float) -> Line:
        reason = self._why_off(preset.name)
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
        drafts = await self._draft_all(iter(events), now)
        tallies = drafts.tallies()
        answers = await self._outbox.enqueue(drafts.deliveries, drafts.notes, tallies, now=now)
        try:
            self._on_count([*tallies, *enqueue_tallies(drafts.deliveries, answers)])
        except Exception as exc:  # noqa: BLE001 - what is committed must not look as if it were not
            log_error(exc)
        return drafts.receipt(answers)

    async def _draft_all(self, events: Iterator[Event | EventRefused], now: float) -> Drafts:
        """Draft one array after the other, so that the first commits while the next is mapped; a few events at once."""
        drafts = Drafts()
        drafted = self._draft_some(events, now, drafts)
        if drafted == EVENTS_A_TURN:
            async with self._arrays:
                while drafted:
                    await asyncio.sleep(0)
                    drafted = self._draft_some(events, now, drafts)
        return drafts

    def draft(self, events: Iterable[Event | EventRefused], *, now: float) -> tuple[EventReceipt, ...]:
        """Return what would become of events that are all new to the outbox; stores nothing."""
        drafts = Drafts()
        left = iter(events)
        while self._draft_some(left, now, drafts):
            pass
        return tuple(drafts.events)

    def _draft_some(self, events: Iterator[Event | EventRefused], now: float, drafts: Drafts) -> int:
        """Draft the next events, with the deliveries that they make; return how many events they were."""
        before = len(drafts.events)
        for event in islice(events, EVENTS_A_TURN):
            if isinstance(event, EventRefused):
                drafts.refuse(event)
                continue
            message_id = unpersonal_id(event["messageId"])
            lines = self.preview(event, now=now)
            for line in lines:
                if line.event:
                    drafts.deliveries.append(self._delivery(message_id, line, line.event))
            drafts.add(message_id, lines)
        return len(drafts.events) - before

    def _delivery(self, message_id: str, line: Line, built: Event) -> NewDelivery:
        is_checkout = built["event_name"] == "checkout"
        custom_data = built.get("custom_data", {})
        return NewDelivery(
            ad_account_id=self._ad_account_id,
            preset=line.preset or "",
            message_id=message_id,
            event_name=built["event_name"],
            event_id=built["event_id"],
            action_source=built["action_source"],
            order_id=custom_data.get("order_id") if is_checkout else None,
            event_time=built["event_time"],
            amount=custom_data.get("value"),
            currency=custom_data.get("currency"),
            buyer=tuple(built["user_data"].get("em", ())) if is_checkout else (),
            payload=orjson.dumps(built),
            warnings=line.warnings,
            quality=components(built),
        )
