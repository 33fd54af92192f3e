"""For a name that no preset takes: the nearest preset and why it does not match, and the draft of a new one."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Any, Final

from app.catalog import ACTION, Catalog, Preset
from app.core.events import Event, EventKey
from app.core.values.event_names import RECORD, named_by
from app.insights.inventory.figures import PropertyFigures
from app.pipeline.received_names import title_of

#: Names that are as like as this may be meant for each other.
_LIKE: Final = 0.75
#: What is more like than this means the same.
_SURE: Final = 0.95
#: What others call what Segment names so, as sorted words. Sources: the e-commerce events of GA4, Shopify and Meta.
_ALSO_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "Order Completed": ("purchase", "order placed", "order paid", "transaction", "checkout completed", "order created"),
    "Checkout Started": ("begin checkout", "initiate checkout", "checkout initiated", "start checkout"),
    "Product Added": ("add to cart", "added to cart", "cart add", "item added"),
    "Product Viewed": ("view item", "view content", "view product", "product view"),
    "Product List Viewed": ("view item list", "collection viewed"),
    "Products Searched": ("search", "site search", "search submitted"),
    "Signed Up": ("sign up", "registration", "complete registration", "register", "account created"),
    "Generate Lead": ("lead", "form submitted", "contact"),
    "Product Added to Wishlist": ("add to wishlist",),
    "Payment Info Entered": ("add payment info",),
}
_OF_PEOPLE: Final = frozenset({"identify", "group", "alias"})
_OF_OTHERS: Final = "It counts events that have no row here."
_NO_EVENT_OF_IT: Final = "Nothing under `events` in the file of its source takes it, so it becomes no event."
_NOT_YET: Final = "A preset takes it now, but none took any of these events when they came."


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """What stands between a kind of event and a preset."""

    #: The preset; None where none is near.
    preset: str | None
    #: Whether the preset's trigger names this very event: what it asks beside that may fail.
    is_named: bool
    #: Why it does not take the event, as a sentence. Of what a preset takes: "".
    why: str


def nearest_preset(key: EventKey, taken_by: Iterable[str], catalog: Catalog) -> Nearest:
    """Return the preset that has taken events of this kind (`taken_by`), or the nearest one and why it does not."""
    presets = {preset.name: preset for preset in catalog.presets}
    taken = next((name for name in taken_by if name in presets), None)
    if taken is not None:
        return Nearest(preset=taken, is_named=True, why="")
    if key.type in ("", RECORD):
        return Nearest(preset=None, is_named=False, why=_NO_EVENT_OF_IT if key.type else _OF_OTHERS)
    named = [preset for preset in catalog.presets if _names(preset, key)]
    if named:
        return _asks_more(key, next((preset for preset in named if preset.enabled), named[0]))
    if key.type in _OF_PEOPLE:
        why = f"`{key.type}` says who somebody is: it is no conversion. With memory it completes later events."
        return Nearest(preset=None, is_named=False, why=why)
    found = max(_like(key, catalog.presets), default=None, key=lambda one: one[0])
    if found is None:
        return Nearest(preset=None, is_named=False, why="No preset asks for a name like it.")
    _, preset, why = found
    return Nearest(preset=preset.name, is_named=False, why=why)


def _names(preset: Preset, key: EventKey) -> bool:
    """Return whether a preset's trigger asks for this type, and for this event by its name where it asks for one."""
    trigger = preset.trigger
    if trigger.types is not None and key.type not in trigger.types:
        return False
    return key.name in trigger.events if trigger.events is not None else trigger.types is not None


def _asks_more(key: EventKey, preset: Preset) -> Nearest:
    if not preset.enabled:
        why = f"{preset.name} would take it, but `enabled: false` in its file takes it out."
        return Nearest(preset=preset.name, is_named=True, why=why)
    bare = {"type": key.type, named_by(key.type) or "name": key.name}
    more = ", ".join(f"`{part.text}`" for part in preset.trigger.explain(bare).blamed())
    asked = "type" if preset.trigger.events is None else "name"
    why = f"{preset.name} asks for this {asked} and more, which did not hold: {more}." if more else _NOT_YET
    return Nearest(preset=preset.name, is_named=True, why=why)


def _like(key: EventKey, presets: Iterable[Preset]) -> list[tuple[tuple[bool, float], Preset, str]]:
    """Return the presets whose event is like this name, each with its rank and what parts them; the highest is nearest.

    One that is surely meant and runs ranks before all others.
    """
    found = []
    for preset in presets:
        for event in sorted(preset.trigger.events or ()):
            likeness, difference = _difference(key, event, preset)
            if likeness >= _LIKE:
                tail = "" if preset.enabled else " And `enabled: false` in its file takes it out."
                why = f"{preset.name} takes events named `{event}`: {difference}.{tail}"
                found.append(((preset.enabled and likeness > _SURE, likeness), preset, why))
    return found


def _difference(key: EventKey, event: str, preset: Preset) -> tuple[float, str]:
    """Return how like a name is to the event that a preset asks for, from 0 to 1, and what parts them."""
    name = key.name
    if name == event:
        types = " or ".join(f"`{each}`" for each in sorted(preset.trigger.types or ()))
        return 1.0, f"the name is right, but it came as `{key.type}` instead of {types}"
    ours, theirs = words_of(name), words_of(event)
    if name.casefold() == event.casefold():
        return 0.99, "it is the same name but for upper and lower case"
    if "".join(ours) == "".join(theirs):
        return 0.98, "it is the same name but for spaces and marks between its words"
    if sorted(ours) == sorted(theirs):
        return 0.97, "it has the same words in another order"
    if " ".join(ours) in _ALSO_CALLED.get(event, ()):
        return 0.96, "that is what Segment calls it"
    ratio = SequenceMatcher(a=" ".join(ours), b=" ".join(theirs)).ratio()
    return min(ratio, _SURE), "the names are alike"


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, however they are joined.

    >>> words_of("orderCompleted"), words_of("ORDER_COMPLETED"), words_of("XMLSent2")
    (['order', 'completed'], ['order', 'completed'], ['xml', 'sent', '2'])
    """
    words: list[str] = []
    before = ""
    for place, letter in enumerate(name):
        if letter.isalnum():
            begins_inside = before.isupper() and letter.isupper() and name[place + 1 : place + 2].islower()
            is_new = _kind(before) != _kind(letter) or (before.islower() and letter.isupper()) or begins_inside
            if is_new:
                words.append(letter)
            else:
                words[-1] += letter
        before = letter
    return [word.casefold() for word in words]


def _kind(letter: str) -> int:
    """Return 1 for a letter, 2 for a digit, 0 for all else, which parts words."""
    return 1 if letter.isalpha() else 2 if letter.isalnum() else 0


#: What a preset sends for which no other is a pattern. Pinterest's catch-all.
_CUSTOM: Final = "custom"
#: Made-up values by what the last name of a path says, the first that fits; of texts, then of numbers.
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
    """A preset that nobody has saved yet."""

    #: Where it would stand, e.g. `presets/order_placed.yaml`: no file is there.
    file: str
    #: Its YAML.
    text: str
    #: An event that it takes, with the properties that were met and values that are made up.
    event: Event


#: Where senders put what is looked for in most events beside their properties, by its label.
_BESIDE: Final[Mapping[str, Mapping[str, str]]] = {
    "e-mail": {"context.traits.email": "ada.miller@example.com"},
    "phone": {"context.traits.phone": "+1 415 555 0123"},
    "external id": {"userId": "cust-1042"},
    "IP address": {"context.ip": "203.0.113.10"},
    "user agent": {"context.userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"},
}
#: An example has what this part of the events has.
_USUAL: Final = 0.5


def draft_preset(
    key: EventKey,
    properties: Sequence[PropertyFigures],
    catalog: Catalog,
    shares: Mapping[str, float] = MappingProxyType({}),
) -> PresetDraft:
    """Return the draft of a preset that takes this kind of event and sends it as the nearest preset would.

    `shares` say in which part of the events each of LOOKED_FOR was found.
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
    """Return an event of this kind with these properties and what most of them carry. Every value is made up."""
    slug = _slug(title_of(key))
    event: Event = {"type": key.type, "messageId": f"example-{slug}-1", "anonymousId": "example-visitor"}
    if key.name:
        event[named_by(key.type)] = key.name
    # The frequent ones first, and what holds others before them: of two kinds of one path the first stays.
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
    """Put a made-up value at a path, unless something else stands there or above it."""
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
    """Return the object at a name, made where there is none; of a list its first member. None where it is no object."""
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
    """Return a text as triggers quote it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _scalar(text: str) -> str:
    """Return a text as YAML quotes it, what cannot be seen or is not allowed there escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.casefold()).strip("_")[:60] or "event"


def _file(title: str, catalog: Catalog) -> str:
    """Return a path for the draft that no preset has yet, in the folder of the last preset."""
    files = [preset.file for preset in catalog.presets]
    folder = files[-1].rpartition("/")[0] if files else "presets"
    names = (f"{folder}/{_slug(title)}{suffix}.yaml" for suffix in ("", *(f"_{n}" for n in range(2, 99))))
    return next(name for name in names if name not in files)
