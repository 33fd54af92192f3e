"""The keys of de-duplication."""

import binascii
import hashlib
from typing import NamedTuple

import orjson

_DIGEST_BYTES = 15  # 120 bits, which base64 writes as 20 characters without padding


class Key(NamedTuple):
    """One thing that must not be sent twice within the window."""

    #: What was the same, for the reason: `event_id` or `order_id`.
    kind: str
    digest: str


def keys_of(
    *, ad_account_id: str, preset: str, event_name: str, event_id: str, order_id: str | None, dedup_orders: bool
) -> tuple[Key, ...]:
    """Return the key of the event, and that of the order where a checkout names one and orders are compared."""
    event = Key("event_id", _digest("event", ad_account_id, preset, event_name, event_id))
    if order_id is None or not dedup_orders:
        return (event,)
    return event, Key("order_id", _digest("checkout", ad_account_id, order_id))


def _digest(*parts: str) -> str:
    """Hash the parts; as JSON, since a separator could stand in any of them."""
    digest = hashlib.blake2b(orjson.dumps(parts), digest_size=_DIGEST_BYTES).digest()
    return binascii.b2a_base64(digest, newline=False).decode()
