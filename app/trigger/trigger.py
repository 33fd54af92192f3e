"""A compiled trigger: what the rest of Pinrelay sees of a `subscribe` text."""

from dataclasses import dataclass, field

from app.core.events import Event
from app.trigger.compiler import Predicate, compile_term, possible_texts
from app.trigger.explain import Finding, explain_conditions
from app.trigger.parser import parse_trigger
from app.trigger.syntax import EVENT_FIELDS, Readable, Term


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
