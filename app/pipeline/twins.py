"""Read the data of page orders and shop orders by which `app.outbox.pairing` matches them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from app.core.deliveries import OrderSide
from app.core.events import Event
from app.core.fields import CONTACTS, USER_FIELDS
from app.core.people import GROUPS
from app.core.values.addresses import one_household, public_address
from app.core.values.amounts import WITH_THREE_DECIMALS, Context, currency_code, read_amount
from app.core.values.order_channels import ORDER_CHANNEL, WITHOUT_BROWSER, order_channel
from app.core.values.placeholders import is_no_id, unwrap_single
from app.destination.custom_data import read_order_id
from app.destination.user_data import missing_identifiers

#: Shopify's name of the token, and WooCommerce's `order_key`, which only the buyer's order page shows.
_TOKENS: Final = ("checkout_token", "checkoutToken", "order_key", "orderKey")
#: WooCommerce's order page has the order's key in its address.
_KEY_OF_PAGE: Final = re.compile(r"[?&]key=(wc_order_\w+)", re.ASCII)
_EVENT_IDS: Final = ("event_id", "eventID")

_TOTALS: Final = ("total", "total_price", "current_total_price")
_SUBTOTALS: Final = ("subtotal", "subtotal_price", "current_subtotal_price")
#: The total of a public order is the first readable one.
_AMOUNTS: Final = (*_TOTALS, "revenue", "value", *_SUBTOTALS)
#: Parts that the page may have added or omitted: the names of Segment, Shopify, WooCommerce.
_PARTS: Final = (
    ("tax", "total_tax", "current_total_tax"),
    ("shipping", "total_shipping_price", "shipping_total"),
    ("discount", "total_discounts", "discount_total"),
    ("gift_card", "giftCard", "gift_card_total"),
)
#: The members with the number of an order, its name for people, and with its id.
_NAMES: Final = ("number", "order_number", "id")
_CENT: Final = Decimal("0.01")
_THOUSANDTH: Final = Decimal("0.001")
#: Larger amounts are not order totals.
_MAX: Final = Decimal(10) ** 12

#: The channel of an order if the file of its source maps no `order_channel`: Shopify's name, WooCommerce's.
_WAYS: Final = ("source_name", "created_via")
#: Properties of orders that are read independent of the mapping: to match page and shop order, and to judge the order.
READ_PROPERTIES: Final = (
    ORDER_CHANNEL,
    *(*_WAYS, *_TOKENS, *_EVENT_IDS, *_NAMES, *_TOTALS, *_SUBTOTALS, "revenue", "value"),
    *(name for names in _PARTS for name in names),
)
_ADDRESS: Final = "ip"
#: Orders that staff enters or a plugin repeats: their address and browser are not the buyer's.
_OF_STAFF: Final = WITHOUT_BROWSER | {"pos-rest-api", "shopify_draft_order", "draft_order", "draft", "admin"}
_OF_BROWSER: Final = tuple(each.wire for each in USER_FIELDS if each.identity.owner.merge == "page_browser")
#: Orders without a page order.
_WITHOUT_PAGE: Final = _OF_STAFF | {
    "subscription_contract",
    "subscription_contract_checkout_one",
    "subscription",
    "renewal",
    "offline",
}


def order_side(
    event: Event, built: Event, *, message_id: str, is_trusted: bool, recalled: Iterable[str] = ()
) -> OrderSide:
    """Return the order side of an event; `built` is the finished `checkout`, `message_id` the stored id.

    `recalled` are the groups of `user_data` from memory, which a guessed id could retrieve.
    """
    properties = _object(event.get("properties"))
    event_id = built["event_id"]
    currency = currency_code(unwrap_single(properties.get("currency"))) or built.get("custom_data", {}).get("currency")
    return OrderSide(
        token=order_token(event),
        totals=_every_total(properties, currency) if is_trusted else _one_total(properties, currency),
        names_event_id=event_id not in (message_id, event.get("messageId"))
        or any(properties.get(name) == event_id for name in _EVENT_IDS),
        waits=not (is_trusted and (built["action_source"] == "offline" or _WITHOUT_PAGE & _ways(properties))),
        number=_other_name(properties, built.get("custom_data", {}).get("order_id")) if is_trusted else None,
        facts=buyer_facts(built.get("user_data", {}), recalled),
    )


def sent_address(event: Event) -> dict[str, str]:
    """Return the IP address of an event as a member of `user_data`; empty if the event has no public address."""
    text = _object(event.get("context")).get("ip")
    address = public_address(text)[0] if type(text) is str else None
    return {"client_ip_address": address} if address else {}


def buyer_facts(user_data: Mapping[str, Any], recalled: Iterable[str] = ()) -> tuple[str, ...]:
    """Return short digests of e-mail addresses, phone numbers and the IP address (IPv6: its /64 network).

    A digest has 24 bits: 256 IPv4 addresses share it, so that it does not identify an address, and a guess fails.
    """
    left_out = {name for group in recalled for name in GROUPS[group]}
    found = [(name, value) for name in CONTACTS if name not in left_out for value in user_data.get(name, ())]
    if (address := user_data.get("client_ip_address")) is not None:
        found.append((_ADDRESS, one_household(address)))
    return tuple([name[0] + sha256(value.encode()).hexdigest()[:6] for name, value in found])


def _other_name(properties: Mapping[str, Any], order_id: str | None) -> str | None:
    """Return the number of an order whose id is sent, or its id if its number is; `None` if it has a single name."""
    names = (read_order_id(properties.get(name)) for name in _NAMES) if order_id else ()
    return next((name for name in names if name and name.lstrip("#") != str(order_id).lstrip("#")), None)


def leave_out_staff(event: Event, built: Event) -> tuple[str | None, tuple[str, ...]]:
    """Remove address and browser of the shop's staff from a `checkout`, in place.

    Returns why it cannot be sent without them, or `None`, and warnings.
    """
    user_data = built["user_data"]
    of_staff = _OF_STAFF & _ways(_object(event.get("properties")))
    if not of_staff or (user_data.keys().isdisjoint(_OF_BROWSER) and "event_source_url" not in built):
        return None, ()
    for name in _OF_BROWSER:
        user_data.pop(name, None)
    built.pop("event_source_url", None)
    about = f"IP address, user agent, click id and page left out: {min(of_staff)!r} is not the buyer's browser"
    if missing_identifiers(user_data):
        return f"{about}, and nothing else identifies the buyer: send the buyer's e-mail address", ()
    return None, (about,)


def _object(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict else {}


def _ways(properties: Mapping[str, Any]) -> set[str]:
    if channel := order_channel({"properties": properties}):
        return {channel} & WITHOUT_BROWSER
    ways = set()
    for name in _WAYS:
        way = unwrap_single(properties.get(name))
        if type(way) is str:
            ways.add(way.strip().lower())
    return ways


def order_token(event: Event) -> str | None:
    """Return the digest of the first token in the event."""
    properties = _object(event.get("properties"))
    named = (*(properties.get(name) for name in _TOKENS), _object(properties.get("checkout")).get("token"))
    for given in (*map(unwrap_single, named), _key_of_page(event)):
        if type(given) in (str, int) and not is_no_id(str(given)):
            return sha256(str(given).strip().encode(errors="surrogatepass")).hexdigest()
    return None


def _key_of_page(event: Event) -> str | None:
    url = _object(_object(event.get("context")).get("page")).get("url")
    found = _KEY_OF_PAGE.search(url) if type(url) is str else None
    return found[1] if found else None


class _Money(NamedTuple):
    number: Decimal
    currency: str

    @property
    def cent(self) -> Decimal:
        """Return the unit to which amounts of the currency are rounded."""
        return _THOUSANDTH if self.currency in WITH_THREE_DECIMALS else _CENT


def _one_total(properties: Mapping[str, Any], currency: str | None) -> tuple[str, ...]:
    """Return the total of a public order; empty without an amount or a currency."""
    total = next(filter(None, (_money(properties, (name,), currency) for name in _AMOUNTS)), None)
    return _texts(total, [total.number]) if total else ()


def _every_total(properties: Mapping[str, Any], currency: str | None) -> tuple[str, ...]:
    """Return all amounts of a trusted order, sorted: in the shop's currency, and in the customer's."""
    found = set(_sums(properties, currency, presentment=False))
    if any("presentment_money" in given for given in properties.values() if type(given) is dict):
        found.update(_sums(properties, currency, presentment=True))
    return tuple(sorted(found))


def _sums(properties: Mapping[str, Any], currency: str | None, *, presentment: bool) -> Iterator[str]:
    """Yield each total and subtotal with each part added, subtracted, or unchanged."""
    named = {name: _money(properties, (name,), currency, presentment=presentment) for name in _AMOUNTS}
    given = [_money(properties, names, currency, presentment=presentment) for names in _PARTS]
    parts = [part for part in given if part and part.number]
    bases = {(base.number, base.currency): base for base in named.values() if base}
    for base in bases.values():
        sums = {base.number}
        for number, of in parts:
            if of == base.currency:
                sums |= {total + change for total in sums for change in (number, -number)}
        # A computed total of 0 would match a page order of 0.
        is_free = base.number == 0 and base in (named[name] for name in _TOTALS)
        yield from _texts(base, (total for total in sums if total > 0 or (is_free and not total)))


def _texts(money: _Money, totals: Iterable[Decimal]) -> tuple[str, ...]:
    """Return totals of a currency as texts, rounded to its unit.

    The unit is the cent, or the thousandth for currencies with three decimals.
    """
    cent = money.cent
    return tuple([f"{money.currency} {total.quantize(cent, ROUND_HALF_UP)}" for total in totals])


def _money(
    properties: Mapping[str, Any], names: tuple[str, ...], currency: str | None, *, presentment: bool = False
) -> _Money | None:
    """Return the first readable amount of these names, or of Shopify's `_set` with both currencies."""
    for name in names:
        for place in (name, f"{name}_set"):
            given = unwrap_single(properties.get(place))
            if given is None or (presentment and "presentment_money" not in _object(given)):
                continue
            amount = read_amount(given, Context(currency=currency, presentment=presentment))
            named = amount and (amount.currency or currency)
            number = Decimal(amount.number) if amount else _MAX
            if named and 0 <= number < _MAX:
                return _Money(number, named)
    return None
