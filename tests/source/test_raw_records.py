"""What a mapped source may send, and the records that are read from it."""

from base64 import b64encode
from codecs import BOM_UTF8
from typing import Any

import orjson
import pytest

from app.errors import EventRefused
from app.source.raw_records import body_reader_of, records, request_context
from app.source.responses import RequestRefused
from tests.rows import every_row
from tests.source.door import limits

AROUND: dict[str, Any] = {"method": "POST", "headers": {}, "query": {}, "ip": None}


def bodies(raw: bytes, content_type: str = "application/json", **bounds: Any) -> list[Any]:
    """Return the body of each record; the reason where a member is refused."""
    found = records(raw, body_reader_of(content_type), AROUND, limits(**bounds))
    return [each.reason if isinstance(each, EventRefused) else each["body"] for each in found]


@every_row(
    ("content_type", "raw", "expected"),
    [
        ("application/json", b'{"a": 1}', [{"a": 1}]),
        ("application/json; charset=utf-8", b"[1, {}]", [1, {}]),
        ("Application/JSON", b"[]", []),
        ("", b'"text"', ["text"]),
        ("text/plain", b"null", [None]),
        ("application/vnd.shop+json", b'{"a": [1]}', [{"a": [1]}]),
        ("application/x-ndjson", b'{"a": 1}\n\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}]),
        ("application/jsonl", b'{"a": 1}\n{broken\n[1]', [{"a": 1}, "the line is not JSON: broken_json", [1]]),
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=x+y&b=%C3%A9&b=3&c=",
            [{"a": "1", "b": ["x y", "é", "3"], "c": ""}],
        ),
    ],
)
def test_a_body_gives_records_by_its_content_type(content_type: str, raw: bytes, expected: list[Any]) -> None:
    assert bodies(raw, content_type) == expected


@every_row(
    "content_type", ["application/xml", "text/html", "multipart/form-data; boundary=x", "application/octet-stream", "a"]
)
def test_any_other_content_is_415(content_type: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        body_reader_of(content_type)
    assert caught.value.refusal.status == 415


@every_row(
    ("content_type", "raw", "code"),
    [
        ("application/json", b"{", "broken_json"),
        ("application/json", b"", "broken_json"),
        ("application/x-www-form-urlencoded", b"\xff", "broken_json"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1_001), "too_large"),
        ("application/json", b'{"a": "%b"}' % (b"x" * 300_000), "too_large"),
        ("application/json", b"[%b]" % b",".join([b"1"] * 101), "too_many_events"),
        ("application/jsonl", b"\n".join([b"1"] * 101), "too_many_events"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(content_type: str, raw: bytes, code: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        bodies(raw, content_type, max_events=100)
    assert caught.value.refusal.code == code


def test_a_member_that_is_too_deep_or_too_large_is_refused_in_its_place() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    raw = orjson.dumps([{"a": 1}, {"a": deep}])
    assert bodies(raw, max_depth=10) == [{"a": 1}, "the event is nested deeper than 10 levels"]
    lines = b'{"a": 1}\n{"a": "%b"}' % (b"x" * 300_000)
    assert bodies(lines, "application/jsonl") == [{"a": 1}, "the event is larger than 262144 bytes"]


@pytest.mark.parametrize("before", [b"", b"  ", BOM_UTF8, BOM_UTF8 + b"\r\n"])
def test_a_large_array_is_read_slice_by_slice_and_loses_nothing(before: bytes) -> None:
    members = [{"id": number, "text": "x" * 500} for number in range(1_000)]
    assert bodies(before + orjson.dumps(members)) == members


CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "data": {"id": 7}}
OF_CLOUDEVENT = {name: CLOUDEVENT[name] for name in ("specversion", "id", "source", "type")}


def test_a_cloudevent_has_its_data_as_body_and_its_attributes_beside() -> None:
    batch = orjson.dumps([CLOUDEVENT, CLOUDEVENT])
    whole = list(records(batch, body_reader_of("application/cloudevents-batch+json"), AROUND, limits()))
    (one,) = records(orjson.dumps(CLOUDEVENT), body_reader_of("application/cloudevents+json"), AROUND, limits())
    binary = AROUND | {"headers": {f"ce-{name}": value for name, value in OF_CLOUDEVENT.items()}}
    (in_headers,) = records(b'{"id": 7}', body_reader_of("application/json"), binary, limits())

    assert one == AROUND | {"cloudevent": OF_CLOUDEVENT, "body": {"id": 7}}
    assert whole == [one, one]
    assert in_headers == binary | {"cloudevent": OF_CLOUDEVENT, "body": {"id": 7}}


NO_BASE64 = "the CloudEvent's `data_base64` is no JSON in base64"


@every_row(
    ("data", "body"),
    [
        (b64encode(b'{"id": 7}').decode(), {"id": 7}),
        (b64encode(b"[null, 1]").decode(), [None, 1]),
        (b64encode(BOM_UTF8 + b'"\xc3\xa9"').decode(), "é"),
        (None, {"id": 7}),  # as if it were not there
        (b64encode(b"<xml/>").decode(), NO_BASE64),
        (b64encode(b"\xff").decode(), NO_BASE64),
        (b64encode(b"[" * 2_000 + b"]" * 2_000).decode(), NO_BASE64),
        (b64encode(b"[[[[1]]]]").decode(), "the event is nested deeper than 4 levels"),
        (b64encode(b"[[[1]]]").decode(), [[[1]]]),
        ("", NO_BASE64),
        ("e30", NO_BASE64),
        ("e30=\n", NO_BASE64),
        ("é", NO_BASE64),
        (5, NO_BASE64),
        ({}, NO_BASE64),
    ],
)
def test_a_cloudevent_may_have_its_data_in_base64_and_what_is_not_read_is_refused_in_its_place(
    data: Any, body: Any
) -> None:
    event = {**CLOUDEVENT, "data_base64": data}
    if data is not None:
        del event["data"]
    batch = orjson.dumps([CLOUDEVENT, event, CLOUDEVENT])

    assert bodies(batch, "application/cloudevents-batch+json", max_depth=4) == [{"id": 7}, body, {"id": 7}]
    assert bodies(orjson.dumps(event), "application/cloudevents+json", max_depth=4) == [body]


def test_what_only_says_that_it_is_a_cloudevent_is_refused() -> None:
    for raw in (b"1", b'{"data": 1}'):
        assert bodies(raw, "application/cloudevents+json") == ["it is not a CloudEvent: `specversion` is missing"]


def test_no_secret_of_the_request_is_in_a_record() -> None:
    from starlette.requests import Request  # noqa: PLC0415 - of this test alone

    names = ("Authorization", "Cookie", "X-Sign", "X-Topic")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhook/shop",
        "query_string": b"a=1&a=2",
        "headers": [(name.lower().encode(), b"value") for name in names],
    }
    found = request_context(Request(scope), hidden=frozenset({"x-sign"}), ip=None)
    assert found == {"method": "POST", "headers": {"x-topic": "value"}, "query": {"a": ["1", "2"]}, "ip": None}
