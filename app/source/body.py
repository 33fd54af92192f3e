"""From the bytes of one request to its events. A bad member is refused in its place; only unreadable bytes fail whole.

One event, an array of events, or a Tracking API batch {"batch": [...], "context": {...}, "sentAt": ...};
each event bare or, as Segment's Extensible Webhook sends it in arrays, wrapped as {"json": event}.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import EventRefused
from app.source.event import Arrival, given_message_id, read_event
from app.source.parse_json import LARGE_BYTES, large_array, levels_at_most, log_numbers, nested_deeper, parse
from app.source.refusal import BROKEN_JSON, TOO_LARGE, TOO_MANY, RequestRefused
from app.types import Event

#: How gzip begins; no JSON does.
GZIP = b"\x1f\x8b"
#: Members that are read at once: so few are still in the processor's cache when they are mapped.
_READ_TOGETHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may hold."""

    #: As sent.
    max_body_bytes: int
    #: With gzip undone.
    max_unpacked_bytes: int
    max_events: int
    #: Of one event, in levels; {"a": 1} has one.
    max_depth: int
    #: Of one event as compact JSON; None where only the body's bound counts.
    max_event_bytes: int | None
    #: To receive the body whole.
    request_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One request's JSON, taken apart."""

    #: Those of a large array are parsed when they are asked for, which may raise RequestRefused.
    members: Sequence[Any]
    #: Sent as an array or a batch, even one of a single event.
    several: bool
    #: Of all of it, unpacked.
    size_bytes: int
    #: Nothing in it is nested deeper than so many levels, and probably far less deep.
    levels_at_most: int
    #: The object at the top: the event itself or the batch around the events; empty for an array.
    top: Mapping[str, Any]


def unpack(raw: bytes, max_bytes: int) -> bytes:
    """Return the body without gzip, which is known by its first bytes: proxies forget or keep the header wrongly.

    No JSON begins so. Raises RequestRefused where it is broken, or has more than `max_bytes` then.
    """
    if not raw.startswith(GZIP):
        unpacked = raw
    else:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked = stream.decompress(raw, max_bytes + 1)
        except zlib.error:
            raise RequestRefused(BROKEN_JSON) from None
        if len(unpacked) <= max_bytes and (not stream.eof or stream.unused_data):
            raise RequestRefused(BROKEN_JSON)
    if len(unpacked) > max_bytes:
        raise RequestRefused(TOO_LARGE)
    return unpacked


def read_body(raw: bytes) -> Body:
    """Parse an unpacked body and find its events; each is given what its batch says of all."""
    slices = large_array(raw) if len(raw) > LARGE_BYTES and raw.startswith(b"[") else None
    if slices is not None:
        levels = 1 + max(map(levels_at_most, slices), default=0)
        return Body(members=_Unread(slices), several=True, size_bytes=len(raw), levels_at_most=levels, top={})
    members, several, top = _take_apart(parse(raw))
    return Body(members=members, several=several, size_bytes=len(raw), levels_at_most=levels_at_most(raw), top=top)


class _Unread(Sequence[Any]):
    """The members of a large array: parsed all at once, they would push each other out of the processor's cache."""

    def __init__(self, slices: Sequence[bytes]) -> None:
        self._slices = slices
        self._has_told = False

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raw = b"[" + b",".join(self._slices[index]) + b"]"
            return [_bare(member) for member in parse(raw, on_none=self._tell)]
        return self[index : index + 1][0]

    def _tell(self, count: int) -> None:
        """Log numbers that are none once, of the first members that have any."""
        if not self._has_told:
            self._has_told = True
            log_numbers(count)


def _take_apart(value: Any) -> tuple[Sequence[Any], bool, Mapping[str, Any]]:
    """Return the members, whether they were sent as several, and the object at the top."""
    if isinstance(value, list):
        return [_bare(member) for member in value], True, {}
    if isinstance(value, dict) and isinstance(value.get("batch"), list) and "type" not in value:
        return [_share(_bare(member), value) for member in value["batch"]], True, value
    event = _bare(value)
    return [event], False, event if isinstance(event, dict) else {}


def _bare(member: Any) -> Any:
    """Unwrap {"json": event}."""
    if isinstance(member, dict) and isinstance(member.get("json"), dict) and "type" not in member:
        return member["json"]
    return member


def _share(member: Any, batch: Mapping[str, Any]) -> Any:
    """Merge the batch's `context` and `integrations` into a member, whose own entries win; `sentAt` where it has none.

    Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch
    """
    if not isinstance(member, dict):
        return member
    for name in ("context", "integrations"):
        common, own = batch.get(name), member.get(name)
        if common is not None and own in (None, {}, []):  # PHP writes an empty object as []
            member[name] = common
        elif isinstance(common, dict) and isinstance(own, dict):
            member[name] = {**common, **own}
    if batch.get("sentAt") and not member.get("sentAt"):
        member["sentAt"] = batch["sentAt"]
    return member


def read_events(body: Body, limits: Limits, arrival: Arrival) -> Iterator[Event | EventRefused]:
    """Read every member when its turn comes; one that is no event stands as EventRefused in its place.

    Raises RequestRefused, at once, where there are too many.
    """
    if len(body.members) > limits.max_events:
        raise RequestRefused(TOO_MANY)
    return _read_members(body, limits, arrival)


def _read_members(body: Body, limits: Limits, arrival: Arrival) -> Iterator[Event | EventRefused]:
    may_be_large = limits.max_event_bytes is not None and body.size_bytes > limits.max_event_bytes
    may_be_deep = body.levels_at_most > limits.max_depth  # most single events are judged by this alone
    for first in range(0, len(body.members), _READ_TOGETHER):
        members = body.members[first : first + _READ_TOGETHER]
        if may_be_large or (may_be_deep and nested_deeper(members, limits.max_depth)):
            yield from [_excess(member, limits) or _read(member, arrival) for member in members]
        else:
            yield from [_read(member, arrival) for member in members]


def read_raw_event(raw: bytes, *, now: float, max_depth: int = 64) -> Event:
    """Read one event that comes from no request (a file, a program) as the webhook reads it.

    Raises EventRefused where it is no event.
    """
    try:
        value = _bare(parse(raw))
    except RequestRefused as exc:
        raise EventRefused(exc.reason) from None
    if levels_at_most(raw) > max_depth and nested_deeper([value], max_depth):
        raise EventRefused(f"the event is nested deeper than {max_depth} levels")
    return read_event(value, Arrival.at(now))


def _read(member: Any, arrival: Arrival) -> Event | EventRefused:
    try:
        return read_event(member, arrival)
    except EventRefused as refused:
        return refused


def _excess(member: Any, limits: Limits) -> EventRefused | None:
    """Refuse a member that is deeper or larger than the limits; None where it keeps to them."""
    known_id = given_message_id(member) if isinstance(member, dict) else None
    if nested_deeper([member], limits.max_depth):
        return EventRefused(f"the event is nested deeper than {limits.max_depth} levels", message_id=known_id)
    if limits.max_event_bytes is not None and _size_bytes(member) > limits.max_event_bytes:
        return EventRefused(f"the event is larger than {limits.max_event_bytes} bytes", message_id=known_id)
    return None


def _size_bytes(member: Any) -> int:
    # the json module, since orjson does not write more than 254 levels, which MAX_JSON_DEPTH may allow
    return len(json.dumps(member, ensure_ascii=False, separators=(",", ":")).encode())
