"""A Segment event: what it must be, what Segment's server would have filled in, and how events go to the pipeline.

    read_event({"type": "track", "event": "Order Completed"}, arrival)
    -> the same object, now also with messageId, timestamp, receivedAt and arrivedAt (Unix seconds)

When an event happened is read from timestamp, originalTimestamp, receivedAt, sentAt, arrivedAt, in this order: a member
that is missing is filled in here, one that cannot be read is left for the mapping to pass over, with a warning.

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

#: What says when an event happened, the best first.
_TOLD = ("timestamp", "originalTimestamp")
TIMES = (*_TOLD, "receivedAt", "sentAt")
#: What stands where a time is not given.
_NOTHING = (None, "")
#: What a sender stamps anew when it sends the same event again.
_VOLATILE = frozenset({"sentAt", "receivedAt", "_metadata"})


def random_id() -> str:
    """Make a message id that nobody else makes."""
    return uuid4().hex


class Arrival(Struct, kw_only=True):
    """When and how the events of one request arrived."""

    #: By our clock, Unix seconds.
    received_at: float
    #: They come straight from an SDK, so their times are the device's; else Segment or RudderStack corrected them.
    from_device: bool
    #: Makes the message id of an event that has neither an id nor a time.
    new_id: Callable[[], str]
    #: They are sent as they happen, so the moment of arrival is better than no time; not so where a file is imported.
    is_live: bool = True
    #: Of `received`, once it was asked for.
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
        """When they arrived, as ISO 8601; written when first asked for, since most events bring their own time."""
        if self.written is None:
            self.written = _iso(self.received_at)
        return self.written


def read_or_refuse(value: Any, arrival: Arrival) -> Event | EventRefused:
    """Return the event that `read_event` makes of a value, or why it is no event; what is refused already stays so."""
    if isinstance(value, EventRefused):
        return value
    try:
        return read_event(value, arrival)
    except EventRefused as refused:
        return refused


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
    if "idIsMade" in value:  # ours alone to say
        del value["idIsMade"]
    message_id = given_message_id(value)
    if message_id is None:
        message_id = _made_message_id(value, arrival)
        value["idIsMade"] = True
    value["messageId"] = message_id
    if "arrivedAt" in value:  # ours alone to say
        del value["arrivedAt"]
    if arrival.from_device:
        _correct_clock(value, arrival)
    else:
        _complete_times(value, arrival)
    return value


def given_message_id(event: Event) -> str | None:
    """Return the id that the sender gave the event; None where it gave none: one "undefined" would hide the next."""
    given = event.get("messageId")
    if type(given) is str:
        return None if is_no_id(given) else given
    return None if type(given) is not int or is_no_id(str(given)) else str(given)


def _made_message_id(event: Event, arrival: Arrival) -> str:
    """Make the id that is missing: the same one when the same event is sent again.

    Without a time two equal events may be two things that happened (two views of a page), so their ids are random.
    """
    if all(unix_seconds(event.get(name)) is None for name in _TOLD):
        return arrival.new_id()
    lasting = {name: value for name, value in event.items() if name not in _VOLATILE}
    try:
        return sha256(orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    except orjson.JSONEncodeError:  # nested deeper than orjson writes (254)
        return arrival.new_id()


def _complete_times(event: Event, arrival: Arrival) -> None:
    """Fill in the times that are missing; what stands there was corrected by Segment or RudderStack, and is left."""
    if arrival.is_live:
        event["arrivedAt"] = arrival.received_at
        if event.get("receivedAt") in _NOTHING and event.get("sentAt") in _NOTHING:
            event["receivedAt"] = arrival.received
    if event.get("timestamp") in _NOTHING:
        told = next((event[name] for name in TIMES if unix_seconds(event.get(name)) is not None), None)
        if told is not None or arrival.is_live:
            event["timestamp"] = told or arrival.received


def _correct_clock(event: Event, arrival: Arrival) -> None:
    """Replace the device's time by ours: timestamp = receivedAt - (sentAt - timestamp).

    RudderStack's SDKs say `originalTimestamp` instead; it is corrected in its place where a `timestamp` is given that
    cannot be read. Source: https://segment.com/docs/connections/spec/common/#timestamps
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
    """Return the corrected time as ISO 8601; None where `sent` cannot be read."""
    sent_at = unix_seconds(sent)
    if sent_at is None:
        return None
    try:
        return _iso(received_at - (sent_at - told_at))
    except (OverflowError, ValueError, OSError):  # before year 1 or after year 9999
        return None


def _iso(at: float) -> str:
    """Write Unix seconds as `2026-03-04T16:12:52.244Z`."""
    whole = math.floor(at)
    micros = round((at - whole) * 1e6)
    return f"{_second(whole + micros // 1_000_000)}.{micros % 1_000_000 // 1_000:03}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    """Write a second, in which many events arrive, as `2026-03-04T16:12:52`."""
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]


class Intake(Struct, frozen=True):
    """The events of one request, or of several that somebody gathered: one record from the door to the commit."""

    #: They may be read only when their turn comes.
    events: Iterable[Event | EventRefused]
    #: When they arrived, Unix seconds.
    now: float
    #: The name of who sent them all.
    source: str = DEFAULT_SOURCE
    #: Who made the events is known by a secret that no page shows: see app/core/trust.py.
    is_trusted: bool = False
    #: A relay that proved itself by a secret hands on events which anyone may have made.
    is_relayed: bool = False
    #: They were kept in the quarantine: their orders do not wait again.
    is_replayed: bool = False
    #: Where an ad account has no room, nothing is committed. Otherwise the rest is, and its events are withheld.
    whole: bool = False

    @property
    def is_known(self) -> bool:
        """Whether who sends is known by a secret: then it may have somebody erased, and learn what memory has."""
        return self.is_trusted or self.is_relayed

    @property
    def public_key(self) -> str | None:
        """The name of the public key that they came by; None where they are trusted."""
        return None if self.is_trusted else self.source


async def accept_signed(accepts: "AcceptsIntake", intake: Intake, *, only_first: bool) -> Receipt:
    """Commit the events; where a signature covers `only_first` of them, the others are of nobody who is known.

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
    """Return whether an event asks to erase somebody."""
    return not isinstance(event, EventRefused) and event["type"] == "delete"


class AcceptsIntake(Protocol):
    """Commits the events of a door to the outbox."""

    async def accept(self, intake: Intake) -> Receipt:
        """Commit the events, then say what became of each, in order.

        Raises OutboxUnavailable where nothing was committed.
        """
        ...
