"""The event name among those known that was probably meant."""

import difflib
from collections.abc import Collection

from app.core.values.event_names import EVENT_NAMES

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
