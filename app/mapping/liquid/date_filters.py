"""Liquid's date filters. Times without an offset are read as UTC, and results are in UTC.

"now" is not a date here, because the result of a mapping must depend on the event alone.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from operator import methodcaller
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.core.values.times import in_english
from app.mapping.liquid.values import TooLargeError, liquid_text
from app.mapping.nodes import MISSING

_DEFAULT_FORMAT: Final = "%A, %B %-e, %Y at %-l:%M %P %z"
_MAX_WIDTH: Final = 100
_MAX_MINUTES: Final = 24 * 60

_DIRECTIVE: Final = re.compile(r"%([-_0^#:]+)?(\d+)?[EO]?(.)", re.DOTALL | re.ASCII)
_WIDTHS: Final = {**dict.fromkeys("CdeHIklmMSUWy", 2), "j": 3, "L": 3, "Y": 4}
_PADDED_BY_BLANKS: Final = frozenset("aAbBceklpP")


def _strptime(form: str, text: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


#: Frequent formats that JavaScript's Date reads in addition to ISO 8601.
_OTHER_FORMS: Final[tuple[Callable[[str], datetime], ...]] = tuple(
    partial(_strptime, form)
    for form in ("%Y-%m", "%Y/%m/%d", "%m/%d/%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y")
)


def _twelve(moment: datetime) -> int:
    return moment.hour % 12 or 12


def _ordinal(day: int) -> str:
    return "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _clock(moment: datetime) -> str:
    return f"{_twelve(moment)}:{moment:%M:%S} {moment:%p}"


def _day(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year}"


_WRITERS: Final[Mapping[str, Callable[[datetime], Any]]] = {
    **{letter: methodcaller("strftime", f"%{letter}") for letter in "aAbBpZ"},
    "h": methodcaller("strftime", "%b"),
    "c": lambda moment: f"{_day(moment)}, {_clock(moment)}",
    "C": lambda moment: moment.year // 100,
    "d": lambda moment: moment.day,
    "e": lambda moment: moment.day,
    "H": lambda moment: moment.hour,
    "I": _twelve,
    "j": lambda moment: moment.timetuple().tm_yday,
    "k": lambda moment: moment.hour,
    "l": _twelve,
    "L": lambda moment: moment.microsecond // 1000,
    "m": lambda moment: moment.month,
    "M": lambda moment: moment.minute,
    "N": lambda moment: f"{moment.microsecond // 1000:03d}000000",
    "P": lambda moment: moment.strftime("%p").lower(),
    "q": lambda moment: _ordinal(moment.day),
    "s": lambda moment: int(moment.timestamp() // 1),
    "S": lambda moment: moment.second,
    "u": lambda moment: moment.isoweekday(),
    "U": lambda moment: int(moment.strftime("%U")),
    "w": lambda moment: moment.isoweekday() % 7,
    "W": lambda moment: int(moment.strftime("%W")),
    "x": _day,
    "X": _clock,
    "y": lambda moment: moment.year % 100,
    "Y": lambda moment: moment.year,
    "t": lambda _moment: "\t",
    "n": lambda _moment: "\n",
    "%": lambda _moment: "%",
}


def written(moment: datetime, how: str) -> str:
    """Format a time with Ruby's directives: `%Y-%m-%d`, `%-d`, `%^a`, `%5Y`."""
    return _DIRECTIVE.sub(lambda match: _directive(moment, match), how)


def _directive(moment: datetime, match: re.Match[str]) -> str:
    flags, width, letter = match[1] or "", int(match[2] or 0), match[3]
    if width > _MAX_WIDTH:
        raise TooLargeError
    if letter == "z":
        offset = moment.strftime("%z")
        text = f"{offset[:3]}:{offset[3:]}" if ":" in flags else offset
    elif letter in _WRITERS:
        text = str(_WRITERS[letter](moment))
    else:
        return match[0]
    if letter == "N" and width:
        return text[:width].ljust(width, "0")
    if "^" in flags or "#" in flags:
        text = text.lower() if "#" in flags and text.isupper() else text.upper()
    filler = " " if "_" in flags or ("0" not in flags and letter in _PADDED_BY_BLANKS) else "0"
    return text if "-" in flags else text.rjust(width or _WIDTHS.get(letter, 0), filler)


def moment_of(value: Any, zone: Any = MISSING) -> datetime | None:
    """Read a number or text of digits as Unix seconds, other texts as ISO 8601 or English dates; otherwise `None`."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            moment = datetime.fromtimestamp(int(value), UTC) if value.isdigit() and value.isascii() else _parsed(value)
        else:
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(_zone(zone))
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError):
        return None


def _parsed(text: str) -> datetime:
    text = text.strip()
    readers: tuple[Callable[[str], datetime], ...] = (datetime.fromisoformat, *_OTHER_FORMS, in_english)
    for read in readers:
        with suppress(ValueError):
            return read(text)
    raise ValueError


def _zone(zone: Any) -> tzinfo:
    """Read minutes west of UTC, as in JavaScript, or the name of a time zone; otherwise UTC."""
    if isinstance(zone, int | float) and abs(zone) < _MAX_MINUTES:
        return timezone(timedelta(minutes=-zone))
    return ZoneInfo(zone) if isinstance(zone, str) and zone else UTC


def date(value: Any, how: Any = MISSING, zone: Any = MISSING) -> Any:
    """Format a date; other values pass unchanged."""
    moment = moment_of(value, zone)
    if moment is None:
        return value
    return written(moment, _DEFAULT_FORMAT if how is MISSING or how is None else liquid_text(how))


def _fixed(how: str) -> Callable[[Any], Any]:
    return lambda value: date(value, how)


def _in_words(month: str) -> Callable[..., Any]:
    def in_words(value: Any, kind: Any = MISSING, style: Any = MISSING) -> Any:
        if kind != "ordinal":
            return date(value, f"%d {month} %Y")
        return date(value, f"{month} %-d%q, %Y" if style == "US" else f"%-d%q {month} %Y")

    return in_words


DATE_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "date": date,
    "date_to_xmlschema": _fixed("%Y-%m-%dT%H:%M:%S%:z"),
    "date_to_rfc822": _fixed("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": _in_words("%b"),
    "date_to_long_string": _in_words("%B"),
}
