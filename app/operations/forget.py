"""Erase a person: find all stored data, erase it, and search again."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec
import orjson
from msgspec.structs import asdict as struct_asdict

from app.access.audit import Audit
from app.access.users import Person, UserRole
from app.core.consent import Answer, Lifted, order_key
from app.core.deliveries import Delivery, State
from app.core.fields import CONTACTS
from app.core.pages import AuditAction, Message, QuarantineFilter, Query
from app.core.people import AccessRequest, Erasure, Fact, NamedPerson, Ownership, PeopleFound, Suppression, Wish
from app.core.shared_values import ACCESS_REQUESTS, DELETIONS, ERASURES, STORE_SECRET, PinterestDeletion, SharedValues
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id
from app.core.values.texts import count_of
from app.core.values.times import HOUR_S, iso_time
from app.destination import TypedPerson, redact
from app.errors import MemoryChanged, NameUnreadable, OutboxUnavailable
from app.identity import FOR_EVER, IdKeys, LoadedMemory, erase, ids_of_person
from app.outbox import Outbox
from app.outbox.people import OWNER_KEY_DIGITS, OtherKeptData, key_prefixes
from app.warehouse import clear_leftovers

#: Maximum number of restarts after concurrent changes of memory.
_TRIES: Final = 100
#: Maximum number of rounds from id to id, and of erasures before a failure.
_ROUNDS: Final = 3
#: An address or number with more users identifies no person.
_MAX_USERS: Final = 20
#: Characters of the reference of a ticket.
MAX_REFERENCE: Final = 100
#: Maximum number of messages in a file.
MAX_HELD: Final = 10_000
#: Members of a delivery for the person.
_OF_DELIVERY: Final = (
    "message_id",
    "event_name",
    "event_id",
    "event_time",
    "order_id",
    "amount",
    "currency",
    "channel",
    "source",
    "preset",
    "ad_account_id",
    "state",
    "enqueued_at",
    "settled_at",
)
_MESSAGES_AT_ONCE: Final = 1_000
#: Maximum number of messages whose deliveries are counted.
_TOLD_MESSAGES: Final = 2_000
_PAGE: Final = 1_000
#: Maximum number of ids and contacts in a query of memory.
_MAX_LOOKED_FOR: Final = 2_000
#: Members of `_Traces` that a request for access stores.
_OF_REQUEST: Final = ("ids", "alone", "named", "external", "orders", "listed")
#: Maximum number of cancelled opt-outs in an entry of the audit log, and of such entries in an hour.
_SHOWN_LIFTED: Final = 3
_MAX_LIFTED_LINES: Final = 1_000
#: A digest of a contact or an id in a payload.
_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")
_PEOPLE_AT_ONCE: Final = 500
_IDS: Final = "ids of memory"
_QUARANTINED: Final = "quarantined events"
_NOBODY_FOUND: Final = PeopleFound(people=(), suppressions={})
_KEEP_ARRIVING: Final = "New events of this person keep arriving. Erase again later."

_LEDGER: Final = (
    "Lines of the ledger: message, event and order id, time and amount of delivered events, without anything that "
    "tells whose they are; and sums."
)
_SUPPRESSION: Final = "The suppression that the person opted out, as digests: it keeps the no after the erasure."
_TOO_MANY: Final = (
    "What memory keeps of so many people: it ends after REMEMBER_DAYS. Erase people by their names to end it now."
)

#: Members of the file of an access request that are times.
_TIMES: Final = {"at", "observed_at", "event_time", "enqueued_at", "settled_at", "ends_at"}
#: Lists of the file of an access request, and their headings in its text.
_HEADINGS: Final = {
    "facts": "Facts that complete later events (a digest replaces each e-mail address, phone number, name and id)",
    "links": "Browsers that are linked with your user id",
    "opt_outs": "Opt-outs",
    "answers": "Answers about consent",
    "deliveries": "Events for Pinterest (`sent` is the data that Pinterest gets)",
    "dropped_events": "Events that were not sent to Pinterest",
    "quarantined": "Events that are stored encrypted, as received",
    "erasures": "Earlier erasures",
}
_NO_SENT: Final = (
    "An event without `sent` has been settled: its data is erased then, or after the days of `payload` in "
    "RETENTION_DAYS."
)
_CHECK_NAME: Final = "Check the name; earlier erasures are in the list of certificates."
_GIVE_ADDRESS: Final = "Give the person's e-mail address too (`--email`, `email`): what holds its digest is erased."
_SHARED: Final = (
    "The same e-mail address or phone number is kept under other ids, which may be another person's. Give the address "
    "or number too (`--email`, `--phone`) to erase those as well."
)
_KEYED: Final = (
    "Memory or quarantine keeps something under keyed ids that another secret made. Set the REMEMBER_SECRET that they "
    "were made with, and erase again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The counts of an erasure."""

    #: The number of ids with data in memory.
    ids: int
    #: The number of messages with stored data.
    messages: int
    #: By kind: the number of erased deliveries, payloads, notes ...
    erased: dict[str, int] = field(default_factory=dict)
    #: Data that cannot or must not be erased.
    kept: tuple[str, ...] = ()
    #: Data that may belong to the person and could not be erased, with the remedy; otherwise "".
    stays: str = ""
    #: The number of the certificate; "" before the erasure, or if no data was found.
    certificate: str = ""

    @property
    def is_nothing(self) -> bool:
        return not (self.ids or self.messages or self.erased)

    @property
    def failure(self) -> str:
        """Return why the erasure failed, with the remedy; "" if it succeeded."""
        opt_out = " except an opt-out, which is kept" if _SUPPRESSION in self.kept else ""
        return self.stays or ("" if self.certificate else f"Nothing is stored for this person{opt_out}. {_CHECK_NAME}")


#: The source of the opt-out by an erasure with `--suppress`.
SUPPRESSED: Final = "erasure"
#: Called with the ad accounts that received data of a person, and the stored click ids.
OnFound: TypeAlias = Callable[[Collection[str], Collection[str]], Awaitable[None]]


async def secret_of_store(shared: SharedValues, new: Callable[[], str]) -> str:
    """Return the key of ids if the settings have none; it is created once and stored. Raises OutboxUnavailable."""
    while not (found := await STORE_SECRET.read_revised(shared)).value:
        if found.revision:
            raise OutboxUnavailable(
                "The shared value secret in the outbox is damaged. Restore a backup.", why="damaged"
            )
        await STORE_SECRET.write(shared, new(), revision=0)
    return found.value


@dataclass(slots=True, kw_only=True)
class _Traces:
    """The data that identifies a person."""

    #: Keys of ids, or their prefixes: all data under them belongs to the person.
    ids: set[str] = field(default_factory=set)
    #: The same for browsers in the request. They identify their user if they have only one.
    alone: set[str] = field(default_factory=set)
    users_of_alone: dict[str, str] = field(default_factory=dict)
    #: They identify no user.
    is_alone: bool = False
    #: Browsers that were linked to the person: only data without another user belongs to the person.
    browsers: set[str] = field(default_factory=set)
    #: Contacts that identify the person, and contacts that the person used; prefixes of digests.
    named: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    #: Digests of ids as they are sent.
    external: set[str] = field(default_factory=set)
    #: Keys of memory.
    known: set[str] = field(default_factory=set)
    #: Messages that belong to the person by owner or content; and those of orders and sources in the request.
    messages: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    #: Contacts that other people used too, and ids in memory with these contacts.
    shared: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    #: Ad accounts that received data, and stored click ids.
    accounts: set[str] = field(default_factory=set)
    clicks: set[str] = field(default_factory=set)
    #: Too many ids to search memory for them.
    is_too_many: bool = False
    #: The request contains an e-mail address.
    is_addressed: bool = False
    on_found: OnFound | None = None
    #: The erased data: counts by kind, and its messages.
    counts: Counter[str] = field(default_factory=Counter)
    found: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        return sum(
            len(each)
            for each in (self.ids, self.users_of_alone, self.browsers, self.named, self.used, self.known, self.messages)
        )

    @property
    def asked(self) -> set[str]:
        return {*self.ids, *self.alone, *self.browsers, *self.named, *self.used}

    @property
    def looked_for(self) -> set[str]:
        return {*self.named, *(key for key in self.ids if len(key) == OWNER_KEY_DIGITS)}

    @property
    def digests(self) -> set[str]:
        """Return the digests that occur only in the data of this person."""
        return self.external | self.named | (self.used - self.shared)

    def take(self, rows: Sequence[Ownership]) -> None:
        """Add the owners of some messages. A contact of the person identifies its users."""
        users = {row.user for row in rows if row.user and not self.named.isdisjoint(row.contacts)}
        self.ids |= users if len(users) <= _MAX_USERS else set()
        ids = {key[:OWNER_KEY_DIGITS] for key in self.ids}
        named = ids | {key[:OWNER_KEY_DIGITS] for key in self.alone}
        for row in rows:
            contacts = set(row.contacts)
            is_mine = row.user in ids or row.anonymous in named or not self.named.isdisjoint(contacts)
            if not is_mine and row.user is None:
                is_mine = row.anonymous in self.browsers or not self.used.isdisjoint(contacts)
            if not is_mine:
                self.shared |= contacts & self.used
                continue
            self.messages.add(row.message_id)
            if row.user and row.anonymous in named:
                self.users_of_alone.setdefault(row.user, row.user)
            if row.user in ids and row.anonymous:
                self.browsers.add(row.anonymous)
            if row.user in ids or row.user is None:
                self.used |= contacts - self.named
        if len(self.users_of_alone) == 1 and not self.is_alone:
            self.ids.update(self.users_of_alone.values())


class _Rows:
    """The owners of messages, by each of their ids and contacts."""

    def __init__(self, rows: Sequence[Ownership]) -> None:
        self._by_key: dict[str, list[Ownership]] = {}
        for row in rows:
            for key in filter(None, (row.user, row.anonymous, *row.contacts)):
                self._by_key.setdefault(key, []).append(row)

    def of(self, keys: Collection[str]) -> list[Ownership]:
        """Return the owners of some keys, without duplicates."""
        found = {id(row): row for key in key_prefixes(keys) for row in self._by_key.get(key, ())}
        return list(found.values())


def _union(sets: Iterable[Collection[str]]) -> set[str]:
    return {text for each in sets for text in each}


def _digests_in(message: Message) -> set[str]:
    texts = (each.payload or b"" for each in message.deliveries)
    return {digest[:OWNER_KEY_DIGITS].decode() for text in texts for digest in _DIGEST.findall(text)}


class Forgetting:
    """Erases people from all stores."""

    def __init__(
        self, outbox: Outbox, secrets: Collection[str], digests: TypedPerson, *, new_secret: Callable[[], str]
    ) -> None:
        """Use the store, the secrets of the settings for keys of ids, and the computation of digests."""
        self._outbox = outbox
        self._secrets = secrets
        self._digests = digests
        self._new_secret = new_secret

    def require_readable(self, whom: NamedPerson) -> None:
        """Raise NameUnreadable, without values, if an id of a person is invalid for its kind."""
        ids = {"userId": whom.user_id, "anonymousId": whom.anonymous_id, "order id": next(iter(whom.order_ids), None)}
        faults = [
            f"The {kind} is empty or a placeholder: give the id as the events have it."
            for kind, given in ids.items()
            if given is not None and is_no_id(given)
        ]
        if not all(map(self._is_email, whom.emails)):
            faults.append("This cannot be an e-mail address: write name@domain.tld.")
        if not all("@" not in text and self._digests(text) for text in whom.phones):
            faults.append("This cannot be a phone number: write it with its country, such as +49 151 23456700.")
        if faults:
            raise NameUnreadable(" ".join(faults))

    def _is_email(self, text: str) -> bool:
        digest = self._digests(text)
        return digest is not None and ("@" in text or digest == text.strip().lower())

    async def secret(self) -> bytes:
        """Return the key of ids: the first of the settings, otherwise that of the store."""
        given = next(iter(self._secrets), "")
        return (given or await secret_of_store(self._outbox, self._new_secret)).encode()

    async def forget(
        self,
        whom: NamedPerson,
        *,
        now: float,
        again: Collection[str] = (),
        on_found: OnFound | None = None,
        suppress: bool = False,
    ) -> Forgotten:
        """Erase the data of a person, by any id, address, number or order.

        Suppressions stay, and so do entries of the ledger, without data that identifies the person. A second erasure
        finds no data. `now` is Unix seconds; messages in `again` are about to be stored again. `on_found` gets the ad
        accounts and click ids before the erasure: afterwards they are unknown. Raises OutboxUnavailable, also if new
        data keeps arriving.
        """
        wish: Wish = "erase and suppress" if suppress else "erase"
        return (await self.forget_all([replace(whom, wish=wish)], now=now, again=again, on_found=[on_found]))[0]

    async def forget_all(
        self,
        people: Sequence[NamedPerson],
        *,
        now: float,
        again: Collection[str] = (),
        on_found: Sequence[OnFound | None],
    ) -> list[Forgotten]:
        """Erase several people with a single pass over the store; return the results of `forget` in order."""
        several = []
        for whom, tell in zip(people, on_found, strict=True):
            traces = await self._named(whom)
            traces.is_addressed, traces.on_found = bool(whom.emails or whom.digests), tell
            if whom.wish == "erase and suppress":
                await self._suppress(traces, now)
            several.append(traces)
        return await self._forget(several, now, again)

    async def suppress(self, whom: NamedPerson, *, now: float) -> None:
        """Store an opt-out of a person, without an erasure. Raises OutboxUnavailable."""
        await self._suppress(await self._named(whom), now)

    async def request(self, whom: NamedPerson, *, now: float, source: str, reference: str) -> AccessRequest:
        """Return the data by which a later access request finds the person."""
        traces = await self._named(whom)
        return AccessRequest(
            at=now,
            source=source,
            reference=reference,
            named_by=whom.kinds,
            **{name: tuple(sorted(getattr(traces, name))) for name in _OF_REQUEST},
        )

    async def names(self, whom: NamedPerson) -> tuple[str, ...]:
        return await self._names(await self._typed(whom))

    async def _names(self, traces: _Traces) -> tuple[str, ...]:
        keyed = IdKeys(await self.secret()).anonymous
        names = {*(key[:OWNER_KEY_DIGITS] for key in traces.ids | traces.alone), *traces.named, *traces.orders}
        return tuple(sorted(filter(None, (keyed(f"erasure {name}") for name in names))))

    async def forget_known(self, key: str, *, alone: bool, now: float, on_found: OnFound | None = None) -> Forgotten:
        """Erase the person with this id key. With `alone`, erase only the data stored under this id."""
        traces = _Traces(alone={key}, is_alone=True) if alone else _Traces(ids={key})
        traces.on_found = on_found
        return (await self._forget([traces], now, ()))[0]

    async def held(self, whom: NamedPerson | AccessRequest, *, now: float) -> dict[str, Any]:
        """Return all data stored about a person for JSON, with times as ISO 8601.

        Only values that Pinterest accepts unhashed are unhashed.
        """
        if isinstance(whom, NamedPerson):
            traces, named_by = await self._named(whom), whom.kinds
        else:
            traces, named_by = _Traces(), whom.named_by
            for name in _OF_REQUEST:
                setattr(traces, name, set(getattr(whom, name)))
        await self._follow([traces])
        keys = sorted(key for key in traces.known | traces.ids | traces.alone if len(key) > OWNER_KEY_DIGITS)
        known = await self._outbox.people(keys) if keys else _NOBODY_FOUND
        mine = [row for row in known.people if row.key in keys]
        found = sorted(traces.messages | traces.listed)
        messages = [await self._outbox.message(each) for each in found[:MAX_HELD]]
        dropped = [(at, event) for message in messages for at, event in message.dropped_events]
        opt_outs = {key: msgspec.json.decode(text, type=Suppression) for key, text in known.suppressions.items()}
        found_data = {
            "at": now,
            "named_by": named_by,
            "facts": [_fact_json(row.key, group, fact) for row in mine for group, fact in row.record.facts.items()],
            "links": [{"key": row.key, **struct_asdict(row.record.link)} for row in mine if row.record.link],
            "opt_outs": [
                {"key": key, "at": no.at, "ends_at": no.ends_at} for key, no in opt_outs.items() if key in keys
            ],
            "deliveries": [_delivery_json(each) for message in messages for each in message.deliveries],
            "dropped_events": [{"at": at, **asdict(event)} for at, event in dropped],
            "answers": await self._answers(traces, {each.order_id for one in messages for each in one.deliveries}),
            "erasures": await self._erasures(traces),
            "quarantined": await self._quarantined(traces.ids | traces.alone | traces.named | traces.orders, now),
            "is_cut": len(found) > MAX_HELD,
        }
        return {name: _with_iso_times(value, name) for name, value in found_data.items()}

    async def _answers(self, traces: _Traces, order_ids: Collection[str | None]) -> list[dict[str, Any]]:
        ids = {key[:OWNER_KEY_DIGITS] for key in traces.ids | traces.alone | traces.browsers}
        orders = traces.orders | {order_key(each) for each in order_ids if each}
        keys = sorted(ids | orders | traces.named | (traces.used - traces.shared))
        return [struct_asdict(each) for each in await self._outbox.consents(keys)]

    async def _erasures(self, traces: _Traces) -> list[dict[str, Any]]:
        names = set(await self._names(traces))
        found = (await ERASURES.read_all(self._outbox)).items()
        return [{"certificate": number, **each.shown} for number, each in found if not names.isdisjoint(each.found_by)]

    async def _quarantined(self, keys: Collection[str], now: float) -> list[dict[str, Any]]:
        """Return the events in the quarantine with any of these keys, without their contents."""
        found = [
            each
            for samples in (False, True)
            for each in await self._outbox.sealed_events.find(
                QuarantineFilter(samples=samples), now=now, after=0, limit=MAX_HELD
            )
            if not set(keys).isdisjoint(each.keys)
        ]
        return [{name: getattr(each, name) for name in ("at", "ends_at", "source", "name")} for each in found]

    async def _forget(self, several: Sequence[_Traces], now: float, again: Collection[str]) -> list[Forgotten]:
        clear_leftovers()
        for turn in range(_ROUNDS):
            nobodys = await self._follow(several)
            for each in several:
                each.found |= each.messages | await self._tell(each)
                if each.on_found is not None and (each.accounts or each.clicks):
                    await each.on_found(each.accounts, each.clicks)
                    each.on_found = None
            is_done = not any(each.messages for each in several)
            ids = await self._erase(several, now, again, is_first=turn == 0)
            if is_done and not ids:
                break
            for each in several:
                each.messages.clear()
                each.listed.clear()
        else:
            raise OutboxUnavailable(_KEEP_ARRIVING)
        elsewhere = await self._outbox.kept_elsewhere(_union(each.digests for each in several))
        return [
            Forgotten(
                ids=each.counts[_IDS],
                messages=len(each.found) + each.counts[_QUARANTINED],
                erased={kind: count for kind, count in sorted(each.counts.items()) if count},
                kept=await self._kept_for_good(each, now),
                stays=self._stays(each, elsewhere, nobodys),
            )
            for each in several
        ]

    async def _kept_for_good(self, traces: _Traces, now: float) -> tuple[str, ...]:
        """Return descriptions of data that cannot or must not be erased."""
        kept = list(await self._outbox.kept_copies(now=now))
        keys = [key for key in {*traces.known, *traces.ids, *traces.alone} if len(key) > OWNER_KEY_DIGITS]
        said = {key[:OWNER_KEY_DIGITS] for key in traces.ids | traces.alone} | traces.named | traces.used
        suppressions = (await self._outbox.people(keys)).suppressions if keys else {}
        if suppressions or (said and any(each.is_opt_out for each in await self._outbox.consents(said))):
            kept.append(_SUPPRESSION)
        if traces.is_too_many:
            kept.append(_TOO_MANY)
        return (_LEDGER, *kept)

    def _stays(self, traces: _Traces, elsewhere: OtherKeptData, nobodys: int) -> str:
        """Return data that may belong to the person and could not be erased, with the remedy; otherwise ""."""
        stays = [_KEYED] if elsewhere.is_keyed and not self._secrets else []
        asks_address = not traces.is_addressed and not traces.counts[_IDS]
        nobodys = nobodys if traces.external else 0
        if asks_address and (nobodys or elsewhere.orders):
            stays.append(_told(nobodys, elsewhere.orders))
        if traces.shared or traces.others - traces.known:
            stays.append(_SHARED)
        return " ".join(stays)

    async def _suppress(self, traces: _Traces, now: float) -> None:
        await self._follow([traces])
        ids = {key[:OWNER_KEY_DIGITS] for key in traces.ids | traces.alone}
        no = {"author": "", "is_trusted": True, "is_opt_out": True, "at": now, "source": SUPPRESSED}
        keys = sorted(ids | traces.named | traces.used - traces.shared)
        await self._outbox.write_consents([Answer(key=key, **no) for key in keys])  # type: ignore[arg-type] # as named

    async def _typed(self, whom: NamedPerson) -> _Traces:
        found = _Traces(orders=set(map(order_key, map(unpersonal_id, whom.order_ids))))
        secrets = dict.fromkeys([*self._secrets, await secret_of_store(self._outbox, self._new_secret)])
        for keys in (IdKeys(secret.encode()) for secret in secrets):
            found.ids |= {user} if (user := keys.user(whom.user_id)) else set()
            found.alone |= {browser} if (browser := keys.anonymous(whom.anonymous_id)) else set()
        for given in filter(None, (whom.user_id, whom.anonymous_id)):
            found.external.update(self._digests.of_id(given))
        typed = filter(None, map(self._digests, (*whom.emails, *whom.phones)))
        found.named = {digest[:OWNER_KEY_DIGITS] for digest in (*typed, *whom.digests)}
        return found

    async def _named(self, whom: NamedPerson) -> _Traces:
        found = await self._typed(whom)
        for order_id in map(unpersonal_id, whom.order_ids):
            found.listed.update(await self._messages(Query(order_id=order_id)))
        found.listed.update(map(unpersonal_id, whom.message_ids))
        if whom.source is not None:
            found.listed.update(await self._messages(Query(source=whom.source)))
        for row in await self._outbox.owned((), messages=found.listed) if found.listed else ():
            found.ids |= {row.user} if row.user else set()
            (found.used if row.user else found.named).update(row.contacts)
            if not row.user and not row.contacts and row.anonymous:
                found.alone.add(row.anonymous)
        return found

    async def _messages(self, query: Query) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._outbox.search(query, limit=_PAGE, cursor=cursor)
            found += [each.message_id for each in page.deliveries]
            if (cursor := page.next_cursor) is None:
                break
        while True:
            notes = await self._outbox.search_dropped(query, limit=_PAGE, cursor=cursor)
            found += [event.message_id for _, event in notes.events if event.message_id]
            if (cursor := notes.next_cursor) is None:
                return found

    async def _follow(self, several: Sequence[_Traces]) -> int:
        """Find all data of people from their known ids: memory, messages, and data with their digests.

        Returns the number of other deliveries with personal data of an unknown person.
        """
        before = -1
        for _ in range(_ROUNDS):
            if (size := sum(each.size for each in several)) == before:
                break
            before = size
            await self._by_memory(several)
            asked = _union(each.asked for each in several)
            rows = _Rows(await self._outbox.owned(asked) if asked else ())
            for each in several:
                each.take(rows.of(each.asked))
        messages, nobodys = await self._kept(_union(each.digests for each in several))
        if len(several) == 1:
            several[0].messages.update(messages)
            return nobodys
        for message_id in {*messages} - _union(each.messages for each in several):
            held = _digests_in(await self._outbox.message(message_id))
            for each in several:
                each.messages |= set() if held.isdisjoint(key_prefixes(each.digests)) else {message_id}
        return nobodys

    async def _by_memory(self, several: Sequence[_Traces]) -> None:
        for each in several:
            each.is_too_many = len(each.looked_for) > _MAX_LOOKED_FOR
        several = [each for each in several if not each.is_too_many]
        keys = await self._keys_with(_union({*each.looked_for, *each.used} for each in several))
        for each in several:
            whole = [key for key in each.ids if len(key) > OWNER_KEY_DIGITS]
            whole += (key for digest in each.looked_for for key in keys.get(digest, ()))
            each.others = {key for digest in each.used for key in keys.get(digest, ())}
            await self._remembered(each, whole)

    async def _remembered(self, traces: _Traces, whole: list[str]) -> None:
        memory = LoadedMemory(FOR_EVER)
        alone = [key for key in traces.alone if len(key) > OWNER_KEY_DIGITS]
        asked = [*whole, *alone]
        memory.add(asked, await self._outbox.people(asked) if asked else _NOBODY_FOUND)
        whole = sorted({key for each in whole for key in ids_of_person(memory, FOR_EVER, each, now=0)})
        traces.ids.update(whole)
        for key in alone:
            if (person := memory.person(key)) and person.link and person.link.is_followed:
                traces.users_of_alone[person.link.to[:OWNER_KEY_DIGITS]] = person.link.to
        for key in (*whole, *alone):
            traces.known.add(key)
            facts = known.facts if (known := memory.person(key)) else {}
            traces.clicks |= {facts["click"].members["click_id"]} if "click" in facts else set()
            members = {name: texts for fact in facts.values() for name, texts in fact.members.items()}
            traces.used |= {text[:OWNER_KEY_DIGITS] for name in CONTACTS for text in members.get(name, ())}
            traces.external |= set(members.get("external_id", ()))
        traces.used -= traces.named

    async def _keys_with(self, digests: Collection[str]) -> dict[str, set[str]]:
        """Return the ids of memory, by digest, whose key starts with a digest or that have the digest in their data."""
        keys: list[str] = []
        after: str | None = "" if digests else None
        while after is not None:
            page, after = await self._outbox.people_with(sorted(digests), after=after)
            keys += page
        found: dict[str, set[str]] = {}
        if len(digests) == 1:
            return {digest: set(keys) for digest in digests}
        for row in (await self._outbox.people(keys)).people if keys else ():
            facts = (text for fact in row.record.facts.values() for each in fact.members.values() for text in each)
            for digest in {row.key[:OWNER_KEY_DIGITS], *(text[:OWNER_KEY_DIGITS] for text in facts)}:
                found.setdefault(digest, set()).add(row.key)
        return found

    async def _kept(self, digests: Collection[str]) -> tuple[list[str], int]:
        """Return the messages with a digest, and the number of deliveries with data of an unknown person."""
        messages: list[str] = []
        nobodys, after = 0, 0
        while digests:
            found = await self._outbox.kept_of(digests, after=after)
            messages += found.messages
            nobodys += found.nobodys
            if found.after is None:
                break
            after = found.after
        return messages, nobodys

    async def _tell(self, traces: _Traces) -> set[str]:
        """Count the data of a person's messages by kind; return the messages with erasable data."""
        erasable: set[str] = set()
        counts = traces.counts
        for message_id in sorted(traces.messages | traces.listed)[:_TOLD_MESSAGES]:
            message = await self._outbox.message(message_id)
            counts["dropped events"] += len(message.dropped_events) if message_id in traces.messages else 0
            for each in message.deliveries:
                if each.state is not State.DELIVERED or each.payload is not None:
                    erasable.add(message_id)
                waits = each.state in {State.PENDING, State.CLAIMED}
                counts["waiting deliveries" if waits else f"{each.state} deliveries"] += message_id in traces.messages
                counts["payloads"] += each.payload is not None
                traces.accounts |= {each.ad_account_id} if each.state is State.DELIVERED else set()
                sent = orjson.loads(each.payload).get("user_data", {}) if each.payload else {}
                traces.clicks |= {sent["click_id"]} if sent.get("click_id") else set()
        return erasable

    async def _erase(self, several: Sequence[_Traces], now: float, again: Collection[str], *, is_first: bool) -> bool:
        """Erase the found data; return whether memory had any. Later calls check whether new data has arrived."""
        messages = sorted(_union(each.messages | each.listed for each in several))
        digests = sorted(_union(each.digests for each in several))
        if is_first or messages:
            keys = sorted(_union(each.ids | each.alone for each in several))
            for at in range(0, max(1, len(messages)), _MESSAGES_AT_ONCE):
                some = messages[at : at + _MESSAGES_AT_ONCE]
                await self._outbox.forget(keys, again=again, messages=some, digests=digests, now=now)
        ids, texts = await self._erase_memory(several, now)
        requests = await ACCESS_REQUESTS.read_all(self._outbox)
        for each in several:
            asked = each.ids | each.alone | each.known | each.named | each.orders | each.used - each.shared
            texts += asked
            each.counts[_QUARANTINED] += await self._outbox.sealed_events.forget(sorted(asked))
            each.counts["answers"] += await self._outbox.forget_opt_ins(asked)
            for number, one in requests.items():
                if not asked.isdisjoint((*one.ids, *one.alone, *one.named, *one.orders)):
                    await ACCESS_REQUESTS.of(number).write(self._outbox, None)
                    each.counts["requests of access"] += 1
        if is_first or messages or ids:
            await self._outbox.scrub([*texts, *digests])
        return ids

    async def _erase_memory(self, several: Sequence[_Traces], now: float) -> tuple[bool, list[str]]:
        keys = [
            sorted(key for key in {*each.known, *each.ids, *each.alone} if len(key) > OWNER_KEY_DIGITS)
            for each in several
        ]
        known = sorted({key for each in keys for key in each})
        for _ in range(_TRIES if known else 0):
            memory = LoadedMemory(FOR_EVER)
            memory.add(known, await self._outbox.people(known))
            counts = [sum(len(erase(memory, FOR_EVER, anonymous=key, now=now)) for key in its) for its in keys]
            try:
                await self._outbox.enqueue([], [], [], now=now, people=memory.changes())
            except MemoryChanged:
                continue
            for each, count in zip(several, counts, strict=True):
                each.counts[_IDS] += count
            return any(counts), memory.traces()
        if known:
            raise OutboxUnavailable(_KEEP_ARRIVING)
        return False, []


def _fact_json(key: str, group: str, fact: Fact) -> dict[str, Any]:
    return {"key": key, "group": group, "members": fact.members, "observed_at": fact.at, "by": fact.by}


def _delivery_json(each: Delivery) -> dict[str, Any]:
    """Return a delivery for the person: the sent data, the ad account, and the time."""
    sent = orjson.loads(each.payload) if each.payload else None
    told = {name: getattr(each, name) for name in _OF_DELIVERY}
    tried = [{"at": attempt.at, "result": attempt.result, "status": attempt.status} for attempt in each.history]
    return {**told, "attempts": tried, "sent": sent}


def _with_iso_times(value: Any, name: str) -> Any:
    """Return a value in the file of an access request with its times as ISO 8601; `sent` stays as sent to Pinterest."""
    if name == "sent":
        return value
    if isinstance(value, dict):
        return {key: _with_iso_times(each, key) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_iso_times(each, name) for each in value]
    return iso_time(value) if name in _TIMES and value is not None else value


def person_text(found: Mapping[str, Any]) -> str:
    """Return the data that `held` found as a text for the person."""
    lines = [
        "Data that Pinrelay stores about you",
        "",
        f"Written: {found['at']}",
        f"Found by: {_words(found['named_by'])}",
    ]
    for name, heading in _HEADINGS.items():
        lines += ["", f"{heading}: {len(found[name]) or 'none'}"]
        for row in found[name]:
            lines += ["", *_lines(row, "  ")]
    if any(each["sent"] is None for each in found["deliveries"]):
        lines += ["", _NO_SENT]
    if found["is_cut"]:
        lines += ["", f"The data of the first {MAX_HELD} events are listed."]
    return "\n".join(lines) + "\n"


def _lines(row: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield the values of a row, one per line; the values of an object in the row are indented."""
    for name, value in row.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        for each in values:
            if isinstance(each, Mapping):
                yield f"{indent}{_words([name])}:"
                yield from _lines(each, f"{indent}  ")
        if told := ", ".join(str(each) for each in values if not isinstance(each, Mapping) and each not in (None, "")):
            yield f"{indent}{_words([name])}: {told}"


def _words(names: Iterable[str]) -> str:
    return ", ".join(names).replace("_", " ")


def _told(nobodys: int, orders: int) -> str:
    kept = [count_of(nobodys, "event")] if nobodys else []
    kept += [f"the keys of {count_of(orders, 'order')}"] if orders else []
    what = "may hold the person's data, such as the digest of an e-mail address, and have no id of the person"
    return f"{' and '.join(kept).capitalize()} {what}. {_GIVE_ADDRESS}"


def _source(name: str) -> Person:
    return Person(name=f"source {name}", role=UserRole.OPERATOR, place="")


class ForgetActs:
    """Erases people. Every method may raise OutboxUnavailable; no id is written to the audit log."""

    def __init__(
        self,
        forgetting: Forgetting,
        audit: Audit,
        shared: SharedValues,
        *,
        empty_tails: Callable[[], Awaitable[object]],
        new_number: Callable[[], str],
        seal: Callable[[dict[str, Any]], str | None] | None = None,
    ) -> None:
        """Use the eraser, and the function that empties the live tails of all processes.

        Certificates are stored in `shared`; `new_number` distinguishes those of the same second. `seal` encrypts
        requests to Pinterest; `None`: Pinterest gets no requests.
        """
        self._forgetting = forgetting
        self._audit = audit
        self._shared = shared
        self._empty_tails = empty_tails
        self._new_number = new_number
        self._seal = seal
        #: The number of entries about cancelled opt-outs in this hour.
        self._hour, self._lines = 0, 0

    async def secret(self) -> bytes:
        return await self._forgetting.secret()

    async def forget(
        self, person: Person, whom: NamedPerson, *, reference: str = "", suppress: bool = False
    ) -> Forgotten:
        """Erase a person; return the counts, and the remaining data. `reference` is that of the ticket.

        With `suppress` an opt-out is stored, so that later events of the person are withheld. An erasure that finds no
        data has no certificate. Raises NameUnreadable.
        """
        self._forgetting.require_readable(whom)
        number = self._number()
        ask = partial(self._ask_pinterest, number, whom.emails)
        done = await self._forgetting.forget(whom, now=self._audit.clock(), on_found=ask, suppress=suppress)
        await self._empty_tails()
        names = await self._forgetting.names(whom)
        return await self._noted(number, person, done, whom.kinds, reference, names)

    async def forget_known(self, person: Person, key: str, *, alone: bool) -> Forgotten:
        """Erase the person with this id key. With `alone`, erase only the data stored under this id."""
        number = self._number()
        ask = partial(self._ask_pinterest, number, ())
        done = await self._forgetting.forget_known(key, alone=alone, now=self._audit.clock(), on_found=ask)
        await self._empty_tails()
        return await self._noted(number, person, done, ("one id" if alone else "person looked up",), "")

    async def cancel_deletion(self, person: Person, number: str) -> int:
        """Cancel an erasure's requests to Pinterest, within 72 hours; return their number."""
        count = 0
        for name, one in (await DELETIONS.read_all(self._shared)).items():
            if one.certificate == number and not one.is_over:
                wanted = replace(one, is_cancelled=True, next_at=0)
                await DELETIONS.of(name).write(self._shared, wanted)
                count += 1
        await self._audit.note(
            person, AuditAction.CANCEL, target=f"certificate {number}", after=count_of(count, "request")
        )
        return count

    def _number(self) -> str:
        return f"{int(self._audit.clock())}-{self._new_number()}"

    async def _ask_pinterest(
        self, number: str, emails: Collection[str], accounts: Collection[str], clicks: Collection[str]
    ) -> None:
        """Store the encrypted requests to Pinterest before the erasure, so that a crash does not lose them."""
        targets = {"user_emails": sorted(set(map(str.strip, emails))), "epiks": sorted(clicks)}
        sealed = self._seal({name: values for name, values in targets.items() if values}) if self._seal else None
        if not sealed or not any(targets.values()):
            return
        for account in accounts:
            one = PinterestDeletion(
                certificate=number, ad_account_id=account, asked_at=self._audit.clock(), sealed=sealed
            )
            await DELETIONS.of(f"{number}-{account}").write(self._shared, one)

    async def held(self, person: Person, whom: NamedPerson | AccessRequest) -> dict[str, Any]:
        """Return all data stored about a person who requests access, for JSON. Raises NameUnreadable."""
        if isinstance(whom, NamedPerson):
            self._forgetting.require_readable(whom)
        found = await self._forgetting.held(whom, now=self._audit.clock())
        after = (
            f"{count_of(len(found['deliveries']), 'delivery', 'deliveries')}, {count_of(len(found['facts']), 'fact')}"
        )
        await self._audit.note(person, AuditAction.ACCESS, target=", ".join(found["named_by"]), after=after)
        return found

    async def access_requests(self) -> dict[str, AccessRequest]:
        """Return the access requests of a shop's customers, by number."""
        return await ACCESS_REQUESTS.read_all(self._shared)

    async def certificates(self) -> list[tuple[str, Erasure]]:
        return sorted((await ERASURES.read_all(self._shared)).items(), reverse=True)

    async def erase_named(
        self, people: Sequence[tuple[str, NamedPerson]], *, source: str, again: Collection[str], now: float
    ) -> list[int]:
        """Execute the requests in events of a source, each with its message; return the erased ids of each."""
        counts = []
        for at in range(0, len(people), _PEOPLE_AT_ONCE):
            some = [(self._number(), unpersonal_id(id_), whom) for id_, whom in people[at : at + _PEOPLE_AT_ONCE]]
            erased = [each for each in some if each[2].wish in {"erase", "erase and suppress"}]
            asks = [partial(self._ask_pinterest, number, whom.emails) for number, _, whom in erased]
            whom_all = [whom for _, _, whom in erased]
            done = await self._forgetting.forget_all(whom_all, now=now, again=again, on_found=asks) if erased else []
            await self._empty_tails()
            ids = {number: each for (number, *_), each in zip(erased, done, strict=True)}
            for number, reference, whom in some:
                if number in ids:
                    names = await self._forgetting.names(whom)
                    await self._noted(number, _source(source), ids[number], whom.kinds, reference, names)
                else:
                    await self._asked(number, whom, source, reference, now)
                counts.append(ids[number].ids if number in ids else 0)
        return counts

    async def _asked(self, number: str, whom: NamedPerson, source: str, reference: str, now: float) -> None:
        """Store an opt-out or an access request, without an erasure."""
        by, target = _source(source), f"reference {reference}"
        if whom.wish == "suppress":
            await self._forgetting.suppress(whom, now=now)
            await self._audit.note(by, AuditAction.SUPPRESS, target=target, after=", ".join(whom.kinds))
        if whom.wish != "access":
            return
        request = await self._forgetting.request(whom, now=now, source=source, reference=reference)
        await ACCESS_REQUESTS.of(number).write(self._shared, request)
        todo = f"answer it: pinrelay person --request {number}"
        await self._audit.note(by, AuditAction.ACCESS_ASKED, target=target, after=todo)

    async def note_lifted(self, lifted: Sequence[Lifted], *, source: str) -> None:
        """Write cancelled opt-outs to the audit log, by digest of the person and of the author."""
        hour = int(self._audit.clock() // HOUR_S)
        if hour != self._hour:
            self._hour, self._lines = hour, 0
        self._lines += 1
        if self._lines <= _MAX_LIFTED_LINES:  # a page may opt in and out endlessly
            shown = ", ".join(f"{each.key} by {each.author or 'nobody'}" for each in lifted[:_SHOWN_LIFTED])
            more = f" and {len(lifted) - _SHOWN_LIFTED} more" if len(lifted) > _SHOWN_LIFTED else ""
            await self._audit.note(_source(source), AuditAction.LIFTED, target=shown + more, before="no", after="yes")

    async def _noted(
        self,
        number: str,
        by: Person,
        done: Forgotten,
        kinds: tuple[str, ...],
        reference: str,
        names: tuple[str, ...] = (),
    ) -> Forgotten:
        at, reference = self._audit.clock(), redact(reference[:MAX_REFERENCE])
        asked = [each for each in (await DELETIONS.read_all(self._shared)).values() if each.certificate == number]
        if done.is_nothing and not asked:
            target = f"reference {reference}" if reference else ", ".join(kinds)
            await self._audit.note(by, AuditAction.FORGET, target=target, after=done.failure)
            return done
        certificate = Erasure(
            at=at,
            who=by.name,
            place=by.place,
            reference=reference,
            named_by=kinds,
            ids=done.ids,
            messages=done.messages,
            erased=done.erased,
            kept=done.kept,
            stays=done.stays,
            pinterest=tuple(f"{each.ad_account_id}: {each.status}" for each in asked),
            found_by=names,
        )
        await ERASURES.of(number).write(self._shared, certificate)
        target = f"certificate {number}" + (f", reference {reference}" if reference else "")
        after = f"{count_of(done.ids, 'id')}, {count_of(done.messages, 'message')}"
        await self._audit.note(by, AuditAction.FORGET, target=target, after=after)
        return replace(done, certificate=number)
