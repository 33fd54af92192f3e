"""Parse JSON as senders write it."""

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

#: Larger bodies are usually arrays of many events.
LARGE_BYTES: Final = 65_536
_CONTAINERS = frozenset({dict, list})
#: The nesting limit of orjson: https://github.com/ijl/orjson#deserialize
MAX_LEVELS: Final = 1_024
#: The integers that orjson supports; larger numbers become doubles.
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
#: Longer numbers are always doubles: Python refuses to read an integer of thousands of digits.
_MAX_INTEGER_LENGTH = 20
_NUL, _FFFD = rb"\u0000", rb"\ufffd"
_ESCAPED = re.compile(rb"\\(?:u0000|.)", re.DOTALL)


def parse_line(line: bytes) -> Any:
    """Parse a line of NDJSON; an EventRefused if the line is too large or not JSON."""
    if len(line) > MAX_MEMBER_BYTES:
        return EventRefused(TOO_LARGE_MEMBER)
    try:
        return parse(line)
    except RequestRefused as exc:
        return EventRefused(f"the line is not JSON: {exc.refusal.code}")


def is_lines(raw: bytes) -> bool:
    """Return whether a body is NDJSON: its first line is a whole object, and another line follows."""
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
    """Return a CloudEvent with its data as `data`, decoded from base64; an EventRefused if it is unreadable."""
    if not isinstance(member, dict) or member.get("data_base64") is None:
        return member
    try:
        return {**member, "data": parse(base64.b64decode(member["data_base64"], validate=True))}
    except (TypeError, ValueError, RequestRefused):
        return EventRefused("the CloudEvent's `data_base64` is no JSON in base64")


def strip_leading_space(raw: bytes) -> bytes:
    """Return a text of JSON without a leading byte order mark and white space."""
    return raw.removeprefix(BOM_UTF8).lstrip(b" \t\r\n")


def parse(raw: bytes, *, on_nan: Callable[[int], None] | None = None) -> Any:
    """Parse JSON; replace values that no double or UTF-8 can represent, and read the rest as usual.

    Half of a surrogate pair becomes U+FFFD. A number that no double can represent (NaN, Infinity, 1e999: pandas and
    Python's json write them) becomes the text "NaN". So a single such price does not cost a whole batch, and a flag or
    consent does not count as missing, as with null. `on_nan` is called with the number of such values; by default they
    are logged. Raises RequestRefused if the text is not JSON.
    """
    raw = _without_nul(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_leniently(raw, on_nan or _log_numbers)


def _without_nul(raw: bytes) -> bytes:
    """Return JSON with U+FFFD for each U+0000, which stores truncate or refuse."""
    if b"\\" in raw and _NUL in raw:  # a search for a single byte takes a tenth of the time, and rarely finds it
        return _ESCAPED.sub(lambda found: _FFFD if found[0] == _NUL else found[0], raw)
    return raw


def _log_numbers(count: int) -> None:
    """Log how many numbers of a body were read as text, because no double can represent them."""
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
    """Parse the JSON that orjson refuses: lone surrogates, a byte order mark, numbers that no double can represent."""
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
    except orjson.JSONDecodeError:  # it is JSON, so the nesting is the fault
        raise RequestRefused(TOO_DEEP) from None


def _load(text: str) -> tuple[Any, int]:
    """Parse JSON with Python's own parser, with "NaN" for numbers that no double can represent.

    Also return the count of such numbers.
    """
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
    """Return whether any value has more levels of objects and arrays than `max_depth`; searches level by level."""
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
    """Return an upper bound for the nesting of JSON: the number of `{` and `[`, including those in texts.

    For a large body the count is not worth its time: its length is returned.
    """
    # `replace` jumps between matches; `count` examines each byte, and takes four times as long.
    return len(raw) - len(raw.replace(b"{", b"").replace(b"[", b"")) if len(raw) <= LARGE_BYTES else len(raw)


#: The part of an array that is parsed at once, in bytes.
SLICE_BYTES: Final = 65_536
#: Maximum size of a member of an array, or of a single event; Segment's limit is 32 kB.
MAX_MEMBER_BYTES: Final = 262_144
#: Maximum number of brackets in the search for the end of a value; an event has about a hundred.
MAX_BRACKETS: Final = 20_000
#: The same for an object that may be a batch: brackets outside of skipped values.
_MAX_BRACKETS_OF_A_BATCH = 50_000
#: Values up to this nesting are skipped at once, without a step for each bracket: the products of an order. Each level
#: lets a hostile batch cause another pass over its bytes (2.5 MB: 30 ms).
_LEAP_LEVELS = 3
#: Maximum number of members of an object at the top; a batch has five.
_MAX_NAMES = 1_000
#: The number of members that are parsed at once.
_MEMBERS_A_SLICE = 1_000

_FLAT = rb'[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"'


def _bracket_behind(levels: int) -> re.Pattern[bytes]:
    """Return a pattern for the next bracket after values with at most this nesting."""
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

    #: The members that identify a batch or an event; of a batch, all members.
    top: dict[str, Any]
    #: The array `batch`; `None` if the object has none.
    batch: bytes | None


class _Top(Struct):
    """The members that are read from a large object; all others are skipped without being created."""

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
    """Return the end of the JSON value that starts at `at`. Only brackets are counted; the value is not validated.

    Raises RequestRefused if the value does not end, or has more than `max_brackets` brackets.
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
    """Return the position of the next byte that is not white space."""
    found = _BLANKS.match(raw, at)
    return found.end() if found else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The maximum size of a member of an array."""

    max_bytes: int
    #: For a member in an array that msgspec cannot read.
    max_brackets: int
    #: msgspec needs 64 bytes for each member. An array with more commas is split at its brackets, slice by slice.
    max_commas: int


#: The limits of requests.
OF_STRANGERS: Final = Bounds(max_bytes=MAX_MEMBER_BYTES, max_brackets=MAX_BRACKETS, max_commas=500_000)
#: The limits of files that the operator selects.
OF_FILES: Final = Bounds(max_bytes=sys.maxsize, max_brackets=sys.maxsize, max_commas=sys.maxsize)


def array_slices(raw: bytes, on_nan: Callable[[int], None], bounds: Bounds) -> Iterator[list[Any]]:
    """Yield the members of an array, parsed slice by slice; a member that is too large becomes an EventRefused.

    `on_nan`: see `parse`. Raises RequestRefused if the array is not JSON.
    """
    if raw.count(b",") > bounds.max_commas:
        return _lenient_slices(raw, on_nan, bounds)
    try:
        texts = _ARRAY.decode(raw)
    except (DecodeError, RecursionError):  # `parse` reads NaN and lone surrogates, msgspec does not
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
    """Yield `array_slices` of an array that only `parse` can read: find the end of each member by its brackets."""
    at, end = _inside(raw)
    is_first = True
    while end - at > SLICE_BYTES:
        members, at = _cut_off(raw, at, end, on_nan, bounds)
        yield members
        is_first = False
    members = _parsed(raw[at:end], on_nan) if at <= end else []
    if not members and not is_first and at <= end:
        raise RequestRefused(BROKEN_JSON)  # a trailing comma
    yield members


def _inside(raw: bytes) -> tuple[int, int]:
    """Return the position after an array's `[`, and that of its `]`."""
    end = len(raw.rstrip(b" \t\r\n")) - 1
    if raw[end : end + 1] != b"]":
        raise RequestRefused(BROKEN_JSON)
    return skip_space(raw, 0) + 1, end


def _cut_off(raw: bytes, at: int, end: int, on_nan: Callable[[int], None], bounds: Bounds) -> tuple[list[Any], int]:
    """Split off members one by one and parse them; return them, and the start of the next (`end` + 1: none)."""
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
    """Find the identifying members of a large object, and its array `batch`.

    Raises RequestRefused if the bytes are not JSON, there are too many members, or a member of a batch is too large:
    members that apply to all events, such as consent, are never skipped.
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
    """Find the members of a `large_object` that no parser can read as a whole, for example because of NaN."""
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
    """Refuse a batch with members that are too large to be read. Raises RequestRefused, which lists them."""
    if batch is not None and names:
        named = " and ".join(f"`{name}`" for name in sorted(names))
        message = f"In {named}, which apply to all events, the batch has more than {MAX_MEMBER_BYTES} bytes."
        raise RequestRefused(replace(TOO_LARGE, message=message, closes=False))
