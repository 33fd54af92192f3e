"""What identity memory is told of an event: keys of its ids, digests of its person, and what that person permits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from msgspec import Struct

from app.catalog import Catalog
from app.core.consent import Kind, order_key
from app.core.events import DEFAULT_SOURCE, Event
from app.core.fields import CONTACTS
from app.core.people import NamedPerson, Wish
from app.core.receipts import PresetResult
from app.core.values.times import unix_seconds
from app.destination import PersonReader
from app.destination.reading import flattened, text_of
from app.errors import MappingError
from app.identity import IdentityEvent, IdKeys
from app.mapping import Mapping as CompiledMapping
from app.source.event import TIMES

#: Returns whether the person granted or refused the consent that is required, None where the event says neither.
ConsentAnswer: TypeAlias = Callable[[Event], bool | None]

#: How the source of a shop calls what erases all that came from it.
ALL_OF_SOURCE: Final = "shop/redact"
#: How it asks what is kept of a customer.
_ACCESS: Final = "customers/data_request"
#: What the regulations of Segment and RudderStack ask for, which an event of type `delete` may name.
#: https://www.twilio.com/docs/segment/privacy/user-deletion-and-suppression
#: https://www.rudderstack.com/docs/api/user-suppression-api
_REGULATIONS: Final[Mapping[str, Wish]] = {
    "": "erase",
    "DELETE": "erase",
    "DELETE_ONLY": "erase",
    "SUPPRESS_WITH_DELETE": "erase and suppress",
    "SUPPRESS": "suppress",
    "SUPPRESS_ONLY": "suppress",
}
#: What says when an event happened, the best first; and when others received it, which it cannot follow.
_TIMES: Final = (*TIMES, "arrivedAt")
_RECEIVED: Final = "receivedAt"
#: Of `context.device`: what says whether its person may be tracked.
_PERMISSIONS: Final = frozenset({"attTrackingStatus", "trackingStatus", "adTrackingEnabled"})
#: Members of an event's `properties`, `traits` and `context` by which a person says yes or no.
_FLAGS: Final = ("opt_out", "optOut")
#: How they say that a person was not asked, which is neither a yes nor a no: Apple's number, and Segment's word for it.
#: https://developer.apple.com/documentation/apptrackingtransparency/attrackingmanager/authorizationstatus
_NOT_DETERMINED: Final = {"attTrackingStatus": (0, "0"), "trackingStatus": ("notDetermined",)}


class Ids(Struct, frozen=True, gc=False):
    """The keys of the ids of an event: see `IdentityEvent`."""

    user: str | None
    anonymous: str | None
    previous: tuple[str, str] | None


class IdentityEventReader:
    """Reads events as identity memory sees them: an `IdentityEvent` each."""

    def __init__(self, keys: IdKeys, person: PersonReader, consent: ConsentAnswer) -> None:
        self.id_keys = keys
        self._person = person
        self._consent = consent

    def of_finished(
        self,
        event: Event,
        built: Event,
        ids: Ids,
        *,
        now: float,
        is_trusted: bool,
        is_withheld: bool,
        is_no: bool = False,
    ) -> IdentityEvent:
        """Return an event as memory sees it, read off a finished event: as `__call__`, and much quicker.

        `built` was made by the action's defaults as far as the person goes. In it the person says no nowhere, unless
        `is_no` says that the event does.
        """
        answer = False if is_no else self._consent(event)
        return IdentityEvent(
            kind=event["type"],
            at=own_time(event, now),
            user=ids.user,
            anonymous=ids.anonymous,
            previous=ids.previous,
            found=built["user_data"],
            is_withheld=is_withheld,
            is_no=answer is False,
            is_yes=answer is True or built.get("opt_out") is False,
            is_trusted=is_trusted,
        )

    def __call__(self, event: Event, catalog: Catalog, *, now: float, is_trusted: bool) -> tuple[IdentityEvent, str]:
        """Return an event as memory sees it, and its page's address ("" where it names none).

        `now` is the moment of its receipt, Unix seconds; `is_trusted` says that its sender is known by a secret.
        """
        found = _fields(event, catalog)
        fields: Mapping[str, Any] = found or {}
        said = self._person(fields)
        permission = self._permission(event, fields, catalog)
        ids = self.ids_of(event)
        identity_event = IdentityEvent(
            kind=event["type"],
            at=own_time(event, now),
            user=ids.user,
            anonymous=ids.anonymous,
            previous=ids.previous,
            found=said.user_data,
            is_withheld=said.is_opted_out or found is None,
            is_no=permission is False,
            is_yes=permission is True,
            may_use_device=self._person.permits_device(fields),
            is_trusted=is_trusted,
        )
        return identity_event, str(fields.get("event_source_url") or "")

    def kind_of_no(self, event: Event, catalog: Catalog) -> Kind:
        """Return how a person says no in an event that says it."""
        if self._consent(event) is False:
            return "category"
        if (plain := self.plain_no(event)) is not None:
            return plain
        return "opt_out" if self._said_without(_PERMISSIONS, event, catalog) is False else "device"

    def plain_no(self, event: Event) -> Kind | None:
        """Return how a person says no where no mapping is asked: a flag is `true`, or the device alone says it."""
        context = event.get("context")
        traits = context.get("traits") if type(context) is dict else None
        flags = []
        for place in (event.get("properties"), context, event.get("traits"), traits):
            if type(place) is dict:
                flags += [place[name] for name in _FLAGS if name in place]
            elif place is not None:
                return None
        gpc = [place["gpc"] for place in (event, context) if place and "gpc" in place]
        if any(flag is True for flag in flags) or (self._person.heeds_gpc and any(flag is True for flag in gpc)):
            return "opt_out"
        device = _device(event)
        is_alone = not flags and not gpc
        if is_alone and device.get("adTrackingEnabled") is False and _NOT_DETERMINED.keys().isdisjoint(device):
            return "device"
        return None

    def says_no(self, event: Event, catalog: Catalog) -> bool:
        """Return whether the event's person says no, as the defaults or a preset that matches find it said.

        What cannot be read is a no.
        """
        found = [_fields(event, catalog), *(_read(preset.mapping, event) for preset in catalog.matching(event))]
        return self._consent(event) is False or any(
            fields is None or self._person(fields).is_opted_out for fields in found
        )

    def keys(self, event: Event) -> list[str]:
        """Return the keys of all ids of an event."""
        users, browsers = users_and_browsers([self.ids_of(event)])
        return users + browsers

    def all_keys(self, event: Event, catalog: Catalog, lines: Sequence[PresetResult]) -> tuple[str, ...]:
        """Return by which keys an event is found that is kept as received: its ids, contacts and orders."""
        said = self._person(_fields(event, catalog) or {}).user_data
        contacts = [digest[:16] for name in CONTACTS for digest in said.get(name, ())]
        orders = [order_key(line.order.order_id) for line in lines if line.order and line.order.order_id]
        return tuple(dict.fromkeys([*self.keys(event), *contacts, *orders]))

    def ids_of(self, event: Event) -> Ids:
        """Return the keys of the ids of an event, each in its place."""
        user, anonymous = event.get("userId"), event.get("anonymousId")
        return Ids(
            None if user is None else self.id_keys.user(user if type(user) is str else _id(user)),
            None
            if anonymous is None
            else self.id_keys.anonymous(anonymous if type(anonymous) is str else _id(anonymous)),
            self._previous(event) if event["type"] == "alias" else None,
        )

    def named(self, event: Event, catalog: Catalog, source: str) -> NamedPerson:
        """Return whom an event asks to erase: by its ids, by what it says of its person, by orders that it lists.

        One of a named source that is called ALL_OF_SOURCE means everybody who came by it.
        """
        found = _fields(event, catalog) or {}
        said = self._person(found).user_data
        given = found.get("user_data") or {}
        properties = event.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        orders = [properties.get(name) for name in ("order_id", "order_ids")]
        return NamedPerson(
            user_id=_id(event.get("userId")) or None,
            anonymous_id=_id(event.get("anonymousId")) or None,
            emails=tuple(each for each in flattened(given.get("email")) if isinstance(each, str)),
            order_ids=tuple(filter(None, map(text_of, flattened(orders)))),
            message_ids=tuple((text_of(properties.get("message_ids")) or "").split()),
            digests=tuple(digest for name in CONTACTS for digest in said.get(name, ())),
            source=source if event.get("event") == ALL_OF_SOURCE and source != DEFAULT_SOURCE else None,
            wish=wish_of(event),
        )

    def _previous(self, event: Event) -> tuple[str, str] | None:
        """Return both keys that the previous id of an alias may have; None where there is none."""
        given = _id(event.get("previousId"))
        user, anonymous = self.id_keys.user(given), self.id_keys.anonymous(given)
        return (user, anonymous) if user and anonymous else None

    def _permission(self, event: Event, fields: Mapping[str, Any], catalog: Catalog) -> bool | None:
        """Return whether the person says yes or no, by flags of the event or by consent; None: neither."""
        said = self._person.permission(fields)
        unasked = _not_determined(event) if said is False else frozenset()
        # what an SDK makes of it in `adTrackingEnabled` is no answer of the person's, but another no beside it is
        if unasked and self._said_without(unasked | {"adTrackingEnabled"}, event, catalog) is not False:
            said = self._said_without(_PERMISSIONS, event, catalog)
        answers = (said, self._consent(event))
        return False if False in answers else True if True in answers else None

    def _said_without(self, names: frozenset[str], event: Event, catalog: Catalog) -> bool | None:
        """Return what the flags of an event say without these of its device."""
        device = {name: value for name, value in _device(event).items() if name not in names}
        context = event.get("context")
        left = {**event, "context": {**(context if isinstance(context, dict) else {}), "device": device}}
        return self._person.permission(_fields(left, catalog) or {})


def wish_of(event: Event) -> Wish | None:
    """Return what an event of type `delete` asks for; None where its regulation is not known."""
    if event.get("event") == _ACCESS:
        return "access"
    properties = event.get("properties")
    given = event.get("regulationType") or (properties.get("regulationType") if isinstance(properties, dict) else None)
    return _REGULATIONS.get((text_of(given) or "").strip().upper())


def _id(given: Any) -> str | None:
    """Return an id as `external_id` is read, lest they be of two people; None where nobody is named, or several are."""
    if type(given) is str:
        return given
    found = list(islice(flattened(given), 2))
    return text_of(found[0]) if len(found) == 1 else None


def users_and_browsers(events: Iterable[Ids]) -> tuple[list[str], list[str]]:
    """Return the keys of the ids of some events: those that may be of users, and those that are of browsers."""
    users: list[str] = []
    browsers: list[str] = []
    for ids in events:
        if ids.user:
            users.append(ids.user)
        if ids.anonymous:
            browsers.append(ids.anonymous)
        if ids.previous:
            users.append(ids.previous[0])
            browsers.append(ids.previous[1])
    return users, browsers


def own_time(event: Event, now: float) -> float:
    """Return when an event happened, Unix seconds: its own time, but not after its receipt, by us or before."""
    limit = now
    if _RECEIVED in event and (received := unix_seconds(event[_RECEIVED])) is not None and received < now:
        limit = received
    for name in _TIMES:
        if name in event and (told := unix_seconds(event[name])) is not None:
            return min(limit, told)
    return limit


def _fields(event: Event, catalog: Catalog) -> Mapping[str, Any] | None:
    """Return what the action's defaults find; None where the event cannot be read, and so nothing can be permitted."""
    return _read(catalog.person, event)


def _read(mapping: CompiledMapping, event: Event) -> Mapping[str, Any] | None:
    """Return what a mapping finds; None where it cannot read the event."""
    try:
        return mapping.resolve(event) or {}
    except MappingError:
        return None


def _not_determined(event: Event) -> frozenset[str]:
    """Return which members of the event's device say that its person was not asked."""
    said = ((name, _device(event).get(name), words) for name, words in _NOT_DETERMINED.items())
    return frozenset(name for name, value, words in said if type(value) is not bool and value in words)


def _device(event: Event) -> Mapping[str, Any]:
    context = event.get("context")
    device = context.get("device") if type(context) is dict else None
    return device if type(device) is dict else {}
