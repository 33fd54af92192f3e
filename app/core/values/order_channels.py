"""The channel of an order: a browser, a till, a subscription, or the staff of the shop.

The mapping of a source sets `properties.order_channel` from the data of the shop. Other channels than those below have
the shop's name.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.core.values.placeholders import says_nothing, unwrap_single

ORDER_CHANNEL: Final = "order_channel"
POS: Final = "pos"
RENEWAL: Final = "renewal"
MANUAL: Final = "manual"
#: The browser of such an order belongs to a till or to staff, or to the first order of the subscription.
WITHOUT_BROWSER: Final = frozenset({POS, RENEWAL, MANUAL})

_RENEWAL_EVENT: Final = "Subscription Renewal Payment"
#: Members of `context` and `properties` that describe a browser, or its landing page.
_BROWSER_CONTEXT: Final = frozenset({"ip", "userAgent", "page", "cookies", "campaign", "request_ip"})
_BROWSER_PROPERTIES: Final = frozenset(
    {"browser_ip", "client_details", "landing_site", "landing_site_ref", "referring_site", "epik"}
    | {"customer_ip_address", "customer_user_agent"}
)
_MAX_CHARACTERS: Final = 40
#: Channel names are displayed and stored, so they must not contain a person's name.
_NAME: Final = re.compile(r"[\w.:/ -]+", re.ASCII)


def order_channel(event: Mapping[str, Any]) -> str:
    """Return the channel of an order, in lower case; "" if the event states none.

    >>> order_channel({"properties": {"order_channel": "POS "}}), order_channel({"properties": {}})
    ('pos', '')
    >>> order_channel({"properties": {"order_channel": "ada@shop.example"}})
    'other'
    """
    properties = event.get("properties")
    if type(properties) is not dict or ORDER_CHANNEL not in properties:  # nearly every event
        return ""
    given = unwrap_single(properties[ORDER_CHANNEL])
    if type(given) not in (str, int) or says_nothing(given):
        return ""
    name = str(given).strip().lower()
    return name if len(name) <= _MAX_CHARACTERS and _NAME.fullmatch(name) else "other"


def by_channel(event: dict[str, Any]) -> dict[str, Any]:
    """Return an order adapted to its channel.

    Orders at a till become offline, subscriptions become renewals, and the browser of another person is removed.
    """
    channel = order_channel(event)
    if channel not in WITHOUT_BROWSER:
        return event
    context = event.get("context")
    changed = {**event, "properties": _without(event["properties"], _BROWSER_PROPERTIES)}
    if type(context) is dict:
        changed["context"] = _without(context, _BROWSER_CONTEXT)
    if channel == POS:
        changed["properties"]["action_source"] = "offline"
    if channel == RENEWAL and event.get("event") == "Order Completed":
        changed["event"] = _RENEWAL_EVENT
    return changed


def _without(members: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}
