"""The keys of de-duplication."""

import binascii
import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import orjson

from app.outbox.outbox_rules import OutboxRules
from app.outbox.rows import kept

_DIGEST_BYTES = 15  # 120 bits, which base64 writes as 20 characters without padding

_NUL: Final = rb"\u0000"

#: Kinds of keys, named after what is the same.
EVENT_ID: Final = "event_id"
ORDER_ID: Final = "order_id"
CHECKOUT_ID: Final = "checkout_id"


class HasKeys(Protocol):
    """What keys are made of: a NewDelivery, or one that is kept. Order and checkout are those of a `checkout`."""

    @property
    def ad_account_id(self) -> str:
        """Pinterest's."""
        ...

    @property
    def preset(self) -> str:
        """Its name."""
        ...

    @property
    def event_name(self) -> str:
        """Pinterest's."""
        ...

    @property
    def event_id(self) -> str:
        """As sent."""
        ...

    @property
    def order_id(self) -> str | None:
        """As sent; None where there is none."""
        ...

    @property
    def checkout_id(self) -> str | None:
        """As received; None where there is none."""
        ...

    @property
    def source(self) -> str:
        """Its name."""
        ...


class HoldsKeys(HasKeys, Protocol):
    """A delivery that is stored."""

    @property
    def delivery_id(self) -> int:
        """The store's."""
        ...


class Key(NamedTuple):
    """One thing that must not be sent twice while it is remembered."""

    #: What was the same, for the reason.
    kind: str
    digest: str


def keys_of(known: HasKeys, rules: OutboxRules) -> tuple[Key, ...]:
    """Return the key of the event; where orders are compared, those of the order and the checkout that it names."""
    event = Key(EVENT_ID, _digest("event", known.ad_account_id, known.preset, known.event_name, known.event_id))
    if not rules.dedup_orders or (known.order_id is None and known.checkout_id is None):
        return (event,)
    return event, *_keys_of_order(known, (known.source,) if rules.orders_by_source else ())


def every_key_of(known: HasKeys) -> tuple[Key, ...]:
    """Return every key that a delivery may hold: the rules may have been others when it was enqueued."""
    event = Key(EVENT_ID, _digest("event", known.ad_account_id, known.preset, known.event_name, known.event_id))
    return event, *_keys_of_order(known, ()), *_keys_of_order(known, (known.source,))


def key_rows(held: Iterable[HoldsKeys]) -> list[tuple[str, int]]:
    """Return rows of [digest, delivery] of every key that deliveries may hold."""
    return [(key.digest, each.delivery_id) for each in held for key in every_key_of(each)]


def order_digests(ad_account_id: str, order_id: str, source: str) -> list[str]:
    """Return every key that an order may have: the rules may have been others when it was enqueued."""
    parts = [("checkout", ad_account_id, each) for each in _spellings(order_id)]
    return [_digest(*each, *scope) for each in parts for scope in ((), (source,))]


def _spellings(order_id: str) -> tuple[str, ...]:
    """Return an order id as it is, and without the sign that shops write before it: `#1001` is 1001.

    So is `1001.0`, as tables write the numbers of a column in which one is missing.
    """
    if order_id[:1] == "#":
        return order_id, order_id[1:].lstrip()
    if order_id[-2:] == ".0" and order_id[:-2].isdecimal():
        return order_id, order_id[:-2]
    return (order_id,)


def _keys_of_order(known: HasKeys, scope: tuple[str, ...]) -> list[Key]:
    keys = []
    if known.order_id is not None:
        parts = (("checkout", known.ad_account_id, each, *scope) for each in _spellings(known.order_id))
        keys += [Key(ORDER_ID, _digest(*each)) for each in parts]
    if known.checkout_id is not None:
        keys.append(Key(CHECKOUT_ID, _digest("checkout_id", known.ad_account_id, known.checkout_id, *scope)))
    return keys


def _digest(*parts: str) -> str:
    """Return the digest of the parts; they are hashed as JSON, since a separator could stand in any of them.

    As they are kept, so that a dead delivery lets go of its keys, and a redrive finds them.
    """
    text = orjson.dumps(parts)
    if _NUL in text:
        text = orjson.dumps(list(map(kept, parts)))
    digest = hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()
    return binascii.b2a_base64(digest, newline=False).decode()
