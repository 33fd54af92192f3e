"""Pinterest's closed lists of event names and action sources, and the received name of an event."""

from typing import Final

#: 15 names are in Pinterest's schema (5.23), all 22 in its developer documentation and its own tag template.
EVENT_NAMES = (
    "add_payment_info",
    "add_to_cart",
    "add_to_wishlist",
    "app_install",
    "app_open",
    "checkout",
    "contact",
    "custom",
    "customize_product",
    "find_location",
    "initiate_checkout",
    "lead",
    "page_visit",
    "schedule",
    "search",
    "signup",
    "start_trial",
    "submit_application",
    "subscribe",
    "view_category",
    "view_content",
    "watch_video",
)

#: The only event that places an order. Other events may contain an order id.
CHECKOUT: Final = "checkout"

#: `action_source` is a closed list.
ACTION_SOURCES = ("app_android", "app_ios", "web", "offline")


#: The member with the event's name, by type, if it is not `event`; "" for types without a name.
#: https://segment.com/docs/connections/spec/
_NAMED_BY: Final = {"page": "name", "screen": "name", "identify": "", "group": "", "alias": ""}

#: Stands for the type of a record that the source's file does not convert to an event.
RECORD: Final = "record"


def named_by(event_type: str) -> str:
    """Return the member with the name of an event of this type; "" if the type has no name.

    >>> named_by("track"), named_by("page"), named_by("identify")
    ('event', 'name', '')
    """
    return _NAMED_BY.get(event_type, "event")
