"""YAML files hold JSON's types: what looks like text is text, and what is read differently elsewhere is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.catalog import yaml_files
from app.catalog.yaml_files import MAX_YAML_CHARACTERS, MAX_YAML_DEPTH, parse_yaml
from app.errors import Fault
from tests.process import ROOT
from tests.rows import every_row


@every_row(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", "Null"),
        ("01234", "01234"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("+5", "+5"),
        (".5", ".5"),
        ("5.", "5."),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("-0", 0),
        ("42", 42),
        ("-7", -7),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("=", "="),
        ("<<", "<<"),
        ("!!str 5", "5"),
        ("{<<: 1, 2: a, true: b, null: c}", {"<<": 1, "2": "a", "true": "b", "null": "c"}),
    ],
)
def test_only_json_types_are_recognised(text: str, value: Any) -> None:
    assert repr(parse_yaml(text)) == repr(value)


@every_row(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2, column 1: `a` is given twice"),
        ("1: a\n'1': b", "line 2, column 1: `1` is given twice"),
        ("a: &x 1\nb: *x", "line 2, column 4: aliases (*name) are not supported"),
        ("a: !!python/name:os.system", "line 1, column 4: the tag !!python/name:os.system is not supported"),
        ("a: !!set {b}", "line 1, column 4: the tag !!set is not supported"),
        ("a: !mine 1", "line 1, column 4: the tag !mine is not supported"),
        ("a: !!timestamp 2026-01-02", "line 1, column 4: the tag !!timestamp is not supported"),
        ("? [a]\n: b", "line 1, column 3: a key must be text"),
        ("a: [", "line 1, column 5"),
        ("a:\n\t- b", "line 2, column 1"),
        ("--- 1\n--- 2", "line 2, column 1"),
        ("a: \x00", "not readable YAML"),
        ("!!int x", "not readable YAML"),
        ("[" * (MAX_YAML_DEPTH + 1) + "]" * (MAX_YAML_DEPTH + 1), f"nested deeper than {MAX_YAML_DEPTH} levels"),
        ("[" * 100_000, f"nested deeper than {MAX_YAML_DEPTH} levels"),
    ],
    ids=lambda text: str(text)[:40].encode("unicode_escape").decode(),
)
def test_what_cannot_be_read_is_told_with_line_and_column(text: str, message: str) -> None:
    fault = parse_yaml(text)

    assert isinstance(fault, Fault)
    assert fault.path == ""
    assert message in fault.message


def test_the_deepest_file_is_read() -> None:
    assert parse_yaml("[" * (MAX_YAML_DEPTH - 1) + "]" * (MAX_YAML_DEPTH - 1)) is not None
    assert not isinstance(parse_yaml("[" * MAX_YAML_DEPTH + "]" * MAX_YAML_DEPTH), Fault)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", categories=["L", "N", "Zs", "P"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", categories=["L", "N"])), inner)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(JSON_VALUES)
def test_json_is_read_as_json_does(value: Any) -> None:
    assert parse_yaml(json.dumps(value)) == value


@given(st.text())
def test_any_text_is_read_or_told(text: str) -> None:
    parse_yaml(text)


@pytest.mark.slow
@given(
    JSON_VALUES,
    st.fixed_dictionaries(
        {"default_flow_style": st.sampled_from([None, True, False]), "default_style": st.sampled_from([None, '"', "|"])}
    ),
)
def test_both_readers_read_the_same(value: Any, style: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, **style)
    assert repr(parse_yaml(text)) == repr(yaml_files._parse_slowly(text))


@every_row("file", [*ROOT.glob("presets/*.yaml"), *ROOT.glob("mappings/*.yaml")], ids=lambda file: file.name)
def test_both_readers_read_the_shipped_files_the_same(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert parse_yaml(text) == yaml_files._parse_slowly(text)


def test_a_text_without_end_is_not_read() -> None:
    fault = parse_yaml("#" * (MAX_YAML_CHARACTERS + 1))
    assert isinstance(fault, Fault)
    assert "has 250,001 characters, 250,000 at most are allowed" in fault.message
    assert parse_yaml("#" * MAX_YAML_CHARACTERS) is None
