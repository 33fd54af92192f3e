"""Convert the bytes of a request to records for mappings: any JSON, lines of it, forms, CloudEvents, a pixel.

    {"method": "POST", "headers": {"x-shopify-topic": "orders/paid"}, "query": {}, "ip": "203.0.113.41", "body": {...}}

Each member of an array at the top, and each line, is a separate record. A CloudEvent's attributes are in `cloudevent`;
its data, also in base64, is the body.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl

from fastapi import Request

from app.errors import EventRefused
from app.source.body import Limits
from app.source.json_reader import (
    MAX_MEMBER_BYTES,
    OF_STRANGERS,
    SLICE_BYTES,
    array_slices,
    max_levels,
    nested_deeper,
    parse,
    parse_line,
    strip_leading_space,
    with_data,
)
from app.source.responses import BROKEN_JSON, TOO_LARGE, TOO_MANY, UNSUPPORTED, RequestRefused

Content: TypeAlias = Literal["json", "lines", "form", "cloudevent", "cloudevents"]

_CONTENTS: Final[Mapping[str, Content]] = {
    **dict.fromkeys(("", "application/json", "text/json", "text/plain"), "json"),
    **dict.fromkeys(
        ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"), "lines"
    ),
    "application/x-www-form-urlencoded": "form",
    "application/cloudevents+json": "cloudevent",
    "application/cloudevents-batch+json": "cloudevents",
}
#: The content members of a CloudEvent:
#: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
_DATA: Final = frozenset({"data", "data_base64"})
_CLOUDEVENTS: Final = frozenset({"cloudevent", "cloudevents"})
_OF_CLOUDEVENTS: Final = "ce-"
#: Maximum number of pairs in a form or a query.
_MAX_PAIRS: Final = 1_000
#: Headers that are secrets for every source.
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


def body_reader_of(content_type: str) -> Content:
    """Return how a body of this content type is read. Raises RequestRefused."""
    kind = content_type.partition(";")[0].strip().lower()
    found = _CONTENTS.get(kind) or ("json" if kind.endswith("+json") else None)
    if found is None:
        raise RequestRefused(UNSUPPORTED)
    return found


def request_context(request: Request, *, hidden: frozenset[str], ip: str | None) -> dict[str, Any]:
    """Return the members of a record except its body, without secret headers and those of `hidden`.

    `ip` is `None` if unknown.
    """
    return _around(request.method, request.headers, request.url.query, hidden) | {"ip": ip}


def _around(method: str, headers: Mapping[str, str], query: str, hidden: frozenset[str]) -> dict[str, Any]:
    secret = hidden | _SECRET_HEADERS
    shown = {name.lower(): value for name, value in headers.items() if name.lower() not in secret}
    return {"method": method, "headers": shown, "query": _pairs(query), "ip": None}


def read_raw_requests(
    raw: bytes, content_type: str, headers: Mapping[str, str], query: str, *, method: str = "POST"
) -> Iterator[Any]:
    """Yield the records of a request with this body: for people who test a mapping, so with few limits.

    Raises RequestRefused as `records` does.
    """
    around = _around(method, headers, query, frozenset())
    yield from records(raw, body_reader_of(content_type), around, Limits.of_no_stranger())


def records(raw: bytes, content: Content, around: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
    """Yield the records of a decompressed body, on demand; an invalid member becomes an EventRefused.

    Raises RequestRefused if the body does not match its type, or exceeds the limit of members.
    """
    are_cloudevents = content in _CLOUDEVENTS
    may_be_deep = are_cloudevents or max_levels(raw) > limits.max_depth  # base64 hides the nesting of the data
    for number, member in enumerate(_members(raw, content), start=1):
        if number > limits.max_events:
            raise RequestRefused(TOO_MANY)
        if are_cloudevents:
            member = with_data(member)  # noqa: PLW2901 - the same member, read
        if isinstance(member, EventRefused):
            yield member
        elif may_be_deep and nested_deeper([member], limits.max_depth):
            yield EventRefused(f"the event is nested deeper than {limits.max_depth} levels")
        else:
            yield _record(member, content, around)


def _members(raw: bytes, content: Content) -> Iterator[Any]:
    if content == "form":
        yield _form(raw)
    elif content == "lines":
        yield from map(parse_line, filter(None, map(bytes.strip, raw.splitlines())))
    elif len(raw) > SLICE_BYTES and (array := strip_leading_space(raw)).startswith(b"["):
        for members in array_slices(array, lambda _: None, OF_STRANGERS):
            yield from members
    elif len(raw) > MAX_MEMBER_BYTES:
        raise RequestRefused(TOO_LARGE)
    else:
        value = parse(raw)
        yield from value if isinstance(value, list) else [value]


def _record(member: Any, content: Content, around: Mapping[str, Any]) -> dict[str, Any] | EventRefused:
    if content in _CLOUDEVENTS:
        if not isinstance(member, dict) or "specversion" not in member:
            return EventRefused("it is not a CloudEvent: `specversion` is missing")
        attributes = {name: value for name, value in member.items() if name not in _DATA}
        return {**around, "cloudevent": attributes, "body": member.get("data")}
    headers = around["headers"]
    if "ce-specversion" in headers:
        length = len(_OF_CLOUDEVENTS)
        told = {name[length:]: value for name, value in headers.items() if name.startswith(_OF_CLOUDEVENTS)}
        return {**around, "cloudevent": told, "body": member}
    return {**around, "body": member}


def _form(raw: bytes) -> dict[str, Any]:
    try:
        return _pairs(raw.decode())
    except UnicodeDecodeError:
        raise RequestRefused(BROKEN_JSON) from None


def _pairs(text: str) -> dict[str, Any]:
    """Parse `a=1&b=2&b=3` as {"a": "1", "b": ["2", "3"]}. Raises RequestRefused if there are too many pairs."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PAIRS, errors="replace")
    except ValueError:
        raise RequestRefused(TOO_LARGE) from None
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
