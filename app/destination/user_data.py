"""The object `user_data`: the person, hashed in all fields in which Pinterest accepts digests."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Self, TypeAlias

from app.config.settings import ConversionSettings
from app.core.fields import LDP_PLACE, USER_FIELDS, checked_by_name
from app.core.values.addresses import is_server_library, public_address
from app.core.values.candidates import Candidates, one_place_only
from app.core.values.hidden_emails import holds_email, without_plain
from app.core.values.placeholders import is_no_id, unwrap_single
from app.core.values.texts import written_texts
from app.destination.members import ObjectReader
from app.destination.normalise import (
    MAX_LENGTH,
    Normaliser,
    hashed,
    normalise_birthday,
    normalised,
    normalisers,
    trimmed,
)
from app.destination.people import Digest, People, Way
from app.destination.person_sections import PersonBlock, country_of
from app.destination.privacy_flags import KnownState
from app.destination.reading import NO_NOTES, Reading, flattened, text_of, usable_candidate
from app.destination.warnings import kind, left_out, unknown_members

#: Receives a text as given, its normalised form and its digest; only once for cached texts.
OnHashed: TypeAlias = Callable[[str, str, str], None]

#: The path of the object among the action's fields.
_AT = "user_data"
_CACHED = 8192
#: The member that lists the members to read from the blocks of the event.
FROM_BLOCKS = "from_blocks"
#: The field with the cookie of Pinterest's tag: an additional external id that memory does not store.
PIN_UNAUTH = "pin_unauth"
#: Read by the country of the event, which blocks may have.
BY_COUNTRY = tuple(each.name for each in USER_FIELDS if each.reading.by_country)
#: Ids of other networks occur in the same places.
_CLICK_ID = re.compile(r"dj0[A-Za-z0-9_.~%-]{0,509}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadField:
    """A field of `user_data`: its reader and its name in Pinterest's event."""

    #: The name in Pinterest's event.
    wire: str
    #: Converts a text to its sent form.
    afresh: Way
    #: The same with a cache. Only for short texts, because a cache full of long texts would need gigabytes.
    remembered: Way
    #: Pinterest accepts a list; for all other fields the first usable value is sent.
    several: bool
    #: The sent form of ASCII texts without notes, up to a limit; empty for a field of BY_COUNTRY.
    known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, wire: str, way: Way, *, several: bool) -> Self:
        """Describe a field that is read by `way`."""
        return cls(wire=wire, afresh=way, remembered=lru_cache(maxsize=_CACHED)(way), several=several)

    def way(self, text: str, country: str | None) -> Digest:
        """Read a text of any length."""
        return self.remembered(text, country) if len(text) <= MAX_LENGTH else self.afresh(text, country)

    def __call__(self, value: Any) -> Reading:
        """Read all values of the field without a known country."""
        return self.read(value, None)

    def read(self, value: Any, country: str | None) -> Reading:
        """Read all values of the field; equal digests are sent once."""
        texts: dict[str, None] = {}
        notes = []
        for item in flattened(written_texts(value) if self.several else value):
            text = text_of(item)
            sent, note = (None, "a text is expected") if text is None else self.way(text, country)
            if sent is None:
                notes.append(left_out(item, note))
            elif texts and not self.several:
                notes.append(left_out(item, note or "Pinterest takes only one"))
            else:
                texts[sent] = None
                if note:
                    notes.append(f": {kind(item)} {note}")
        if not texts:
            return None, tuple(notes) or (left_out(value, "nothing is in it"),)
        return list(texts) if self.several else next(iter(texts)), tuple(notes)


class UserDataReader(ObjectReader):
    """Reads the resolved `user_data` of events, under a set of rules."""

    def __init__(self, rules: ConversionSettings, *, on_hashed: OnHashed | None = None) -> None:
        """Store the rules; `on_hashed` receives all hashed values, for display."""
        hashing = normalisers(rules)
        #: By the action's name.
        self.members = self.fields = {
            each.name: ReadField.of(each.wire, way, several=each.reading.hashed)
            for each in USER_FIELDS
            for way in (
                _hashing(hashing[each.name], on_hashed) if each.reading.hashed else _plain(PLAIN_WAYS[each.name]),
            )
        }
        ways = {name: (each.wire, each.way) for name, each in self.fields.items()}
        # Dates with the day or the month first are only read here: a conformance vector rejects them in a mapped field.
        birthday = ReadField.of("db", _hashing(normalise_birthday, on_hashed), several=True)
        self._people = People(ways | {"date_of_birth": (birthday.wire, birthday.way)})

    def __call__(
        self, given: Any, candidates: Candidates = one_place_only, blocks: Sequence[PersonBlock] = ()
    ) -> Reading:
        """Return the sent object; lists are flattened, equal digests sent once.

        `candidates` returns the candidates of a field whose first value is rejected. The members listed in
        `from_blocks` are read from the blocks of the event.
        """
        if type(given) is not dict:
            return None, (left_out(given, "an object is expected"),)
        country = country_among(given.get("country"), candidates)
        sent: dict[str, Any] = {}
        notes: list[str] = []
        late = {name: given[name] for name in BY_COUNTRY if name in given} if blocks else {}
        members = {name: value for name, value in given.items() if name not in late} if late else given
        if "country" in members:  # first, because other members depend on it
            members = {"country": members["country"], **members}
        self._read(members, country, candidates, sent, notes)
        if blocks:
            notes += self.complete(sent, blocks, given.get(FROM_BLOCKS), country, late, candidates)
        return sent or None, tuple(notes) if notes else NO_NOTES

    def complete(
        self,
        sent: dict[str, Any],
        blocks: Sequence[PersonBlock],
        wanted: Any,
        country: str | None,
        late: Mapping[str, Any],
        candidates: Candidates = one_place_only,
    ) -> list[str]:
        """Add the wanted fields of the blocks, then `late`, to `sent`; return the notes.

        The e-mail address and the names decide which blocks belong to the person; `country` comes from the mapping
        itself.
        """
        taken = self._people.take(blocks, wanted, sent, country)
        sent |= taken.sent
        notes = taken.notes
        for name in BY_COUNTRY:
            if name in late:
                country = taken.phone_country if name == "phone" else taken.country
                self._read({name: late[name]}, country, candidates, sent, notes)
        return notes

    def _read(
        self,
        members: Mapping[str, Any],
        country: str | None,
        candidates: Candidates,
        sent: dict[str, Any],
        notes: list[str],
    ) -> None:
        """Add the sent form of the members, and the notes."""
        unknown = []
        for name, value in members.items():
            if value is None or value == "" or name == FROM_BLOCKS:
                continue
            if name in self.fields:
                self.read(name, value, country, sent, notes, candidates)
            else:
                unknown.append(name)
        if unknown:
            notes.append(unknown_members(unknown))

    def read(
        self,
        name: str,
        value: Any,
        country: str | None,
        sent: dict[str, Any],
        notes: list[str],
        candidates: Candidates,
    ) -> None:
        """Add the sent form of a member, and the notes; if its value is rejected, use the next place."""
        way = self.fields[name]
        if type(value) is str and value.isascii() and len(value) <= MAX_LENGTH:  # nearly every value
            text, note = way.remembered(value, country)
            if text is not None and not note:
                if name not in BY_COUNTRY:
                    if len(way.known) >= _CACHED:
                        way.known.clear()
                    way.known[value] = text
                sent[way.wire] = [text] if way.several else text
                return
        found, problems = way.read(value, country)
        if found is None:
            reader = partial(way.read, country=country)
            found, problems = usable_candidate(candidates((_AT, name)), reader, problems)
        if found is not None:
            sent[way.wire] = found
        notes += [f".{name}{problem}" for problem in problems]

    def states(self, given: dict[str, Any], blocks: Sequence[PersonBlock], sent: Mapping[str, Any]) -> list[KnownState]:
        """Return all states in the event, whether they are sent or not."""
        places = [each.name for each in LDP_PLACE]
        own = PersonBlock(
            "", is_recipient=False, values={name: [[name, given[name]]] for name in places if name in given}
        )
        return self._people.states([*blocks, own], country_of(sent.get("country")))


def missing_identifiers(user_data: dict[str, Any]) -> bool:
    """Return whether Pinterest would refuse the event because it has no identifier (`anyOf` of its schema)."""
    return not (
        "em" in user_data
        or "hashed_maids" in user_data
        or ("client_ip_address" in user_data and "client_user_agent" in user_data)
    )


def cookie_text(given: Any) -> str | None:
    """Return the value of a cookie; `None` if the value is invalid."""
    text = text_of(unwrap_single(given))
    return None if text is None or is_no_id(text) or len(text) > MAX_LENGTH else text


def add_pin_unauth(user_data: dict[str, Any], given: Any) -> None:
    """Add the cookie `_pin_unauth` to the sent external ids, unchanged and in lower case.

    Pinterest's cartridge for Salesforce hashes it unchanged, the extension for Magento in lower case.
    """
    text = cookie_text(given)
    if text is None:
        return
    digests = dict.fromkeys((hashed(text.strip()), hashed(text.strip().lower())))
    sent = user_data.get("external_id", [])
    user_data["external_id"] = [*sent, *(each for each in digests if each not in sent)]


def _hashing(normalise: Normaliser, on_hashed: OnHashed | None) -> Way:
    """Return the function from a text to its digest."""

    def digest(given: str, country: str | None) -> Digest:
        text, note = normalised(given, country, normalise)
        if not text:
            return text, note
        sent = hashed(text)
        if on_hashed:
            on_hashed(given, text, sent)
        return sent, note

    return digest


def _plain(rule: Callable[[str], Digest]) -> Way:
    """Return the function of an unhashed field: the field's rule, without blank texts and placeholders."""

    def usable(given: str, _country: str | None) -> Digest:
        text, note = trimmed(given)
        return (None, note) if text is None else rule(text)

    return usable


def _pseudonym(text: str) -> Digest:
    """Accept an id that is not an e-mail address."""
    return (None, "it holds an e-mail address") if holds_email(text) else (text, "")


def _click_id(text: str) -> Digest:
    """Accept a click id of Pinterest. Its characters may encode an e-mail address."""
    if "%" in text and without_plain(text) != text:
        return None, "it holds an e-mail address"
    if _CLICK_ID.fullmatch(text):
        return text, ""
    return None, "it is no click id of Pinterest: dj0, then A-Z a-z 0-9 _ - . ~ %, at most 512 characters"


def _user_agent(text: str) -> Digest:
    """Accept the user agent of a browser or an app."""
    if is_server_library(text):
        return None, "it is that of a server's library, not of the person"
    kept = without_plain(text)
    return kept, "" if kept == text else "sent without the e-mail address in it"


def country_among(given: Any, candidates: Candidates) -> str | None:
    """Return the country of the first place that has one."""
    country = country_of(given)
    if country is None and given:
        places = (country_of(candidate.value) for candidate in candidates((_AT, "country")))
        country = next(filter(None, places), None)
    return country


#: Fields that are sent unhashed, with their rules.
PLAIN_WAYS: Mapping[str, Callable[[str], Digest]] = checked_by_name(
    {
        "client_ip_address": public_address,
        "client_user_agent": _user_agent,
        "click_id": _click_id,
        "partner_id": _pseudonym,
    },
    [each.name for each in USER_FIELDS if not each.reading.hashed],
)
