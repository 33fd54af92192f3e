"""The candidate places of a field: the interface between the mapping that finds them and the action that reads them.

A mapping returns the first non-empty value. If the reader of the field rejects the value, the action requests the next
place. So the mapping needs no readers to apply the rule "the first value that the field's own reader accepts", and a
good first place costs no extra time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from app.core.values.generated_functions import Writes

#: A field of the action: `("user_data", "email")`.
FieldPath: TypeAlias = tuple[str, ...]


class Read(NamedTuple):
    """A path that was read, with its raw value, which must not be stored."""

    path: str
    value: Any


class Candidate(NamedTuple):
    """A possible value of a field."""

    #: The path in the event, such as `properties.email`; several paths for a computed value.
    place: str
    value: Any
    #: All values that were read for the candidate, including conditions.
    reads: Sequence[Read] = ()


#: Returns all candidates of a field in order.
Candidates: TypeAlias = Callable[[FieldPath], Iterator[Candidate]]


class PassedOver(NamedTuple):
    """A value of the event that the mapping skipped in favour of the next place."""

    #: The field of the action, such as `user_data.email`.
    field: str
    #: The path in the event, such as `properties.email`.
    place: str
    why: str
    #: The raw value: only its kind may be reported.
    value: Any


class Places(Protocol):
    """The places in an event at which a mapping finds fields."""

    def candidates(self, path: FieldPath) -> Iterator[Candidate]:
        """Return all candidates of a field in order; none if the mapping has a single place."""
        ...

    def written(self, path: FieldPath) -> Iterator[Candidate]:
        """Return the candidates that are in the event, without computed values; does not record reads."""
        ...

    @property
    def passed_over(self) -> Sequence[PassedOver]:
        """Return the values that the mapping skipped so far, in the order of its fields."""
        ...


class Resolvable(Places, Protocol):
    """The fields of the action for an event, resolved on demand."""

    def read_by(self, writes: Writes) -> Any:
        """Return the result of a function that processes each field of the event as `writes` describes."""
        ...


class _Nowhere:
    """Places of fields that did not come from a mapping."""

    passed_over: Sequence[PassedOver] = ()

    def candidates(self, _: FieldPath) -> Iterator[Candidate]:
        """Return no candidates: each field has a single place, which was read."""
        return iter(())

    written = candidates


NOWHERE: Final[Places] = _Nowhere()
#: Returns no candidates.
one_place_only: Final[Candidates] = NOWHERE.candidates


class Fields(dict[str, Any]):
    """The fields of the action that a mapping resolved for an event: a plain object with the places of its values."""

    __slots__ = ("places",)

    def __init__(self, members: Mapping[str, Any] | None = None, places: Places = NOWHERE) -> None:
        super().__init__(members or {})
        self.places = places


def places_in(fields: Mapping[str, Any]) -> Places:
    """Return the places of fields from a mapping or any other object."""
    return fields.places if isinstance(fields, Fields) else NOWHERE


class Blocks(list[Any]):
    """A list of `{place, is_recipient, values}` from `@blocks`; the type proves that `@blocks` created the list.

    `place` is the path of the block in the event; `values` has pairs of key and value by member.
    """

    __slots__ = ()
