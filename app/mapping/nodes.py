"""What a mapping is compiled to: a small tree.

`generate` turns it into one Python function; `explain` walks it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.values import placeholders


class Missing:
    """The one value that means "nothing here": unlike None (JSON's null) it leaves a key out."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Read well in test failures."""
        return "MISSING"


MISSING: Final = Missing()

#: Event (or list item) in, value or MISSING out.
Resolver: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A text, number, boolean or null of the mapping itself; MISSING for what never gives anything."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A dotted path; no keys: the whole event."""

    #: As written, for explanations.
    text: str
    keys: tuple[str, ...]
    #: Whether a path into false or 0 gives that, as Segment's paths do; else it leads nowhere.
    hands_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A JSONPath with wildcards, slices or filters, which gives a list, or MISSING where nothing matches."""

    text: str
    find: Resolver
    #: The plain keys it starts with: where they lead nowhere, there is nothing to look for.
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The first option that is not missing, null, "", [] or a placeholder, nor a path into false or 0."""

    options: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """One of two branches."""

    value: "Node"
    #: None asks whether the value is there and not null, the commonest question.
    test: Callable[[Any], bool] | None
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object, built anew for each event; members that are MISSING are left out."""

    members: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list, built anew for each event; items that are MISSING become null, as in JavaScript's JSON."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of the values of its operands, each of which may be MISSING."""

    function: Callable[..., Any]
    operands: tuple["Node", ...]


Node: TypeAlias = Constant | Path | Query | Choice | If | Object | List | Call

NOTHING: Final = Constant(value=MISSING)
EVENT: Final = Path(text="$", keys=())


#: What programs write where they have nothing: a choice goes on to the next value.
PLACEHOLDERS: Final = frozenset(
    spelling for word in (" ", *placeholders.PLACEHOLDERS) for spelling in (word, word.upper(), word.capitalize())
) | {"NaN"}


def is_empty(value: Any) -> bool:
    """Return whether a `Choice` passes this value over. Zero and false are values."""
    if isinstance(value, str):
        return not value or value in PLACEHOLDERS
    return value is MISSING or value is None or value == []
