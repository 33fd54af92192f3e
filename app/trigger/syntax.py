"""Records of a parsed trigger: the interface between the parser and its users."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Readable(NamedTuple):
    """The fields that a trigger may use."""

    #: Fields with a single value.
    flat: tuple[str, ...]
    #: Members with fields that need a path.
    nested: tuple[str, ...]


#: The fields of a Segment event.
EVENT_FIELDS = Readable(
    flat=("type", "event", "name", "userId", "anonymousId", "messageId"),
    nested=("properties", "traits", "context", "integrations"),
)

Joiner: TypeAlias = Literal["and", "or"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
FunctionName: TypeAlias = Literal["contains", "match"]


@dataclass(frozen=True, slots=True)
class PathStep:
    """A step of a path: `.a` has a key, `[0]` an index, `.0` both, `["a b"]` a key."""

    #: The member of an object; `None` if the step only enters lists.
    key: str | None
    #: The position in a list, from 0; `None` if the step only enters objects.
    index: int | None


@dataclass(frozen=True, slots=True)
class Field:
    """The field of the event that a condition reads."""

    root: str
    #: Empty exactly for flat fields.
    path: tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of a comparison."""

    #: A text, a number as an IEEE double, a boolean, or `None` for `null`.
    value: str | float | bool | None
    #: The value as written in the trigger, with quotes and signs.
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a trigger, with its position."""

    #: The text as written.
    text: str
    #: Of the first character, counted from 1.
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Part):
    """`field operator value`. The value of `<`, `<=`, `>` and `>=` is always a number."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall(Part):
    """`contains(field, text)` or `match(field, text)`, optionally with a `!` before it."""

    function: FunctionName
    field: Field
    argument: str
    negated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Part):
    """At least two terms with the same joiner."""

    joiner: Joiner
    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation(Part):
    """`!( ... )`: the exact opposite of the expression in the parentheses."""

    term: "Term"


Condition: TypeAlias = Comparison | FunctionCall
Term: TypeAlias = Condition | Group | Negation


def places_asked(term: Term) -> Iterator[str]:
    """Yield the path that each condition reads, such as `properties.products.sku`, without indices."""
    match term:
        case Negation(term=inner):
            yield from places_asked(inner)
        case Group(terms=terms):
            for each in terms:
                yield from places_asked(each)
        case _:
            yield ".".join([term.field.root, *(step.key for step in term.field.path if step.key)])
