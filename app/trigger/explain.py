"""Why a trigger holds or does not hold for one event: each of its conditions, and the value that it found."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from app.core.events import Event
from app.trigger.compiler import build_condition, compile_field
from app.trigger.syntax import Group, Negation, Term


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
