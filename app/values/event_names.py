"""Under which name an event arrives."""

from collections.abc import Mapping
from typing import Any, Final

#: Which member names an event of this type, where it is not `event`; "" where none does.
#: https://segment.com/docs/connections/spec/
_NAMED_BY: Final = {"page": "name", "screen": "name", "identify": "", "group": "", "alias": ""}

#: Stands for the type of what a source's file makes no event of.
RECORD: Final = "record"


def named_by(event_type: str) -> str:
    """Return which member names events of a type: `event` of a `track`, `name` of a `page`; "" where none does."""
    return _NAMED_BY.get(event_type, "event")


def type_and_name(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type of an event and its name; "" where it has none that is a text.

    >>> type_and_name({"type": "track", "event": "Order Completed"}), type_and_name({"type": "identify", "name": "x"})
    (('track', 'Order Completed'), ('identify', ''))
    """
    event_type = event["type"]
    name = event.get(_NAMED_BY.get(event_type, "event"))
    return event_type, name if isinstance(name, str) else ""
