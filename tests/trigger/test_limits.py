"""No trigger hangs or exhausts the process: text, nesting and patterns are bounded or linear."""

import contextlib
import time

import pytest

from app.errors import TriggerError
from app.trigger import compile_trigger
from app.trigger.parser import MAX_CHARACTERS, MAX_FUNCTION_CALLS, MAX_PARENTHESES_DEPTH
from tests.rows import every_row

EVENT = {"type": "track", "event": "Order"}
#: What takes longer grows faster than its input: all of these need some hundredths.
SOON_S = 5.0


def test_the_deepest_nesting_works() -> None:
    trigger = compile_trigger("!(" * MAX_PARENTHESES_DEPTH + 'type = "track"' + ")" * MAX_PARENTHESES_DEPTH)

    assert trigger.matches(EVENT)
    assert trigger.explain(EVENT).held


@every_row("opening", ["(", "!(", "not ( "])
@every_row("closed", [True, False])
def test_one_more_parenthesis_is_refused_where_it_opens(opening: str, *, closed: bool) -> None:
    closing = ")" * (MAX_PARENTHESES_DEPTH + 1) if closed else ""

    with pytest.raises(TriggerError, match=f"use at most {MAX_PARENTHESES_DEPTH} levels") as caught:
        compile_trigger(opening * (MAX_PARENTHESES_DEPTH + 1) + 'type = "track"' + closing)

    assert caught.value.column == len(opening) * MAX_PARENTHESES_DEPTH + opening.index("(") + 1


def test_parentheses_beside_one_another_are_not_nested() -> None:
    assert compile_trigger(" and ".join(['(type = "track")'] * 2 * MAX_PARENTHESES_DEPTH)).matches(EVENT)


def test_a_trigger_calls_functions_up_to_a_bound() -> None:
    calls = ['contains(event, "x")', 'match(event, "y*")'] * (MAX_FUNCTION_CALLS // 2)
    assert not compile_trigger(" or ".join(calls)).matches(EVENT)
    with pytest.raises(TriggerError, match="more than 500 times: split the preset") as caught:
        compile_trigger(" or ".join([*calls, 'contains(event, "z")']))
    assert caught.value.column == len(" or ".join(calls)) + len(" or ") + 1


def test_the_longest_text_works() -> None:
    text = 'type = "track" or ' * 3_000
    text += 'event = "' + "x" * (MAX_CHARACTERS - len(text) - 10) + '"'

    assert len(text) == MAX_CHARACTERS
    assert compile_trigger(text).matches(EVENT)


def test_one_more_character_is_refused() -> None:
    with pytest.raises(TriggerError, match="65537 characters long, at most 65536") as caught:
        compile_trigger(" " * (MAX_CHARACTERS + 1))

    assert caught.value.column == MAX_CHARACTERS + 1


@every_row(
    "text",
    [
        "(" * 60_000,
        "!" * 60_000,
        "not " * 15_000,
        " " * 60_000,
        "x" * 60_000,
        "9" * 60_000,
        "properties" + ".a" * 30_000,
        "properties" + "[0" * 30_000,
        "properties" + "[0]" * 20_000 + " = 1",
        'properties["' + "a" * 60_000,
        "properties.a = " + "9" * 60_000,
        "properties.a = 1." + "9" * 60_000 + "x",
        'type = "' + "a" * 60_000,
        'type = "' + "\\" * 60_000,
        'type = "a" and ' * 4_000,
    ],
    ids=lambda text: text[:16].strip() or "blanks",
)
def test_a_long_repetition_ends_soon(text: str) -> None:
    began = time.monotonic()

    with contextlib.suppress(TriggerError):
        compile_trigger(text).matches(EVENT)

    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("pattern", ["*a" * 1_000 + "b*", "a*" * 1_000 + "b", "*" * 5_000 + "b", "*" + "a" * 90 + "b*"])
def test_no_pattern_tries_twice(pattern: str) -> None:
    trigger = compile_trigger(f'match(event, "{pattern}")')
    began = time.monotonic()

    assert not trigger.matches({"event": "a" * 200_000})
    assert time.monotonic() - began < SOON_S
