"""A file is edited in its text: what is asked changes, and every other character stays."""

from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from app.catalog.document import YamlDocument, changed_nodes
from app.errors import EditRefused
from app.mapping import MISSING
from tests.process import ROOT
from tests.rounds import examples, some_of
from tests.rows import every_row

FILES = sorted((*ROOT.glob("presets/*.yaml"), *ROOT.glob("mappings/*.yaml"), *ROOT.glob("sources/*.yaml")))

# file, path, value, what becomes of it
SET = {
    "a plain text": ("name: A\n", ("name",), "B", "name: B\n"),
    "what stands behind it stays": ("name: A  # why\nx: 1\n", ("name",), "B", "name: B  # why\nx: 1\n"),
    "a text that YAML would read as a number": ("name: A\n", ("name",), "12", 'name: "12"\n'),
    "a text with a colon": ("name: A\n", ("name",), "a: b", 'name: "a: b"\n'),
    "a number": ("hold: 1\n", ("hold",), 2.5, "hold: 2.5\n"),
    "nothing is a value": ("hold: 1\n", ("hold",), None, "hold: null\n"),
    "a key without a value": ("name:\nx: 1\n", ("name",), "B", "name: B\nx: 1\n"),
    "a new key comes last": ("a: 1\n", ("b",), 2, "a: 1\nb: 2\n"),
    "a file without a last line end": ("a: 1", ("b",), 2, "a: 1\nb: 2"),
    "lines that end as on Windows": ("a: 1\r\nc: 3\r\n", ("b",), 2, "a: 1\r\nc: 3\r\nb: 2\r\n"),
    "objects on the way are made": (
        "a: 1\n",
        ("mapping", "user_data", "email"),
        "x",
        "a: 1\nmapping: {user_data: {email: x}}\n",
    ),
    "lists on the way are made": ("a: 1\n", ("tests", 0), "x", "a: 1\ntests: [x]\n"),
    "a trigger needs no quotes": ("s: x\n", ("s",), 'a = "b" and c', 's: a = "b" and c\n'),
    "a member of an object in braces": ("m: {a: 1}  # c\n", ("m", "b"), 2, "m: {a: 1, b: 2}  # c\n"),
    "a member of an empty object": ("m: {}\nn: 1\n", ("m", "b"), 2, "m: {b: 2}\nn: 1\n"),
    "a directive": ("m:\n  a: x\n", ("m", "a"), {"@path": "$.userId"}, 'm:\n  a: {"@path": $.userId}\n'),
    "a new member stands before the comment of what follows": (
        "m:\n  a: 1\n\n# about n\nn: 2\n",
        ("m", "b"),
        2,
        "m:\n  a: 1\n  b: 2\n\n# about n\nn: 2\n",
    ),
    "a list below becomes one line": ("m:  # c\n  - 1\n  - 2\nn: 3\n", ("m",), 4, "m: 4  # c\nn: 3\n"),
    "an item of a list": ("m:\n  - 1\n  - a: 2\n    b: 3\n", ("m", 1, "a"), 9, "m:\n  - 1\n  - a: 9\n    b: 3\n"),
    "one more item": ("m:\n  - 1\nn: 2\n", ("m", 1), "x", "m:\n  - 1\n  - x\nn: 2\n"),
    "a text on several lines": ("s: >-\n  a\n  b\n\n# c\nn: 1\n", ("s",), "q", "s: q\n\n# c\nn: 1\n"),
    "quotes that are not needed are kept where nothing changes": ("n: 'A'\n", ("n",), "A", "n: 'A'\n"),
    "what was text becomes an object": ("m: x  # c\n", ("m", "a"), 1, "m: {a: 1}  # c\n"),
}


@every_row(("text", "path", "value", "expected"), SET.values(), ids=SET)
def test_a_value_is_set_in_place(text: str, path: tuple[str | int, ...], value: Any, expected: str) -> None:
    assert YamlDocument(text).with_value(path, value).text == expected


def test_a_long_value_is_written_on_lines_of_its_own() -> None:
    long = {"@coalesce": [{"@path": f"$.properties.place_number_{number}"} for number in range(4)]}
    changed = YamlDocument("mapping:\n  a: x  # c\n  b: y\n").with_value(("mapping", "a"), long)
    assert changed.text == (
        "mapping:\n  a:  # c\n"
        '    "@coalesce":\n'
        + "".join(f'      - {{"@path": $.properties.place_number_{number}}}\n' for number in range(4))
        + "  b: y\n"
    )
    assert changed.with_value(("mapping", "a"), "x").text == "mapping:\n  a: x  # c\n  b: y\n"


def test_lines_below_a_key_are_replaced_as_a_whole() -> None:
    document = YamlDocument("m:  # c\n  - 1\n  - 2\nn: 3\n")
    long = {f"name_{number}": "a text of some length" for number in range(5)}
    block = "".join(f"  {name}: {text}\n" for name, text in long.items())
    changed = document.with_value(("m",), long)
    assert changed.text == f"m:  # c\n{block}n: 3\n"
    assert changed.with_value(("m",), "x" * 120).text == f"m:  # c\n  {'x' * 120}\nn: 3\n"


#: Ways to write a file that are seldom met.
ODD = (
    "? a\n: 1\n",
    "? a\n: 1\n? b\n: 2\n",
    "? a\n: - 1\n  - 2\n",
    "a:\n  a text below\nb: 1\n",
    "a:\n  'in quotes'  # c\nb: 1\n",
    "a: >+\n  x\n\n\nb: 1\n",
    "a: |+\n  x\n\n",
    "{a: 1,\n b: 2}\n",
    "a: {b: 1,\n  c: 2,}\n",
    "a:\n- 1\n- 2\n",
    "a:\n- - 1\n  - 2\n",
    "---\na: 1\n...\n",
    "a: [1, # c\n 2]\n",
    "a: {b, c}\n",
    "a: [b: 1]\n",
    "a:\n  -\n    b: 1\n  - c\n",
)


@every_row("text", ODD, ids=repr)
def test_an_odd_file_holds_what_was_asked_or_the_edit_is_refused(text: str) -> None:
    document = YamlDocument(text)
    long = {f"name_{number}": "a text of some length" for number in range(6)}
    for path in (*paths_of(document.value), ("new",)):
        for value in (2, "x", long, [1, 2], None):
            try:
                assert document.with_value(path, value).get(path) == value
            except EditRefused:
                continue
        try:
            assert document.without(path).get(path, MISSING) != document.get(path)
        except EditRefused:
            continue
    assert document.text == text


def test_no_place_is_refused_and_one_that_is_not_there_has_no_lines() -> None:
    document = YamlDocument("m: {a: 1}\n")
    assert document.lines(("m", "b")) is None
    with pytest.raises(EditRefused, match="name a place inside the file"):
        document.without(())


REMOVED = {
    "a line": ("a: 1\nb: 2  # c\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
    "several lines": ("a: 1\nb:\n  - 2\n  - 3\n\n# about c\nc: 3\n", ("b",), "a: 1\n\n# about c\nc: 3\n"),
    "the first in braces": ("m: {a: 1, b: 2}\n", ("m", "a"), "m: {b: 2}\n"),
    "the last in braces": ("m: {a: 1, b: 2}\n", ("m", "b"), "m: {a: 1}\n"),
    "the only one leaves an empty object": ("m:\n  a: 1\nn: 2\n", ("m", "a"), "m: {}\nn: 2\n"),
    "the only item": ("m: [1]\n", ("m", 0), "m: []\n"),
    "an item": ("m:\n  - 1\n  - 2\n  - 3\n", ("m", 1), "m:\n  - 1\n  - 3\n"),
    "the first member behind a dash": ("m:\n  - a: 1\n    b: 2\n", ("m", 0, "a"), "m:\n  - b: 2\n"),
    "what is not there": ("a: 1\n", ("b",), "a: 1\n"),
    "in the last line without an end": ("a: 1\nb: 2", ("b",), "a: 1\n"),
}


@every_row(("text", "path", "expected"), REMOVED.values(), ids=REMOVED)
def test_a_member_is_taken_away(text: str, path: tuple[str | int, ...], expected: str) -> None:
    assert YamlDocument(text).without(path).text == expected


NOT_READ = {"a list": "- 1\n", "nothing": "", "no YAML": "a: [1\n", "an anchor": "a: &x 1\nb: *x\n"}


@pytest.mark.parametrize("text", NOT_READ.values(), ids=NOT_READ)
def test_a_text_that_is_no_object_of_fields_is_refused(text: str) -> None:
    with pytest.raises(EditRefused):
        YamlDocument(text)


def paths_of(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for name, each in members for path in ((*at, name), *paths_of(each, (*at, name)))]


def lines_but(text: str, lines: tuple[int, int]) -> tuple[list[str], list[str]]:
    found = text.split("\n")
    return found[: lines[0] - 1], found[lines[1] :]


def check_edits(text: str, path: tuple[str | int, ...], value: Any) -> None:
    """Set a place, take it away, and check that nothing but its lines changes."""
    document = YamlDocument(text)
    assert document.with_value(path, document.get(path)).text == text
    is_only = len(document.get(path[:-1])) == 1  # then its object, which stays, is written as an empty one
    edits = [(path, document.with_value(path, value)), (path[:-1] if is_only else path, document.without(path))]
    for place, changed in edits:
        lines = document.lines(place)
        assert lines is not None
        before, behind = lines_but(text, lines)
        found = changed.text.split("\n")
        rest = found[len(found) - len(behind) :]
        assert found[: len(before)] == before
        # the member behind the dash of a list gives the dash to the next one
        assert rest == behind or [rest[0].replace("- ", "  ", 1), *rest[1:]] == behind
    assert document.text == text


@pytest.mark.slow
@every_row("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_place_of_a_shipped_file_can_be_set_and_taken_away(file: Path) -> None:
    text = file.read_text()
    document = YamlDocument(text)
    paths = paths_of(document.value)
    for path in some_of(paths[:: 1 + len(text) // 4_000]):
        check_edits(text, path, "another value")


Changed: TypeAlias = list[tuple[tuple[str, ...], Any, Any]]
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], Changed]] = {
    "nothing": ({"a": 1}, {"a": 1}, []),
    "the order of members": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    "numbers that are written otherwise": ({"a": 1}, {"a": 1.0}, [(("a",), 1, 1.0)]),
    "a text": ({"name": "A"}, {"name": "B"}, [(("name",), "A", "B")]),
    "a member": ({}, {"hold": "1h"}, [(("hold",), MISSING, "1h")]),
    "each field of a new object of the mapping": (
        {},
        {"mapping": {"user_data": {"email": "a", "phone": "b"}}},
        [(("mapping", "user_data", "email"), MISSING, "a"), (("mapping", "user_data", "phone"), MISSING, "b")],
    ),
    "a directive is one node": (
        {"mapping": {"a": {"@path": "$.a"}}},
        {"mapping": {"a": {"@path": "$.b"}}},
        [(("mapping", "a"), {"@path": "$.a"}, {"@path": "$.b"})],
    ),
    "an object that becomes a directive": (
        {"mapping": {"a": {"b": 1}}},
        {"mapping": {"a": {"@path": "$.b"}}},
        [(("mapping", "a"), {"b": 1}, {"@path": "$.b"})],
    ),
    "a test by its name": (
        {"tests": [{"name": "A"}, {"name": "B"}]},
        {"tests": [{"name": "B"}, {"name": "C", "x": 1}]},
        [(("tests", "A"), {"name": "A"}, MISSING), (("tests", "C"), MISSING, {"name": "C", "x": 1})],
    ),
    "the first test": ({}, {"tests": [{"name": "A"}]}, [(("tests", "A"), MISSING, {"name": "A"})]),
    "a list without names": ({"a": [1]}, {"a": [2]}, [(("a",), [1], [2])]),
    "an example as a whole": ({}, {"example": {"type": "track"}}, [(("example",), MISSING, {"type": "track"})]),
}


@every_row(("was", "becomes", "expected"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_each_node_that_differs_is_named(was: dict[str, Any], becomes: dict[str, Any], expected: Changed) -> None:
    assert list(changed_nodes(was, becomes)) == expected
    back = {at: (new, old) for at, old, new in changed_nodes(becomes, was)}
    assert back == {at: (old, new) for at, old, new in expected}


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12) | st.sampled_from(
    [
        "",
        "null",
        "12",
        "a: b",
        "a #b",
        "- x",
        "@path",
        "$.userId",
        "{{ x }}",
        "  x",
        "x:",
        "'",
        '"',
        "é\u2028",
        "a, b",
        "\n",
        "#",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@effort(max_examples=examples(800), deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "mapping", "tests", "hold"]), values, min_size=1), values, st.data())
def test_whatever_is_written_is_read_again(start: dict[str, Any], value: Any, data: st.DataObject) -> None:
    document = YamlDocument("# begins\nfirst: 1\n")
    for name, each in start.items():
        document = document.with_value((name,), each)
        assert document.get((name,)) == each
    path = data.draw(st.sampled_from(paths_of(document.value)))
    changed = document.with_value(path, value)
    assert changed.get(path) == value
    assert changed.text.startswith("# begins\n")
    try:
        shorter = changed.without(path)
    except EditRefused:
        return
    assert YamlDocument(shorter.text).value == shorter.value
