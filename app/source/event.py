"""A Segment event: what it must be, and what Segment's server would have filled in.

    read_event({"type": "track", "event": "Order Completed"}, arrival)
    -> the same object, now also with messageId, timestamp and receivedAt

Segment's spec of the common fields: https://segment.com/docs/connections/spec/common/
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self
from uuid import uuid4

import orjson

from app.errors import EventRefused
from app.types import Event
from app.values.placeholders import says_nothing

#: What a sender stamps anew when it sends the same event again.
_VOLATILE = frozenset({"sentAt", "receivedAt", "_metadata"})


def random_id() -> str:
    """Make a message id that nobody else makes."""
    return uuid4().hex


@dataclass(slots=True, kw_only=True)
class Arrival:
    """When and how the events of one request arrived."""

    #: By our clock, Unix seconds.
    received_at: float
    #: They come straight from an SDK, so their times are the device's; else Segment or RudderStack corrected them.
    from_device: bool
    #: Makes the message id of an event that has neither an id nor a time.
    new_id: Callable[[], str]
    _received: str | None = field(default=None, init=False)

    @classmethod
    def at(cls, now: float, *, from_device: bool = False, new_id: Callable[[], str] = random_id) -> Self:
        """Describe a request that arrived at `now`."""
        return cls(received_at=now, from_device=from_device, new_id=new_id)

    @property
    def received(self) -> str:
        """When they arrived, as ISO 8601; written when first asked for, since most events bring their own time."""
        if self._received is None:
            self._received = _iso(self.received_at)
        return self._received


def read_event(value: Any, arrival: Arrival) -> Event:
    """Take one parsed JSON value as an event and complete it in place.

    Any `type` is taken: one that no preset asks for is simply unmatched.
    Raises EventRefused where the value is no event.
    """
    if not isinstance(value, dict):
        raise EventRefused("the event is not a JSON object")
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        reason = "`type` is missing or is not a text: track, page, screen, identify, group or alias"
        raise EventRefused(reason, message_id=given_message_id(value))
    value["messageId"] = given_message_id(value) or _made_message_id(value, arrival)
    if arrival.from_device:
        _correct_clock(value, arrival)
    else:
        value["receivedAt"] = _given(value, "receivedAt") or arrival.received
        told = _told_time(value)
        value["timestamp"] = value["receivedAt"] if told is None else told
    return value


def _told_time(event: Event) -> Any:
    """Return when the sender says it happened, or None; RudderStack's SDKs say it as `originalTimestamp`."""
    told = _given(event, "timestamp")
    return _given(event, "originalTimestamp") if told is None else told


def given_message_id(event: Event) -> str | None:
    """Return the id that the sender gave the event; None where it gave none: one "undefined" would hide the next."""
    given = _given(event, "messageId")
    return str(given) if type(given) in (str, int) else None


def _given(event: Event, name: str) -> Any:
    """Return a member; None where it is missing, null, blank or a placeholder."""
    given = event.get(name)
    return None if type(given) is str and says_nothing(given) else given


def _made_message_id(event: Event, arrival: Arrival) -> str:
    """Make the id that is missing: the same one when the same event is sent again.

    Without a time two equal events may be two things that happened (two views of a page), so their ids are random.
    """
    if not _told_time(event):
        return arrival.new_id()
    lasting = {name: value for name, value in event.items() if name not in _VOLATILE}
    try:
        return sha256(orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    except orjson.JSONEncodeError:  # nested deeper than orjson writes (254), though MAX_JSON_DEPTH allows it
        return arrival.new_id()


def _correct_clock(event: Event, arrival: Arrival) -> None:
    """Replace the device's time by ours: timestamp = receivedAt - (sentAt - timestamp).

    Source: https://segment.com/docs/connections/spec/common/#timestamps
    """
    told = _told_time(event)
    event["receivedAt"] = arrival.received
    event["originalTimestamp"] = told or arrival.received
    event["timestamp"] = _corrected(told, event.get("sentAt"), arrival.received_at) or told or arrival.received


def _corrected(told: Any, sent: Any, received_at: float) -> str | None:
    """Return the corrected time as ISO 8601; None where one of the two cannot be read."""
    told_at, sent_at = _unix(told), _unix(sent)
    if told_at is None or sent_at is None:
        return None
    try:
        return _iso(received_at - (sent_at - told_at))
    except (OverflowError, ValueError, OSError):  # before year 1 or after year 9999
        return None


def _unix(text: Any) -> float | None:
    """Read ISO 8601 (UTC where it names no offset) as Unix seconds."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _iso(at: float) -> str:
    """Write Unix seconds as `2026-03-04T16:12:52.244Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
