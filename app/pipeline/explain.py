"""Explain the result of an event: the common explanation for the tester, `preview`, messages and receipts."""

import asyncio
import dataclasses
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import orjson
from msgspec.structs import replace

from app.catalog import Catalog, Preset
from app.config.settings import ConversionSettings
from app.core.deliveries import Enqueued, NewDelivery, Seen
from app.core.events import DEFAULT_SOURCE, Event, EventKey, Outcome
from app.core.fields import USER_FIELDS
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S, hold_text
from app.destination import ReportConversionEvent, hashed_fields
from app.destination.user_data import FROM_BLOCKS
from app.errors import EventInvalid, EventRefused, MappingError
from app.identity import GROUPS
from app.mapping import Explanation, nearest_path
from app.outbox import Outbox
from app.pipeline.intake_batch import RequestMemory, draft
from app.pipeline.nearest_preset import Nearest, nearest_preset
from app.pipeline.receipts import IntakeBatch, receipt_of_refusal
from app.pipeline.received_names import given_name
from app.pipeline.router import AdAccount, BuildProfile, Router, WhyOff
from app.sandbox import judge
from app.source import Intake
from app.trigger import ABSENT, Finding

#: Texts for the outcomes of an event, or of its delivery for a preset, as the end of a sentence.
IN_WORDS: Mapping[Outcome, str] = {
    Outcome.REFUSED: "not a Segment event",
    Outcome.UNMATCHED: "did not match",
    Outcome.WITHHELD: "withheld",
    Outcome.ENQUEUED: "would be sent",
    Outcome.MERGED: "merged",
    Outcome.DUPLICATE: "a duplicate",
    Outcome.INVALID: "invalid",
    Outcome.MATCHED: "a cancellation",
}


#: The first sentence if all results have this outcome; their reasons follow.
_ALIKE: Mapping[Outcome, str] = {
    Outcome.WITHHELD: "Withheld.",
    Outcome.MATCHED: "A cancellation.",
    Outcome.MERGED: "One event with the other side of its order.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionReport:
    """A condition of a trigger, with the event's value."""

    #: The condition as written in the trigger.
    text: str
    held: bool
    #: A reason why the trigger is false; inside a `not` this may be a true condition.
    blamed: bool
    #: The value as JSON; `None` without a value.
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReport:
    """The result of a field of the mapping."""

    #: The field as `user_data/email`.
    field: str
    #: The searched paths, such as `context.traits.email`; empty for a constant.
    paths: tuple[str, ...]
    #: The value as JSON; `None` without a value.
    value: str | None
    #: The normalised text before hashing; "" if the value is sent unchanged.
    normalised: str
    #: The sent value as JSON (a digest for hashed fields); `None` if it is not sent.
    sent: str | None
    #: Without a value: the path of the event most similar to the searched paths, or "".
    nearest: str = ""

    @property
    def is_missing(self) -> bool:
        """Return whether the preset finds no value for the field."""
        return self.value is None and self.sent is None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetReport:
    """The result of the event with a preset of an ad account."""

    preset: str
    #: The destination's name; "" if the settings configure a single ad account, or the trigger is false.
    destination: str = ""
    #: False if its file switches the preset off.
    enabled: bool
    #: Whether its trigger is true, even if no event is sent.
    matched: bool
    conditions: tuple[ConditionReport, ...]
    outcome: Outcome
    #: Why there is no new delivery; "" if there is one.
    reason: str = ""
    #: When the earlier delivery of a duplicate was enqueued or redriven; `None` if it is no duplicate.
    seen_at: float | None = None
    #: Why the delivery would be stored without being sent; "" if sending is on.
    kept: str = ""
    #: Empty if the trigger is false, or the mapping fails.
    fields: tuple[FieldReport, ...] = ()
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event as JSON, or `None`.
    payload: bytes | None = None
    #: Violations of Pinterest's schema, a sentence each.
    schema_problems: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the preset, with the destination if ad accounts have names."""
        return preset_title(self.preset, self.destination)


def preset_title(preset: str | None, destination: str) -> str:
    """Return a preset with the name of its destination, if any."""
    return f"{preset} ({destination})" if destination else preset or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The summary of an event's result, for people."""

    level: Literal["good", "warn", "bad"]
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """The result of an event."""

    #: Exactly the sender's receipt, with finished events added to its results.
    receipt: EventReceipt
    #: A report for each preset, including disabled ones, in the catalog's order; empty for a refused event.
    presets: tuple[PresetReport, ...] = ()
    #: The maximum time that an order would wait for its counterpart; 0: no wait.
    wait_s: float = 0
    #: The nearest preset if no preset matches the event; otherwise `None`.
    nearest: Nearest | None = None

    @property
    def headline(self) -> Headline:
        """Return the summary in one or two sentences."""
        lines = self.receipt.deliveries
        sent = [preset_title(line.preset, line.destination) for line in lines if line.outcome is Outcome.ENQUEUED]
        if sent:
            count = f"{len(sent)} {'delivery' if len(sent) == 1 else 'deliveries'}"
            hold_s = max(line.hold_s for line in lines)
            held = f" Held for {hold_text(hold_s)} first." if hold_s else ""
            waits = f" Waits up to {hold_text(self.wait_s)} for the other side of its order." if self.wait_s else ""
            return Headline(level="good", title=f"{count} to Pinterest:", text=f"{', '.join(sent)}.{held}{waits}")
        outcomes = {line.outcome for line in lines}
        if Outcome.REFUSED in outcomes:
            return Headline(level="bad", title="Refused.", text=lines[0].reason)
        if Outcome.UNMATCHED in outcomes:
            why = "For each there is the condition that failed, and what the event holds there."
            if near := self._nearest_told:
                why = f"{near} {why}"
            none = ("No preset matches this event.", why) if self.presets else ("Unmatched.", f"{lines[0].reason}.")
            return Headline(level="warn", title=none[0], text=none[1])
        if len(outcomes) == 1 and outcomes <= _ALIKE.keys():
            (outcome,) = outcomes
            told = ", ".join(dict.fromkeys(each.reason for each in lines))
            return Headline(level="good" if outcome is Outcome.MERGED else "warn", title=_ALIKE[outcome], text=told)
        if outcomes == {Outcome.DUPLICATE}:
            return Headline(level="warn", title="Sent before.", text="Nothing would be sent again.")
        return Headline(level="bad", title="Matched, but nothing would be sent.", text="Each preset has its reason.")

    @property
    def _nearest_told(self) -> str:
        """Return the nearest preset with the conditions that the event fails; "" if there is none, or it matches."""
        preset = next((each for each in self.presets if self.nearest and each.preset == self.nearest.preset), None)
        if preset is None or self.nearest is None or (preset.matched and preset.enabled):
            return ""
        asked = ", ".join(f"`{each.text}`" for each in preset.conditions if each.blamed)
        return f"The nearest is {preset.preset}, which asks for {asked}." if asked else self.nearest.why


_WIRE_NAMES = {f"user_data.{field.name}": f"user_data.{field.wire}" for field in USER_FIELDS}
#: Fields of the action that are not sent: the fields of `user_data` that they become are reported instead.
_NOT_SENT = {"person_blocks", f"user_data.{FROM_BLOCKS}"}


def field_reports(
    preset: Preset,
    event: Event,
    built: Event | None,
    action: ReportConversionEvent,
    rules: ConversionSettings,
    *,
    now: float,
) -> Iterator[FieldReport]:
    """Yield a report for each field of a preset; none if its mapping has no result for the event.

    Fields without a value are only reported if the preset maps them itself, because most defaults have no value.
    `built` is the finished event; with `None` no field counts as sent.
    """
    try:
        resolved = preset.mapping.resolve(event) or {}
        rows = _explained(preset, event, action, now=now)
    except MappingError:
        return
    hashed = hashed_fields(resolved, rules)
    found = [row for row in rows if row.path not in preset.own_fields or not _is_of_nothing(row)]
    mapped = {row.path: row for row in found}
    for row in found:
        if row.path not in _NOT_SENT:
            known = hashed.get(row.path.removeprefix("user_data.")) if row.path in _WIRE_NAMES else None
            paths = tuple(read.path for read in row.reads)
            yield _report(row.path, paths, row.value, known.form if known else "", built)
    yield from _missing_fields(preset, event, mapped)
    for name, known in hashed.items():
        if known.place and f"user_data.{name}" not in mapped:
            yield _report(f"user_data.{name}", (known.place,), known.value, known.form, built)


def _missing_fields(preset: Preset, event: Event, mapped: Mapping[str, Explanation]) -> Iterator[FieldReport]:
    """Yield the fields that a preset maps itself and that have no value, including those of list items."""
    lacking: list[tuple[str, tuple[str, ...]]] = []
    for path in preset.own_fields:
        if path not in mapped:
            lacking.append((path, preset.mapping.places(path)))
        else:
            parts = preset.mapping.places_of_items(path).items()
            lacking += [(f"{path}.{name}", its) for name, its in parts if not _in_items(mapped[path].value, name)]
    for path, places in lacking:
        if places:  # a constant has no place
            field, nearest = path.replace(".", "/"), nearest_path(places, event)
            yield FieldReport(field=field, paths=places, value=None, normalised="", sent=None, nearest=nearest)


def _is_of_nothing(row: Explanation) -> bool:
    """Return whether a field has no data from the event and is empty, such as a template of empty places."""
    is_made = all(read.path == "$" for read in row.reads)  # of the whole event, regardless of its content
    return is_made and (row.value in ({}, []) or (type(row.value) is str and not row.value.strip()))


def _in_items(items: Any, name: str) -> bool:
    """Return whether any item of a list has a member, by its dotted name; True without items."""
    found: list[Any] = [item for item in items if type(item) is dict] if type(items) is list else []
    if not found:
        return True
    for key in name.split("."):
        found = [each[key] for each in found if type(each) is dict and key in each]
    return any(each is not None and each != "" for each in found)


def event_without_memory(line: PresetResult) -> Event | None:
    """Return the finished event of a result without data from memory, or `None`."""
    if line.event is None or line.memory is None:
        return line.event
    filled = {name for group in line.memory for name in GROUPS[group]}
    user_data = {name: value for name, value in line.event["user_data"].items() if name not in filled}
    return {**line.event, "user_data": user_data}


def memory_reports(line: PresetResult) -> Iterator[FieldReport]:
    """Yield the data from memory as fields, with its age and the type of event that provided it."""
    for group, recalled in (line.memory or {}).items():
        place = f"memory: {_age(recalled.age_s)} old, by {recalled.by}"
        for name in GROUPS[group]:
            sent = _sent(line.event or {}, f"user_data.{name}")
            if sent is not None:
                field = f"user_data/{name}"
                yield FieldReport(field=field, paths=(place,), value=None, normalised="", sent=shown_json(sent))


def _age(seconds: float) -> str:
    """Return an age in the largest unit of which there are at least two."""
    for unit, name in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _report(path: str, paths: tuple[str, ...], value: Any, form: str, built: Event | None) -> FieldReport:
    sent = _sent(built or {}, path)
    return FieldReport(
        field=path.replace(".", "/"),
        paths=paths,
        value=shown_json(value),
        normalised=form,
        sent=None if sent is None else shown_json(sent),
    )


def _explained(preset: Preset, event: Event, action: ReportConversionEvent, *, now: float) -> Sequence[Explanation]:
    """Return the origin of each field that the action read, and the rejected candidate of a rejected event."""
    recorded = preset.mapping.recorded(event)
    try:
        built, _ = action(recorded.given(), now=now)
    except EventInvalid:
        recorded.find_all()
        return recorded.explanations()
    return recorded.explanations(lambda path: _sent(built, path) is not None)


def _sent(built: Mapping[str, Any], path: str) -> Any:
    """Return the value of the finished event for a field of the mapping, or `None`."""
    value: Any = built
    for key in wire_path(path).split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


#: Maximum length of a condition's value.
MAX_FOUND_CHARACTERS: Final = 1_000


def shown_json(value: Any) -> str:
    """Return a value of an event as JSON. orjson refuses more than 254 levels."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False)


def _excerpt(text: str) -> str:
    """Return a text, cut to `MAX_FOUND_CHARACTERS`, because many conditions may have the same long value."""
    return text if len(text) <= MAX_FOUND_CHARACTERS else f"{text[:MAX_FOUND_CHARACTERS]}…"


#: The preset and the destination of a result.
_Key: TypeAlias = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foreseen:
    """The preview of a request's events. By preset and destination only for a single event."""

    receipt: Receipt
    #: The finished events, including those withheld by an opt-out or dropped as duplicates.
    finished: Mapping[_Key, Any]
    #: The earlier deliveries that would be repeated, or merged into.
    seen: Mapping[_Key, Seen | None]
    #: The maximum time that an order would wait for its counterpart.
    wait_s: float


class Explainer:
    """Previews the results of events. Without an outbox every event counts as new."""

    def __init__(
        self,
        router: Router,
        *,
        outbox: Outbox | None = None,
        why_kept: WhyOff | None = None,
        secret: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """Use a router, and the outbox with earlier deliveries.

        `secret` returns the key of ids, for settings without one. `why_kept` returns why the deliveries of a preset to
        an ad account are stored without being sent, or `None`.
        """
        #: The router of events.
        self.router = router
        self._outbox = outbox
        self._why_kept = why_kept or (lambda *_: None)
        self._secret = secret

    async def explain(
        self, event: Event | EventRefused, catalog: Catalog, *, now: float, source: str = DEFAULT_SOURCE
    ) -> EventReport:
        """Return the report about an event of this source, read as its endpoint reads it. Raises OutboxUnavailable."""
        if isinstance(event, EventRefused):
            return EventReport(receipt=receipt_of_refusal(event))
        is_trusted = self.router.traits_of(source).is_trusted
        intake = Intake([event], now=now, source=source, is_trusted=is_trusted, is_relayed=True)
        foreseen = await self._foresee(intake, catalog)
        (receipt,) = foreseen.receipt.events
        lines = [replace(line, event=foreseen.finished.get(_key(line))) for line in receipt.deliveries]
        key = EventKey(source, event["type"], given_name(event))
        reports = self._reports(event, catalog, lines, foreseen.seen, now, source)
        return EventReport(
            receipt=replace(receipt, deliveries=tuple(lines)),
            presets=await asyncio.to_thread(tuple[PresetReport, ...], reports),
            wait_s=foreseen.wait_s,
            nearest=nearest_preset(key, (), catalog) if lines[0].outcome is Outcome.UNMATCHED else None,
        )

    async def receipt(self, intake: Intake, catalog: Catalog) -> Receipt:
        """Return the receipt of `Pipeline.accept` without reports: for many events.

        Raises OutboxUnavailable.
        """
        return (await self._foresee(intake, catalog)).receipt

    async def _foresee(self, intake: Intake, catalog: Catalog) -> _Foreseen:
        """Simulate `Pipeline.accept` without storing anything. Raises OutboxUnavailable."""
        if self.router.reader is not None and self._secret is not None:
            await self.router.reader.id_keys.ask(self._secret)
        if self.router.waits is not None:
            await self.router.waits.look(intake.now)
        consents = self.router.consents
        if consents is not None and self._outbox is not None:
            await consents.look(self._outbox, max_age_s=0)
        some, drafts = list(intake.events), IntakeBatch(intake)
        memory = await self._memory(some, intake)
        # Other requests continue meanwhile: an event of 200 kB takes longer than a step of the event loop may.
        await asyncio.to_thread(deque, draft(self.router, some, catalog, drafts, memory), 0)
        asked = drafts
        if consents is not None and self._outbox is not None:
            asked, _ = await consents.ask(drafts, self._outbox)
        seen = await self._seen(asked.deliveries, intake.now)
        answers = [
            Enqueued(outcome=each.outcome, reason=each.reason, warnings=each.warnings)
            if each
            else Enqueued(outcome=Outcome.ENQUEUED)
            for each in seen
        ]
        ways = zip(asked.deliveries, (answer.outcome for answer in answers), strict=True)
        finished = (orjson.loads(each.payload) for each in drafts.deliveries)
        return _Foreseen(
            receipt=asked.receipt(answers),
            finished=dict(zip(_sent_keys(drafts), finished, strict=True)),
            seen=dict(zip(_sent_keys(asked), seen, strict=True)),
            wait_s=max((each.wait_s for each, outcome in ways if outcome is Outcome.ENQUEUED), default=0),
        )

    async def _memory(self, events: Sequence[Event | EventRefused], intake: Intake) -> RequestMemory:
        """Return the memory for these events; their changes are discarded."""
        memory = RequestMemory(
            self.router.enrichment,
            events,
            self._outbox,
            public_key=intake.public_key,
            is_known=intake.is_known,
            now=intake.now,
        )
        await memory.load(len(events))
        return memory

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
        source: str,
    ) -> Iterator[PresetReport]:
        """Yield a report for each result of a preset, and for each preset without a result."""
        for preset in catalog.presets:
            finding = preset.trigger.explain(event)
            own = [line for line in lines if line.preset == preset.name]
            for line in own or [_line_of_none(preset, lines[0], matched=finding.held)]:
                account = self.router.account(line.destination, source)
                yield self._report(preset, event, line, finding, seen.get(_key(line)), now, account)

    def _report(
        self,
        preset: Preset,
        event: Event,
        line: PresetResult,
        finding: Finding,
        earlier: Seen | None,
        now: float,
        account: AdAccount,
    ) -> PresetReport:
        blamed = {id(part) for part in finding.blamed()}
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
                    blamed=id(part) in blamed,
                    found=None if part.found is ABSENT else _excerpt(shown_json(part.found)),
                )
                for part in finding.conditions()
            ),
            outcome=line.outcome,
            reason=line.reason,
            seen_at=earlier.at if earlier and earlier.reason else None,
            kept=(self._why_kept(preset.name, account.ad_account_id) or "") if line.outcome is Outcome.ENQUEUED else "",
            fields=tuple(_fields(preset, event, line, account.making, now)) if finding.held else (),
            warnings=line.warnings,
            payload=orjson.dumps(line.event) if line.event else None,
            schema_problems=tuple(judge(line.event, now, event_names=event_names)) if line.event else (),
        )


def _fields(
    preset: Preset, event: Event, line: PresetResult, making: BuildProfile, now: float
) -> Iterator[FieldReport]:
    mapping = preset.mapping.under(making.content_id)
    preset = dataclasses.replace(preset, mapping=mapping)
    yield from field_reports(preset, event, event_without_memory(line), making.action, making.rules, now=now)
    yield from memory_reports(line)


def wire_path(field: str) -> str:
    """Return the path in the finished event for a field of a mapping (`user_data.email`): `user_data.em`."""
    dotted = field.replace("/", ".")
    return _WIRE_NAMES.get(dotted, dotted)


def places_in_words(
    preset: Preset, event: Event | EventRefused, line: PresetResult, making: BuildProfile, path: str, *, now: float
) -> str:
    """Return the searched paths of a value in the finished event, as a text to append; "" if unknown."""
    if isinstance(event, EventRefused):
        return ""
    for report in _fields(preset, event, line, making, now):
        wire = wire_path(report.field)
        if report.paths and (path == wire or path.startswith(f"{wire}.")):
            nearest = f"; nearest: {report.nearest}" if report.nearest else ""
            return f" (from {', '.join(report.paths)}{nearest})"
    return ""


def hashed_input(
    preset: Preset, event: Event, line: PresetResult, making: BuildProfile, path: str, *, now: float
) -> str:
    """Return the place and the form of the text that was hashed for a field; "" if the field is not hashed.

    In the form each letter is `x` and each digit `9`, as in `context.traits.phone: +99999999999`.
    """
    for report in _fields(preset, event, line, making, now):
        if report.normalised and path == wire_path(report.field):
            return f"{', '.join(report.paths) or 'a fixed text'}: {_form(report.normalised)}"
    return ""


def _form(text: str) -> str:
    return "".join("9" if each.isdecimal() else each if each in "@.+-, " else "x" for each in text)


def _key(line: PresetResult) -> _Key:
    return line.preset, line.destination


def _sent_keys(drafts: IntakeBatch) -> Iterator[_Key]:
    """Yield the keys of the results of `deliveries`; of several events the later ones count."""
    return (_key(line) for event in drafts.events for line in event.deliveries if line.outcome is Outcome.ENQUEUED)


def _line_of_none(preset: Preset, first: PresetResult, *, matched: bool) -> PresetResult:
    """Return the result of a preset without one in the receipt; `first` is the receipt's first result."""
    if not matched:
        return PresetResult(preset=preset.name, outcome=Outcome.UNMATCHED, reason="the trigger does not hold")
    if not preset.enabled:
        return PresetResult(
            preset=preset.name, outcome=Outcome.UNMATCHED, reason="`enabled: false` in its file takes it out"
        )
    return PresetResult(preset=preset.name, outcome=first.outcome, reason=first.reason)
