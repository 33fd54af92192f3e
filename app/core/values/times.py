"""Parse times as programs and people write them in English: RFC 2822, C, Java, browsers, `March 4, 2026, 4:12 PM`."""

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?: ?(?P<half>[AP])\.?M\b\.?)?"
#: Unambiguous zones: only those of RFC 2822 (section 4.3). CET, BST and IST are not among them.
_ZONE = r"(?P<zone>(?:Z|UTC?|GMT)?[+-]\d{2}:?\d{2}|Z|UTC?|GMT|[ECMP][SD]T)"
_AT = rf"(?:,? (?:at )?{_TIME}(?: {_ZONE})?(?: \([^()]*\))?)?"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"(?:{_WEEKDAY}(?:, ?| ))?{_DAY}[ -]{_MONTH}[ -]{_YEAR}{_AT}",
        rf"{_WEEKDAY}, ?{_DAY}[ -]{_MONTH}[ -](?P<short_year>\d{{2}}){_AT}",
        rf"{_DAY} {_MONTH} (?P<short_year>\d{{2}}) {_TIME} {_ZONE}",
        rf"(?:{_WEEKDAY},? )?{_MONTH} {_DAY},? {_YEAR}{_AT}",
        rf"{_WEEKDAY} {_MONTH} {_DAY} {_TIME}(?: {_ZONE})? {_YEAR}",
    )
)
_AMERICAN: Final = {"E": -5, "C": -6, "M": -7, "P": -8}
_NOON = 12


def in_english(text: str) -> datetime:
    """Parse a time that is written in English.

    Raises ValueError if the text is not such a time, or its zone is not in RFC 2822.

    >>> str(in_english("Mar 4, 2026, 4:12 PM")), str(in_english("Wed, 04 Mar 2026 16:12:00 EST"))
    ('2026-03-04 16:12:00+00:00', '2026-03-04 16:12:00-05:00')
    """
    words = " ".join(text.split())  # also the narrow blank that browsers write before PM
    match = next(filter(None, (form.fullmatch(words) for form in _FORMS)), None)
    if match is None:
        raise ValueError(text)
    found = match.groupdict()
    year = int(found.get("year") or f"20{found['short_year']}")
    month = _MONTHS.index(found["month"][:3].lower()) + 1
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if found["half"]:
        hour = _by_halves(hour, found["half"].lower())
    return datetime(year, month, int(found["day"]), hour, minute, second, tzinfo=_zone((found["zone"] or "").upper()))


def _by_halves(hour: int, half: str) -> int:
    if not 1 <= hour <= _NOON:
        raise ValueError(hour)
    return hour % _NOON + (_NOON if half == "p" else 0)


def _zone(name: str) -> timezone:
    if name[:1] in _AMERICAN and name:
        return timezone(timedelta(hours=_AMERICAN[name[0]] + (name[1] == "D")))
    digits = name.lstrip("ZUTCGM").replace(":", "")
    if not digits:
        return UTC
    offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return timezone(-offset if digits[0] == "-" else offset)


#: Larger numbers are milliseconds (as seconds they would lie beyond the year 5138).
_MILLISECONDS_FROM = 1e11
#: No number is a time beyond the year 2286: `20260304161200` is not milliseconds.
_MAX_SECONDS = 1e10
#: Maximum length of a time as text; longer texts are ignored.
_MAX_LENGTH = 80
_DAY_LENGTH = len("2026-03-04")
_NUMBER = re.compile(r"\d{9,13}(?:\.\d+)?|0", re.ASCII)
#: Year first, with missing parts at the end: `2026-03`, `2026/3/4 6:07`, `20260304060708`.
_YEAR_FIRST = re.compile(
    r"(\d{4})[-/]?(\d{1,2})?[-/]?(\d{1,2})?[Tt\s]*(\d{1,2})?:?(\d{1,2})?:?(\d{1,2})?(?:[.:]\d+)?", re.ASCII
)
#: Without separators, year, month, day and time of day have all their digits.
_COMPACT_LENGTHS = {6, 8, 14}
#: `2026-03-04 16:12:00 UTC` (Ruby, BigQuery), `... +0100 CET` (Go), `...T17:12:00+01:00[Europe/Berlin]` (Java).
_ZONE_APART = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt\s]\d{2}:[\d:.,]*\d)\s*(?:[Zz]|UTC|GMT|([+-]\d{2}:?\d{2})(?:\s+[A-Z]{2,5})?)(?:\[[\w/+-]+\])?",
    re.ASCII,
)
#: An XML schema's date: Python would read the offset as the time of day.
_DAY_WITH_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[+-]", re.ASCII)
#: Programs write times before the year 2000 (`0`, `0001-01-01T00:00:00Z`) if the time is unknown.
YEAR_2000: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def unix_seconds(value: Any, *, earliest: float = YEAR_2000) -> float | None:
    """Return a time as Unix seconds; `None` if the value is not a time or is before `earliest`.

    Accepts ISO 8601 with any offset (default UTC), also with a lower-case `t` and `z`, Unix seconds or milliseconds,
    and English dates (see `in_english`).

    >>> unix_seconds("2026-03-04t06:07:08z"), unix_seconds(1772604428000), unix_seconds("0001-01-01T00:00:00Z")
    (1772604428.0, 1772604428.0, None)
    """
    seconds: float | None = None
    if type(value) is str and len(value) <= _MAX_LENGTH:
        text = value.strip()
        try:  # ISO 8601 is the fast path
            is_iso = len(text) > _DAY_LENGTH and text[4] == "-" and text[_DAY_LENGTH] not in "+-"
            moment = datetime.fromisoformat(text) if is_iso else None
        except ValueError:
            moment = None
        seconds = _seconds_of_other_text(text) if moment is None else _seconds(moment)
    elif type(value) in (int, float):
        seconds = _seconds_of_number(value)
    return seconds if seconds is not None and seconds >= earliest else None


def _seconds_of_number(number: float) -> float | None:
    """Interpret a number as seconds or milliseconds by its size; `None` after the year 2286."""
    if not math.isfinite(number):
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return seconds if -_MILLISECONDS_FROM < seconds < _MAX_SECONDS else None


@lru_cache(maxsize=1024)
def _seconds_of_other_text(text: str) -> float | None:
    """Try the other formats of a time, the most frequent first, because an invalid text is slow to reject."""
    if _NUMBER.fullmatch(text):
        return _seconds_of_number(float(text))
    for parse in (_iso, _zone_apart, _year_first, in_english):
        try:
            return _seconds(parse(text))
        except (ValueError, OverflowError):
            continue
    return None


def _seconds(moment: datetime) -> float:
    """Return Unix seconds; a time without an offset is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(text: str) -> datetime:
    if _DAY_WITH_OFFSET.match(text):
        raise ValueError(text)
    return datetime.fromisoformat(text.upper())


def _zone_apart(text: str) -> datetime:
    """Parse ISO 8601 with UTC by name, a blank before the zone, or a zone name after the offset."""
    match = _ZONE_APART.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.fromisoformat(match[1] + (match[2] or "Z"))


def _year_first(text: str) -> datetime:
    """Parse a date without its last parts; a year alone is not a date."""
    match = _YEAR_FIRST.fullmatch(text)
    if match is None or (text.isdecimal() and len(text) not in _COMPACT_LENGTHS):
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
    return datetime(year or 0, month or 0, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC)


def day_number(day: date) -> int:
    """Return the day as days since 1970.

    >>> day_number(date(1970, 1, 3))
    2
    """
    return (day - date(1970, 1, 1)).days


def at_second(at: float) -> str:
    """Return a time to the second, in UTC.

    >>> at_second(1764068785.9)
    '2025-11-25 11:06:25 UTC'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso_time(at: float) -> str:
    """Return a time as ISO 8601, in UTC.

    >>> iso_time(1764068785.9)
    '2025-11-25T11:06:25Z'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400

#: The maximum delay of a preset: Pinterest wants web and app events within an hour.
MAX_HOLD_S: Final = 55 * MINUTE_S


def hold_text(seconds: float) -> str:
    """Return a delay in the format of presets.

    >>> hold_text(1_800), hold_text(90)
    ('30m', '90s')
    """
    return f"{seconds / MINUTE_S:.0f}m" if seconds % MINUTE_S == 0 else f"{seconds:.0f}s"
