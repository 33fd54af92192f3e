"""From the bytes of one request to its events. A bad member is refused in its place; only unreadable bytes fail whole.

One event, an array of events, one event a line (NDJSON), or a Tracking API batch
{"batch": [...], "context": {...}, "sentAt": ...}; each event bare or wrapped: as {"json": event}, as Segment's
Extensible Webhook sends it in arrays, or as the data of a CloudEvent.

gzip, deflate and zstd undone within bounds: of one request, by what it sent, and of all requests that are under way
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

#: How packed bodies begin, each `Content-Encoding` its own; no JSON begins so.
GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: zlib's header of each level: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
DEFLATE: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
#: These do not say the size of what is packed, or not always.
_UNSIZED: Final = (ZSTD, *DEFLATE)
_PACKED: Final = (GZIP, *_UNSIZED)
#: What a decompressor of zstd may keep: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2-5
_MAX_WINDOW_LOG: Final = 23
#: So much is decompressed, or signed, before other requests get their turn.
PIECE_BYTES: Final = 262_144
#: A body that is sent plain and is no larger waits for nothing: it costs what it sent.
_SMALL_BYTES = 65_536
#: Up to here a body may be packed as tightly as it likes: batches of mobile SDKs pack 28 to 49 to 1.
_ANY_RATIO_BYTES = 1_000_000
#: Beyond it, so many bytes for each that was sent.
_MAX_RATIO = 100
#: gzip ends with the size of what is packed, in so many bytes: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
_SIZE_BYTES = 4

_NO_BUDGET_NEEDED: Final = nullcontext()


def decompressed_size(raw: bytes, max_bytes: int) -> int:
    """Return how many bytes a body has after decompression. Nothing is kept of it.

    What is packed is known by its first bytes, with which no JSON begins, since proxies forget `Content-Encoding` or
    keep it wrongly. The last bytes of gzip say the size; `pieces` refuses what comes to more. zstd and deflate are
    decompressed to count. Raises RequestRefused if the size exceeds `max_bytes`, or is out of proportion to the body.
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
    """Do `decompressed_size`; between two pieces other requests get their turn."""
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
    """Yield the size of what is packed after each piece. Raises RequestRefused where it is too much, or broken."""
    size, most = 0, _most_decompressed(raw, max_bytes)
    for piece in _decompressed(raw):
        size += len(piece)
        if size > most:
            raise RequestRefused(TOO_LARGE)
        yield size


def is_small(raw: bytes | bytearray, size: int) -> bool:
    """Return whether a body is small and not packed, so that it needs nothing of the budget."""
    return size <= _SMALL_BYTES and not raw.startswith(_PACKED)


def pieces(raw: bytes, size: int) -> Iterator[bytes]:
    """Yield a body of this size decompressed, piece by piece. Raises RequestRefused where it is broken."""
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
    """Yield what is packed, piece by piece. Raises RequestRefused where it is broken, or more follows."""
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
        packed = b"" if is_zstd else stream.unconsumed_tail  # zstd keeps what is left itself
        if not (piece or packed or stream.eof):
            raise RequestRefused(BROKEN_JSON)
        yield piece
    if stream.unused_data:
        raise RequestRefused(BROKEN_JSON)


def _zstd_stream() -> tuple[Any, type[Exception]]:
    """Return a decompressor of zstd, and what it raises; few senders use it, so it is imported then."""
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options), zstd.ZstdError


async def decompress(raw: bytes, size: int) -> bytes:
    """Return the body decompressed; between two pieces other requests get their turn. Raises RequestRefused."""
    if not raw.startswith(_PACKED):
        return raw
    decompressed: list[bytes] = []
    for piece in pieces(raw, size):
        if decompressed:
            await asyncio.sleep(0)
        decompressed.append(piece)
    return b"".join(decompressed)


class MemoryBudget:
    """Bounds how many decompressed bytes are under way at once; further bodies wait in the order in which they came."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._taken_bytes = 0
        #: Held while a body is decompressed and looked through.
        self.opening = asyncio.Lock()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def held(self, raw: bytes, size: int, *, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Take this size off the budget while the block lasts. Raises RequestRefused where it takes too long to get it.

        A body that is larger than the whole budget gets it once nothing else is under way; a small one needs none.
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
            else:  # it was let in at the same moment
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


#: Members that are read at once: so few are still in the processor's cache when they are mapped.
_READ_TOGETHER = 50
#: What a batch says of all its events.
_OF_ALL = ("context", "integrations", "sentAt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may hold."""

    max_body_bytes: int
    #: With gzip undone.
    max_decompressed_bytes: int
    max_events: int
    #: Of one event as it came, as compact JSON; so too of what a batch says of all. None: only the body's bound counts.
    max_event_bytes: int | None
    #: To receive the body whole.
    request_timeout_s: float
    #: Of one event, in levels; {"a": 1} has one.
    max_depth: int = 64

    @classmethod
    def of_webhook(cls, settings: SenderSettings) -> Self:
        """Return those of the webhook, and of sources whose file says nothing else."""
        return cls(
            max_body_bytes=settings.max_body_bytes,
            max_decompressed_bytes=settings.max_decompressed_bytes,
            max_events=settings.max_events,
            max_event_bytes=None,
            request_timeout_s=settings.limits.request_timeout_s,
        )

    @classmethod
    def of_tracking(cls, settings: SenderSettings) -> Self:
        """Return those of the Tracking API."""
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


class Body(Struct, frozen=True, kw_only=True):
    """One request's JSON, taken apart."""

    #: The members as they came, in slices; those of a large body are parsed when they are asked for, which may raise
    #: RequestRefused, and one that is too large to be parsed stands there as EventRefused.
    slices: Iterable[Sequence[Any]]
    #: Sent as an array or a batch, even one of a single event.
    several: bool
    #: Of all of it, decompressed.
    size_bytes: int
    #: Nothing in the file is nested deeper than so many levels, and probably far less deep.
    max_levels: int
    #: The object at the top: the event itself or the batch around the events; empty for an array.
    top: Mapping[str, Any]


async def open_body(raw: bytes, size: int, budget: MemoryBudget, limits: Limits) -> Body:
    """Return what is in a body of `size` bytes without gzip; large ones are opened one after the other.

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

    What is large is parsed slice by slice (see app/source/json_reader.py), unless it is no stranger's: `max_events`
    None.
    Raises RequestRefused where it is not JSON, or has more events.
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
    """Read a batch or lines; any other large event is refused for its size."""
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
    """Return the members, whether they were sent as several, and the object at the top."""
    if isinstance(value, list):
        _check_count(len(value), max_events)
        return [_bare(member) for member in value], True, {}
    if isinstance(value, dict) and isinstance(value.get("batch"), list) and "type" not in value:
        _check_count(len(value["batch"]), max_events)
        return [_bare(member) for member in value["batch"]], True, value
    event = _bare(value)
    return [event], False, event if isinstance(event, dict) else {}


def _bare(member: Any) -> Any:
    """Return the event in a member {"json": event}, or in a CloudEvent; any other member is returned as it is."""
    if isinstance(member, dict):
        if isinstance(member.get("json"), dict) and "type" not in member:
            return member["json"]
        if "specversion" in member:
            return _of_cloudevent(member)
    return member


def _of_cloudevent(member: dict[str, Any]) -> Any:
    """Return the Segment event that is the data of a CloudEvent, which gives it the id and time that it lacks.

    EventRefused where the data is not an object.
    """
    read = with_data(member)
    if isinstance(read, EventRefused):
        return read
    if not isinstance(read.get("data"), dict):
        return EventRefused("the CloudEvent's `data` is no Segment event: send an object, or use a named source")
    own = {"messageId": member.get("id"), "timestamp": member.get("time")}
    return {name: value for name, value in own.items() if value} | read["data"]


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
    """Read every member when its turn comes, each with what its batch says of all.

    One that is no event stands as EventRefused in its place.
    Raises RequestRefused where a large body proves to be no JSON, or has too many.
    """
    of_all = {name: body.top[name] for name in _OF_ALL if name in body.top} if body.several else {}
    excess_of_all = _excess(of_all, limits) if of_all else None
    may_exceed = excess_of_all is not None or body.size_bytes > (limits.max_event_bytes or math.inf)
    may_be_deep = body.max_levels > limits.max_depth  # most small bodies are judged by this alone
    for members in body.slices:
        for first in range(0, len(members), _READ_TOGETHER):
            together = members[first : first + _READ_TOGETHER]
            if may_exceed or (may_be_deep and nested_deeper(together, limits.max_depth)):
                together = [_within(member, limits, excess_of_all) for member in together]
            if of_all:
                together = [_share(member, of_all) for member in together]
            yield from [read_or_refuse(member, arrival) for member in together]


def read_raw_event(raw: bytes, *, now: float) -> Event:
    """Read one event that comes from no request (a file, a program) as the webhook reads it.

    Raises EventRefused where it is no event.
    """
    try:
        value = _bare(parse(raw))
    except RequestRefused as exc:
        raise EventRefused(exc.reason) from None
    limits = Limits.of_no_stranger()
    if max_levels(raw) > limits.max_depth and (excess := _excess(value, limits)):
        raise EventRefused(excess)
    return read_event(value, Arrival.at(now))


def _within(member: Any, limits: Limits, excess_of_all: str | None) -> Any:
    """Return a member; EventRefused where it, or what its batch says of all, is deeper or larger than the limits."""
    if isinstance(member, EventRefused) or not (excess := excess_of_all or _excess(member, limits)):
        return member
    return EventRefused(excess, message_id=given_message_id(member) if isinstance(member, dict) else None)


def _excess(value: Any, limits: Limits) -> str | None:
    """Return in what a value is deeper or larger than an event may be; None where it keeps to the limits."""
    if nested_deeper([value], limits.max_depth):
        return f"the event is nested deeper than {limits.max_depth} levels"
    if limits.max_event_bytes is not None and len(orjson.dumps(value)) > limits.max_event_bytes:
        return f"the event is larger than {limits.max_event_bytes} bytes"
    return None


#: So much of an oversized body is still read and thrown away: a sender that is cut off in the middle of its body
#: does not see the 413 and sends the same again for hours.
_READ_OUT = 4


async def receive(request: Request, limits: Limits) -> bytes:
    """Return the body as sent.

    Raises RequestRefused where it is too large, or does not arrive whole in time.
    """
    # Most bodies are whole by then; one that never begins, app/web/bounded_connection.py cuts.
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
    """Read the rest, and return all of it; of a body that is too large only the beginning is kept."""
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
    """Return what has arrived, and whether there is more. Raises RequestRefused where the client has gone."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise RequestRefused(TOO_SLOW)
    return message.get("body", b""), message.get("more_body", False)
