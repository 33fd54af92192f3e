"""A generated condition, printed and compiled, answers what a plain reading of the rules answers."""

import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import TriggerError
from app.trigger import Trigger, compile_trigger
from tests.rounds import examples

#: A condition as a tuple, its kind first: a reading of the grammar that shares nothing with app.trigger.
Tuple: TypeAlias = Any
#: Chooses one of several ways to write the same thing.
Draw: TypeAlias = Callable[[list[str]], str]

FLAT = ["type", "event", "name", "userId", "anonymousId", "messageId"]
NESTED = ["properties", "traits", "context", "integrations"]
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}

# Few words, so that paths meet members and texts meet one another.
words = st.sampled_from(
    ["a", "b", "0", "1", "ü-$", "and", "true", "null", "42", "-0.5", "a b", 'q"', "c\\", "\n", "'", ""]
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([42, -0.5, 2**53 + 1, 10**400, 1e21]),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, words)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
events = st.dictionaries(st.sampled_from(FLAT + NESTED), json_values).map(dict[str, Any])

written_numbers = st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{1,2})?([eE][+-]?[0-9])?", fullmatch=True).filter(str.isascii)
steps = st.one_of(
    st.sampled_from(["a", "b", "0", "1", "ü-$", "and"]).map(lambda key: ("key", key)),
    st.integers(0, 2).map(lambda index: ("index", index)),
    words.filter(lambda word: word and '"' not in word).map(lambda key: ("quoted", key)),
)
fields = st.one_of(
    st.tuples(st.sampled_from(FLAT), st.just(())),
    st.tuples(st.sampled_from(NESTED), st.lists(steps, min_size=1, max_size=3).map(tuple)),
)
values = st.one_of(
    words.map(lambda text: ("text", text)),
    written_numbers.map(lambda number: ("number", number)),
    st.sampled_from([True, False, None]).map(lambda constant: ("constant", constant)),
)
conditions = st.one_of(
    st.tuples(st.just("compare"), fields, st.sampled_from(["=", "!="]), values),
    st.tuples(st.just("order"), fields, st.sampled_from([*COMPARE]), written_numbers, st.booleans()),
    st.tuples(
        st.just("call"),
        st.sampled_from(["contains", "match"]),
        fields,
        st.text("ab*c\\", max_size=5) | words,
        st.booleans(),
    ),
)
terms = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=4)),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=8,
)


def compiled(text: str) -> Trigger | TriggerError:
    try:
        return compile_trigger(text)
    except TriggerError as error:
        return error


def printed(term: Tuple, draw: Draw) -> str:
    """Write a term, each time with other blanks, cases and quotes."""
    kind = term[0]
    if kind in ("compare", "order"):
        value = term[3] if kind == "compare" else ("text" if term[4] else "number", term[3])
        return f"{_field(term[1], draw)}{_blank(draw)}{term[2]}{_blank(draw)}{_value(value, draw)}"
    if kind == "call":
        arguments = f"{_field(term[2], draw)}{_blank(draw)},{_blank(draw)}{_value(('text', term[3]), draw)}"
        return (draw(["!", "! ", "not ", "NOT\n"]) if term[4] else "") + f"{term[1]}({arguments})"
    if kind == "not":
        return draw(["!", "not", "Not "]) + f"({printed(term[1], draw)})"
    joiner = draw([f" {kind} ", f"\n{kind.upper()}\u2003", f"\xa0{kind.title()}\r\n"])
    return joiner.join(
        f"({printed(each, draw)})" if each[0] in ("and", "or") else printed(each, draw) for each in term[1]
    )


def _blank(draw: Draw) -> str:
    return draw(["", " ", "\n\t", "\u3000"])


def _field(field: Any, draw: Draw) -> str:
    root, path = field
    written = root
    for kind, step in path:
        opening, closing = draw(["[", "\\["]), draw(["]", "\\]"])
        inside = f'"{step}"' if kind == "quoted" else str(step)
        written += f".{step}" if kind == "key" else opening + inside + closing
    return str(written)


def _value(value: Any, draw: Draw) -> str:
    kind, content = value
    if kind == "number":
        return str(content)
    if kind == "constant":
        word = {True: "true", False: "false", None: "null"}[content]
        return draw([word, word.upper(), word.title()])
    mark = draw(['"', "'"])
    escaped = content.replace("\\", "\\\\").replace(mark, "\\" + mark)
    return f"{mark}{escaped}{mark}"


def expected(term: Tuple, event: dict[str, Any]) -> bool:
    """Return what follows by the rules, one after the other."""
    kind = term[0]
    if kind == "not":
        return not expected(term[1], event)
    if kind in ("and", "or"):
        answers = [expected(each, event) for each in term[1]]
        return all(answers) if kind == "and" else any(answers)
    if kind == "call":
        return _called(term, _found(term[2], event))
    found = _found(term[1], event)
    if kind == "order":
        return _is_number(found) and COMPARE[term[2]](_double(found), float(term[3]))
    equal = _equals(found, term[3], flat=not term[1][1])
    if term[2] == "=":
        return equal
    another_number_only = term[3][0] == "number" and term[1][1]
    return not equal and (not another_number_only or _is_number(found))


def _found(field: Any, event: dict[str, Any]) -> Any:
    value = event.get(field[0])
    for kind, step in field[1]:
        if isinstance(value, dict) and kind in ("key", "quoted"):
            value = value.get(step)
        elif isinstance(value, list) and (kind == "index" or (kind == "key" and step.isdigit())):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _equals(found: Any, value: Any, *, flat: bool) -> bool:
    kind, content = value
    if kind == "text":
        return isinstance(found, str) and found == content
    if kind == "constant":
        return type(found) is type(content) and found == content
    return bool(flat and found == content) or (_is_number(found) and _double(found) == float(content))


def _called(term: Tuple, found: Any) -> bool:
    _, function, _, text, negated = term
    if not isinstance(found, str):
        return False
    if function == "contains":
        return (text in found) is not negated
    pattern = ".*".join(map(re.escape, text.split("*")))
    return bool(re.fullmatch(pattern, found, re.DOTALL)) is not negated


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(400))  # a busy machine is no fault
@given(terms, events, st.data())
def test_a_printed_condition_answers_as_its_rules_say(term: Tuple, event: dict[str, Any], data: st.DataObject) -> None:
    text = printed(term, lambda choices: data.draw(st.sampled_from(choices)))
    trigger = compile_trigger(text)

    assert trigger.matches(event) is expected(term, event), text
    assert trigger.explain(event).held is expected(term, event), text


@pytest.mark.slow
@settings(deadline=None)
@given(terms, events, st.data())
def test_an_event_that_the_bounds_leave_out_does_not_match(
    term: Tuple, event: dict[str, Any], data: st.DataObject
) -> None:
    trigger = compile_trigger(printed(term, lambda choices: data.draw(st.sampled_from(choices))))

    for bound, value in ((trigger.types, event.get("type")), (trigger.events, event.get("event"))):
        if bound is not None and not (isinstance(value, str) and value in bound):
            assert not trigger.matches(event)


@pytest.mark.slow
@settings(deadline=None)
@given(terms, events, st.data())
def test_the_conditions_to_blame_are_named_exactly_where_it_does_not_match(
    term: Tuple, event: dict[str, Any], data: st.DataObject
) -> None:
    trigger = compile_trigger(printed(term, lambda choices: data.draw(st.sampled_from(choices))))

    assert bool(trigger.explain(event).blamed()) is not trigger.matches(event)


pieces = st.sampled_from(
    [
        *("type", "event", "properties.a", "and", "or", "not", "!", "(", ")", "=", "!=", "<", '"a"', "'", '"', "\\"),
        *("contains", "match", ",", "5", "-", ".", " ", "\n", "true", "null", "[0]", '["a"]', "\ud800", "\ufeff", "&&"),
    ]
)


@settings(deadline=None)
@given(
    st.one_of(st.text(), st.lists(pieces, max_size=15).map("".join), st.lists(pieces, max_size=15).map(" ".join)),
    events,
)
def test_any_text_compiles_or_is_refused_within_its_columns(text: str, event: dict[str, Any]) -> None:
    result = compiled(text)

    if isinstance(result, TriggerError):
        assert 1 <= result.column <= len(text) + 1
    else:
        assert result.matches(event) is result.explain(event).held


@settings(deadline=None)
@given(st.text("ab\"\\' \n", max_size=20))
def test_any_text_can_be_quoted(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    assert compile_trigger(f'event = "{quoted}"').matches({"event": text})
