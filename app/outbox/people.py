"""The form of the memory of people in the engines, and its limits."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from math import inf
from typing import Any, Final, NamedTuple

import orjson
from msgspec.structs import astuple

from app.config.settings import MemorySettings
from app.core.consent import YES, Answer, Subject, after, bits_of, is_newer, key_of, order_key
from app.core.deliveries import Match, OrderSide, read_side
from app.core.people import Ownership, PeopleChanges
from app.core.values.times import HOUR_S
from app.outbox.rows import record_of
from app.outbox.statements import Statements, UsesStore, reads, writes

#: The maximum number of links to follow, more than the rules by 1.
MAX_LOADED_STEPS: Final = 9
#: The maximum of ids per user; beyond, the id with the oldest link is forgotten.
MAX_LINKED: Final = 50
#: The number of digits of a key, 64 bits, that identify the person of a delivery.
OWNER_KEY_DIGITS: Final = 16
#: The number of ids per search for digests.
IDS_AT_ONCE: Final = 20_000
#: The reason of a dropped event of an erased person.
DROPPED_ERASED: Final = "its person was erased"
#: The number of deliveries per search for data of a person.
DELIVERIES_AT_ONCE: Final = 5_000
#: The number of owners per search: with millions, the query exceeded the time limit of a connection.
OWNERS_AT_ONCE: Final = 500_000


#: Boolean columns of consent records, which an engine may return as 1 and 0.
_TRUTHS: Final = {name: Answer.__struct_fields__.index(name) for name in ("is_trusted", "for_trusted", "is_opt_out")}
#: The maximum number of digests that are searched separately.
_FEW: Final = 8


class KeptDataPage(NamedTuple):
    """The stored data of a person in a range of deliveries."""

    #: Messages with any of the digests in a payload or among the data about their buyer.
    messages: list[str]
    #: The number of other deliveries with personal data of an unknown person.
    nobodys: int
    #: The last id of the range; `None` for the last range.
    after: int | None


class OtherKeptData(NamedTuple):
    """The stored data of people outside deliveries."""

    #: The number of orders with data about their buyer but without a delivery that identifies the person.
    orders: int
    #: Whether data is stored under keyed ids.
    is_keyed: bool


#: The minimum number of hours in which a public key can fill the memory, and the minimum limit per hour.
_HOURS_TO_FILL: Final = 20
_LEAST_ADDED: Final = 1_000
#: The maximum of rows to read per call, and per id in addition.
_FOUND_OF_CALL: Final = 1_000
_FOUND_OF_ID: Final = 60


def max_found(keys: Sequence[str]) -> int:
    """Return the maximum number of rows to read for some ids, so that the cost of alias trees is limited."""
    return _FOUND_OF_CALL + _FOUND_OF_ID * len(keys)


def changes_to_people(changes: PeopleChanges | None) -> PeopleChanges | None:
    """Return the changes if a person or a suppression changes.

    `None` if they only identify the persons of deliveries.
    """
    return changes if changes and (changes.people or changes.suppressions) else None


def people_rows(changes: PeopleChanges) -> list[list[Any]]:
    """Return rows of [key, revision as read, linked to, linked at, seen at, stale at, record]."""
    return [
        [each.key, each.revision, each.linked_to, each.linked_at, each.seen_at, each.stale_at, each.record]
        for each in changes.people
    ]


def suppression_rows(changes: PeopleChanges, *, changed_only: bool = False) -> list[list[Any]]:
    """Return rows of [key, suppression as read, suppression from now on]."""
    return [[each.key, each.was, each.now] for each in changes.suppressions if not changed_only or each.was != each.now]


def max_public_suppressions(rules: MemorySettings) -> int:
    """Return how many ids public events may suppress: half of the maximum."""
    return rules.remember_max_people // 2


def is_full(rules: MemorySettings, public_key: str | None, *, suppressions: int, public: int, added: int) -> bool:
    """Return whether the memory accepts no new data from a public key; `None` is for trusted events.

    `suppressions` is the number of suppressed ids, `public` the part by public events only, `added` the number of ids
    or suppressions that the key has added in this hour.
    """
    if suppressions >= rules.remember_max_people:
        return True
    return public_key is not None and (public >= max_public_suppressions(rules) or added >= added_by_key(rules))


def added_by_key(rules: MemorySettings) -> int:
    """Return the maximum of ids, and of suppressions, that a public key may add in an hour."""
    return max(_LEAST_ADDED, rules.remember_max_people // _HOURS_TO_FILL)


def additions(changes: PeopleChanges, now: float) -> list[Any] | None:
    """Return the row of the additions of a public key: [key, hour, ids, suppressions]; `None` without any."""
    people = sum(not each.revision and each.record is not None for each in changes.people)
    suppressions = sum(each.was is None and each.now is not None for each in changes.suppressions)
    if changes.public_key is None or not (people or suppressions):
        return None
    return [changes.public_key, int(now // HOUR_S), people, suppressions]


def targets_of(changes: PeopleChanges) -> list[str]:
    """Return the users with newly linked ids."""
    return sorted({each.linked_to for each in changes.people if each.linked_to})


def owner_rows(changes: PeopleChanges | None, now: float) -> list[tuple[str, str, float]]:
    """Return rows of [message id, owner, now].

    The owner contains the keys of its user and its anonymous id, 16 digits or blanks each, 1 if trusted, and its
    contacts without separators.
    """
    rows = []
    for each in changes.owners if changes else ():
        if each.user or each.anonymous or each.contacts:
            keys = (each.user or "").ljust(OWNER_KEY_DIGITS) + (each.anonymous or "").ljust(OWNER_KEY_DIGITS)
            rows.append((each.message_id, f"{keys}{each.is_trusted:d}{''.join(each.contacts)}", now))
    return rows


def _subjects_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Subject]]:
    """Return the persons of deliveries, by id, from rows of an engine: one for each of their messages."""
    found: dict[str, list[Subject]] = {}
    for delivery_id, is_trusted, order_id, side, user, anonymous, contacts in rows:
        of_order = read_side(orjson.loads(side)) if side else OrderSide()
        subject = Subject(
            is_trusted=bool(is_trusted),
            user=user or "",
            browser=anonymous or "",
            contacts=_contacts(contacts),
            token=key_of(of_order.token),
            order=order_key(order_id) if order_id else "",
            totals=of_order.totals,
            pages=of_order.browsers,
            facts=of_order.facts,
            at=of_order.at,
            # a shop order without a strong page order uses the consent of every page order of its amount
            ignores_weak=of_order.match is Match.STRONG if is_trusted else side is not None,
        )
        found.setdefault(str(delivery_id), []).append(subject)
    return found


def _contacts(stored: str | None) -> tuple[str, ...]:
    texts = stored or ""
    return tuple(texts[at : at + OWNER_KEY_DIGITS] for at in range(0, len(texts), OWNER_KEY_DIGITS))


def consent_rows(answers: Iterable[Answer]) -> list[tuple[Any, ...]]:
    """Return the rows of consent records, in the order of the columns of an engine's query `consents`."""
    return [astuple(each) for each in answers]


def in_turns(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Return consent records in groups for one statement: consecutive opt-outs, or the opt-in of one event.

    An opt-in cancels opt-outs, so it is written after earlier ones. Repeated records about the same id appear once.
    """
    groups: list[list[Answer]] = []
    for each in answers:
        last = groups[-1][-1] if groups else None
        if last and ((last.is_opt_out and each.is_opt_out) or _event_of(last) == _event_of(each)):
            groups[-1].append(each)
        else:
            groups.append([each])
    return [_newest(group) for group in groups]


def _newest(answers: Sequence[Answer]) -> list[Answer]:
    found: dict[tuple[str, str, bool], Answer] = {}
    for each in answers:
        place = each.key, each.author, each.is_trusted
        known = found.get(place)
        if known is None or is_newer(each, known):
            found[place] = after(known, each) if known else each
    return list(found.values())


def _event_of(answer: Answer) -> tuple[float, str, str, bool, bool]:
    return answer.at, answer.author, answer.user, answer.is_trusted, answer.is_opt_out


def key_prefixes(keys: Iterable[str]) -> list[str]:
    """Return the prefixes of keys that identify the deliveries of their ids."""
    return [key[:OWNER_KEY_DIGITS] for key in keys]


class KeepsPeople(UsesStore):
    """The part of the `Outbox` for the memory of people."""

    def _owner_keys(self, keys: Iterable[str]) -> list[str]:
        """Return the prefixes of keys in the engine's form with a message."""
        return key_prefixes(keys)

    @reads
    async def people_with(
        self, store: Statements, digests: Sequence[str], *, after: str
    ) -> tuple[list[str], str | None]:
        """Return remembered ids with some digests, or with the digests as prefixes, in a range of the memory.

        The range follows the order of keys and begins after the key `after`; the second result is its end, `None` for
        the last range.
        """
        asked = {"digests": list(digests), "are_few": len(digests) <= _FEW}
        ((keys, last, count),) = await store.rows("people_with", after=after, limit=IDS_AT_ONCE, **asked)
        return _listed(keys), last if count == IDS_AT_ONCE else None

    async def owned(self, keys: Collection[str], *, messages: Collection[str] = ()) -> list[Ownership]:
        """Return the owners of `messages`, and of messages with an id or contact digest that begins with a key."""
        found: list[Ownership] = []
        for start in range(0, await self._last_owner_id(), OWNERS_AT_ONCE):
            found += await self._owned_behind(keys, messages, after=start)
        return found

    @reads
    async def _last_owner_id(self, store: Statements) -> int:
        ((last,),) = await store.rows("last_owner_id")
        return last or 0

    @reads
    async def _owned_behind(
        self, store: Statements, keys: Collection[str], messages: Collection[str], *, after: int
    ) -> list[Ownership]:
        """Return the owners in a range of ids, which begins after the id `after`."""
        asked = {"keys": self._owner_keys(keys), "messages": list(messages)}
        rows = await store.rows("owned", **asked, after=after, end=after + OWNERS_AT_ONCE)
        return [
            Ownership(
                message_id=message_id or "",
                user=user,
                anonymous=anonymous,
                contacts=_contacts(contacts),
                is_trusted=bool(is_trusted),
            )
            for message_id, user, anonymous, contacts, is_trusted in rows
        ]

    @reads
    async def kept_of(self, store: Statements, digests: Collection[str], *, after: int) -> KeptDataPage:
        """Return the deliveries with some digests (SHA-256 in hex), in a range in the order of ids.

        The range begins after the id `after`; 0 is the beginning.
        """
        asked = {"digests": list(digests), "are_few": len(digests) <= _FEW}
        ((messages, nobodys, last, count),) = await store.rows(
            "kept_of", after=after, limit=DELIVERIES_AT_ONCE, **asked
        )
        return KeptDataPage(_listed(messages), nobodys, last if count == DELIVERIES_AT_ONCE else None)

    @reads
    async def kept_elsewhere(self, store: Statements, digests: Collection[str]) -> OtherKeptData:
        """Return the data outside deliveries about people other than those of some digests."""
        asked = {"digests": list(digests), "lasts_s": self._rules.ledger_s}
        ((orders, is_keyed),) = await store.rows("kept_elsewhere", **asked)
        return OtherKeptData(orders, bool(is_keyed))

    @reads
    async def subjects_of(self, store: Statements, deliveries: Collection[str]) -> dict[str, list[Subject]]:
        """Return the persons of some deliveries, by their ids; a merged order has several messages."""
        return _subjects_of(await store.rows("subjects_of", ids=list(map(int, deliveries))))

    @abstractmethod
    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]:
        """Return the ids with consent that changed since the position `after`, and the current position.

        Each id has its opt-outs in the form of `ConsentBook.kept`. Positions are values of the engine; "0" is the
        beginning.
        """

    @reads
    async def consents(self, store: Statements, keys: Collection[str]) -> list[Answer]:
        """Return the consent records of some ids, by their keys."""
        rows = await store.rows("consents", keys=list(keys))
        return [record_of(Answer, row, **{name: bool(row[place]) for name, place in _TRUTHS.items()}) for row in rows]

    @writes
    async def forget_opt_ins(self, store: Statements, keys: Collection[str]) -> int:
        """Erase all opt-ins of some ids, and of ids linked to them; return the number of opt-ins. Opt-outs stay."""
        return await store.count("forget_opt_ins", keys=key_prefixes(keys))


def _listed(stored: Any) -> list[str]:
    """Return a list that an engine may return as JSON."""
    listed: list[str] = orjson.loads(stored) if isinstance(stored, str) else stored
    return listed


class ConsentBook:
    """Ids with an answer, so that few events need a query of the store. Each process has an instance."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Use `monotonic` to decide when to read the store again."""
        self._monotonic = monotonic
        #: By id with an answer: the kinds of its opt-outs, as bits; 0 if there is no opt-out.
        self.kept: dict[str, int] = {}
        #: A live view of these ids.
        self.ids: AbstractSet[str | None] = self.kept.keys()
        self._after = "0"
        self._read_at = -inf

    async def look(self, store: KeepsPeople, *, max_age_s: float = 0) -> None:
        """Read answers that other processes stored, unless the last read is less than `max_age_s` ago.

        Raises OutboxUnavailable.
        """
        now = self._monotonic()
        if now - self._read_at >= max_age_s:
            kept, self._after = await store.consent_keys(self._after)
            self.kept.update(kept)
            self._read_at = now

    def note(self, answers: Iterable[Answer], *, is_lifting: bool) -> None:
        """Add answers that this process stored.

        If `is_lifting`, the next request reads the cancelled opt-outs from the store.
        """
        for each in answers:
            self.kept[each.key] = self.kept.get(each.key, 0) | (bits_of(each) & ~YES)
        if is_lifting:
            self._read_at = -inf

    def known(self, subjects: Iterable[Subject]) -> set[str]:
        """Return the keys of some deliveries with a consent record."""
        if not self.kept:
            return set()
        return {key for subject in subjects for key in subject.keys if key in self.kept}
