"""Pinterest's event quality: which of its components an event carries.

The eleven are those of its score, `GET /ad_accounts/{id}/conversion_eqs` (API description 5.22 and later).
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from app.destination.user_data import PLAIN_WAYS
from app.destination.user_field import USER_FIELDS

#: The component, the part of the event that shows it, and the member there; a product has several places.
_SHOWN = (
    ("external_event_id", 0, "event_id"),
    ("hashed_email", 1, "em"),
    ("hashed_maid", 1, "hashed_maids"),
    ("ip_address", 1, "client_ip_address"),
    ("user_agent", 1, "client_user_agent"),
    ("advertiser_external_id", 1, "external_id"),
    ("click_id_epik", 1, "click_id"),
    ("order_id", 2, "order_id"),
    ("order_value", 2, "value"),
    ("product_id", 3, "id"),
    ("source_url", 0, "event_source_url"),
)
#: In Pinterest's order and words.
COMPONENTS = tuple(name for name, _, _ in _SHOWN)
#: Match keys that are no components: the action's name of the field, and its member of `user_data`.
_OTHER_KEYS = {
    name: wire
    for name, wire in (*((field.name, field.wire) for field in USER_FIELDS), *((name, name) for name in PLAIN_WAYS))
    if wire not in {member for _, _, member in _SHOWN}
}
#: What is counted of each event: the components, and the other match keys.
MATCH_KEYS = (*COMPONENTS, *_OTHER_KEYS)


def components(event: dict[str, Any]) -> tuple[str, ...]:
    """Return which of COMPONENTS a finished event carries, in their order."""
    return tuple([name for name in match_keys(event) if name in COMPONENTS])


def match_keys(event: dict[str, Any]) -> tuple[str, ...]:
    """Return which of MATCH_KEYS a finished event carries, in their order."""
    custom_data = event.get("custom_data", {})
    has_product = "content_ids" in custom_data or any("id" in content for content in custom_data.get("contents", ()))
    return _match_keys(tuple(event), tuple(event["user_data"]), tuple(custom_data), has_product)


@lru_cache(1_024)  # few of a thousand events differ in their members
def _match_keys(
    event: Collection[str],
    user_data: Collection[str],
    custom_data: Collection[str],
    has_product: bool,  # noqa: FBT001 - a part of the key
) -> tuple[str, ...]:
    parts = (event, user_data, custom_data, ("id",) if has_product else ())
    shown = [name for name, part, member in _SHOWN if member in parts[part]]
    return (*shown, *[name for name, member in _OTHER_KEYS.items() if member in user_data])
