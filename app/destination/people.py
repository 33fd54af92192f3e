"""Who an event is about, where it names several people: the buyer, the company, the recipient of a gift.

An event holds what it knows of people in blocks (`properties.customer`, `context.traits`, a billing address). Names are
taken from one block and the address from one block, the first that has any of it, so that two people are never mixed: a
block whose own e-mail address is not the one that is sent is somebody else's, and that of a recipient counts only where
its e-mail address or its name is the buyer's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from app.destination.normalise import MAX_LENGTH, is_state_of_account
from app.destination.opt_outs import KnownState
from app.destination.place_names import country_code
from app.destination.reading import flattened, text_of
from app.destination.warnings import kind, left_out
from app.values.placeholders import is_no_id
from app.values.read_blocks import Blocks

NAMES = ("first_name", "last_name")
ADDRESS = ("city", "state", "zip", "country")
_TWO_WORDS = 2
#: A whole name of more is nobody's.
_MAX_WORDS = 8
#: A block with any of these may have a name.
_NAMES = frozenset((*NAMES, "name"))

#: From a text and the country of the event to its digest (None: nothing is sent) and what to say about it.
Way: TypeAlias = Callable[[str, str | None], tuple[str | None, str]]
#: A name as it is sent: digests of the first and the last name, either of which may be missing.
_Name: TypeAlias = tuple[str | None, str | None]
#: By Pinterest's name: digests.
_Sent: TypeAlias = dict[str, list[str]]


class PersonBlock(NamedTuple):
    """One place of an event that says who somebody is."""

    #: In the event, such as `properties.customer`.
    place: str
    #: Whoever gets the goods, who need not be the buyer.
    is_recipient: bool
    #: By the action's field, and `name` for a whole name: pairs of key and value, in the order in which they are tried.
    values: Mapping[str, Sequence[Any]]

    def of(self, field: str) -> list[Any]:
        """Return what stands there for a field, in order."""
        return [value for _, value in self.values.get(field, ())]


class OfPerson(NamedTuple):
    """What was found of one person."""

    sent: _Sent
    #: The country of the person as far as it is known, alpha-2; None where it is not.
    country: str | None
    notes: list[str]


def blocks_of(given: Any) -> list[PersonBlock]:
    """Return the blocks as `@blocks` of a mapping gives them; none where anything else was given."""
    if type(given) is not Blocks:
        return []
    return [PersonBlock(block["place"], block["is_recipient"], block["values"]) for block in given]


class People:
    """Chooses among the blocks of one event after the other."""

    def __init__(self, fields: Mapping[str, tuple[str, Way]]) -> None:
        """Take the fields by the action's name: Pinterest's name of each, and how it is hashed."""
        self._wires = {name: wire for name, (wire, _) in fields.items()}
        self._ways = {name: way for name, (_, way) in fields.items()}

    def take(
        self, blocks: Sequence[PersonBlock], wanted: Sequence[str], sent: Mapping[str, Any], country: str | None
    ) -> OfPerson:
        """Return the wanted names and address members, each from one block.

        `sent` holds what is sent already of e-mail addresses and names; `country` is what the mapping names itself.
        """
        notes: list[str] = []
        names = [field for field in NAMES if field in wanted]
        found = self._first_of(blocks, names, _NAMES, sent, lambda _: None, notes)
        who = {**sent, **found}
        address = [field for field in ADDRESS if field in wanted]
        names_country = country is None and any("country" in block.values for block in blocks)
        nearby = self._any_country(blocks, who) if names_country else country
        found |= self._first_of(
            blocks, address, frozenset(address), who, lambda block: country or _country(block) or nearby, notes
        )
        return OfPerson(found, country or country_of(found.get("country")) or nearby, notes)

    def _first_of(
        self,
        blocks: Sequence[PersonBlock],
        asked: Sequence[str],
        members: frozenset[str],
        sent: Mapping[str, Any],
        where: Callable[[PersonBlock], str | None],
        notes: list[str],
    ) -> _Sent:
        """Return the fields asked for of the first block that has any of them and is the buyer's.

        `members` are those that make a block worth a look; `where` returns the country by which a block is read.
        """
        for block in blocks if asked else ():
            if members.isdisjoint(block.values):
                continue
            why = self._not_the_buyers(block, sent)
            if why:
                note = f": {block.place} passed over, {why}"
                if note not in notes:  # as that of a name already
                    notes.append(note)
                continue
            taken = self._read(block, asked, where(block), notes)
            if taken:
                return taken
        return {}

    def states(self, blocks: Sequence[PersonBlock], country: str | None) -> list[KnownState]:
        """Return every state that the blocks name; `country` is that of the event, for those that name none."""
        known = []
        for block in blocks:
            texts = [t for item in flattened(block.of("state")) if not is_state_of_account(t := text_of(item))]
            if texts:
                where = _country(block) or country
                found = [self._ways["state"](text, where)[0] for text in texts if text is not None]
                readable = [digest for digest in found if digest is not None]
                known += [KnownState(digest, where) for digest in readable or (None,)]
        return known

    def _read(self, block: PersonBlock, asked: Sequence[str], country: str | None, notes: list[str]) -> _Sent:
        """Read the fields asked for of one block, names of one object in it; what cannot be read is told."""
        for part in _objects(block) if asked[0] in NAMES else (block,):
            taken = {}
            for field in asked:
                if field in part.values:
                    digests, problems = self._digests(part, field, country)
                    notes += problems
                    if digests:
                        taken[self._wires[field]] = list(digests)
            if not taken and "name" in part.values and asked[0] in NAMES:
                names = next((name for name, words in self._whole_names(part) if words == _TWO_WORDS), (None, None))
                halves = zip(NAMES, names, strict=True)
                taken = {self._wires[field]: [half] for field, half in halves if half is not None and field in asked}
            if taken:
                return taken
        return {}

    def _digests(self, block: PersonBlock, field: str, country: str | None) -> tuple[Sequence[str], Sequence[str]]:
        """Return the digests of the first value of a field that can be read, a list as one, and what is to be said."""
        if field not in block.values:
            return (), ()
        problems: list[str] = []
        way = self._ways[field]
        for key, value in block.values[field]:
            if type(value) is str and value.isascii():  # nearly every value
                digest, note = way(value, country)
                if digest is not None and not note:
                    return (digest,), problems
            digests: dict[str, None] = {}
            for item in flattened(value):
                text = text_of(item)
                digest, note = (None, "a text is expected") if text is None else way(text, country)
                if digest is not None:
                    digests[digest] = None
                if note:
                    told = left_out(item, note) if digest is None else f": {kind(item)} {note}"
                    problems.append(f".{field} ({block.place}.{key}){told}")
            if digests:
                return list(digests), problems
        return (), problems

    def _not_the_buyers(self, block: PersonBlock, sent: Mapping[str, Any]) -> str:
        """Return why a block is not that of the person who is sent; "" where it is."""
        own, _ = self._digests(block, "email", None)
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
        """Yield the names that a block may mean: its parts, or its whole name split at each blank."""
        for part in _objects(block):
            halves = [_only(self._digests(part, field, None)[0]) for field in NAMES]
            if halves == [None, None]:
                yield from (name for name, _ in self._whole_names(part))
            else:
                yield halves[0], halves[1]

    def _whole_names(self, block: PersonBlock) -> Iterator[tuple[_Name, int]]:
        """Yield the first and last names that a whole name may stand for, and of how many words it is."""
        for value in block.of("name"):
            words = value.split() if type(value) is str and len(value) <= MAX_LENGTH and not is_no_id(value) else []
            for end in range(1, len(words) if len(words) <= _MAX_WORDS else 0):
                halves = (" ".join(words[:end]), " ".join(words[end:]))
                first, last = (self._ways[field](half, None)[0] for field, half in zip(NAMES, halves, strict=True))
                yield (first, last), len(words)

    def _any_country(self, blocks: Sequence[PersonBlock], sent: Mapping[str, Any]) -> str | None:
        """Return the first country that a block names, those of recipients last; not those of somebody else."""
        own = (block for block in blocks if not block.is_recipient and not self._not_the_buyers(block, sent))
        codes = (_country(block) for block in (*own, *(block for block in blocks if block.is_recipient)))
        return next(filter(None, codes), None)


def _objects(block: PersonBlock) -> Sequence[PersonBlock]:
    """Return the block once for each object that has names: itself, then what is in it, each without the others' names.

    An address in a block may be somebody else's, so that halves of two names are never put together.
    """
    named = [(pair[0].rpartition(".")[0], field, pair) for field in _NAMES for pair in block.values.get(field, ())]
    if not any(place for place, _, _ in named):  # nearly always
        return (block,)
    rest = {field: list(pairs) for field, pairs in block.values.items() if field not in _NAMES}
    parts: dict[str, dict[str, list[Any]]] = {}
    for place, field, pair in sorted(named, key=lambda each: bool(each[0])):
        parts.setdefault(place, dict(rest)).setdefault(field, []).append(pair)
    return [block._replace(values=values) for values in parts.values()]


def countries_of(user_data: Mapping[str, Any], blocks: Sequence[PersonBlock]) -> set[str]:
    """Return every country that an event names, alpha-2."""
    return set(filter(None, (country_of(user_data.get("country")), *map(_country, blocks))))


def _country(block: PersonBlock) -> str | None:
    """Return the country that a block names, alpha-2."""
    return next(filter(None, map(country_of, block.of("country"))), None)


def country_of(given: Any) -> str | None:
    """Return the first country that the event names, as upper-case alpha-2; a digest of a code counts."""
    for item in () if given is None else flattened(given):
        code = country_code(item) if type(item) is str and len(item) <= MAX_LENGTH else None
        if code:
            return code
    return None


def _only(digests: Any) -> str | None:
    """Return the digest of a field that names one person; None where it names none or several."""
    return digests[0] if digests and len(digests) == 1 else None
