"""The visual view and the text are one document: unedited it stays byte by byte, and an edit changes its own lines."""

import difflib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from app.catalog.document import Path as Place
from app.catalog.document import YamlDocument
from app.catalog.files import ActionFile
from app.catalog.yaml_files import parse_yaml
from app.console.chips import Chip
from app.console.preset_editor import FieldRow, field_groups, meta_of, trigger_rows, with_field, with_meta
from app.trigger import compile_trigger
from app.trigger.edits import condition_text, negated, with_condition
from tests.process import ROOT
from tests.rows import every_row

ACTION: Final = ActionFile.model_validate(
    parse_yaml((ROOT / "mappings" / "report_conversion_event.yaml").read_text(encoding="utf-8"))
)
SHIPPED: Final = sorted((*ROOT.glob("presets/*.yaml"), *ROOT.glob("mappings/*.yaml")))
GENERATED_A_ROUND: Final = 70
#: Kinds of chips with an input.
EDITABLE: Final = frozenset({"path", "root", "constant", "template"})
PATHS: Final = ("$.properties.total", "$.context.traits.email", "$.properties['a b']", "$.userId", "properties.x", "$")


def rows_of(document: YamlDocument) -> list[FieldRow]:
    return [row for group in field_groups(document, ACTION, None, ()) for row in group.rows]


def chips_of(chip: Chip) -> Iterator[Chip]:
    yield chip
    for part in chip.parts:
        yield from chips_of(part)


def there_and_back(text: str) -> str:
    """Read a preset into the rows of the editor, and store each input as it is shown: a line has no line ends."""
    document = YamlDocument(text)
    for row in rows_of(document):
        for chip in chips_of(row.chip) if row.chip and row.origin == "own" else ():
            if chip.kind in EDITABLE:
                form = {"path": row.path, "at": json.dumps(chip.at), "kind": chip.kind}
                document = with_field(document, "chip", form | {"value": "".join(chip.text.splitlines())}, ACTION)
    for name in ("name", "description", "hold"):
        document = with_meta(document, name, meta_of(document, name))
    subscribe = str(document.get(("subscribe",)) or "")
    for each in trigger_rows(compile_trigger(subscribe).term, None) if subscribe else ():
        if each.kind == "condition":
            place = tuple(map(int, filter(None, each.place.split("."))))
            condition = condition_text(each.field, each.operator, each.value, is_text=each.is_text)
            subscribe = with_condition(subscribe, place, condition)
    return document.with_value(("subscribe",), subscribe).text if subscribe else document.text


def check(text: str, rng: Random) -> None:
    """Go there and back without an edit, then edit a row and the trigger."""
    assert there_and_back(text) == text
    document = YamlDocument(text)
    row = rng.choice([each for each in rows_of(document) if each.origin != "within"])
    form = {"path": row.path}
    place: Place = ("mapping", *row.path.split("."))
    whole = form | {"kind": "constant", "value": "another value"}
    confined(document, with_field(document, "chip", whole, ACTION), place)
    confined(document, with_field(document, "default", form, ACTION), place)
    for chip in chips_of(row.chip) if row.chip and row.origin == "own" else ():
        if chip.kind in EDITABLE:
            edit = form | {"at": json.dumps(chip.at), "kind": chip.kind, "value": "another.value"}
            changed = with_field(document, "chip", edit, ACTION)
            confined(document, changed, (*place, *chip.at))
    trigger = document.get(("subscribe",))
    confined(document, document.with_value(("subscribe",), negated(trigger, ())), ("subscribe",))


def confined(before: YamlDocument, after: YamlDocument, place: Place) -> None:
    """Check that only lines of the node differ; of one that is new, one line at most, to which it is added."""
    is_new = before.lines(place) is None
    while before.lines(place) is None or len(before.get(place[:-1], {})) == 1 < len(place):
        place = place[:-1]  # it is new, or its object is written anew without it
    first, last = before.lines(place) or (0, 0)
    was, becomes = (each.text.splitlines(keepends=True) for each in (before, after))
    codes = difflib.SequenceMatcher(None, was, becomes, autojunk=False).get_opcodes()
    changes = [(start, end) for kind, start, end, *_ in codes if kind != "equal"]
    assert all(first - 1 <= start <= end <= last for start, end in changes), (place, before.text, after.text)
    assert not is_new or sum(end - start for start, end in changes) <= 1, (place, before.text, after.text)


@every_row("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_shipped_file_goes_there_and_back(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if file.parent.name == "presets":
        check(text, Random(file.stem))
    document = YamlDocument(text)  # a mapping has no rows: each of its nodes is set to what it is
    for path in nodes(document.value):
        assert document.with_value(path, document.get(path)).text == text


@pytest.mark.prove
@pytest.mark.slow
def test_a_generated_file_goes_there_and_back(rounds: Callable[[str], int]) -> None:
    """2,100 by `make prove`: every way to write a value is shown as chips."""
    kinds: set[str] = set()
    for seed in range(rounds("seeds") * GENERATED_A_ROUND):
        rng = Random(seed)
        text = Writing(rng).preset()
        rows = [row.chip for row in rows_of(YamlDocument(text)) if row.chip and row.origin == "own"]
        kinds |= {chip.kind for each in rows for chip in chips_of(each)}
        check(text, rng)
    assert kinds == {"path", "constant", "template", "function", "list", "fixed", "root", "object"}


def nodes(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, name)
        yield from nodes(each, (*at, name))


class Writing:
    """Writes presets as people may: braces or lines, quotes or none, comments, blank lines, texts of several lines."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._end = rng.choice(["\n", "\n", "\n", "\r\n"])

    def preset(self) -> str:
        rng = self._rng
        members: dict[str, Any] = {"name": self._text(), "subscribe": self._trigger(3)}
        members |= {"description": self._text()} if rng.random() < 0.7 else {}
        members |= {"action": "report_conversion_event", "mapping": self._fields(ACTION.fields)}
        members |= {"hold": "30m"} if rng.random() < 0.2 else {}
        members |= {"tests": [{"name": "One", "expect": {"outcome": "enqueued"}}]} if rng.random() < 0.3 else {}
        return "".join(self._member(name, each, "") for name, each in members.items())

    def _fields(self, specs: Any) -> dict[str, Any]:
        rng, found = self._rng, {}
        for name, spec in specs.items():
            if spec.properties and rng.random() < 0.4:
                found[name] = self._fields(spec.properties) if rng.random() < 0.8 else self._value()
            elif rng.random() < 0.15:
                found[name] = self._value()
        return found or {"event_name": "lead"}

    def _value(self) -> Any:
        rng = self._rng
        path = {"@path": rng.choice(PATHS)}
        simple = rng.choice([path, self._text(), 2.5, 12, True, {"@path": "$.userId"}])
        return rng.choice(
            [
                path,
                path,
                self._text(),
                rng.choice([0, -2.5, 1e21, True, None, "12", "true", "null", ""]),
                {"@liquid": rng.choice(["{{ a }}", "{{ a }}\n{{ b }}", " {{ a }} "])},
                {"@coalesce": [simple, {"@path": rng.choice(PATHS)}]},
                {"@coalesce": [{"@liquid": "{{ a }}"}]},
                {"@if": {"exists": path, "then": simple, "else": self._text()}},
                {"@if": {"then": simple, "exists": path}},
                {"@if": {"exists": path}},
                {"@sum": [path, 2]},
                {"@each": ["$.properties.products", {"id": path, "price": {"@money": {"@path": "$.price"}}}]},
                {"@path": "$.a", "more": 1},
                [path, "x"],
            ]
        )

    def _text(self) -> str:
        return self._rng.choice(
            [
                "lead",
                "A text: with a colon",
                "it's",
                'say "x"',
                "a # b",
                "several\nlines",
                " blanks ",
                "é\u2028",
                "@x",
                "x" * 130,
            ]
        )

    def _trigger(self, depth: int) -> str:
        rng = self._rng
        if depth and rng.random() < 0.5:
            joined = rng.choice([" and ", " AND ", "  or ", " OR  "]).join(
                self._trigger(depth - 1) for _ in range(rng.randint(2, 3))
            )
            return rng.choice(["({})", "( {} )", "!({})", "not ({})", "NOT ( {} )"]).format(joined)
        return rng.choice(
            [
                'event = "A"',
                "event='A'",
                "type   !=\t'track'",
                "properties.n>=2.50",
                "properties.n < +1e3",
                'properties.n = "12"',
                "userId != null",
                "properties.x = TRUE",
                'contains( event , "a b" )',
                "!contains(event,'it')",
                'not  match(properties["a b"].c, "x*")',
                "properties.items[0].name = 'say \"x\"'",
                'name = "a\\\\b \\" c"',
            ]
        )

    def _member(self, name: str, value: Any, indent: str) -> str:
        rng, end = self._rng, self._end
        before = rng.choice(["", "", "", end, f"{indent}# about it{end}"])
        comment = rng.choice(["", "", "  # why"])
        key = rng.choice([name, name, f'"{name}"']) if name[:1] != "@" else rng.choice([f'"{name}"', f"'{name}'"])
        if isinstance(value, dict | list) and value and rng.random() < 0.6:
            inner, step = rng.choice(["  ", "    "]), ""
            if isinstance(value, dict):
                step = "".join(self._member(each, of, indent + inner) for each, of in value.items())
            else:
                step = "".join(f"{indent}{inner}- {self._flow(each)}{end}" for each in value)
            return f"{before}{indent}{key}:{comment}{end}{step}"
        if isinstance(value, str) and value.strip() == value and rng.random() < 0.25 and "\u2028" not in value:
            head, lines = rng.choice([">-", "|-", ">", "|"]), value.split("\n")
            if head[0] == ">":
                lines = f"{end}{end}".join(lines).split(end)
            body = "".join(f"{indent}  {line}{end}" if line else end for line in lines)
            return f"{before}{indent}{key}: {head}{comment}{end}{body}"
        return f"{before}{indent}{key}: {self._flow(value)}{comment}{end}"

    def _flow(self, value: Any) -> str:
        rng = self._rng
        if isinstance(value, dict):
            inner = rng.choice([", ", ",  "]).join(f'"{name}": {self._flow(each)}' for name, each in value.items())
            return rng.choice(["{{{}}}", "{{ {} }}"]).format(inner)
        if isinstance(value, list):
            return f"[{', '.join(map(self._flow, value))}]"
        if isinstance(value, str):
            double = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\u2028", "\\L")
            single = "'" + value.replace("'", "''") + "'"
            return f'"{double}"' if "\n" in value or "\u2028" in value or rng.random() < 0.5 else single
        return (
            {True: "true", False: "false", None: "null"}.get(value, str(value)) if value in (True, None) else str(value)
        )
