"""Convert the results of an event to requests for the outbox: a delivery to enqueue, or a withdrawal."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from msgspec.structs import replace

from app.catalog import Catalog
from app.config.settings import ConversionSettings
from app.core.deliveries import KnownOrder, NewDelivery, Withdrawal, columns_of
from app.core.events import DEFAULT_SOURCE, CounterRow, DroppedEvent, Event, Outcome
from app.core.fields import ORDER_DETAILS
from app.core.receipts import PresetResult
from app.core.values.candidates import Fields
from app.core.values.event_names import CHECKOUT
from app.core.values.order_channels import order_channel
from app.destination import match_keys
from app.destination.custom_data import CustomDataReader
from app.errors import MappingError
from app.mapping import MISSING
from app.mapping import Mapping as CompiledMapping
from app.outbox import Outbox
from app.pipeline.received_names import received_name
from app.source import checkout_id_of


async def withdrawn(
    outbox: Outbox, withdrawals: Sequence[Withdrawal], *, now: float
) -> tuple[list[CounterRow], set[tuple[str, str, str]]]:
    """Withdraw orders; return the number of withdrawn deliveries, and the cancellations without a waiting delivery.

    Counts are by preset, ad account and source of the cancellation; late cancellations are identified by message,
    preset and ad account. Raises OutboxUnavailable.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    found: dict[bool, set[tuple[str, str, str]]] = {True: set(), False: set()}
    for asked, count in zip(withdrawals, await outbox.withdraw(withdrawals, now=now), strict=True):
        counts[asked.preset, asked.ad_account_id, asked.source] += count
        found[count > 0].add((asked.message_id, asked.preset, asked.ad_account_id))
    return _withdrawn_counters(counts), found[False] - found[True]


async def withdrawn_before(
    outbox: Outbox, deliveries: Sequence[NewDelivery], cancellable: Collection[str], *, now: float
) -> tuple[list[CounterRow], set[int]]:
    """Withdraw orders that were cancelled before they arrived.

    Return the counts, and the positions of these deliveries.

    `cancellable` are the presets whose orders can be cancelled. Raises OutboxUnavailable.
    """
    places = [place for place, each in enumerate(deliveries) if each.preset in cancellable and each.placed_order]
    if not places:
        return [], set()
    found = {places[each] for each in await outbox.withdraw_cancelled([deliveries[at] for at in places], now=now)}
    counts = Counter((deliveries[at].preset, deliveries[at].ad_account_id, deliveries[at].source) for at in found)
    return _withdrawn_counters(counts), found


def _withdrawn_counters(counts: Counter[tuple[str, str, str]]) -> list[CounterRow]:
    return [
        CounterRow(name=Outcome.WITHDRAWN.value, preset=preset, ad_account_id=account, source=source, count=count)
        for (preset, account, source), count in sorted(counts.items())
        if count
    ]


def drafted_withdrawal(
    message_id: str, line: PresetResult, *, source: str, is_trusted: bool = False, shop: str = ""
) -> Withdrawal:
    """Return the withdrawal of a result that cancels an order."""
    amount, currency = line.refunds or (None, None)
    return Withdrawal(
        ad_account_id=line.ad_account_id,
        preset=line.preset or "",
        order_id=line.cancels or "",
        source=source,
        message_id=message_id,
        is_trusted=is_trusted,
        shop=shop,
        amount=amount,
        currency=currency,
    )


def drafted_delivery(
    message_id: str,
    event: Event,
    line: PresetResult,
    *,
    source: str = DEFAULT_SOURCE,
    is_trusted: bool = False,
    leaves_room: bool = False,
    shop_of: Callable[[str], str] = lambda _: "",
) -> NewDelivery:
    """Return the delivery of a result with a finished event.

    `shop_of` returns the shop of a source.
    """
    built = line.event or {}
    is_checkout = built["event_name"] == CHECKOUT
    return NewDelivery(
        **columns_of(built),
        ad_account_id=line.ad_account_id,
        preset=line.preset or "",
        message_id=message_id,
        event_name=built["event_name"],
        action_source=built["action_source"],
        source=source,
        hold_s=line.hold_s,
        checkout_id=checkout_id_of(event) if is_checkout else None,
        payload=orjson.dumps(built),
        warnings=line.warnings,
        quality=match_keys(built),
        memory=line.memory,
        name=received_name(event),
        is_trusted=is_trusted,
        leaves_room=leaves_room,
        shop=shop_of(source) if is_checkout else "",
        channel=order_channel(event) if is_checkout and is_trusted else "",
    )


#: Properties with an order id; without any of them an event without a preset has no ledger entry, because other names
#: are ambiguous.
_ORDER_IDS: Final = frozenset({"order_id", "orderId", "transaction_id", "order_number"})

_NO_ORDER: Final = KnownOrder(event_name=None, order_id=None, amount=None, currency=None)


def dropped_event_of(line: PresetResult, *, message_id: str, name: str, source: str, is_trusted: bool) -> DroppedEvent:
    """Return the ledger entry of a result without a delivery, with its order."""
    order = line.order or _NO_ORDER
    return DroppedEvent(
        message_id=message_id,
        ad_account_id=line.ad_account_id or None,
        preset=line.preset,
        outcome=line.outcome,
        reason=line.reason,
        event_name=order.event_name,
        order_id=order.order_id,
        amount=order.amount,
        currency=order.currency,
        source=source,
        name=name,
        channel=order.channel if is_trusted else "",
        is_trusted=is_trusted,
    )


def unsent_order(
    event: Mapping[str, Any], catalog: Catalog, rules: ConversionSettings, *, preset: str | None = None
) -> KnownOrder | None:
    """Return the order in an event, read as if the event were sent; `None` without an order.

    The order is read by this preset, or by the first preset that sends the event as a `checkout`; without one, from a
    property for order ids.
    """
    given: Event = dict(event)
    presets, name = catalog.matching(given), None
    for each in presets:
        if preset not in (None, each.name):
            continue
        fields = Fields()
        if (name := each.mapping.literal("event_name")) in (CHECKOUT, MISSING):
            fields = _found(each.mapping, given) or _found(catalog.order, given)
            name = fields.get("event_name", name)
        if name == CHECKOUT:
            return _known(CHECKOUT, fields, rules, order_channel(event))
    properties = event.get("properties")
    is_known = isinstance(name, str) if presets else True
    if not is_known or not isinstance(properties, dict) or _ORDER_IDS.isdisjoint(properties):
        return None
    order = _known(name, _found(catalog.order, given), rules, order_channel(event))
    return order if order.order_id is not None else None


def with_orders(
    lines: Iterable[PresetResult], event: Event, catalog: Catalog, rules: Callable[[PresetResult], ConversionSettings]
) -> list[PresetResult]:
    """Return the results of an event, with the order added to those that are not sent.

    `rules` returns the rules of a result's ad account.
    """
    return [
        line
        if line.event is not None or line.cancels is not None
        else replace(line, order=unsent_order(event, catalog, rules(line), preset=line.preset))
        for line in lines
    ]


def _found(mapping: CompiledMapping, event: Event) -> Fields:
    """Return the fields of an event, as far as a mapping finds them."""
    try:
        return mapping.resolve(event) or Fields()
    except MappingError:
        return Fields()


def _known(event_name: str | None, fields: Fields, rules: ConversionSettings, channel: str) -> KnownOrder:
    custom_data = fields.get("custom_data")
    given = custom_data if isinstance(custom_data, dict) else {}
    of_order = {name: given[name] for name in ORDER_DETAILS if name in given}
    sent, _ = CustomDataReader(rules)(of_order, fields.places.candidates)
    sent = sent or {}
    amount = sent.get("value")
    return KnownOrder(
        event_name=event_name,
        order_id=sent.get("order_id"),
        amount=amount,
        currency=sent.get("currency") or (rules.default_currency if amount else None),
        channel=channel,
    )
