"""When an event happened: every way to write it that sources use, as Unix seconds."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from app.destination.reading import NO_NOTES, Reading, single
from app.destination.warnings import kind, left_out
from app.errors import EventInvalid

#: Larger numbers are milliseconds (as seconds they would lie beyond the year 5138).
_MILLISECONDS_FROM = 1e11
_FUTURE_TOLERANCE_S = 60
#: Of the text of a time; longer ones are not looked at.
_MAX_LENGTH = 80
#: Pinterest reports what arrives later as offline (facts of Segment's and Tealium's documentation).
_REPORTED_AS_SENT_S = 60 * 60
_DAY_S = 24 * 60 * 60
_NUMBER = re.compile(r"-?\d{9,13}(?:\.\d+)?|0", re.ASCII)
#: Year first, the rest as far as it goes: `2026-03`, `2026/3/4 6:07`, `20260304060708`.
_YEAR_FIRST = re.compile(
    r"(\d{4})[-/]?(\d{1,2})?[-/]?(\d{1,2})?[Tt\s]*(\d{1,2})?:?(\d{1,2})?:?(\d{1,2})?(?:[.:]\d+)?", re.ASCII
)
#: Without marks between them, year, month, day and time of day have all their digits.
_COMPACT_LENGTHS = {4, 6, 8, 14}
#: What `String(new Date())` gives in a browser.
_BROWSER = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2}) GMT([+-]\d{4})(?: \(.*\))?", re.ASCII
)


def read_time(value: Any) -> Reading:
    """Read ISO 8601 with any offset (none is UTC), Unix seconds or milliseconds, RFC 2822; fractions are cut."""
    given = single(value)
    seconds: float | None = None
    if type(given) is str:
        seconds = _from_text(given.strip()) if len(given) <= _MAX_LENGTH else None
    elif type(given) in (int, float):
        seconds = _from_number(given)
    if seconds is None:
        return None, (left_out(value, "no time can be read from it"),)
    return math.floor(seconds), NO_NOTES


def read_install_time(value: Any) -> Reading:
    """Read a time that Pinterest takes only from 1970 on."""
    seconds, notes = read_time(value)
    if seconds is not None and seconds < 0:
        return None, (left_out(value, "it lies before 1970"),)
    text = single(value)
    if seconds is not None and type(text) in (str, float) and str(text).partition(".")[2].isdecimal():
        return seconds, (f": {kind(value)} cut to whole seconds",)
    return seconds, notes


def settled_time(seconds: int, *, now: float, max_age_s: float, offline: bool) -> tuple[int, list[str]]:
    """Return an event's time, held against the clock, with warnings: the future becomes now, what is late is said.

    Raises EventInvalid where it is older than `max_age_s`.
    """
    age_s = now - seconds
    if age_s > max_age_s:
        raise EventInvalid(
            f"event_time: {age_s / _DAY_S:.1f} days old, Pinterest takes events of the last {max_age_s / _DAY_S:g} days"
        )
    if age_s < -_FUTURE_TOLERANCE_S:
        return math.floor(now), [f"event_time: {-age_s:.0f} s in the future, set to the time of receipt"]
    if age_s > _REPORTED_AS_SENT_S and not offline:
        return seconds, [
            f"event_time: {age_s / 3600:.1f} hours old, Pinterest reports what comes after 1 hour as offline"
        ]
    return seconds, []


def _from_number(number: float) -> float | None:
    """Take a number for seconds or milliseconds by its size; None beyond the year 9999."""
    if not math.isfinite(number):
        return None
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return seconds if abs(seconds) < _MILLISECONDS_FROM else None


def _from_text(text: str) -> float | None:
    """Read ISO 8601 at once; what it is not may be costly to find out, and is remembered."""
    if text[4:5] == "-":
        try:
            return _seconds(datetime.fromisoformat(text))
        except ValueError:
            pass
    return _from_other_text(text)


@lru_cache(maxsize=1024)
def _from_other_text(text: str) -> float | None:
    """Try the other ways to write a time, the most frequent first."""
    if _NUMBER.fullmatch(text):
        return _from_number(float(text))
    for parse in (datetime.fromisoformat, _year_first, _browser, parsedate_to_datetime):
        try:
            return _seconds(parse(text))
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _seconds(moment: datetime) -> float:
    """Return Unix seconds; a time that names no offset is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _year_first(text: str) -> datetime:
    """Read a date with parts missing at its end."""
    match = _YEAR_FIRST.fullmatch(text)
    if match is None or (text.isdecimal() and len(text) not in _COMPACT_LENGTHS):
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
    return datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC)


def _browser(text: str) -> datetime:
    """Read `Wed Mar 04 2026 06:07:08 GMT+0100 (CET)`."""
    match = _BROWSER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return datetime.strptime(f"{match[1]} {match[2]}", "%b %d %Y %H:%M:%S %z")
