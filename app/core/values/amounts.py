"""Currencies by their ISO 4217 codes, and by the signs that are written beside amounts."""

# ruff: noqa: RUF001, RUF002 - roubles and leva are written in Cyrillic

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from app.config.validators import currencies
from app.core.values.placeholders import is_no_id

#: The possible currencies of a text beside a number, the most likely first; empty if ambiguous (`$`, `kr`).
Codes: TypeAlias = tuple[str, ...]

#: Currencies without a minor unit (ISO 4217, list one), and IDR, whose minor unit is not written: 150.000 is 150000.
WITHOUT_FRACTIONS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"}
    | {"XAF", "XOF", "XPF", "IDR"}
)
#: Currencies with three decimals (ISO 4217, list one): 1,234 may be a fraction or thousands.
WITH_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
#: Currencies with a minor unit that shops rarely write: `Kč 1.299` is 1299, though a program's `1.299` is a fraction.
_RARELY_FRACTIONS: Final = frozenset({"CZK", "HUF", "COP"})
#: Currencies of South Asia with groups of two digits above the thousands: `₹1,23,456`.
_GROUPED_BY_TWO: Final = frozenset({"INR", "PKR", "BDT", "NPR", "LKR"})

#: Signs beside amounts that are no ISO codes: in lower case, without blanks and a trailing point.
_SIGNS: Final[Mapping[str, Codes]] = MappingProxyType(
    dict.fromkeys(("kr", "lei", "rs", "fr", "c$"), ())
    | {"руб": ("RUB", "BYN"), "元": ("CNY", "TWD", "HKD", "MOP"), "fcfa": ("XOF", "XAF")}
    | {
        sign: (code,)
        for sign, code in (
            {"us$": "USD", "$us": "USD", "u$s": "USD", "a$": "AUD", "au$": "AUD", "ca$": "CAD", "$ca": "CAD"}
            | {"nz$": "NZD", "hk$": "HKD", "nt$": "TWD", "s$": "SGD", "r$": "BRL", "mx$": "MXN", "rd$": "DOP"}
            | {"ar$": "ARS", "j$": "JMD", "tt$": "TTD", "ec$": "XCD", "n$": "NAD", "cn¥": "CNY", "jp¥": "JPY"}
            | {"zł": "PLN", "zl": "PLN", "kč": "CZK", "kc": "CZK", "ft": "HUF", "sfr": "CHF", "r": "ZAR"}
            | {"rm": "MYR", "rp": "IDR", "tl": "TRY", "s/": "PEN", "b/": "PAB", "rmb": "CNY", "vnđ": "VND"}
            | {"ksh": "KES", "tsh": "TZS", "ush": "UGX", "лв": "BGN", "грн": "UAH", "ден": "MKD", "дин": "RSD"}
            | {"đ": "VND", "円": "JPY", "원": "KRW", "euro": "EUR", "euros": "EUR"}
            | {"€": "EUR", "₹": "INR", "₩": "KRW", "₫": "VND", "₺": "TRY", "₽": "RUB", "₴": "UAH", "₪": "ILS"}
            | {"฿": "THB", "₦": "NGN", "₱": "PHP", "₸": "KZT", "₡": "CRC", "₲": "PYG", "₾": "GEL", "₼": "AZN"}
            | {"₵": "GHS", "₮": "MNT"}
        ).items()
    }
)
_CODE_LENGTH = 3


def currency_code(value: Any) -> str | None:
    """Return the ISO 4217 code in a text, ignoring case; otherwise `None`."""
    code = value.strip().upper() if type(value) is str else None
    return code if code in currencies() else None


def sum_of_one_currency(amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
    """Return the sum of amounts, each given with its currency. Raises ValueError for mixed currencies.

    >>> sum_of_one_currency([("EUR", Decimal("1.10")), ("EUR", Decimal(2))]), sum_of_one_currency([])
    (Decimal('3.10'), Decimal('0'))
    """
    total, of = Decimal(0), None
    for currency, amount in amounts:
        if of not in (None, currency):
            raise ValueError(f"amounts in {of} and in {currency} have no sum: sum each currency alone")
        total, of = total + amount, currency
    return total


#: Words for the money of several countries, which are ambiguous.
_IN_WORDS: Final = re.compile(r"dollar|euro|pound|franc|peso|rupee|kron|crown|dinar|lira|yen|yuan|won\b", re.IGNORECASE)


def currencies_named(value: Any) -> Codes | None:
    """Return the possible currencies of a text beside a number: a code, a sign, or both; `None` if the text is neither.

    >>> currencies_named("usd"), currencies_named("CAD $"), currencies_named("kr.")
    (('USD',), ('CAD',), ())
    >>> currencies_named("руб."), currencies_named("S/."), currencies_named("US $ ")
    (('RUB', 'BYN'), ('PEN',), ('USD',))
    >>> currencies_named("pieces"), currencies_named("EUR $"), currencies_named("US$ CAD")
    (None, ('EUR',), None)
    """
    name = value.strip() if type(value) is str else None
    if not name:
        return () if name == "" else None
    code = currency_code(name)
    if code:
        return (code,)
    signs = _of_sign(name)
    return _of_code_and_sign(name) if signs is None else signs


def currency_text(texts: Iterable[Any]) -> str | None:
    """Return the first of some values of `currency` members that contains a currency.

    Without a currency, return the first other text, such as `points`. Return `None` if all values are placeholders or
    words for the money of several countries.

    >>> currency_text(["unknown", "usd"]), currency_text(["{{ currency }}"]), currency_text(["US Dollar", "points"])
    ('usd', None, 'points')
    """
    other = None
    for text in texts:
        if type(text) is str:
            named = currencies_named(text)
            if named:
                return text
            if named is None and other is None and not (is_no_id(text) or _IN_WORDS.search(text)):
                other = text
    return other


def _of_sign(text: str) -> Codes | None:
    sign = "".join(text.lower().split()).removesuffix(".")
    is_sign = len(sign) == 1 and unicodedata.category(sign) == "Sc"
    return _SIGNS.get(sign, () if is_sign else None)


def _of_code_and_sign(name: str) -> Codes | None:
    """Return the currency of `USD $` and `$ USD`, if the sign does not contradict the code."""
    for code, sign in ((name[:_CODE_LENGTH], name[_CODE_LENGTH:]), (name[-_CODE_LENGTH:], name[:-_CODE_LENGTH])):
        signs = _of_sign(sign)
        if code.upper() in currencies() and signs is not None and (not signs or code.upper() in signs):
            return (code.upper(),)
    return None


#: Maximum length of a number as text; longer texts are ignored.
_MAX_LENGTH = 40
#: Maximum length of a number that a float represents exactly enough to reproduce the text.
_PLAIN_LENGTH = 15
_PLAIN_DECIMALS = 2
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DRESSED = re.compile(
    r"(?P<sign>[+-]?)"
    # A point right after letters or `S/` belongs to the currency: `Rs.500` is not 0.5.
    r"(?P<before>[^\d.,+-]*(?:(?<=(?u:[^\W\d_])|/)\.\s*)?)"
    r"(?P<number>[+-]?[\d.,' ]*\d)(?P<after>\D*)",
    re.ASCII,
)
#: Blanks between groups, the typographic apostrophe, Unicode's minus sign, and Arabic separators are replaced; marks of
#: direction are removed. Also replaced: full-width digits and marks, and the digits of Arabic, Persian and Hindi.
_OTHER_SPELLINGS = (
    str.maketrans("\u00a0\u2009\u202f\u2019\u2212\u066b\u066c\uffe1\uffe5", "   '-.,£¥", "\u200e\u200f")
    | {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {zero + digit: ord("0") + digit for zero in (0x0660, 0x06F0, 0x0966) for digit in range(10)}
)
#: A dash in place of zero cents: `25.-`.
_NO_CENTS = re.compile(r"(?<=\d)(?P<mark>[.,])[-\u2013\u2014]{1,2}(?!\d)")
#: Several groups, or a group and a fraction.
_GROUPED = re.compile(
    r"(?P<first>[1-9]\d{0,2})(?P<groups>(?P<mark>[.,' ])\d{3}(?:(?P=mark)\d{3})*)"
    r"(?:(?P<point>[.,])(?P<cents>\d+))?"
)
#: At least one group of two digits before the last group of three.
_INDIAN = re.compile(r"(?P<whole>[1-9]\d?(?:,\d{2})+,\d{3})(?P<cents>\.\d+)?")
_ONE_SEPARATOR = re.compile(r"(?P<whole>\d*)(?P<mark>[.,' ])(?P<part>\d+)")
_GROUP_DIGITS = 3

#: Members with the currency in an object of money, and the decimals of its minor unit.
CURRENCY_NAMES: Final = ("currency", "currencyCode", "currency_code")
_PLACES: Final = ("currency_minor_unit", "exponent")
_MAX_PLACES = 6
#: Shopify's money in the currency of the shop's books, and in the customer's currency.
_BOOKS: Final = ("shop_money", "presentment_money")


class Context(NamedTuple):
    """The context that decides how an ambiguous value is read."""

    #: ISO 4217, of the event; `None` if the event has none.
    currency: str | None = None
    #: Use Shopify's customer currency (`presentment_money`) instead of the shop's currency.
    presentment: bool = False
    #: The value is a count without thousands separators: `1,000` is 1.
    is_count: bool = False
    #: The number has a sign or a code of a currency.
    has_sign: bool = False


NO_CONTEXT: Final = Context()
COUNT: Final = Context(is_count=True)


class Amount(NamedTuple):
    """A number that was read from an amount, with details about the text."""

    #: In the format of `float` and `Decimal`.
    number: str
    #: ISO 4217, if the value has a currency.
    currency: str | None = None
    #: The text was changed or interpreted.
    dressed: bool = False
    #: In another Context the number may be different or unreadable.
    depends: bool = False


class Computed(str):  # noqa: SLOT000 - nearly all have nothing beside the text, and cost nothing for it
    """The result of arithmetic, as the text of a number: an amount that is not in the event."""

    #: ISO 4217, if an operand has a currency.
    currency: str | None = None
    #: An operand was interpreted.
    dressed: bool = False
    #: Computes the amount again in a Context, or returns `None` if that is impossible; `None` if the context is
    #: irrelevant.
    in_context: "Callable[[Context], Computed | None] | None" = None
    #: A bare number, computed from plain numbers.
    is_plain: bool = True
    #: Why the amount differs from the sender's, such as `129 includes shipping`; `None`: the sender stated each
    #: operand.
    reason: str | None = None


def read_amount(value: Any, context: Context = NO_CONTEXT) -> Amount | None:
    """Read a number, a text with a number, an object of money, or a computed amount; `None` if unreadable or ambiguous.

    >>> read_amount(" 19.98 ").number, read_amount("1.299,00 EUR")[:2], read_amount("1,299").number
    ('19.98', ('1299.00', 'EUR'), '1299')
    >>> read_amount("150.000", Context(currency="IDR")).number, read_amount("1,299", Context(currency="KWD"))
    ('150000', None)
    >>> read_amount({"amount": 2550, "currency": "USD", "exponent": 2})[:2]
    ('25.50', 'USD')
    """
    if type(value) is str:
        return _read_text(value, context)
    if type(value) is int or type(value) is float:
        return Amount(repr(value)) if math.isfinite(value) else None
    if type(value) is Computed:
        again: Computed | None = value.in_context(context) if value.in_context else value
        return (
            None
            if again is None
            else Amount(str(again), again.currency, again.dressed, depends=value.in_context is not None)
        )
    return _read_object(value, context) if type(value) is dict else None


def is_plain_text(value: Any) -> bool:
    """Return whether a value is a text of digits with at most two decimals: the same number in every context.

    >>> is_plain_text("19.98"), is_plain_text("1.234"), is_plain_text("-5"), is_plain_text(" 5")
    (True, False, False, False)
    """
    if type(value) is not str or len(value) > _PLAIN_LENGTH or not value.isascii():
        return False
    whole, point, part = value.partition(".")
    return whole.isdecimal() and (not point or (part.isdecimal() and len(part) <= _PLAIN_DECIMALS))


def _read_text(text: str, context: Context) -> Amount | None:
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        return None
    if _PLAIN.fullmatch(text):
        may_be_grouped = text[-4:-3] == "." and text[-3:].isdecimal()
        return _in_context(text, None, context) if may_be_grouped else Amount(text)
    match = _DRESSED.fullmatch(_NO_CENTS.sub(r"\g<mark>00", text.translate(_OTHER_SPELLINGS)))
    if match is None or (match["sign"] and match["number"][0] in "+-"):
        return None
    named = _named_together(currencies_named(match["before"]), currencies_named(match["after"]))
    if named is None:  # `25 pieces`, `USD 25 EUR`
        return None
    context = context._replace(has_sign=bool((match["before"] + match["after"]).strip()))
    read = _in_context(match["sign"] + match["number"], _meant(named, context), context, dressed=True)
    return read._replace(depends=True) if read and len(named) > 1 else read


def _named_together(before: Codes | None, after: Codes | None) -> Codes | None:
    """Return the currencies that fit the texts on both sides of a number; `None` if there are none or they differ."""
    if before is None or after is None:
        return None
    if before and after:
        return tuple(code for code in before if code in after) or None
    return before or after


def _meant(named: Codes, context: Context) -> str | None:
    """Return the intended currency: that of the event if possible, otherwise the first; `None` without currencies."""
    return context.currency if context.currency in named else next(iter(named), None)


def _in_context(number: str, own: str | None, context: Context, *, dressed: bool = False) -> Amount | None:
    """Read the number between currencies; `own` is the currency in the text."""
    sign = "-" if number.startswith("-") else ""
    bare = number.lstrip("+-").strip()
    digits, depends = _digits(bare, context._replace(currency=own) if own else context)
    if digits is None:
        return None
    return Amount(sign + digits, own, dressed or digits != bare, depends and own is None)


def _digits(number: str, context: Context) -> tuple[str | None, bool]:
    """Return the number as `float` reads it (`None` if ambiguous), and whether the context decided."""
    if number.isdecimal():
        return number, False
    one = _ONE_SEPARATOR.fullmatch(number)
    if one:
        whole, mark, part = one.groups()
        in_doubt = len(part) == _GROUP_DIGITS and 0 < len(whole) <= _GROUP_DIGITS and whole != "0"
        return _one_separator(whole, mark, part, context if in_doubt else None), in_doubt
    if (indian := _INDIAN.fullmatch(number)) and not context.is_count:
        is_known = bool(indian["cents"]) or context.currency in _GROUPED_BY_TWO
        return (number.replace(",", "") if is_known else None), not indian["cents"]
    grouped = _GROUPED.fullmatch(number)
    if not grouped or grouped["mark"] == grouped["point"] or context.is_count:
        return None, False
    whole = grouped["first"] + re.sub(r"\D", "", grouped["groups"])
    return (f"{whole}.{grouped['cents']}" if grouped["cents"] else whole), False


def _one_separator(whole: str, mark: str, part: str, context: Context | None) -> str | None:
    """Read a number with one separator; `context` is `None` if the separator can only start a fraction."""
    fraction = f"{whole or '0'}.{part}" if mark in ".," else None
    if context is None or (mark == "." and not _groups_by_point(context)):
        return fraction
    if context.is_count:
        return fraction if not part.strip("0") or mark == "." else None
    return None if mark == "," and context.currency in WITH_THREE_DECIMALS else whole + part


def _groups_by_point(context: Context) -> bool:
    """Return whether a single point before exactly three digits groups thousands."""
    return context.currency in WITHOUT_FRACTIONS or (context.has_sign and context.currency in _RARELY_FRACTIONS)


def _read_object(value: Mapping[str, Any], context: Context) -> Amount | None:
    """Read `{amount, currency}` and Shopify's `{shop_money, presentment_money}`."""
    shown = [money for name in _BOOKS if type(money := value.get(name)) is dict]
    if shown:
        return _read_books(shown, context)
    amount = value.get("amount")
    text = currency_text(value.get(name) for name in CURRENCY_NAMES)
    named = () if text is None else currencies_named(text)
    if named is None:  # 250 points
        return None
    own = _meant(named, context)
    read = None if type(amount) is dict else read_amount(amount, context._replace(currency=own) if own else context)
    places = _places(next((value[name] for name in _PLACES if value.get(name) is not None), 0))
    if read is None or places is None:
        return None
    depends = len(named) > 1 or (read.depends and not own)
    if places == 0:
        return read._replace(currency=read.currency or own, depends=depends)
    number = _in_minor_units(read.number.removesuffix(".0") if type(amount) is float else read.number, places)
    return None if number is None else Amount(number, read.currency or own, depends=depends)


def _read_books(shown: list[dict[str, Any]], context: Context) -> Amount | None:
    read = (_read_object(money, context) for money in (shown[::-1] if context.presentment else shown))
    first = next((amount for amount in read if amount), None)
    return first and first._replace(depends=len(shown) > 1)


def _places(value: Any) -> int | None:
    """Return the digits of the minor unit; `None` if the value is not a number, or too large for any currency."""
    text = str(value).strip().removesuffix(".0") if type(value) in (int, float, str) else ""
    return int(text) if re.fullmatch(r"[0-9]", text) and int(text) <= _MAX_PLACES else None


def _in_minor_units(number: str, places: int) -> str | None:
    """Convert an amount of cents to the currency's unit; `None` if the amount is not a whole number."""
    digits = number.lstrip("-")
    if not digits.isdecimal():
        return None
    padded = digits.zfill(places + 1)
    return f"{'-' if number.startswith('-') else ''}{padded[:-places]}.{padded[-places:]}"
