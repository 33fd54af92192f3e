"""Merge the action's fields with a preset's mapping, and find wrong names and literals."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from app.catalog.files import ActionFile, FieldSpec
from app.destination import FROM_BLOCKS, OF_BLOCKS, OFFERED_FIELDS, OfferedField
from app.errors import Fault


def with_unlisted_fields(action: ActionFile) -> ActionFile:
    """Add the fields that the destination reads but the file does not describe, without defaults.

    Presets may map them. So a new field is a row of its reader's table, and an older copy of the file does not forbid
    it.
    """
    return action.model_copy(update={"fields": _completed(action.fields, OFFERED_FIELDS)})


def _completed(given: Mapping[str, FieldSpec], offered: Mapping[str, OfferedField]) -> dict[str, FieldSpec]:
    fields = dict(given)
    for name, field in offered.items():
        spec = given.get(name)
        if spec is None:
            fields[name] = _described(name, field)
        elif spec.properties is not None:
            fields[name] = spec.model_copy(update={"properties": _completed(spec.properties, field.members)})
    return fields


def _described(name: str, field: OfferedField) -> FieldSpec:
    words = name.replace("_", " ")
    return FieldSpec(
        label=words[0].upper() + words[1:],
        description=f"Pinterest's `{name}`. No default: map it in your presets.",
        type=field.type,
        choices=field.choices,
        multiple=field.multiple,
        default=None,
        properties=_completed({}, field.members) or None,
    )


def default_fields(action: ActionFile) -> dict[str, Any]:
    """Return the defaults of all fields; fields and members without a default are omitted."""
    return _defaults(action.fields)


def _defaults(fields: Mapping[str, FieldSpec]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, spec in fields.items():
        if spec.default is not None:
            found[name] = spec.default
        elif spec.properties and (members := _defaults(spec.properties)):
            found[name] = members
    return found


def merge_mappings(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings: members of plain objects in both are merged; otherwise the upper value wins."""
    merged = dict(below)
    for name, value in above.items():
        under = below.get(name)
        merged[name] = merge_mappings(under, value) if is_plain(under) and is_plain(value) else value
    return merged


def fill_from_blocks(fields: Mapping[str, Any], action: ActionFile) -> dict[str, Any]:
    """List, in each explicit object of the mapping, the members that come from `person_blocks`."""
    filled = dict(fields)
    for name, spec in action.fields.items():
        given = fields.get(name)
        left = [key for key, member in (spec.properties or {}).items() if member.from_blocks]
        if left and is_plain(given):
            filled[name] = given | {FROM_BLOCKS: " ".join(key for key in left if key not in given)}
    return filled


def is_plain(value: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether the value is an object without a directive."""
    return isinstance(value, dict) and not any(key.startswith("@") for key in value)


def check_fields(
    own: Mapping[str, Any], merged: Mapping[str, Any], action: ActionFile, event_names: Collection[str]
) -> Iterator[Fault]:
    """Yield unknown names of a preset's own mapping, and wrong literals and missing fields of the merged mapping."""
    yield from _names(own, action.fields, "/mapping")
    if "person_blocks" in action.fields and own.get("person_blocks"):
        yield from _faults_of_blocks(own["person_blocks"], "/mapping/person_blocks")
    for name, spec in action.fields.items():
        choices = event_names if name == "event_name" else spec.choices or ()
        or_own = ", or name yours in CUSTOM_EVENT_NAMES" if name == "event_name" else ""
        for value in _literals(merged.get(name)) if choices else ():
            if value not in choices:
                hint = nearest(value, choices) or f": write one of {', '.join(sorted(choices))}{or_own}"
                yield Fault(path=f"/mapping/{name}", message=f"{value!r} is not known{hint}")
        if spec.required and merged.get(name) is None:
            yield Fault(path=f"/mapping/{name}", message="is required and has no default: give it here")


def _faults_of_blocks(value: Any, path: str) -> Iterator[Fault]:
    """Yield the parts of a preset's own `person_blocks` that no reader would use, so that they would not be sent."""
    found = list(_options_of("@blocks", value, path))
    if not found:
        yield Fault(
            path=path, message="must be made by `@blocks`: names, addresses and phone numbers come from nothing else"
        )
    for place, options in found:
        places = [*_listed(options.get("places")), *_listed(options.get("recipients"))]
        for members in (options.get("members"), options.get("beside"), *(_member(each, "members") for each in places)):
            for name in members if isinstance(members, dict) else ():
                if name not in OF_BLOCKS:
                    hint = nearest(name, OF_BLOCKS) or f": write one of {', '.join(sorted(OF_BLOCKS))}"
                    yield Fault(path=place, message=f"unknown member {name!r} of a person{hint}")


def _options_of(directive: str, value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(_listed(value)):
        if key == directive and isinstance(inner, dict):
            yield f"{path}/{key}", inner
        else:
            yield from _options_of(directive, inner, f"{path}/{key}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _names(own: Mapping[str, Any], fields: Mapping[str, FieldSpec], path: str) -> Iterator[Fault]:
    """Yield unknown names, also inside objects and inside the shapes of lists."""
    for name, value in own.items():
        spec = fields.get(name)
        if spec is None:
            yield Fault(path=f"{path}/{name}", message=f"unknown field{_nearest_field(name, fields)}")
        elif spec.properties:
            for place, shape in _shapes(value, f"{path}/{name}"):
                yield from _names(shape, spec.properties, place)


def _nearest_field(name: str, fields: Mapping[str, FieldSpec]) -> str:
    members = ((other, spec.properties) for other, spec in fields.items() if spec.properties)
    within = (f"{found.removesuffix('?')} in {other!r}?" for other, inner in members if (found := nearest(name, inner)))
    return nearest(name, fields) or next(within, "")


def _shapes(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the plain objects that a value can produce, each with its path."""
    if is_plain(value):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _shapes(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for name in ("@arrayPath", "@each"):
            pair = value.get(name)
            if isinstance(pair, list) and len(pair) > 1:
                yield from _shapes(pair[1], f"{path}/{name}/1")


def _literals(value: Any) -> Iterator[str]:
    """Yield the constant texts that a mapping can produce for this value, including the branches of a choice."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "@literal":
                yield from _literals(inner)
            elif key == "@coalesce" and isinstance(inner, list):
                for option in inner:
                    yield from _literals(option)
            elif key in {"@if", "@ifEquals", "@ifContains", "@ifAllowed"} and isinstance(inner, dict):
                yield from _literals(inner.get("then"))
                yield from _literals(inner.get("else"))


def place_of_default(action: ActionFile, pointer: str) -> str:
    """Translate a place in the defaults (`/user_data/email/@path`) to its place in the action's file."""
    place, fields = "", action.fields
    parts = pointer.split("/")[1:]
    for depth, part in enumerate(parts):
        spec = fields[part]
        place += f"{'/properties' if place else '/fields'}/{part}"
        if spec.default is not None or not spec.properties:
            return "/".join([place, "default", *parts[depth + 1 :]])
        fields = spec.properties
    return place


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a suggestion of the nearest known name; "" if none is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""
