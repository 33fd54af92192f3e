"""A complete, valid set of fields; a test says only what differs."""

from typing import Any

NOW = 1_772_604_428.0  # 2026-03-04T06:07:08Z


def a_conversion(**fields: Any) -> dict[str, Any]:
    """The resolved fields of a lead on the web; None takes a field away."""
    complete = {
        "event_name": "lead",
        "action_source": "web",
        "event_time": "2026-03-04T06:07:08Z",
        "event_id": "order-1",
        "user_data": {"email": "jane.doe@example.com"},
    }
    return complete | fields


def a_checkout(**custom_data: Any) -> dict[str, Any]:
    """An order on the web with all that it should tell, and what is given."""
    told = {"value": 19.99, "currency": "USD", "order_id": "SO-1"}
    return a_conversion(event_name="checkout", custom_data=told | custom_data)


def of_user(**user_data: Any) -> dict[str, Any]:
    """A lead of a person who is known by an advertising id, and by what is given."""
    return a_conversion(user_data={"hashed_maids": "7a3cbea0-bdf5-11e4-8dfc-aa07a5b093db"} | user_data)
