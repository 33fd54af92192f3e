"""Normalise values about a person before SHA-256, with the rule of each field."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import TypeAlias

from app.config.settings import ConversionSettings
from app.core.fields import HASHED, checked_by_name
from app.core.values.hidden_emails import NO_WIDTH, plain_letters
from app.core.values.placeholders import is_no_id
from app.destination.phone_numbers import IMPOSSIBLE, MAX_DIGITS, MIN_DIGITS, WHOLE, e164, plain_number
from app.destination.place_names import country_code, is_state_of_account, state_code

#: The normalised text, `None` if the field is not sent, and a warning, "" if there is none.
Normalised: TypeAlias = tuple[str | None, str]
#: A function of the trimmed text and the country of the same event (alpha-2, upper case; `None` if unknown).
Normaliser: TypeAlias = Callable[[str, str | None], Normalised]

#: Longer values are neither read nor cached.
MAX_LENGTH = 1000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
#: White space as in JavaScript, and characters of no width.
_UNSEEN = re.compile(rf"[\s{NO_WIDTH}]+")
#: Trimmed everywhere.
_TRIMMED = "".join(c for c in map(chr, range(0x10000)) if _UNSEEN.match(c))
_BLANKS = re.compile(r"[\s\ufeff]+")
_EMAIL = re.compile(r"[^@<>]+@[^@<>.]+(?:\.[^@<>.]+)+")
#: Quotes around addresses in exports and address books.
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
_MAILTO = "mailto:"
_OLD_DIGEST = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}")
#: The length of the digests above: texts of other lengths need no match.
_SHA256_LENGTH = 64
_OLD_LENGTHS = frozenset({32, 40})
#: Hyphens and dashes, for a class of characters.
_HYPHENS = r"\u2010-\u2015-"
_DATE = re.compile(r"(\d{4})(?:([-/])(\d{1,2})\2(\d{1,2})|(\d{2})(\d{2}))(?:[Tt\s]\s*\d.*)?", re.ASCII)
_DATE_IN_ANY_ORDER = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[Tt\s]\s*\d.*)?", re.ASCII)
_US_ZIP = re.compile(rf"\d{{5}}(?:\s?[{_HYPHENS}]?\s?\d{{4}})?", re.ASCII)
_ZIP_DIGITS = 5
_ZIP_PADDED_FROM = 4
_GENDERS = {
    "f": "f",
    "female": "f",
    "woman": "f",
    "m": "m",
    "male": "m",
    "man": "m",
    "n": "n",
    "nonbinary": "n",
    "x": "n",
}


def trimmed(given: str) -> Normalised:
    """Trim a text; the result is `None` if it is blank or a placeholder of an id."""
    text = given.strip() if given.isascii() else given.strip(_TRIMMED)  # nearly every text is ASCII
    if is_no_id(text):
        return None, "it is blank or a placeholder"
    return text, ""


def normalised(given: str, country: str | None, normalise: Normaliser) -> Normalised:
    """Apply the common rules (placeholders are empty, digests are unchanged), then the field's rule."""
    if len(given) > MAX_LENGTH:
        return None, f"it is longer than {MAX_LENGTH} characters"
    text, note = trimmed(given)
    if text is None or (len(text) == _SHA256_LENGTH and _SHA256.fullmatch(text)):
        return text and text.lower(), note
    return normalise(text, country)


def _is_old_digest(text: str) -> bool:
    return len(text) in _OLD_LENGTHS and _OLD_DIGEST.fullmatch(text) is not None


def _seen(text: str) -> str:
    """Return a text without white space and characters of no width."""
    return "".join(text.split()) if text.isascii() else _UNSEEN.sub("", text)


def hashed(text: str) -> str:
    """Return the SHA-256 of a normalised text, in lower-case hex; a digest is unchanged."""
    is_digest = len(text) == _SHA256_LENGTH and _SHA256.fullmatch(text)
    return text.lower() if is_digest else sha256(text.encode()).hexdigest()


def normalise_email(text: str, _country: str | None) -> Normalised:
    """Remove invisible characters and text around an address, in lower case; `local@domain.tld` or `None`."""
    if _is_old_digest(text):
        return None, "it is an MD5 or SHA-1 digest, which Pinterest cannot match; send the address or its SHA-256"
    given = _seen(text).lower()
    is_bare = given and given[0].isalnum() and given[-1].isalnum() and ":" not in given
    address = given if is_bare else _bare_address(given)
    if not _EMAIL.fullmatch(address):
        return None, "it is no address of the form local@domain.tld"
    return address, "" if address == given else "sent without the marks around it"


def _bare_address(address: str) -> str:
    """Remove quotes, `mailto:`, the marks of a bare `<...>` and trailing `,;.`, in any order."""
    before = None
    while address != before:
        before = address
        address = address.strip(_QUOTES).rstrip(",;.")
        if address.startswith(_MAILTO):
            address = address.removeprefix(_MAILTO).partition("?")[0]
        if address.startswith("<") and address.endswith(">"):
            address = address[1:-1]
    return address


def phone_normaliser(default_country: str | None) -> Normaliser:
    """Return a normaliser of phone numbers that completes national numbers."""

    def normalise(text: str, country: str | None) -> Normalised:
        if _is_old_digest(text):
            return None, "it is an MD5 or SHA-1 digest, which Pinterest cannot match; send the number or its SHA-256"
        number = plain_number(text)
        if not number:
            return None, "it is a number that a spreadsheet has rounded"
        where = country or (default_country or "").upper() or None
        parsed = e164(number, where)
        if parsed is not None:
            return parsed or None, _length_note(parsed)
        if where:
            return None, f"it is no phone number of {'its country' if country else 'DEFAULT_COUNTRY'}"
        digits = "".join(str(unicodedata.digit(c)) for c in number if c.isdigit()).lstrip("0")
        if not 0 < len(digits) <= MAX_DIGITS:
            too_many = f"no phone number has more than {MAX_DIGITS} digits"
            return None, too_many if digits else "no digit is left of it"
        return digits, "sent without a country code: neither the event nor DEFAULT_COUNTRY names a country"

    return normalise


def _length_note(number: str) -> str:
    if number == IMPOSSIBLE:
        return "the number is too short or too long for its country"
    return "" if len(number) >= MIN_DIGITS else "sent, though phone numbers are longer"


def normalise_gender(text: str, _country: str | None) -> Normalised:
    """Map the words in use to f, m or n."""
    letter = _GENDERS.get(re.sub(rf"[\s{_HYPHENS}]", "", plain_letters(text)).lower())
    return letter, "" if letter else "it is not one of f, female, woman, m, male, man, n, non-binary, x"


def normalise_date_of_birth(text: str, _country: str | None) -> Normalised:
    """Format a year-first date as YYYYMMDD; other orders are ambiguous and not read."""
    match = _DATE.fullmatch(WHOLE.sub(r"\1", plain_letters(text)))
    if match is None:
        return None, "it is no date that begins with the year (YYYY-MM-DD)"
    year, _, *parts = match.groups()
    month, day = (int(part) for part in parts if part)
    sent = _day(int(year), month, day)
    return sent, "" if sent else "there is no such day"


def normalise_birthday(text: str, country: str | None) -> Normalised:
    """Format a date with a single possible reading as YYYYMMDD: year first, day first or month first."""
    match = _DATE_IN_ANY_ORDER.fullmatch(plain_letters(text))
    if match is None:
        return normalise_date_of_birth(text, country)
    one, other, year = (int(match[group]) for group in (1, 3, 4))
    days = {day for pair in ((one, other), (other, one)) if (day := _day(year, *pair))}
    if len(days) == 1:
        return days.pop(), ""
    return None, "day and month cannot be told apart; send YYYY-MM-DD" if days else "there is no such day"


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return f"{date(year, month, day):%Y%m%d}".rjust(8, "0")
    except ValueError:
        return None


def normalise_name(text: str, _country: str | None) -> Normalised:
    """Return a name in lower case with composed accents (NFC), single blanks and punctuation."""
    if text.isascii():
        return " ".join(text.split()).lower(), ""
    return unicodedata.normalize("NFC", _BLANKS.sub(" ", text).lower()), ""


def normalise_city(text: str, _country: str | None) -> Normalised:
    """Return the letters, digits and accents of a city, composed (NFC) and in lower case."""
    city = "".join(c for c in text.lower() if c.isalnum() or unicodedata.category(c)[0] == "M")
    return unicodedata.normalize("NFC", city) or None, "" if city else "no letter is left of it"


def normalise_state(text: str, country: str | None) -> Normalised:
    """Return the code of a state of the event's country, by default the US."""
    code = state_code(text, country)
    if code is None and is_state_of_account(text):
        return None, ""
    where = "its country" if country else "the US"
    return (code.lower(), "") if code else (None, f"no state of {where} bears this name or code")


def normalise_zip(text: str, country: str | None) -> Normalised:
    """Normalise a postal code: five digits in the US, otherwise letters and digits in lower case."""
    text = WHOLE.sub(r"\1", plain_letters(text))
    letters = "".join(filter(str.isalnum, text)).lower()
    if country == "US" or (country is None and _US_ZIP.fullmatch(text)):
        digits = "".join(filter(str.isdecimal, text))
        if len(digits) < _ZIP_PADDED_FROM or digits != letters:
            return None, "it is no US zip code"
        return digits[:_ZIP_DIGITS].zfill(_ZIP_DIGITS), ""
    return letters or None, "" if letters else "no letter or digit is left of it"


def normalise_country(text: str, _country: str | None) -> Normalised:
    """Return the alpha-2 code of a country."""
    code = country_code(text)
    return (code.lower(), "") if code else (None, "no country, or more than one, bears this name")


def external_id_normaliser(*, keep_case: bool) -> Normaliser:
    """Return a normaliser of user ids: no white space, no characters of no width."""

    def normalise(text: str, _country: str | None) -> Normalised:
        user_id = _seen(text)
        return user_id if keep_case else user_id.lower(), ""

    return normalise


def normalise_maid(text: str, _country: str | None) -> Normalised:
    """Return an advertising id in lower case; an id of only zeros means that the person limits tracking."""
    return (text.lower(), "") if text.strip("0-") else (None, "it is all zeros, which means that tracking is limited")


def normalisers(rules: ConversionSettings) -> dict[str, Normaliser]:
    """Return the normaliser of each hashed field, by the action's name. Raise TypeError if a field has none."""
    return checked_by_name(
        {
            "email": normalise_email,
            "phone": phone_normaliser(rules.default_country),
            "first_name": normalise_name,
            "last_name": normalise_name,
            "gender": normalise_gender,
            "date_of_birth": normalise_date_of_birth,
            "city": normalise_city,
            "state": normalise_state,
            "zip": normalise_zip,
            "country": normalise_country,
            "external_id": external_id_normaliser(keep_case=rules.external_id_keep_case),
            "hashed_maids": normalise_maid,
        },
        HASHED,
    )
