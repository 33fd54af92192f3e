"""Create the draft of a preset for an event name without a preset."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from app.catalog import ACTION, Catalog
from app.core.events import Event, EventKey
from app.core.values.event_names import named_by
from app.insights.inventory.figures import PropertyFigures
from app.pipeline.nearest_preset import nearest_preset
from app.pipeline.received_names import title_of

#: The event name of a preset without a similar preset: Pinterest's catch-all.
_CUSTOM: Final = "custom"
#: Example values by the last name of a path, the first match; for texts, then for numbers.
_TEXTS: Final = (
    (r"currency", "USD"),
    (r"e-?mail", "ada.miller@example.com"),
    (r"phone", "+1 415 555 0123"),
    (r"country", "US"),
    (r"url|link|href", "https://shop.example/page"),
    (r"(total|revenue|value|price|amount)", "19.90"),
    (r"order.*(id|number)", "SO-10021"),
    (r"(id|sku|number)$", "A-1"),
    (r"name|title", "Walnut stool"),
)
_NUMBERS: Final = ((r"(total|revenue|value|price|amount|tax|shipping)", 19.9), (r"id$", 10_021))


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetDraft:
    """A preset that has not been saved yet."""

    #: The path of a new file, such as `presets/order_placed.yaml`.
    file: str
    #: The YAML text.
    text: str
    #: An event that matches the preset, with the observed properties and invented values.
    event: Event


#: By label: the places of common data outside of the properties.
_BESIDE: Final[Mapping[str, Mapping[str, str]]] = {
    "e-mail": {"context.traits.email": "ada.miller@example.com"},
    "phone": {"context.traits.phone": "+1 415 555 0123"},
    "external id": {"userId": "cust-1042"},
    "IP address": {"context.ip": "203.0.113.10"},
    "user agent": {"context.userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"},
}
#: The example includes data that this part of the events has.
_USUAL: Final = 0.5


def draft_preset(
    key: EventKey,
    properties: Sequence[PropertyFigures],
    catalog: Catalog,
    shares: Mapping[str, float] = MappingProxyType({}),
) -> PresetDraft:
    """Return the draft of a preset for this kind of event, based on the nearest preset.

    `shares` has the share of events in which each of LOOKED_FOR was found.
    """
    title = title_of(key)
    near = nearest_preset(key, (), catalog).preset
    event_name = next((each.fields.get("event_name") for each in catalog.presets if each.name == near), None)
    taken = {preset.name for preset in catalog.presets}
    name = title if title not in taken else next(f"{title} {n}" for n in range(2, 99) if f"{title} {n}" not in taken)
    conditions = [f"type = {_quoted(key.type)}"]
    if key.name:
        conditions.append(f"{named_by(key.type)} = {_quoted(key.name)}")
    lines = {
        "name": name,
        "description": f"{title}, as it arrives from {key.source}.",
        "subscribe": " and ".join(conditions),
        "action": ACTION,
    }
    text = "".join(f"{field}: {_scalar(value)}\n" for field, value in lines.items())
    sent_as = event_name if isinstance(event_name, str) else _CUSTOM
    return PresetDraft(
        file=_file(title, catalog),
        text=f"{text}mapping:\n  event_name: {sent_as}\n",
        event=example_event(key, properties, shares),
    )


def example_event(
    key: EventKey, properties: Sequence[PropertyFigures], shares: Mapping[str, float] = MappingProxyType({})
) -> Event:
    """Return an event of this kind with these properties and the usual data. All values are invented."""
    slug = _slug(title_of(key))
    event: Event = {"type": key.type, "messageId": f"example-{slug}-1", "anonymousId": "example-visitor"}
    if key.name:
        event[named_by(key.type)] = key.name
    # Frequent properties and outer objects first: of two types of a path the first is used.
    for each in sorted(properties, key=lambda one: (one.path.count("."), -one.number)):
        _put(event, each.path, each.kind)
    for label, values in _BESIDE.items():
        if shares.get(label, 0.0) >= _USUAL:
            for path, value in values.items():
                *above, last = path.split(".")
                place: dict[str, Any] = event
                for name in above:
                    place = place.setdefault(name, {})
                place.setdefault(last, value)
    return event


def _put(event: Event, path: str, kind: str) -> None:
    """Put an invented value at a path, unless the path or one of its parents is in use."""
    place: Any = event
    *above, last = path.split(".")
    for name in above:
        place = _inside(place, name)
        if place is None:
            return
    if last.endswith("[]"):
        listed = place.get(last[:-2])
        if listed == []:
            listed.append(_value(last[:-2], kind))
    else:
        place.setdefault(last, _value(last, kind))


def _inside(place: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the object at a name, created if absent; of a list its first item. `None` for any other value."""
    if not name.endswith("[]"):
        found = place.setdefault(name, {})
    else:
        listed = place.setdefault(name[:-2], [])
        if listed == []:
            listed.append({})
        found = listed[0] if isinstance(listed, list) else None
    return found if isinstance(found, dict) else None


def _value(name: str, kind: str) -> Any:
    match kind:
        case "text":
            return next((value for pattern, value in _TEXTS if re.search(pattern, name, re.IGNORECASE)), "example")
        case "number":
            return next((value for pattern, value in _NUMBERS if re.search(pattern, name, re.IGNORECASE)), 1)
        case "yes or no":
            return True
        case "object":
            return {}
        case "list":
            return []
        case _:
            return None


def _quoted(text: str) -> str:
    """Return a text quoted for triggers."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _scalar(text: str) -> str:
    """Return a text quoted for YAML, with escapes for invisible or forbidden characters."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.casefold()).strip("_")[:60] or "event"


def _file(title: str, catalog: Catalog) -> str:
    """Return an unused path for the draft, in the folder of the last preset."""
    files = [preset.file for preset in catalog.presets]
    folder = files[-1].rpartition("/")[0] if files else "presets"
    names = (f"{folder}/{_slug(title)}{suffix}.yaml" for suffix in ("", *(f"_{n}" for n in range(2, 99))))
    return next(name for name in names if name not in files)
