"""Look up a field in an event. The path is parsed once, at compile time."""

import math
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal, TypeAlias

from app.core.events import Event
from app.trigger.syntax import Comparison, Condition, Field, FunctionCall, Group, Joiner, Negation, Term

#: find(event) returns the value, or `None`; find(event, missing) distinguishes a missing value from null.
Find: TypeAlias = Callable[..., Any]


def compile_field(field: Field) -> Find:
    """Return the function that finds the value of a field. It accepts any JSON values on the path and never raises."""
    if not field.path:
        return _flat(field.root)
    first, *others = field.path
    if not others and first.key is not None and first.index is None:
        return _member(field.root, first.key)
    return _walk(field)


def _flat(name: str) -> Find:
    def find(event: Event, missing: Any = None) -> Any:
        return event.get(name, missing)

    return find


def _member(root: str, key: str) -> Find:
    def find(event: Event, missing: Any = None) -> Any:
        parent = event.get(root)
        return parent.get(key, missing) if isinstance(parent, dict) else missing

    return find


def _walk(field: Field) -> Find:
    root = field.root
    steps = tuple((step.key, step.index) for step in field.path)

    def find(event: Event, missing: Any = None) -> Any:
        value: Any = event.get(root)
        for key, index in steps:
            if isinstance(value, dict) and key is not None:
                value = value.get(key, missing)
            elif isinstance(value, list) and index is not None and index < len(value):
                value = value[index]
            else:
                return missing
        return value

    return find


Predicate: TypeAlias = Callable[[Event], bool]

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: The number of terms in most groups.
_USUAL = 2


def compile_term(term: Term) -> Predicate:
    """Return the function that returns whether `term` is true for an event. It never raises."""
    if isinstance(term, Negation):
        return _opposite(compile_term(term.term))
    if isinstance(term, Group):
        return _flat_texts(term) or _joined(term.joiner, [compile_term(each) for each in term.terms])
    return build_condition(term)


def build_condition(condition: Condition) -> Predicate:
    """Return the predicate of a comparison or function."""
    if isinstance(condition, FunctionCall):
        return _call(condition)
    value, equal = condition.value.value, condition.operator == "="
    if isinstance(value, bool) or value is None:
        return _constant(condition.field, value, equal=equal)
    if isinstance(value, str):
        return _text(condition.field, value, equal=equal)
    if condition.operator in _ORDER:
        return _ordered(condition.field, _ORDER[condition.operator], value)
    if condition.field.path:
        return _nested_number(condition.field, value, equal=equal)
    number = _flat_number(condition.field, value, condition.value.written)
    return number if equal else _opposite(number)


# Groups


def _opposite(holds: Predicate) -> Predicate:
    return lambda event: not holds(event)


def _joined(joiner: Joiner, terms: list[Predicate]) -> Predicate:
    if len(terms) == _USUAL:
        first, second = terms
        if joiner == "and":
            return lambda event: first(event) and second(event)
        return lambda event: first(event) or second(event)
    return _all(terms) if joiner == "and" else _any(terms)


def _all(terms: list[Predicate]) -> Predicate:
    def holds(event: Event) -> bool:
        for term in terms:  # noqa: SIM110  # a loop needs half the time of all() with a generator
            if not term(event):
                return False
        return True

    return holds


def _any(terms: list[Predicate]) -> Predicate:
    def holds(event: Event) -> bool:
        for term in terms:  # noqa: SIM110  # a loop needs half the time of any() with a generator
            if term(event):
                return True
        return False

    return holds


def _flat_texts(group: Group) -> Predicate | None:
    """Return a function for `type = "track" and event = "X"`, the form of most presets; `None` for other groups."""
    pairs = [_flat_text(term) for term in group.terms]
    if group.joiner == "or" or len(pairs) != _USUAL or not pairs[0] or not pairs[1]:
        return None
    (name, text), (other_name, other_text) = pairs[0], pairs[1]
    return lambda event: event.get(name) == text and event.get(other_name) == other_text


def _flat_text(term: Term) -> tuple[str, str] | None:
    if isinstance(term, Comparison) and term.operator == "=" and not term.field.path:
        value = term.value.value
        return (term.field.root, value) if isinstance(value, str) else None
    return None


# Comparisons


def _text(field: Field, text: str, *, equal: bool) -> Predicate:
    name, find = field.root, compile_field(field)
    if equal and not field.path:
        return lambda event: event.get(name) == text
    if equal:
        return lambda event: find(event) == text
    return lambda event: find(event) != text


def _constant(field: Field, constant: bool | None, *, equal: bool) -> Predicate:  # noqa: FBT001  # it is a value
    find = compile_field(field)
    if equal:
        return lambda event: find(event) is constant
    return lambda event: find(event) is not constant


def _nested_number(field: Field, number: float, *, equal: bool) -> Predicate:
    find = compile_field(field)
    if equal:
        return lambda event: _double(find(event)) == number
    return lambda event: (found := _double(find(event))) is not None and found != number


def _flat_number(field: Field, number: float, written: str) -> Predicate:
    """Return a predicate for a number and for its text as written, because senders use both for ids."""
    find = compile_field(field)
    return lambda event: (found := find(event)) == written or _double(found) == number


def _ordered(field: Field, compare: Callable[[float, float], bool], bound: float) -> Predicate:
    find = compile_field(field)
    return lambda event: (found := _double(find(event))) is not None and compare(found, bound)


def _double(value: Any) -> float | None:
    """Return a number as an IEEE double, as in JavaScript; otherwise `None`. True and False are not numbers."""
    if type(value) is float:
        return value
    if type(value) is not int:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


# Functions


def _call(call: FunctionCall) -> Predicate:
    find, negated = compile_field(call.field), call.negated
    test = _glob(call.argument) if call.function == "match" else _part(call.argument)
    return lambda event: isinstance(found := find(event), str) and test(found) is not negated


def _part(part: str) -> Callable[[str], bool]:
    return lambda text: part in text


def _glob(pattern: str) -> Callable[[str], bool]:
    """Return the test of a pattern in which `*` matches any run of characters.

    The test searches for each piece between the stars at its first position after the previous piece. If the pattern
    matches at all, it matches this way. The test never backtracks, so no pattern is slow.
    """
    first, *others = pattern.split("*")
    if not others:
        return lambda text: text == pattern
    last, middle = others[-1], [piece for piece in others[:-1] if piece]
    shortest = len(first) + len(last)

    def test(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return test


def possible_texts(term: Term, field: Literal["type", "event"]) -> frozenset[str] | None:
    """Return the only texts of `field` for which `term` can be true; `None` if the values are not restricted."""
    if isinstance(term, Group):
        return _joined_texts(term, [possible_texts(each, field) for each in term.terms])
    if isinstance(term, Negation) or not isinstance(term, Comparison):
        return None
    if term.field.root != field or term.operator != "=" or not isinstance(term.value.value, str):
        return None
    return frozenset({term.value.value})


def _joined_texts(group: Group, bounds: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [bound for bound in bounds if bound is not None]
    if group.joiner == "and":
        return reduce(frozenset.intersection, known) if known else None
    return frozenset().union(*known) if len(known) == len(bounds) else None
