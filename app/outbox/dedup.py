"""De-duplication for every engine: the keys of a delivery, and whether the delivery repeats an earlier one.

A key stores whether its event was trusted. A public event repeats any remembered event; a trusted event repeats only a
trusted event. Between the public and the trusted events of one order `app/outbox/pairing.py` decides.
"""

import binascii
import hashlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as change
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self, TypeAlias, cast

import orjson
from msgspec import Struct
from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import (
    Match,
    NewDelivery,
    OrderSide,
    State,
    StoredDelivery,
    Withdrawal,
    read_side,
    side_of,
)
from app.core.trust import may_change
from app.core.values.event_names import CHECKOUT
from app.outbox.pairing import (
    ANOTHER_MATCHES,
    ARRIVED_EARLY,
    GAVE_WAY,
    MERGED_INTO,
    PAGE_DIFFERS,
    PAGE_SENT_TOO,
    PAGE_WAS_TAKEN,
    SEVERAL_MATCH,
    SHOP_DIFFERS,
    SHOP_HAS_ID,
    SHOP_SENT_TOO,
    Pairing,
    has_same_sender,
    holds_id,
    is_same_report,
    match_orders,
)
from app.outbox.refusals import another_order, seen_before
from app.outbox.rows import as_json, kept

_DIGEST_BYTES = 15  # 120 bits: 20 characters of base64 without padding

_NUL: Final = rb"\u0000"

#: Kinds of keys, by the equal value.
EVENT_ID: Final = "event_id"
ORDER_ID: Final = "order_id"
CHECKOUT_ID: Final = "checkout_id"
TOKEN: Final = "checkout_token"  # noqa: S105 - the name of a kind
#: A key to find orders by their other name; no order repeats another by this key.
NUMBER: Final = "number"
#: Stored only for a page message that was merged into another page message.
MESSAGE: Final = "message_id"
#: The former prefix of order event ids of the source `woocommerce`, and the current prefix, which Pinterest's plugin
#: uses too.
_RENAMED: Final = ("woocommerce-order-", "checkout_")
#: An id from the sender's own numbering, such as `shopify-order-123`: another sender may have the same id.
_OWN_NUMBER: Final = re.compile(r"[A-Za-z._-]*[0-9]{1,20}")


#: The beginning of the record of an order of an erased person: JSON with the time of the erasure.
_ERASED: Final = '{"erased":'


def erased_text(now: float) -> str:
    """Return the record to store with a key after the erasure of its person."""
    return f"{_ERASED}{now}}}"


def is_erased(known: str) -> bool:
    """Return whether the record of a key contains an erasure."""
    return known.startswith(_ERASED)


def erased_at(known: str) -> float:
    """Return the time of the erasure in Unix seconds."""
    return float(orjson.loads(known)["erased"])


#: An order for a preset of an ad account.
HasOrder: TypeAlias = NewDelivery | Withdrawal
#: A delivery before or after it is stored. Order and checkout are those of a `checkout`.
Known: TypeAlias = NewDelivery | StoredDelivery


class Key(Struct, frozen=True, gc=False):
    """A key that must not be sent twice while it is remembered."""

    #: The equal value, for the reason.
    kind: str
    digest: str
    #: Whether the key comes from the event id, not from a property of the event.
    is_of_event: bool = False


def keys_of(known: Known, rules: OutboxSettings) -> tuple[Key, ...]:
    """Return the key of the event; if orders are compared, also the keys of its order and checkout."""
    events = _keys_of_event(known)
    if not rules.compares_orders or (known.order_id is None and known.checkout_id is None and known.token is None):
        return events
    scope = (known.source,) if rules.orders_by_source else ()
    return *events, *_keys_of_order(known, ("shop", known.shop) if known.shop else scope)


def message_key(known: NewDelivery) -> Key:
    """Return the key that identifies a repeated page message after it was merged."""
    return Key(MESSAGE, _digest("message", known.ad_account_id, known.preset, known.message_id))


def every_key_of(known: Known) -> tuple[Key, ...]:
    """Return every possible key of a delivery: the rules may have changed since it was enqueued."""
    scopes = _every_scope(known.source, known.shop)
    return *_keys_of_event(known), *(key for scope in scopes for key in _keys_of_order(known, scope))


def _every_scope(source: str, shop: str) -> list[tuple[str, ...]]:
    """Return the scopes in which an order id may have identified one order."""
    return [(), (source,), *([("shop", shop)] if shop else ())]


def _keys_of_event(known: Known) -> tuple[Key, ...]:
    """Return the key of the event id, and the key of the other id that a shipped source used for the same order."""
    keys = [Key(EVENT_ID, _event_digest(known, known.event_id), is_of_event=True)]
    for mine, other in (_RENAMED, _RENAMED[::-1]) if known.event_name == CHECKOUT else ():
        if known.event_id.startswith(mine):
            digest = _event_digest(known, other + known.event_id.removeprefix(mine))
            keys.append(Key(ORDER_ID, digest, is_of_event=True))
    return tuple(keys)


def _event_digest(known: Known, event_id: str) -> str:
    """Return the `_digest` of the parts "event", ad account, preset, name and id of an event."""
    digest = _begun(known.ad_account_id, known.preset, known.event_name).copy()
    digest.update(b"%b]" % orjson.dumps(kept(event_id)))
    return binascii.b2a_base64(digest.digest(), newline=False).decode()


@lru_cache(1_024)
def _begun(*of_events: str) -> hashlib.blake2b:
    """Return the digest of the beginning of the JSON: the parts that many events share."""
    text = orjson.dumps(["event", *map(kept, of_events)])
    return hashlib.blake2b(text.removesuffix(b"]") + b",", digest_size=_DIGEST_BYTES)


def key_rows(held: Iterable[StoredDelivery]) -> list[tuple[str, int]]:
    """Return rows of [digest, delivery] of every possible key of these deliveries."""
    return [(key.digest, each.delivery_id) for each in held for key in every_key_of(each)]


def order_digests(ad_account_id: str, order_id: str, source: str, shop: str = "") -> list[str]:
    """Return every possible key of an order: the rules may have changed since it was enqueued."""
    parts = [("checkout", ad_account_id, each) for each in _spellings(order_id)]
    return [_digest(*each, *scope) for each in parts for scope in _every_scope(source, shop)]


def cancelled_digests(known: HasOrder, rules: OutboxSettings) -> list[str]:
    """Return the keys that store the cancellation of an order for a preset."""
    scope = ("shop", known.shop) if known.shop else (known.source,) if rules.orders_by_source else ()
    spellings = _spellings(known.order_id) if known.order_id else ()
    return [_digest("cancelled", known.ad_account_id, known.preset, each, *scope) for each in spellings]


def number_digests(number: str) -> list[str]:
    """Return the keys to find an order by its other name."""
    return [_digest("number", each) for each in _spellings(number)]


def _spellings(order_id: str) -> tuple[str, ...]:
    """Return an order id unchanged, and without the prefix `#` of shops: `#1001` is 1001.

    `1001.0` is 1001 too: tables write numbers so in a column with a missing value.
    """
    if order_id[:1] == "#":
        return order_id, order_id[1:].lstrip()
    if order_id[-2:] == ".0" and order_id[:-2].isdecimal():
        return order_id, order_id[:-2]
    return (order_id,)


def _keys_of_order(known: Known, scope: tuple[str, ...]) -> list[Key]:
    keys = []
    own = known.order_id if known.event_name == CHECKOUT else None
    for name in filter(None, (own, known.number)):
        parts = (("checkout", known.ad_account_id, each, *scope) for each in _spellings(name))
        keys += [Key(ORDER_ID, _digest(*each)) for each in parts]
    if known.number is not None:
        keys += [Key(NUMBER, digest) for digest in number_digests(known.number)]
    if known.checkout_id is not None:
        keys.append(Key(CHECKOUT_ID, _digest("checkout_id", known.ad_account_id, known.checkout_id, *scope)))
    if known.token is not None:
        keys.append(Key(TOKEN, _digest("token", known.ad_account_id, known.token, *scope)))
    return keys


def _digest(*parts: str) -> str:
    """Return the digest of the parts as JSON, since any part may contain a separator.

    The parts have their stored form, so that a dead delivery releases its keys and a redrive finds them.
    """
    text = orjson.dumps(parts)
    if _NUL in text:
        text = orjson.dumps(list(map(kept, parts)))
    digest = hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def why_erased(keys: Iterable[Key], erased: Mapping[str, tuple[float, bool]], *, is_trusted: bool) -> str:
    """Return the reason to withhold a delivery with a key of an erased person; "" without such a key.

    `erased` contains the time of the erasure, and whether the event with the key was trusted.
    """
    found = (erased[key.digest] for key in keys if key.digest in erased)
    at = next((at for at, by_trusted in found if may_change(by_trusted=by_trusted, of_trusted=is_trusted)), None)
    return "" if at is None else f"its person was erased on {time.strftime('%d %B %Y', time.gmtime(at))}"


#: The maximum of public orders per key, and of trusted ones. Later orders are sent, but not remembered by the key: such
#: an id identifies no order. Public orders never use the places of trusted orders.
MAX_PLACES = 20
#: The stored part of the digest of an e-mail address: half of it is enough to distinguish buyers.
_BUYER_CHARACTERS = 32


class Order(NamedTuple):
    """The data of an order that is stored with its key."""

    #: `None` if the checkout had no order id.
    order_id: str | None
    #: The prefixes of the digests of the buyer's e-mail addresses; empty if unknown.
    buyer: tuple[str, ...]
    #: Value and currency as sent; `None` if missing.
    amount: str | None
    currency: str | None
    side: OrderSide | None = None

    @classmethod
    def of(cls, known: Known) -> Self:
        """Return the data to store for a delivery."""
        buyer = tuple(digest[:_BUYER_CHARACTERS] for digest in known.buyer)
        return cls(known.order_id, buyer, known.amount, known.currency, known.side)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the order in a stored `text`."""
        order_id, buyer, amount, currency, *side = orjson.loads(text)
        return cls(order_id, tuple(buyer), amount, currency, read_side(side[0]) if side else None)

    @property
    def text(self) -> str:
        """The stored form of the order: JSON."""
        *known, side = self
        return as_json([*known, side_of(replace(side, own=None) if side.own else side)] if side else known)

    @property
    def number(self) -> str | None:
        return self.side.number if self.side else None

    @property
    def total(self) -> str:
        """Value and currency as text for people."""
        return " ".join(filter(None, (self.amount, self.currency)))

    def has_other_buyer(self, other: "Order") -> bool:
        """Return whether both buyers are known, and differ."""
        return bool(self.buyer and other.buyer) and set(self.buyer).isdisjoint(other.buyer)

    def has_other_total(self, other: "Order") -> bool:
        """Return whether both totals are known, and differ; a missing currency equals any currency."""
        if self.amount is None or other.amount is None:
            return False
        currencies = {self.currency, other.currency} - {None}
        return self.amount != other.amount or len(currencies) > 1


class KeyOwner(NamedTuple):
    """A delivery that owns a key."""

    delivery_id: object
    #: Unix seconds: the time of enqueueing or redrive, and the expiry of the key.
    since: float
    until: float
    #: The position among the owners of the key, from 0.
    place: int = 0
    #: `None` for the key of an event.
    order: Order | None = None
    #: Whether the sender was authenticated by a secret.
    is_trusted: bool = False
    #: For an event id from the sender's own numbering: the name of its source. Else `None`.
    source: str | None = None


class TakenKey(NamedTuple):
    """A key to store, and its owner."""

    key: Key
    holder: KeyOwner
    #: The former owner, which the new owner replaces.
    instead_of: KeyOwner | None = None

    def row(self, delivery: object) -> list[object]:
        """Return the row of the key for `delivery`: an id, or the number of a delivery of the same call."""
        digest, holder = self.key.digest, self.holder
        known = holder.order.text if holder.order else holder.source and as_json(holder.source)
        return [digest, delivery, holder.until, holder.place, known, holder.is_trusted]


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupResult:
    """The result of the check: the delivery is new, repeats an earlier one, or is merged into it."""

    #: The owner of an equal key; `None` for a new delivery.
    repeats: KeyOwner | None = None
    #: The equal key, and the differences; "" for a new delivery.
    reason: str = ""
    #: Warnings about a new delivery that resembles an earlier order.
    warnings: tuple[str, ...] = ()
    taken: tuple[TakenKey, ...] = ()
    #: The decision about its counterpart; `None` without one.
    pairing: Pairing | None = None


class Deduplicator:
    """Check deliveries in sequence; new ones count for the deliveries after them."""

    def __init__(
        self,
        held: Mapping[str, Sequence[KeyOwner]],
        *,
        now: float,
        rules: OutboxSettings,
        twins: dict[object, StoredDelivery] | None = None,
    ) -> None:
        """Set the owners of keys, by digest; expired owners (`until` has passed) are ignored.

        `twins` are the stored deliveries with keys of orders, by id; `None`: unknown, and no delivery is merged.
        """
        self._now = now
        self._rules = rules
        self._held = {digest: [each for each in holders if each.until > now] for digest, holders in held.items()}
        self.twins = twins

    @property
    def held(self) -> Mapping[str, Sequence[KeyOwner]]:
        """The current owners of keys, by digest."""
        return self._held

    def check(self, known: Known, keys: Sequence[Key], delivery_id: object) -> DedupResult:
        """Return the result for a delivery with these keys; `delivery_id` is the id of the delivery."""
        order = Order.of(known) if len(keys) > 1 else None
        if order is not None and self.twins is not None and isinstance(known, NewDelivery):
            meet = self._meet_page if known.is_trusted else self._meet_shop
            if paired := meet(known, keys, order, delivery_id):
                return paired
        return self._repeated(known, keys, order) or self._new(known, keys, order, delivery_id)

    def _repeated(self, known: Known, keys: Sequence[Key], order: Order | None) -> DedupResult | None:
        """Return the earlier delivery that this one repeats; `None` for a new delivery."""
        for key in keys:
            same = self._same(key, known, order) if key.kind != NUMBER else None
            if same is not None:
                reason = seen_before(key.kind, same.delivery_id, _differences(same.order, order))
                return DedupResult(repeats=same, reason=reason, taken=self._learned(known, keys, order, same))
        return None

    def _new(self, known: Known, keys: Sequence[Key], order: Order | None, delivery_id: object) -> DedupResult:
        warnings: list[str] = []
        for key in keys:
            if key.kind == ORDER_ID and order is not None:
                holders = (each for each in self._holders(key) if each.is_trusted == known.is_trusted)
                others = [
                    (each.delivery_id, each.order)
                    for each in holders
                    if each.order and not _are_other_orders(key, each.order, order)
                ]
                warnings += [another_order(holder, _totals(other, order)) for holder, other in others]
        return DedupResult(warnings=tuple(warnings[:1]), taken=self._take_all(known, keys, order, delivery_id))

    # -----------------------------------------------------------------------------------------------------------------
    # The two sides of one order.

    def _meet_page(
        self, known: NewDelivery, keys: Sequence[Key], order: Order, delivery_id: object
    ) -> DedupResult | None:
        """Return the result for a shop order that meets page orders; `None` if it repeats a shop order."""
        met = [_PageOrder(*each, _match(_stored_order(*each), order)) for each in self._met(keys, order)]
        met = [each for each in met if not each.twin.is_trusted]
        of_id = self._twins_of(keys[0])
        if not (met or of_id) or self._repeated(known, keys, order):
            return None
        matching = _best_matches(met)
        open_ones = [each for each in matching if each.twin.is_open]
        is_unclear = len(matching) > 1 and matching[0].match is Match.WEAK
        into = None if is_unclear or not open_ones else open_ones[0]
        dropped = {each.twin.delivery_id: (each.twin, _why_dropped(each, into)) for each in met if each.twin.is_open}
        for twin in of_id:
            if twin.is_open and not twin.is_trusted:
                dropped.setdefault(twin.delivery_id, (twin, SHOP_HAS_ID))
        if into is not None:
            dropped.pop(into.twin.delivery_id, None)
            return self._merge_page(known, keys, order, into, met, of_id, tuple(dropped.values()))
        gone = tuple(dropped.values())
        accepted = next((each.holder for each in matching if each.twin.state == State.DELIVERED), None)
        if accepted is not None:
            reason = f"{seen_before(ORDER_ID, accepted.delivery_id, ())}; {PAGE_WAS_TAKEN}"
            taken = self._take_all(known, keys, order, accepted.delivery_id)
            return DedupResult(repeats=accepted, reason=reason, taken=taken, pairing=Pairing(dropped=gone))
        follows = next((each.twin.delivery_id for each in matching if each.twin.has_left), None)
        pairing = Pairing(follows=follows, dropped=gone, opt_outs=tuple(each.twin for each in open_ones))
        others = [each for each in met if each.twin.has_left and each not in matching]
        return self._beside(known, keys, order, delivery_id, matching=matching, others=others, pairing=pairing)

    def _merge_page(
        self,
        known: NewDelivery,
        keys: Sequence[Key],
        order: Order,
        page: "_PageOrder",
        met: Sequence["_PageOrder"],
        of_id: Sequence[StoredDelivery],
        dropped: tuple[tuple[StoredDelivery, str], ...],
    ) -> DedupResult:
        """Return the merge of a shop order into a page order, without an event id that was sent before."""
        others = [each for each in met if each.twin.has_left and each.match is not None]
        pairing = Pairing(
            into=page.twin,
            match=page.match,
            dropped=dropped,
            may_name_id=not any(
                holds_id(each.twin, self._now) and each.twin.event_id == page.twin.event_id for each in met
            ),
        )
        left = [twin for twin in of_id if twin is not page.twin and holds_id(twin, self._now)]
        return self._merge(known, keys, order, pairing, left=left, others=others)

    def _beside(
        self,
        known: NewDelivery,
        keys: Sequence[Key],
        order: Order,
        delivery_id: object,
        *,
        matching: Sequence["_PageOrder"],
        others: Sequence["_PageOrder"],
        pairing: Pairing,
    ) -> DedupResult:
        """Return that a shop order is stored beside page orders, with a new event id if its id was sent before.

        `others` are the page orders that were sent and are not `matching`.
        """
        joined = {each.twin.delivery_id for each in matching}
        of_id = [twin for twin in self._twins_of(keys[0]) if twin.delivery_id not in joined]
        event_id = None
        if any(holds_id(twin, self._now) for twin in of_id):
            event_id = own_event_id(known.source, known.event_id, known.order_id)
        warnings, told = _report_both(of_id if event_id else (), others, order, delivery_id, event_id)
        taken = self._take_all(known, keys, order, delivery_id)
        learned: tuple[TakenKey, ...] = ()
        if event_id is not None:
            learned, taken = taken[:1], taken[1:]
            taken = (
                *self._take_all(known, _keys_of_event(replace(known, event_id=event_id)), order, delivery_id),
                *taken,
            )
        pairing = change(pairing, event_id=event_id, told=told, learned=learned)
        return DedupResult(taken=taken, warnings=warnings, pairing=pairing)

    def _meet_shop(
        self, known: NewDelivery, keys: Sequence[Key], order: Order, delivery_id: object
    ) -> DedupResult | None:
        met = self._met(keys, order)
        shop = [(holder, twin) for holder, twin in met if holder.is_trusted and twin.is_trusted and twin.is_open]
        matches = ((twin, _match(order, _stored_order(holder, twin))) for holder, twin in shop)
        into, match = next((each for each in matches if each[1] not in {None, Match.EARLY}), (None, None))
        if into and match and self._may_join(known, keys[0], into, match):
            of_id = [twin for twin in self._twins_of(keys[0]) if twin.delivery_id != into.delivery_id]
            may_name_id = not any(twin.has_left or twin.is_trusted for twin in of_id)
            names_id = may_name_id and known.side is not None and known.side.names_event_id
            dropped = tuple((twin, SHOP_HAS_ID) for twin in of_id if names_id and twin.is_open)
            pairing = Pairing(into=into, match=match, may_name_id=may_name_id, dropped=dropped)
            return self._merge(known, keys, order, pairing)
        claims = [(holder, twin) for holder, twin in met if twin.is_open or twin.has_left]
        if not (known.wait_s and claims) or any(twin.is_trusted for _, twin in met):
            return None
        holders = {holder.delivery_id for key in keys if key.is_of_event for holder in self._holders(key)}
        is_of_others = not holders <= {twin.delivery_id for _, twin in claims}  # an event of another order has its id
        if is_of_others or any(twin.message_id == known.message_id for _, twin in claims):
            return None
        return self._claim(known, keys, order, delivery_id, claims)

    def _may_join(self, known: NewDelivery, key: Key, shop: StoredDelivery, match: Match) -> bool:
        """Return whether a page order adds data to a shop order that was not sent yet."""
        before = shop.side.match if shop.side else None
        if before is Match.WEAK and match is Match.STRONG:
            return True
        return not (before is Match.STRONG and match is Match.WEAK) and not self._is_in(key, known, shop)

    def _claim(
        self,
        known: NewDelivery,
        keys: Sequence[Key],
        order: Order,
        delivery_id: object,
        claims: Sequence[tuple[KeyOwner, StoredDelivery]],
    ) -> DedupResult | None:
        """Return the result for another page order of an order id while no shop order is known.

        Return `None` if it repeats an event: the message was merged before, or its sender's order was sent.
        """
        side = known.side or OrderSide()
        for holder, twin in claims:
            earlier = twin.side or (holder.order and holder.order.side) or OrderSide()
            if twin.waits and is_same_report(earlier, side):
                message = message_key(known)
                if any(each.delivery_id == twin.delivery_id for each in self._holders(message)):
                    return None
                return self._merge(known, [*keys, message], order, Pairing(into=twin))
            if not twin.waits and has_same_sender(earlier, side):
                return None
        taken = self._take_all(known, keys, order, delivery_id, evicts=True)
        evicted = {each.instead_of.delivery_id for each in taken if each.instead_of}
        ahead = next((twin.delivery_id for _, twin in claims if twin.delivery_id not in evicted), None)
        dropped = tuple((twin, GAVE_WAY) for _, twin in claims if twin.delivery_id in evicted and twin.is_open)
        pairing = Pairing(
            follows=None if known.is_withheld_alone else ahead,
            dropped=dropped,
            heirs=tuple((twin.delivery_id, ahead) for twin, _ in dropped if ahead),
        )
        return DedupResult(taken=taken, pairing=pairing)

    def _merge(
        self,
        known: NewDelivery,
        keys: Sequence[Key],
        order: Order,
        pairing: Pairing,
        *,
        left: Sequence[StoredDelivery] = (),
        others: Sequence["_PageOrder"] = (),
    ) -> DedupResult:
        """Return the merge of a delivery: the other delivery gets its keys, and is trusted by the keys from a shop.

        `left` are sent deliveries with the event id of the other delivery, which then gets a new id. `others` are page
        orders that were sent and match the shop order.
        """
        into = cast("StoredDelivery", pairing.into)
        learned: list[TakenKey | None] = []
        for key in keys:
            is_of_order = key.kind in {ORDER_ID, TOKEN} and not key.is_of_event
            if any(
                each.delivery_id == into.delivery_id and (is_of_order or each.is_trusted == known.is_trusted)
                for each in self._held.get(key.digest, ())
            ):
                learned += self._prove(key, into) if known.is_trusted and is_of_order else ()
            elif known.is_trusted or key.kind != ORDER_ID or key.is_of_event or into.order_id is None:
                learned.append(self._take(key, known, order, into.delivery_id, self._now))
        event_id = own_event_id(known.source, known.event_id, known.order_id) if left else None
        if event_id is not None:
            own = _keys_of_event(replace(known, event_id=event_id))
            learned += self._take_all(known, own, order, into.delivery_id)
        warnings, told = _report_both(left, others, order, into.delivery_id, event_id)
        return DedupResult(
            repeats=KeyOwner(into.delivery_id, self._now, self._now, order=order),
            reason=f"{MERGED_INTO} {into.delivery_id}, message {into.message_id}",
            warnings=warnings,
            pairing=change(pairing, event_id=event_id, told=told, learned=tuple(filter(None, learned))),
        )

    def _prove(self, key: Key, twin: StoredDelivery) -> list[TakenKey]:
        """Make the key of an order of a public delivery trusted, after a merge with a trusted delivery."""
        trusted = []
        for at, each in enumerate(self._held.get(key.digest, ())):
            if each.delivery_id == twin.delivery_id and not each.is_trusted:
                self._held[key.digest][at] = each._replace(is_trusted=True)
                trusted.append(TakenKey(key, self._held[key.digest][at]))
        return trusted

    def _is_in(self, key: Key, known: NewDelivery, twin: StoredDelivery) -> bool:
        """Return whether the same page event was merged into a delivery before."""
        holders = (each for each in self._holders(key) if each.delivery_id == twin.delivery_id)
        return twin.message_id == known.message_id or any(not each.is_trusted for each in holders)

    def _met(self, keys: Sequence[Key], order: Order) -> list[tuple[KeyOwner, StoredDelivery]]:
        met: dict[object, tuple[KeyOwner, StoredDelivery]] = {}
        for key in sorted(keys, key=lambda each: each.kind != TOKEN):  # an equal token is the best match
            if key.kind in {ORDER_ID, TOKEN} and not key.is_of_event:
                for holder in self._holders(key):
                    if _are_other_orders(key, holder.order, order) and not _are_bound(holder.order, order):
                        continue
                    twin = (self.twins or {}).get(holder.delivery_id)
                    if twin is not None:
                        met.setdefault(twin.delivery_id, (holder, twin))
        return sorted(met.values(), key=lambda each: each[1].delivery_id)

    def _twins_of(self, key: Key) -> list[StoredDelivery]:
        found = ((self.twins or {}).get(holder.delivery_id) for holder in self._holders(key))
        return [twin for twin in found if twin is not None]

    # -----------------------------------------------------------------------------------------------------------------
    # Keys.

    def _holders(self, key: Key) -> Sequence[KeyOwner]:
        """Return the owners of a key, without shop orders with another id to which a page event linked the key."""
        held = self._held.get(key.digest, ())
        if key.kind != ORDER_ID or key.is_of_event or not self.twins:
            return held
        return [each for each in held if each.is_trusted or not self._is_another(each.delivery_id)]

    def _is_another(self, delivery_id: object) -> bool:
        """Return whether the delivery is a shop order with an order id of its own."""
        twin = (self.twins or {}).get(delivery_id)
        return twin is not None and twin.is_trusted and twin.order_id is not None

    def _same(self, key: Key, known: Known, order: Order | None) -> KeyOwner | None:
        """Return the most similar owner of an equal key; `None` without one.

        If counterparts of orders are known, a trusted event repeats no public event by its key alone.
        """
        trusted_only = known.is_trusted and self.twins is not None
        same = [
            each
            for each in self._holders(key)
            if (each.is_trusted or not trusted_only) and _is_repeated(key, each, known, order)
        ]
        return min(same, key=lambda each: len(_differences(each.order, order)), default=None)

    def _learned(
        self, known: Known, keys: Sequence[Key], order: Order | None, holder: KeyOwner
    ) -> tuple[TakenKey, ...]:
        """Take the free keys of the order or checkout for the repeated delivery.

        A checkout without a known order belongs to this order from now on; its amounts stay.
        """
        if order is not None:
            order = order._replace(side=holder.order.side if holder.order else OrderSide())
        learned = []
        for key in keys:
            if key.kind == EVENT_ID:
                continue
            if not self._holders(key):
                learned.append(self._take(key, known, order, holder.delivery_id, holder.since))
            elif key.kind == CHECKOUT_ID and order is not None and order.order_id is not None:
                learned += self._name(key, order.order_id, holder)
        return tuple(filter(None, learned))

    def _name(self, key: Key, order_id: str, holder: KeyOwner) -> list[TakenKey]:
        """Set the order of a checkout that `holder` owns without one; return the keys to store."""
        named = []
        for at, each in enumerate(self._held[key.digest]):
            if each.delivery_id == holder.delivery_id and each.order and each.order.order_id is None:
                self._held[key.digest][at] = each._replace(order=each.order._replace(order_id=order_id))
                named.append(TakenKey(key, self._held[key.digest][at]))
        return named

    def _take_all(
        self, known: Known, keys: Sequence[Key], order: Order | None, delivery_id: object, *, evicts: bool = False
    ) -> tuple[TakenKey, ...]:
        taken = (self._take(key, known, order, delivery_id, self._now, evicts=evicts) for key in keys)
        return tuple(filter(None, taken))

    def _take(
        self,
        key: Key,
        known: Known,
        order: Order | None,
        delivery_id: object,
        since: float,
        *,
        evicts: bool = False,
    ) -> TakenKey | None:
        """Take a key.

        If all places are taken, the oldest owner loses its place with `evicts=True`; otherwise return `None`.

        Owners that are no longer stored lose their places first. Sent ones come last, so that their orders are not sent
        again; before these come owners with a token.
        """
        holders, is_trusted = self._held.setdefault(key.digest, []), known.is_trusted
        alike, instead_of = [each for each in holders if each.is_trusted == is_trusted], None
        if len(alike) >= MAX_PLACES:
            if not evicts:
                return None
            instead_of = min(alike, key=self._rank)
            holders.remove(instead_of)
        places = set(range(2 * MAX_PLACES)) - {holder.place for holder in holders}
        place = instead_of.place if instead_of else min(places)
        is_event = key.kind == EVENT_ID
        until = self._now + (self._rules.dedup_window_s if is_event else self._rules.ledger_s)
        source = own_number_of(known) if is_event else None
        holders.append(KeyOwner(delivery_id, since, until, place, None if is_event else order, is_trusted, source))
        return TakenKey(key, holders[-1], instead_of)

    def _rank(self, holder: KeyOwner) -> tuple[bool, bool, bool, Any]:
        side = holder.order.side if holder.order else None
        twin = (self.twins or {}).get(holder.delivery_id)
        has_token = side is not None and side.token is not None
        return twin is not None, twin is not None and twin.has_left, has_token, holder.delivery_id


def own_event_id(source: str, event_id: str, order_id: str | None) -> str:
    """Return the new event id for a shop order with an id that was sent with another order: the same for each retry."""
    return hashlib.sha256(orjson.dumps([source, event_id, order_id])).hexdigest()


def own_number_of(known: Known) -> str | None:
    """Return the source of an event id from the sender's own numbering; `None` for other ids."""
    return known.source if _OWN_NUMBER.fullmatch(known.event_id) else None


class _PageOrder(NamedTuple):
    """A page order that a shop order meets."""

    holder: KeyOwner | None
    twin: StoredDelivery
    match: Match | None


def _best_matches(met: Sequence[_PageOrder]) -> list[_PageOrder]:
    """Return the strong matches that wait or were sent; without any, the weak ones."""
    live = [each for each in met if each.twin.is_open or each.twin.has_left]
    strong = [each for each in live if each.match is Match.STRONG]
    return strong or [each for each in live if each.match is Match.WEAK]


def _why_dropped(page: _PageOrder, into: _PageOrder | None) -> str:
    """Return the reason why a waiting page order is not sent."""
    if page.match is None:
        return SHOP_DIFFERS
    if page.match is Match.EARLY:
        return ARRIVED_EARLY
    return ANOTHER_MATCHES if into is not None else SEVERAL_MATCH


def _stored_order(holder: KeyOwner, twin: StoredDelivery) -> Order | None:
    """Return an order with the current data of the delivery, or as its key stores the order after the send."""
    side = twin.side if twin.is_open else None
    return holder.order._replace(side=side) if holder.order and side else holder.order


def _match(public: Order | None, trusted: Order | None) -> Match | None:
    if public is None or trusted is None:
        return None
    if public.side is None or trusted.side is None:  # from before page and shop orders were paired
        return Match.WEAK if (public.amount, public.currency) == (trusted.amount, trusted.currency) else None
    return match_orders(public.side, trusted.side)


def _are_bound(public: Order | None, trusted: Order | None) -> bool:
    return _match(public, trusted) is not None


def _report_both(
    of_id: Iterable[StoredDelivery],
    others: Iterable[_PageOrder],
    order: Order,
    delivery_id: object,
    event_id: str | None,
) -> tuple[tuple[str, ...], tuple[tuple[StoredDelivery, str], ...]]:
    """Return the warning of a shop order, and those of the page orders that were sent too."""
    told = {twin.delivery_id: _PageOrder(None, twin, None) for twin in of_id}
    told |= {each.twin.delivery_id: each for each in others}
    about = f"{SHOP_SENT_TOO}: delivery {delivery_id} with {order.total or 'no total'}; both are sent"
    warnings = tuple(_sent_too(each, order, event_id) for each in told.values())
    return warnings[:1], tuple((each.twin, about) for each in told.values())


def _sent_too(page: _PageOrder, order: Order, event_id: str | None) -> str:
    """Return the warning of a shop order about a page order that was sent too."""
    under = f"; sent under the event_id {event_id}, since its own left before" if event_id else ""
    total, sent = order.total or "no total", f"delivery {page.twin.delivery_id} was sent with {_total_of(page.twin)}"
    if page.match is None:
        return f"{PAGE_DIFFERS}: {sent}, this one with {total}{under}"
    why = ARRIVED_EARLY if page.match is Match.EARLY else ANOTHER_MATCHES
    return f"{PAGE_SENT_TOO}: {sent}; {why}; both are sent{under}"


def _total_of(twin: StoredDelivery) -> str:
    return " ".join(filter(None, (twin.amount, twin.currency))) or "no total"


def _is_repeated(key: Key, earlier: KeyOwner, known: Known, order: Order | None) -> bool:
    if not may_change(by_trusted=known.is_trusted, of_trusted=earlier.is_trusted):
        if _are_other_checkouts(key, earlier.order, order):
            return False
        return not _are_other_orders(key, earlier.order, order) or _are_bound(order, earlier.order)
    if not may_change(by_trusted=earlier.is_trusted, of_trusted=known.is_trusted):
        is_of_order = key.kind in {ORDER_ID, TOKEN} and not key.is_of_event
        return is_of_order and _match(earlier.order, order) not in {None, Match.EARLY}
    if earlier.source is not None and earlier.source != known.source:
        return False
    return _is_same(key, earlier.order, order)


def _are_other_checkouts(key: Key, earlier: Order | None, order: Order | None) -> bool:
    """Return whether a checkout cannot identify two events: both have order ids, and these differ."""
    if key.kind != CHECKOUT_ID or earlier is None or order is None:
        return False
    return None not in (earlier.order_id, order.order_id)


def _are_other_orders(key: Key, earlier: Order | None, order: Order | None) -> bool:
    """Return whether a value that is the id of one order and the number of another cannot identify the two.

    If both have both values, these decide. Otherwise they are equal only with an equal amount and no different buyer.
    """
    if key.kind != ORDER_ID or earlier is None or order is None or None in (earlier.order_id, order.order_id):
        return False
    ids, names = (set(_spellings(each.order_id or "")) for each in (earlier, order)), (earlier.number, order.number)
    if not set.isdisjoint(*ids) or names == (None, None):
        return False
    if None not in names:
        return {earlier.order_id, earlier.number} != {order.order_id, order.number}
    return None in (earlier.amount, order.amount) or earlier.has_other_total(order) or earlier.has_other_buyer(order)


def _is_same(key: Key, earlier: Order | None, order: Order | None) -> bool:
    if earlier is None or order is None:
        return True
    if _are_other_checkouts(key, earlier, order) or _are_other_orders(key, earlier, order):
        return False
    return not (earlier.has_other_buyer(order) and earlier.has_other_total(order))


def _differences(earlier: Order | None, order: Order | None) -> tuple[str, ...]:
    if earlier is None or order is None:
        return ()
    found = []
    if earlier.has_other_buyer(order):
        found.append("the buyer differs")
    if earlier.has_other_total(order):
        found.append(f"the total differs ({_totals(earlier, order)})")
    return tuple(found)


def _totals(earlier: Order, order: Order) -> str:
    return f"{earlier.total} then, {order.total} now"


#: A row of an engine's query `seen`: digest, delivery, since, until, position, the stored order or the source of the
#: event, and whether the key is trusted.
SeenRow: TypeAlias = tuple[str, int, float, float, int, str | None, bool]


def key_owner(row: SeenRow) -> KeyOwner:
    """Read the owner of a key from an engine's row."""
    _, delivery_id, since, until, place, known, is_trusted = row
    is_order = known is not None and known.startswith("[")
    order = Order.read(known) if known and is_order else None
    source = orjson.loads(known) if known and not is_order else None
    return KeyOwner(delivery_id, since, until, place, order, bool(is_trusted), source)


def order_ids_of(numbers: Iterable[str], rows: Iterable[SeenRow]) -> dict[str, list[str]]:
    """Return the ids of the orders with these other names; `rows` contain the owners of their keys."""
    held = [(row[0], owner.order.order_id) for row in rows if (owner := key_owner(row)).order]
    found = {}
    for number in numbers:
        digests = set(number_digests(number))
        found[number] = sorted({order_id for digest, order_id in held if digest in digests and order_id})
    return {number: ids for number, ids in found.items() if ids}


def names_of(rows: Iterable[SeenRow]) -> list[str]:
    """Return the ids and other names of the orders with some keys."""
    orders = [order for row in rows if (order := key_owner(row).order)]
    return sorted({name for order in orders for name in (order.order_id, order.number) if name})
