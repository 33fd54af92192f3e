"""Builders of finished Pinterest events: complete and valid; a test says only what differs."""

import time
from typing import Any

DIGEST = "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"


def pinterest_event(**changes: Any) -> dict[str, Any]:
    """Return a checkout of just now; a change of None takes the key away."""
    event = {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": int(time.time()),
        "event_id": "order-1001",
        "user_data": {"em": [DIGEST], "client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla/5.0"},
        "custom_data": {"currency": "EUR", "value": "72.39", "contents": [{"id": "sku-1", "quantity": 2}]},
    }
    return {key: value for key, value in (event | changes).items() if value is not None}


def numbered(count: int, *, start: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Return events that differ by their id: `order-0`, `order-1`, ..."""
    return [pinterest_event(event_id=f"order-{start + place}", **changes) for place in range(count)]
