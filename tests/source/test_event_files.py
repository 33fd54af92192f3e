"""Files of events: every form that is sent, archived or pasted is read alike, and nothing in it stops the rest."""

import gzip
import json
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EventRefused
from app.source.event_files import read_event_file, read_event_text
from app.source.responses import RequestRefused
from tests.rows import every_row

NOW = 1_772_640_800.0
A = {"type": "page", "messageId": "a"}
B = {"type": "track", "event": "B", "messageId": "b"}
DEEP: list[Any] = []
for _ in range(64):
    DEEP = [DEEP]


def read(content: bytes) -> list[Any]:
    """Return the message ids, and the reasons of what was refused."""
    found = read_event_file(BytesIO(content), clock=lambda: NOW)
    return [each.reason if isinstance(each, EventRefused) else each["messageId"] for each in found]


def dumped(*values: Any, indent: int | None = None) -> bytes:
    return b"".join(json.dumps(value, indent=indent).encode() + b"\n" for value in values)


FORMS = {
    "NDJSON": dumped(A, B),
    "blank lines": b"\n" + dumped(A) + b"\n  \n" + dumped(B),
    "Windows line ends": dumped(A, B).replace(b"\n", b"\r\n"),
    "no line end": dumped(A, B).rstrip(),
    "array": dumped([A, B]),
    "indented array": dumped([A, B], indent=2),
    "array with an event a line": b"[\n" + dumped(A).rstrip() + b",\n" + dumped(B) + b"]",
    "batch": dumped({"batch": [A, B]}),
    "indented batch": dumped({"batch": [A, B]}, indent=1),
    "wrapped lines": dumped({"json": A}, {"json": B}),
    "wrapped array": dumped([{"json": A}, {"json": B}]),
    "a batch a line": dumped({"batch": [A]}, {"batch": [B]}),
    "an array a line": dumped([A], [B]),
    "byte order mark": b"\xef\xbb\xbf" + dumped([A, B], indent=2),
}
forms = pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)


@forms
def test_every_form_gives_the_same_events(content: bytes) -> None:
    assert read(content) == ["a", "b"]


@forms
def test_gzip_is_undone_whatever_the_form(content: bytes) -> None:
    assert read(gzip.compress(content)) == ["a", "b"]


def test_archives_that_were_joined_are_read_on() -> None:
    assert read(gzip.compress(dumped(A)) + gzip.compress(dumped(B))) == ["a", "b"]


@every_row("content", [b"", b"\n \n", b"[]", b'{"batch": []}', gzip.compress(b"", mtime=0)], ids=repr)
def test_a_file_without_events_gives_none(content: bytes) -> None:
    assert read(content) == []


def test_one_event_over_several_lines_is_one(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(dumped(A, indent=2))
    with file.open("rb") as stream:
        (event,) = read_event_file(stream, clock=lambda: NOW)
    assert not isinstance(event, EventRefused)
    assert event["receivedAt"] == "2026-03-04T16:13:20.000Z"


@every_row(
    ("content", "told"),
    [
        (b"{broken\n" + dumped(A), ["line 1 is not JSON in UTF-8", "a"]),
        (dumped(A) + b"\n{broken\n" + dumped(B), ["a", "line 3 is not JSON in UTF-8", "b"]),
        (dumped(A) + b"\xff\n", ["a", "line 2 is not JSON in UTF-8"]),
        (dumped([A], indent=2)[:-3], ["line 1 is not JSON in UTF-8"]),
        (dumped(A, 3, B), ["a", "line 2: the event is not a JSON object", "b"]),
        (
            dumped([A, 3, {"event": "x"}]),
            ["a", "line 1, event 2: the event is not a JSON object", "line 1, event 3: `type` is missing"],
        ),
        (
            dumped(A, {**B, "properties": {"a": DEEP}}),
            ["a", "line 2: the event is nested deeper than 64 levels"],
        ),
        (dumped(A) + b"[" * 100_000 + b"]" * 100_000, ["a", "line 2: The JSON is nested too deeply"]),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_read_is_refused_in_its_place_and_the_rest_is_taken(content: bytes, told: list[str]) -> None:
    found = read(content)
    assert len(found) == len(told)
    assert all(said in each for said, each in zip(told, found, strict=True))


@pytest.mark.parametrize("cut", [5, -9], ids=["in its head", "in its tail"])
def test_an_archive_that_is_cut_off_says_so(cut: int) -> None:
    whole = gzip.compress(b"".join(dumped({**A, "messageId": str(n)}) for n in range(5_000)))
    *_, last = read(whole[:cut])
    assert "cut off" in last


@pytest.mark.slow
def test_an_archive_that_is_damaged_gives_what_stands_before_and_says_so() -> None:
    content = b"".join(dumped({**A, "messageId": f"m-{n}"}) for n in range(50_000))
    zipped = bytearray(gzip.compress(content, compresslevel=0))
    zipped[-8:-4] = b"\0\0\0\0"  # the sum over its content
    first, *_, last = read(bytes(zipped))
    assert first == "m-0"
    assert "damaged" in last


class Endless(BytesIO):
    """An archive that goes on for ever, one event a line."""

    def readinto(self, buffer: Any) -> int:
        line = dumped(A)
        buffer[: len(line)] = line
        return len(line)


def test_lines_are_read_when_their_turn_comes() -> None:
    events = islice(read_event_file(Endless(), clock=lambda: NOW), 3)
    assert [isinstance(event, EventRefused) for event in events] == [False] * 3


values = st.recursive(st.none() | st.integers(0, 9) | st.text("ab\n{[", max_size=4), st.lists)
documents = st.dictionaries(st.sampled_from(["x", "y"]), values).map(lambda members: {**A, **members})


@pytest.mark.slow
@given(events=st.lists(documents, min_size=1, max_size=5), indent=st.none() | st.integers(0, 4))
def test_lines_arrays_and_batches_of_any_events_are_read_alike(events: list[Any], indent: int | None) -> None:
    forms = [
        dumped(*events),
        dumped(events, indent=indent),
        dumped({"batch": events}, indent=indent),
        dumped([{"json": event} for event in events], indent=indent),
    ]
    found = [[{**each} for each in read_event_file(BytesIO(form), clock=lambda: NOW)] for form in forms]  # type: ignore[dict-item] # all are events
    assert all(each == found[0] for each in found)
    assert [event["messageId"] for event in found[0]] == ["a"] * len(events)


def test_a_text_is_read_as_one_document() -> None:
    assert [event["messageId"] for event in read_event_text(dumped([A, B], indent=2), now=NOW)] == ["a", "b"]  # type: ignore[index] # all are events
    assert [event["messageId"] for event in read_event_text(dumped(A, B), now=NOW)] == ["a", "b"]  # type: ignore[index] # all are events
    with pytest.raises(RequestRefused):
        read_event_text(dumped(A, B).replace(b"}", b"", 1), now=NOW)
