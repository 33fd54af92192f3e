"""The object `user_data`: who the person is, hashed wherever Pinterest takes digests."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from app.destination.conversion_rules import ConversionRules
from app.destination.normalise import MAX_LENGTH, Normaliser, hashed, normalised, trimmed
from app.destination.place_names import country_code
from app.destination.reading import NO_NOTES, Reading, flattened, text_of
from app.destination.user_field import USER_FIELDS
from app.destination.warnings import kind, left_out, unknown_members
from app.values.ip_addresses import public_address
from app.values.user_agents import is_server_library

#: A digest (None: nothing is sent) and what to say about it.
Digest: TypeAlias = tuple[str | None, str]
#: From a text, and the country of the event where that matters, to what is sent of it.
_Way: TypeAlias = Callable[[str, str | None], Digest]

_CACHED = 8192


class UserDataReader:
    """Reads the resolved `user_data` of one event after the other, under one set of rules."""

    def __init__(self, rules: ConversionRules) -> None:
        self._hashed = {field.name: (field.wire, _hashing(field.normaliser(rules))) for field in USER_FIELDS}
        self._plain = {
            "client_ip_address": _plain(public_address),
            "client_user_agent": _plain(_user_agent),
            "click_id": _plain(_as_it_is),
            "partner_id": _plain(_as_it_is),
        }

    def __call__(self, given: Any) -> Reading:
        """Return what Pinterest takes of it; lists are flattened, equal digests sent once."""
        if type(given) is not dict:
            return None, (left_out(given, "an object is expected"),)
        country = country_of(given.get("country"))
        sent: dict[str, Any] = {}
        notes: list[str] = []
        unknown = []
        for name, value in given.items():
            if value is None or value == "":
                continue
            if name in self._hashed:
                wire, digest = self._hashed[name]
                digests = _digests(name, value, country, digest, notes)
                if digests:
                    sent[wire] = digests
            elif name in self._plain:
                text = _first(name, value, self._plain[name], notes)
                if text is not None:
                    sent[name] = text
            else:
                unknown.append(name)
        if unknown:
            notes.append(unknown_members(unknown))
        return sent or None, tuple(notes) if notes else NO_NOTES


def missing_identifiers(user_data: dict[str, Any]) -> bool:
    """Return whether Pinterest would refuse the event for want of an identifier (`anyOf` of its schema)."""
    return not (
        "em" in user_data
        or "hashed_maids" in user_data
        or ("client_ip_address" in user_data and "client_user_agent" in user_data)
    )


def _hashing(normalise: Normaliser) -> _Way:
    """Make the whole way from a text to its digest; what was met before is remembered."""

    def digest(given: str, country: str | None) -> Digest:
        text, note = normalised(given, country, normalise)
        return text and hashed(text), note

    return _remembering(digest)


def _plain(rule: Callable[[str], Digest]) -> _Way:
    """Make the way of a field that is not hashed: its rule, for what is neither blank nor a placeholder."""

    def usable(given: str, _country: str | None) -> Digest:
        text, note = trimmed(given)
        return (None, note) if text is None else rule(text)

    return _remembering(usable)


def _remembering(way: _Way) -> _Way:
    """Remember where texts led, except long ones: a cache full of them would take gigabytes."""
    remembered = lru_cache(maxsize=_CACHED)(way)

    def go(given: str, country: str | None) -> Digest:
        return remembered(given, country) if len(given) <= MAX_LENGTH else way(given, country)

    return go


def _digests(name: str, value: Any, country: str | None, digest: _Way, notes: list[str]) -> list[str]:
    """Return the digests of all values of one field, each once, in order."""
    if type(value) is str and value.isascii():  # nearly every value
        sent, note = digest(value, country)
        if sent is not None and not note:
            return [sent]
    digests: dict[str, None] = {}
    for item in flattened(value):
        text = text_of(item)
        if text is None:
            notes.append(f".{name}{left_out(item, 'a text is expected')}")
            continue
        sent, note = digest(text, country)
        if sent is None:
            notes.append(f".{name}{left_out(item, note)}")
            continue
        digests[sent] = None
        if note:
            notes.append(f".{name}: {kind(item)} {note}")
    return list(digests)


def _first(name: str, value: Any, read: _Way, notes: list[str]) -> str | None:
    """Return the first usable value of a field that takes only one; the others are left out with a note."""
    first = None
    if type(value) is str and value.isascii():  # nearly every value
        first, note = read(value, None)
        if first is not None and not note:
            return first
        first = None
    for item in flattened(value):
        text = text_of(item)
        plain, note = (None, "a text is expected") if text is None else read(text, None)
        if first is None and plain is not None:
            first = plain
            if note:
                notes.append(f".{name}: {kind(item)} {note}")
        else:
            notes.append(f".{name}{left_out(item, note or 'Pinterest takes only one')}")
    return first


def _as_it_is(text: str) -> Digest:
    """Take any text."""
    return text, ""


def _user_agent(text: str) -> Digest:
    """Take the user agent of a browser or an app."""
    return (None, "it is that of a server's library, not of the person") if is_server_library(text) else (text, "")


def country_of(given: Any) -> str | None:
    """Return the first country that the event names, as upper-case alpha-2; a digest of a code counts."""
    for item in () if given is None else flattened(given):
        code = country_code(item) if type(item) is str and len(item) <= MAX_LENGTH else None
        if code:
            return code
    return None
