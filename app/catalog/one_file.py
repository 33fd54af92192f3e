"""What the text of one file gives: a compiled preset, the action, or every fault of it.

The same text gives the same, so it is read and compiled once: a reload, and each draft that somebody edits in the
console, take only as long as the files that changed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from app.catalog.fields import check_fields, default_fields, fill_from_blocks, lay_over, place_of_default
from app.catalog.files import ActionFile, PresetFile
from app.catalog.model_faults import in_words, place
from app.catalog.persons import finds_person, left_to_memory, person_fields
from app.catalog.same_for_all import same_for_all
from app.catalog.strict_yaml import parse_yaml
from app.core.events import Event
from app.core.values.times import MAX_HOLD_S
from app.destination import PRIVACY_FLAGS, usable_parts
from app.errors import Fault, MappingError, TriggerError
from app.mapping import MISSING, Readers, compile_mapping
from app.mapping import Mapping as CompiledMapping
from app.trigger import Trigger, compile_trigger

#: The one action there is: its file is named after it.
ACTION = "report_conversion_event"
#: Members of `custom_data` that say which order it is, and what it was worth.
ORDER_FIELDS = ("order_id", "value", "currency")
#: By the first events are known again, by the second checkouts too.
_IDS = (("event_id",), ("custom_data", "order_id"))
#: How many texts of each kind are remembered: a full catalog, and the drafts of another.
_REMEMBERED = 100
#: Of one file so many faults are told: to look for the nearest name of each takes long.
MOST_FAULTS = 50
#: A directive may give a list of objects for it, one of each person.
_OF_SEVERAL_PEOPLE = ("user_data",)
#: So that choices take what can be sent.
_READERS = Readers(at_once=PRIVACY_FLAGS, of_parts=usable_parts())

#: Without the file that they stand in.
Faults: TypeAlias = tuple[Fault, ...]
_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One compiled preset: which events it takes and what it makes of them. Shared: nothing of it may be changed."""

    name: str
    #: As found, e.g. `presets/checkout.yaml`.
    file: str
    description: str
    enabled: bool
    trigger: Trigger
    mapping: CompiledMapping
    #: What `mapping` was compiled from: the action's defaults with the preset's own laid over.
    fields: dict[str, Any]
    #: A Segment event that this preset takes; None where the file gives none.
    example: Event | None
    #: For how many seconds its deliveries are kept back.
    hold_s: float
    #: Which events cancel an order; None where none does.
    withdrawn_by: Trigger | None
    #: The groups of `app.identity.GROUPS` that memory may complete: those that the preset does not map itself.
    remembered: frozenset[str]
    #: It finds the person, and what that person permits, as the action's defaults do.
    finds_person: bool


class CompiledAction(NamedTuple):
    """The action, and what a preset's mapping is laid over."""

    file: ActionFile
    defaults: dict[str, Any]
    mapping: CompiledMapping


@lru_cache(_REMEMBERED)
def read_action(text: str) -> tuple[CompiledAction | None, Faults]:
    """Return the action that a file's text defines, None where it has faults, and its faults.

    Its defaults are compiled alone, so that their faults are told once and not by every preset.
    """
    file, faults = parse_file(ActionFile, text)
    if file is None:
        return None, faults
    defaults = default_fields(file)
    try:
        return CompiledAction(file, defaults, compile_mapping(defaults, readers=_READERS)), ()
    except MappingError as exc:
        return None, tuple(Fault(place_of_default(file, fault.path), fault.message) for fault in exc.faults)


@lru_cache(_REMEMBERED)
def read_preset_file(text: str) -> tuple[PresetFile | None, Faults]:
    """Return what a preset file's text holds, None where that is not a preset, and why it is not."""
    return parse_file(PresetFile, text)


@lru_cache(_REMEMBERED)
def compile_preset(
    file: str, text: str, action_text: str | None, event_names: Collection[str]
) -> tuple[Preset | None, Faults]:
    """Return the preset that a file's text gives, None where it has faults or the action has, and its faults.

    `action_text`: the text of the action's file; None where there is none without faults. `event_names`: those that
    may be sent. The faults that `read_preset_file` tells are not told again.
    """
    spec = read_preset_file(text)[0] or _salvaged(text)
    action = read_action(action_text)[0] if action_text is not None else None
    found: list[Fault] = []
    mapping = None
    trigger = _trigger(spec.subscribe, "/subscribe", found)
    withdrawn_by = None if spec.withdrawn_by is None else _trigger(spec.withdrawn_by, "/withdrawn_by", found)
    hold_s = _hold_s(spec, found)
    fields = lay_over(action.defaults, spec.mapping) if action else spec.mapping
    if action:
        found.extend(_first(check_fields(spec.mapping, fields, action.file, event_names)))
    try:
        left = fill_from_blocks(fields, action.file) if action else fields
        like = action.mapping if action else None
        mapping = compile_mapping(left, joined=_OF_SEVERAL_PEOPLE, readers=_READERS, like=like)
    except MappingError as exc:
        found.extend(_first(Fault(f"/mapping{fault.path}", fault.message) for fault in exc.faults))
    if mapping is not None:
        found.extend(_pointless(spec, mapping))
    if trigger is None or mapping is None or found:
        return None, tuple(_first(found))
    preset = Preset(
        name=spec.name,
        file=file,
        description=spec.description,
        enabled=spec.enabled,
        trigger=trigger,
        mapping=mapping,
        fields=fields,
        example=spec.example,
        hold_s=hold_s,
        withdrawn_by=withdrawn_by,
        remembered=left_to_memory(spec),
        finds_person=finds_person(spec),
    )
    return preset, ()


def _pointless(spec: PresetFile, mapping: CompiledMapping) -> Iterator[Fault]:
    """Yield what could only do nothing, or the same for every event."""
    name = mapping.literal("event_name")
    yield from same_for_all(spec.mapping, mapping, _IDS if name == "checkout" else _IDS[:1], "/mapping")
    if spec.withdrawn_by is not None and name not in ("checkout", MISSING):
        yield Fault("/withdrawn_by", f"only a checkout is withdrawn, and `event_name` is {name!r}: leave it out")


def _trigger(text: str, path: str, found: list[Fault]) -> Trigger | None:
    """Compile a trigger, or add its fault."""
    try:
        return compile_trigger(text)
    except TriggerError as exc:
        found.append(Fault(path, str(exc)))
        return None


def _hold_s(spec: PresetFile, found: list[Fault]) -> float:
    """Return how long deliveries are kept back, in seconds, and add what is wrong with it."""
    if spec.hold is None:
        if spec.withdrawn_by is not None:
            found.append(Fault("/withdrawn_by", "without `hold` an order leaves at once: say how long it is kept back"))
        return 0
    hold_s = int(spec.hold[:-1]) * (60 if spec.hold.endswith("m") else 1)
    if hold_s > MAX_HOLD_S:
        found.append(Fault("/hold", "55m at most: Pinterest wants web and app events within the hour"))
    return hold_s


def compile_person(action: ActionFile) -> CompiledMapping:
    """Return what finds the person of any event, and what that person permits, by the action's defaults."""
    return compile_mapping(person_fields(action), joined=_OF_SEVERAL_PEOPLE, readers=_READERS)


def compile_order(action: ActionFile) -> CompiledMapping:
    """Return what finds id, value and currency of an order by the action's defaults."""
    found = default_fields(action).get("custom_data", {})
    return compile_mapping({"custom_data": {name: found[name] for name in ORDER_FIELDS if name in found}})


def parse_file(kind: type[_File], text: str) -> tuple[_File | None, Faults]:
    """Return what one file holds, read strictly, None where it is not of this kind, and its faults with their paths."""
    value = parse_yaml(text)
    if isinstance(value, Fault):
        return None, (value,)
    try:
        return kind.model_validate(value), ()
    except ValidationError as exc:
        found = exc.errors(include_url=False)
        return None, tuple(_first(Fault(place(fault["loc"], value), in_words(fault, kind)) for fault in found))


def _first(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Yield the first faults of a file, and that there are more."""
    for number, fault in enumerate(faults):
        if number == MOST_FAULTS:
            yield Fault("", f"there are more faults than these {MOST_FAULTS}: mend these first")
            return
        yield fault


def parse_files(kind: type[_File], texts: Mapping[str, str], faults: list[Fault]) -> dict[str, _File]:
    """Return by path what those files hold that are of this kind; the faults of the others are added, each in its file.

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
    """Return the faults as those of the file at this path."""
    return [replace(fault, file=path) for fault in faults]


def _salvaged(text: str) -> PresetFile:
    """Take the trigger and mapping of a file that is faulty elsewhere, so that their faults are told as well."""
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
        example=None,
    )
