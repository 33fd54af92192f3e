"""JSON as senders write it."""

import base64
import json
import math
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import orjson
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from app.core.log import logger
from app.errors import EventRefused
from app.source.responses import BROKEN_JSON, TOO_DEEP, TOO_LARGE, RequestRefused

#: Larger bodies are most often arrays of many events.
LARGE_BYTES: Final = 65_536
_CONTAINERS = frozenset({dict, list})
#: orjson refuses what is nested deeper: https://github.com/ijl/orjson#deserialize
MAX_LEVELS: Final = 1_024
#: What orjson reads as integers; larger ones become doubles.
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
#: Longer ones are doubles for certain: Python refuses to read an integer of thousands of digits.
_MAX_INTEGER_LENGTH = 20
_NUL, _FFFD = rb"\u0000", rb"\ufffd"
_ESCAPED = re.compile(rb"\\(?:u0000|.)", re.DOTALL)


def parse_line(line: bytes) -> Any:
    """Read one line of NDJSON; EventRefused where that is too large or not JSON."""
    if len(line) > MAX_MEMBER_BYTES:
        return EventRefused(TOO_LARGE_MEMBER)
    try:
        return parse(line)
    except RequestRefused as exc:
        return EventRefused(f"the line is not JSON: {exc.refusal.code}")


def is_lines(raw: bytes) -> bool:
    """Return whether a body is NDJSON: its first line is a whole object, and another follows."""
    end = raw.find(b"\n", 0, MAX_MEMBER_BYTES)
    first = strip_leading_space(raw[: max(end, 0)]).rstrip()
    if not (first.startswith(b"{") and first.endswith(b"}") and raw[end:].lstrip().startswith(b"{")):
        return False
    try:
        parse(first)
    except RequestRefused:
        return False
    return True


def with_data(member: Any) -> Any:
    """Return a CloudEvent with its data as `data`, which may be JSON in base64; EventRefused where that is not read."""
    if not isinstance(member, dict) or member.get("data_base64") is None:
        return member
    try:
        return {**member, "data": parse(base64.b64decode(member["data_base64"], validate=True))}
    except (TypeError, ValueError, RequestRefused):
        return EventRefused("the CloudEvent's `data_base64` is no JSON in base64")


def strip_leading_space(raw: bytes) -> bytes:
    """Return a text of JSON without the byte order mark and the white space that may stand before it."""
    return raw.removeprefix(BOM_UTF8).lstrip(b" \t\r\n")


def parse(raw: bytes, *, on_nan: Callable[[int], None] | None = None) -> Any:
    """Read JSON; a value that no double or UTF-8 can hold is replaced, and the rest is read as usual.

    Half of a surrogate pair becomes U+FFFD. A number that no double can hold (NaN, Infinity, 1e999: pandas and
    Python's json write them) becomes the text "NaN": one such price must not cost a whole batch, and a flag or a
    consent must not pass for one that was not given, as null would. `on_nan` is called with the number of such
    numbers; without it they are logged. Raises RequestRefused where it is not JSON.
    """
    raw = _without_nul(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_leniently(raw, on_nan or _log_numbers)


def _without_nul(raw: bytes) -> bytes:
    """Return JSON with U+FFFD for each U+0000, which stores keep in part, cut a text at, or refuse."""
    if b"\\" in raw and _NUL in raw:  # one byte is looked for in a tenth of the time, and nearly always in vain
        return _ESCAPED.sub(lambda found: _FFFD if found[0] == _NUL else found[0], raw)
    return raw


def _log_numbers(count: int) -> None:
    """Log how many numbers of a body were read as text, since no double can hold them."""
    logger().warning("NaN read as text", count=count)


def log_first_nan() -> Callable[[int], None]:
    """Return an `on_nan` for several calls of `parse`, which logs only the first time."""
    told: list[int] = []

    def tell(count: int) -> None:
        if not told:
            _log_numbers(count)
        told.append(count)

    return tell


def _parse_leniently(raw: bytes, on_nan: Callable[[int], None]) -> Any:
    """Read what orjson refuses: lone surrogates, a byte order mark, numbers that no double can hold."""
    try:
        value, count = _load(raw.decode("utf-8-sig"))
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:
        raise RequestRefused(BROKEN_JSON) from None
    except RecursionError:
        raise RequestRefused(TOO_DEEP) from None
    if count:
        on_nan(count)
    try:
        return orjson.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    except orjson.JSONDecodeError:  # it is JSON, so what orjson minds is its depth
        raise RequestRefused(TOO_DEEP) from None


def _load(text: str) -> tuple[Any, int]:
    """Read JSON by Python's own parser, with "NaN" for what no double can hold; return also how many those were."""
    count = 0

    def number(digits: str) -> float | str:
        nonlocal count
        value = float(digits)
        count += not math.isfinite(value)
        return value if math.isfinite(value) else "NaN"

    def integer(digits: str) -> float | str:
        if len(digits) <= _MAX_INTEGER_LENGTH and _SMALLEST_INTEGER <= (value := int(digits)) <= _LARGEST_INTEGER:
            return value
        return number(digits)

    value = json.loads(text, parse_constant=number, parse_float=number, parse_int=integer)
    return value, count


def nested_deeper(values: Sequence[Any], max_depth: int) -> bool:
    """Return whether any value has more levels of objects and arrays than `max_depth`; walks them level by level."""
    level = [value for value in values if value.__class__ in _CONTAINERS]
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in (container.values() if container.__class__ is dict else container)
            if child.__class__ in _CONTAINERS
        ]
        if not level:
            return False
    return True


def max_levels(raw: bytes) -> int:
    """Return a number of levels that the JSON surely does not exceed: how many `{` and `[` it has, in texts too.

    A large body has so many of them that counting does not pay: its length is returned.
    """
    # `replace` leaps from one to the next, `count` looks at each byte by itself, and needs four times as long.
    return len(raw) - len(raw.replace(b"{", b"").replace(b"[", b"")) if len(raw) <= LARGE_BYTES else len(raw)


#: So much of an array is parsed at once.
SLICE_BYTES: Final = 65_536
#: A member of an array, or an event alone, is parsed at once; Segment's own bound is 32 kB.
MAX_MEMBER_BYTES: Final = 262_144
#: So many brackets are looked at in search of the end of one value; an event has a hundred.
MAX_BRACKETS: Final = 20_000
#: Of an object that may be a batch: those around what is leapt over.
_MAX_BRACKETS_OF_A_BATCH = 50_000
#: Values of so many levels are leapt over at once, without a look at each bracket: the products of an order. Each level
#: lets a hostile batch have its bytes looked at once more (2.5 MB: 30 ms).
_LEAP_LEVELS = 3
#: Of an object at the top; a batch has five.
_MAX_NAMES = 1_000
#: Members that are parsed at once.
_MEMBERS_A_SLICE = 1_000

_FLAT = rb'[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"'


def _bracket_behind(levels: int) -> re.Pattern[bytes]:
    """Return what finds the next bracket behind values that are nested so many levels deep at most."""
    leapt = _FLAT
    for _ in range(levels):
        leapt = rb"%b|[{\[](?:%b)*+[}\]]" % (_FLAT, leapt)
    return re.compile(rb"(?:%b)*+([{}\[\]])" % leapt, re.DOTALL)


_BRACKET = _bracket_behind(0)
_BRACKET_OF_A_BATCH = _bracket_behind(_LEAP_LEVELS)
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:{}\[\]"]++')
_BLANKS = re.compile(rb"[ \t\r\n]*+")
TOO_LARGE_MEMBER = f"the event is larger than {MAX_MEMBER_BYTES} bytes"


class LargeObject(NamedTuple):
    """An object that is too large to be parsed at once."""

    #: Its members that a batch or an event is known by; those of a batch are all there.
    top: dict[str, Any]
    #: The array `batch`; None where there is none.
    batch: bytes | None


class _Top(Struct):
    """What is looked for in a large object; all else in it is passed over, and nothing is built of it."""

    batch: Raw | UnsetType = UNSET
    context: Raw | UnsetType = UNSET
    integrations: Raw | UnsetType = UNSET
    sentAt: Raw | UnsetType = UNSET  # noqa: N815 - as it is sent
    writeKey: Raw | UnsetType = UNSET  # noqa: N815 - as it is sent
    type: Raw | UnsetType = UNSET
    messageId: Raw | UnsetType = UNSET  # noqa: N815 - as it is sent


_TOP = Decoder(_Top)
_ARRAY = Decoder(list[Raw])
_OF_TOP = _Top.__struct_fields__


def end_of_value(
    raw: bytes, at: int, *, max_brackets: int = MAX_BRACKETS, bracket: re.Pattern[bytes] = _BRACKET
) -> int:
    """Return where the JSON value that begins at `at` ends; the brackets are counted, and nothing else is judged.

    Raises RequestRefused where it does not end, or has more brackets than `max_brackets`.
    """
    first = raw[at : at + 1]
    if first not in (b"{", b"["):
        found = _TEXT.match(raw, at) if first == b'"' else _SCALAR.match(raw, at)
        if found is None:
            raise RequestRefused(BROKEN_JSON)
        return found.end()
    depth, at = 1, at + 1
    for _ in range(max_brackets):
        found = bracket.match(raw, at)
        if found is None:
            raise RequestRefused(BROKEN_JSON)
        at = found.end()
        depth += 1 if found[1] in b"{[" else -1
        if depth == 0:
            return at
        if depth > MAX_LEVELS:
            raise RequestRefused(TOO_DEEP)
    raise RequestRefused(TOO_LARGE)


def skip_space(raw: bytes, at: int) -> int:
    """Return where the next byte stands that is no white space of JSON."""
    found = _BLANKS.match(raw, at)
    return found.end() if found else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large a member of an array may be."""

    max_bytes: int
    #: Of a member in an array that msgspec cannot read.
    max_brackets: int
    #: msgspec keeps 64 bytes for each member. An array with more commas is cut at its brackets, slice by slice.
    max_commas: int


#: Of what strangers send.
OF_STRANGERS: Final = Bounds(max_bytes=MAX_MEMBER_BYTES, max_brackets=MAX_BRACKETS, max_commas=500_000)
#: Of files that the operator names.
OF_FILES: Final = Bounds(max_bytes=sys.maxsize, max_brackets=sys.maxsize, max_commas=sys.maxsize)


def array_slices(raw: bytes, on_nan: Callable[[int], None], bounds: Bounds) -> Iterator[list[Any]]:
    """Yield the members of an array, parsed slice by slice; a member that is too large is an EventRefused.

    `on_nan`: see `parse`. Raises RequestRefused if the array is not JSON.
    """
    if raw.count(b",") > bounds.max_commas:
        return _lenient_slices(raw, on_nan, bounds)
    try:
        texts = _ARRAY.decode(raw)
    except (DecodeError, RecursionError):  # NaN and lone surrogates are read by `parse`, but not by msgspec
        return _lenient_slices(raw, on_nan, bounds)
    return _parsed_slices(texts, on_nan, bounds.max_bytes)


def _parsed_slices(texts: list[Raw], on_nan: Callable[[int], None], max_bytes: int) -> Iterator[list[Any]]:
    together: list[Raw] = []
    size_bytes = 0
    for text in texts:
        length = len(text)
        if length > max_bytes:
            yield [*_parsed(b",".join(together), on_nan), EventRefused(TOO_LARGE_MEMBER)]
            together, size_bytes = [], 0
            continue
        together.append(text)
        size_bytes += length
        if size_bytes > SLICE_BYTES or len(together) == _MEMBERS_A_SLICE:
            yield _parsed(b",".join(together), on_nan)
            together, size_bytes = [], 0
    yield _parsed(b",".join(together), on_nan)


def _lenient_slices(raw: bytes, on_nan: Callable[[int], None], bounds: Bounds) -> Iterator[list[Any]]:
    """Do `array_slices` for an array that only `parse` reads: find the end of each member by its brackets."""
    at, end = _inside(raw)
    is_first = True
    while end - at > SLICE_BYTES:
        members, at = _cut_off(raw, at, end, on_nan, bounds)
        yield members
        is_first = False
    members = _parsed(raw[at:end], on_nan) if at <= end else []
    if not members and not is_first and at <= end:
        raise RequestRefused(BROKEN_JSON)  # it ends with a comma
    yield members


def _inside(raw: bytes) -> tuple[int, int]:
    """Return the place of the first byte behind an array's `[`, and that of its `]`."""
    end = len(raw.rstrip(b" \t\r\n")) - 1
    if raw[end : end + 1] != b"]":
        raise RequestRefused(BROKEN_JSON)
    return skip_space(raw, 0) + 1, end


def _cut_off(raw: bytes, at: int, end: int, on_nan: Callable[[int], None], bounds: Bounds) -> tuple[list[Any], int]:
    """Cut members off one by one, and parse them; return them, and where the next begins (`end` + 1: nowhere)."""
    begun = last = at
    members: list[Any] = []
    for _ in range(_MEMBERS_A_SLICE):
        first = skip_space(raw, at)
        last = end_of_value(raw, first, max_brackets=bounds.max_brackets)
        if last - first > bounds.max_bytes:
            members += _parsed(raw[begun : at - 1], on_nan)
            members.append(EventRefused(TOO_LARGE_MEMBER))
            begun = skip_space(raw, last) + 1
        at = skip_space(raw, last)
        if at == end:
            at = end + 1
            break
        if raw[at : at + 1] != b",":
            raise RequestRefused(BROKEN_JSON)
        at += 1
        if at - begun > SLICE_BYTES:
            break
    return members + _parsed(raw[begun : at - 1], on_nan), at


def _parsed(members: bytes, on_nan: Callable[[int], None]) -> list[Any]:
    parsed: list[Any] = parse(b"[" + members + b"]", on_nan=on_nan)
    return parsed


def large_object(raw: bytes) -> LargeObject:
    """Find the members that a large object is known by, and its array `batch`.

    Raises RequestRefused where it is not JSON, has too many members, or is a batch with one of them too large: what it
    says of all its events, such as their consent, is never passed over.
    """
    try:
        found = _TOP.decode(raw)
    except (DecodeError, RecursionError):
        return _by_brackets(raw)
    members = {name: bytes(value) for name in _OF_TOP if (value := getattr(found, name)) is not UNSET}
    batch = members.pop("batch") if members.get("batch", b"").startswith(b"[") else None
    fit = {name: text for name, text in members.items() if len(text) <= MAX_MEMBER_BYTES}
    _refuse_excess(batch, members.keys() - fit.keys())
    return LargeObject({name: parse(text) for name, text in fit.items()}, batch)


def _by_brackets(raw: bytes) -> LargeObject:
    """Do `large_object` for what no parser reads as a whole, such as NaN."""
    at, batch, pieces, excess = skip_space(raw, 0) + 1, None, [], set()
    for _ in range(_MAX_NAMES):
        name = _TEXT.match(raw, at := skip_space(raw, at))
        if name is None or raw[(colon := skip_space(raw, name.end())) : colon + 1] != b":":
            raise RequestRefused(BROKEN_JSON)
        first = skip_space(raw, colon + 1)
        last = end_of_value(raw, first, max_brackets=_MAX_BRACKETS_OF_A_BATCH, bracket=_BRACKET_OF_A_BATCH)
        known = parse(name[0])
        if known == "batch" and raw[first : first + 1] == b"[":
            batch = raw[first:last]
        elif last - first <= (MAX_MEMBER_BYTES if known in _OF_TOP else SLICE_BYTES):
            pieces.append(raw[at:last])
        elif known in _OF_TOP:
            excess.add(known)
        at = skip_space(raw, last) + 1
        if raw[at - 1 : at] == b"}" and skip_space(raw, at) == len(raw):
            _refuse_excess(batch, excess)
            return LargeObject(parse(b"{" + b",".join(pieces) + b"}"), batch)
        if raw[at - 1 : at] != b",":
            raise RequestRefused(BROKEN_JSON)
    raise RequestRefused(TOO_LARGE)


def _refuse_excess(batch: bytes | None, names: set[str]) -> None:
    """Refuse a batch with members that are too large to be read. Raises RequestRefused, which names them."""
    if batch is not None and names:
        named = " and ".join(f"`{name}`" for name in sorted(names))
        message = f"In {named}, which apply to all events, the batch has more than {MAX_MEMBER_BYTES} bytes."
        raise RequestRefused(replace(TOO_LARGE, message=message, closes=False))
