"""A trigger is edited in its text: one part at a time, and it says exactly what was asked."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from app.errors import TriggerError
from app.trigger.edits import condition_text, negated, term_at, with_added, with_condition, with_joiner, without_term
from app.trigger.parser import parse_trigger
from app.trigger.syntax import EVENT_FIELDS, Group, Negation, Term
from app.trigger.trigger import compile_trigger
from tests.rounds import examples
from tests.rows import every_row

A, B, C = 'event = "A"', "properties.n >= 2", 'contains(name, "x")'

EDITS: dict[str, tuple[Callable[..., str], tuple[Any, ...], str]] = {
    "another condition": (with_condition, (f"{A} and {B}", (1,), C), f"{A} and {C}"),
    "the same, which stays as it is written": (with_condition, (f"event='A'  and {B}", (0,), A), f"event='A'  and {B}"),
    "another group": (with_condition, (f"({A} or {B}) and {C}", (0,), A), f"({A}) and {C}"),
    "one more": (with_added, (f"{A} and {B}", (), "and", C), f"{A} and {B} and {C}"),
    "an alternative to all": (with_added, (f"{A} and {B}", (), "or", C), f"({A} and {B}) or {C}"),
    "an alternative to one": (with_added, (f"{A} and {B}", (0,), "or", C), f"({A} or {C}) and {B}"),
    "one more in parentheses": (with_added, (f"({A} or {B}) and {C}", (0,), "or", C), f"({A} or {B} or {C}) and {C}"),
    "one beside parentheses": (
        with_added,
        (f"{C} and ({A} or {B})", (1,), "and", C),
        f"{C} and (({A} or {B}) and {C})",
    ),
    "the first": (with_added, ("  ", (), "and", A), A),
    "without the first": (without_term, (f"{A}  and {B}", (0,)), B),
    "without the last": (without_term, (f"{A} and {B}\n", (1,)), f"{A}\n"),
    "without a group": (without_term, (f"{A} and ({B} or {C})", (1,)), A),
    "without one of two in a group": (without_term, (f"{A} and ({B} or {C})", (1, 0)), f"{A} and ({C})"),
    "without what is negated": (without_term, (f"{A} and not ({B})", (1, 0)), A),
    "without anything": (without_term, (A, ()), ""),
    "any for all": (with_joiner, (f"{A} AND {B} and {C}", (), "or"), f"{A} or {B} or {C}"),
    "the words of a value are no joiners": (
        with_joiner,
        ('event = "a and b" and name = "c"', (), "or"),
        'event = "a and b" or name = "c"',
    ),
    "the opposite of a comparison": (negated, (f"{A} and {B}", (0,)), f'event != "A" and {B}'),
    "the opposite of an order": (negated, (B, ()), f"not ({B})"),
    "the opposite of a function": (negated, (f"{A} and {C}", (1,)), f"{A} and not {C}"),
    "the opposite of its opposite": (negated, (f"{A} and !{C}", (1,)), f"{A} and {C}"),
    "the opposite of a group": (negated, (f"{A} and ({B} or {C})", (1,)), f"{A} and not ({B} or {C})"),
    "the opposite of a negation": (negated, (f"{A} and not ({B} or {C})", (1,)), f"{A} and ({B} or {C})"),
    "an equals sign in a value": (negated, ('event = "a=b"', ()), 'event != "a=b"'),
}


@every_row(("edit", "given_", "expected"), EDITS.values(), ids=EDITS)
def test_a_part_is_edited_in_place(edit: Callable[..., str], given_: tuple[Any, ...], expected: str) -> None:
    assert edit(*given_) == expected


WRITTEN = {
    "text": ("event", "=", "Order", 'event = "Order"'),
    "a number": ("properties.n", "<", "2.5", "properties.n < 2.5"),
    "nothing": ("userId", "!=", "null", "userId != null"),
    "quotes": ("event", "=", 'a "b" \\', 'event = "a \\"b\\" \\\\"'),
    "a function": ("event", "match", "Order*", 'match(event, "Order*")'),
    "its opposite": ("event", "not match", "Order*", 'not match(event, "Order*")'),
    "a function takes text": ("event", "contains", "12", 'contains(event, "12")'),
}


@every_row(("field", "operator", "value", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_a_condition_is_written(field: str, operator: str, value: str, expected: str) -> None:
    assert condition_text(field, operator, value) == expected
    assert parse_trigger(expected, EVENT_FIELDS).text == expected


def test_a_number_may_be_meant_as_text() -> None:
    assert condition_text("properties.n", "=", "12", is_text=True) == 'properties.n = "12"'


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(TriggerError):
        with_condition(A, (), "event =")
    with pytest.raises(LookupError):
        term_at(parse_trigger(A, EVENT_FIELDS), (0,))


def places(term: Term, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    inner = term.terms if isinstance(term, Group) else (term.term,) if isinstance(term, Negation) else ()
    return [at, *(place for number, each in enumerate(inner) for place in places(each, (*at, number)))]


conditions = st.sampled_from(
    ['event = "A"', 'name != "b"', "properties.n >= 2", 'contains(event, "A")', '!match(name, "b*")']
)
triggers = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {} OR {})".format, inner, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=8,
)
EVENTS: list[dict[str, Any]] = [
    {"event": event, "name": name, "properties": {"n": number}}
    for event in ("A", "B")
    for name in ("b", "c")
    for number in (1, 3)
]


@pytest.mark.slow
@effort(max_examples=examples(1_000), deadline=None)
@given(triggers, conditions, st.data())
def test_the_opposite_of_all_and_back_says_the_same(text: str, more: str, data: st.DataObject) -> None:
    whole = compile_trigger(text)
    place = data.draw(st.sampled_from(places(whole.term)))
    opposite = compile_trigger(negated(text, ()))
    back = compile_trigger(negated(negated(text, place), place))
    either, both = (compile_trigger(with_added(text, (), joiner, more)) for joiner in ("or", "and"))
    condition = compile_trigger(more)
    for event in EVENTS:
        held = whole.matches(event)
        assert opposite.matches(event) is not held
        assert back.matches(event) is held
        assert either.matches(event) is (held or condition.matches(event))
        assert both.matches(event) is (held and condition.matches(event))
    shorter = without_term(text, place)
    if shorter:
        assert len(places(compile_trigger(shorter).term)) < len(places(whole.term))
