"""The request's half of the flow: match, map, normalise + hash, enqueue. The response follows the commit.

accept(intake) -> Receipt              the server's handling of received events
preview(event) -> list[Line]           the same up to the outbox; stores nothing
map_event(raw) -> [(preset, JSON)]     the same for a raw event, for programs
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from itertools import islice
from typing import Any, Protocol, TypeAlias

import orjson
from msgspec.structs import replace

from app.catalog import Catalog
from app.core.consent import Answer, Lifted
from app.core.deliveries import Enqueued, NewDelivery
from app.core.events import CounterRow, Event, Outcome
from app.core.log import log_error
from app.core.people import NamedPerson, PeopleChanges, with_owners
from app.core.receipts import MemoryChange, PresetResult, Receipt
from app.core.spans import NO_SPANS, Spans
from app.errors import BacklogFull, EventRefused, MemoryChanged, OutboxUnavailable, UnknownName
from app.outbox import Outbox, enqueue_counters
from app.pipeline.delivery_factory import withdrawn, withdrawn_before
from app.pipeline.intake_batch import RequestMemory, RequestPiece, draft, split_after_deletes
from app.pipeline.quarantine import Quarantine
from app.pipeline.receipts import CANCELLED_BEFORE, IntakeBatch, receipt_of
from app.pipeline.router import Router
from app.source import Intake, NamedSource, events_of_request, is_delete, read_raw_event

#: After this number of events, or this time, other requests of the process continue.
EVENTS_A_TURN = 100
_TURN_S = 0.005
#: The maximum number of events in small requests that share a commit.
_FEW_EVENTS = 100
_Events: TypeAlias = Iterator[Event | EventRefused]
#: The maximum number of attempts to resolve a request's events with memory.
_TRIES = 20


class ErasesPeople(Protocol):
    """Erases people on request of events; see `app.operations.forget`."""

    async def secret(self) -> bytes:
        """Return the key of ids."""
        ...

    async def erase_named(
        self, people: Sequence[tuple[str, NamedPerson]], *, source: str, again: Collection[str], now: float
    ) -> list[int]:
        """Execute the request for each person; return the number of ids with erased data for each.

        Messages in `again` are about to be stored again. Raises OutboxUnavailable.
        """
        ...

    async def note_lifted(self, lifted: Sequence[Lifted], *, source: str) -> None:
        """Write the opt-outs that a source's opt-in cancelled to the audit log. Raises OutboxUnavailable."""
        ...


class _Listening(Protocol):
    """A listener of a request."""

    @property
    def observe(self) -> Callable[[Event | EventRefused], Event | EventRefused]:
        """Return a function that is called with each event as it is read, and returns the event."""
        ...

    async def committed(self, receipt: Receipt) -> None:
        """Process the results of the committed events."""


class Listener(Protocol):
    """An observer of accepted events. Its errors are logged, and affect no event."""

    @property
    def is_on(self) -> bool: ...

    def listen(self, intake: Intake) -> _Listening: ...


def _tell_nobody(_: Sequence[CounterRow]) -> None:
    """Do nothing, in place of a callback for counts."""


def _before_delete(events: _Events, deletes: list[Event]) -> _Events:
    """Yield the events before the first that erases a person, which is added to `deletes`; the others stay."""
    for event in events:
        if is_delete(event):
            deletes.append(event)
            return
        yield event


def _superseded(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> Iterator[CounterRow]:
    """Yield the counts of deliveries that the counterpart of their order replaced."""
    for delivery, answer in zip(deliveries, answers, strict=True):
        for preset, source in answer.superseded:
            name = Outcome.WITHDRAWN.value
            yield CounterRow(name=name, preset=preset, ad_account_id=delivery.ad_account_id, source=source)


def _no_source(name: str) -> NamedSource:
    """Raise UnknownName, in place of a look-up of sources."""
    raise UnknownName("source", name, ())


class Pipeline:
    """Converts events to deliveries. The catalog may be replaced while it runs."""

    def __init__(
        self,
        catalog: Catalog,
        router: Router,
        *,
        outbox: Outbox | None = None,
        on_count: Callable[[Sequence[CounterRow]], None] | None = None,
        quarantine: Quarantine | None = None,
        source: Callable[[str], NamedSource] | None = None,
        erasing: ErasesPeople | None = None,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Use the catalog; `source` returns a named source for previews.

        `erasing` executes requests to erase people; without it such an event is like all others.
        """
        self.catalog = catalog
        self._router = router
        self._outbox = outbox
        self._on_count = on_count or _tell_nobody
        self._quarantine = quarantine
        #: Observers of accepted events.
        self.listeners: Sequence[Listener] = ()
        self._source = source or _no_source
        self._erasing = erasing
        self._spans = spans
        self._arrays = asyncio.Lock()
        #: Held by requests that resolve their events again after a change of memory.
        self._again = asyncio.Lock()

    def use(self, catalog: Catalog) -> None:
        """Use this catalog from the next event on."""
        self.catalog = catalog

    def map_event(self, raw: bytes, now: float) -> list[tuple[str, bytes]]:
        """Return (preset, finished Pinterest JSON) for each preset that matches this raw JSON event.

        Raises EventError if `raw` is not a Segment event. Invalid and withheld deliveries are omitted.
        """
        lines = self.preview(read_raw_event(raw, now=now), now=now)
        return [(line.preset or "", orjson.dumps(line.event)) for line in lines if line.event is not None]

    def preview(self, event: Event, *, now: float) -> list[PresetResult]:
        """Return a result for each preset that matches the event, or a single one with the reason why there is none.

        A result to enqueue has the finished event. The outbox is not read: every event counts as new.
        """
        return self._router.lines(event, self.catalog, now=now)

    def preview_request(
        self, source_name: str, body: bytes, headers: Mapping[str, str], *, now: float, query: str = ""
    ) -> list[list[PresetResult] | EventRefused]:
        """Return, for each event of a request to a named source, the result of `preview`, or why there is no event.

        `body` is the body as sent, `query` the query of the address. No proof is required. Raises CatalogError if the
        source does not exist, RequestRefused if the request as a whole is unreadable.
        """
        previewed = self.previewed(source_name, body, headers, now=now, query=query)
        return [event if isinstance(event, EventRefused) else lines for _, event, lines in previewed]

    def previewed(
        self, source_name: str, body: bytes, headers: Mapping[str, str], *, now: float, query: str = ""
    ) -> Iterator[tuple[Any, Event | EventRefused, list[PresetResult]]]:
        """Yield the JSON that a source creates from each member of a request, its event, and the results.

        A refusal has no results. Raises the errors of `preview_request`.
        """
        source = self._source(source_name)
        for made, event in events_of_request(source, body, headers, now=now, query=query):
            lines: list[PresetResult] = []
            if not isinstance(event, EventRefused):
                lines = self._router.lines(event, self.catalog, now=now, source=source.name)
            yield made, event, lines

    async def accept(self, intake: Intake) -> Receipt:
        """Commit the deliveries of events, then return the result of each.

        Unreadable events have a result in their place.

        Raises OutboxUnavailable if no event could be committed.
        """
        if self._outbox is None:
            message = "this pipeline has no outbox: it only previews"
            raise RuntimeError(message)
        with self._spans.span("accept"):
            receipt = await self._accept_observed(intake, self._outbox)
            self._spans.set_counts(receipt.counts)
        return receipt

    async def _accept_observed(self, intake: Intake, outbox: Outbox) -> Receipt:
        """Accept an intake, and pass the events and their receipt to the listeners."""
        if self._router.waits is not None:
            await self._router.waits.look(intake.now)
        listening = [listener.listen(intake) for listener in self.listeners if listener.is_on]
        for one in listening:
            intake = replace(intake, events=map(one.observe, intake.events))
        receipt = await self._accept(intake, outbox)
        for one in listening:
            try:
                await one.committed(receipt)
            except Exception as exc:  # noqa: BLE001 - what is committed must not look as if it were not
                log_error(exc)
        return receipt

    async def _accept(self, intake: Intake, outbox: Outbox) -> Receipt:
        reader, remembers = self._router.reader, self._router.enrichment is not None
        if reader is not None and self._erasing is not None:
            await reader.id_keys.ask(self._erasing.secret)
        left = iter(intake.events)
        deletes: list[Event] = []
        begin = _before_delete(left, deletes) if intake.is_known and self._erasing is not None else left
        first = RequestPiece(list(begin) if remembers else begin, deletes=deletes)
        receipt = await self._accept_piece(first, intake, outbox)
        if not deletes:
            return receipt
        intake = replace(intake, whole=False)  # earlier commits are not undone
        pieces = split_after_deletes([*deletes, *left])
        events = [*receipt.events]
        for piece in pieces:
            told = await self._accept_piece(piece, intake, outbox)
            events += (await self._erased(piece, told, intake)).events
        return receipt_of(events)

    async def _accept_piece(self, piece: RequestPiece, intake: Intake, outbox: Outbox) -> Receipt:
        """Commit deliveries together with the changes of memory, and repeat if another process has changed the memory.

        Repeated attempts run one at a time.
        """
        for attempt in range(_TRIES):
            async with self._again if attempt else nullcontext():
                drafts = IntakeBatch(intake, candidates=None if self._quarantine is None else [])
                memory = RequestMemory(
                    self._router.enrichment,
                    piece.events,
                    outbox,
                    public_key=intake.public_key,
                    is_known=intake.is_known,
                    now=intake.now,
                    spans=self._spans,
                )
                if self._router.consents is not None:
                    await self._router.consents.look(outbox)
                await self._draft_all(iter(piece.events), drafts, memory)
                answers: list[Answer] = []
                if self._router.consents is not None:
                    drafts, answers = await self._router.consents.ask(drafts, outbox)
                async with self._writing(answers, outbox, source=intake.source):
                    if memory.changed is None:
                        return await self._commit(drafts, outbox, is_final=piece.is_final)
                    drafts.memory_is_full |= memory.changed.is_full
                    with suppress(MemoryChanged):
                        changes = memory.changed.changes()
                        return await self._commit(drafts, outbox, changes, is_final=piece.is_final)
        raise OutboxUnavailable("Too many events of the same person arrive at once. Try again.")

    @asynccontextmanager
    async def _writing(self, answers: Sequence[Answer], outbox: Outbox, *, source: str) -> AsyncIterator[None]:
        """Write answers while the block stores their events, so that they can share a commit.

        Answers count even if the events cannot be stored, and are sent again.
        """
        writing = asyncio.create_task(self._write_consents(answers, outbox)) if answers else None
        try:
            yield
        finally:
            if writing is not None and self._router.consents is not None:
                lifted = await writing
                self._router.consents.written(answers, lifted)
                if lifted and self._erasing is not None:
                    await self._erasing.note_lifted(lifted, source=source)

    async def _write_consents(self, answers: Sequence[Answer], outbox: Outbox) -> list[Lifted]:
        with self._spans.span("write consents"):
            return await outbox.write_consents(answers)

    async def _erased(self, piece: RequestPiece, receipt: Receipt, intake: Intake) -> Receipt:
        """Execute the erasures at the end of a part, and add their results to the receipts."""
        reader, erasing = self._router.reader, self._erasing
        if not piece.has_deletes or reader is None or erasing is None:
            return receipt
        deletes = [(place, each) for place, each in enumerate(piece.events) if is_delete(each)]
        people = [(each["messageId"], reader.named(each, self.catalog, intake.source)) for _, each in deletes]
        counts = await erasing.erase_named(people, source=intake.source, again=piece.behind, now=intake.now)
        events = list(receipt.events)
        for (place, _), count in zip(deletes, counts, strict=True):
            events[place] = replace(events[place], given=MemoryChange(groups=(), linked=False, erased=count, marked=0))
        return replace(receipt, events=tuple(events))

    async def _commit(
        self, drafts: IntakeBatch, outbox: Outbox, people: PeopleChanges | None = None, *, is_final: bool
    ) -> Receipt:
        intake, now = drafts.intake, drafts.intake.now
        while True:
            counters = drafts.counters()
            people = with_owners(people, drafts.owners)
            try:
                answers = await self._enqueue(drafts, counters, outbox, people, is_final=is_final)
                break
            except BacklogFull as exc:
                if intake.whole or not (rest := drafts.without(exc.full)):
                    raise
                drafts = rest
        if drafts.withdrawals:  # after the orders of the same request
            withdrawals, late = await withdrawn(outbox, drafts.withdrawals, now=now)
            counters += withdrawals
            drafts.tell_late(late)
            await outbox.enqueue((), drafts.cancellations, (), now=now)
        cancellable = {preset.name for preset in self.catalog.cancellable}
        more, gone = await withdrawn_before(outbox, drafts.deliveries, cancellable, now=now)
        counters += more
        if drafts.candidates and self._quarantine is not None:
            await self._quarantine.keep(drafts.candidates, self.catalog, intake)
        try:
            superseded = _superseded(drafts.deliveries, answers)
            self._on_count([*counters, *enqueue_counters(drafts.deliveries, answers), *superseded])
        except Exception as exc:  # noqa: BLE001 - what is committed must not look as if it were not
            log_error(exc)
        for place in gone:
            answers[place] = replace(answers[place], warnings=(*answers[place].warnings, CANCELLED_BEFORE))
        return drafts.receipt(answers)

    async def _enqueue(
        self,
        drafts: IntakeBatch,
        counters: Sequence[CounterRow],
        outbox: Outbox,
        people: PeopleChanges | None,
        *,
        is_final: bool,
    ) -> list[Enqueued]:
        """Store the deliveries; each has the trace that the sender continues."""
        deliveries = drafts.deliveries
        facts = {"messaging.batch.message_count": len(deliveries)}
        with self._spans.span("enqueue", attributes=facts, is_producer=True):
            if traceparent := self._spans.traceparent():
                deliveries = [replace(each, traceparent=traceparent) for each in deliveries]
            return await outbox.enqueue(
                deliveries, drafts.dropped, counters, now=drafts.intake.now, people=people, is_final=is_final
            )

    async def _draft_all(self, events: _Events, drafts: IntakeBatch, memory: RequestMemory) -> None:
        """Process array by array, so that the first commits while the next is mapped.

        A few events, or the first events of an array, do not wait for other arrays.
        """
        may_be_more = await self._draft_some(events, drafts, memory)
        while may_be_more and len(drafts.events) <= _FEW_EVENTS:
            await asyncio.sleep(0)
            may_be_more = await self._draft_some(events, drafts, memory)
        if may_be_more:
            async with self._arrays:
                while may_be_more:
                    await asyncio.sleep(0)
                    may_be_more = await self._draft_some(events, drafts, memory)

    async def _draft_some(self, events: _Events, drafts: IntakeBatch, memory: RequestMemory) -> bool:
        """Process the next events with their deliveries; return whether there may be more."""
        some: list[Event | EventRefused] = []
        is_over = False
        ends_at = time.perf_counter() + _TURN_S
        for event in islice(events, EVENTS_A_TURN):
            some.append(event)
            if is_over := time.perf_counter() > ends_at:
                break
        await memory.load(len(some))
        for _ in draft(self._router, some, self.catalog, drafts, memory):
            if time.perf_counter() > ends_at:
                await asyncio.sleep(0)
                ends_at = time.perf_counter() + _TURN_S
        return is_over or len(some) == EVENTS_A_TURN
