"""The visual view of a preset's text: its trigger and its fields as rows, and the effect of edits."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, get_args

import orjson

from app.catalog.document import Path, YamlDocument, changed_nodes
from app.catalog.fields import is_plain
from app.catalog.files import ActionFile, FieldSpec
from app.console.chips import (
    Chip,
    chip_of,
    in_words,
    with_added,
    with_chip,
    with_chip_moved,
    with_event,
    with_function,
    without_chip,
)
from app.console.labels import percent
from app.core.events import Event
from app.core.values.texts import visible
from app.errors import EditRefused, Fault
from app.mapping import MISSING
from app.pipeline.explain import FieldReport, PresetReport, shown_json, wire_path
from app.pipeline.shadow import Shadow
from app.trigger import ABSENT, Finding
from app.trigger.edits import field_text
from app.trigger.syntax import Comparison, FunctionCall, Group, Negation, Operator, Term

OPERATORS: Final = (*get_args(Operator), "contains", "not contains", "match", "not match")
#: The groups of the page, and their fields of the action; the first also has all ungrouped fields.
_GROUPS: Final[Mapping[str, re.Pattern[str]]] = {
    "Event": re.compile(r"event_\w+|action_source|partner_name"),
    "Person": re.compile(r"user_data|person_blocks|pin_unauth|language"),
    "Order and products": re.compile("custom_data"),
    "App and device": re.compile(r"(?:app|device|os)_\w+|wifi"),
    "Privacy": re.compile("opt_out|gpc|advertiser_tracking_enabled"),
}
#: Keys of a file -> their labels.
_TITLES: Final[Mapping[str, str]] = {
    "subscribe": "When",
    "name": "Name",
    "description": "Description",
    "action": "Action",
    "hold": "Hold",
    "withdrawn_by": "Withdrawn by",
    "enabled": "Enabled",
    "tests": "Test",
    "example": "Example",
    "fields": "Field",
}
#: The edits of fields.
FIELD_EDITS: Final = frozenset({"chip", "add-chip", "remove-chip", "move-chip", "function", "customise", "default"})
#: Rows with a single text field.
META: Final = ("name", "description", "hold")
_MAX_SHOWN: Final = 80
_MAX_IN_WORDS: Final = 400
_MAX_PATHS: Final = 400
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRow:
    """A condition, or a group of conditions."""

    #: Such as `0.1`: see `app/trigger/edits.py`; "" for the whole.
    place: str
    depth: int
    #: `yaml`: a condition that does not fit into a single line.
    kind: Literal["condition", "and", "or", "not", "yaml"]
    field: str = ""
    operator: str = ""
    value: str = ""
    #: The value is a text that would otherwise be read as a number or a constant.
    is_text: bool = False
    #: Whether the chosen event matches it, and the event's value as JSON; `None` without an event or a value.
    held: bool | None = None
    found: str | None = None


def trigger_rows(term: Term, finding: Finding | None) -> list[TriggerRow]:
    """Return the parts of a trigger, each group before its contents."""
    return list(_rows(term, finding, (), 0))


def _rows(term: Term, finding: Finding | None, at: tuple[int, ...], depth: int) -> Iterator[TriggerRow]:
    place, held = ".".join(map(str, at)), finding.held if finding else None
    inner: Sequence[Term] = ()
    match term:
        case Group(joiner=joiner, terms=inner):
            yield TriggerRow(place=place, depth=depth, kind=joiner, held=held)
        case Negation(term=negated):
            inner = (negated,)
            yield TriggerRow(place=place, depth=depth, kind="not", held=held)
        case _:
            found = None if finding is None or finding.found is ABSENT else shown_json(finding.found)
            yield _condition(term, place, depth, held=held, found=found)
    parts = finding.parts if finding else (None,) * len(inner)
    for number, (each, part) in enumerate(zip(inner, parts, strict=True)):
        yield from _rows(each, part, (*at, number), depth + 1)


def _condition(
    term: Comparison | FunctionCall, place: str, depth: int, *, held: bool | None, found: str | None
) -> TriggerRow:
    if isinstance(term, FunctionCall):
        operator = f"not {term.function}" if term.negated else term.function
        value, is_text = term.argument, True
    else:
        operator, given = term.operator, term.value.value
        is_text = isinstance(given, str)
        value = given if isinstance(given, str) else term.value.written.strip("'\"")
    return TriggerRow(
        place=place,
        depth=depth,
        kind="condition" if _is_one_line(value) else "yaml",
        field=field_text(term),
        operator=operator,
        value=value,
        is_text=is_text,
        held=held,
        found=found,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A field of Pinterest's, the source of its value, and its value in the selected event."""

    #: Dotted: `user_data.email`.
    path: str
    spec: FieldSpec
    #: `within`: a mapping of the whole object sets the field.
    origin: Literal["own", "default", "within"]
    #: The value of the preset, or the default; `None` if there is none.
    chip: Chip | None
    report: FieldReport | None = None
    #: The share of recent events that send the field, such as `67 %`; "" if unknown.
    share: str = ""
    faults: tuple[Fault, ...] = ()
    #: The warnings about the value in the selected event.
    warnings: tuple[str, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether the field is set, required, or found in the selected event or in recent events."""
        is_found = (self.report is not None and not self.report.is_missing) or self.share not in ("", percent(0, 1))
        return self.origin != "default" or self.spec.required or is_found or bool(self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldGroup:
    """Fields that belong together."""

    title: str
    rows: tuple[FieldRow, ...]


def field_groups(
    document: YamlDocument,
    action: ActionFile,
    report: PresetReport | None,
    faults: Sequence[Fault],
    event: Event | None = None,
) -> list[FieldGroup]:
    """Return the rows of all fields that a preset may map, in groups; the report is that of the chosen event."""
    reports = {each.field: each for each in report.fields} if report else {}
    rows: dict[str, list[FieldRow]] = {title: [] for title in _GROUPS}
    for path, spec in leaves(action.fields):
        top = path.partition(".")[0]
        title = next((title for title, names in _GROUPS.items() if names.fullmatch(top)), "Event")
        told = [each for each in report.warnings if each.startswith((f"{path} ", f"{path}:"))] if report else []
        row = _row(path, spec, document, reports.get(path.replace(".", "/")), faults, event)
        rows[title].append(replace(row, warnings=tuple(told)))
    return [FieldGroup(title=title, rows=tuple(each)) for title, each in rows.items() if each]


def with_shares(groups: Sequence[FieldGroup], shadow: Shadow, preset: str) -> list[FieldGroup]:
    """Return the rows with the share of a shadow run's events in which the draft sends each field."""
    sent, having = shadow.after.sent[preset], shadow.after.having
    return [
        replace(
            group,
            rows=tuple(replace(row, share=percent(having[preset, wire_path(row.path)], sent)) for row in group.rows),
        )
        for group in groups
    ]


def leaves(fields: Mapping[str, FieldSpec], at: str = "") -> Iterator[tuple[str, FieldSpec]]:
    """Yield the dotted path and the specification of each field that is not an object."""
    for name, spec in fields.items():
        if spec.properties:
            yield from leaves(spec.properties, f"{at}{name}.")
        elif spec.properties is None:
            yield f"{at}{name}", spec


def _row(
    path: str,
    spec: FieldSpec,
    document: YamlDocument,
    report: FieldReport | None,
    faults: Sequence[Fault],
    event: Event | None,
) -> FieldRow:
    origin, given = _given(path, spec, document)
    at = f"/mapping/{path.replace('.', '/')}"
    row = FieldRow(
        path=path,
        spec=spec,
        origin=origin,
        chip=None if given is None else chip_of(given),
        report=report,
        faults=tuple(each for each in faults if each.path == at or each.path.startswith(f"{at}/")),
    )
    if row.chip is None or event is None or not row.is_shown:
        return row
    return replace(row, chip=with_event(row.chip, given, event, report.value if report else None))


def _given(path: str, spec: FieldSpec, document: YamlDocument) -> tuple[Literal["own", "default", "within"], Any]:
    """Return the origin of a field's value, and the value; `None` if there is none."""
    own = document.get(("mapping",))
    for step in path.split("."):
        if not is_plain(own):
            return ("within", own) if own is not None else ("default", spec.default)
        if step not in own:
            return "default", spec.default
        own = own[step]
    return "own", own


def _short(value: Any, at_most: int = _MAX_SHOWN) -> str:
    text = value if isinstance(value, str) else shown_json(value)
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _is_one_line(text: str) -> bool:
    """Return whether an input of one line can hold a text unchanged."""
    return "".join(text.splitlines()) == text


def read_path(text: str) -> Path:
    """Return a path that a form has as JSON; the empty path for "". Raises EditRefused."""
    try:
        steps = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        steps = None
    if not isinstance(steps, list) or not all(isinstance(step, str | int) for step in steps):
        raise EditRefused((), f"{text!r} is not a path: send a JSON array of names and numbers")
    return tuple(steps)


def with_field(document: YamlDocument, do: str, form: Mapping[str, str], action: ActionFile) -> YamlDocument:
    """Return the document after an edit of a field. Raises EditRefused."""
    specs, path = dict(leaves(action.fields)), form.get("path", "")
    if path not in specs:
        raise EditRefused(path.split("."), "there is no such field")
    spec, node, at = specs[path], ("mapping", *path.split(".")), read_path(form.get("at", ""))
    match do:
        case "chip":
            return with_chip(document, node, at, form, spec)
        case "add-chip":
            return with_added(document, node, form, spec)
        case "move-chip":
            return with_chip_moved(document, node, at, 1 if form.get("by") == "1" else -1)
        case "function":
            return with_function(document, node, at, form.get("function", ""))
        case "customise":
            return document.with_value(node, spec.default)
    return without_chip(document, node, () if do == "default" else at)


class WordedChange(NamedTuple):
    """A changed node of a file, in words."""

    #: `Value`, the label of the editor's row.
    label: str
    #: `custom_data.value`; "" if the label includes it.
    place: str
    was: str
    becomes: str
    path: Path


def changes_in_words(was: str, becomes: str, action: ActionFile) -> list[WordedChange]:
    """Return the nodes that differ between two texts; "" is a file that does not exist."""
    values = (YamlDocument(text).value if text.strip() else {} for text in (was, becomes))
    return nodes_in_words(changed_nodes(*values), action)


def nodes_in_words(nodes: Iterable[tuple[Path, Any, Any]], action: ActionFile) -> list[WordedChange]:
    """Return nodes of a file, each with two values."""
    labels = {path: spec.label for path, spec in leaves(action.fields)}
    found = []
    for path, *sides in nodes:
        top, *rest = map(str, path)
        place, missing = ".".join(rest), "the default" if top == "mapping" else "nothing"
        label = labels.get(place, "Mapping") if top == "mapping" else _TITLES.get(top, top)
        was, becomes = (visible(in_words(each)) if each is not MISSING else missing for each in sides)
        was, becomes = (_short(each, _MAX_IN_WORDS) for each in _from_difference(was, becomes))
        found.append(WordedChange(label, place, was, becomes, path))
    return found


def _from_difference(was: str, becomes: str) -> tuple[str, str]:
    """Return both texts without the candidates that they begin with, if these are many."""
    pairs = enumerate(zip(was, becomes, strict=False))
    common = next((place for place, (one, other) in pairs if one != other), min(len(was), len(becomes)))
    start = was.rfind(", then ", 0, common)
    return (was, becomes) if start < _MAX_SHOWN else (f"…{was[start:]}", f"…{becomes[start:]}")


def with_meta(document: YamlDocument, name: str, value: str) -> YamlDocument:
    """Return the document with another name, description or hold; "" removes it. Raises EditRefused."""
    if name not in META:
        raise EditRefused((), f"there is no row {name!r}")
    if value == meta_of(document, name):
        return document
    return document.with_value((name,), value) if value else document.without((name,))


def meta_of(document: YamlDocument, name: str) -> str:
    """Return a text at the top of a file as its row shows it: on a single line; "" if there is none."""
    return " ".join(str(document.get((name,)) or "").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPath:
    """A place of the samples that has a value."""

    path: str
    #: The share of samples with a value: `67 %`.
    share: str
    #: A value as JSON, shortened.
    value: str


def seen_paths(events: Sequence[Event]) -> list[SeenPath]:
    """Return the places of some events, the most frequent first."""
    counts: Counter[str] = Counter()
    values: dict[str, Any] = {}
    for event in events:
        found = dict(_places(event, ""))
        counts.update(found.keys())
        for path, value in found.items():
            values.setdefault(path, value)
    return [
        SeenPath(path=path, share=percent(count, len(events)), value=_short(values[path]))
        for path, count in counts.most_common(_MAX_PATHS)
    ]


def _places(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if _NAME.fullmatch(name):
                yield from _places(inner, f"{at}.{name}" if at else name)
            elif at and '"' not in name:
                yield from _places(inner, f'{at}["{name}"]')
    elif isinstance(value, list):
        for inner in value[:1]:
            yield from _places(inner, f"{at}[0]")
    elif value is not None and at not in ("arrivedAt", "idIsMade"):
        yield at, value
