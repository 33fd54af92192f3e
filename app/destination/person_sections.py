"""The blocks of an event that each describe a person, in the form of the mapping."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core.fields import USER_FIELDS
from app.core.values.candidates import Blocks
from app.core.values.placeholders import is_no_id
from app.destination.normalise import MAX_LENGTH
from app.destination.place_names import country_code
from app.destination.reading import flattened

#: The parts of a whole name.
HALVES: Final = ("first_name", "last_name")
NAMES: Final = tuple(each.name for each in USER_FIELDS if each.reading.block == "name")
ADDRESS: Final = tuple(each.name for each in USER_FIELDS if each.reading.block == "address")
#: Fields that come from a single block each; in a block, before those of an address in the block.
ALONE: Final = tuple(each.name for each in USER_FIELDS if each.reading.block == "alone")
#: A block with any of these may have a name.
OF_NAMES: Final = frozenset((*NAMES, "name"))
#: All members that are read from a block.
OF_BLOCKS: Final = frozenset(("name", *(each.name for each in USER_FIELDS if each.reading.block)))


class PersonBlock(NamedTuple):
    """A place of an event that describes a person."""

    #: The path in the event, such as `properties.customer`.
    place: str
    #: The recipient of the goods, possibly not the buyer.
    is_recipient: bool
    #: By the action's field, and `name` for a whole name: pairs of key and value, in the order of priority.
    values: Mapping[str, Sequence[Any]]

    def of(self, field: str) -> list[Any]:
        """Return the values of a field, in order."""
        return [value for _, value in self.values.get(field, ())]

    @property
    def country(self) -> str | None:
        """Return the block's country, alpha-2; `None` if it has none."""
        return next(filter(None, map(country_of, self.of("country"))), None) if "country" in self.values else None

    @property
    def countries(self) -> list[str | None]:
        """Return all countries of the block, alpha-2, and `None` for each unknown country that is no placeholder."""
        given = flattened(self.of("country"))
        return [country_of(item) for item in given if not (type(item) is str and is_no_id(item))]

    def objects(self) -> Sequence["PersonBlock"]:
        """Return the block once for each object with names: first itself, then its inner objects.

        Each result has the names of a single object. An address in a block may belong to another person, so parts of
        different names are never combined.
        """
        named = [(field, pair) for field in OF_NAMES if field in self.values for pair in self.values[field]]
        if not any("." in key for _, (key, _) in named):  # nearly always
            return (self,)
        rest = {field: list(pairs) for field, pairs in self.values.items() if field not in OF_NAMES}
        parts: dict[str, dict[str, list[Any]]] = {}
        for field, pair in sorted(named, key=lambda each: "." in each[1][0]):
            parts.setdefault(pair[0].rpartition(".")[0], dict(rest)).setdefault(field, []).append(pair)
        return [self._replace(values=values) for values in parts.values()]


def blocks_of(given: Any) -> list[PersonBlock]:
    """Return the blocks from `@blocks` of a mapping; none for other values."""
    if type(given) is not Blocks:
        return []
    return [PersonBlock(block["place"], block["is_recipient"], block["values"]) for block in given]


def phones_as_given(given: Any, blocks: Any) -> Any:
    """Return the phone numbers of an event as given: those of the mapping, and those of blocks."""
    if type(blocks) is not Blocks:
        return given
    found = [value for block in blocks if "phone" in block["values"] for _, value in block["values"]["phone"]]
    if given is None:
        return found[0] if len(found) == 1 else found
    return [given, *found] if found else given


def countries_of(user_data: Mapping[str, Any], blocks: Sequence[PersonBlock]) -> set[str]:
    """Return all countries in an event, alpha-2."""
    return set(filter(None, (country_of(user_data.get("country")), *(block.country for block in blocks))))


def country_of(given: Any) -> str | None:
    """Return the first country in the event, as upper-case alpha-2; the digest of a code is accepted."""
    if type(given) is str and len(given) <= MAX_LENGTH:  # nearly always
        return country_code(given)
    for item in () if given is None else flattened(given):
        code = country_code(item) if type(item) is str and len(item) <= MAX_LENGTH else None
        if code:
            return code
    return None
