"""De-duplication: the keys of a delivery, and whether it repeats an earlier one. Every engine asks it."""

import binascii
import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, Self, TypeAlias

import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import NewDelivery, Seen
from app.core.events import Exit
from app.outbox.backpressure import another_order, seen_before
from app.outbox.rows import as_json, kept

_DIGEST_BYTES = 15  # 120 bits, which base64 writes as 20 characters without padding

_NUL: Final = rb"\u0000"

#: Kinds of keys, named after what is the same.
EVENT_ID: Final = "event_id"
ORDER_ID: Final = "order_id"
CHECKOUT_ID: Final = "checkout_id"
#: How the source `woocommerce` began the event id of an order, and how it does now, as Pinterest's plugin.
_RENAMED: Final = ("woocommerce-order-", "checkout_")


#: How what is known of an order begins whose person was erased: JSON of when that was.
_ERASED: Final = '{"erased":'


def erased_text(now: float) -> str:
    """Return what is kept beside a key from now on whose person is erased."""
    return f"{_ERASED}{now}}}"


def is_erased(known: str) -> bool:
    """Return whether what is kept beside a key says that its person was erased."""
    return known.startswith(_ERASED)


def erased_at(known: str) -> float:
    """Return when, in Unix seconds."""
    return float(orjson.loads(known)["erased"])


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


def keys_of(known: HasKeys, rules: OutboxSettings) -> tuple[Key, ...]:
    """Return the key of the event; where orders are compared, those of the order and the checkout that it names."""
    events = _keys_of_event(known)
    if not rules.dedup_orders or (known.order_id is None and known.checkout_id is None):
        return events
    return *events, *_keys_of_order(known, (known.source,) if rules.orders_by_source else ())


def every_key_of(known: HasKeys) -> tuple[Key, ...]:
    """Return every key that a delivery may hold: the rules may have been others when it was enqueued."""
    return *_keys_of_event(known), *_keys_of_order(known, ()), *_keys_of_order(known, (known.source,))


def _keys_of_event(known: HasKeys) -> tuple[Key, ...]:
    """Return the key of the event id, and that of the other id which a shipped source gave the same order."""
    of_preset = ("event", known.ad_account_id, known.preset, known.event_name)
    keys = [Key(EVENT_ID, _digest(*of_preset, known.event_id))]
    for mine, other in (_RENAMED, _RENAMED[::-1]) if known.event_name == "checkout" else ():
        if known.event_id.startswith(mine):
            keys.append(Key(ORDER_ID, _digest(*of_preset, other + known.event_id.removeprefix(mine))))
    return tuple(keys)


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


def why_erased(keys: Iterable[Key], erased: Mapping[str, float]) -> str:
    """Return why a delivery is withheld one of whose keys is of somebody who was erased; "" where none is."""
    at = next((erased[key.digest] for key in keys if key.digest in erased), None)
    return "" if at is None else f"its person was erased on {time.strftime('%d %B %Y', time.gmtime(at))}"


#: Orders that hold one key. What comes behind them is sent, but not remembered by it: such an id names no order.
MAX_PLACES = 16
#: Of the digest of an e-mail address: enough to tell buyers apart, and half as long.
_BUYER_CHARACTERS = 32


class Known(Protocol):
    """What an order is known by beside its id: a NewDelivery, or a dead letter that is to be sent again."""

    @property
    def order_id(self) -> str | None:
        """As sent; None where there is none."""
        ...

    @property
    def buyer(self) -> Sequence[str]:
        """Digests of the buyer's e-mail addresses."""
        ...

    @property
    def amount(self) -> str | None:
        """As sent; None where there is none."""
        ...

    @property
    def currency(self) -> str | None:
        """As sent; None where there is none."""
        ...


class Order(NamedTuple):
    """What is remembered of an order beside its key."""

    #: None where the checkout named none.
    order_id: str | None
    #: The beginnings of the digests of the buyer's e-mail addresses; empty where none is known.
    buyer: tuple[str, ...]
    #: Value and currency as sent; None where none was.
    amount: str | None
    currency: str | None

    @classmethod
    def of(cls, known: Known) -> Self:
        """Return what is remembered of a delivery."""
        buyer = tuple(digest[:_BUYER_CHARACTERS] for digest in known.buyer)
        return cls(known.order_id, buyer, known.amount, known.currency)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the order that a stored `text` holds."""
        order_id, buyer, amount, currency = orjson.loads(text)
        return cls(order_id, tuple(buyer), amount, currency)

    @property
    def text(self) -> str:
        """The order as it is stored beside its key: JSON."""
        return as_json(tuple(self))

    @property
    def total(self) -> str:
        """Value and currency as a person reads them."""
        return " ".join(filter(None, (self.amount, self.currency)))

    def has_other_buyer(self, other: "Order") -> bool:
        """Return whether both buyers are known, and are not one person."""
        return bool(self.buyer and other.buyer) and set(self.buyer).isdisjoint(other.buyer)

    def has_other_total(self, other: "Order") -> bool:
        """Return whether both totals are known, and differ; a currency that is missing differs from none."""
        if self.amount is None or other.amount is None:
            return False
        currencies = {self.currency, other.currency} - {None}
        return self.amount != other.amount or len(currencies) > 1


class KeyOwner(NamedTuple):
    """A delivery that holds a key."""

    #: Its id; None where it is one of the same call, which has none yet.
    delivery_id: object | None
    #: Unix seconds: when it was enqueued or redriven, and when the key is forgotten.
    since: float
    until: float
    #: Among the holders of the key, counted from 0.
    place: int = 0
    #: None at the key of an event.
    order: Order | None = None


class TakenKey(NamedTuple):
    """A key that is to be remembered, and who holds it."""

    key: Key
    holder: KeyOwner

    def row(self, delivery: object) -> list[object]:
        """Return its row for `delivery`, which takes it: an id, or the place among those that are stored with it."""
        row = [self.key.digest, delivery, self.holder.until]
        return [*row, self.holder.place, self.holder.order.text] if self.holder.order else row


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupResult:
    """Whether a delivery is new or repeats an earlier one."""

    #: Who holds a key of it; None where it is new.
    repeats: KeyOwner | None = None
    #: Which key was seen before, and what differs; "" where it is new.
    reason: str = ""
    #: About a new one that is like an earlier order.
    warnings: tuple[str, ...] = ()
    taken: tuple[TakenKey, ...] = ()


class Deduplicator:
    """Checks deliveries one after the other; what is new is remembered for those that follow."""

    def __init__(self, held: Mapping[str, Sequence[KeyOwner]], *, now: float, rules: OutboxSettings) -> None:
        """Take who holds a key, by digest; forgotten ones (`until` is over) count for nothing."""
        self._now = now
        self._rules = rules
        self._held = {digest: [each for each in holders if each.until > now] for digest, holders in held.items()}

    @property
    def held(self) -> Mapping[str, Sequence[KeyOwner]]:
        """Who holds a key now, by digest."""
        return self._held

    def check(self, known: Known, keys: Sequence[Key], delivery_id: object | None) -> DedupResult:
        """Return what a delivery with these keys is; `delivery_id` is its own, None where it has none yet."""
        order = Order.of(known) if len(keys) > 1 else None
        warnings: list[str] = []
        for key in keys:
            same = self._same(key, order)
            if same is not None:
                reason = seen_before(key.kind, same.delivery_id, _differences(same.order, order))
                return DedupResult(repeats=same, reason=reason, taken=self._learned(keys, order, same))
            if key.kind == ORDER_ID and order is not None:
                others = [(each.delivery_id, each.order) for each in self._holders(key) if each.order]
                warnings += [another_order(holder, _totals(other, order)) for holder, other in others]
        taken = tuple(filter(None, (self._take(key, order, delivery_id, self._now) for key in keys)))
        return DedupResult(warnings=tuple(warnings[:1]), taken=taken)

    def _holders(self, key: Key) -> Sequence[KeyOwner]:
        return self._held.get(key.digest, ())

    def _same(self, key: Key, order: Order | None) -> KeyOwner | None:
        """Return the holder of a key that is the same, the most alike first; None where none is."""
        same = [each for each in self._holders(key) if _is_same(key, each.order, order)]
        return min(same, key=lambda each: len(_differences(each.order, order)), default=None)

    def _learned(self, keys: Sequence[Key], order: Order | None, holder: KeyOwner) -> tuple[TakenKey, ...]:
        """Take, for what is repeated, the keys that nobody holds and that name its order or its checkout.

        A checkout of which the order was not known is one of that order from now on.
        """
        learned = []
        for key in keys:
            if key.kind == EVENT_ID:
                continue
            if not self._holders(key):
                learned.append(self._take(key, order, holder.delivery_id, holder.since))
            elif key.kind == CHECKOUT_ID and order is not None and order.order_id is not None:
                learned += self._name(key, order.order_id, holder)
        return tuple(filter(None, learned))

    def _name(self, key: Key, order_id: str, holder: KeyOwner) -> list[TakenKey]:
        """Name the order of a checkout that `holder` holds without one; return what is to be remembered of it."""
        named = []
        for at, each in enumerate(self._held[key.digest]):
            if each.delivery_id == holder.delivery_id and each.order and each.order.order_id is None:
                self._held[key.digest][at] = each._replace(order=each.order._replace(order_id=order_id))
                named.append(TakenKey(key, self._held[key.digest][at]))
        return named

    def _take(self, key: Key, order: Order | None, delivery_id: object | None, since: float) -> TakenKey | None:
        """Take a key; None where so many hold it that it names nothing."""
        holders = self._held.setdefault(key.digest, [])
        free = set(range(MAX_PLACES)) - {holder.place for holder in holders}
        if not free:
            return None
        is_event = key.kind == EVENT_ID
        until = self._now + (self._rules.dedup_window_s if is_event else self._rules.ledger_s)
        holders.append(KeyOwner(delivery_id, since, until, min(free), None if is_event else order))
        return TakenKey(key, holders[-1])


def _is_same(key: Key, earlier: Order | None, order: Order | None) -> bool:
    """Return whether a delivery with the same key is the same event or order."""
    if earlier is None or order is None:
        return True
    if key.kind == CHECKOUT_ID and None not in (earlier.order_id, order.order_id):
        return False
    return not (earlier.has_other_buyer(order) and earlier.has_other_total(order))


def _differences(earlier: Order | None, order: Order | None) -> tuple[str, ...]:
    """Say what differs between two deliveries of one order."""
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


#: A row of an engine's query `seen`: digest, delivery, since when, until when, place, what is known of the order.
SeenRow: TypeAlias = tuple[str, int, float, float, int, str | None]


def digests_of(deliveries: Sequence[NewDelivery], rules: OutboxSettings) -> list[str]:
    """Return the digests of the keys of all deliveries."""
    return [key.digest for delivery in deliveries for key in keys_of(delivery, rules)]


def repeated(
    deliveries: Sequence[NewDelivery], rows: Iterable[SeenRow], *, now: float, rules: OutboxSettings
) -> list[Seen | None]:
    """Return which earlier delivery each one repeats, or what warns of it; None where it is new and like no other.

    `rows` tell who holds a key.
    """
    held: defaultdict[str, list[KeyOwner]] = defaultdict(list)
    erased: dict[str, float] = {}
    for digest, delivery_id, since, until, place, known in rows:
        if known and is_erased(known):
            erased[digest] = erased_at(known)
            continue
        held[digest].append(KeyOwner(delivery_id, since, until, place, Order.read(known) if known else None))
    dedup = Deduplicator(held, now=now, rules=rules)
    found: list[Seen | None] = []
    for delivery in deliveries:
        if why := why_erased(keys_of(delivery, rules), erased):
            found.append(Seen(reason=why, at=max(erased.values()), exit=Exit.WITHHELD))
            continue
        result = dedup.check(delivery, keys_of(delivery, rules), None)
        at = result.repeats.since if result.repeats else now
        is_told = result.repeats or result.warnings
        found.append(Seen(reason=result.reason, at=at, warnings=result.warnings) if is_told else None)
    return found
