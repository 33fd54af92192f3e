"""Parse the events in the body of a request.

An invalid member is refused on its own; only an unreadable body fails as a whole.

A body is an event, an array of events, lines with an event each (NDJSON), or a Tracking API batch {"batch": [...],
"context": {...}, "sentAt": ...}. Each event is plain, or wrapped: as {"json": event}, the form of Segment's Extensible
Webhook in arrays, or as the data of a CloudEvent.

gzip, deflate and zstd are decompressed within limits: for a request relative to its size, and for all active requests
together.
"""

import asyncio
import math
import sys
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from io import BytesIO
from itertools import islice
from typing import Any, Final, Self

import orjson
from fastapi import Request
from msgspec import Struct

from app.config.settings import SenderSettings
from app.core.events import Event
from app.errors import EventRefused
from app.source.event import Arrival, given_message_id, read_event, read_or_refuse
from app.source.json_reader import (
    MAX_MEMBER_BYTES,
    OF_FILES,
    OF_STRANGERS,
    SLICE_BYTES,
    TOO_LARGE_MEMBER,
    array_slices,
    is_lines,
    large_object,
    log_first_nan,
    max_levels,
    nested_deeper,
    parse,
    parse_line,
    strip_leading_space,
    with_data,
)
from app.source.responses import BROKEN_JSON, NO_ROOM, TOO_LARGE, TOO_MANY, TOO_SLOW, RequestRefused

#: The first bytes of compressed bodies, by `Content-Encoding`; JSON never begins with these.
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: zlib's header of each level: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
DEFLATE: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
#: Formats whose header has no size, or not always.
_UNSIZED: Final = (ZSTD, *DEFLATE)
_PACKED: Final = (GZIP, *_UNSIZED)
#: Maximum memory of a zstd decompressor: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2-5
_MAX_WINDOW_LOG: Final = 23
#: The number of bytes that are decompressed, or signed, before other requests continue.
PIECE_BYTES: Final = 262_144
#: A plain body up to this size never waits, because it costs no more memory than its size.
_SMALL_BYTES = 65_536
#: A body up to this size may have any compression ratio: batches of mobile SDKs have ratios of 28 to 49.
_ANY_RATIO_BYTES = 1_000_000
#: The maximum of decompressed bytes per received byte of larger bodies.
_MAX_RATIO = 100
#: gzip ends with the decompressed size, in this number of bytes: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
_SIZE_BYTES = 4

_NO_BUDGET_NEEDED: Final = nullcontext()


def decompressed_size(raw: bytes, max_bytes: int) -> int:
    """Return the decompressed size of a body in bytes, without storing the data.

    The first bytes show the compression, because proxies drop or keep `Content-Encoding` incorrectly, and JSON never
    begins with them. The last bytes of gzip have the size; `pieces` raises an error if there is more data. zstd and
    deflate are decompressed to count the bytes. Raises RequestRefused if the size exceeds `max_bytes` or the maximum
    ratio.
    """
    if raw.startswith(_UNSIZED):
        return max(_counted(raw, max_bytes))
    size, most = len(raw), max_bytes
    if raw.startswith(GZIP):
        size, most = int.from_bytes(raw[-_SIZE_BYTES:], "little"), _most_decompressed(raw, max_bytes)
    if size > most:
        raise RequestRefused(TOO_LARGE)
    return size


async def measured(raw: bytes, max_bytes: int) -> int:
    """Return `decompressed_size`, and let other requests continue between two pieces."""
    if not raw.startswith(_UNSIZED):
        return decompressed_size(raw, max_bytes)
    size = 0
    for counted in _counted(raw, max_bytes):
        size = counted
        await asyncio.sleep(0)
    return size


def _most_decompressed(raw: bytes, max_bytes: int) -> int:
    return min(max_bytes, max(_ANY_RATIO_BYTES, _MAX_RATIO * len(raw)))


def _counted(raw: bytes, max_bytes: int) -> Iterator[int]:
    """Yield the decompressed size so far after each piece.

    Raises RequestRefused if it is too large, or the data is broken.
    """
    size, most = 0, _most_decompressed(raw, max_bytes)
    for piece in _decompressed(raw):
        size += len(piece)
        if size > most:
            raise RequestRefused(TOO_LARGE)
        yield size


def is_small(raw: bytes | bytearray, size: int) -> bool:
    """Return whether a body is small and plain, so that it needs no memory budget."""
    return size <= _SMALL_BYTES and not raw.startswith(_PACKED)


def pieces(raw: bytes, size: int) -> Iterator[bytes]:
    """Yield a decompressed body of this size, piece by piece. Raises RequestRefused if the data is broken."""
    if not raw.startswith(_PACKED):
        yield from (raw[at : at + PIECE_BYTES] for at in range(0, max(1, len(raw)), PIECE_BYTES))
        return
    left = size
    for piece in _decompressed(raw):
        left -= len(piece)
        if left < 0:
            raise RequestRefused(BROKEN_JSON)
        yield piece
    if left:
        raise RequestRefused(BROKEN_JSON)


def _decompressed(raw: bytes) -> Iterator[bytes]:
    """Yield decompressed data, piece by piece. Raises RequestRefused if the data is broken, or has a rest."""
    is_zstd = raw.startswith(ZSTD)
    if is_zstd:
        stream, broken = _zstd_stream()
    else:
        stream, broken = zlib.decompressobj(wbits=zlib.MAX_WBITS | (16 if raw.startswith(GZIP) else 0)), zlib.error
    packed = raw
    while not stream.eof:
        try:
            piece = stream.decompress(packed, PIECE_BYTES)
        except broken:
            raise RequestRefused(BROKEN_JSON) from None
        packed = b"" if is_zstd else stream.unconsumed_tail  # zstd keeps the rest itself
        if not (piece or packed or stream.eof):
            raise RequestRefused(BROKEN_JSON)
        yield piece
    if stream.unused_data:
        raise RequestRefused(BROKEN_JSON)


def _zstd_stream() -> tuple[Any, type[Exception]]:
    """Return a zstd decompressor and its error type; imported on use, because few senders compress with zstd."""
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options), zstd.ZstdError


async def decompress(raw: bytes, size: int) -> bytes:
    """Return the decompressed body, and let other requests continue between two pieces. Raises RequestRefused."""
    if not raw.startswith(_PACKED):
        return raw
    decompressed: list[bytes] = []
    for piece in pieces(raw, size):
        if decompressed:
            await asyncio.sleep(0)
        decompressed.append(piece)
    return b"".join(decompressed)


class MemoryBudget:
    """Limits the decompressed bytes of all active requests; further bodies wait in the order of arrival."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._taken_bytes = 0
        #: Held while a body is decompressed and scanned.
        self.opening = asyncio.Lock()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def held(self, raw: bytes, size: int, *, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Reserve `size` bytes of the budget for the block. Raises RequestRefused if the wait exceeds `timeout_s`.

        A body larger than the budget waits until no other body is active; a small body needs no reservation.
        """
        return _NO_BUDGET_NEEDED if is_small(raw, size) else self._held(size, timeout_s)

    @asynccontextmanager
    async def _held(self, size: int, timeout_s: float) -> AsyncIterator[None]:
        if self._waiting or not self._fits(size):
            await self._wait(size, timeout_s)
        else:
            self._taken_bytes += size
        try:
            yield
        finally:
            self._taken_bytes -= size
            self._let_in()

    def _fits(self, size: int) -> bool:
        return self._taken_bytes == 0 or self._taken_bytes + size <= self._max_bytes

    async def _wait(self, size: int, timeout_s: float) -> None:
        entry = size, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                await entry[1]
        except BaseException as exc:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:  # the reservation succeeded at the same moment
                self._taken_bytes -= size
            self._let_in()
            if isinstance(exc, TimeoutError):
                raise RequestRefused(NO_ROOM) from None
            raise

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            self._taken_bytes += size
            if not turn.done():
                turn.set_result(None)


#: Members that are read together: few enough to be still in the processor's cache when they are mapped.
_READ_TOGETHER = 50
#: Members of a batch that apply to all its events.
_OF_ALL = ("context", "integrations", "sentAt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a request."""

    max_body_bytes: int
    #: After decompression.
    max_decompressed_bytes: int
    max_events: int
    #: Maximum size of a received event as compact JSON, and of the common members of a batch. `None`: only the body is
    #: limited.
    max_event_bytes: int | None
    #: Maximum duration to receive the whole body.
    request_timeout_s: float
    #: Maximum nesting of an event, in levels; {"a": 1} has level 1.
    max_depth: int = 64

    @classmethod
    def of_webhook(cls, settings: SenderSettings) -> Self:
        """Return the limits of the webhook, the defaults of all named sources."""
        return cls(
            max_body_bytes=settings.max_decompressed_bytes,
            max_decompressed_bytes=settings.max_decompressed_bytes,
            max_events=settings.max_events_per_request,
            max_event_bytes=None,
            request_timeout_s=settings.limits.request_timeout_s,
        )

    @classmethod
    def of_tracking(cls, settings: SenderSettings) -> Self:
        """Return the limits of the Tracking API."""
        return replace(
            cls.of_webhook(settings),
            max_decompressed_bytes=settings.limits.tracking_max_batch_bytes,
            max_events=settings.limits.tracking_max_events,
            max_event_bytes=settings.limits.tracking_max_event_bytes,
        )

    @classmethod
    def of_no_stranger(cls) -> Self:
        """Return the limits of events from a file or a program: only the depth is limited."""
        return cls(
            max_body_bytes=sys.maxsize,
            max_decompressed_bytes=sys.maxsize,
            max_events=sys.maxsize,
            max_event_bytes=None,
            request_timeout_s=math.inf,
        )


_OF_NO_STRANGER: Final = Limits.of_no_stranger()


class Body(Struct, frozen=True, kw_only=True):
    """The JSON of a request, split into members."""

    #: The members as received, in slices. Members of a large body are parsed on iteration, which may raise
    #: RequestRefused; a member that is too large becomes an EventRefused.
    slices: Iterable[Sequence[Any]]
    #: The body is an array or a batch, possibly with a single event.
    several: bool
    #: The decompressed size of the body.
    size_bytes: int
    #: An upper bound of the nesting, usually much higher than the actual nesting.
    max_levels: int
    #: The object at the top: the event itself or the batch around the events; empty for an array.
    top: Mapping[str, Any]


async def open_body(raw: bytes, size: int, budget: MemoryBudget, limits: Limits) -> Body:
    """Parse a body of `size` decompressed bytes; large bodies are parsed one at a time.

    Raises RequestRefused.
    """
    if is_small(raw, size):
        return read_body(raw, max_events=limits.max_events)
    async with budget.opening:
        body = read_body(await decompress(raw, size), max_events=limits.max_events)
        await asyncio.sleep(0)
        return body


def read_body(raw: bytes, *, max_events: int | None) -> Body:
    """Find the events of a decompressed body.

    Large bodies from senders are parsed slice by slice (see app/source/json_reader.py); `max_events` is `None` for
    local input, which is parsed at once. Raises RequestRefused if the body is not JSON or has too many events.
    """
    if len(raw) > SLICE_BYTES and raw[:1] == b"[":
        return _read_array(raw, max_events, top={})
    if max_events is not None and len(raw) > MAX_MEMBER_BYTES:
        return _read_large(raw, max_events)
    try:
        value = parse(raw)
    except RequestRefused as exc:
        if exc.refusal is not BROKEN_JSON or not is_lines(raw):
            raise
        return _read_lines(raw, max_events)
    members, several, top = _take_apart(value, max_events)
    return Body(slices=(members,), several=several, size_bytes=len(raw), max_levels=max_levels(raw), top=top)


def _read_array(raw: bytes, max_events: int | None, *, top: Mapping[str, Any]) -> Body:
    slices = _bare_slices(raw, max_events)
    return Body(slices=slices, several=True, size_bytes=len(raw), max_levels=len(raw), top=top)


def _bare_slices(raw: bytes, max_events: int | None) -> Iterator[list[Any]]:
    count = 0
    for members in array_slices(raw, log_first_nan(), OF_FILES if max_events is None else OF_STRANGERS):
        count += len(members)
        _check_count(count, max_events)
        members[:] = [_bare(member) for member in members]
        yield members


def _read_lines(raw: bytes, max_events: int | None) -> Body:
    slices = _line_slices(raw, max_events)
    return Body(slices=slices, several=True, size_bytes=len(raw), max_levels=len(raw), top={})


def _line_slices(raw: bytes, max_events: int | None) -> Iterator[list[Any]]:
    lines = filter(None, map(bytes.strip, BytesIO(raw)))
    count = 0
    while members := [_bare(parse_line(line)) for line in islice(lines, _READ_TOGETHER)]:
        count += len(members)
        _check_count(count, max_events)
        yield members


def _check_count(count: int, max_events: int | None) -> None:
    if max_events is not None and count > max_events:
        raise RequestRefused(TOO_MANY)


def _read_large(raw: bytes, max_events: int) -> Body:
    """Read a large batch or large lines; any other large event is refused because of its size."""
    raw = strip_leading_space(raw)
    if raw[:1] == b"[":
        return _read_array(raw, max_events, top={})
    if is_lines(raw):
        return _read_lines(raw, max_events)
    top, batch = large_object(raw)
    if batch is not None and "type" not in top:
        return _read_array(batch, max_events, top=top)
    refused = EventRefused(TOO_LARGE_MEMBER, message_id=given_message_id(top))
    return Body(slices=([refused],), several=False, size_bytes=len(raw), max_levels=0, top=top)


def _take_apart(value: Any, max_events: int | None) -> tuple[Sequence[Any], bool, Mapping[str, Any]]:
    """Return the members, whether the body is an array or a batch, and the object at the top."""
    if isinstance(value, list):
        _check_count(len(value), max_events)
        return [_bare(member) for member in value], True, {}
    if isinstance(value, dict) and isinstance(value.get("batch"), list) and "type" not in value:
        _check_count(len(value["batch"]), max_events)
        return [_bare(member) for member in value["batch"]], True, value
    event = _bare(value)
    return [event], False, event if isinstance(event, dict) else {}


def _bare(member: Any) -> Any:
    """Return the event in a member {"json": event}, or in a CloudEvent; other members unchanged."""
    if isinstance(member, dict):
        if isinstance(member.get("json"), dict) and "type" not in member:
            return member["json"]
        if "specversion" in member:
            return _of_cloudevent(member)
    return member


def _of_cloudevent(member: dict[str, Any]) -> Any:
    """Return the Segment event in the data of a CloudEvent, with missing id and time from the CloudEvent.

    Return an EventRefused if the data is not an object.
    """
    read = with_data(member)
    if isinstance(read, EventRefused):
        return read
    if not isinstance(read.get("data"), dict):
        return EventRefused("the CloudEvent's `data` is no Segment event: send an object, or use a named source")
    own = {"messageId": member.get("id"), "timestamp": member.get("time")}
    return {name: value for name, value in own.items() if value} | read["data"]


def _share(member: Any, batch: Mapping[str, Any]) -> Any:
    """Merge the batch's `context` and `integrations` into a member, whose own entries win; add a missing `sentAt`.

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
    """Yield the event of every member on demand, with the common members of the batch.

    An invalid member becomes an EventRefused in its place. Raises RequestRefused if a large body is not JSON or has too
    many events.
    """
    of_all = {name: body.top[name] for name in _OF_ALL if name in body.top} if body.several else {}
    excess_of_all = _excess(of_all, limits) if of_all else None
    may_exceed = excess_of_all is not None or body.size_bytes > (limits.max_event_bytes or math.inf)
    may_be_deep = body.max_levels > limits.max_depth  # this check is enough for most small bodies
    for members in body.slices:
        for first in range(0, len(members), _READ_TOGETHER):
            together = members[first : first + _READ_TOGETHER]
            if may_exceed or (may_be_deep and nested_deeper(together, limits.max_depth)):
                together = [_within(member, limits, excess_of_all) for member in together]
            if of_all:
                together = [_share(member, of_all) for member in together]
            yield from [read_or_refuse(member, arrival) for member in together]


def read_raw_event(raw: bytes, *, now: float) -> Event:
    """Read an event from a file or a program in the same way as the webhook.

    Raises EventRefused if the bytes are not an event.
    """
    try:
        value = _bare(parse(raw))
    except RequestRefused as exc:
        raise EventRefused(exc.reason) from None
    if max_levels(raw) > _OF_NO_STRANGER.max_depth and (excess := _excess(value, _OF_NO_STRANGER)):
        raise EventRefused(excess)
    return read_event(value, Arrival.at(now))


def _within(member: Any, limits: Limits, excess_of_all: str | None) -> Any:
    """Return a member; an EventRefused if the member or its batch exceeds a limit."""
    if isinstance(member, EventRefused) or not (excess := excess_of_all or _excess(member, limits)):
        return member
    return EventRefused(excess, message_id=given_message_id(member) if isinstance(member, dict) else None)


def _excess(value: Any, limits: Limits) -> str | None:
    """Return the limit of an event that a value exceeds; `None` within the limits."""
    if nested_deeper([value], limits.max_depth):
        return f"the event is nested deeper than {limits.max_depth} levels"
    if limits.max_event_bytes is not None and len(orjson.dumps(value)) > limits.max_event_bytes:
        return f"the event is larger than {limits.max_event_bytes} bytes"
    return None


#: The share of an oversized body that is still read and discarded. A sender that is disconnected in the middle of its
#: body does not see the 413, and repeats the request for hours.
_READ_OUT = 4


async def receive(request: Request, limits: Limits) -> bytes:
    """Return the body as sent.

    Raises RequestRefused if the body is too large, or does not arrive completely in time.
    """
    # Most bodies are complete by now. If a body never begins, app/web/bounded_connection.py closes the connection.
    body, more = await _piece(request)
    if more:
        try:
            async with asyncio.timeout(limits.request_timeout_s):
                return await _collect(body, request, limits.max_body_bytes)
        except TimeoutError:
            raise RequestRefused(TOO_SLOW) from None
    if len(body) > limits.max_body_bytes:
        raise RequestRefused(TOO_LARGE)
    return body


async def _collect(piece: bytes, request: Request, max_bytes: int) -> bytes:
    """Read the rest of the body and return the whole; of a body that is too large only the start is stored."""
    pieces = [piece]
    size_bytes = len(piece)
    more = True
    while more and size_bytes <= _READ_OUT * max_bytes:
        piece, more = await _piece(request)
        size_bytes += len(piece)
        if size_bytes <= max_bytes:
            pieces.append(piece)
    if size_bytes > max_bytes:
        raise RequestRefused(TOO_LARGE)
    return b"".join(pieces)


async def _piece(request: Request) -> tuple[bytes, bool]:
    """Return the received bytes, and whether more follow. Raises RequestRefused if the client has disconnected."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise RequestRefused(TOO_SLOW)
    return message.get("body", b""), message.get("more_body", False)
