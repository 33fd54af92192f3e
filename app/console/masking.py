"""What stands plain in a finished event is not for everybody's eyes."""

from collections.abc import Mapping
from typing import Any

#: Pinterest takes these two unhashed; they are personal all the same.
PLAIN = frozenset({"client_ip_address", "client_user_agent"})
MASK = "(masked)"


def masked(value: Any) -> Any:
    """Return the JSON value with IP address and user agent masked, wherever they stand."""
    if isinstance(value, Mapping):
        return {name: MASK if name in PLAIN and member else masked(member) for name, member in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value
