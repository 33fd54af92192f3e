"""A compiled trigger: what the rest of Pinrelay sees of a `subscribe` text, and why it holds or does not."""

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


#: The event holds no value there. Null is a value: it is None.
ABSENT: Final = _Missing.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one part of a trigger: a condition, or the parts that are joined or negated."""

    kind: Literal["condition", "and", "or", "not"]
    #: As written in the trigger.
    text: str
    #: Of its first character in the trigger, counted from 1.
    column: int
    #: The event fulfils it.
    held: bool
    #: Of a condition: the event's value, which may be personal, or ABSENT. ABSENT for all other kinds.
    found: Any = field(default=ABSENT, repr=False)
    #: Empty for a condition; one for `not`.
    parts: tuple["Finding", ...] = ()

    def conditions(self) -> Iterator["Finding"]:
        """Yield every condition in it, as they stand in the text."""
        if self.kind == "condition":
            yield self
        for part in self.parts:
            yield from part.conditions()

    def blamed(self, *, wanted: bool = True) -> tuple["Finding", ...]:
        """Return the conditions because of which it is not `wanted`; none where it is.

        Within a negated group these are conditions that held.
        """
        if self.held == wanted:
            return ()
        if self.kind == "condition":
            return (self,)
        inside = wanted if self.kind != "not" else not wanted
        return tuple(found for part in self.parts for found in part.blamed(wanted=inside))


def explain_conditions(term: Term, event: Event) -> Finding:
    """Return what every condition found, those too that `matches` would not need to look at."""
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
    """A condition on events, compiled."""

    #: As written.
    text: str
    #: matches(event) tells whether the trigger fires. It takes any JSON object, never raises and parses nothing.
    matches: Predicate = field(repr=False, compare=False)
    #: The only texts of `type`, and of `event`, that can match; None where that is not bounded.
    types: frozenset[str] | None = field(repr=False)
    events: frozenset[str] | None = field(repr=False)
    #: What the text says.
    term: Term = field(repr=False)

    def explain(self, event: Event) -> Finding:
        """Return every condition with the value it found; `.held` is what `matches` returns."""
        return explain_conditions(self.term, event)


def compile_trigger(text: str, fields: Readable = EVENT_FIELDS) -> Trigger:
    """Compile a `subscribe` text; raise TriggerError with the column of the leftmost mistake and its remedy.

    `fields` are those that it may ask for: a Segment event's, unless something else is asked.
    """
    term = parse_trigger(text, fields)
    return Trigger(
        text=text,
        matches=compile_term(term),
        types=possible_texts(term, "type"),
        events=possible_texts(term, "event"),
        term=term,
    )
