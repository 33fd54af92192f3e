"""Edit the text of a trigger, one condition or group at a time. The rest of the text is unchanged."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from app.trigger.parser import parse_trigger
from app.trigger.scanner import next_token
from app.trigger.syntax import (
    EVENT_FIELDS,
    Comparison,
    Condition,
    FunctionCall,
    Group,
    Joiner,
    Negation,
    Readable,
    Term,
)

#: The place of a part: its position in each group from the top, 0 inside a negation; () is the whole trigger.
Place: TypeAlias = Sequence[int]

_JOINER: Final = re.compile(r"\b(and|or)\b", re.IGNORECASE)
_OPPOSITE: Final = {"=": "!=", "!=": "="}
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def condition_text(field: str, operator: str, value: str, *, is_text: bool = False) -> str:
    r"""Return a condition in the syntax of triggers.

    `operator` is an operator of the language, `contains` or `match`, each of the last two optionally with `not ` before
    it. A value that looks like a number, true, false or null is read as such, unless `is_text` is set.

    >>> condition_text("properties.total", ">=", "100"), condition_text("event", "not contains", 'say "hi"')
    ('properties.total >= 100', 'not contains(event, "say \\"hi\\"")')
    """
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    function = operator.removeprefix("not ")
    if function in ("contains", "match"):
        return f"{'' if function == operator else 'not '}{function}({field}, {quoted})"
    is_plain = not is_text and (value.lower() in _CONSTANTS or _NUMBER.fullmatch(value))
    return f"{field} {operator} {value if is_plain else quoted}"


def field_text(condition: Condition) -> str:
    """Return the text of the field in a condition."""
    text = condition.text
    return next_token(text, text.index("(") + 1 if isinstance(condition, FunctionCall) else 0).text


def term_at(term: Term, place: Place) -> Term:
    """Return a part of a trigger. Raises LookupError if the part does not exist."""
    for number in place:
        match term:
            case Group(terms=terms):
                term = terms[number]
            case Negation(term=inner) if number == 0:
                term = inner
            case _:
                raise LookupError(number)
    return term


def parts_of(text: str, fields: Readable = EVENT_FIELDS) -> list[tuple[tuple[int, ...], Term]]:
    """Return each group and condition of a trigger with its place, the whole first. Raises TriggerError.

    >>> [(place, part.text) for place, part in parts_of('type = "track" and event = "A"')][1:]
    [((0,), 'type = "track"'), ((1,), 'event = "A"')]
    """
    found: list[tuple[tuple[int, ...], Term]] = [((), _parsed(text, fields))]
    for place, term in found:  # the list grows during the loop
        match term:
            case Group(terms=terms):
                found += [((*place, number), each) for number, each in enumerate(terms)]
            case Negation(term=inner):
                found.append(((*place, 0), inner))
    return found


def with_condition(text: str, place: Place, condition: str) -> str:
    """Return the trigger with a part replaced by another condition. Raises TriggerError.

    If the part has the same meaning in another notation, the trigger is unchanged.
    """
    term = term_at(_parsed(text), place)
    if _says(term) == _says(_parsed(condition)):
        return text
    start, end = _span(text, term)
    return _checked(text[:start] + condition + text[end:])


def with_added(text: str, place: Place, joiner: Joiner, condition: str) -> str:
    """Return the trigger with a new condition joined to a part: `(part joiner condition)`. Raises TriggerError.

    >>> with_added('type = "track" and event = "A"', (1,), "or", 'event = "B"')
    'type = "track" and (event = "A" or event = "B")'
    """
    if not text.strip():
        return _checked(condition)
    whole = _parsed(text)
    term = term_at(whole, place)
    if isinstance(term, Group) and term.joiner == joiner:
        _, end = _outer(text, term.terms[-1])
        return _checked(f"{text[:end]} {joiner} {condition}{text[end:]}")
    start, end = _outer(text, term) if place else (0, len(text.rstrip()))
    inner = (
        f"({text[start:end].strip()})" if isinstance(term, Group) and text[start] != "(" else text[start:end].strip()
    )
    joined = f"{inner} {joiner} {condition}"
    return _checked(text[:start] + (f"({joined})" if place else joined) + text[end:])


def without_term(text: str, place: Place, fields: Readable = EVENT_FIELDS) -> str:
    """Return the trigger without a part; "" if the part is the whole trigger. Raises TriggerError."""
    if not place:
        return ""
    whole = _parsed(text, fields)
    *above, number = place
    parent = term_at(whole, above)
    if isinstance(parent, Negation):
        return without_term(text, above, fields)
    assert isinstance(parent, Group)  # noqa: S101 - other terms have no parts
    spans = [_outer(text, each) for each in parent.terms]
    start, end = (spans[0][0], spans[1][0]) if number == 0 else (spans[number - 1][1], spans[number][1])
    return _checked(text[:start] + text[end:], fields)


def with_joiner(text: str, place: Place, joiner: Joiner, fields: Readable = EVENT_FIELDS) -> str:
    """Return the trigger with a group that requires all (`and`) or any (`or`) of its parts. Raises TriggerError."""
    match term_at(_parsed(text, fields), place):
        case Group(terms=terms):
            spans = [_outer(text, each) for each in terms]
        case _:
            raise LookupError(place)
    for (_, start), (end, _) in reversed(list(pairwise(spans))):
        text = text[:start] + _JOINER.sub(joiner, text[start:end], count=1) + text[end:]
    return _checked(text, fields)


def negated(text: str, place: Place, fields: Readable = EVENT_FIELDS) -> str:
    """Return the trigger with a negated part. Raises TriggerError.

    >>> negated('event = "A" and contains(name, "x")', (0,)), negated('event = "A"', ())
    ('event != "A" and contains(name, "x")', 'event != "A"')
    """
    term = term_at(_parsed(text, fields), place)
    start, end = _span(text, term)
    match term:
        case Comparison(operator=operator) if operator in _OPPOSITE:
            written = text[start:end]
            changed = re.sub(r"\s*(!=|=)", f" {_OPPOSITE[operator]}", written, count=1)
        case FunctionCall(negated=True):
            changed = re.sub(r"^(?:!|not)\s*", "", text[start:end], flags=re.IGNORECASE)
        case FunctionCall():
            changed = f"not {text[start:end]}"
        case Negation(term=inner):
            written = text[slice(*_span(text, inner))]
            changed = f"({written})" if isinstance(inner, Group) and place else written
        case _:
            start, end = _outer(text, term) if place else (start, end)
            changed = f"not ({text[slice(*_span(text, term))]})"
    return _checked(text[:start] + changed + text[end:], fields)


def _says(term: Term) -> tuple[object, ...]:
    """Return the meaning of a condition for comparison. A group is only equal to itself."""
    match term:
        case Comparison(field=field, operator=operator, value=value):
            return field, operator, type(value.value), value.value
        case FunctionCall(field=field, function=function, argument=argument, negated=is_negated):
            return field, function, argument, is_negated
    return (term,)


def _parsed(text: str, fields: Readable = EVENT_FIELDS) -> Term:
    return parse_trigger(text, fields)


def _checked(text: str, fields: Readable = EVENT_FIELDS) -> str:
    """Return the text if it is a valid trigger. Raises TriggerError."""
    _parsed(text, fields)
    return text


def _span(text: str, term: Term) -> tuple[int, int]:
    """Return the start and end of a part in the text, without the parentheses around it."""
    start = term.column - 1
    return start, start + len(term.text) if term.text else len(text)


def _outer(text: str, term: Term) -> tuple[int, int]:
    """Return the start and end of a part in the text, with the parentheses around it."""
    start, end = _span(text, term)
    while True:
        before, behind = text[:start].rstrip(), text[end:].lstrip()
        if not before.endswith("(") or not behind.startswith(")") or _is_call(before[:-1]):
            return start, end
        start, end = len(before) - 1, len(text) - len(behind) + 1


def _is_call(before: str) -> bool:
    """Return whether a parenthesis after this text belongs to a `not`, which is a separate part."""
    return bool(re.search(r"(?:!|\bnot)\s*$", before, re.IGNORECASE))
