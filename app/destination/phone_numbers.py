"""How a phone number is normalised before SHA-256: digits with country code, by libphonenumber."""

import re
import unicodedata

import phonenumbers

from app.destination.normalise import Normalised, Normaliser, is_old_digest

_EXTENSION = re.compile(r"(?:;?\s*ext(?:ension|\.|n\.?|=)?|[x#])\s*\.?:?\s*\d{1,7}\s*$", re.IGNORECASE)
_EXPONENT = re.compile(r"(\d)[.,](\d+)[eE]\+?(\d{1,2})", re.ASCII)
_MIN_DIGITS = 7
#: E.164 knows no longer numbers.
_MAX_DIGITS = 15
#: A number of the North American plan, as libphonenumber reads it too, which takes more than twenty times as long.
_NORTH_AMERICAN = re.compile(r"(\+1[ .-]?)?\(?([2-9]\d\d)\)?[ .-]?(\d{3})[ .-]?(\d{4})", re.ASCII)
_NORTH_AMERICA = frozenset({"US", "CA"})


def phone_normaliser(default_country: str | None) -> Normaliser:
    """Make a normaliser of phones that completes national numbers."""

    def normalise(text: str, country: str | None) -> Normalised:
        if is_old_digest(text):
            return None, "it is an MD5 or SHA-1 digest, which Pinterest cannot match; send the number or its SHA-256"
        number = _EXTENSION.sub("", _unrounded(text))
        if not number:
            return None, "it is a number that a spreadsheet has rounded"
        number = f"+{number[2:]}" if number.startswith("00") else number
        where = country or (default_country or "").upper() or None
        parsed = _e164(number, where)
        if parsed:
            return parsed, "" if len(parsed) >= _MIN_DIGITS else "sent, though phone numbers are longer"
        if where:
            return None, f"it is no phone number of {'its country' if country else 'DEFAULT_COUNTRY'}"
        digits = "".join(str(unicodedata.digit(c)) for c in number if c.isdigit()).lstrip("0")
        if not 0 < len(digits) <= _MAX_DIGITS:
            return None, f"no phone number has more than {_MAX_DIGITS} digits" if digits else "no digit is left of it"
        return digits, "sent without a country code: neither the event nor DEFAULT_COUNTRY names a country"

    return normalise


def _unrounded(number: str) -> str:
    """Write `4.155552671E9`, as spreadsheets do, with all its digits; "" where digits were lost on the way."""
    match = _EXPONENT.fullmatch(number)
    if match is None:
        return number
    first, decimals, exponent = match.groups()
    return first + decimals if len(decimals) == int(exponent) else ""


def _e164(number: str, country: str | None) -> str | None:
    """Return country code and number as digits; None where it is none."""
    plain = _NORTH_AMERICAN.fullmatch(number)
    if plain and (plain[1] or country in _NORTH_AMERICA):
        return f"1{plain[2]}{plain[3]}{plain[4]}"
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
    digits = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).lstrip("+0")
    return digits if 0 < len(digits) <= _MAX_DIGITS else None
