"""Pinterest's closed lists of event names and action sources, and the name an event arrives under."""

from typing import Final

#: 15 stand in Pinterest's schema (5.23), all 22 in its developer documentation and its own tag template.
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

#: The one that is an order. Others may name one.
CHECKOUT: Final = "checkout"

#: `action_source` is a closed list.
ACTION_SOURCES = ("app_android", "app_ios", "web", "offline")


#: Which member names an event of this type, where it is not `event`; "" where none does.
#: https://segment.com/docs/connections/spec/
_NAMED_BY: Final = {"page": "name", "screen": "name", "identify": "", "group": "", "alias": ""}

#: Stands for the type of what a source's file makes no event of.
RECORD: Final = "record"


def named_by(event_type: str) -> str:
    """Return which member names events of a type; "" where none does.

    >>> named_by("track"), named_by("page"), named_by("identify")
    ('event', 'name', '')
    """
    return _NAMED_BY.get(event_type, "event")
