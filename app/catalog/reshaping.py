"""The compiled file of a source of kind `mapped`, which converts records of any JSON to Segment events.

The language is that of presets: a trigger selects the records, a mapping defines the event. The mapping reads `body`,
`headers`, `query`, `cloudevent`, `method`, `ip`, and `item` if an event is created for each member of a list.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from app.catalog.fields import merge_mappings
from app.catalog.mappings import compile_mapping
from app.catalog.presets import faults_of_constants
from app.catalog.source_files import EventFile, SourceFile, unknown_path_faults
from app.core.values.event_names import RECORD
from app.core.values.order_channels import by_channel
from app.core.values.placeholders import flag_is_given, is_id
from app.errors import EventRefused, EventUntaken, Fault, MappingError, TriggerError
from app.mapping import Mapping as CompiledMapping
from app.mapping import Readers
from app.trigger import Readable, Trigger, compile_trigger

#: The members of a record; see app/source/raw_records.py.
RECORD_FIELDS: Final = Readable(flat=("method", "ip"), nested=("body", "headers", "query", "cloudevent", "item"))

#: For a record that is not a member of a list.
_WITHOUT_ITEM: Final = Readable(flat=RECORD_FIELDS.flat, nested=RECORD_FIELDS.nested[:-1])
_FIELDS: Final = (*RECORD_FIELDS.nested, *RECORD_FIELDS.flat)

#: Members of an event that identify the event, and its order.
_IDS: Final = (("messageId",), ("properties", "event_id"), ("properties", "order_id"))
#: A placeholder as the id of an event would make all but the first event duplicates.
_READERS: Final = Readers(at_once={"messageId": is_id})
#: The prefix of faults of a mapping; the place of the event is added.
_PREFIX: Final = "/mapping"
#: The types of Segment's events; a mapping with other types would create events that are refused.
_TYPES: Final = frozenset({"track", "page", "screen", "identify", "group", "alias", "delete"})
_UNTAKEN: Final = "no trigger of the source matches it"
#: A condition such as `headers.x-topic = "orders/paid"`.
_ASKS_FOR_NAME: Final = re.compile(r"""(?<![!<>])=\s*["']""")
_ASKS_MEMBER: Final = re.compile(r"item\b")


#: The path to an object in a record.
_Keys: TypeAlias = tuple[str, ...]
#: Objects to search, by their keys, each with its inner objects.
_Tree: TypeAlias = dict[str, "_Tree"]

_DEVICE: Final = "device"
#: By spelling: the place in the event's `context`.
_PLACES: Final[Mapping[str, _Keys]] = {
    **dict.fromkeys(("opt_out", "optOut"), ("opt_out",)),
    **dict.fromkeys(("opt_out_type", "optOutType"), ("opt_out_type",)),
    "gpc": ("gpc",),
    **dict.fromkeys(("adTrackingEnabled", "ad_tracking_enabled"), (_DEVICE, "adTrackingEnabled")),
    **dict.fromkeys(("attTrackingStatus", "att_tracking_status"), (_DEVICE, "attTrackingStatus")),
    **dict.fromkeys(("trackingStatus", "tracking_status"), (_DEVICE, "trackingStatus")),
}
#: In other objects the tracking status is that of a parcel.
_OF_DEVICES: Final = frozenset({"trackingStatus", "tracking_status"})
_DEVICES: Final = frozenset({_DEVICE, "device_info"})
#: Frequent objects of `body` and `item`, searched even if a mapping does not read them.
_USUAL: Final[tuple[_Keys, ...]] = (
    (),
    *[(name,) for name in ("properties", "params", "traits", _DEVICE, "user_data", "user_properties", "metadata")],
    *[("context",), ("context", "traits"), ("context", _DEVICE), ("note_attributes",), ("meta_data",)],
)


class PrivacyPlaces:
    """Finds opt-outs in records and adds them to the event, so that no source file can omit them.

    The search covers all objects that the source's mapping reads, the usual objects, and lists of names and values, the
    format of order attributes in shops. Opt-outs are added to the event's `context`, together with the values of the
    mapping: a single opt-out wins over any opt-in.
    """

    def __init__(self, asked: Iterable[_Keys], *, of_list: bool) -> None:
        """Use the objects that the mapping reads; `of_list`: an event is created for each `item` of a list in the body.

        Then lists in the body are skipped: data about other items does not apply to this item.
        """
        self._trees: dict[str, _Tree] = {"body": {}, "item": {}, "query": {}, "cloudevent": {}}
        usual = ((root, *keys) for root in ("body", "item") for keys in _USUAL)
        for root, *keys in filter(None, (*asked, *usual)):
            tree = self._trees.get(root, {})  # no other root is searched
            for key in keys:
                tree = tree.setdefault(key, {})
        self._of_list = of_list

    def tell(self, event: dict[str, Any], record: Mapping[str, Any]) -> None:
        """Add the opt-outs of a record to the `context` of its event."""
        said: dict[str, Any] = {}
        for root in self._trees.keys() & record.keys():
            _look(record[root], self._trees[root], said, in_lists=not self._of_list or root == "item")
        if said:
            event["context"] = _beside(event.get("context"), said)


def _look(value: Any, tree: _Tree, said: dict[str, Any], *, in_lists: bool, is_device: bool = False) -> None:
    if type(value) is list and in_lists:
        for item in value:
            _look(item, tree, said, in_lists=True, is_device=is_device)
    if type(value) is not dict:
        return
    if not _PLACES.keys().isdisjoint(value):
        for name in _PLACES.keys() & value.keys():
            if is_device or name not in _OF_DEVICES:
                _add(said, name, value[name])
    if "value" in value:
        named = value.get("name", value.get("key"))
        if type(named) is str and named in _PLACES and named not in _OF_DEVICES:
            _add(said, named, value["value"])
    for key in tree.keys() & value.keys():
        _look(value[key], tree[key], said, in_lists=in_lists, is_device=key in _DEVICES)


def _add(said: dict[str, Any], name: str, value: Any) -> None:
    if type(value) is dict and "value" in value:  # as in GA4's user properties
        value = value["value"]
    if flag_is_given(value):
        *above, last = _PLACES[name]
        holder = said.setdefault(above[0], {}) if above else said
        holder.setdefault(last, []).append(value)


def _beside(own: Any, said: dict[str, Any]) -> Any:
    """Return an object with the opt-outs added to its own members; a list if the value is not an object."""
    if own is None:
        own = {}
    if type(own) is not dict:
        return [*(own if type(own) is list else [own]), _beside(None, said)]
    told = {}
    for name, values in said.items():
        mine = own.get(name)
        told[name] = _beside(mine, values) if type(values) is dict else values if mine is None else [mine, *values]
    return own | told


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent:
    """A compiled entry of a source's `events`: its trigger, and the mapping of the event."""

    name: str
    #: The JSON pointer of the entry in the file, such as `/events/0`.
    place: str
    trigger: Trigger
    #: A condition that the record must meet under this name; `None`: no condition.
    requires: Trigger | None
    mapping: CompiledMapping
    privacy: PrivacyPlaces

    def made(self, record: dict[str, Any]) -> dict[str, Any] | EventRefused:
        """Return the event of the mapping: a new object, which the caller may modify. Raises MappingError."""
        if self.requires is not None and not self.requires.matches(record):
            failed = next(part.text for part in self.requires.explain(record).blamed())
            told = f'the record has not the form of "{self.name}": {failed} does not hold'
            return EventRefused(f"{told}; it was sent under another name, or its webhook leaves fields out")
        try:
            event = by_channel(dict(self.mapping.resolve(record)))
        except MappingError as exc:
            raise MappingError(_faults_below(self.place, exc)) from None
        self.privacy.tell(event, record)
        return event


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvents:
    """The kinds of events that are created from the record itself, or from each member of a list in it."""

    kinds: tuple[RecordEvent, ...]
    #: The path of the list; `None` if events come from the record itself.
    each: CompiledMapping | None
    #: Whether a trigger compares a field of a list's member with a text. Then each member is an event with a name, and
    #: a member without a matching trigger is reported.
    are_named: bool

    def __call__(self, record: dict[str, Any]) -> Iterator[Any | EventRefused]:
        """Yield the events of a record in order; an EventUntaken for a list member without a matching trigger."""
        for each in self._items(record):
            yield from self._made(each)

    def _items(self, record: dict[str, Any]) -> Iterable[dict[str, Any]]:
        if self.each is None:
            return [record]
        found = (self.each.resolve(record) or {}).get("item")
        items = found if isinstance(found, list) else [] if found is None else [found]
        return ({**record, "item": item} for item in items)

    def _made(self, record: dict[str, Any]) -> list[Any | EventRefused]:
        try:
            made: list[Any | EventRefused] = [kind.made(record) for kind in self.kinds if kind.trigger.matches(record)]
        except MappingError as exc:
            return [EventRefused(str(exc))]
        return made if made or not self.are_named else [EventUntaken(_UNTAKEN, named=self.named(record))]

    def named(self, record: dict[str, Any]) -> tuple[str, str] | None:
        """Return the name of a record without a matching trigger; `None` if it has none.

        The name is the text at the first field that a trigger compares with a text, such as `headers.x-topic`. For a
        member of a list only its own fields count, and only those that fail the trigger: if all members are a
        `commerce_event`, that text does not distinguish them.
        """
        asked = (part for kind in self.kinds for part in kind.trigger.explain(record).conditions())
        if self.are_named:
            asked = (part for part in asked if not part.held and _ASKS_MEMBER.match(part.text))
        names = (part.found for part in asked if _ASKS_FOR_NAME.search(part.text))
        name = next((name for name in names if isinstance(name, str) and name), None)
        return None if name is None else (RECORD, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaping:
    """All kinds of events of a source."""

    events: tuple[RecordEvents, ...]
    #: The path of a record's name; `None` if the source's file has none.
    named_by: CompiledMapping | None = None

    def __call__(self, record: dict[str, Any]) -> Iterator[Any | EventRefused]:
        """Yield the events of a record, or an EventUntaken if it has none."""
        gives = False
        if self.named_by is not None:
            name = (self.named_by.resolve(record) or {}).get("name")
            record = {**record, "name": name.strip().lower() if isinstance(name, str) else None}
        for each in self.events:
            for event in each(record):
                gives = True
                yield event
        if not gives:
            named = (each.named(record) for each in self.events)
            yield EventUntaken(_UNTAKEN, named=next(filter(None, named), None))


def compile_reshaping(spec: SourceFile) -> tuple[Reshaping | None, list[Fault]]:
    """Return the compiled events of a source, `None` if its file has faults, and all faults."""
    found: list[Fault] = []
    by_list: dict[str, list[tuple[RecordEvent, CompiledMapping | None]]] = {}
    shared: CompiledMapping | None = None
    for number, event in enumerate(spec.events):
        compiled = _compiled(event, spec, f"/events/{number}", found, shared)
        if compiled is not None:
            by_list.setdefault((event.each or "").removeprefix("$."), []).append(compiled)
            shared = compiled[0].mapping
    named_by = _path("name", spec.named_by, "/named_by", "", found)
    events = tuple(map(_together, by_list.values()))
    return (None if found else Reshaping(events=events, named_by=named_by)), found


def _path(name: str, path: str | None, place: str, prefix: str, faults: list[Fault]) -> CompiledMapping | None:
    """Return the compiled path of a record's value; `None` without a path, or if it has a fault, which is added."""
    if path is None:
        return None
    found = None
    try:
        found = compile_mapping({name: {"@path": path}}, prefix=prefix)
        told = list(unknown_path_faults({"@path": path}, _FIELDS, prefix))
    except MappingError as exc:
        told = list(exc.faults)
    faults.extend(Fault(place, fault.message) for fault in told)
    return found


def _together(compiled: list[tuple[RecordEvent, CompiledMapping | None]]) -> RecordEvents:
    kinds = tuple(kind for kind, _ in compiled)
    _, each = compiled[0]
    asked = (part.text for kind in kinds for part in kind.trigger.explain({}).conditions())
    are_named = any(_ASKS_MEMBER.match(text) and _ASKS_FOR_NAME.search(text) for text in asked)
    return RecordEvents(kinds=kinds, each=each, are_named=each is not None and are_named)


def _compiled(
    event: EventFile, spec: SourceFile, place: str, faults: list[Fault], shared: CompiledMapping | None
) -> tuple[RecordEvent, CompiledMapping | None] | None:
    """Return a kind of event and the path of its list; `None` if either has a fault, which is added.

    `shared` is the mapping of another kind of event: objects of the source's mapping are compiled only once.
    """
    trigger = mapping = requires = None
    fields = RECORD_FIELDS if event.each else _WITHOUT_ITEM
    if spec.named_by is not None:
        fields = Readable(flat=(*fields.flat, "name"), nested=fields.nested)
    try:
        trigger = compile_trigger(event.subscribe, fields)
    except TriggerError as exc:
        faults.append(Fault(f"{place}/subscribe", str(exc)))
    try:
        requires = compile_trigger(event.requires, fields) if event.requires else None
    except TriggerError as exc:
        faults.append(Fault(f"{place}/requires", str(exc)))
    each = _path("item", event.each, f"{place}/each", place, faults)
    whole = merge_mappings(spec.mapping, event.mapping)
    try:
        mapping = compile_mapping(whole, prefix=_PREFIX, readers=_READERS, like=shared)
        faults.extend(unknown_path_faults(whole, _FIELDS, f"{place}/mapping"))
        faults.extend(faults_of_constants(whole, mapping, _IDS, f"{place}/mapping", of_records=True))
    except MappingError as exc:
        faults.extend(_faults_below(place, exc))
    if "type" not in whole:
        faults.append(Fault(f"{place}/mapping", "has no `type`: set track, page or identify"))
    elif isinstance(whole["type"], str) and whole["type"] not in _TYPES:
        faults.append(
            Fault(f"{place}/mapping/type", f"{whole['type']!r} is not an event type: set track, page or identify")
        )
    if trigger is None or mapping is None:
        return None
    privacy = PrivacyPlaces(mapping.asked, of_list=event.each is not None)
    made = RecordEvent(
        name=event.name, place=place, trigger=trigger, requires=requires, mapping=mapping, privacy=privacy
    )
    return made, each


def _faults_below(place: str, error: MappingError) -> list[Fault]:
    """Return the faults of a mapping that was compiled with the prefix `_PREFIX`, with their places in the file."""
    return [replace(fault, path=f"{place}{fault.path}") for fault in error.faults]
