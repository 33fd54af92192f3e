"""Convert mappings of other destinations to presets: Segment's subscriptions, RudderStack's mapping of events.

    read_foreign(text)                        the subscriptions in a response of Segment's Public API, or in a config
    import_preset(subscription, action_text)  the preset of a subscription, as YAML, with the result for each field

If a field only reads places of the action's default, the preset keeps the default, which reads more places; the report
of the field mentions it.

Segment's Public API: https://docs.segmentapis.com/tag/Destinations

RudderStack's config: src/configurations/destinations/pinterest_tag in rudderlabs/rudder-integrations-config.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import yaml

from app.catalog.fields import is_plain
from app.catalog.files import ActionFile, FieldSpec
from app.catalog.presets import ACTION, compile_preset, read_action, read_preset_file
from app.destination import EVENT_NAMES
from app.errors import CatalogError, Fault

#: Internal fields of Segment, which presets do not have.
_OF_SEGMENT: Final = frozenset({"enable_batching", "batch_size", "batch_keys", "batch_bytes", "data_format"})
#: Fields that belong to `custom_data` and that Segment's newer format has elsewhere.
_MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    "custom_data_2": ("custom_data",),
    "contents": ("custom_data", "contents"),
}
_OPTS_OUT: Final = "Segment's default opts everybody out; Pinrelay opts out only events that say so"
_READS_MORE: Final = "Pinrelay's default reads the same places and more"
_SAME: Final = "same as Pinrelay's default"
_NO_FIELD: Final = "Pinrelay has no such field"

Fate: TypeAlias = Literal["carried over", "uses Pinrelay's default", "could not be"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A mapping of another destination, the input for a preset."""

    name: str
    trigger: str
    enabled: bool
    mapping: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTold:
    """The result for a field of the mapping in the imported preset."""

    #: As in `user_data.email`; `subscribe` is the trigger.
    field: str
    outcome: Fate
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPreset:
    """A preset, or the reason why there is none."""

    name: str
    #: The text of the file; `None` if the import failed.
    text: str | None
    told: tuple[FieldTold, ...]


def read_foreign(text: str) -> list[Subscription]:
    """Return the subscriptions in a text of JSON. Raises CatalogError if it has no known subscriptions."""
    try:
        value = json.loads(text)
    except ValueError:
        raise CatalogError([Fault("", "is not JSON: give the answer of Segment's Public API, or a config")]) from None
    found = value
    for name in ("data", "destination", "config", "subscriptions", "presets"):
        found = found.get(name, found) if isinstance(found, dict) else found
    if isinstance(found, dict) and isinstance(found.get("eventsMapping"), list):
        return [_of_rudder(pair) for pair in found["eventsMapping"] if isinstance(pair, dict)]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CatalogError([Fault("", "has neither `subscriptions` (Segment) nor `eventsMapping` (RudderStack)")])
    return [_of_segment(each) for each in found]


def _of_segment(given: Mapping[str, Any]) -> Subscription:
    mapping = given.get("settings", given.get("mapping"))
    return Subscription(
        name=str(given.get("name") or "Unnamed")[:80],
        trigger=str(given.get("trigger", given.get("subscribe", ""))),
        enabled=given.get("enabled", True) is True,
        mapping=mapping if isinstance(mapping, dict) else {},
    )


def _of_rudder(pair: Mapping[str, Any]) -> Subscription:
    name, to = str(pair.get("from", "")), str(pair.get("to", ""))
    quoted = re.sub(r'(["\\])', r"\\\1", name)
    event_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", to).lower()
    return Subscription(
        name=f"{name} as {event_name}"[:80],
        trigger=f'type = "track" and event = "{quoted}"',
        enabled=True,
        mapping={"event_name": event_name},
    )


def import_preset(subscription: Subscription, action_text: str) -> ImportedPreset:
    """Return the preset of a subscription for the action that this text defines. Raises CatalogError for the action."""
    action, faults = read_action(action_text)
    if action is None:
        raise CatalogError(faults)
    told: list[FieldTold] = []
    mapping = _carried(_in_place(subscription.mapping), action.file, told)
    while True:
        text = _yaml(subscription, mapping)
        _, unreadable = read_preset_file(text)
        preset, found = compile_preset("imported.yaml", text, action, frozenset(EVENT_NAMES))
        if preset is not None and not unreadable:
            return ImportedPreset(name=subscription.name, text=text, told=tuple(told))
        dropped = [_dropped(mapping, fault, told) for fault in (*unreadable, *found)]
        if not all(dropped):
            return ImportedPreset(name=subscription.name, text=None, told=tuple(told))


def _in_place(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping with all fields of `custom_data` in their place."""
    placed = {name: value for name, value in mapping.items() if name not in _MOVED}
    for name, (holder, *member) in _MOVED.items():
        value = mapping.get(name)
        if value is None:
            continue
        under = placed.get(holder)
        inner = {member[0]: value} if member else value
        placed[holder] = {**under, **inner} if is_plain(under) and is_plain(inner) else inner
    return placed


def _carried(mapping: Mapping[str, Any], action: ActionFile, told: list[FieldTold]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in mapping.items():
        if name in _OF_SEGMENT or name.startswith("__") or value is None or value == "":
            continue
        if name == "opt_out" and value is True:
            told.append(FieldTold(field=name, outcome="uses Pinrelay's default", why=_OPTS_OUT))
            continue
        found = _field(name, value, action.fields.get(name), told)
        if found is not None:
            kept[name] = found
    return kept


def _field(place: str, value: Any, spec: FieldSpec | None, told: list[FieldTold]) -> Any:
    """Return the part of a field to keep, or `None`."""
    if spec is None:
        told.append(FieldTold(field=place, outcome="could not be", why=_NO_FIELD))
        return None
    if spec.properties and is_plain(value) and spec.default is None:
        members = {
            name: found
            for name, inner in value.items()
            if inner not in (None, "")
            and (found := _field(f"{place}.{name}", inner, spec.properties.get(name), told)) is not None
        }
        return members or None
    if value == spec.default:
        told.append(FieldTold(field=place, outcome="uses Pinrelay's default", why=_SAME))
        return None
    read = _only_paths(value)
    if read is not None and spec.default is not None and read <= set(_all_paths(spec.default)):
        told.append(FieldTold(field=place, outcome="uses Pinrelay's default", why=_READS_MORE))
        return None
    told.append(FieldTold(field=place, outcome="carried over", why=""))
    return value


def _only_paths(value: Any) -> set[str] | None:
    """Return the paths of a value that only chooses among paths; otherwise `None`."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((directive, inner),) = value.items()
    if directive == "@path" and isinstance(inner, str):
        return {inner.removeprefix("$.")}
    if directive == "@coalesce" and isinstance(inner, list):
        parts = [_only_paths(each) for each in inner]
    elif directive == "@if" and isinstance(inner, dict):
        parts = [_only_paths(each) for each in inner.values()]
    else:
        return None
    return set().union(*[part for part in parts if part]) if parts and all(parts) else None


def _all_paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "@path" and isinstance(inner, str):
                yield inner.removeprefix("$.")
            else:
                yield from _all_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_paths(inner)


def _dropped(mapping: dict[str, Any], fault: Fault, told: list[FieldTold]) -> bool:
    """Remove the field of a fault from the mapping, and report it; return whether there is such a field."""
    _, kind, *names = fault.path.split("/") if fault.path else ("", "")
    if kind == "mapping" and names and names[0] in mapping and names[0] != "event_name":
        within = names[1] if len(names) > 1 and is_plain(mapping[names[0]]) and names[1] in mapping[names[0]] else None
        field = names[0] if within is None else f"{names[0]}.{within}"
        if within is None:
            del mapping[names[0]]
        else:
            mapping[names[0]] = {name: value for name, value in mapping[names[0]].items() if name != within}
        told[:] = [each for each in told if each.field != field]
        told.append(FieldTold(field=field, outcome="could not be", why=fault.message))
        return True
    told.append(FieldTold(field="/".join([kind, *names]), outcome="could not be", why=fault.message))
    return False


def _yaml(subscription: Subscription, mapping: Mapping[str, Any]) -> str:
    preset = {
        "name": subscription.name,
        "subscribe": subscription.trigger,
        "action": ACTION,
        "enabled": subscription.enabled,
        "mapping": dict(mapping),
    }
    return yaml.safe_dump(preset, sort_keys=False, allow_unicode=True, width=10_000)
