"""Amounts and counts: what shops write, read as numbers where that is unambiguous."""

import math
from typing import Any

from app.destination.reading import NO_NOTES, Reader, Reading, flattened, number_text, single
from app.destination.warnings import kind, left_out, left_out_number, shown_number
from app.values.amounts import currencies, plain_number

#: Beyond it an amount is no amount (and a count no 64-bit integer).
_MAX_INT64 = 2**63 - 1
#: Smaller amounts are written with an exponent by Python and JavaScript, so what is sent looks different.
_PLAIN_FROM = 1e-4
#: Larger ones are written with an exponent by Python.
_PLAIN_BELOW = 1e16


def read_currency(value: Any) -> Reading:
    """Read an ISO 4217 code, in any case; of several (those of products) the first, with a note where they differ."""
    if type(value) is str and value in currencies():  # nearly every currency
        return value, NO_NOTES
    codes = [_currency_code(item) for item in flattened(value)]
    if not codes:  # products that name none
        return None, NO_NOTES
    known = list(dict.fromkeys(filter(None, codes)))
    if not known:
        return None, (left_out(value, "it is no ISO 4217 currency"),)
    notes = []
    if None in codes:
        notes.append(f": {kind(value)} holds what is no ISO 4217 currency")
    if len(known) > 1:
        notes.append(f": {len(known)} currencies, {known[0]} is sent, which stands first")
    return known[0], tuple(notes)


def _currency_code(value: Any) -> str | None:
    code = value.strip().upper() if type(value) is str else None
    return code if code in currencies() else None


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
    text, dressed = plain_number(value)
    if text is None:
        return None, dressed
    number = int(text) if not dressed and text.isdecimal() and len(text) < len(str(_MAX_INT64)) else float(text)
    return (number if math.isfinite(number) else None), dressed
