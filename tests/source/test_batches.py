"""What a batch says of all its events, in each of them."""

from typing import Any

import orjson
import pytest

from app.errors import EventRefused
from app.source import Arrival
from app.source.body import read_body, read_events
from tests.rows import every_row
from tests.source.door import NOW, limits

ARRIVAL = Arrival.at(NOW, new_id=lambda: "made")


def read(raw: bytes, **bounds: Any) -> list[Any]:
    """Return the events; the reason where one is refused."""
    found = read_events(read_body(raw, max_events=4_000), limits(**bounds), ARRIVAL)
    return [each.reason if isinstance(each, EventRefused) else each for each in found]


@every_row(
    ("common", "own", "merged"),
    [
        ({"ip": "a", "os": 1}, {"ip": "b"}, {"ip": "b", "os": 1}),
        ({"ip": "a"}, None, {"ip": "a"}),
        ({"ip": "a"}, [], {"ip": "a"}),
        ({"ip": "a"}, "no object", "no object"),
        ([], {"ip": "b"}, {"ip": "b"}),
        (None, {"ip": "b"}, {"ip": "b"}),
        (None, None, None),
    ],
)
@every_row("name", ["context", "integrations"])
def test_a_batch_lends_its_members_context_and_integrations(name: str, common: Any, own: Any, merged: Any) -> None:
    raw = orjson.dumps({"batch": [{"type": "page", name: own}], name: common})

    assert read(raw)[0][name] == merged


def test_a_batch_tells_when_it_was_sent() -> None:
    raw = b'{"batch":[{"type":"page"},{"type":"page","sentAt":"own"}],"sentAt":"now"}'

    assert [member["sentAt"] for member in read(raw)] == ["now", "own"]


@every_row("pad", [0, 60_000, 70_000, 200_000])
@every_row("events", [1, 3_000])
@every_row("name", ["context", "integrations"])
def test_the_consent_of_a_batch_is_that_of_each_event_however_large_it_is(name: str, events: int, pad: int) -> None:
    common = {"consent": {"categoryPreferences": {"ads": False}}, "pad": "x" * pad}
    raw = orjson.dumps({"batch": [{"type": "page", "messageId": "m", "name": "x" * 50}] * events, name: common})

    assert [one[name] == common for one in read(raw)] == [True] * events


@every_row("padding", [b"", b" " * 300_000], ids=["parsed at once", "by slices"])
@every_row(
    ("event_bytes", "common_bytes", "is_taken"),
    [(1_000, 0, True), (1_001, 0, False), (1_000, 1_000, True), (100, 1_001, False), (1_001, 100, False)],
)
def test_an_event_of_a_batch_is_measured_as_it_came_and_what_is_said_of_all_by_itself(
    event_bytes: int,
    common_bytes: int,
    is_taken: bool,  # noqa: FBT001 - a column
    padding: bytes,
) -> None:
    event = b'{"type":"page","name":"%b"}' % (b"x" * (event_bytes - 25))
    common = b'"context":{"pad":"%b"}' % (b"x" * (common_bytes - 22)) if common_bytes else b'"writeKey":"k"'
    raw = b'{"batch":[%b,5],%b%b}' % (event, padding, common)

    first, _ = read(raw, max_event_bytes=1_000)

    assert len(event) == event_bytes
    assert isinstance(first, dict) if is_taken else first == "the event is larger than 1000 bytes"


@every_row("padding", [b"", b" " * 300_000], ids=["parsed at once", "by slices"])
@every_row(("levels", "is_taken"), [(9, True), (10, False), (1_000, False)])
def test_what_is_said_of_all_is_nested_no_deeper_than_an_event(levels: int, is_taken: bool, padding: bytes) -> None:  # noqa: FBT001 - a column
    raw = b'{"batch":[{"type":"page"}],%b"context":%b}' % (padding, b'{"a":' * levels + b"1" + b"}" * levels)

    (found,) = read(raw, max_depth=10, max_event_bytes=100_000)

    assert isinstance(found, dict) if is_taken else found == "the event is nested deeper than 10 levels"


@pytest.mark.slow
@pytest.mark.parametrize("broken", [b"NaN", b'"\\ud800"', b"1e999"])
def test_a_value_that_no_parser_reads_costs_no_large_batch(broken: bytes) -> None:
    product = {"product_id": "]}", "price": 1.5, "quantity": 1}
    consent = {"consent": {"categoryPreferences": {"ads": True}}}
    order = {"type": "track", "event": "Order", "context": consent, "properties": {"products": [product] * 12}}
    batch = b"[%b,%b]" % (b",".join([orjson.dumps(order)] * 3_999), broken)

    *orders, last = read(b'{"batch":%b,"sentAt":"now"}' % batch)

    assert [each["sentAt"] for each in orders] == ["now"] * 3_999
    assert last == "the event is not a JSON object"
