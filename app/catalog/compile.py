"""Start-up: preset and mapping files -> a frozen Catalog, or one error that lists every fault of every file.

    mappings/report_conversion_event.yaml   what the action's fields are, and where their values come from by default
    presets/checkout.yaml                   which events it takes, and what it maps differently

A preset's mapping is laid over the action's defaults: an object member by member, anything else as a whole.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from app.catalog.fields import check_fields, default_fields, fill_from_blocks, lay_over, place_of_default
from app.catalog.files import ActionFile, PresetFile
from app.catalog.folders import Folders, read_texts
from app.catalog.strict_yaml import parse_yaml
from app.destination import EVENT_NAMES, PRIVACY_FLAGS, usable_parts
from app.errors import CatalogError, Fault, MappingError, TriggerError
from app.mapping import Mapping as CompiledMapping
from app.mapping import Readers, compile_mapping
from app.trigger import Trigger, compile_trigger
from app.types import Event

#: As many as Segment allows for one destination (Segment's documentation of Actions, mappings).
MAX_ENABLED_PRESETS = 50
#: The one action there is: its file is named after it.
ACTION = "report_conversion_event"
#: A directive may give a list of objects for it, one of each person.
_OF_SEVERAL_PEOPLE = ("user_data",)
#: So that choices take what can be sent.
_READERS = Readers(at_once=PRIVACY_FLAGS, of_parts=usable_parts())

#: File name -> text.
FileTexts: TypeAlias = Mapping[str, str]
_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One compiled preset: which events it takes and what it makes of them."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All presets and the action they share, checked and compiled."""

    action: ActionFile
    #: In the order of their file names, switched-off ones too.
    presets: tuple[Preset, ...]
    #: Of `presets`, those that take events.
    enabled: tuple[Preset, ...]
    #: Changes whenever a file does; the same in every process that has the same files.
    generation: str
    #: The enabled presets that an event of this `type` and `event` can meet at all; None stands for every other text.
    _index: Mapping[tuple[str | None, str | None], tuple[Preset, ...]] = field(repr=False)

    def matching(self, event: Event) -> list[Preset]:
        """Return the enabled presets whose trigger holds for the event, in the catalog's order."""
        kind, name = event.get("type"), event.get("event")
        index = self._index
        kind = kind if isinstance(kind, str) and (kind, None) in index else None
        name = name if isinstance(name, str) and (kind, name) in index else None
        return [preset for preset in index[kind, name] if preset.trigger.matches(event)]


def load_catalog(presets_dir: Folders, mappings_dir: Folders, *, custom_event_names: Collection[str] = ()) -> Catalog:
    """Read, check and compile all files. In several folders, a later one replaces files of the same name.

    `custom_event_names`: advertiser-defined names that may be sent besides Pinterest's own.
    Raises CatalogError with every fault of every file.
    """
    presets, mappings = read_texts(presets_dir, mappings_dir)
    return compile_catalog(presets, mappings, custom_event_names=custom_event_names)


def compile_catalog(presets: FileTexts, mappings: FileTexts, *, custom_event_names: Collection[str] = ()) -> Catalog:
    """Check and compile texts by file name, as `load_catalog` does with files; drafts of the console come this way.

    Raises CatalogError, with every fault.
    """
    faults: list[Fault] = []
    action = _action(mappings, faults)
    files = {file: _parse(PresetFile, file, text, faults) for file, text in presets.items()}
    event_names = {*EVENT_NAMES, *custom_event_names}
    compiled = [
        _compile(file, spec or _salvaged(presets[file]), action, event_names, faults) for file, spec in files.items()
    ]
    faults.extend(_faults_between({file: spec for file, spec in files.items() if spec}))
    if faults or action is None:
        raise CatalogError(faults)
    found = tuple(preset for preset in compiled if preset)
    enabled = tuple(preset for preset in found if preset.enabled)
    return Catalog(
        action=action,
        presets=found,
        enabled=enabled,
        generation=_generation(presets, mappings),
        _index=_index(enabled),
    )


def _index(presets: Sequence[Preset]) -> dict[tuple[str | None, str | None], tuple[Preset, ...]]:
    """Sort presets by the texts of `type` and `event` that their triggers can hold for (None: any)."""
    kinds = {None, *(kind for preset in presets for kind in preset.trigger.types or ())}
    names = {None, *(name for preset in presets for name in preset.trigger.events or ())}
    return {
        (kind, name): tuple(
            preset
            for preset in presets
            if (preset.trigger.types is None or kind in preset.trigger.types)
            and (preset.trigger.events is None or name in preset.trigger.events)
        )
        for kind in kinds
        for name in names
    }


def _action(mappings: FileTexts, faults: list[Fault]) -> ActionFile | None:
    """Read the action's file and try its defaults alone, so that their faults are told once and not by every preset."""
    for file, text in mappings.items():
        if Path(file).stem != ACTION:
            faults.append(Fault(path="", message=f"there is no such action: only {ACTION}.yaml is read", file=file))
        elif action := _parse(ActionFile, file, text, faults):
            return action if _defaults_compile(file, action, faults) else None
        else:
            return None
    faults.append(Fault(path="", message=f"MAPPINGS_DIR has no {ACTION}.yaml: restore the shipped file"))
    return None


def _defaults_compile(file: str, action: ActionFile, faults: list[Fault]) -> bool:
    try:
        compile_mapping(default_fields(action), readers=_READERS)
    except MappingError as exc:
        faults.extend(
            Fault(path=place_of_default(action, fault.path), message=fault.message, file=file) for fault in exc.faults
        )
        return False
    return True


def _parse(kind: type[_File], file: str, text: str, faults: list[Fault]) -> _File | None:
    """Read one file strictly; every fault gets its path."""
    value = parse_yaml(text)
    if isinstance(value, Fault):
        faults.append(Fault(path=value.path, message=value.message, file=file))
        return None
    try:
        return kind.model_validate(value)
    except ValidationError as exc:
        faults.extend(
            Fault(path="".join(f"/{part}" for part in fault["loc"]), message=fault["msg"], file=file)
            for fault in exc.errors(include_url=False)
        )
        return None


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
        example=None,
    )


def _compile(
    file: str, spec: PresetFile, action: ActionFile | None, event_names: Collection[str], faults: list[Fault]
) -> Preset | None:
    """Compile one preset; None where it has faults, or where the action has."""
    found: list[Fault] = []
    trigger = mapping = None
    try:
        trigger = compile_trigger(spec.subscribe)
    except TriggerError as exc:
        found.append(Fault(path="/subscribe", message=str(exc)))
    fields = lay_over(default_fields(action), spec.mapping) if action else spec.mapping
    if action:
        found.extend(check_fields(spec.mapping, fields, action, event_names))
    try:
        left = fill_from_blocks(fields, action) if action else fields
        mapping = compile_mapping(left, joined=_OF_SEVERAL_PEOPLE, readers=_READERS)
    except MappingError as exc:
        found.extend(Fault(path=f"/mapping{fault.path}", message=fault.message) for fault in exc.faults)
    faults.extend(Fault(path=fault.path, message=fault.message, file=file) for fault in found)
    if trigger is None or mapping is None or found:
        return None
    return Preset(
        name=spec.name,
        file=file,
        description=spec.description,
        enabled=spec.enabled,
        trigger=trigger,
        mapping=mapping,
        fields=fields,
        example=spec.example,
    )


def _faults_between(files: Mapping[str, PresetFile]) -> list[Fault]:
    """Find what only several files together can get wrong."""
    names = Counter(spec.name for spec in files.values())
    faults = [
        Fault(path="/name", message=f"another preset is named {spec.name!r} too: rename one", file=file)
        for file, spec in files.items()
        if names[spec.name] > 1
    ]
    enabled = [file for file, spec in files.items() if spec.enabled]
    faults.extend(
        Fault(
            path="/enabled",
            message=f"is enabled preset number {number} of at most {MAX_ENABLED_PRESETS}: set `enabled: false` in one",
            file=file,
        )
        for number, file in enumerate(enabled[MAX_ENABLED_PRESETS:], start=MAX_ENABLED_PRESETS + 1)
    )
    return faults


def _generation(*files: FileTexts) -> str:
    digest = hashlib.sha256()
    for name, text in sorted((Path(file).name, text) for texts in files for file, text in texts.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:12]
