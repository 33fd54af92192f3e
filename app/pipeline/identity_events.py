"""Convert events to the form of identity memory: keys of ids, digests of the person, and the person's permissions."""

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

#: Returns whether the person granted or refused the required consent; `None` if unknown.
ConsentAnswer: TypeAlias = Callable[[Event], bool | None]

#: The event of a shop's source that requests the erasure of all its data.
ALL_OF_SOURCE: Final = "shop/redact"
#: The event that requests access to a customer's data.
_ACCESS: Final = "customers/data_request"
#: The regulations of Segment and RudderStack, which an event of type `delete` may contain.
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
#: Members with the time of an event, in order of preference; and those with a time of receipt, which is an upper bound.
_TIMES: Final = (*TIMES, "arrivedAt")
_RECEIVED: Final = "receivedAt"
#: Members of `context.device` with a permission to track.
_PERMISSIONS: Final = frozenset({"attTrackingStatus", "trackingStatus", "adTrackingEnabled"})
#: Members of an event's `properties`, `traits` and `context` with an answer.
_FLAGS: Final = ("opt_out", "optOut")
#: Values for a person without an answer: Apple's number, and Segment's word for it.
#: https://developer.apple.com/documentation/apptrackingtransparency/attrackingmanager/authorizationstatus
_NOT_DETERMINED: Final = {"attTrackingStatus": (0, "0"), "trackingStatus": ("notDetermined",)}


class Ids(Struct, frozen=True, gc=False):
    """The keys of the ids of an event: see `IdentityEvent`."""

    user: str | None
    anonymous: str | None
    previous: tuple[str, str] | None


class IdentityEventReader:
    """Converts events to an `IdentityEvent` each."""

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
        is_opt_out: bool = False,
    ) -> IdentityEvent:
        """Return an event in the form of memory, read from a finished event: like `__call__`, and much faster.

        `built` was created with the action's defaults for the person. It has no opt-out, unless `is_opt_out` is set.
        """
        answer = False if is_opt_out else self._consent(event)
        return IdentityEvent(
            kind=event["type"],
            at=own_time(event, now),
            user=ids.user,
            anonymous=ids.anonymous,
            previous=ids.previous,
            found=built["user_data"],
            is_withheld=is_withheld,
            is_opt_out=answer is False,
            is_opt_in=answer is True or built.get("opt_out") is False,
            is_trusted=is_trusted,
        )

    def __call__(self, event: Event, catalog: Catalog, *, now: float, is_trusted: bool) -> tuple[IdentityEvent, str]:
        """Return an event in the form of memory, and the address of its page ("" without one).

        `now` is the time of receipt, Unix seconds; `is_trusted`: the sender is authenticated by a secret.
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
            is_opt_out=permission is False,
            is_opt_in=permission is True,
            may_use_device=self._person.permits_device(fields),
            is_trusted=is_trusted,
        )
        return identity_event, str(fields.get("event_source_url") or "")

    def kind_of_no(self, event: Event, catalog: Catalog) -> Kind:
        """Return the kind of opt-out in an event with an opt-out."""
        if self._consent(event) is False:
            return "category"
        if (plain := self.plain_no(event)) is not None:
            return plain
        return "opt_out" if self._said_without(_PERMISSIONS, event, catalog) is False else "device"

    def plain_no(self, event: Event) -> Kind | None:
        """Return the kind of opt-out that is visible without a mapping: a flag is `true`, or only the device has it."""
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

    def has_opt_out(self, event: Event, catalog: Catalog) -> bool:
        """Return whether the event has an opt-out, according to the defaults or a matching preset.

        An unreadable value is an opt-out.
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
        """Return the keys by which a stored event is found: its ids, contacts and orders."""
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
        """Return the person that an event asks to erase: its ids, its personal data, and its listed orders.

        An event ALL_OF_SOURCE of a named source means all people of the source.
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
        """Return both possible keys of an alias's previous id; `None` without one."""
        given = _id(event.get("previousId"))
        user, anonymous = self.id_keys.user(given), self.id_keys.anonymous(given)
        return (user, anonymous) if user and anonymous else None

    def _permission(self, event: Event, fields: Mapping[str, Any], catalog: Catalog) -> bool | None:
        """Return whether the person opted in or out, by flags of the event or by consent; `None` if unknown."""
        said = self._person.permission(fields)
        unasked = _not_determined(event) if said is False else frozenset()
        # An SDK's derived value in `adTrackingEnabled` is not the person's answer, but another opt-out is.
        if unasked and self._said_without(unasked | {"adTrackingEnabled"}, event, catalog) is not False:
            said = self._said_without(_PERMISSIONS, event, catalog)
        answers = (said, self._consent(event))
        return False if False in answers else True if True in answers else None

    def _said_without(self, names: frozenset[str], event: Event, catalog: Catalog) -> bool | None:
        """Return the answer in an event's flags without these members of its device."""
        device = {name: value for name, value in _device(event).items() if name not in names}
        context = event.get("context")
        left = {**event, "context": {**(context if isinstance(context, dict) else {}), "device": device}}
        return self._person.permission(_fields(left, catalog) or {})


def wish_of(event: Event) -> Wish | None:
    """Return the request of an event of type `delete`; `None` if its regulation is unknown."""
    if event.get("event") == _ACCESS:
        return "access"
    properties = event.get("properties")
    given = event.get("regulationType") or (properties.get("regulationType") if isinstance(properties, dict) else None)
    return _REGULATIONS.get((text_of(given) or "").strip().upper())


def _id(given: Any) -> str | None:
    """Return an id by the rules of `external_id`, so that both identify the same person.

    `None` for no id or several.
    """
    if type(given) is str:
        return given
    found = list(islice(flattened(given), 2))
    return text_of(found[0]) if len(found) == 1 else None


def users_and_browsers(events: Iterable[Ids]) -> tuple[list[str], list[str]]:
    """Return the keys of ids that may be of users, and of those that are of browsers, for some events."""
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
    """Return the time of an event, Unix seconds: its own time, at most the time of any receipt."""
    limit = now
    if _RECEIVED in event and (received := unix_seconds(event[_RECEIVED])) is not None and received < now:
        limit = received
    for name in _TIMES:
        if name in event and (told := unix_seconds(event[name])) is not None:
            return min(limit, told)
    return limit


def _fields(event: Event, catalog: Catalog) -> Mapping[str, Any] | None:
    """Return the fields by the action's defaults; `None` if the event is unreadable, so that no permission exists."""
    return _read(catalog.person, event)


def _read(mapping: CompiledMapping, event: Event) -> Mapping[str, Any] | None:
    """Return the fields of a mapping; `None` if it cannot read the event."""
    try:
        return mapping.resolve(event) or {}
    except MappingError:
        return None


def _not_determined(event: Event) -> frozenset[str]:
    """Return the members of the event's device whose value means that the person was not asked."""
    said = ((name, _device(event).get(name), words) for name, words in _NOT_DETERMINED.items())
    return frozenset(name for name, value, words in said if type(value) is not bool and value in words)


def _device(event: Event) -> Mapping[str, Any]:
    context = event.get("context")
    device = context.get("device") if type(context) is dict else None
    return device if type(device) is dict else {}
