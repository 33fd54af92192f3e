"""A compiled `subscribe` text, and the explanation of its result."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from app.core.events import Event
from app.trigger.compiler import Predicate, build_condition, compile_field, compile_term, possible_texts
from app.trigger.parser import parse_trigger
from app.trigger.syntax import EVENT_FIELDS, Group, Negation, Readable, Term


class _Missing(Enum):
    ABSENT = "missing"


#: The event has no value at the path. Null is a value: `None`.
ABSENT: Final = _Missing.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of a part of a trigger: a condition, or joined or negated parts."""

    kind: Literal["condition", "and", "or", "not"]
    #: The part as written in the trigger.
    text: str
    #: Of the first character in the trigger, counted from 1.
    column: int
    #: Whether the part is true for the event.
    held: bool
    #: Of a condition: the event's value, which may be personal data, or ABSENT. ABSENT for all other kinds.
    found: Any = field(default=ABSENT, repr=False)
    #: Empty for a condition; a single part for `not`.
    parts: tuple["Finding", ...] = ()

    def conditions(self) -> Iterator["Finding"]:
        """Yield all conditions in the part, in the order of the text."""
        if self.kind == "condition":
            yield self
        for part in self.parts:
            yield from part.conditions()

    def blamed(self, *, wanted: bool = True) -> tuple["Finding", ...]:
        """Return the conditions that prevent the result `wanted`; none if the result is `wanted`.

        In a negated group these are conditions that are true.
        """
        if self.held == wanted:
            return ()
        if self.kind == "condition":
            return (self,)
        inside = wanted if self.kind != "not" else not wanted
        return tuple(found for part in self.parts for found in part.blamed(wanted=inside))


def explain_conditions(term: Term, event: Event) -> Finding:
    """Return the result of every condition, including those that `matches` would skip."""
    if isinstance(term, Negation):
        part = explain_conditions(term.term, event)
        return Finding(kind="not", text=term.text, column=term.column, held=not part.held, parts=(part,))
    if isinstance(term, Group):
        parts = tuple(explain_conditions(each, event) for each in term.terms)
        held = (all if term.joiner == "and" else any)(part.held for part in parts)
        return Finding(kind=term.joiner, text=term.text, column=term.column, held=held, parts=parts)
    return Finding(
        kind="condition",
        text=term.text,
        column=term.column,
        held=build_condition(term)(event),
        found=compile_field(term.field)(event, ABSENT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A compiled condition on events."""

    #: The text as written.
    text: str
    #: matches(event) returns whether the trigger is true. It accepts any JSON object, never raises and parses no text.
    matches: Predicate = field(repr=False, compare=False)
    #: The only texts of `type`, and of `event`, that can match; `None` if they are not restricted.
    types: frozenset[str] | None = field(repr=False)
    events: frozenset[str] | None = field(repr=False)
    #: The parsed text.
    term: Term = field(repr=False)

    def explain(self, event: Event) -> Finding:
        """Return every condition with its value in the event; `.held` is the result of `matches`."""
        return explain_conditions(self.term, event)


def compile_trigger(text: str, fields: Readable = EVENT_FIELDS) -> Trigger:
    """Compile a `subscribe` text. Raises TriggerError with the column of the leftmost mistake and the remedy.

    `fields` are the fields that the trigger may use, by default those of a Segment event.
    """
    term = parse_trigger(text, fields)
    return Trigger(
        text=text,
        matches=compile_term(term),
        types=possible_texts(term, "type"),
        events=possible_texts(term, "event"),
        term=term,
    )
