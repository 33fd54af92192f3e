# ruff: noqa: RUF001, RUF002 - roubles and leva are written in Cyrillic
"""Currencies by their ISO 4217 codes, and by the signs that are written beside amounts."""

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import pycountry

from app.values.placeholders import is_no_id

#: What a text beside a number can mean, the likeliest first; none where it names no currency (`$`, `kr`).
Codes: TypeAlias = tuple[str, ...]

#: Currencies without a minor unit (ISO 4217, list one), and IDR, whose minor unit nobody writes: 150.000 is 150000.
WITHOUT_FRACTIONS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"}
    | {"XAF", "XOF", "XPF", "IDR"}
)
#: Currencies with three decimals (ISO 4217, list one): 1,234 may be a fraction as well as thousands.
WITH_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

#: Written beside amounts, though no ISO code: in small letters, without blanks and the point behind it.
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


@functools.cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in use, upper case."""
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def currency_code(value: Any) -> str | None:
    """Return the ISO 4217 code that a text is, in any case; None for all else."""
    code = value.strip().upper() if type(value) is str else None
    return code if code in currencies() else None


def sum_of_one_currency(amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
    """Return the sum of amounts, each given with its currency. Raises ValueError where these are not all the same.

    >>> sum_of_one_currency([("EUR", Decimal("1.10")), ("EUR", Decimal(2))]), sum_of_one_currency([])
    (Decimal('3.10'), Decimal('0'))
    """
    total, of = Decimal(0), None
    for currency, amount in amounts:
        if of not in (None, currency):
            raise ValueError(f"amounts in {of} and in {currency} have no sum: sum each currency alone")
        total, of = total + amount, currency
    return total


#: Words for money of several countries, which name none.
_IN_WORDS: Final = re.compile(r"dollar|euro|pound|franc|peso|rupee|kron|crown|dinar|lira|yen|yuan|won\b", re.IGNORECASE)


def currencies_named(value: Any) -> Codes | None:
    """Return the currencies that a text beside a number names: a code, a sign, or both; None where it is none of them.

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
    """Return the first of some members named `currency` and the like which names any currency.

    Where none does, the first that says something else, such as `points`. None: a placeholder, or a word for money of
    several countries, is all that is said.

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
    """Return the currency of `USD $` and `$ USD`, whose sign must not mean another."""
    for code, sign in ((name[:_CODE_LENGTH], name[_CODE_LENGTH:]), (name[-_CODE_LENGTH:], name[:-_CODE_LENGTH])):
        signs = _of_sign(sign)
        if code.upper() in currencies() and signs is not None and (not signs or code.upper() in signs):
            return (code.upper(),)
    return None
