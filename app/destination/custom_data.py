"""The object `custom_data`: products, order, page and search."""

from functools import lru_cache
from typing import Any, NamedTuple

from app.config.settings import ConversionSettings
from app.config.validators import currencies
from app.core.fields import CUSTOM_FIELDS, checked_by_name
from app.core.values.amounts import Context
from app.core.values.candidates import Candidates, one_place_only
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id, unwrap_single
from app.destination.members import MembersReader, ObjectReader
from app.destination.money import (
    IntegerReader,
    Money,
    decimals_of,
    plain_money,
    read_currency,
    read_money,
    rounded,
    written_amount,
)
from app.destination.privacy_flags import read_opt_out_type
from app.destination.reading import NO_ID, NO_NOTES, Notes, Reader, Reading, read_text, text_of, usable_candidate
from app.destination.redaction import ListReader, product_id, read_free_text
from app.destination.warnings import hashed_id, left_out

#: The path of the object among the action's fields.
_AT = "custom_data"


def _read_order_id(value: Any) -> Reading:
    """Read an id, without surrounding blanks, so that an order has a single id.

    An id with an e-mail address is replaced with its digest, which is equally unique.
    """
    text = value if type(value) is str and value.isascii() else text_of(unwrap_single(value))
    if text is None or is_no_id(text):
        return None, (left_out(value, NO_ID),)
    order_id = text.strip()
    kept = unpersonal_id(order_id)
    return kept, NO_NOTES if kept == order_id else (hashed_id(order_id),)


def read_order_id(value: Any) -> str | None:
    """Return an order id as it is sent; `None` if the value is not an order id."""
    order_id, _ = _read_order_id(value)
    return order_id if isinstance(order_id, str) else None


_READ_ID = product_id()
CONTENT_READERS: dict[str, Reader] = {
    "id": _READ_ID,
    "item_name": read_free_text,
    "item_category": read_free_text,
    "item_brand": read_free_text,
    # Not in Pinterest's schema yet; Segment's and RudderStack's destinations send it, cut to 64 characters.
    "item_brand_id": product_id(64),
    "quantity": IntegerReader(clamp=False),
}
AMOUNTS = tuple(each.name for each in CUSTOM_FIELDS if each.reading == "amount")
#: Read together, because all amounts share the sent currency.
MONEY = frozenset({"currency", *AMOUNTS})
_OWN_READERS: dict[str, Reader] = {
    "content_ids": ListReader(_READ_ID),
    "num_items": IntegerReader(clamp=False),
    "order_id": _read_order_id,
    "search_string": read_text,
    "opt_out_type": read_opt_out_type,
}
_FREE_TEXTS = dict.fromkeys((each.name for each in CUSTOM_FIELDS if each.reading == "free_text"), read_free_text)
read_all_but_money = MembersReader(
    checked_by_name(_OWN_READERS | _FREE_TEXTS, [each.name for each in CUSTOM_FIELDS if each.name not in MONEY]),
    at=(_AT,),
    elsewhere=MONEY,
)
#: Maximum number of currencies whose readers of contents are cached.
_MAX_READERS = 256


class _BesideCurrency(NamedTuple):
    """The readers of amounts and products for a currency."""

    context: Context
    price: Reader
    contents: Reader


class _ContentsReader(ObjectReader):
    """Reads a list of products; a single product is read as a list."""

    def __init__(self, read_price: Reader) -> None:
        product = MembersReader(CONTENT_READERS | {"item_price": read_price})
        self.members = product.members
        self._product = product

    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:  # noqa: ARG002 - as all are
        """Read the members of all products."""
        product = self._product
        items = value if type(value) is list else [value]
        contents: list[dict[str, Any]] = []
        notes: list[str] = [] if items is value else [": a single product sent as a list of one"]
        for index, item in enumerate(items):
            if item is None or item == "":
                continue
            content, problems = product.read(item, one_place_only) if type(item) is dict else product(item)
            if content:
                contents.append(content)
            if problems:
                notes += [f"[{index}]{problem}" for problem in problems]
        return contents or None, tuple(notes) if contents or notes else (left_out(value, "nothing is in it"),)


class CustomDataReader(ObjectReader):
    """Reads `custom_data` under a set of rules."""

    def __init__(self, rules: ConversionSettings) -> None:
        self._default = Context(currency=rules.default_currency, presentment=rules.presentment_money)
        self._beside = lru_cache(_MAX_READERS)(self._make_readers)
        alone = self._beside(None)
        amounts = {"currency": read_currency, "value": alone.price, "predicted_ltv": alone.price}
        self.members = {**read_all_but_money.members, **amounts, "contents": alone.contents}

    def context(self, currency: str | None) -> Context:
        """Return the context of amounts in a currency; `None`: the event has no currency."""
        return self._beside(currency).context

    def __call__(self, value: Any, candidates: Candidates = one_place_only) -> Reading:
        """Read the object; `candidates` returns the candidates of a field whose first value is rejected."""
        sent, notes = read_all_but_money(value, candidates)
        if type(value) is not dict or MONEY.isdisjoint(value):
            return sent, notes
        sent = sent or {}
        about = self.read_amounts(value, sent, candidates)
        return sent or None, (*notes, *about) if about else notes

    def read_amounts(self, given: dict[str, Any], sent: dict[str, Any], candidates: Candidates) -> list[str]:
        """Add the amounts of an object and their currency to `sent`; return the notes."""
        currency, notes = self._read_value(given, sent, candidates)
        worth, contents = given.get("predicted_ltv"), given.get("contents")
        if currency is None and (worth or contents):
            currency = self._currency_within(worth, contents)
        if currency is not None:
            sent["currency"] = currency
        if contents is not None and contents != "":
            found, about = _usable("contents", contents, self._beside(currency).contents, candidates)
            if found is not None:
                sent["contents"] = found
            notes += about
        if worth is not None and worth != "":
            found, about = _usable("predicted_ltv", worth, self._beside(currency).price, candidates)
            if found is not None:
                sent["predicted_ltv"] = found
            notes += about
        return notes

    def _read_value(
        self, given: dict[str, Any], sent: dict[str, Any], candidates: Candidates
    ) -> tuple[str | None, list[str]]:
        """Add `value` to `sent`; return the effective currency: that of `value` if it has one."""
        notes: list[str] = []
        currency = None
        code = given.get("currency")
        if type(code) is str and code in currencies():  # nearly every currency
            currency = code
        elif code is not None and code != "":
            currency, about = _usable("currency", code, read_currency, candidates)
            notes += about
        if (value := given.get("value")) is not None and value != "":
            text = plain_money(value)
            if text is not None:  # nearly every value
                sent["value"] = text
            else:
                currency = self._read_written(value, currency, sent, notes, candidates)
        return currency, notes

    def _read_written(
        self, value: Any, currency: str | None, sent: dict[str, Any], notes: list[str], candidates: Candidates
    ) -> str | None:
        """Add a value that may include its currency to `sent`, and notes; return the effective currency."""
        context = self.context(currency)
        money, about = _usable("value", value, lambda amount: _whole(read_money(amount, context)), candidates)
        notes += about
        if money is None:
            return currency
        sent["value"] = money.text
        if currency and money.currency and currency != money.currency:
            notes.append(f".currency: {currency} left out, the value is written in {money.currency}")
        return money.currency or currency

    def _currency_within(self, worth: Any, contents: Any) -> str | None:
        """Return the currency of the first amount that includes a currency; `None` if there is none."""
        items = contents if type(contents) is list else [contents]
        prices = [worth, *(item.get("item_price") for item in items if type(item) is dict)]
        named = (read_money(price, self._default).currency for price in prices if type(price) in (str, dict, list))
        return next(filter(None, named), None)

    def _make_readers(self, currency: str | None) -> _BesideCurrency:
        context = self._default._replace(currency=currency) if currency else self._default

        def read_price(value: Any) -> Reading:
            text = plain_money(value)
            if text is not None:  # nearly every price
                return text, NO_NOTES
            money = read_money(value, context)
            if money.text is not None and currency and money.currency not in (None, currency):
                return None, (left_out(written_amount(value), f"it is in {money.currency}, {currency} is sent"),)
            return money.text, money.notes

        if currency is None:
            return _BesideCurrency(context, read_price, _ContentsReader(read_price))
        decimals = decimals_of(currency)
        end = -decimals - 1

        def read_unit_price(value: Any) -> Reading:
            text, notes = plain_money(value), NO_NOTES
            if text is None:
                text, notes = read_price(value)
            elif "." not in text[:end]:  # nearly every price
                return text, NO_NOTES
            return (rounded(text, decimals) if text else text), notes

        return _BesideCurrency(context, read_price, _ContentsReader(read_unit_price))


def _whole(money: Money) -> tuple[Money | None, Notes]:
    """Return an amount with its currency as a Reading; `None` if it is unreadable."""
    return money if money.text is not None else None, money.notes


def _usable(name: str, value: Any, read: Reader, candidates: Candidates) -> Reading:
    """Read a member, at the next place if the first value is rejected; return the value and its notes."""
    found, notes = read(value)
    if found is None:
        found, notes = usable_candidate(candidates((_AT, name)), read, notes)
    return found, tuple(f".{name}{note}" for note in notes) if notes else NO_NOTES
