"""The visual view of a preset's text: its trigger and its fields as rows, and the effect of edits."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import orjson

from app.catalog.document import Path, YamlDocument, alike, changed_nodes
from app.catalog.fields import is_plain
from app.catalog.files import ActionFile, FieldSpec
from app.catalog.mappings import compile_mapping
from app.console.labels import percent
from app.core.events import Event
from app.core.values.texts import visible
from app.errors import EditRefused, Fault, MappingError
from app.mapping import MISSING
from app.pipeline.explain import FieldReport, PresetReport, shown_json, wire_path
from app.pipeline.shadow import Shadow
from app.trigger import ABSENT, Finding
from app.trigger.edits import field_text
from app.trigger.syntax import Comparison, FunctionCall, Group, Negation, Operator, Term

#: The kinds of values that an operator can choose. `yaml`: a value that only the text can express.
Kind: TypeAlias = Literal["default", "path", "places", "constant", "text", "if", "yaml"]
KINDS: Final[Mapping[Kind, str]] = {
    "default": "the default",
    "path": "a value of the event",
    "places": "the first of these places",
    "constant": "always the same",
    "text": "a text with values",
    "if": "if there is a value",
    "yaml": "in YAML",
}
#: Placeholders in a directive: the value of the event, and an additional field as text or as a number.
_VALUE, _TEXT, _NUMBER = "\0value", "\0text", "\0number"


class ValueFunction(NamedTuple):
    """A function that a row offers for a value of the event."""

    words: str
    directive: Any
    #: The additional field: _TEXT or _NUMBER; "" without one.
    takes: str = ""


FUNCTIONS: Final[Mapping[str, ValueFunction]] = {
    "lower": ValueFunction("in lower case", {"@case": {"operator": "lower", "value": _VALUE}}),
    "upper": ValueFunction("in upper case", {"@case": {"operator": "upper", "value": _VALUE}}),
    "times": ValueFunction("times", {"@multiply": [_VALUE, _NUMBER]}, _NUMBER),
    "without": ValueFunction(
        "without the text", {"@replace": {"value": _VALUE, "pattern": _TEXT, "replacement": ""}}, _TEXT
    ),
    "behind": ValueFunction(
        "behind the prefix", {"@prefixed": {"value": _VALUE, "prefix": _TEXT, "drop": True}}, _TEXT
    ),
    "parameter": ValueFunction(
        "of the address the parameter", {"@queryParameter": {"url": _VALUE, "name": _TEXT}}, _TEXT
    ),
    "json": ValueFunction("as JSON text", {"@json": {"value": _VALUE, "mode": "encode"}}),
}
_OUTCOMES: Final = frozenset({"then", "else"})
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
#: Rows with a single text field.
META: Final = ("name", "description", "hold")
_MAX_SHOWN: Final = 80
_MAX_IN_WORDS: Final = 400
_MAX_PATHS: Final = 400
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OF_PATH: Final = re.compile(r"\$\.[\w.\[\]'\" *-]+")


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
    """A field of Pinterest's, with its source and its value in the chosen event."""

    #: Dotted: `user_data.email`.
    path: str
    spec: FieldSpec
    kind: Kind
    #: The content of the controls: a path, places one per line, a constant, a text; "" for others.
    value: str = ""
    #: For `if`: the tested place, and the values if it has a value and if it has none.
    exists: str = ""
    then: str = ""
    otherwise: str = ""
    #: For `path`: the function, a member of FUNCTIONS or "", and the additional field.
    function: str = ""
    more: str = ""
    #: For a function: the value in the chosen event before and after it, as JSON; `None` without a value.
    before: str | None = None
    after: str | None = None
    #: The places of the default, or the text of the value, shortened.
    written: str = ""
    report: FieldReport | None = None
    #: The share of recent events with the field, such as `67 %`; "" if unknown.
    share: str = ""
    faults: tuple[Fault, ...] = ()
    #: Warnings about the chosen event's value.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldGroup:
    """Fields that belong together."""

    title: str
    rows: tuple[FieldRow, ...]

    @property
    def own(self) -> int:
        """Return the number of fields that the preset maps itself."""
        return sum(row.kind != "default" for row in self.rows)


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
        row = _row(path, spec, document, reports.get(path.replace(".", "/")), faults)
        told = [each for each in report.warnings if each.startswith((f"{path} ", f"{path}:"))] if report else []
        if row.function and event is not None:
            given = document.get(("mapping", *path.split(".")))
            before, after = _before_and_after(given, row.value, event)
            row = replace(row, before=before, after=after)
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
    path: str, spec: FieldSpec, document: YamlDocument, report: FieldReport | None, faults: Sequence[Fault]
) -> FieldRow:
    given = document.get(("mapping", *path.split(".")), MISSING)
    is_own = given is not MISSING
    kind, controls = _controls_of_row(given, spec) if is_own else ("default", {})
    if not is_own and _is_within_directive(document.get(("mapping",)), path):
        kind, controls = "yaml", {}
    at = f"/mapping/{path.replace('.', '/')}"
    return FieldRow(
        path=path,
        spec=spec,
        kind=kind,
        written=_short(given if is_own else spec.default) if is_own or spec.default is not None else "",
        report=report,
        warnings=(),
        faults=tuple(each for each in faults if each.path == at or each.path.startswith(f"{at}/")),
        **controls,
    )


def _before_and_after(given: Any, path: str, event: Event) -> tuple[str | None, str | None]:
    """Return the input and the result of a function for an event, as JSON; `None` without a value."""
    try:
        found = compile_mapping({"before": {"@path": _json_path(path)}, "after": given}).resolve(event) or {}
    except MappingError:  # the faults of the draft include the reason
        return None, None
    before, after = (shown_json(found[name]) if name in found else None for name in ("before", "after"))
    return before, after


def _is_within_directive(own: Any, path: str) -> bool:
    """Return whether a directive of the preset creates the whole object that contains a field."""
    for step in path.split("."):
        if not is_plain(own):
            return own is not None
        own = own.get(step)
    return False


def _short(value: Any, at_most: int = _MAX_SHOWN) -> str:
    text = _written(value)
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _controls_of_row(given: Any, spec: FieldSpec) -> tuple[Kind, dict[str, str]]:
    """Return the display of a value in its row: YAML if the controls would not reproduce exactly that value."""
    kind, controls = controls_of(given)
    try:
        is_same = kind != "yaml" and alike(value_of(kind, controls, spec), given)
    except EditRefused:
        is_same = False
    if is_same and (kind == "places" or all(map(_is_one_line, controls.values()))):
        return kind, controls
    return "yaml", {}


def _is_one_line(text: str) -> bool:
    """Return whether a text fits into a field with a single line."""
    return "".join(text.splitlines()) == text


def controls_of(given: Any) -> tuple[Kind, dict[str, str]]:
    """Return the display of a mapping's value, with the content of its controls.

    >>> controls_of({"@path": "$.properties.total"})
    ('path', {'value': 'properties.total'})
    >>> controls_of({"@sum": [1, 2]})
    ('yaml', {})
    """
    if not isinstance(given, dict):
        return ("yaml", {}) if isinstance(given, list) else ("constant", {"value": _written(given)})
    match given:
        case {"@liquid": str(text), **rest} if not rest:
            return "text", {"value": text}
        case {"@coalesce": list(places), **rest} if not rest and all(_is_simple(each) for each in places):
            return "places", {"value": "\n".join(map(_written_place, places))}
        case {"@if": {"exists": {"@path": str(exists)}, **outcomes}, **rest} if (
            not rest and outcomes.keys() <= _OUTCOMES and all(_is_simple(each) for each in outcomes.values())
        ):
            then, otherwise = (_written_place(outcomes[name]) if name in outcomes else "" for name in ("then", "else"))
            return "if", {"exists": exists.removeprefix("$."), "then": then, "otherwise": otherwise}
    return ("path", controls) if (controls := _controls_of_path(given)) else ("yaml", {})


def _controls_of_path(given: Any) -> dict[str, str]:
    """Return the content of the controls for a value of the event, with or without a function; otherwise empty."""
    for name, (_, shape, takes) in {"": ValueFunction("as it is", _VALUE), **FUNCTIONS}.items():
        found: dict[str, Any] = {}
        if _fits(shape, given, found) and found[_VALUE].keys() == {"@path"}:
            path = str(found[_VALUE]["@path"])
            more = {"function": name, "more": _written(found.get(takes, ""))} if name else {}
            return {"value": path.removeprefix("$.")} | more
    return {}


def _fits(shape: Any, given: Any, found: dict[str, Any]) -> bool:
    """Return whether a value matches the pattern of a function.

    The values of its placeholders are written to `found`.
    """
    if isinstance(shape, dict):
        is_alike = isinstance(given, dict) and shape.keys() == given.keys()
        return is_alike and all(_fits(shape[name], given[name], found) for name in shape)
    if isinstance(shape, list):
        return (
            isinstance(given, list)
            and len(given) == len(shape)
            and all(_fits(*pair, found) for pair in zip(shape, given, strict=True))
        )
    if shape in (_VALUE, _TEXT, _NUMBER):
        found[shape] = given
        return isinstance(given, dict if shape == _VALUE else str if shape == _TEXT else int | float)
    return bool(shape == given)


def _filled(shape: Any, places: Mapping[str, Any]) -> Any:
    if isinstance(shape, dict):
        return {name: _filled(each, places) for name, each in shape.items()}
    if isinstance(shape, list):
        return [_filled(each, places) for each in shape]
    return places.get(shape, shape) if isinstance(shape, str) else shape


def _is_simple(value: Any) -> bool:
    return (isinstance(value, dict) and value.keys() == {"@path"}) or isinstance(value, str | int | float | bool)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else shown_json(value)


def _written_place(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["@path"])
    return _written(value)


def value_of(kind: str, form: Mapping[str, str], spec: FieldSpec) -> Any:
    """Return the mapping's value for the choices in a row. Raises EditRefused.

    >>> from app.catalog.files import FieldSpec
    >>> spec = FieldSpec(label="Value", description="What it was worth.", type="number")
    >>> value_of("path", {"value": "properties.total"}, spec), value_of("constant", {"value": "2.50"}, spec)
    ({'@path': '$.properties.total'}, 2.5)
    """
    text = form.get("value", "").strip()
    if kind == "path":
        given, more = {"@path": _json_path(text)}, form.get("more", "")
        function = FUNCTIONS.get(form.get("function", ""))
        return (
            given
            if function is None
            else _filled(function.directive, {_VALUE: given, _TEXT: more, _NUMBER: _number(more)})
        )
    if kind == "text":
        return {"@liquid": form.get("value", "")}
    if kind == "places":
        lines = [*text.splitlines(), form.get("more", "")]
        return {"@coalesce": [_place_or_constant(line.strip(), spec) for line in lines if line.strip()]}
    if kind == "if":
        exists = _json_path(form.get("exists", text))
        named = (("then", form.get("then", exists)), ("else", form.get("otherwise", "")))
        outcomes = {name: _place_or_constant(each.strip(), spec) for name, each in named if each.strip()}
        return {"@if": {"exists": {"@path": exists}, **outcomes}}
    return _constant(form.get("value", ""), spec)


def _json_path(text: str) -> str:
    text = text.strip()
    if not text:
        raise EditRefused((), "name a place of the event, such as properties.total")
    return text if text.startswith("$") else f"$.{text}"


def _place_or_constant(text: str, spec: FieldSpec) -> Any:
    return {"@path": text} if _OF_PATH.fullmatch(text) else _constant(text, spec)


def _constant(text: str, spec: FieldSpec) -> Any:
    """Return a constant of the field's type; a text of another type stays a text, which the checks judge."""
    if spec.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return _number(text) if spec.type in ("number", "integer") else text


def _number(text: str) -> Any:
    """Return the number in a text, by JSON's syntax; otherwise the text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def with_row(document: YamlDocument, path: str, kind: str, form: Mapping[str, str], action: ActionFile) -> YamlDocument:
    """Return the document with a field mapped as chosen. Raises EditRefused."""
    specs, steps = dict(leaves(action.fields)), path.split(".")
    if path not in specs:
        raise EditRefused(steps, "there is no such field")
    if kind != "default":
        return document.with_value(("mapping", *steps), value_of(kind, form, specs[path]))
    changed_, at = document.without(("mapping", *steps)), ("mapping", *steps[:-1])
    while len(at) > 1 and changed_.get(at) == {}:
        changed_, at = changed_.without(at), at[:-1]
    return changed_


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
        was, becomes = (
            visible(_short(in_words(each), _MAX_IN_WORDS)) if each is not MISSING else missing for each in sides
        )
        found.append(WordedChange(label, place, was, becomes, path))
    return found


def in_words(given: Any) -> str:
    """Return the source of a value, for people.

    >>> in_words({"@path": "$.properties.total"}), in_words({"@coalesce": [{"@path": "$.a"}, "none"]})
    ('$.properties.total', '$.a, then none')
    """
    kind, controls = controls_of(given)
    match kind:
        case "path":
            function, more = controls.get("function", ""), controls.get("more", "")
            if not function:
                return str(given["@path"])
            return " ".join(filter(None, (f"$.{controls['value']},", FUNCTIONS[function].words, more)))
        case "places":
            return ", then ".join(controls["value"].split("\n"))
        case "if":
            then, otherwise = controls["then"] or "nothing", controls["otherwise"] or "nothing"
            return f"{then} if there is a $.{controls['exists']}, else {otherwise}"
    return controls.get("value", _written(given))


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
