"""Whether a delivery repeats an earlier one: one judgement for every engine, for enqueue, for `seen` and for redrives.

    event key      one event for one preset                     repeated: the same event
    order key      one order id of one ad account               repeated: the same order, unless buyer and total differ
    checkout key   one checkout id of one ad account            repeated: the same, where one of the two names no order

Several orders may hold one order or checkout key, each in a place of its own. What an order that is repeated did not
know (its order id, its checkout) is learned from the repetition, so that the third event is known by either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import orjson

from app.outbox.keys import CHECKOUT_ID, EVENT_ID, ORDER_ID, Key
from app.outbox.outbox_rules import OutboxRules
from app.outbox.refusals import another_order, seen_before
from app.outbox.rows import as_json

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


class Holder(NamedTuple):
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
    holder: Holder

    def row(self, delivery: object) -> list[object]:
        """Return its row for `delivery`, which takes it: an id, or the place among those that are stored with it."""
        row = [self.key.digest, delivery, self.holder.until]
        return [*row, self.holder.place, self.holder.order.text] if self.holder.order else row


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a delivery is new or repeats an earlier one."""

    #: Who holds a key of it; None where it is new.
    repeats: Holder | None = None
    #: Which key was seen before, and what differs; "" where it is new.
    reason: str = ""
    #: About a new one that is like an earlier order.
    warnings: tuple[str, ...] = ()
    taken: tuple[TakenKey, ...] = ()


class Judge:
    """Judges deliveries one after the other; what is new is remembered for those that follow."""

    def __init__(self, held: Mapping[str, Sequence[Holder]], *, now: float, rules: OutboxRules) -> None:
        """Take who holds a key, by digest; forgotten ones (`until` is over) count for nothing."""
        self._now = now
        self._rules = rules
        self._held = {digest: [each for each in holders if each.until > now] for digest, holders in held.items()}

    @property
    def held(self) -> Mapping[str, Sequence[Holder]]:
        """Who holds a key now, by digest."""
        return self._held

    def judge(self, known: Known, keys: Sequence[Key], delivery_id: object | None) -> Judgement:
        """Return what a delivery with these keys is; `delivery_id` is its own, None where it has none yet."""
        order = Order.of(known) if len(keys) > 1 else None
        warnings: list[str] = []
        for key in keys:
            same = self._same(key, order)
            if same is not None:
                reason = seen_before(key.kind, same.delivery_id, _differences(same.order, order))
                return Judgement(repeats=same, reason=reason, taken=self._learned(keys, order, same))
            if key.kind == ORDER_ID and order is not None:
                others = [(each.delivery_id, each.order) for each in self._holders(key) if each.order]
                warnings += [another_order(holder, _totals(other, order)) for holder, other in others]
        taken = tuple(filter(None, (self._take(key, order, delivery_id, self._now) for key in keys)))
        return Judgement(warnings=tuple(warnings[:1]), taken=taken)

    def _holders(self, key: Key) -> Sequence[Holder]:
        return self._held.get(key.digest, ())

    def _same(self, key: Key, order: Order | None) -> Holder | None:
        """Return the holder of a key that is the same, the most alike first; None where none is."""
        same = [each for each in self._holders(key) if _is_same(key, each.order, order)]
        return min(same, key=lambda each: len(_differences(each.order, order)), default=None)

    def _learned(self, keys: Sequence[Key], order: Order | None, holder: Holder) -> tuple[TakenKey, ...]:
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

    def _name(self, key: Key, order_id: str, holder: Holder) -> list[TakenKey]:
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
        holders.append(Holder(delivery_id, since, until, min(free), None if is_event else order))
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
