"""Amounts and counts: what shops write, read as numbers where that is unambiguous."""

import functools
import math
import re
import unicodedata
from typing import Any

import pycountry

from app.destination.reading import NO_NOTES, Reader, Reading, number_text, single
from app.destination.wording import left_out_number, shown_number

#: Beyond it an amount is no amount (and a count no 64-bit integer).
_MAX_INT64 = 2**63 - 1
#: Smaller amounts are written with an exponent by Python and JavaScript, so what is sent looks different.
_PLAIN_FROM = 1e-4
#: Larger ones are written with an exponent by Python.
_PLAIN_BELOW = 1e16
#: Of the text of a number; longer ones are not looked at.
_MAX_LENGTH = 40
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DRESSED = re.compile(
    r"(?P<before>[^\d.,+-]*)(?P<number>[+-]?[\d.,' \u00a0\u2009\u202f\u2019]*\d)(?P<after>\D*)", re.ASCII
)
_GROUPED = re.compile(
    r"(?P<first>[1-9]\d{0,2})(?P<groups>(?P<mark>[.,'\u2019 ])\d{3}(?:(?P=mark)\d{3})*)"
    r"(?:(?P<point>[.,])(?P<cents>\d+))?"
)
_DECIMAL = re.compile(r"(?P<whole>\d*)[.,](?P<cents>\d+)")
#: Written beside amounts, though no ISO code: `R$ 5`, `5 kr`, `5 zł`.
_SIGNS = frozenset(
    {
        "us$",
        "a$",
        "c$",
        "ca$",
        "au$",
        "nz$",
        "hk$",
        "s$",
        "r$",
        "mx$",
        "kr",
        "kr.",
        "zł",
        "kč",
        "ft",
        "lei",
        "rs",
        "rs.",
        "fr",
        "fr.",
    }
)


@functools.cache
def _currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in use, upper case."""
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def read_currency(value: Any) -> Reading:
    """Read an ISO 4217 code, in any case."""
    code = single(value)
    if type(code) is str and code.strip().upper() in _currencies():
        return code.strip().upper(), NO_NOTES
    return None, (left_out_number(value, "it is no ISO 4217 currency"),)


def read_money(value: Any) -> Reading:
    """Read an amount and write it as text, which is what Pinterest takes: 19.99, `1,299.00`, `€5`.

    `1,234` is left out, since it may be 1234 or 1.234. So is a negative amount: Pinterest documents no meaning of it.
    """
    if type(value) is float and _PLAIN_FROM <= value < _PLAIN_BELOW:  # nearly every amount
        return repr(value).removesuffix(".0"), NO_NOTES
    amount, dressed = _number(single(value))
    if amount is None:
        return None, (left_out_number(value, "no amount can be read from it without guessing"),)
    if amount < 0:
        return None, (left_out_number(value, "an amount cannot be negative"),)
    text = number_text(amount)
    return text, (f": {shown_number(value)} read as {text}",) if dressed or 0 < amount < _PLAIN_FROM else NO_NOTES


def integer_between(minimum: int = 0, maximum: int = _MAX_INT64, *, clamp: bool = True) -> Reader:
    """Make a reader of integers: fractions are rounded, numbers outside the bounds moved to the bound.

    With `clamp=False` a number below `minimum` is left out instead: a count of -3 is not a count of 0.
    """

    def read(value: Any) -> Reading:
        if type(value) is int and minimum <= value <= maximum:  # nearly every count
            return value, NO_NOTES
        number, dressed = _number(single(value))
        if number is None:
            return None, (left_out_number(value, "an integer is expected"),)
        if number < minimum and not clamp:
            return None, (left_out_number(value, f"it is below {minimum}"),)
        integer = min(max(math.floor(number + 0.5) if isinstance(number, float) else number, minimum), maximum)
        return integer, NO_NOTES if integer == number and not dressed else (
            f": {shown_number(value)} sent as {integer}",
        )

    return read


def _number(value: Any) -> tuple[float | None, bool]:
    """Return the number that a value holds (None: no number), and whether it had to be undressed to be read."""
    if type(value) is int:
        return value, False
    if type(value) is float:
        return (value if math.isfinite(value) else None), False
    if type(value) is not str:
        return None, False
    text = value.strip()
    if len(text) > _MAX_LENGTH:
        return None, False
    if _PLAIN.fullmatch(text):
        number = int(text) if text.isdecimal() and len(text) < len(str(_MAX_INT64)) else float(text)
        return (number if math.isfinite(number) else None), False
    return _undressed(text), True


def _undressed(text: str) -> float | None:
    """Read `€5`, `1.299,00 EUR`, `1 299,00`; None where that would be a guess."""
    match = _DRESSED.fullmatch(text)
    if match is None or not (_is_currency(match["before"]) and _is_currency(match["after"])):
        return None
    number = re.sub(r"[\u00a0\u2009\u202f]", " ", match["number"])
    sign = -1 if number.startswith("-") else 1
    number = number.lstrip("+-").strip()
    if number.isdecimal():
        return sign * float(number)
    grouped = _GROUPED.fullmatch(number)
    if grouped:
        return _sum_of_groups(grouped, sign)
    decimal = _DECIMAL.fullmatch(number)
    return sign * float(f"{decimal['whole'] or '0'}.{decimal['cents']}") if decimal else None


def _sum_of_groups(match: re.Match[str], sign: int) -> float | None:
    """Read thousands; a single group behind a comma or point could as well be a fraction."""
    if match["mark"] == match["point"]:
        return None
    if match["mark"] in ".," and match["point"] is None and len(match["groups"]) == len(",000"):
        return None
    whole = match["first"] + re.sub(r"\D", "", match["groups"])
    return sign * float(f"{whole}.{match['cents'] or '0'}")


def _is_currency(text: str) -> bool:
    """Tell whether the text beside a number only names its currency."""
    name = text.strip()
    return (
        not name
        or (len(name) == 1 and unicodedata.category(name) == "Sc")
        or name.lower() in _SIGNS
        or name.upper() in _currencies()
    )
