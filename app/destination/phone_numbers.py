"""Convert phone numbers as people and programs write them to the digits of E.164."""

import re
from typing import Final

import phonenumbers

from app.core.values.hidden_emails import plain_letters

_EXTENSION = re.compile(r"(?:;?\s*ext(?:ension|\.|n\.?|=)?|[x#])\s*\.?:?\s*\d{1,7}\s*$", re.IGNORECASE)
_EXPONENT = re.compile(r"(\d)[.,](\d+)[eE]\+?(\d{1,2})", re.ASCII)
#: A whole number as written by tables whose other cells are empty or have fractions.
WHOLE: Final = re.compile(r"\A(\+?\d{4,})\.0\Z", re.ASCII)
#: `00` before a country code, with a possible prefix.
_ABROAD = re.compile(r"(?:tel(?:ephone)?\b)?[\s.:(\[\"']*00", re.IGNORECASE)
#: The text before `(home)` or ` mobile`: libphonenumber would read these letters as digits, as in 1-800-FLOWERS.
_BEFORE_WORDS = re.compile(r"(?>.*\d)[^\s(\[]*+(?=[\s(\[].*[^\W\d_])", re.DOTALL)
#: Shorter numbers are rarely phone numbers; E.164 has no longer ones.
MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 15
#: Result for a number that is too short or too long for its country.
IMPOSSIBLE: Final = ""
#: A number of the North American plan. libphonenumber gives the same result, twenty times slower.
_NORTH_AMERICAN = re.compile(r"(\+1[ .-]?)?\(?([2-9]\d\d)\)?[ .-]?(\d{3})[ .-]?(\d{4})", re.ASCII)
_NORTH_AMERICA = frozenset({"US", "CA"})


def plain_number(text: str) -> str:
    """Return a number without its extension, with `+` before a country code; "" if a spreadsheet has rounded it.

    >>> plain_number("(0049) 30 123456 ext. 7"), plain_number("4.155552671E9")
    ('+49) 30 123456', '4155552671')
    """
    number = _EXTENSION.sub("", _unrounded(plain_letters(text)))
    return _ABROAD.sub("+", number, count=1) if _ABROAD.match(number) else number


def _unrounded(number: str) -> str:
    """Expand a spreadsheet's `4.155552671E9` to all digits; "" if digits are lost."""
    match = _EXPONENT.fullmatch(number := WHOLE.sub(r"\1", number))
    if match is None:
        return number
    first, decimals, exponent = match.groups()
    return first + decimals if len(decimals) == int(exponent) else ""


def e164(number: str, country: str | None) -> str | None:
    """Return country code and number as digits; `None` if the text is not a phone number.

    `country` is alpha-2; `None`: unknown. Return IMPOSSIBLE if the number is too short or too long for its country.
    """
    plain = _NORTH_AMERICAN.fullmatch(number)
    if plain and (plain[1] or country in _NORTH_AMERICA):
        return f"1{plain[2]}{plain[3]}{plain[4]}"
    before = _BEFORE_WORDS.match(number)
    alone = before[0] if before else number
    parsed = _parsed(alone, country)
    if alone != number and not _is_whole(parsed):
        with_letters = _parsed(number, country)
        parsed = with_letters if _is_whole(with_letters) or not _is_local(parsed) else parsed
    if parsed is None:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return IMPOSSIBLE
    digits = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).lstrip("+0")
    return digits if 0 < len(digits) <= MAX_DIGITS else None


def _is_whole(number: phonenumbers.PhoneNumber | None) -> bool:
    """Return whether a number can be dialled from everywhere, according to its length."""
    reason = number and phonenumbers.is_possible_number_with_reason(number)
    return reason == phonenumbers.ValidationResult.IS_POSSIBLE and _is_local(number)


def _is_local(number: phonenumbers.PhoneNumber | None) -> bool:
    """Return whether a number is long enough for a phone number, possibly without an area code."""
    return number is not None and len(str(number.national_number)) >= MIN_DIGITS


def _parsed(number: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
