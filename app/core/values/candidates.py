"""The several places where a field may stand, between the mapping that finds them and the action that reads them.

A mapping gives the first value that says something; where the field's reader takes none of it, the action asks for the
next place. So the rule "the first value that the field's own reader accepts" needs no reader in the mapping, and costs
nothing where the first place is good.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from app.core.values.generated_functions import Writes

#: A field of the action: `("user_data", "email")`.
FieldPath: TypeAlias = tuple[str, ...]


class Read(NamedTuple):
    """One path that was read, and what stood there: raw, so never to be stored."""

    path: str
    value: Any


class Candidate(NamedTuple):
    """One value that a field could have."""

    #: Where it stands in the event, such as `properties.email`; several where it was computed.
    place: str
    value: Any
    #: All that was read for it, conditions too.
    reads: Sequence[Read] = ()


#: Returns all candidates of a field, from the first on.
Candidates: TypeAlias = Callable[[FieldPath], Iterator[Candidate]]


class PassedOver(NamedTuple):
    """A value of the event that the mapping itself passed over for the next place."""

    #: Of the action, such as `user_data.email`.
    field: str
    #: Of the event, such as `properties.email`.
    place: str
    why: str
    #: Raw: only its kind may be told.
    value: Any


class Places(Protocol):
    """The places in one event where a mapping finds fields."""

    def candidates(self, path: FieldPath) -> Iterator[Candidate]:
        """Return all candidates of a field from the first on; none where the mapping names only one place."""
        ...

    def written(self, path: FieldPath) -> Iterator[Candidate]:
        """Return those that the event holds as they are, without what arithmetic makes; nothing is noted."""
        ...

    @property
    def passed_over(self) -> Sequence[PassedOver]:
        """What the mapping passed over until now, in the order of its fields."""
        ...


class Resolvable(Places, Protocol):
    """The fields of the action for one event, which a mapping finds when they are asked for."""

    def read_by(self, writes: Writes) -> Any:
        """Return what a function makes of the event that does with each field as it is found what `writes` writes."""
        ...


class _Nowhere:
    """Stands for the places of fields that no mapping found."""

    passed_over: Sequence[PassedOver] = ()

    def candidates(self, _: FieldPath) -> Iterator[Candidate]:
        """Return none: each field stands in one place only, and was read there."""
        return iter(())

    written = candidates


NOWHERE: Final[Places] = _Nowhere()
#: Returns no candidates.
one_place_only: Final[Candidates] = NOWHERE.candidates


class Fields(dict[str, Any]):
    """The fields of the action as a mapping resolved them for one event: a plain object that knows its places."""

    __slots__ = ("places",)

    def __init__(self, members: Mapping[str, Any] | None = None, places: Places = NOWHERE) -> None:
        super().__init__(members or {})
        self.places = places


def places_in(fields: Mapping[str, Any]) -> Places:
    """Return the places of fields, wherever these are from."""
    return fields.places if isinstance(fields, Fields) else NOWHERE


class Blocks(list[Any]):
    """A list of `{place, is_recipient, values}` as `@blocks` makes them; the type proves that nobody else did.

    `place` is where the block stands in the event, `values` are pairs of key and value by member.
    """

    __slots__ = ()
