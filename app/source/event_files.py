"""Events from files and pasted text, read as the webhook reads a request.

One event, an array, a batch {"batch": [...]}, each event bare or as {"json": event}; or one of these a line (NDJSON),
as Segment archives them. All of it may be gzipped, which is known by its first bytes.
"""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from typing import IO, cast

from app.core.events import Event
from app.errors import EventRefused
from app.source.body import GZIP, Body, Limits, read_body, read_events
from app.source.event import Arrival
from app.source.responses import BROKEN_JSON, RequestRefused

_BROKEN_GZIP = "the gzip archive is damaged or cut off here: the rest is not read. Download the file again"


def read_event_file(
    file: IO[bytes], *, clock: Callable[[], float], is_live: bool = True
) -> Iterator[Event | EventRefused]:
    """Yield every event of a file that is open for reading; what cannot be read is refused in its place, by its line.

    `clock` (Unix seconds) says when an event without a time of its own happened, but not where it is not live, as in an
    archive.
    Lines are read when their turn comes, so that an archive of any size is; only one document over many lines is
    read whole.
    """
    buffered = file if isinstance(file, BufferedReader) else BufferedReader(cast("RawIOBase", file))
    zipped = buffered.peek(len(GZIP)).startswith(GZIP)
    lines = enumerate(gzip.GzipFile(fileobj=buffered) if zipped else buffered, start=1)
    try:
        for number, text in _documents((number, line) for number, line in lines if line.strip()):
            yield from _events(text, number, Arrival.at(clock(), is_live=is_live))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield EventRefused(_BROKEN_GZIP)


def read_event_text(text: bytes, *, now: float, max_events: int | None = None) -> list[Event | EventRefused]:
    """Return every event of one document: an event, an array or a batch; one that is no event stands as EventRefused.

    `max_events` also limits the size of an event, as for a request; `None`: the text is no stranger's.
    Raises RequestRefused for a text that is not JSON, or beyond these limits.
    """
    return list(_members(read_body(text, max_events=max_events), Arrival.at(now)))


def _documents(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    number, first = next(lines, (0, b""))
    number_of_second, second = next(lines, (0, b""))
    begins = first.removeprefix(BOM_UTF8).lstrip()[:1]
    # Of one document over several lines no line stands alone; NDJSON goes on with another object, also behind a line
    # that is broken.
    if second and _is_broken(first) and (begins == b"[" or not second.lstrip().startswith(b"{")):
        yield number, b"".join([first, second, *(line for _, line in lines)])
        return
    if first:
        yield number, first
    if second:
        yield number_of_second, second
    yield from lines


def _is_broken(text: bytes) -> bool:
    try:
        read_body(text, max_events=None)
    except RequestRefused:
        return True
    return False


def _events(text: bytes, number: int, arrival: Arrival) -> Iterator[Event | EventRefused]:
    try:
        body = read_body(text, max_events=None)
        for position, event in enumerate(_members(body, arrival), start=1):
            if isinstance(event, EventRefused):
                yield event.told_in(f"line {number}{f', event {position}' if body.several else ''}: ")
            else:
                yield event
    except RequestRefused as exc:
        what = " is not JSON in UTF-8" if exc.refusal is BROKEN_JSON else f": {exc.reason}"
        yield EventRefused(f"line {number}{what}")


def _members(body: Body, arrival: Arrival) -> Iterator[Event | EventRefused]:
    return read_events(body, Limits.of_no_stranger(), arrival)
