"""What says nothing, by one rule for all stages."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.values.placeholders import FIRST_CHARACTERS, PLACEHOLDERS, says_a_text, says_nothing, says_something
from tests.rows import every_row

NOTHING: list[Any] = [
    None,
    "",
    " ",
    "\u3000\n",
    "null",
    "UNDEFINED",
    " None ",
    "NaN\t",
    "N/A",
    "(Not Set)",
    [],
    {},
    [None],
    [" ", ["n/a"]],
]
SOMETHING: list[Any] = [0, False, 0.0, True, "0", "-", "Nancy", "n", "nullable", {"a": 0}, [None, 0], [{"a": 1}]]


@every_row("value", NOTHING, ids=repr)
def test_null_blanks_and_placeholders_say_nothing(value: Any) -> None:
    assert says_nothing(value)
    assert not says_something(value)
    assert not says_a_text(value)


@every_row("value", SOMETHING, ids=repr)
def test_everything_else_says_something(value: Any) -> None:
    assert not says_nothing(value)
    assert says_something(value)


@every_row(
    ("value", "is_text"),
    [
        (5, True),
        (1.5, True),
        (float("nan"), False),
        (float("inf"), False),
        (True, False),
        ({"a": 1}, False),
        ([1], False),
    ],
    ids=repr,
)
def test_a_number_is_as_good_as_a_text(value: Any, is_text: bool) -> None:  # noqa: FBT001 - of a table
    assert says_a_text(value) is is_text


@given(st.text() | st.sampled_from(sorted(PLACEHOLDERS)).map(str.title) | st.text(" \u00a0\tnul", max_size=6))
def test_the_first_character_of_what_says_nothing_is_known(text: str) -> None:
    if text and says_nothing(text):
        assert text[0] in FIRST_CHARACTERS
