"""The name under which an event arrived, as it is kept and read: by it deliveries and counts are joined."""

from functools import lru_cache
from typing import Final

from app.core.events import Event, EventKey
from app.core.values.event_names import named_by
from app.core.values.hidden_emails import unpersonal_id
from app.destination.redaction import redact
from app.errors import EventRefused
from app.outbox.inventory import OTHERS

_NO_EVENT: Final = "(no event)"
_OTHER_NAMES: Final = "(other names)"
#: What else begins a title: a `track` with such a name is told with its type.
_OTHER_TITLES: Final = frozenset({"track", "page", "screen", "identify", "group", "alias", "delete", "record"})
#: What is longer is read anew each time: a name may be as long as a request.
_REMEMBERED_LENGTH: Final = 200


def kept_name(given: str) -> str:
    """Return the name of an event or a property as it may be kept.

    `[redacted]` stands where an e-mail address, a phone number or a secret of an address stood; what is too long for a
    name is kept as its SHA-256.

    >>> kept_name("Order Completed"), kept_name("Mail to jane@shop.example")
    ('Order Completed', 'Mail to [redacted]')
    """
    return _remembered(given) if len(given) <= _REMEMBERED_LENGTH else _kept_name(given)


def _kept_name(given: str) -> str:
    return unpersonal_id(redact(given)).replace("\0", "\ufffd")


_remembered = lru_cache(4_096)(_kept_name)


def title_of(key: EventKey) -> str:
    """Return the name of a kind of event as people read it: that of a `track`, else its type with its name.

    Two kinds of one source have never the same.

    >>> title_of(EventKey("default", "track", "Order Completed")), title_of(EventKey("default", "page", "Cart"))
    ('Order Completed', 'page Cart')
    >>> title_of(EventKey("default", "track", "page Cart"))
    'track page Cart'
    """
    if not key.type:
        return _OTHER_NAMES if key.name == OTHERS else _NO_EVENT
    is_plain = key.name and key.name.partition(" ")[0] not in _OTHER_TITLES and not key.name.startswith("(")
    return key.name if key.type == "track" and is_plain else f"{key.type} {key.name}".rstrip()


def received_name(event: Event | EventRefused) -> str:
    """Return the title of an event as it arrived, which may be kept."""
    if isinstance(event, EventRefused):
        return _title(*event.named) if event.named else _NO_EVENT
    return _title(event["type"], given_name(event))


def given_name(event: Event) -> str:
    """Return the name of an event as its sender wrote it; "" where it has none."""
    name = event.get(named_by(event["type"]))
    return name if type(name) is str else ""


def _title(event_type: str, name: str) -> str:
    is_short = len(event_type) + len(name) <= _REMEMBERED_LENGTH
    return _remembered_title(event_type, name) if is_short else _any_title(event_type, name)


def _any_title(event_type: str, name: str) -> str:
    return title_of(EventKey("", kept_name(event_type), kept_name(name)))


_remembered_title = lru_cache(4_096)(_any_title)
