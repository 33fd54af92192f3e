"""Choose the person that an event is about, if it contains several people.

Such people are the buyer, the company, and the recipient of a gift. An event has data about people in blocks
(`properties.customer`, `context.traits`, a billing address). Names come from a single block and the address from a
single block, the first that has any of it; the same applies to each other field (phone, gender, date of birth). So two
people are never mixed: a block with an e-mail address other than the sent one belongs to another person, and a
recipient's block counts only if its e-mail address or name is the buyer's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple, TypeAlias

from app.core.values.placeholders import is_no_id, says_nothing
from app.destination.normalise import MAX_LENGTH
from app.destination.person_sections import ADDRESS, ALONE, HALVES, NAMES, OF_NAMES, PersonBlock
from app.destination.place_names import country_in_state, is_state_of_account
from app.destination.privacy_flags import KnownState
from app.destination.reading import flattened, text_of
from app.destination.warnings import kind, left_out

_TWO_WORDS = 2
#: A name with more words is ignored.
_MAX_WORDS = 8

#: The sent form of a text, usually its digest (`None`: not sent), and a note.
Digest: TypeAlias = tuple[str | None, str]
#: Converts a text, with the country of the event if relevant, to its sent form.
Way: TypeAlias = Callable[[str, str | None], Digest]
#: A name as it is sent: digests of the first and the last name, each of which may be missing.
_Name: TypeAlias = tuple[str | None, str | None]
#: By Pinterest's name: digests.
_Sent: TypeAlias = dict[str, list[str]]


class _Group(NamedTuple):
    """Fields that come from the same block."""

    fields: Sequence[str]
    #: Blocks without any of these members can be skipped.
    members: frozenset[str]


class FoundPerson(NamedTuple):
    """The data about a person in an event."""

    sent: _Sent
    #: The country of the person, alpha-2; `None` if unknown.
    country: str | None
    #: The country for phone numbers without a country; possibly that of the recipient.
    phone_country: str | None
    notes: list[str]


class People:
    """Chooses among the blocks of events."""

    def __init__(self, fields: Mapping[str, tuple[str, Way]]) -> None:
        """Store the fields by the action's name: Pinterest's name of each, and its hash function."""
        self._wires = {name: wire for name, (wire, _) in fields.items()}
        self._ways = {name: way for name, (_, way) in fields.items()}

    def take(
        self, blocks: Sequence[PersonBlock], wanted: Any, sent: Mapping[str, Any], country: str | None
    ) -> FoundPerson:
        """Return the wanted names, address members and separate fields, each from a single block.

        `wanted` are fields separated by blanks; `sent` has the e-mail addresses and names that are already sent;
        `country` comes from the mapping itself.
        """
        names, address, alone, fields = _groups(wanted if type(wanted) is str else "")
        if len(blocks) == 1 and (plain := self._plainly(blocks[0], fields, sent, country)):
            return plain
        notes: list[str] = []
        countries = [block.country for block in blocks]
        found = self._first_of(blocks, names, sent, repeat(None), notes)
        who = {**sent, **found}
        home, goods = country, None
        if country is None and any(countries):
            named = [(each, block) for each, block in zip(countries, blocks, strict=True) if each]
            home = next((each for each, block in named if not self._not_the_buyers(block, who)), None)
            goods = next((each for each, block in named if block.is_recipient), None)
        found |= self._first_of(blocks, address, who, [country or each or home for each in countries], notes)
        for field in alone:
            found |= self._first_of(blocks, field, who, [each or home or goods for each in countries], notes)
        return FoundPerson(found, home, home or goods, notes)

    def _plainly(
        self, block: PersonBlock, fields: Collection[str], sent: Mapping[str, Any], country: str | None
    ) -> FoundPerson | None:
        """Return the data from the only block of an event, the usual case; `None` if the block needs all checks."""
        values = block.values
        is_named = "first_name" in values or "last_name" in values
        if block.is_recipient or ("name" in values and not is_named):
            return None
        own = block.country
        home = country or own
        found: _Sent = {}
        for field, pairs in values.items():
            if field in fields or field == "email":
                key, value = pairs[0]
                if type(value) is not str or not value.isascii() or ("." in key and field not in ADDRESS):
                    return None
                where = home if field in ADDRESS else own or country if field == "phone" else None
                digest, note = self._ways[field](value, where)
                if digest is None or note:
                    return None
                if field != "email":
                    found[self._wires[field]] = [digest]
                elif "em" in sent and digest not in sent["em"]:
                    return None
        return FoundPerson(found, home, home, [])

    def _first_of(
        self,
        blocks: Sequence[PersonBlock],
        group: _Group,
        who: Mapping[str, Any],
        where: Iterable[str | None],
        notes: list[str],
    ) -> _Sent:
        """Return the fields of a group from the first block that has any of them and belongs to the buyer.

        `who` has the buyer's sent fields; `where` has the country for reading each block.
        """
        for block, country in zip(blocks, where, strict=False):
            if group.members.isdisjoint(block.values):
                continue
            if why := self._not_the_buyers(block, who):
                note = f": {block.place} passed over, {why}"
                if note not in notes:  # already added for a name
                    notes.append(note)
                continue
            read = self._read_names if group.members is OF_NAMES else self._read
            taken = read(block, group.fields, country, notes)
            if taken:
                return taken
        return {}

    def states(self, blocks: Sequence[PersonBlock], country: str | None) -> list[KnownState]:
        """Return all states in the blocks; `country` is that of the event, for blocks without a country."""
        known: list[KnownState] = []
        for block in blocks:
            stated = (item for item in flattened(block.of("state")) if not says_nothing(item))
            given = [text for text in map(text_of, stated) if not is_state_of_account(text)]
            beside = (block.countries or [country]) if given else []
            for text in given:
                own = country_in_state(text)
                places = [own] if own else beside
                read = [KnownState(None if text is None else self._ways["state"](text, at)[0], at) for at in places]
                known += [state for state in read if state.digest is not None] or read
        return known

    def _read(self, block: PersonBlock, asked: Sequence[str], country: str | None, notes: list[str]) -> _Sent:
        """Read the requested fields of a block; unreadable values cause notes."""
        taken = {}
        for field in asked:
            if field in block.values:
                digests, problems = self._digests(block, field, country)
                notes += problems
                if digests:
                    taken[self._wires[field]] = digests
        return taken

    def _read_names(self, block: PersonBlock, asked: Sequence[str], country: str | None, notes: list[str]) -> _Sent:
        """Read the names in an object of a block."""
        for part in block.objects():
            taken = self._read(part, asked, country, notes)
            if not taken and "name" in part.values:
                names = next((name for name, words in self._whole_names(part) if words == _TWO_WORDS), (None, None))
                halves = zip(HALVES, names, strict=True)
                taken = {self._wires[field]: [half] for field, half in halves if half is not None and field in asked}
            if taken:
                return taken
        return {}

    def _digests(self, block: PersonBlock, field: str, country: str | None) -> tuple[list[str], Sequence[str]]:
        """Return the digests of the first readable value of a field (a list is a single value), and the notes."""
        way = self._ways[field]
        pairs = block.values[field]
        if len(pairs) > 1 and field in ALONE:
            pairs = sorted(pairs, key=lambda pair: "." in pair[0])
        problems: list[str] = []
        for key, value in pairs:
            if type(value) is str and value.isascii():  # nearly every value
                digest, note = way(value, country)
                if digest is not None and not note:
                    return [digest], problems
            digests: dict[str, None] = {}
            items = list(flattened(value))
            beside = block.countries if len(items) > 1 else []  # of several people, a country each
            for item, at in zip(items, beside if len(beside) == len(items) else repeat(country), strict=False):
                text = text_of(item)
                digest, note = (None, "a text is expected") if text is None else way(text, at or country)
                if digest is not None:
                    digests[digest] = None
                if note:
                    told = left_out(item, note) if digest is None else f": {kind(item)} {note}"
                    problems.append(f".{field} ({block.place}.{key}){told}")
            if digests:
                return list(digests), problems
        return [], problems

    def _not_the_buyers(self, block: PersonBlock, sent: Mapping[str, Any]) -> str:
        """Return why a block does not belong to the sent person; "" if it does."""
        own = self._digests(block, "email", None)[0] if "email" in block.values else []
        emails = sent.get("em", ())
        if own and emails and set(own).isdisjoint(emails):
            return "its e-mail address is not the one that is sent"
        if not block.is_recipient:
            return ""
        buyer = (_only(sent.get("fn")), _only(sent.get("ln")))
        names = set(self._names(block)) if buyer != (None, None) else set()
        if names and buyer not in names:
            return "it is the recipient's, whose name is not the buyer's"
        return "" if names or (own and emails) else "it is the recipient's, who may be somebody else"

    def _names(self, block: PersonBlock) -> Iterator[_Name]:
        """Yield the possible names of a block: its parts, or its whole name split at each blank."""
        for part in block.objects():
            halves = [_only(self._digests(part, field, None)[0] if field in part.values else ()) for field in HALVES]
            if halves == [None, None]:
                yield from (name for name, _ in self._whole_names(part))
            else:
                yield halves[0], halves[1]

    def _whole_names(self, block: PersonBlock) -> Iterator[tuple[_Name, int]]:
        """Yield the possible first and last names of a whole name, with its number of words."""
        for value in block.of("name"):
            is_name = type(value) is str and len(value) <= MAX_LENGTH and "," not in value and not is_no_id(value)
            words = value.split() if is_name else []
            for end in range(1, len(words) if len(words) <= _MAX_WORDS else 0):
                halves = (" ".join(words[:end]), " ".join(words[end:]))
                first, last = (self._ways[field](half, None)[0] for field, half in zip(HALVES, halves, strict=True))
                yield (first, last), len(words)


@lru_cache(maxsize=64)
def _groups(wanted: str) -> tuple[_Group, _Group, Sequence[_Group], Collection[str]]:
    """Return the wanted names, address members, separate fields, and all of them together."""
    fields = frozenset(wanted.split())
    names, address = ([field for field in group if field in fields] for group in (NAMES, ADDRESS))
    alone = [_Group((field,), frozenset((field,))) for field in ALONE if field in fields]
    return _Group(names, OF_NAMES if names else frozenset()), _Group(address, frozenset(address)), alone, fields


def _only(digests: Any) -> str | None:
    """Return the digest of a field with a single person; `None` if it has none or several."""
    return digests[0] if digests and len(digests) == 1 else None
