"""The file of a source of kind `mapped`, compiled: records of any JSON become Segment events.

The language is that of presets: a trigger chooses the records, a mapping says what stands where. It reads `body`,
`headers`, `query`, `cloudevent`, `method`, `ip`, and `item` where the event is made for each member of a list.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.catalog.fields import lay_over
from app.catalog.source_files import EventFile, SourceFile
from app.errors import EventRefused, EventUntaken, Fault, MappingError, TriggerError
from app.mapping import Mapping as CompiledMapping
from app.mapping import compile_mapping
from app.trigger import Readable, Trigger, compile_trigger
from app.values.event_names import RECORD

#: What a record has; see app/source/raw_records.py.
RECORD_FIELDS: Final = Readable(flat=("method", "ip"), nested=("body", "headers", "query", "cloudevent", "item"))

_UNTAKEN: Final = "no trigger of the source takes it"
#: A condition such as `headers.x-topic = "orders/paid"`.
_ASKS_FOR_NAME: Final = re.compile(r"""(?<![!<>])=\s*["']""")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent:
    """One kind of event, compiled."""

    trigger: Trigger
    mapping: CompiledMapping
    #: Finds the list that gives an event each; None makes one event of the record.
    each: CompiledMapping | None

    def makes(self, record: dict[str, Any]) -> list[Any]:
        """Return the events of a record: none where the trigger does not hold. Raises MappingError."""
        return [_event(self.mapping, each) for each in self._items(record) if self.trigger.matches(each)]

    def _items(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        if self.each is None:
            return [record]
        found = (self.each.resolve(record) or {}).get("item")
        items = found if isinstance(found, list) else [] if found is None else [found]
        return [{**record, "item": item} for item in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaping:
    """Every kind of event of one source."""

    events: tuple[RecordEvent, ...]

    def __call__(self, record: dict[str, Any]) -> Sequence[Any | EventRefused]:
        """Return the events that a record gives, or why there is none."""
        try:
            made = [event for each in self.events for event in each.makes(record)]
        except MappingError as exc:
            return [EventRefused(str(exc))]
        return made or [EventUntaken(_UNTAKEN, named=self._told(record))]

    def _told(self, record: dict[str, Any]) -> tuple[str, str] | None:
        """Return how a record names itself where the triggers ask for a name; None where it does not."""
        asked = (part for each in self.events for part in each.trigger.explain(record).conditions())
        names = (part.found for part in asked if _ASKS_FOR_NAME.search(part.text))
        name = next((name for name in names if isinstance(name, str) and name), None)
        return None if name is None else (RECORD, name)


def _event(mapping: CompiledMapping, record: dict[str, Any]) -> Any:
    """Return what the mapping makes: an object of its own, which whoever gets it may complete."""
    made = mapping.resolve(record)
    return dict(made) if isinstance(made, dict) else made


def compile_reshaping(spec: SourceFile) -> tuple[Reshaping | None, list[Fault]]:
    """Return what makes events of a source's records, None where its file has faults, and all of them."""
    found: list[Fault] = []
    events = [_compiled(each, spec, f"/events/{number}", found) for number, each in enumerate(spec.events)]
    whole = tuple(each for each in events if each is not None)
    return (None if found else Reshaping(events=whole)), found


def _compiled(event: EventFile, spec: SourceFile, place: str, faults: list[Fault]) -> RecordEvent | None:
    trigger = each = mapping = None
    try:
        trigger = compile_trigger(event.subscribe, RECORD_FIELDS)
    except TriggerError as exc:
        faults.append(Fault(f"{place}/subscribe", str(exc)))
    try:
        each = None if event.each is None else compile_mapping({"item": {"@path": event.each}}, prefix=place)
    except MappingError as exc:
        faults.extend(Fault(f"{place}/each", fault.message) for fault in exc.faults)
    whole = lay_over(spec.mapping, event.mapping)
    try:
        mapping = compile_mapping(whole, prefix=f"{place}/mapping")
    except MappingError as exc:
        faults.extend(exc.faults)
    if "type" not in whole:
        faults.append(Fault(f"{place}/mapping", "has no `type`: say track, page or identify"))
    if trigger is None or mapping is None:
        return None
    return RecordEvent(trigger=trigger, mapping=mapping, each=each)
