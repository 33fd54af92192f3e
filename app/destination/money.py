"""Read amounts and counts in the notations of shops as numbers, if unambiguous."""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

from app.config.validators import currencies
from app.core.values.amounts import (
    COUNT,
    NO_CONTEXT,
    WITH_THREE_DECIMALS,
    WITHOUT_FRACTIONS,
    Amount,
    Computed,
    Context,
    currency_code,
    is_plain_text,
    read_amount,
)
from app.core.values.placeholders import unwrap_single
from app.destination.reading import NO_NOTES, Notes, Reading, flattened, number_text
from app.destination.warnings import kind, left_out, shown_number

#: Larger numbers are not amounts (and no 64-bit integers).
_MAX_INT64 = 2**63 - 1
#: Python and JavaScript write smaller amounts with an exponent, so the sent text would look different.
_PLAIN_FROM = 1e-4
#: Python writes larger amounts with an exponent.
_PLAIN_BELOW = 1e16
#: A float distinguishes numbers with fewer digits, and reproduces them exactly.
_PLAIN_DIGITS = 15


#: Decimals of currencies that do not have two (ISO 4217, list one). IDR has two, but few shops write them.
_DECIMALS: Final = {
    **dict.fromkeys(WITHOUT_FRACTIONS - {"IDR"}, 0),
    **dict.fromkeys(WITH_THREE_DECIMALS, 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def decimals_of(currency: str) -> int:
    """Return how many decimals amounts of a currency have.

    >>> decimals_of("EUR"), decimals_of("JPY"), decimals_of("KWD")
    (2, 0, 3)
    """
    return _DECIMALS.get(currency, 2)


def rounded(text: str, decimals: int) -> str:
    """Return an amount, a plain number as text, rounded half up to at most `decimals` decimals.

    >>> rounded("16.8067226891", 2), rounded("2.675", 2), rounded("10.5", 0), rounded("19.9", 2)
    ('16.81', '2.68', '11', '19.9')
    """
    if "." not in text[: -decimals - 1]:  # nearly every amount
        return text
    return number_text(float(Decimal(text).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)))


def read_currency(value: Any) -> Reading:
    """Read an ISO 4217 code, in any case; of several (those of products) the first, with a note if they differ."""
    if type(value) is str and value in currencies():  # nearly every currency
        return value, NO_NOTES
    codes = [currency_code(item) for item in flattened(value)]
    if not codes:  # products without a currency
        return None, NO_NOTES
    known = list(dict.fromkeys(filter(None, codes)))
    if not known:
        return None, (left_out(value, "it is no ISO 4217 currency"),)
    notes = []
    if None in codes:
        notes.append(f": {kind(value)} holds what is no ISO 4217 currency")
    if len(known) > 1:
        notes.append(f": {len(known)} currencies, {known[0]} is sent, which comes first")
    return known[0], tuple(notes)


class Money(NamedTuple):
    """An amount as it is sent."""

    #: `None` if no amount is sent.
    text: str | None
    #: ISO 4217, if the value includes its currency.
    currency: str | None = None
    notes: Notes = NO_NOTES


def plain_money(value: Any) -> str | None:
    """Return the sent text of a plain number, the usual amount; otherwise `None`."""
    if type(value) is float and _PLAIN_FROM <= value < _PLAIN_BELOW:
        return repr(value).removesuffix(".0")
    if type(value) is Computed and len(value) <= _PLAIN_DIGITS and value[0] in "123456789" and value.is_plain:
        return str(value)
    if is_plain_text(value):
        return str(int(value)) if "." not in value else repr(float(value)).removesuffix(".0")
    return str(value) if type(value) is int and value >= 0 else None


def read_money(value: Any, context: Context = NO_CONTEXT) -> Money:
    """Read an amount as text, the format of Pinterest: 19.99, `1,299.00`, `€5`, `{"amount": 5}`.

    A negative amount is omitted, because Pinterest documents no meaning for it.
    """
    plain = plain_money(value)
    if plain is not None:
        return Money(plain)
    given = unwrap_single(value)
    amount = read_amount(given, context)
    number = None if amount is None else _number(amount)
    if amount is None or number is None:
        return Money(None, None, (left_out(value, "no amount can be read from it without guessing"),))
    if number < 0:
        return Money(None, amount.currency, (left_out(written_amount(value), "an amount cannot be negative"),))
    text = number_text(number)
    if type(given) is Computed and given.reason:
        text = rounded(text, decimals_of(amount.currency or context.currency or ""))
        return Money(text, amount.currency, (f": {given.reason}, sent as {text}",))
    if not amount.dressed and not 0 < number < _PLAIN_FROM:
        return Money(text, amount.currency)
    named = f" {amount.currency}" if amount.currency else ""
    about = (
        "a sum of amounts that are no plain numbers" if type(given) is Computed else shown_number(written_amount(value))
    )
    return Money(text, amount.currency, (f": {about} read as {text}{named}",))


def written_amount(value: Any) -> Any:
    """Return the amount of an object of money; other values unchanged."""
    amount = value.get("amount") if type(value) is dict else None
    return value if amount is None else amount


def is_plainly_positive(value: Any) -> bool:
    """Return whether a stated value is a plain, non-negative number, the usual amount."""
    return 0 <= value < math.inf if type(value) is int or type(value) is float else is_plain_text(value)


def is_negative(value: Any, context: Context) -> bool | None:
    """Return whether an amount is negative; `None` if it is unreadable or computed."""
    given = unwrap_single(value)
    if is_plainly_positive(given):
        return False
    amount = None if type(given) is Computed else read_amount(given, context)
    number = None if amount is None else _number(amount)
    return None if number is None else number < 0


class IntegerReader:
    """Reads integers: fractions are rounded, numbers outside the range become the nearest limit.

    With `clamp=False` a number below `minimum` is omitted instead: a count of -3 is not a count of 0.
    """

    def __init__(self, minimum: int = 0, maximum: int = _MAX_INT64, *, clamp: bool = True) -> None:
        """Store the lowest and the highest number that is sent."""
        self.minimum = minimum
        self.maximum = maximum
        self._clamp = clamp

    def __call__(self, value: Any) -> Reading:
        """Read an integer; `None`, with a note, for a value without a number."""
        minimum, maximum = self.minimum, self.maximum
        if type(value) is int and minimum <= value <= maximum:  # nearly every count
            return value, NO_NOTES
        is_plain = value.is_plain if type(value) is Computed else is_plain_text(value)
        if is_plain and value.isdecimal() and minimum <= int(value) <= maximum:
            return int(value), NO_NOTES
        count = read_amount(unwrap_single(value), COUNT)
        number = None if count is None else _number(count)
        if count is None or number is None:
            return None, (left_out(value, "an integer is expected"),)
        if number < minimum and not self._clamp:
            return None, (left_out(value, f"it is below {minimum}"),)
        integer = min(max(math.floor(number + 0.5) if isinstance(number, float) else number, minimum), maximum)
        return integer, NO_NOTES if integer == number and not count.dressed else (
            f": {shown_number(value)} sent as {integer}",
        )


def _number(amount: Amount) -> float | None:
    """Return the number of an amount; `None` if it is too large."""
    text = amount.number
    if text.lstrip("-").isdecimal() and (len(text) < len(str(_MAX_INT64)) or not amount.dressed):
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
