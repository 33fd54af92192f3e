"""A Segment event: its requirements, the members that Segment's server would add, and the interface to the pipeline.

    read_event({"type": "track", "event": "Order Completed"}, arrival)
    -> the same object, now also with messageId, timestamp, receivedAt and arrivedAt (Unix seconds)

The time of an event is read from timestamp, originalTimestamp, receivedAt, sentAt, arrivedAt, in this order. A missing
member is added here; an unreadable member is unchanged, so that the mapping skips it with a warning.

Segment's spec of the common fields: https://segment.com/docs/connections/spec/common/
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from itertools import chain, islice
from typing import Any, Protocol, Self, TypeGuard
from uuid import uuid4

import orjson
from msgspec import Struct
from msgspec.structs import replace

from app.core.events import DEFAULT_SOURCE, Event
from app.core.receipts import Receipt
from app.core.values.placeholders import is_no_id
from app.core.values.times import unix_seconds
from app.errors import EventRefused

#: The members with the time of an event, in order of preference.
_TOLD = ("timestamp", "originalTimestamp")
TIMES = (*_TOLD, "receivedAt", "sentAt")
#: Values that count as a missing time.
_NOTHING = (None, "")
#: Members that change when a sender repeats an event.
_VOLATILE = frozenset({"sentAt", "receivedAt", "_metadata"})


def random_id() -> str:
    """Return a unique message id."""
    return uuid4().hex


class Arrival(Struct, kw_only=True):
    """The time and circumstances of a request's arrival."""

    #: By this machine's clock, Unix seconds.
    received_at: float
    #: Sent directly by an SDK, with the times of the device; otherwise Segment or RudderStack corrected the times.
    from_device: bool
    #: Creates the message id of an event with neither an id nor a time.
    new_id: Callable[[], str]
    #: Sent as they occur, so the time of arrival replaces a missing time; not for an imported file.
    is_live: bool = True
    #: The cached value of `received`.
    written: str | None = None

    @classmethod
    def at(
        cls,
        now: float,
        *,
        from_device: bool = False,
        is_live: bool = True,
        new_id: Callable[[], str] = random_id,
    ) -> Self:
        return cls(received_at=now, from_device=from_device, is_live=is_live, new_id=new_id)

    @property
    def received(self) -> str:
        """Return the time of arrival as ISO 8601; formatted on first use, because most events have their own time."""
        if self.written is None:
            self.written = _iso(self.received_at)
        return self.written


def read_or_refuse(value: Any, arrival: Arrival) -> Event | EventRefused:
    """Return the event of a value, or the EventRefused with the reason; an EventRefused is returned unchanged."""
    if isinstance(value, EventRefused):
        return value
    try:
        return read_event(value, arrival)
    except EventRefused as refused:
        return refused


def read_event(value: Any, arrival: Arrival) -> Event:
    """Validate a parsed JSON value as an event and complete it in place.

    Any `type` is accepted: a type without a matching preset is unmatched. Raises EventRefused if the value is not an
    event.
    """
    if not isinstance(value, dict):
        raise EventRefused("the event is not a JSON object")
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        reason = "`type` is missing or is not a text: track, page, screen, identify, group or alias"
        raise EventRefused(reason, message_id=given_message_id(value))
    if "idIsMade" in value:  # senders may not set it
        del value["idIsMade"]
    message_id = given_message_id(value)
    if message_id is None:
        message_id = _made_message_id(value, arrival)
        value["idIsMade"] = True
    value["messageId"] = message_id
    if "arrivedAt" in value:  # senders may not set it
        del value["arrivedAt"]
    if arrival.from_device:
        _correct_clock(value, arrival)
    else:
        _complete_times(value, arrival)
    return value


def given_message_id(event: Event) -> str | None:
    """Return the sender's id of the event; `None` if there is none or it is a placeholder.

    An id "undefined" would make the next event a duplicate.
    """
    given = event.get("messageId")
    if type(given) is str:
        return None if is_no_id(given) else given
    return None if type(given) is not int or is_no_id(str(given)) else str(given)


def _made_message_id(event: Event, arrival: Arrival) -> str:
    """Create a missing id: the same id for a repeated event.

    Without a time two equal events may be separate occurrences (two views of a page), so their ids are random.
    """
    if all(unix_seconds(event.get(name)) is None for name in _TOLD):
        return arrival.new_id()
    lasting = {name: value for name, value in event.items() if name not in _VOLATILE}
    try:
        return sha256(orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    except orjson.JSONEncodeError:  # nested deeper than orjson supports (254)
        return arrival.new_id()


def _complete_times(event: Event, arrival: Arrival) -> None:
    """Add the missing times; existing times are unchanged, because Segment or RudderStack corrected them."""
    if arrival.is_live:
        event["arrivedAt"] = arrival.received_at
        if event.get("receivedAt") in _NOTHING and event.get("sentAt") in _NOTHING:
            event["receivedAt"] = arrival.received
    if event.get("timestamp") in _NOTHING:
        told = next((event[name] for name in TIMES if unix_seconds(event.get(name)) is not None), None)
        if told is not None or arrival.is_live:
            event["timestamp"] = told or arrival.received


def _correct_clock(event: Event, arrival: Arrival) -> None:
    """Correct the device's time by this clock: timestamp = receivedAt - (sentAt - timestamp).

    RudderStack's SDKs send `originalTimestamp` instead; if there is also an unreadable `timestamp`, the corrected time
    replaces `originalTimestamp`. Source: https://segment.com/docs/connections/spec/common/#timestamps
    """
    event["receivedAt"] = arrival.received
    times = ((name, unix_seconds(event.get(name))) for name in _TOLD)
    name, told_at = next((one for one in times if one[1] is not None), ("timestamp", None))
    if told_at is None:
        if event.get(name) in _NOTHING:
            event[name] = arrival.received
        return
    told = event[name]
    if event.get("originalTimestamp") in _NOTHING:
        event["originalTimestamp"] = told
    if event.get("timestamp") in _NOTHING:
        name = "timestamp"
    event[name] = _corrected(told_at, event.get("sentAt"), arrival.received_at) or told


def _corrected(told_at: float, sent: Any, received_at: float) -> str | None:
    """Return the corrected time as ISO 8601; `None` if `sent` is unreadable."""
    sent_at = unix_seconds(sent)
    if sent_at is None:
        return None
    try:
        return _iso(received_at - (sent_at - told_at))
    except (OverflowError, ValueError, OSError):  # before year 1 or after year 9999
        return None


def _iso(at: float) -> str:
    """Format Unix seconds as `2026-03-04T16:12:52.244Z`."""
    whole = math.floor(at)
    micros = round((at - whole) * 1e6)
    return f"{_second(whole + micros // 1_000_000)}.{micros % 1_000_000 // 1_000:03}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    """Format a second as `2026-03-04T16:12:52`; cached, because many events arrive in a second."""
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]


class Intake(Struct, frozen=True):
    """The events of one or several requests: a single record from the endpoint to the commit."""

    #: An iterable that may read events on demand.
    events: Iterable[Event | EventRefused]
    #: The time of arrival, Unix seconds.
    now: float
    #: The name of the source of all events.
    source: str = DEFAULT_SOURCE
    #: The author is authenticated by a secret that no page contains: see app/core/trust.py.
    is_trusted: bool = False
    #: A relay, authenticated by a secret, forwards events that anyone may have created.
    is_relayed: bool = False
    #: From the quarantine: their orders do not wait again.
    is_replayed: bool = False
    #: If true, no event is committed if an ad account has no room. If false, only events of that account are withheld.
    whole: bool = False

    @property
    def is_known(self) -> bool:
        """Return whether a secret authenticates the sender, who then may request erasures and see data of memory."""
        return self.is_trusted or self.is_relayed

    @property
    def public_key(self) -> str | None:
        """Return the name of the public key of the events; `None` for trusted events."""
        return None if self.is_trusted else self.source


async def accept_signed(accepts: "AcceptsIntake", intake: Intake, *, only_first: bool) -> Receipt:
    """Commit the events; with `only_first` a signature covers only the first event, and the others are public.

    Raises OutboxUnavailable.
    """
    if not only_first:
        return await accepts.accept(intake)
    left = iter(intake.events)
    first, second = list(islice(left, 1)), list(islice(left, 1))
    if not second:
        return await accepts.accept(replace(intake, events=first))
    others = replace(intake, events=chain(second, left), is_trusted=False, is_relayed=False)
    if not (intake.is_trusted or is_delete(first[0])):
        return await accepts.accept(replace(others, events=chain(first, second, left)))
    signed = await accepts.accept(replace(intake, events=first))
    unsigned = await accepts.accept(others)
    counts = Counter(signed.counts) + Counter(unsigned.counts)
    return Receipt(events=(*signed.events, *unsigned.events), counts={**signed.counts, **counts})


def is_delete(event: Event | EventRefused) -> TypeGuard[Event]:
    """Return whether an event is a request to erase a person."""
    return not isinstance(event, EventRefused) and event["type"] == "delete"


class AcceptsIntake(Protocol):
    """Commits the events of an endpoint to the outbox."""

    async def accept(self, intake: Intake) -> Receipt:
        """Commit the events, then return the result of each, in order.

        Raises OutboxUnavailable if no event was committed.
        """
        ...
