"""From bytes to events."""

import base64
import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.errors import EventRefused
from app.source import Arrival, read_raw_event
from app.source.body import Body, read_body, read_events
from app.source.json_reader import SLICE_BYTES, TOO_LARGE_MEMBER, is_lines
from app.source.responses import BROKEN_JSON, TOO_MANY, RequestRefused
from tests.rounds import examples
from tests.rows import every_row
from tests.source.door import NOW, limits

ARRIVAL = Arrival.at(NOW, from_device=True, new_id=lambda: "made")


def opened(raw: bytes) -> Body:
    return read_body(raw, max_events=4_000)


def members_of(body: Body) -> list[Any]:
    return [member for slice_ in body.slices for member in slice_]


#: What Python's json writes and other parsers do not take.
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def finite(value: Any) -> Any:
    """Replace every number that no double can hold by the text NaN, and U+0000 by U+FFFD."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {finite(name): finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return list(map(finite, value))
    if type(value) is int and not -(2**63) <= value < 2**64:
        return float(value)
    return "NaN" if isinstance(value, float) and not math.isfinite(value) else value


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(_VALUES, max_size=4))
def test_a_number_that_is_none_costs_neither_its_neighbours_nor_the_rest_of_its_event(values: list[Any]) -> None:
    members = [{"type": "page", "messageId": "m", "timestamp": "t", "value": value} for value in values]
    raw = json.dumps([*members, {"type": "page", "worst": math.nan}]).encode()

    *events, worst = read_events(opened(raw), limits(), ARRIVAL)

    assert [event["value"] for event in events if isinstance(event, dict)] == finite(values)
    assert isinstance(worst, dict)
    assert worst["worst"] == "NaN"


class TestReadBody:
    @pytest.mark.parametrize(
        ("raw", "members", "several"),
        [
            (b'{"type":"page"}', [{"type": "page"}], False),
            (b'[{"type":"page"},5]', [{"type": "page"}, 5], True),
            (b"[]", [], True),
            (b"5", [5], False),
            (b'{"batch":[{"type":"page"},null]}', [{"type": "page"}, None], True),
            (b'{"batch":[]}', [], True),
            (b'{"batch":5}', [{"batch": 5}], False),
            # an event's own member called batch
            (b'{"type":"track","batch":[1]}', [{"type": "track", "batch": [1]}], False),
            # Extensible Webhook
            (b'{"json":{"type":"page"}}', [{"type": "page"}], False),
            (b'[{"json":{"type":"page"}},{"json":5}]', [{"type": "page"}, {"json": 5}], True),
            (b'{"type":"track","json":{}}', [{"type": "track", "json": {}}], False),
        ],
    )
    def test_events_are_found_in_every_shape(self, raw: bytes, members: list[Any], several: bool) -> None:  # noqa: FBT001 - a column
        body = opened(raw)

        assert members_of(body) == members
        assert body.several is several
        assert body.size_bytes == len(raw)

    def test_the_top_is_the_object_that_may_hold_the_write_key(self) -> None:
        assert opened(b'{"batch":[],"writeKey":"k"}').top["writeKey"] == "k"
        assert opened(b'{"type":"page","writeKey":"k"}').top["writeKey"] == "k"
        assert opened(b"[]").top == {}
        assert opened(b"5").top == {}


class TestReadEvents:
    def test_bad_members_are_refused_in_their_place(self) -> None:
        events = list(
            read_events(
                opened(b'[{"type":"page"},5,{"messageId":"m-3"},{"type":"track"}]'),
                limits(),
                ARRIVAL,
            )
        )

        assert [isinstance(event, EventRefused) for event in events] == [False, True, True, False]
        assert [event.message_id for event in events if isinstance(event, EventRefused)] == [None, "m-3"]

    def test_a_member_as_large_as_the_bound_passes_and_one_larger_is_refused(self) -> None:
        fits = {"type": "page", "messageId": "m-1", "name": ""}
        fits["name"] = "é" * ((100 - len(json.dumps(fits, separators=(",", ":")))) // 2)
        exceeds = {**fits, "messageId": "m-22222222"}
        bounds = limits(max_event_bytes=len(json.dumps(fits, ensure_ascii=False, separators=(",", ":")).encode()))

        kept, refused = read_events(opened(orjson.dumps([fits, exceeds])), bounds, ARRIVAL)

        assert isinstance(kept, dict)
        assert isinstance(refused, EventRefused)
        assert refused.reason == f"the event is larger than {bounds.max_event_bytes} bytes"
        assert refused.message_id == "m-22222222"

    def test_a_member_deeper_than_the_bound_is_refused_and_its_neighbours_are_not(self) -> None:
        raw = b'[{"type":"page","a":{"b":[]}},{"type":"page","a":{"b":[{}]}},5]'

        kept, refused, number = read_events(opened(raw), limits(max_depth=3), ARRIVAL)

        assert isinstance(kept, dict)
        assert isinstance(refused, EventRefused)
        assert refused.reason == "the event is nested deeper than 3 levels"
        assert isinstance(number, EventRefused)

    def test_too_many_members_are_refused_as_a_whole(self) -> None:
        raw = b'[{"type":"page"},{"type":"page"}]'

        assert len(list(read_events(read_body(raw, max_events=2), limits(), ARRIVAL))) == 2
        with pytest.raises(RequestRefused) as caught:
            read_body(raw, max_events=1)
        assert caught.value.refusal is TOO_MANY


class TestLargeArray:
    """It is parsed a few members at a time, and read as any other."""

    PADDING = b'{"type":"page","messageId":"padding","name":"' + b"x" * SLICE_BYTES + b'"}'

    @pytest.mark.parametrize(
        "members",
        [
            pytest.param([b'{"type":"page","messageId":"m-%d"}' % n for n in range(120)], id="many"),
            pytest.param([b'{"json":{"type":"page","messageId":"m"}}', b'{"json":5}'], id="wrapped ones"),
            pytest.param([b"5", b"null", b"[]", b'"page"', b"{}", b'{"messageId":"m"}'], id="ones that are no event"),
            pytest.param([b'{"type":"page","a":' + b"[" * 64 + b"]" * 64 + b"}"], id="one that is too deep"),
            pytest.param([b'{"type":"page","messageId":"m","a":"\\ud800"}'], id="half of a surrogate pair"),
            pytest.param([b'{"type":"page","messageId":"m","a":NaN}', b'{"type":"page","a":1e999}'], id="no numbers"),
            pytest.param([b' { "type" : "page", "messageId" : "m", "type" : "track" } '], id="a name given twice"),
        ],
    )
    def test_members_are_read_as_in_a_small_one(self, members: list[bytes]) -> None:
        small = read_events(opened(b"[" + b",".join(members) + b"]"), limits(), ARRIVAL)
        *large, _ = read_events(opened(b"[" + b",".join([*members, self.PADDING]) + b"]"), limits(), ARRIVAL)

        for one, other in zip(small, large, strict=True):
            assert repr(one) == repr(other)

    @pytest.mark.parametrize(("levels", "max_depth"), [(10, 10), (10, 9), (40, 40), (40, 39), (40, 10)])
    def test_each_member_may_be_as_deep_as_the_bound_says(self, levels: int, max_depth: int) -> None:
        flat, deep = b'{"type":"page","a":1}', b'{"type":"page","a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
        raw = b"[" + b",".join([flat, deep, b'{"type":"page","name":"%b"}' % (b"x" * 9_000)] * 20) + b"]"

        read = list(read_events(opened(raw), limits(max_depth=max_depth), ARRIVAL))

        assert [isinstance(one, dict) for one in read] == [True, levels <= max_depth, True] * 20

    @pytest.mark.parametrize("bad", [b'"\xff"', b"{", b"01", b"'a'"])
    def test_what_is_not_json_breaks_all_of_it(self, bad: bytes) -> None:
        with pytest.raises(RequestRefused) as caught:
            list(read_events(opened(b"[" + self.PADDING + b"," + bad + b"]"), limits(), ARRIVAL))

        assert caught.value.refusal is BROKEN_JSON

    def test_too_many_members_are_refused(self) -> None:
        with pytest.raises(RequestRefused) as caught:
            list(read_events(read_body(b"[" + self.PADDING + b",{}]", max_events=1), limits(), ARRIVAL))

        assert caught.value.refusal is TOO_MANY

    def test_numbers_that_are_none_are_logged_once(self) -> None:
        members = [b'{"type":"page","messageId":"m","a":1e999}'] * 3_000  # two slices
        with capture_logs() as logs:
            *events, _ = read_events(opened(b"[" + b",".join([*members, self.PADDING]) + b"]"), limits(), ARRIVAL)

        assert [event["a"] for event in events if isinstance(event, dict)] == ["NaN"] * 3_000
        assert [entry["event"] for entry in logs] == ["NaN read as text"]


class TestReadRawEvent:
    def test_a_raw_event_is_read_as_a_webhooks(self) -> None:
        event = read_raw_event(b'{"type":"page","messageId":"m","timestamp":"t","sentAt":"s"}', now=NOW)

        assert event["timestamp"] == "t"

    def test_a_wrapped_event_is_unwrapped(self) -> None:
        assert read_raw_event(b'{"json":{"type":"page","messageId":"m"}}', now=NOW)["messageId"] == "m"

    def test_the_wrapper_is_no_level_of_the_event(self) -> None:
        deep = b"[" * 63 + b"]" * 63

        assert read_raw_event(b'{"json":{"type":"page","a":%b}}' % deep, now=NOW)["type"] == "page"
        with pytest.raises(EventRefused, match="nested deeper than 64 levels"):
            read_raw_event(b'{"json":{"type":"page","a":[%b]}}' % deep, now=NOW)

    @pytest.mark.parametrize("raw", [b"{", b"5", b'{"type":"page","a":' + b"[" * 100 + b"]" * 100 + b"}"])
    def test_a_raw_event_that_is_none_is_refused(self, raw: bytes) -> None:
        with pytest.raises(EventRefused):
            read_raw_event(raw, now=NOW)


E1, E2 = {"type": "track", "event": "A", "messageId": "m-1"}, {"type": "page", "messageId": "m-2"}


@given(st.lists(_VALUES.map(lambda value: {"type": "track", "value": value}), min_size=2, max_size=120), st.booleans())
@settings(max_examples=examples(100), deadline=None)
def test_lines_are_read_as_an_array_of_them_is(events: list[Any], ends: bool) -> None:  # noqa: FBT001 - drawn
    lines = b"\n".join(json.dumps(event).encode() for event in events) + b"\r\n\n" * ends
    of_lines = opened(lines)
    assert of_lines.several
    assert members_of(of_lines) == members_of(opened(json.dumps(events).encode()))


def test_large_lines_are_read_and_one_that_is_none_is_refused_in_its_place() -> None:
    large = {"type": "track", "value": "x" * 300_000}
    raw = b"\n".join([orjson.dumps(E1), orjson.dumps(large), b"{broken", *[orjson.dumps(E2)] * 100])
    first, too_large, broken, *others = members_of(opened(raw))
    assert first == E1
    assert others == [E2] * 100
    assert (too_large.reason, broken.reason) == (TOO_LARGE_MEMBER, "the line is not JSON: broken_json")


def test_lines_are_no_more_than_an_array_may_be() -> None:
    with pytest.raises(RequestRefused) as caught:
        members_of(read_body((orjson.dumps(E1) + b"\n") * 60, max_events=59))
    assert caught.value.refusal is TOO_MANY


@every_row(
    "raw",
    [
        b'{"a": 1\n}\n{"b": 2}',
        b'{"a": 1}\n[1]',
        b'{"a": 1}\n',
        b'{"a"}\n{"b": 2}',
        b"1\n2",
        b"[1]\n[2]",
        b"\n",
        b'{"a": 1}{"b": 2}',
    ],
)
def test_what_is_not_one_event_a_line_is_not_taken_for_lines(raw: bytes) -> None:
    assert not is_lines(raw)


def cloudevent(**members: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "shop.order", **members}


@every_row(
    ("member", "event"),
    [
        (cloudevent(data=E1), E1),
        (cloudevent(data={"type": "track", "event": "A"}), {"type": "track", "event": "A", "messageId": "ce-1"}),
        (
            cloudevent(time="2026-03-04T16:12:00Z", data={"type": "page"}),
            {"type": "page", "messageId": "ce-1", "timestamp": "2026-03-04T16:12:00Z"},
        ),
        (cloudevent(data_base64=base64.b64encode(orjson.dumps(E1)).decode()), E1),
        (E1 | {"data": {"type": "page"}}, E1 | {"data": {"type": "page"}}),
    ],
)
def test_a_cloudevent_is_the_segment_event_in_it(member: dict[str, Any], event: dict[str, Any]) -> None:
    assert members_of(opened(orjson.dumps(member))) == members_of(opened(orjson.dumps([member]))) == [event]


@every_row("data", [{}, {"data": "text"}, {"data": [E1]}, {"data_base64": "e30"}, {"data_base64": "bm9uZQ=="}])
def test_a_cloudevent_with_anything_else_in_it_is_refused(data: dict[str, Any]) -> None:
    (refused,) = members_of(opened(orjson.dumps(cloudevent(**data))))
    assert isinstance(refused, EventRefused)
    assert "CloudEvent" in refused.reason
