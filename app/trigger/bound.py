"""What an event must be for a trigger to match at all, so that a catalog can pass over most triggers unasked."""

from functools import reduce
from typing import Literal

from app.trigger.syntax import Comparison, Group, Negation, Term


def texts_of(term: Term, field: Literal["type", "event"]) -> frozenset[str] | None:
    """Return the only texts of `field` for which `term` can hold; None where any value may do, or none at all."""
    if isinstance(term, Group):
        return _joined(term, [texts_of(each, field) for each in term.terms])
    if isinstance(term, Negation) or not isinstance(term, Comparison):
        return None
    if term.field.root != field or term.operator != "=" or not isinstance(term.value.value, str):
        return None
    return frozenset({term.value.value})


def _joined(group: Group, bounds: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [bound for bound in bounds if bound is not None]
    if group.joiner == "and":
        return reduce(frozenset.intersection, known) if known else None
    return frozenset().union(*known) if len(known) == len(bounds) else None
