"""The known event name that is nearest to an unknown name."""

import difflib
import math
from collections.abc import Collection
from typing import Any, Final

from app.core.values.candidates import Candidates
from app.core.values.event_names import ACTION_SOURCES, EVENT_NAMES
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id, unwrap_single
from app.core.values.times import DAY_S, unix_seconds
from app.destination.reading import NO_ID, NO_NOTES, Notes, Reader, Reading, text_of, usable_candidate
from app.destination.warnings import hashed_id, kind, left_out, shown
from app.errors import EventInvalid

#: Names in other platforms with the same meaning and a different spelling.
_SYNONYMS = {
    "purchase": "checkout",
    "order_completed": "checkout",
    "complete_registration": "signup",
    "generate_lead": "lead",
    "begin_checkout": "initiate_checkout",
    "view_item": "view_content",
    "product_viewed": "view_content",
    "view_item_list": "view_category",
    "page_view": "page_visit",
}


def nearest_event_name(name: str, known: Collection[str] = EVENT_NAMES) -> str:
    """Return the nearest name in `known`: `purchase` -> `checkout`, `ADD CART` -> `add_to_cart`."""
    spelled = name.strip().lower().replace(" ", "_").replace("-", "_")
    if spelled in _SYNONYMS:
        return _SYNONYMS[spelled]
    return difflib.get_close_matches(spelled, sorted(known), n=1, cutoff=0.0)[0]


_FUTURE_TOLERANCE_S = 60
#: Pinterest reports later events as offline (from Segment's and Tealium's documentation).
TIMELY_S = 60 * 60


def read_time(value: Any) -> Reading:
    """Read a time in any format of `unix_seconds`; fractions of a second are cut."""
    seconds = unix_seconds(value if type(value) is str else unwrap_single(value))
    if seconds is None:
        return None, (left_out(value, "no time can be read from it"),)
    return math.floor(seconds), NO_NOTES


def read_install_time(value: Any) -> Reading:
    """Read a time that Pinterest only accepts from 1970 on; add a note if it was cut or was not in seconds."""
    text = unwrap_single(value)
    seconds = unix_seconds(text, earliest=-math.inf)
    if seconds is None or seconds < 0:
        return None, (left_out(value, "no time can be read from it" if seconds is None else "it lies before 1970"),)
    sent, written = math.floor(seconds), str(text)
    if type(text) in (str, float) and written.partition(".")[2].isdecimal():
        return sent, (f": {kind(value)} cut to whole seconds",)
    if written.isdecimal() and int(written) != sent:  # milliseconds, or a date without separators
        return sent, (f": {kind(value)} sent as {sent}",)
    return sent, NO_NOTES


def settled_time(seconds: int, *, now: float, max_age_s: float, offline: bool) -> tuple[int, list[str]]:
    """Return an event's time relative to the clock, with warnings.

    A future time becomes `now`, a late event gets a warning. Raises EventInvalid if the event is older than
    `max_age_s`.
    """
    age_s = now - seconds
    if age_s > max_age_s:
        raise EventInvalid(
            f"event_time: {age_s / DAY_S:.1f} days old, Pinterest takes events of the last {max_age_s / DAY_S:g} days"
        )
    if age_s < -_FUTURE_TOLERANCE_S:
        return math.floor(now), [f"event_time: {-age_s:.0f} s in the future, set to the time of receipt"]
    if age_s > TIMELY_S and not offline:
        return seconds, [
            f"event_time: {age_s / 3600:.1f} hours old, Pinterest reports what comes after 1 hour as offline"
        ]
    return seconds, []


#: The fields, under the same names in action and Pinterest event.
REQUIRED: Final = ("event_name", "action_source", "event_time", "event_id")
#: The note for a missing field.
MISSING_FIELD: Final[Notes] = (": missing",)
#: Maximum length of an event name for the comparison with known names.
_MAX_NAME = 64


class RequiredReader:
    """Reads the required fields of events."""

    def __init__(self, event_names: Collection[str]) -> None:
        self._event_names = event_names
        #: By field, the texts that are sent unchanged.
        self.known = {"event_name": frozenset(event_names), "action_source": frozenset(ACTION_SOURCES)}
        readers: tuple[Reader, ...] = (self._read_event_name, _read_action_source, read_time, _read_event_id)
        #: By field, in the order of reading.
        self.readers = dict(zip(REQUIRED, readers, strict=True))

    def read(self, name: str, given: Any) -> Reading:
        """Read a single field."""
        return (None, MISSING_FIELD) if given is None or given == "" else self.readers[name](given)

    def settle(
        self,
        name: str,
        value: Any,
        notes: Notes,
        event: dict[str, Any],
        faults: list[str],
        warnings: list[str],
        candidates: Candidates,
    ) -> None:
        """Add a field to the event, from the next place if its value was rejected, and the notes.

        `candidates` returns the candidates of a field whose first value is rejected.
        """
        if value is None:
            value, notes = usable_candidate(candidates((name,)), self.readers[name], notes)
        event[name] = value
        told = faults if value is None else warnings
        told += [f"{name}{note}" for note in notes]

    def _read_event_name(self, value: Any) -> Reading:
        """Read a name that Pinterest or the operator has defined."""
        name = value if type(value) is str else unwrap_single(value)
        if type(name) is str and name in self._event_names:
            return name, NO_NOTES
        nearest = nearest_event_name(str(name)[:_MAX_NAME], self._event_names)
        return None, (f': {shown(value)} is no event name of Pinterest, the nearest is "{nearest}"',)


def _read_action_source(value: Any) -> Reading:
    """Read a value of the closed list."""
    source = value if type(value) is str else unwrap_single(value)
    if type(source) is str and source in ACTION_SOURCES:
        return source, NO_NOTES
    return None, (f": {shown(value)} is not one of {', '.join(ACTION_SOURCES)}",)


def _read_event_id(value: Any) -> Reading:
    """Read an id unchanged: equal ids are the same event for Pinterest, including those of the tag."""
    text = value if type(value) is str and value.isascii() else text_of(unwrap_single(value))
    if text is None or is_no_id(text):
        return None, (left_out(value, NO_ID),)
    kept = unpersonal_id(text)
    return kept, NO_NOTES if kept == text else (f"{hashed_id(text)}; the Pinterest tag must send the same",)
