"""What every event must have beside `user_data`: name, source, time and id."""

from collections.abc import Collection
from typing import Any, Final

from app.core.values.candidates import Candidates
from app.core.values.event_names import ACTION_SOURCES
from app.core.values.flags import single
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id
from app.destination.event_name import nearest_event_name
from app.destination.event_time import read_time
from app.destination.reading import NO_ID, NO_NOTES, Reader, Reading, text_of, usable_candidate
from app.destination.warnings import hashed_id, left_out, shown

#: The fields, as the action and Pinterest call them.
REQUIRED: Final = ("event_name", "action_source", "event_time", "event_id")
_MISSING = ": missing"
#: Of an event name that is compared with the known ones.
_MAX_NAME = 64


class RequiredReader:
    """Reads the required fields of one event after the other."""

    def __init__(self, event_names: Collection[str]) -> None:
        self._event_names = event_names
        readers: tuple[Reader, ...] = (self._read_event_name, _read_action_source, read_time, _read_event_id)
        #: By field, in the order in which they are read.
        self.readers = dict(zip(REQUIRED, readers, strict=True))

    def __call__(self, fields: dict[str, Any], candidates: Candidates) -> tuple[dict[str, Any], list[str], list[str]]:
        """Return what was read (None for what was not), the faults, all at once, and the warnings.

        `candidates` returns those of a field whose first value is refused.
        """
        event: dict[str, Any] = {}
        faults: list[str] = []
        warnings: list[str] = []
        for name, read in self.readers.items():
            given = fields.get(name)
            value, notes = (None, (_MISSING,)) if given is None or given == "" else read(given)
            if value is None:
                value, notes = usable_candidate(candidates((name,)), read, notes)
            event[name] = value
            if notes:
                told = faults if value is None else warnings
                told += [f"{name}{note}" for note in notes]
        return event, faults, warnings

    def _read_event_name(self, value: Any) -> Reading:
        """Read one of the names that Pinterest or the operator knows."""
        name = value if type(value) is str else single(value)
        if type(name) is str and name in self._event_names:
            return name, NO_NOTES
        nearest = nearest_event_name(str(name)[:_MAX_NAME], self._event_names)
        return None, (f': {shown(value)} is no event name of Pinterest, the nearest is "{nearest}"',)


def _read_action_source(value: Any) -> Reading:
    """Read one of the closed list."""
    source = value if type(value) is str else single(value)
    if type(source) is str and source in ACTION_SOURCES:
        return source, NO_NOTES
    return None, (f": {shown(value)} is none of {', '.join(ACTION_SOURCES)}",)


def _read_event_id(value: Any) -> Reading:
    """Read an id as it is: equal ids are one event to Pinterest, the tag's among them."""
    text = value if type(value) is str and value.isascii() else text_of(single(value))
    if text is None or is_no_id(text):
        return None, (left_out(value, NO_ID),)
    kept = unpersonal_id(text)
    return kept, NO_NOTES if kept == text else (f"{hashed_id(text)}; the Pinterest tag must send the same",)
