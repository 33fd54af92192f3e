"""Compile the text of a preset or mapping file to a preset or action, or to the list of its faults."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from app.catalog.document import read_document
from app.catalog.fields import (
    check_fields,
    default_fields,
    fill_from_blocks,
    is_plain,
    merge_mappings,
    place_of_default,
    with_unlisted_fields,
)
from app.catalog.files import ActionFile, FileTest, PresetFile
from app.catalog.mappings import compile_mapping
from app.catalog.opt_outs import defaults_with_opt_outs, unknown_drops, with_shipped_opt_outs
from app.catalog.yaml_files import in_words, parse_yaml, place
from app.core.events import Event
from app.core.fields import ORDER_DETAILS, USER_FIELDS
from app.core.values.placeholders import says_nothing
from app.core.values.times import MAX_HOLD_S
from app.destination import USABLE_AT_ONCE, usable_parts
from app.destination.conversion_event import FIELD_READERS
from app.destination.members import all_members
from app.errors import Fault, MappingError, TriggerError
from app.identity import GROUPS, groups_named
from app.mapping import MISSING, Readers
from app.mapping import Mapping as CompiledMapping
from app.trigger import Trigger, compile_trigger

#: Fields of the action about the person, the person's permissions, and the place of the event.
_ASKED: Final = ("user_data", "person_blocks", "opt_out", "gpc", "advertiser_tracking_enabled", "event_source_url")
_WIRES: Final = {field.name: field.wire for field in USER_FIELDS}
#: Fields that a preset decides if it maps `person_blocks` itself.
_OF_BLOCKS: Final = frozenset(
    each.identity.memory_group for each in USER_FIELDS if each.reading.block not in (None, "check")
)


def person_fields(action: ActionFile) -> dict[str, Any]:
    """Return the part of the action's defaults about the person of an event."""
    defaults = defaults_with_opt_outs(action)
    found = {name: defaults[name] for name in _ASKED if name in defaults}
    opt_out_type = defaults.get("custom_data", {}).get("opt_out_type")
    return fill_from_blocks(found | {"custom_data": {"opt_out_type": opt_out_type}}, action)


def groups_from_memory(preset: PresetFile) -> frozenset[str]:
    """Return the groups of facts that memory may add to a preset's deliveries: those that the preset does not map."""
    own = preset.mapping.get("user_data", {})
    if not preset.remember or not is_plain(own):
        return frozenset()
    named = groups_named([_WIRES.get(name, name) for name in own])
    return frozenset(GROUPS) - named - (_OF_BLOCKS if "person_blocks" in preset.mapping else frozenset())


def finds_person(preset: PresetFile) -> bool:
    """Return whether a preset leaves all fields about the person to the action's defaults."""
    custom_data = preset.mapping.get("custom_data", {})
    return preset.mapping.keys().isdisjoint(_ASKED) and is_plain(custom_data) and "opt_out_type" not in custom_data


_PATH: Final = re.compile(r"\$(?:\.\D|\[)|(?:properties|context|traits)\.\w")
#: The same in a source, whose paths start at a record.
_PATH_OF_RECORD: Final = re.compile(r"\$(?:\.\D|\[)|(?:body|headers|query|item)\.\w")
_IN_BRACES: Final = "{{"
#: Values of these directives are paths, literals, or texts for people.
_READ: Final = frozenset({"@path", "@literal", "@liquid", "@blocks", "_metadata"})
#: The first option is a path, the second a shape, the third an object of options.
_OF_LISTS: Final = frozenset({"@arrayPath", "@each"})
#: An option with paths as plain text.
_PATHS_IN: Final[Mapping[str, str]] = {"@netAmount": "goods", "@productId": "of"}
#: The option that is a value.
_OF_TEXTS: Final[Mapping[str, str]] = {
    "@replace": "value",
    "@prefixed": "value",
    "@flatten": "value",
    "@queryParameter": "url",
}


def faults_of_constants(
    value: Any, mapping: CompiledMapping, ids: Iterable[tuple[str, ...]], at: str, *, of_records: bool = False
) -> list[Fault]:
    """Return a fault for each text that would be the same for every event.

    Such texts are paths without a directive, and constants at `ids`. `mapping` is the compiled form of `value`,
    possibly with defaults. `of_records`: the mapping reads records, not events.
    """
    found = {fault.path: fault for fault in unread_paths(value, at, _PATH_OF_RECORD if of_records else _PATH)}
    for keys in ids:
        place = f"{at}/{'/'.join(keys)}"
        given = mapping.literal(*keys)
        if given is not MISSING and not says_nothing(given):
            found.setdefault(place, Fault(place, "is the same for every event, so all but the first are duplicates"))
    return list(found.values())


def unread_paths(value: Any, at: str, path: re.Pattern[str] = _PATH) -> Iterator[Fault]:
    """Yield a fault for each text of a mapping that looks like a path or a template but is a constant.

    A text in `@literal` is no fault.

    >>> [str(fault) for fault in unread_paths({"email": "$.userId"}, "/mapping")]
    ['/mapping/email: `$.userId` is sent as it is written: write {"@path": "$.userId"}, or @literal where meant']
    >>> list(unread_paths({"email": {"@path": "$.userId"}}, "/mapping"))
    []
    """
    if isinstance(value, str):
        directive = "@template" if _IN_BRACES in value else "@path" if path.match(value) else None
        if directive:
            yield Fault(
                at, f'`{value}` is sent as it is written: write {{"{directive}": "{value}"}}, or @literal where meant'
            )
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from unread_paths(item, f"{at}/{number}", path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_member(key, inner, f"{at}/{key}", path)


def _of_member(key: str, value: Any, at: str, path: re.Pattern[str]) -> Iterator[Fault]:
    """Yield the faults of a member, which may be a directive with its options."""
    if key == "@template" and isinstance(value, str):
        if _IN_BRACES not in value and path.match(value):
            yield Fault(at, f"`{value}` has no braces: write {{{{{value.removeprefix('$.')}}}}}")
    elif key in _OF_LISTS and isinstance(value, list):
        for shape in value[1:2]:
            yield from unread_paths(shape, f"{at}/1", path)
    elif key in _OF_TEXTS and isinstance(value, dict):
        yield from unread_paths(value.get(_OF_TEXTS[key]), f"{at}/{_OF_TEXTS[key]}", path)
    elif key in _PATHS_IN and isinstance(value, dict):
        yield from unread_paths({name: each for name, each in value.items() if name != _PATHS_IN[key]}, at, path)
    elif key not in _READ:
        yield from unread_paths(value, at, path)


#: The only action: its file has the same name.
ACTION = "report_conversion_event"
#: Events are identified by the first id, checkouts also by the second.
_IDS = (("event_id",), ("custom_data", "order_id"))
#: Fields whose result depends on choices, settings and the country of the event.
_READ_OTHERWISE = {"event_name", "action_source", "user_data"}
#: The cache size for texts of each kind: a full catalog, and the drafts of another.
_REMEMBERED = 100
#: Maximum number of reported faults of a file, because the search for similar names is slow.
MOST_FAULTS = 50
#: A directive may return a list of objects for it, one for each person.
_OF_SEVERAL_PEOPLE = ("user_data",)
#: The readers that decide which values choices accept.
_READERS = Readers(at_once=USABLE_AT_ONCE, of_parts=usable_parts())

#: Without the file.
Faults: TypeAlias = tuple[Fault, ...]
_File = TypeVar("_File", bound=BaseModel)


class Overlap(NamedTuple):
    """Presets that count the same conversions under other names, and the trigger for events that may be theirs."""

    presets: Collection[str]
    withheld: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A compiled preset: its trigger and its mapping. Shared, so it must not be modified."""

    name: str
    #: The displayed path, such as `presets/checkout.yaml`.
    file: str
    description: str
    enabled: bool
    trigger: Trigger
    mapping: CompiledMapping
    #: The source of `mapping`: the action's defaults, overridden by the preset's fields.
    fields: dict[str, Any]
    #: The fields that the preset maps itself, dotted: `user_data.email`.
    own_fields: Collection[str]
    #: Paths of shipped opt-outs that the preset does not read.
    drops_opt_out: Sequence[str]
    #: Names of other presets that may take the same events.
    also: Collection[str]
    #: `None` if no other preset counts the same conversions.
    overlaps: Overlap | None
    #: Enabled presets of `overlaps`. Events of `overlaps.withheld` are withheld if there are any.
    overlapping: tuple[str, ...] = ()
    #: A Segment event that the preset matches; `None` if the file has none.
    example: Event | None
    tests: Sequence[FileTest]
    #: The delay of its deliveries, in seconds.
    hold_s: float
    #: The trigger of events that cancel an order; `None` if there are no such events.
    withdrawn_by: Trigger | None
    #: The groups of `app.identity.GROUPS` that memory may add: those that the preset does not map itself.
    remembered: frozenset[str]
    #: The person and the person's permissions come from the action's defaults.
    finds_person: bool

    @property
    def overlap_reason(self) -> str:
        """Return why events of `overlaps.withheld` are withheld, if `overlapping` has a preset, with a remedy."""
        others = " and ".join(map(repr, self.overlapping))
        return f"{others} may count the same events as {self.name!r}: switch off one of these presets"


@dataclass(frozen=True, slots=True, eq=False)
class CompiledAction:
    """The action, and the base of presets' mappings. Equal only to itself, so that it can be a key of a cache."""

    file: ActionFile
    defaults: dict[str, Any]
    mapping: CompiledMapping


@lru_cache(_REMEMBERED)
def read_action(text: str) -> tuple[CompiledAction | None, Faults]:
    """Return the action of a file's text, `None` if it has faults, and its faults.

    Its defaults are compiled separately, so that their faults are reported once and not for every preset.
    """
    file, faults = parse_file(ActionFile, text)
    return (None, faults) if file is None else compile_action(file)


def compile_action(file: ActionFile, like: CompiledMapping | None = None) -> tuple[CompiledAction | None, Faults]:
    """Return the action of a file, `None` if the file has faults, and the faults.

    `like` is the mapping of an action whose file shares the values of most fields: these fields are not compiled again.
    """
    file = with_unlisted_fields(file)
    if unknown := tuple(unknown_drops(file.drops_opt_out)):
        return None, unknown
    own = default_fields(file)
    try:
        mapping = compile_fields(own, like)
    except MappingError as exc:
        return None, tuple(Fault(place_of_default(file, fault.path), fault.message) for fault in exc.faults)
    defaults = defaults_with_opt_outs(file)
    if defaults != own:
        mapping = compile_fields(defaults, mapping)
    return CompiledAction(file, defaults, mapping), ()


def compile_fields(fields: dict[str, Any], like: CompiledMapping | None = None) -> CompiledMapping:
    """Compile fields of the action. Objects that are the same in `like` are not compiled again. Raises MappingError."""
    return compile_mapping(fields, readers=_READERS, like=like)


@lru_cache(_REMEMBERED)
def read_preset_file(text: str) -> tuple[PresetFile | None, Faults]:
    """Return the content of a preset file's text, `None` if it is not a preset, and its faults."""
    return parse_file(PresetFile, text)


@lru_cache(_REMEMBERED)
def compile_preset(
    file: str, text: str, action: CompiledAction | None, event_names: Collection[str]
) -> tuple[Preset | None, Faults]:
    """Return the preset of a file's text, `None` if the text or the action has faults, and the faults of the text.

    `action` is `None` if the action's file is missing or has faults. `event_names`: those that may be sent. The faults
    of `read_preset_file` are not repeated.
    """
    spec = read_preset_file(text)[0] or _salvaged(text)
    found: list[Fault] = []
    trigger = _trigger(spec.subscribe, "/subscribe", found)
    withdrawn_by = None if spec.withdrawn_by is None else _trigger(spec.withdrawn_by, "/withdrawn_by", found)
    doubtful = None if spec.overlaps is None else _trigger(spec.overlaps.withheld, "/overlaps/withheld", found)
    hold_s = _hold_s(spec, found)
    fields, mapping = _fields(spec, action, event_names, found)
    if mapping is not None:
        found.extend(_pointless(spec, mapping, text))
    if trigger is None or mapping is None or found:
        return None, tuple(_first(found))
    return Preset(
        name=spec.name,
        file=file,
        description=spec.description,
        enabled=spec.enabled,
        trigger=trigger,
        mapping=mapping,
        fields=fields,
        own_fields=tuple(_leaves_of(spec.mapping, "")),
        drops_opt_out=spec.drops_opt_out,
        also=spec.also,
        overlaps=Overlap(spec.overlaps.presets, doubtful) if spec.overlaps and doubtful else None,
        example=spec.example,
        tests=spec.tests,
        hold_s=hold_s,
        withdrawn_by=withdrawn_by,
        remembered=groups_from_memory(spec),
        finds_person=finds_person(spec),
    ), ()


def _fields(
    spec: PresetFile, action: CompiledAction | None, event_names: Collection[str], found: list[Fault]
) -> tuple[dict[str, Any], CompiledMapping | None]:
    """Return the fields of a preset and their mapping, with all shipped opt-outs; add the faults to `found`.

    The mapping is `None` if the fields cannot be compiled.
    """
    found.extend(unknown_drops(spec.drops_opt_out))
    fields = merge_mappings(action.defaults, spec.mapping) if action else spec.mapping
    if action:
        found.extend(_first(check_fields(spec.mapping, fields, action.file, event_names)))
    try:
        mapping = _compiled(fields, action)  # before opt-outs are added, so that a fault has its place in the file
    except MappingError as exc:
        found.extend(_first(Fault(f"/mapping{fault.path}", fault.message) for fault in exc.faults))
        return fields, None
    if action:
        whole = with_shipped_opt_outs(fields, [*action.file.drops_opt_out, *spec.drops_opt_out])
        if whole is not fields:
            return whole, _compiled(whole, action)
    return fields, mapping


def _compiled(fields: dict[str, Any], action: CompiledAction | None) -> CompiledMapping:
    """Compile the fields of a preset. Raises MappingError."""
    left = fill_from_blocks(fields, action.file) if action else fields
    like = action.mapping if action else None
    return compile_mapping(left, joined=_OF_SEVERAL_PEOPLE, readers=_READERS, like=like)


def _leaves_of(mapping: Mapping[str, Any], at: str) -> Iterator[str]:
    for name, value in mapping.items():
        field = f"{at}.{name}" if at else name
        if is_plain(value):
            yield from _leaves_of(value, field)
        else:
            yield field


def _pointless(spec: PresetFile, mapping: CompiledMapping, text: str) -> Iterator[Fault]:
    """Yield the parts of a preset without any effect, or with the same effect on every event."""
    name = mapping.literal("event_name")
    yield from faults_of_constants(spec.mapping, mapping, _IDS if name == "checkout" else _IDS[:1], "/mapping")
    if spec.withdrawn_by is not None and name not in ("checkout", MISSING):
        yield Fault("/withdrawn_by", f"only a checkout can be withdrawn, but `event_name` is {name!r}: leave it out")
    yield from _refused_constants(spec, mapping, text)


def _refused_constants(spec: PresetFile, mapping: CompiledMapping, text: str) -> Iterator[Fault]:
    """Yield a fault for each constant that the reader of its field rejects, so that it is never sent."""
    own = {*_leaves_of(spec.mapping, "")}
    for keys, read in all_members(FIELD_READERS):
        given = mapping.literal(*keys) if ".".join(keys) in own and keys[0] not in _READ_OTHERWISE else MISSING
        if given is MISSING or says_nothing(given):
            continue
        sent, notes = read(given)
        if sent is None:
            line, _ = read_document(text).lines(("mapping", *keys)) or (1, 1)
            why = "".join(notes).partition(" left out")[2]
            remedy = 'Write a value that is sent, or {"@path": ...}'
            yield Fault(f"/mapping/{'/'.join(keys)}", f"line {line}: {given!r} is never sent{why}. {remedy}")


def _trigger(text: str, path: str, found: list[Fault]) -> Trigger | None:
    try:
        return compile_trigger(text)
    except TriggerError as exc:
        found.append(Fault(path, str(exc)))
        return None


def _hold_s(spec: PresetFile, found: list[Fault]) -> float:
    """Return the delay of deliveries in seconds, and add its faults."""
    if spec.hold is None:
        if spec.withdrawn_by is not None:
            found.append(Fault("/withdrawn_by", "needs `hold`: without it an order is sent at once"))
        return 0
    hold_s = int(spec.hold[:-1]) * (60 if spec.hold.endswith("m") else 1)
    if hold_s > MAX_HOLD_S:
        found.append(Fault("/hold", "must be 55m at most: Pinterest expects web and app events within an hour"))
    return hold_s


def compile_person(action: ActionFile) -> CompiledMapping:
    """Return the mapping of an event's person and the person's permissions, by the action's defaults."""
    return compile_mapping(person_fields(action), joined=_OF_SEVERAL_PEOPLE, readers=_READERS)


def compile_order(action: ActionFile) -> CompiledMapping:
    """Return the mapping of an order's id, value and currency, by the action's defaults."""
    found = default_fields(action).get("custom_data", {})
    return compile_mapping({"custom_data": {name: found[name] for name in ORDER_DETAILS if name in found}})


def parse_file(kind: type[_File], text: str) -> tuple[_File | None, Faults]:
    """Return the content of a file, parsed strictly, and its faults with their paths.

    The content is `None` if the file is not of this kind.
    """
    value = parse_yaml(text)
    if isinstance(value, Fault):
        return None, (value,)
    try:
        return kind.model_validate(value), ()
    except ValidationError as exc:
        found = exc.errors(include_url=False)
        return None, tuple(_first(Fault(place(fault["loc"], value), in_words(fault, kind)) for fault in found))


def _first(faults: Iterable[Fault]) -> Iterator[Fault]:
    for number, fault in enumerate(faults):
        if number == MOST_FAULTS:
            yield Fault("", f"the file has more than {MOST_FAULTS} faults: mend these first")
            return
        yield fault


def parse_files(kind: type[_File], texts: Mapping[str, str], faults: list[Fault]) -> dict[str, _File]:
    """Return the contents of files of this kind by path; the faults of other files are added to `faults`.

    `texts` are the files' texts by path.
    """
    files: dict[str, _File] = {}
    for path, text in texts.items():
        spec, found = parse_file(kind, text)
        faults.extend(in_file(path, found))
        if spec is not None:
            files[path] = spec
    return files


def in_file(path: str, faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults with this file's path."""
    return [replace(fault, file=path) for fault in faults]


def _salvaged(text: str) -> PresetFile:
    """Return the trigger and mapping of a file with faults elsewhere, so that their faults are reported too."""
    value = parse_yaml(text)
    given = value if isinstance(value, dict) else {}
    subscribe, mapping = given.get("subscribe"), given.get("mapping", {})
    return PresetFile.model_construct(
        name="",
        description="",
        subscribe=subscribe if isinstance(subscribe, str) else 'type = "track"',
        action=ACTION,
        mapping=mapping if isinstance(mapping, dict) and given else {"event_name": "custom"},
        enabled=False,
        remember=True,
        hold=None,
        withdrawn_by=None,
        drops_opt_out=[],
        also=[],
        overlaps=None,
        example=None,
        tests=[],
    )
