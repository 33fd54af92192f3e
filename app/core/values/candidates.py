"""The several places where a field may stand, between the mapping that finds them and the action that reads them.

A mapping gives the first value that says something; where the field's reader takes none of it, the action asks for the
next place. So the rule "the first value that the field's own reader accepts" needs no reader in the mapping, and costs
nothing where the first place is good.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

from app.core.values.generated_functions import Writes

#: A field of the action: `("user_data", "email")`.
FieldPath: TypeAlias = tuple[str, ...]


class Candidate(NamedTuple):
    """One value that a field could have."""

    #: Where it stands in the event, such as `properties.email`; several where it was computed.
    place: str
    value: Any


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


def one_place_only(_: FieldPath) -> Iterator[Candidate]:
    """Return no candidates: the field stands in one place only, and was read there."""
    return iter(())


class Fields(dict[str, Any]):
    """The fields of the action as a mapping resolved them for one event: a plain object that knows more.

    The mapping that makes one fills the slots.
    """

    __slots__ = ("event", "find", "passed_over")

    event: dict[str, Any]
    #: Finds the candidates of a field in an event; what choices pass over on the way is added to the list.
    find: Callable[[dict[str, Any], list[PassedOver], FieldPath], Iterator[Candidate]]
    #: What the mapping passed over on the way.
    passed_over: list[PassedOver]

    def candidates(self, path: FieldPath) -> Iterator[Candidate]:
        """Return all candidates of a field from the first on; none where the mapping names only one place."""
        return self.find(self.event, self.passed_over, path)

    def beside(self, path: FieldPath) -> Iterator[Candidate]:
        """Return the same candidates for a question beside the reading: what they pass over is told nowhere."""
        return self.find(self.event, [], path)


class Resolvable(Protocol):
    """The fields of the action for one event, which a mapping resolves when they are asked for."""

    @property
    def fields(self) -> dict[str, Any]:
        """All fields that the mapping gives for the event."""
        ...

    def read_by(self, writes: Writes) -> Any:
        """Return what a function gives that finds each field and does with it what `writes` writes; None for none."""
        ...


class Blocks(list[Any]):
    """A list of `{place, is_recipient, values}` as `@blocks` makes them; the type proves that nobody else did.

    `place` is where the block stands in the event, `values` are pairs of key and value by member.
    """

    __slots__ = ()
