"""Fuzz what strangers send: bodies, signed arrays and tracking batches are read as a parser reads them, or refused.

By hand, until it finds something or is stopped:  python tests/fuzz/fuzz_requests.py
Bounded, as the tests do:                         python tests/fuzz/fuzz_requests.py -runs=5000
"""

import asyncio
import gzip
import hmac
import json
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["app.source"]):
    from app.errors import EventRefused
    from app.source import body, json_reader
    from app.source.body import decompress, decompressed_size
    from app.source.event import Arrival
    from app.source.json_reader import parse
    from app.source.responses import RequestRefused
    from app.source.signatures import is_signed

#: So small that a short input has many slices, and members that are too large.
SMALL = {
    "SLICE_BYTES": 48,
    "MAX_MEMBER_BYTES": 120,
    "OF_STRANGERS": json_reader.Bounds(max_bytes=120, max_brackets=2_000, max_commas=20),
}
for module in (json_reader, body):
    vars(module).update(SMALL)
#: Of strangers: one that is too large stands there refused.
LIMITS = body.Limits(
    max_body_bytes=10_000,
    max_decompressed_bytes=10_000,
    max_events=200,
    max_depth=16,
    max_event_bytes=400,
    request_timeout_s=1,
)
SECRET = b"secret"
PIECES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b'"', b"\\", b'\\"', b"1", b"1e999", b"NaN", b"null", b"9" * 30),
    *(b'{"type":"page"}', b'{"type":"page"},', b'"batch":[', b'{"batch":[', b'"context":{}', b'"writeKey":"k"'),
    *(b'{"json":', b'"type":"track"', b'"a":[{},{}]', b'"\xc3\xa9"', b'"\\ud800"', b"[[[[", b"]]]]", b"{},", b"\xff"),
    *(
        b'{"type":"page","name":"' + b"x" * 60 + b'"},',
        b"[" * 1_100,
        b"\xef\xbb\xbf",
        b'{"type":"' + b"y" * 200 + b'"}',
    ),
)
#: What most bodies begin and end with.
AROUND = ((b"", b""), (b"[", b"]"), (b'{"batch":[', b"]}"), (b'{"batch":[', b'],"a":1}'))


def _raw(data: Any) -> bytes:
    """Draw bytes: any, or pieces of JSON, often closed as an array or a batch would be."""
    if data.ConsumeIntInRange(0, 9) == 0:
        return bytes(data.ConsumeBytes(300))
    text = b"".join(data.PickValueInList(list(PIECES)) for _ in range(data.ConsumeIntInRange(0, 40)))
    opening, closing = data.PickValueInList(list(AROUND))
    return bytes(opening + text + closing)


def _parsed(raw: bytes) -> Any:
    """Return what a parser reads; None where it reads nothing."""
    try:
        return parse(raw)
    except RequestRefused:
        return None


def _check_body(raw: bytes) -> None:
    """Fail where a body is read slice by slice otherwise than as a whole."""
    try:
        opened = body.read_body(raw, max_events=LIMITS.max_events)
        members = [member for slice_ in opened.slices for member in slice_]
        if not opened.several:
            list(body.read_events(opened, LIMITS, Arrival.at(0.0, new_id=str)))
            return
        again = body.read_body(raw, max_events=LIMITS.max_events)
        list(body.read_events(again, LIMITS, Arrival.at(0.0, from_device=True, new_id=str)))
    except RequestRefused:
        return
    if any(isinstance(member, EventRefused) for member in members):
        return  # what is too large is refused in its place, whatever is in it
    whole = _parsed(raw)
    if whole is None and not json_reader.is_lines(raw):
        raise AssertionError("what is no JSON was read")
    lines = [line for line in raw.split(b"\n") if line.strip()] if whole is None else []
    given = whole["batch"] if isinstance(whole, dict) else (list(map(parse, lines)) if whole is None else whole)
    if len(members) != len(given) or (lines and members != given):
        raise AssertionError(f"{len(members)} members instead of {len(given)}, or others")


def _check_signature(raw: bytes) -> None:
    """Fail where the first element of an array, signed as Segment signs it, is not known again."""
    try:
        asyncio.run(is_signed(raw, len(raw), "0" * 40, [SECRET]))
    except RequestRefused:  # its gzip is broken
        return
    text = raw.decode("utf-8", "replace")
    inside = text.lstrip(" \t\r\n")[1:].lstrip(" \t\r\n") if text.lstrip(" \t\r\n").startswith("[") else ""
    if not inside.startswith("{"):  # of broken numbers and words only a parser knows where they end
        return
    try:
        _, end = json.JSONDecoder().raw_decode(inside)
    except (ValueError, RecursionError):
        return
    if "\ufffd" in inside[:end] or inside[:end].count("[") + inside[:end].count("{") > 1_000:
        return
    signature = hmac.new(SECRET, inside[:end].encode(), "sha1").hexdigest()
    if not asyncio.run(is_signed(raw, len(raw), signature, [SECRET])):
        raise AssertionError("a signed first element was not found")


def _check_gzip(raw: bytes, packed: bytes) -> None:
    """Fail where what is packed comes out otherwise, or where broken gzip is anything but refused."""
    try:
        decompressed = asyncio.run(decompress(packed, decompressed_size(packed, LIMITS.max_decompressed_bytes)))
    except RequestRefused:
        return
    if packed == gzip.compress(raw, mtime=0) and decompressed != raw:
        raise AssertionError("decompressed otherwise than packed")


def check(data_bytes: bytes) -> None:
    """Fail where anything but RequestRefused is raised, or one of the above."""
    data = atheris.FuzzedDataProvider(data_bytes)
    raw = _raw(data)
    _check_body(raw)
    _check_signature(raw)
    packed = bytearray(gzip.compress(raw, mtime=0))
    if data.ConsumeBool():
        packed[data.ConsumeIntInRange(2, len(packed) - 1)] = data.ConsumeIntInRange(0, 255)
    _check_gzip(raw, bytes(packed))


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
