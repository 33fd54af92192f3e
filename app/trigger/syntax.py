"""What a trigger says, as records: the meeting point of the parser and of everything that reads its result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Readable(NamedTuple):
    """The fields that a trigger may ask for."""

    #: Those that are one value.
    flat: tuple[str, ...]
    #: Those that are reached by a path inside one member.
    nested: tuple[str, ...]


#: Of a Segment event.
EVENT_FIELDS = Readable(
    flat=("type", "event", "name", "userId", "anonymousId", "messageId"),
    nested=("properties", "traits", "context", "integrations"),
)

Joiner: TypeAlias = Literal["and", "or"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
FunctionName: TypeAlias = Literal["contains", "match"]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a path: `.a` has a key, `[0]` an index, `.0` both, `["a b"]` a key."""

    #: The member of an object; None where the step enters lists only.
    key: str | None
    #: The position in a list, from 0; None where the step enters objects only.
    index: int | None


@dataclass(frozen=True, slots=True)
class Field:
    """The field of the event that a condition looks at."""

    root: str
    #: Empty for the flat fields, and only for them.
    path: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of a comparison."""

    #: Text, a number as an IEEE double, a boolean, or None for `null`.
    value: str | float | bool | None
    #: As written in the trigger, quotes and signs included.
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Any part of a trigger, and where it stands."""

    #: Its text, as written.
    text: str
    #: Of its first character, counted from 1.
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Part):
    """`field operator value`. The value of `<`, `<=`, `>` and `>=` is always a number."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall(Part):
    """`contains(field, text)` or `match(field, text)`, perhaps with a `!` before it."""

    function: FunctionName
    field: Field
    argument: str
    negated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Part):
    """Two or more terms, joined by the same word."""

    joiner: Joiner
    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation(Part):
    """`!( ... )`: the exact opposite of what stands in the parentheses."""

    term: "Term"


Condition: TypeAlias = Comparison | FunctionCall
Term: TypeAlias = Condition | Group | Negation


def places_asked(term: Term) -> Iterator[str]:
    """Yield the place in the event that each condition looks at, such as `properties.products.sku`, without indices."""
    match term:
        case Negation(term=inner):
            yield from places_asked(inner)
        case Group(terms=terms):
            for each in terms:
                yield from places_asked(each)
        case _:
            yield ".".join([term.field.root, *(step.key for step in term.field.path if step.key)])
