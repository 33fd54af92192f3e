"""The name of a received event in the form for storage and display, which joins deliveries and counts."""

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
#: Other first words of a title: a `track` with such a name is shown with its type.
_OTHER_TITLES: Final = frozenset({"track", "page", "screen", "identify", "group", "alias", "delete", "record"})
#: Longer names are not cached, because a name may be as long as a request.
_REMEMBERED_LENGTH: Final = 200


def kept_name(given: str) -> str:
    """Return the name of an event or a property in a form that may be stored.

    `[redacted]` replaces e-mail addresses, phone numbers and secrets of addresses; a text that is too long is replaced
    with its SHA-256.

    >>> kept_name("Order Completed"), kept_name("Mail to jane@shop.example")
    ('Order Completed', 'Mail to [redacted]')
    """
    return _remembered(given) if len(given) <= _REMEMBERED_LENGTH else _kept_name(given)


def _kept_name(given: str) -> str:
    return unpersonal_id(redact(given)).replace("\0", "\ufffd")


_remembered = lru_cache(4_096)(_kept_name)


def title_of(key: EventKey) -> str:
    """Return the display name of a kind of event: that of a `track`, otherwise its type with its name.

    Titles are unique within a source.

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
    """Return the title of a received event, which may be stored."""
    if isinstance(event, EventRefused):
        return _title(*event.named) if event.named else _NO_EVENT
    return _title(event["type"], given_name(event))


def given_name(event: Event) -> str:
    """Return the name of an event as its sender wrote it; "" without a name."""
    name = event.get(named_by(event["type"]))
    return name if type(name) is str else ""


def _title(event_type: str, name: str) -> str:
    is_short = len(event_type) + len(name) <= _REMEMBERED_LENGTH
    return _remembered_title(event_type, name) if is_short else _any_title(event_type, name)


def _any_title(event_type: str, name: str) -> str:
    return title_of(EventKey("", kept_name(event_type), kept_name(name)))


_remembered_title = lru_cache(4_096)(_any_title)
