"""Times as programs and people write them in English: RFC 2822, C, Java, browsers, `March 4, 2026, 4:12 PM`."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?: ?(?P<half>[AP])\.?M\b\.?)?"
#: Zones of which everybody means the same, RFC 2822 (section 4.3) names no others. CET, BST or IST are no times of it.
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
    """Return a time that is written in English.

    Raises ValueError where the text is no such time, or its zone is not one of RFC 2822.

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
