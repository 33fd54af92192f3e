"""Under which name an event arrives."""

from typing import Final

#: Which member names an event of this type, where it is not `event`; "" where none does.
#: https://segment.com/docs/connections/spec/
_NAMED_BY: Final = {"page": "name", "screen": "name", "identify": "", "group": "", "alias": ""}

#: Stands for the type of what a source's file makes no event of.
RECORD: Final = "record"


def named_by(event_type: str) -> str:
    """Return which member names events of a type; "" where none does.

    >>> named_by("track"), named_by("page"), named_by("identify")
    ('event', 'name', '')
    """
    return _NAMED_BY.get(event_type, "event")
