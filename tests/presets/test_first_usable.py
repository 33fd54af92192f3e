"""Junk in an earlier place never hides a good value in a later one, nor makes an event invalid: for every field.

The places are those that the shipped mapping names, so a field or a place that is added is tried as well. A value is
moved to one of the later places of its field, and junk is planted at the places before; what is sent must not change.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog, Preset
from app.config.settings import ConversionSettings
from app.core.fields import USER_FIELDS
from app.destination import ReportConversionEvent, report_conversion_event
from app.errors import EventInvalid
from app.source import read_raw_event
from tests.rounds import examples
from tests.rows import every_row

Place: TypeAlias = tuple[str, ...]
Draw: TypeAlias = Callable[[Any], Any]

EVENTS = Path(__file__).parents[1] / "conformance" / "events.ndjson"
LINES = EVENTS.read_bytes().splitlines()
NOW = 1_772_672_400.0

#: Nothing, in every way to write it, and what no field can be read from.
JUNK: list[Any] = ["  ", "(Not Set)", "undefined", "NULL", "n/a", [], {}, [None], [[" "]], {"a": None}, True]
#: What single fields cannot be read from, though others could.
JUNK_OF: dict[str, list[Any]] = {
    "event_time": ["Invalid Date", 0, "0001-01-01T00:00:00Z", "yesterday", "12"],
    "event_id": [0, "-", "pending", "{{ id }}", "[object Object]"],
    "custom_data.order_id": [0, "0", "-", "Unknown", "{{ order.id }}", "[object Object]"],
    "event_source_url": ["-", "0", "[object Object]", "{{ page.url }}", "Unknown", 5],
    "user_data.external_id": [0, "0", "-", "Unknown", "{{user_id}}", "[object Object]"],
    "user_data.partner_id": ["0", "-", "{{id}}", "[object Object]"],
    "custom_data.value": ["1,23,4", "free", "12 pieces", {"amount": "abc"}],
    "custom_data.currency": ["Euros", "XXZ", 5],
    "custom_data.num_items": ["many", -3, "1,23,4"],
    "custom_data.predicted_ltv": ["high"],
    "user_data.email": ["guest", "a@b", "@", 5, "{{email}}", "{{user}}@shop.example"],
    "user_data.phone": ["x", "call me"],
    "user_data.gender": ["unknown", "prefer not to say"],
    "user_data.date_of_birth": ["31.12.1999", "1999-02-30"],
    "user_data.client_ip_address": ["10.0.0.1", "localhost", "300.1.1.1"],
    "user_data.client_user_agent": ["python-requests/2.31", "curl/8.0"],
    "user_data.hashed_maids": ["00000000-0000-0000-0000-000000000000"],
    "pin_unauth": ["0", "-", "{{id}}", "[object Object]"],
    "language": ["xx-XX", 7],
    "wifi": ["maybe", 7],
}
#: Junk to every field that it is planted for: what all of them pass over.
COMMON_JUNK: list[Any] = [None, "", "  ", "(Not Set)", "undefined", "NULL", "n/a", [], {}, [None], [[" "]]]
MAX_WARNINGS = 50
WIRE = {f"user_data.{field.name}": f"user_data.{field.wire}" for field in USER_FIELDS}
#: What gives it is no list of places: products have items.
NOT_PLACES = {"custom_data.contents"}
ACTION = ReportConversionEvent(ConversionSettings.model_construct())
_GONE = object()


def junk_of(field: str) -> list[Any]:
    """Return all junk for a field: true is a good value of a yes or no."""
    return [junk for junk in [*JUNK, *JUNK_OF.get(field, [])] if junk is not True or field != "wifi"]


def places_of(mapped: Any) -> Iterator[Place]:
    """Yield the plain paths of a field's default, in order; not those that are only asked about."""
    if isinstance(mapped, list):
        for item in mapped:
            yield from places_of(item)
    elif isinstance(mapped, dict):
        path = mapped.get("@path")
        if isinstance(path, str):
            if "[" not in path:
                yield place(path)
            return
        for key, value in mapped.items():
            if key in {"@arrayPath", "@each"}:
                yield place(value[0])
            elif key == "@ifAllowed":
                yield from places_of([inner for name, inner in value.items() if name != "value"])
            elif key not in {"exists", "@ifContains", "@ifEquals"}:
                yield from places_of(value)


def place(path: str) -> Place:
    return tuple(path.removeprefix("$.").split("."))


def is_plain(option: Any) -> bool:
    """Return whether an option gives what stands at its place as it is, or each object of it."""
    return isinstance(option, dict) and option.keys() <= {"@path", "@each", "@queryParameter"}


def plain_place(option: Any) -> Place | None:
    """Return the place of an option that is nothing but a path."""
    found = list(places_of(option)) if isinstance(option, dict) and option.keys() == {"@path"} else []
    return found[0] if found else None


def options_of(preset: Preset) -> dict[str, list[Any]]:
    """Return the fields of a preset that may stand in several places, each with the options of its choice."""
    found = {}
    for name, mapped in preset.fields.items():
        members = {name: mapped}
        if name in {"user_data", "custom_data", "app_info", "device_info"}:
            members = {f"{name}.{member}": inner for member, inner in mapped.items()}
        for field, inner in members.items():
            options = inner.get("@coalesce") if isinstance(inner, dict) else None
            if options and field not in NOT_PLACES:
                found[field] = options
    return found


def value_at(event: Any, where: Place) -> Any:
    for key in where:
        event = event.get(key, _GONE) if isinstance(event, dict) else _GONE
    return event


def put(event: dict[str, Any], where: Place, value: Any) -> bool:
    """Put a value where nothing stands; return whether that was possible."""
    for key in where[:-1]:
        event = event.setdefault(key, {})
        if not isinstance(event, dict):
            return False
    if where[-1] in event:
        return False
    event[where[-1]] = value
    return True


def moved(event: dict[str, Any], options: list[Any], draw: Draw) -> int:
    """Move what a field is read from to another place; return which option it is then, all where there is none."""
    plain = [plain_place(option) for option in options]
    held = [index for index, where in enumerate(plain) if where and value_at(event, where) is not _GONE]
    if not held:
        return len(options)
    first, where = held[0], plain[held[0]]
    free = [index for index, other in enumerate(plain) if other and value_at(event, other) is _GONE]
    target = draw(st.sampled_from([first, *(index for index in free if index > first)]))
    other = plain[target]
    if where and other and target != first:
        value = value_at(event, where)
        if put(event, other, value):
            value_at(event, where[:-1]).pop(where[-1])
    return next(index for index, at in enumerate(plain) if at and value_at(event, at) is not _GONE)


def planted(event: dict[str, Any], field: str, before: list[Any], draw: Draw) -> list[tuple[Place, Any]]:
    """Plant junk at places that come before the value of a field; return what was planted where."""
    kinds = st.sampled_from([_GONE, None, "", *junk_of(field)])
    done = []
    for where in dict.fromkeys(place for option in before for place in places_of(option)):
        junk = draw(kinds)
        if junk is not _GONE and value_at(event, where) is _GONE and put(event, where, deepcopy(junk)):
            done.append((where, junk))
    return done


def looked_at(preset: Preset, event: dict[str, Any], field: str, options: list[Any]) -> set[Place]:
    """Return the places that are looked at before the value of a field is found, each an option of its own."""
    reads = next((row.reads for row in preset.mapping.explain(event) if row.path == field), ())
    winner = place(reads[-1].path) if reads else None
    found = set()
    for option in options:
        if winner is not None and winner in set(places_of(option)):
            break
        found |= {where for where in places_of(option) if is_plain(option)}
    return found


def result(preset: Preset, event: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return ACTION(preset.mapping.resolve(event), now=NOW)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_junk_in_an_earlier_place_changes_nothing_that_is_sent(catalog: Catalog, data: st.DataObject) -> None:
    event = read_raw_event(data.draw(st.sampled_from(LINES)), now=NOW)
    for preset in catalog.matching(event):
        field, options = data.draw(st.sampled_from(sorted(options_of(preset).items(), key=lambda each: each[0])))
        clean = deepcopy(event)
        winner = moved(clean, options, data.draw)
        dirty = deepcopy(clean)
        junk = planted(dirty, field, options[:winner], data.draw)

        expected, _ = result(preset, clean)
        sent, warnings = result(preset, dirty)

        assert part(sent, field) == part(expected, field)
        if all(value in COMMON_JUNK for _, value in junk):
            assert sent == expected
        before = looked_at(preset, clean, field, options)
        for where, value in junk:
            is_told = any(f"{field} (" in warning and ".".join(where) in warning for warning in warnings)
            assert is_told or is_nothing(value) or where not in before or len(warnings) > MAX_WARNINGS, (where, value)


def part(event: dict[str, Any], field: str) -> Any:
    """Return what is sent of a field of the action."""
    for key in WIRE.get(field, field).split("."):
        event = event.get(key, {})
    return event


def is_nothing(value: Any) -> bool:
    return value in (None, "") or (isinstance(value, list) and bool(value) and all(map(is_nothing, value)))


@every_row("field", sorted(JUNK_OF))
def test_what_is_planted_is_junk_to_the_reader_of_its_field(field: str) -> None:
    assert all(is_junk(field, junk) for junk in junk_of(field))


def is_junk(field: str, value: Any) -> bool:
    """Return whether the action sends the same with a value as without it."""
    bare: dict[str, Any] = {"event_name": "custom", "action_source": "web", "event_time": NOW, "event_id": "e"}
    bare["user_data"] = {"hashed_maids": "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB", "email": "a@b.co"}
    holder, _, member = field.partition(".")
    if field in bare:
        with pytest.raises(EventInvalid):
            report_conversion_event(bare | {field: value}, now=None)
        return True
    bare["user_data"].pop(member, None)
    given = bare | {holder: bare.get(holder, {}) | {member: value} if member else value}
    return report_conversion_event(given, now=None)[0] == report_conversion_event(bare, now=None)[0]


#: Where the products stand, and how their ids are spelled there, in order.
ITEMS = {
    "products": ["product_id", "productId", "id", "sku"],
    "line_items": ["product_id", "variant_id", "sku"],
    "items": ["item_id", "product_id", "id", "sku"],
}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), holder=st.sampled_from(sorted(ITEMS)), number=st.integers(1, 3))
def test_junk_in_an_item_of_a_list_changes_nothing_that_is_sent(
    catalog: Catalog, data: st.DataObject, holder: str, number: int
) -> None:
    (preset,) = (preset for preset in catalog.presets if preset.name == "Order Completed")
    clean: list[dict[str, Any]] = []
    dirty: list[Any] = []
    for index in range(number):
        spellings = ITEMS[holder]
        winner = data.draw(st.integers(0, len(spellings) - 1))
        junk = {name: data.draw(st.sampled_from([None, "", *JUNK])) for name in spellings[:winner]}
        product = {spellings[winner]: f"P-{index}", "price": 5.5, "name": "Stool"}
        junk["quantity"] = data.draw(st.sampled_from([None, "", *JUNK, "many"]))
        clean.append(product)
        dirty.append(product | junk)
    dirty = data.draw(st.permutations([*dirty, *data.draw(st.lists(st.sampled_from([None, "x", 5, [], {}])))]))
    clean.sort(key=lambda product: next(index for index, each in enumerate(dirty) if is_same(product, each)))
    person = {"context": {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}, "timestamp": NOW, "messageId": "m"}

    expected, _ = result(preset, person | {"properties": {holder: clean}})
    sent, _ = result(preset, person | {"properties": {holder: dirty}})

    assert sent == expected
    assert sent["custom_data"]["num_items"] == number


def is_same(product: dict[str, Any], other: Any) -> bool:
    return isinstance(other, dict) and product.items() <= other.items()
