"""What is pasted into the tester -> the events that its source would hand on: Segment's, or made of a request."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.console.labels import pretty
from app.core.events import DEFAULT_SOURCE, Event
from app.errors import EventRefused
from app.source import Arrival, NamedSource, events_of, held_back, read_event_text, read_or_refuse, read_raw_requests
from app.source.responses import RequestRefused

#: Of a request that is a pixel.
_NO_BODY: Final = b"null"


class NoEvent(Exception):
    """The pasted text holds no event; the message says why and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """The part of the form that says what arrives."""

    #: An event; of a mapped source the body of a request.
    text: str = ""
    #: The name of the source that sends it.
    source: str = DEFAULT_SOURCE
    #: Of a mapped source: `Name: value` lines.
    headers: str = ""
    #: As it stands behind the question mark of the address, likewise.
    query: str = ""
    #: Which of several events is looked at, counted from 1.
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """The event that is looked at."""

    event: Event | EventRefused
    #: As JSON where a mapped source made it; "" where it is what was pasted.
    made: str = ""
    #: Of how many events it is one.
    count: int = 1


def arriving(pasted: Pasted, source: NamedSource | None, now: float) -> Arriving:
    """Return the event of what was pasted, as the door of its source reads it; None is a source without a file.

    Raises NoEvent.
    """
    if source is None or source.reshape is None:
        events = _segments(pasted.text, now)
        made = [""] * len(events)
    else:
        raw = list(events_of(_records(pasted, source), source.reshape))
        made = ["" if isinstance(each, EventRefused) else pretty(each) for each in raw]
        events = [read_or_refuse(each, Arrival.at(now)) for each in raw]
    if not events:
        raise NoEvent("There is no event in this array.")
    place = min(max(pasted.number, 1), len(events)) - 1
    event = events[place] if source is None else held_back(events[place], source)
    return Arriving(event=event, made=made[place], count=len(events))


def _segments(text: str, now: float) -> list[Event | EventRefused]:
    if not text.strip():
        raise NoEvent("There is nothing here yet: paste an event as JSON, or pick an example.")
    fault = _where_it_breaks_off(text)
    try:
        return read_event_text(text.encode(errors="replace"), now=now)
    except RequestRefused as exc:
        raise NoEvent(fault or exc.reason) from None


def _records(pasted: Pasted, source: NamedSource) -> list[dict[str, Any] | EventRefused]:
    """Return the records of a request; headers that hold secrets are left out, as at the door."""
    body = pasted.text.strip().encode(errors="replace")
    if not body and not (source.takes_pixels and pasted.query):
        raise NoEvent("There is nothing here yet: paste a request's body, and the headers that the triggers ask for.")
    headers = dict(_pairs(pasted.headers))
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    shown = {name: value for name, value in headers.items() if name.lower() not in source.hidden_headers}
    try:
        return list(read_raw_requests(body or _NO_BODY, content_type, shown, pasted.query.removeprefix("?")))
    except RequestRefused as exc:
        raise NoEvent(_where_it_breaks_off(pasted.text) or exc.reason) from None


def _pairs(lines: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(filter(str.strip, lines.splitlines()), start=1):
        name, colon, value = line.partition(":")
        if not colon:
            raise NoEvent(f"Line {number} of the headers is none: write it as `Name: value`.")
        yield name.strip(), value.strip()


def _where_it_breaks_off(text: str) -> str:
    """Return where a text stops to be JSON to the letter, which the door sees less strictly; "" where it does not."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return f"This is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}."
    return ""
