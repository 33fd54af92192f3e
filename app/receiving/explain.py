"""What would become of an event, and why: one explanation, shown by the event tester and by `pinrelay preview`.

The event goes the pipeline's own way (`walk`), and the outbox says what was sent before. Nothing of it is kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import orjson
from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.core.deliveries import Enqueued, NewDelivery, Seen
from app.core.events import DEFAULT_SOURCE, Event, Exit
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.core.values.hidden_emails import unpersonal_id
from app.errors import EventRefused
from app.identity import LoadedMemory
from app.receiving.draft_steps import draft, draft_with
from app.receiving.drafted import drafted_delivery
from app.receiving.encounters import Ids
from app.receiving.field_reports import field_reports, memory_reports, own_event, shown_json
from app.receiving.receipts import Drafts, receipt_of_refusal
from app.receiving.remembering import FindsPeople
from app.receiving.reports import ConditionReport, EventReport, FieldReport, PresetReport
from app.receiving.routes import Making
from app.receiving.walk import Walk, WhyOff
from app.sandbox import judge
from app.trigger import ABSENT, Finding

#: The preset and the destination of a line.
_Key: TypeAlias = tuple[str | None, str]


class Sees(FindsPeople, Protocol):
    """What an explanation asks of the outbox."""

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        """Do `Outbox.seen`."""
        ...


class Explainer:
    """Tells what would become of events. Without an outbox every event is taken as new."""

    def __init__(self, walk: Walk, *, outbox: Sees | None = None, why_kept: WhyOff | None = None) -> None:
        """Take the way that events go, and who remembers what was sent.

        `why_kept` returns why the deliveries of a preset to an ad account are kept instead of being sent, None where
        they are sent.
        """
        self._walk = walk
        self._outbox = outbox
        self._why_kept = why_kept or (lambda *_: None)

    async def explain(
        self, event: Event | EventRefused, catalog: Catalog, *, now: float, source: str = DEFAULT_SOURCE
    ) -> EventReport:
        """Return what would become of an event of this source, read as its door reads it. Raises OutboxUnavailable."""
        if isinstance(event, EventRefused):
            return EventReport(receipt=receipt_of_refusal(event))
        message_id = unpersonal_id(event["messageId"])
        memory, _ = await self._memory([event])
        lines = self._walk.lines(event, catalog, now=now, source=source, memory=memory)
        new = [drafted_delivery(message_id, event, line, source=source) for line in lines if line.event]
        sent = [_key(line) for line in lines if line.event]
        seen = dict(zip(sent, await self._seen(new, now), strict=True))
        lines = [_judged(line, seen.get(_key(line))) for line in lines]
        return EventReport(
            receipt=EventReceipt(message_id=message_id, deliveries=tuple(lines)),
            presets=tuple(self._reports(event, catalog, lines, seen, now)),
        )

    async def receipt(
        self, events: Iterable[Event | EventRefused], catalog: Catalog, *, now: float, source: str = DEFAULT_SOURCE
    ) -> Receipt:
        """Return the receipt that `Pipeline.accept` would give, without the reasons behind it: for many events.

        Raises OutboxUnavailable.
        """
        drafts, some = Drafts(source=source, is_proven=True), list(events)
        memory, ids = await self._memory(some)
        if memory is not None and self._walk.remembering is not None:
            draft_with(self._walk, memory, self._walk.remembering, some, iter(ids), catalog, drafts, now=now)
        else:
            for _ in draft(self._walk, some, catalog, drafts, now=now):
                pass
        seen = await self._seen(drafts.deliveries, now)
        return drafts.receipt(
            [
                Enqueued(exit=Exit.DUPLICATE, reason=each.reason)
                if each and each.reason
                else Enqueued(exit=Exit.ENQUEUED, warnings=each.warnings if each else ())
                for each in seen
            ]
        )

    async def _memory(self, events: Sequence[Event | EventRefused]) -> tuple[LoadedMemory | None, list[Ids]]:
        """Return what is remembered for these events, and their ids; nothing that they change in it is kept.

        None: there is no memory.
        """
        remembering = self._walk.remembering
        if remembering is None or self._outbox is None:
            return None, []
        memory = remembering.new_memory()
        return memory, await remembering.load(memory, events, self._outbox)

    async def _seen(self, deliveries: Sequence[NewDelivery], now: float) -> Sequence[Seen | None]:
        if self._outbox is None or not deliveries:
            return [None] * len(deliveries)
        return await self._outbox.seen(deliveries, now=now)

    def _reports(
        self,
        event: Event,
        catalog: Catalog,
        lines: Sequence[PresetResult],
        seen: Mapping[_Key, Seen | None],
        now: float,
    ) -> Iterator[PresetReport]:
        """Yield a report for each line of a preset, and for each preset that has none."""
        for preset in catalog.presets:
            finding = preset.trigger.explain(event)
            own = [line for line in lines if line.preset == preset.name]
            for line in own or [_line_of_none(preset, lines[0], matched=finding.held)]:
                yield self._report(preset, event, line, finding, seen.get(_key(line)), now)

    def _report(
        self, preset: Preset, event: Event, line: PresetResult, finding: Finding, earlier: Seen | None, now: float
    ) -> PresetReport:
        account, blamed = self._walk.account(line.destination), finding.blamed()
        event_names = account.making.rules.custom_event_names
        return PresetReport(
            preset=preset.name,
            destination=line.destination,
            enabled=preset.enabled,
            matched=finding.held,
            conditions=tuple(
                ConditionReport(
                    text=part.text,
                    held=part.held,
                    blamed=any(part is each for each in blamed),
                    found=None if part.found is ABSENT else shown_json(part.found),
                )
                for part in finding.conditions()
            ),
            exit=line.exit,
            reason=line.reason,
            seen_at=earlier.at if earlier and earlier.reason else None,
            kept=(self._why_kept(preset.name, account.ad_account_id) or "") if line.exit is Exit.ENQUEUED else "",
            fields=tuple(_fields(preset, event, line, account.making, now)) if finding.held else (),
            warnings=line.warnings,
            payload=orjson.dumps(line.event) if line.event else None,
            schema_problems=tuple(judge(line.event, now, event_names=event_names)) if line.event else (),
        )


def _fields(preset: Preset, event: Event, line: PresetResult, making: Making, now: float) -> Iterator[FieldReport]:
    yield from field_reports(preset, event, own_event(line), making.action, making.rules, now=now)
    yield from memory_reports(line)


def _key(line: PresetResult) -> _Key:
    return line.preset, line.destination


def _judged(line: PresetResult, earlier: Seen | None) -> PresetResult:
    if earlier is None:
        return line
    if earlier.reason:
        return replace(line, exit=Exit.DUPLICATE, reason=earlier.reason)
    return replace(line, warnings=(*line.warnings, *earlier.warnings))


def _line_of_none(preset: Preset, first: PresetResult, *, matched: bool) -> PresetResult:
    """Return what there is to say of a preset that has no line in the receipt, whose first line is `first`."""
    if not matched:
        return PresetResult(preset=preset.name, exit=Exit.UNMATCHED, reason="the trigger does not hold")
    if not preset.enabled:
        return PresetResult(preset=preset.name, exit=Exit.UNMATCHED, reason="`enabled: false` in its file takes it out")
    return PresetResult(preset=preset.name, exit=first.exit, reason=first.reason)
