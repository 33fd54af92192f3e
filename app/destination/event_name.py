"""The names of events that Pinterest predefines."""

import difflib
from collections.abc import Collection

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

#: `action_source` is a closed list.
ACTION_SOURCES = ("app_android", "app_ios", "web", "offline")

#: What other platforms call the same thing, where the spelling does not lead there.
_SYNONYMS = {
    "purchase": "checkout",
    "order_completed": "checkout",
    "complete_registration": "signup",
    "generate_lead": "lead",
    "begin_checkout": "initiate_checkout",
    "view_item": "view_content",
    "product_viewed": "view_content",
    "view_item_list": "view_category",
    "page_view": "page_visit",
}


def nearest_event_name(name: str, known: Collection[str] = EVENT_NAMES) -> str:
    """Return the name among `known` that was probably meant: `purchase` -> `checkout`, `ADD CART` -> `add_to_cart`."""
    spelled = name.strip().lower().replace(" ", "_").replace("-", "_")
    if spelled in _SYNONYMS:
        return _SYNONYMS[spelled]
    return difflib.get_close_matches(spelled, sorted(known), n=1, cutoff=0.0)[0]
