"""Where each field of a finished event came from: the path, the value, its readable form, and what is sent of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from app.catalog import Preset
from app.core.events import Event
from app.core.receipts import PresetResult
from app.core.values.candidates import Candidate, FieldPath, Fields, PassedOver
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.destination import ConversionRules, hashed_fields
from app.destination.user_data import FROM_BLOCKS
from app.destination.user_field import USER_FIELDS
from app.errors import EventInvalid, MappingError
from app.identity import GROUPS
from app.receiving.reports import FieldReport
from app.receiving.routes import Action

_WIRE_NAMES = {f"user_data.{field.name}": f"user_data.{field.wire}" for field in USER_FIELDS}
#: Of the action, but not Pinterest's: what they say stands with the fields of `user_data` that are made of it.
_NOT_SENT = {"person_blocks", f"user_data.{FROM_BLOCKS}"}


def field_reports(
    preset: Preset, event: Event, built: Event | None, action: Action, rules: ConversionRules, *, now: float
) -> Iterator[FieldReport]:
    """Yield what became of each field of a preset; nothing where its mapping has no result for the event.

    `built` is the finished event, None where there is none: then nothing is said to be sent.
    """
    try:
        resolved = preset.mapping.resolve(event) or {}
        taken = _taken(resolved, action, now=now)
        rows = preset.mapping.explain(event, taken)
    except MappingError:
        return
    hashed = hashed_fields(resolved, rules)
    mapped = {row.path for row in rows}
    for row in rows:
        if row.path not in _NOT_SENT:
            known = hashed.get(row.path.removeprefix("user_data.")) if row.path in _WIRE_NAMES else None
            paths = tuple(read.path for read in row.reads)
            yield _report(row.path, paths, row.value, known.form if known else "", built)
    for name, known in hashed.items():
        if known.place and f"user_data.{name}" not in mapped:
            yield _report(f"user_data.{name}", (known.place,), known.value, known.form, built)


def own_event(line: PresetResult) -> Event | None:
    """Return the finished event of a line without what came from memory; None where there is none."""
    if line.event is None or line.memory is None:
        return line.event
    filled = {name for group in line.memory for name in GROUPS[group]}
    user_data = {name: value for name, value in line.event["user_data"].items() if name not in filled}
    return {**line.event, "user_data": user_data}


def memory_reports(line: PresetResult) -> Iterator[FieldReport]:
    """Yield what came from memory, as fields: how old it was, and by which type of event it was observed."""
    for group, recalled in (line.memory or {}).items():
        place = f"memory: {_age(recalled.age_s)} old, by {recalled.by}"
        for name in GROUPS[group]:
            sent = _sent(line.event or {}, f"user_data.{name}")
            if sent is not None:
                field = f"user_data/{name}"
                yield FieldReport(field=field, paths=(place,), value=None, normalised="", sent=shown_json(sent))


def _age(seconds: float) -> str:
    """Return an age in the largest unit that it has two of."""
    for unit, name in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _report(path: str, paths: tuple[str, ...], value: Any, form: str, built: Event | None) -> FieldReport:
    sent = _sent(built or {}, path)
    return FieldReport(
        field=path.replace(".", "/"),
        paths=paths,
        value=shown_json(value),
        normalised=form,
        sent=None if sent is None else shown_json(sent),
    )


def _taken(resolved: Any, action: Action, *, now: float) -> Mapping[str, int]:
    """Return which value the action took of each field whose first one it refused, counted from 0.

    Of an event that it refuses as a whole, which one it looked at last.
    """
    taken: dict[str, int] = {}
    if isinstance(resolved, Fields):
        resolved.find = _noting(resolved.find, taken)
        try:
            built, _ = action(resolved, now=now)
        except EventInvalid:
            return taken
        return {path: number for path, number in taken.items() if _sent(built, path) is not None}
    return taken


def _noting(
    find: Callable[[dict[str, Any], list[PassedOver], FieldPath], Iterator[Candidate]], taken: dict[str, int]
) -> Callable[[dict[str, Any], list[PassedOver], FieldPath], Iterator[Candidate]]:
    def noted(event: dict[str, Any], told: list[PassedOver], path: FieldPath) -> Iterator[Candidate]:
        for number, candidate in enumerate(find(event, told, path)):
            taken[".".join(path)] = number
            yield candidate

    return noted


def _sent(built: Mapping[str, Any], path: str) -> Any:
    """Return what stands in the finished event for a field of the mapping; None where nothing does."""
    value: Any = built
    for key in _WIRE_NAMES.get(path, path).split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def shown_json(value: Any) -> str:
    """Return a value of an event as JSON; orjson writes no more than 254 levels, which MAX_JSON_DEPTH may allow."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False)
