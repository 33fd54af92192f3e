"""Amounts as shops write them, `€5` or `1.299,00 EUR`: read where only one number can be meant.

One rule for the mapping's arithmetic and for what is sent, so that both read the same texts.
"""

import functools
import re
import unicodedata

import pycountry

#: Of the text of a number; longer ones are not looked at.
_MAX_LENGTH = 40
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DRESSED = re.compile(
    # The point right behind letters is the sign's: `Rs.500` is not 0.5.
    r"(?P<before>[^\d.,+-]*(?:(?<=(?u:[^\W\d_]))\.\s*)?)"
    r"(?P<number>[+-]?[\d.,' \u00a0\u2009\u202f\u2019]*\d)(?P<after>\D*)",
    re.ASCII,
)
_GROUPED = re.compile(
    r"(?P<first>[1-9]\d{0,2})(?P<groups>(?P<mark>[.,'\u2019 ])\d{3}(?:(?P=mark)\d{3})*)"
    r"(?:(?P<point>[.,])(?P<cents>\d+))?"
)
_DECIMAL = re.compile(r"(?P<whole>\d*)[.,](?P<cents>\d+)")
#: Written beside amounts, though no ISO code: `R$ 5`, `5 kr`, `Rs.5`.
_SIGNS = frozenset(
    {"us$", "a$", "c$", "ca$", "au$", "nz$", "hk$", "s$", "r$", "mx$"} | {"kr", "zł", "kč", "ft", "lei", "rs", "fr"}
)


def plain_number(text: str) -> tuple[str | None, bool]:
    """Return the number in a text as `float` and `Decimal` read it, and whether it had to be undressed for that.

    None where a text holds no number, or where it would be a guess: `1,234` may be 1234 or 1.234.

    >>> plain_number(" 19.98 "), plain_number("€5"), plain_number("1.299,00"), plain_number("1,299")
    (('19.98', False), ('5', True), ('1299.00', True), (None, True))
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        return None, False
    return (text, False) if _PLAIN.fullmatch(text) else (_undressed(text), True)


@functools.cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in use, upper case."""
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _undressed(text: str) -> str | None:
    """Read `€5`, `1.299,00 EUR`, `1 299,00`."""
    match = _DRESSED.fullmatch(text)
    if match is None or not (_is_currency(match["before"]) and _is_currency(match["after"])):
        return None
    number = re.sub(r"[\u00a0\u2009\u202f]", " ", match["number"])
    sign = "-" if number.startswith("-") else ""
    number = number.lstrip("+-").strip()
    if number.isdecimal():
        return sign + number
    grouped = _GROUPED.fullmatch(number)
    if grouped:
        digits = _digits_of_groups(grouped)
        return digits and sign + digits
    decimal = _DECIMAL.fullmatch(number)
    return f"{sign}{decimal['whole'] or '0'}.{decimal['cents']}" if decimal else None


def _digits_of_groups(match: re.Match[str]) -> str | None:
    """Read thousands; a single group behind a comma or point could as well be a fraction."""
    if match["mark"] == match["point"]:
        return None
    if match["mark"] in ".," and match["point"] is None and len(match["groups"]) == len(",000"):
        return None
    whole = match["first"] + re.sub(r"\D", "", match["groups"])
    return f"{whole}.{match['cents']}" if match["cents"] else whole


def _is_currency(text: str) -> bool:
    """Return whether the text beside a number only names its currency."""
    name = text.strip()
    return (
        not name
        or (len(name) == 1 and unicodedata.category(name) == "Sc")
        or name.lower().removesuffix(".") in _SIGNS
        or name.upper() in currencies()
    )
