"""Events from files and pasted text, read in the same way as requests of the webhook.

The text is an event, an array, a batch {"batch": [...]}, each event plain or as {"json": event}; or lines with one of
these each (NDJSON), the format of Segment's archives. The file may be compressed with gzip, which its first bytes show.
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
    """Yield every event of a file that is open for reading; an unreadable event is refused with its line number.

    `clock` (Unix seconds) is the time of events without a time, unless `is_live` is false, as for an archive. Lines are
    read on demand, so archives may have any size; only a document over several lines is read as a whole.
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
    """Return every event of a document: an event, an array or a batch; an invalid event becomes an EventRefused.

    `max_events` also limits the size of an event, as for a request; `None`: local input. Raises RequestRefused if the
    text is not JSON or exceeds these limits.
    """
    return list(_members(read_body(text, max_events=max_events), Arrival.at(now)))


def _documents(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    number, first = next(lines, (0, b""))
    number_of_second, second = next(lines, (0, b""))
    begins = first.removeprefix(BOM_UTF8).lstrip()[:1]
    # Lines of a document over several lines are not complete on their own; NDJSON continues with another object, even
    # after a broken line.
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
