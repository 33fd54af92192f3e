"""The value of a mapped field as chips: places, constants and functions, and the edits of one chip.

A chip is one node of the YAML. An edit replaces that node, so all other text of the file stays as it is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import orjson

from app.catalog.document import Path, YamlDocument
from app.catalog.files import FieldSpec
from app.catalog.mappings import compile_mapping
from app.core.events import Event
from app.errors import EditRefused, MappingError
from app.mapping import MISSING
from app.pipeline.explain import shown_json

#: `root` is a path that a function takes as plain text. `fixed` can only be changed in the YAML.
ChipKind: TypeAlias = Literal["path", "root", "constant", "template", "function", "list", "object", "fixed"]

#: The label of each function.
LABELS: Final[Mapping[str, str]] = {
    "@coalesce": "first of",
    "@sum": "sum of",
    "@subtract": "difference of",
    "@multiply": "product of",
    "@atMost": "at most",
    "@money": "amount of",
    "@withoutTax": "amount without tax",
    "@netAmount": "amount of the goods",
    "@each": "each item of",
    "@arrayPath": "list of",
    "@all": "all of",
    "@if": "if",
    "@ifEquals": "if equal",
    "@ifContains": "if it contains",
    "@ifAllowed": "if allowed",
    "@case": "change case",
    "@replace": "replace",
    "@prefixed": "text after a prefix",
    "@queryParameter": "parameter of a URL",
    "@json": "JSON",
    "@productId": "product id",
    "@blocks": "persons in",
    "@merge": "merged",
    "@transform": "mapped again",
    "@flatten": "flattened",
    "@literal": "literal",
    "@excludeWhenNull": "without null",
}
_SLOT: Final = "\0chip"
#: The functions that a chip can get: the label, and the value around the chip.
WRAPPERS: Final[Mapping[str, tuple[str, Any]]] = {
    "first": ("First of several", {"@coalesce": [_SLOT]}),
    "sum": ("Sum", {"@sum": [_SLOT]}),
    "multiply": ("Multiply", {"@multiply": [_SLOT, 1]}),
    "each": ("Each item of a list", {"@sum": {"@each": [_SLOT, {"@path": "$.price"}]}}),
    "if": ("If there is a value", {"@if": {"exists": _SLOT, "then": _SLOT}}),
    "equals": ("If equal", {"@ifEquals": {"value": _SLOT, "equals": "yes", "then": True, "else": False}}),
    "replace": ("Replace text", {"@replace": {"value": _SLOT, "pattern": " ", "replacement": ""}}),
    "lower": ("Lower case", {"@case": {"operator": "lower", "value": _SLOT}}),
    "upper": ("Upper case", {"@case": {"operator": "upper", "value": _SLOT}}),
    "prefix": ("Text after a prefix", {"@prefixed": {"value": _SLOT, "prefix": "id-", "drop": True}}),
    "parameter": ("Parameter of a URL", {"@queryParameter": {"url": _SLOT, "name": "id"}}),
    "json": ("JSON text", {"@json": {"value": _SLOT, "mode": "encode"}}),
}
#: Paths in these are relative to an item or to another value, so the event has no value for them.
_RELATIVE: Final = frozenset({"@each", "@arrayPath", "@transform", "@productId"})
_TEMPLATES: Final = frozenset({"@liquid", "@template"})
_PLACE: Final = re.compile(
    r"\$.*|(?:properties|context|traits|integrations)[.\[].*|(?:userId|anonymousId|messageId|timestamp|event|name|type)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A node of a field's value."""

    #: The steps from the field's node to this node.
    at: Path
    kind: ChipKind
    #: The text of the input, or the label of a function.
    text: str = ""
    #: The name of an option, such as `then`; "" for an item of a list.
    slot: str = ""
    parts: tuple["Chip", ...] = ()
    #: The value in the selected event as JSON; `None` if there is none.
    found: str | None = None
    #: Whether the selected event has the field's value from here.
    is_used: bool = False

    @property
    def words(self) -> str:
        """The chip in words."""
        return _in_words(self)

    @property
    def candidates(self) -> tuple["Chip", ...]:
        """The items of `first of`; otherwise the chip itself."""
        return self.parts if self.kind == "function" and self.text == LABELS["@coalesce"] else (self,)


def chip_of(value: Any, at: Path = (), slot: str = "") -> Chip:
    """Return the chip of a node with the chips inside.

    >>> chip_of({"@path": "$.properties.total"}).text
    'properties.total'
    >>> [each.text for each in chip_of({"@sum": [{"@path": "$.a"}, 2]}).parts]
    ['a', '2']
    """
    name = next(iter(value), "") if isinstance(value, dict) else ""
    if isinstance(value, dict) and len(value) == 1 and str(name).startswith("@"):
        given = value[name]
        if name == "@path" and _is_line(given):
            return Chip(at=at, kind="path", text=given.removeprefix("$."), slot=slot)
        if name in _TEMPLATES and _is_line(given):
            return Chip(at=at, kind="template", text=given, slot=slot)
        if name in LABELS:
            return Chip(at=at, kind="function", text=LABELS[name], slot=slot, parts=tuple(_parts(name, given, at)))
    if isinstance(value, list) and value:
        parts = tuple(chip_of(each, (*at, number)) for number, each in enumerate(value))
        return Chip(at=at, kind="list", slot=slot, parts=parts)
    if isinstance(value, dict) and value and not any(str(key).startswith("@") for key in value):
        parts = tuple(chip_of(each, (*at, key), slot=key) for key, each in value.items())
        return Chip(at=at, kind="object", slot=slot, parts=parts)
    is_editable = _is_line(value) or isinstance(value, int | float)
    return Chip(at=at, kind="constant" if is_editable else "fixed", text=_text(value), slot=slot)


def _parts(name: str, given: Any, at: Path) -> Iterator[Chip]:
    inner = chip_of(given, (*at, name))
    parts = (inner,) if inner.kind not in ("list", "object") else inner.parts
    for number, part in enumerate(parts):
        is_root = name in ("@each", "@arrayPath") and number == 0 and part.kind == "constant"
        yield replace(part, kind="root", text=part.text.removeprefix("$.")) if is_root else part


def _is_line(value: Any) -> bool:
    """Return whether an input of one line can hold a text unchanged."""
    return isinstance(value, str) and "".join(value.splitlines()) == value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown_json(value)


def in_words(value: Any) -> str:
    """Return a value in words.

    >>> in_words({"@path": "$.properties.total"}), in_words({"@coalesce": [{"@path": "$.a"}, "none"]})
    ('$.properties.total', '$.a, then none')
    """
    return _in_words(chip_of(value))


def _in_words(chip: Chip) -> str:
    inner = [f"{part.slot}: {_in_words(part)}" if part.slot else _in_words(part) for part in chip.parts]
    match chip.kind:
        case "path" | "root":
            return chip.text if chip.text.startswith("$") else f"$.{chip.text}"
        case "function" if chip.text == LABELS["@coalesce"]:
            return ", then ".join(inner)
        case "function":
            return f"{chip.text} ({', '.join(inner)})"
        case "list" | "object":
            return ", ".join(inner)
    return chip.text


def with_event(chip: Chip, value: Any, event: Event, sent_from: str | None) -> Chip:
    """Return the chip with its values in an event; the chips that supplied the field's value are marked.

    `sent_from` is the value of the field before it is normalised, as JSON; `None` if the field has no value.
    """
    chip = _found(chip, value, event)
    return _marked(chip, sent_from) if sent_from is not None else chip


def _found(chip: Chip, value: Any, event: Event) -> Chip:
    if chip.kind in ("path", "template", "function"):
        found = _resolved(orjson.dumps(value), event)
        chip = replace(chip, found=None if found is MISSING or found is None else shown_json(found))
    if isinstance(value, dict) and _RELATIVE.isdisjoint(value):
        parts = (_found(part, _at(value, part.at[len(chip.at) :]), event) for part in chip.parts)
        chip = replace(chip, parts=tuple(parts))
    return chip


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _resolved(text: bytes, event: Event) -> Any:
    try:
        return (_compiled(text).resolve(event) or {}).get("value", MISSING)
    except MappingError:  # the faults of the draft name the reason
        return MISSING


@lru_cache(maxsize=2_000)
def _compiled(text: bytes) -> Any:
    return compile_mapping({"value": orjson.loads(text)})


def _marked(chip: Chip, wanted: str) -> Chip:
    """Return the chip as used, with the used chips inside: of `first of`, the first that has the value."""
    parts = chip.parts
    if chip.kind == "function" and chip.text == LABELS["@coalesce"]:
        having = [part for part in parts if part.found is not None or part.kind == "constant"]
        used = next((part for part in having if part.found == wanted), having[0] if having else None)
        parts = tuple(_marked(part, part.found or "") if part is used else part for part in parts)
    else:
        parts = tuple(_marked(part, part.found or "") if part.found is not None else part for part in parts)
    return replace(chip, parts=parts, is_used=True)


def with_chip(document: YamlDocument, node: Path, at: Path, form: Mapping[str, str], spec: FieldSpec) -> YamlDocument:
    """Return the document with the typed text of a chip. An empty text removes the chip. Raises EditRefused."""
    place, text = (*node, *at), form.get("value", "")
    given = document.get(place, MISSING)
    if given is not MISSING and text == chip_of(given).text and form.get("kind") == chip_of(given).kind:
        return document
    if not text.strip():
        return without_chip(document, node, at)
    return document.with_value(place, typed_value(text, form.get("kind", ""), given, spec))


def typed_value(text: str, kind: str, given: Any, spec: FieldSpec) -> Any:
    """Return the value of a typed text. Without a kind, a path is recognised by its begin.

    >>> spec = FieldSpec(label="Value", description="What it was worth.", type="number")
    >>> typed_value("properties.total", "", MISSING, spec), typed_value("2.50", "", MISSING, spec)
    ({'@path': '$.properties.total'}, 2.5)
    """
    text = text if kind in ("constant", "template") else text.strip()
    path = text if text.startswith("$") else f"$.{text}"
    kind = "constant" if not kind and text in (spec.choices or ()) else kind
    if kind == "path" or (not kind and _PLACE.fullmatch(text)):
        return {"@path": path}
    if kind == "root":
        return path
    if kind == "template" or (not kind and "{{" in text):
        name = next((name for name in _TEMPLATES if isinstance(given, dict) and name in given), "@liquid")
        return {name: text}
    is_bool = isinstance(given, bool) or spec.type == "boolean"
    if is_bool and text in ("true", "false"):
        return text == "true"
    is_number = spec.type in ("number", "integer") or (isinstance(given, int | float) and not is_bool)
    return _number(text) if is_number else text


def _number(text: str) -> Any:
    """Return the number of a text in JSON; the text if it is not a number."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def without_chip(document: YamlDocument, node: Path, at: Path) -> YamlDocument:
    """Return the document without a chip, and without objects and lists that are empty then. Raises EditRefused."""
    place = (*node, *at)
    document = document.without(place)
    while len(place) > 2 and document.get(place[:-1]) in ({}, []):  # noqa: PLR2004 - `mapping` stays
        place = place[:-1]
        while len(place) > len(node) and isinstance(place[-1], str) and place[-1].startswith("@"):
            place = place[:-1]  # a function without a value
        document = document.without(place)
    return document


def with_added(document: YamlDocument, node: Path, form: Mapping[str, str], spec: FieldSpec) -> YamlDocument:
    """Return the document with one more candidate of a field, as item number `item`. Raises EditRefused."""
    given, value = document.get(node, MISSING), typed_value(form.get("value", ""), "", MISSING, spec)
    if not form.get("value", "").strip():
        return document
    items = given["@coalesce"] if isinstance(given, dict) and given.keys() == {"@coalesce"} else [given]
    item = form.get("item", "")
    number = int(item) if item.isdecimal() else len(items)
    if given is MISSING or number == 0:
        return document.with_value(node, value)
    if items != [given]:
        return document.with_value((*node, "@coalesce", min(number, len(items))), value)
    return document.with_value(node, {"@coalesce": [given, value]})


def with_chip_moved(document: YamlDocument, node: Path, at: Path, by: int) -> YamlDocument:
    """Return the document with an item of a list earlier or later; the same document at an end."""
    *above, number = (*node, *at)
    items = list(document.get(tuple(above)) or [])
    if not isinstance(number, int) or not 0 <= number + by < len(items):
        return document
    items[number], items[number + by] = items[number + by], items[number]
    return document.with_value(tuple(above), items)


def with_function(document: YamlDocument, node: Path, at: Path, name: str) -> YamlDocument:
    """Return the document with a function around a chip; "" removes the function. Raises EditRefused."""
    place = (*node, *at)
    given = document.get(place)
    if name not in WRAPPERS:
        chip = chip_of(given)
        if name or not chip.parts:
            raise EditRefused(place, f"there is no function {name!r}")
        return document.with_value(place, document.get((*place, *chip.parts[0].at)))
    is_list = name == "each" and isinstance(given, dict) and given.keys() == {"@path"}
    return document.with_value(place, _filled(WRAPPERS[name][1], given["@path"] if is_list else given))


def _filled(shape: Any, value: Any) -> Any:
    if isinstance(shape, dict):
        return {name: _filled(each, value) for name, each in shape.items()}
    if isinstance(shape, list):
        return [_filled(each, value) for each in shape]
    return value if shape == _SLOT else shape
