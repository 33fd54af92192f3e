"""When an event happened, held against the clock."""

import math
from typing import Any

from app.core.values.flags import single
from app.core.values.times import DAY_S, unix_seconds
from app.destination.reading import NO_NOTES, Reading
from app.destination.warnings import kind, left_out
from app.errors import EventInvalid

_FUTURE_TOLERANCE_S = 60
#: Pinterest reports what arrives later as offline (facts of Segment's and Tealium's documentation).
_REPORTED_AS_SENT_S = 60 * 60


def read_time(value: Any) -> Reading:
    """Read a time in any way that `unix_seconds` knows; fractions of a second are cut."""
    seconds = unix_seconds(value if type(value) is str else single(value))
    if seconds is None:
        return None, (left_out(value, "no time can be read from it"),)
    return math.floor(seconds), NO_NOTES


def read_install_time(value: Any) -> Reading:
    """Read a time that Pinterest takes only from 1970 on; say where it is cut, and where digits are no seconds."""
    text = single(value)
    seconds = unix_seconds(text, earliest=-math.inf)
    if seconds is None or seconds < 0:
        return None, (left_out(value, "no time can be read from it" if seconds is None else "it lies before 1970"),)
    sent, written = math.floor(seconds), str(text)
    if type(text) in (str, float) and written.partition(".")[2].isdecimal():
        return sent, (f": {kind(value)} cut to whole seconds",)
    if written.isdecimal() and int(written) != sent:  # milliseconds, or a date without marks in it
        return sent, (f": {kind(value)} sent as {sent}",)
    return sent, NO_NOTES


def settled_time(seconds: int, *, now: float, max_age_s: float, offline: bool) -> tuple[int, list[str]]:
    """Return an event's time, held against the clock, with warnings: the future becomes now, what is late is said.

    Raises EventInvalid where it is older than `max_age_s`.
    """
    age_s = now - seconds
    if age_s > max_age_s:
        raise EventInvalid(
            f"event_time: {age_s / DAY_S:.1f} days old, Pinterest takes events of the last {max_age_s / DAY_S:g} days"
        )
    if age_s < -_FUTURE_TOLERANCE_S:
        return math.floor(now), [f"event_time: {-age_s:.0f} s in the future, set to the time of receipt"]
    if age_s > _REPORTED_AS_SENT_S and not offline:
        return seconds, [
            f"event_time: {age_s / 3600:.1f} hours old, Pinterest reports what comes after 1 hour as offline"
        ]
    return seconds, []
