"""Texts of strangers on a terminal."""

import json
import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.values.texts import visible, visible_json
from tests.rows import every_row


@every_row(
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


#: Format characters (Cf) that are seen: signs that stand around numbers.
SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u0890\u0891\u08e2\U000110bd\U000110cd")
TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def does_something(char: str) -> bool:
    """Whether a terminal obeys a character, it turns the direction of reading, or nobody sees it."""
    category = unicodedata.category(char)
    hidden = category in {"Cc", "Cs", "Zl", "Zp"} or (category == "Cf" and char not in SEEN)
    return hidden or unicodedata.bidirectional(char) in TURNING


@pytest.mark.slow
def test_of_all_of_unicode_what_does_something_is_written_out() -> None:
    every = [chr(code) for code in range(0x110000)]
    doing = {char for char in every if does_something(char)}
    assert doing.isdisjoint(visible("".join(every)))
    assert [hex(ord(char)) for char in doing if visible(char) == char] == []
    # letters stay, whatever they are written in; fillers are none
    kept = "".join(char for char in every if char.isalnum() and "FILLER" not in unicodedata.name(char, ""))
    assert visible(kept) == kept
    told = json.dumps([char for char in every if not 0xD800 <= ord(char) <= 0xDFFF], ensure_ascii=False)
    shown = visible_json(told)
    assert json.loads(shown) == json.loads(told)
    assert doing.isdisjoint(shown)


@given(st.text(st.characters()))
def test_nothing_that_controls_is_left(text: str) -> None:
    assert [char for char in visible(text) if does_something(char)] == []
    assert visible(visible(text)) == visible(text)
    visible(text).encode()  # a half of a character could not be printed


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_reads_the_same_and_holds_nothing_that_controls(value: object) -> None:
    shown = visible_json(orjson.dumps(value).decode())
    assert orjson.loads(shown) == value
    assert [char for char in shown if does_something(char)] == []
