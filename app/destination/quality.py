"""Pinterest's event quality: which of its components an event carries.

The eleven are those of its score, `GET /ad_accounts/{id}/conversion_eqs` (API description 5.22 and later).
"""

from typing import Any

#: In Pinterest's order and words.
COMPONENTS = (
    "external_event_id",
    "hashed_email",
    "hashed_maid",
    "ip_address",
    "user_agent",
    "advertiser_external_id",
    "click_id_epik",
    "order_id",
    "order_value",
    "product_id",
    "source_url",
)

_OF_EVENT = (("event_id", "external_event_id"), ("event_source_url", "source_url"))
_OF_USER_DATA = (
    ("em", "hashed_email"),
    ("hashed_maids", "hashed_maid"),
    ("client_ip_address", "ip_address"),
    ("client_user_agent", "user_agent"),
    ("external_id", "advertiser_external_id"),
    ("click_id", "click_id_epik"),
)
_OF_CUSTOM_DATA = (("order_id", "order_id"), ("value", "order_value"), ("content_ids", "product_id"))


def components(event: dict[str, Any]) -> tuple[str, ...]:
    """Return which of COMPONENTS a finished event carries, in their order."""
    custom_data = event.get("custom_data", {})
    carried = {name for key, name in _OF_EVENT if key in event}
    carried.update(name for key, name in _OF_USER_DATA if key in event["user_data"])
    carried.update(name for key, name in _OF_CUSTOM_DATA if key in custom_data)
    if any("id" in content for content in custom_data.get("contents", ())):
        carried.add("product_id")
    return tuple(name for name in COMPONENTS if name in carried)
