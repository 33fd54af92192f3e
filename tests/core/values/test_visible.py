"""Texts of strangers on a terminal."""

import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.values.texts import visible, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 世界 👍 [red]x[/red]", "Grüße, 世界 👍 [red]x[/red]"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\rb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("ok\u202egnp.exe", "ok\\u202egnp.exe"),
        ("\u2066x\u2069\u200b\ufeff", "\\u2066x\\u2069\\u200b\\ufeff"),
    ],
)
def test_what_would_do_something_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_ends_and_tabs_may_stay() -> None:
    assert visible("a\nb\tc\x1b", lines=True) == "a\nb\tc\\x1b"


@given(st.text())
def test_nothing_that_controls_is_left(text: str) -> None:
    assert not {unicodedata.category(char) for char in visible(text)} & {"Cc", "Zl", "Zp"}


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_reads_the_same_and_holds_nothing_that_controls(value: object) -> None:
    shown = visible_json(orjson.dumps(value).decode())
    assert orjson.loads(shown) == value
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Zl", "Zp"}
