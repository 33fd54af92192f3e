"""How what is remembered of people travels to the engines and back, and how much of it at most."""

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

#: Links are followed so far, one more than the rules do.
MAX_LOADED_STEPS: Final = 9
#: So many ids stand for one user; the one that was linked longest ago gives way, and is forgotten.
MAX_LINKED: Final = 50
#: Of a key so many digits, 64 bits, tell whose a delivery is.
OWNER_KEY_DIGITS: Final = 16
#: So many ids are looked through at once for digests.
IDS_AT_ONCE: Final = 20_000
#: The reason of a dropped event whose person was erased.
DROPPED_ERASED: Final = "its person was erased"
#: So many deliveries are looked through at once for what is kept of a person.
DELIVERIES_AT_ONCE: Final = 5_000
#: The owners of so many are: millions took a store longer than a task may have a connection.
OWNERS_AT_ONCE: Final = 500_000


#: Which columns of an answer are true or false, which an engine may have as 1 and 0.
_TRUTHS: Final = {name: Answer.__struct_fields__.index(name) for name in ("is_trusted", "for_trusted", "is_no")}
#: So few digests are looked for one by one.
_FEW: Final = 8


class KeptDataPage(NamedTuple):
    """What is kept of a person in a stretch of deliveries."""

    #: Messages of which a payload, or what tells their buyer, holds one of the digests.
    messages: list[str]
    #: How many other deliveries hold personal data of which nobody can tell whose it is.
    nobodys: int
    #: The last id of the stretch; None where it is the last stretch.
    after: int | None


class OtherKeptData(NamedTuple):
    """What is kept of people beside deliveries."""

    #: How many orders tell their buyer, and have no delivery that tells whose they are.
    orders: int
    #: Whether anything is kept under keyed ids.
    is_keyed: bool


#: In so many hours one public key may fill memory at most; and so much may it add in an hour in any case.
_HOURS_TO_FILL: Final = 20
_LEAST_ADDED: Final = 1_000
#: Of one call so many rows are read, and so many more for each id.
_FOUND_OF_CALL: Final = 1_000
_FOUND_OF_ID: Final = 60


def max_found(keys: Sequence[str]) -> int:
    """Return how many rows are read for some ids at most, so that trees of aliases cannot cost without end."""
    return _FOUND_OF_CALL + _FOUND_OF_ID * len(keys)


def changes_to_people(changes: PeopleChanges | None) -> PeopleChanges | None:
    """Return the changes where a person or a suppression changes; None where they only tell whose deliveries are."""
    return changes if changes and (changes.people or changes.suppressions) else None


def people_rows(changes: PeopleChanges) -> list[list[Any]]:
    """Return rows of [key, revision that was read, linked to, linked at, seen at, stale at, record]."""
    return [
        [each.key, each.revision, each.linked_to, each.linked_at, each.seen_at, each.stale_at, each.record]
        for each in changes.people
    ]


def suppression_rows(changes: PeopleChanges, *, changed_only: bool = False) -> list[list[Any]]:
    """Return rows of [key, suppression as it was read, suppression from now on]."""
    return [[each.key, each.was, each.now] for each in changes.suppressions if not changed_only or each.was != each.now]


def max_public_suppressions(rules: MemorySettings) -> int:
    """Return how many ids public events may suppress: half of all that may be."""
    return rules.remember_max_people // 2


def is_full(rules: MemorySettings, public_key: str | None, *, suppressions: int, public: int, added: int) -> bool:
    """Return whether nothing new may be remembered of what a public key sends; None asks for trusted events.

    `suppressions` is how many ids are suppressed, `public` how many of them by public events alone, `added` how many
    ids or suppressions the key has added in this hour.
    """
    if suppressions >= rules.remember_max_people:
        return True
    return public_key is not None and (public >= max_public_suppressions(rules) or added >= added_by_key(rules))


def added_by_key(rules: MemorySettings) -> int:
    """Return how many ids, and how many suppressions, a public key may add in an hour."""
    return max(_LEAST_ADDED, rules.remember_max_people // _HOURS_TO_FILL)


def additions(changes: PeopleChanges, now: float) -> list[Any] | None:
    """Return the row of what a public key adds: [key, hour, ids, suppressions]; None where nothing is to be counted."""
    people = sum(not each.revision and each.record is not None for each in changes.people)
    suppressions = sum(each.was is None and each.now is not None for each in changes.suppressions)
    if changes.public_key is None or not (people or suppressions):
        return None
    return [changes.public_key, int(now // HOUR_S), people, suppressions]


def targets_of(changes: PeopleChanges) -> list[str]:
    """Return the users that an id is linked to anew."""
    return sorted({each.linked_to for each in changes.people if each.linked_to})


def owner_rows(changes: PeopleChanges | None, now: float) -> list[tuple[str, str, float]]:
    """Return rows of [message id, whose it is, now].

    Whose it is are keys of its user and its anonymous id, 16 digits or blanks each, 1 where it is trusted, and its
    contacts without a gap.
    """
    rows = []
    for each in changes.owners if changes else ():
        if each.user or each.anonymous or each.contacts:
            keys = (each.user or "").ljust(OWNER_KEY_DIGITS) + (each.anonymous or "").ljust(OWNER_KEY_DIGITS)
            rows.append((each.message_id, f"{keys}{each.is_trusted:d}{''.join(each.contacts)}", now))
    return rows


def _subjects_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Subject]]:
    """Return whose deliveries are, by id, as an engine found it: a row for each of their messages."""
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
            # a shop order without a strong page order heeds every page order of its amount
            ignores_weak=of_order.match is Match.STRONG if is_trusted else side is not None,
        )
        found.setdefault(str(delivery_id), []).append(subject)
    return found


def _contacts(stored: str | None) -> tuple[str, ...]:
    texts = stored or ""
    return tuple(texts[at : at + OWNER_KEY_DIGITS] for at in range(0, len(texts), OWNER_KEY_DIGITS))


def consent_rows(answers: Iterable[Answer]) -> list[tuple[Any, ...]]:
    """Return the rows of answers, in the order of the columns of an engine's query `consents`."""
    return [astuple(each) for each in answers]


def in_turns(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Return answers in groups that one statement can write: nos that follow each other, or the yes of one event.

    A yes lifts nos, so it is written behind those before it. What is of the same about the same id is there once.
    """
    groups: list[list[Answer]] = []
    for each in answers:
        last = groups[-1][-1] if groups else None
        if last and ((last.is_no and each.is_no) or _event_of(last) == _event_of(each)):
            groups[-1].append(each)
        else:
            groups.append([each])
    return [_newest(group) for group in groups]


def _newest(answers: Sequence[Answer]) -> list[Answer]:
    found: dict[tuple[str, str, bool], Answer] = {}
    for each in answers:
        place = each.key, each.said_by, each.is_trusted
        known = found.get(place)
        if known is None or is_newer(each, known):
            found[place] = after(known, each) if known else each
    return list(found.values())


def _event_of(answer: Answer) -> tuple[float, str, str, bool, bool]:
    return answer.at, answer.said_by, answer.user, answer.is_trusted, answer.is_no


def key_prefixes(keys: Iterable[str]) -> list[str]:
    """Return the beginnings of keys, by which the deliveries of their ids are found."""
    return [key[:OWNER_KEY_DIGITS] for key in keys]


class KeepsPeople(UsesStore):
    """The part of the `Outbox` that is about people."""

    def _owner_keys(self, keys: Iterable[str]) -> list[str]:
        """Return the beginnings of keys as the engine has them with a message."""
        return key_prefixes(keys)

    @reads
    async def people_with(
        self, store: Statements, digests: Sequence[str], *, after: str
    ) -> tuple[list[str], str | None]:
        """Return ids under which one of some digests is remembered, or which begin as one, of a stretch of memory.

        It goes in the order of keys, and begins behind the key `after`; the second is where it ends, None where it is
        the last.
        """
        asked = {"digests": list(digests), "are_few": len(digests) <= _FEW}
        ((keys, last, count),) = await store.rows("people_with", after=after, limit=IDS_AT_ONCE, **asked)
        return _listed(keys), last if count == IDS_AT_ONCE else None

    async def owned(self, keys: Collection[str], *, messages: Collection[str] = ()) -> list[Ownership]:
        """Return whose messages are of which an id, or a digest of a contact, begins as a key; and whose `messages`."""
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
        """Return those of a stretch of ids, which begins behind the id `after`."""
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
        """Return what deliveries hold one of some digests (SHA-256 in hex), of a stretch in the order of their ids.

        The stretch begins behind the id `after`; 0 begins with the first.
        """
        asked = {"digests": list(digests), "are_few": len(digests) <= _FEW}
        ((messages, nobodys, last, count),) = await store.rows(
            "kept_of", after=after, limit=DELIVERIES_AT_ONCE, **asked
        )
        return KeptDataPage(_listed(messages), nobodys, last if count == DELIVERIES_AT_ONCE else None)

    @reads
    async def kept_elsewhere(self, store: Statements, digests: Collection[str]) -> OtherKeptData:
        """Return what is kept of other people than those of some digests beside deliveries."""
        asked = {"digests": list(digests), "lasts_s": self._rules.ledger_s}
        ((orders, is_keyed),) = await store.rows("kept_elsewhere", **asked)
        return OtherKeptData(orders, bool(is_keyed))

    @reads
    async def subjects_of(self, store: Statements, deliveries: Collection[str]) -> dict[str, list[Subject]]:
        """Return whose some deliveries are, by their ids; a merged order is of several messages."""
        return _subjects_of(await store.rows("subjects_of", ids=list(map(int, deliveries))))

    @abstractmethod
    async def consent_keys(self, after: str) -> tuple[list[tuple[str, int]], str]:
        """Return about which ids anything else was answered since a moment of the store, and the moment of now.

        Each with its nos as `ConsentBook.kept` has them. "0" begins with the first.
        """

    @reads
    async def consents(self, store: Statements, keys: Collection[str]) -> list[Answer]:
        """Return what people answered about some ids, by their keys."""
        rows = await store.rows("consents", keys=list(keys))
        return [record_of(Answer, row, **{name: bool(row[place]) for name, place in _TRUTHS.items()}) for row in rows]

    @writes
    async def forget_yeses(self, store: Statements, keys: Collection[str]) -> int:
        """Erase every yes about some ids, and of those who have them; return how many. What said no stays."""
        return await store.count("forget_yeses", keys=key_prefixes(keys))


def _listed(stored: Any) -> list[str]:
    """Return a list that an engine may have as JSON."""
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
        """Return the keys of some deliveries that have an answer."""
        if not self.kept:
            return set()
        return {key for subject in subjects for key in subject.keys if key in self.kept}
