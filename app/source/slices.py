"""Large JSON, taken apart by looking for its brackets: nothing is built of it but one slice of members at a time."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from app.errors import EventRefused
from app.source.parse_json import MAX_LEVELS, ShallowMembers, parse, parse_shallow
from app.source.refusal import BROKEN_JSON, TOO_DEEP, TOO_LARGE, RequestRefused

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
#: Members that are cut off one by one at once.
_MEMBERS_A_SLICE = 1_000
#: So many places that look like the end of a member are tried.
_GUESSES = 3
#: So many bytes tell how members begin: `{"type":` or the like.
_BEGINNING_BYTES = 8

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


def after_blanks(raw: bytes, at: int) -> int:
    """Return where the next byte stands that is no white space of JSON."""
    found = _BLANKS.match(raw, at)
    return found.end() if found else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large a member of an array may be."""

    max_bytes: int
    max_brackets: int


#: Of what strangers send.
OF_STRANGERS: Final = Bounds(max_bytes=MAX_MEMBER_BYTES, max_brackets=MAX_BRACKETS)
#: Of files that the operator names.
OF_FILES: Final = Bounds(max_bytes=sys.maxsize, max_brackets=sys.maxsize)


def array_slices(raw: bytes, on_nan: Callable[[int], None], bounds: Bounds) -> Iterator[list[Any]]:
    """Yield the members of an array, parsed slice by slice; one that is too large stands as EventRefused.

    `on_nan`: see `parse`. Raises RequestRefused where it is not JSON.
    """
    at, end = _inside(raw)
    beginning = raw[(first := after_blanks(raw, at)) : first + _BEGINNING_BYTES]
    is_first = True
    while end - at > SLICE_BYTES:
        members, at = _guessed(raw, at, beginning) or _cut_off(raw, at, end, on_nan, bounds)
        yield members
        is_first = False
    members = parse(b"[" + raw[at:end] + b"]", on_nan=on_nan) if at <= end else []
    if not members and not is_first and at <= end:
        raise RequestRefused(BROKEN_JSON)  # it ends with a comma
    yield members


def _inside(raw: bytes) -> tuple[int, int]:
    """Return the place of the first byte behind an array's `[`, and that of its `]`."""
    end = len(raw.rstrip(b" \t\r\n")) - 1
    if raw[end : end + 1] != b"]":
        raise RequestRefused(BROKEN_JSON)
    return after_blanks(raw, 0) + 1, end


def _guessed(raw: bytes, at: int, beginning: bytes) -> tuple[ShallowMembers, int] | None:
    """Return a slice of members and where the next one begins: where bytes stand like those that the first began with.

    The guess is right if what stands before them, up to the comma, is JSON. None where no guess is.
    """
    upto = at + SLICE_BYTES
    for _ in range(_GUESSES):
        upto = raw.rfind(beginning, at + 1, upto)
        if upto < 0:
            return None
        text = raw[at:upto].rstrip(b" \t\r\n")
        if text.endswith(b","):
            members = parse_shallow(text[:-1])
            if members is None:
                continue
            return (members, upto) if members else None
    return None


def _cut_off(raw: bytes, at: int, end: int, on_nan: Callable[[int], None], bounds: Bounds) -> tuple[list[Any], int]:
    """Cut members off one by one, and parse them; return them, and where the next begins (`end` + 1: nowhere)."""
    begun = last = at
    members: list[Any] = []
    for _ in range(_MEMBERS_A_SLICE):
        first = after_blanks(raw, at)
        last = end_of_value(raw, first, max_brackets=bounds.max_brackets)
        if last - first > bounds.max_bytes:
            members += _parsed(raw, begun, at, on_nan)
            members.append(EventRefused(TOO_LARGE_MEMBER))
            begun = after_blanks(raw, last) + 1
        at = after_blanks(raw, last)
        if at == end:
            at = end + 1
            break
        if raw[at : at + 1] != b",":
            raise RequestRefused(BROKEN_JSON)
        at += 1
        if at - begun > SLICE_BYTES:
            break
    return members + _parsed(raw, begun, at, on_nan), at


def _parsed(raw: bytes, begun: int, after_comma: int, on_nan: Callable[[int], None]) -> list[Any]:
    """Parse the members before a comma."""
    parsed: list[Any] = parse(b"[" + raw[begun : after_comma - 1] + b"]", on_nan=on_nan)
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
    at, batch, pieces, excess = after_blanks(raw, 0) + 1, None, [], set()
    for _ in range(_MAX_NAMES):
        name = _TEXT.match(raw, at := after_blanks(raw, at))
        if name is None or raw[(colon := after_blanks(raw, name.end())) : colon + 1] != b":":
            raise RequestRefused(BROKEN_JSON)
        first = after_blanks(raw, colon + 1)
        last = end_of_value(raw, first, max_brackets=_MAX_BRACKETS_OF_A_BATCH, bracket=_BRACKET_OF_A_BATCH)
        known = parse(name[0])
        if known == "batch" and raw[first : first + 1] == b"[":
            batch = raw[first:last]
        elif last - first <= (MAX_MEMBER_BYTES if known in _OF_TOP else SLICE_BYTES):
            pieces.append(raw[at:last])
        elif known in _OF_TOP:
            excess.add(known)
        at = after_blanks(raw, last) + 1
        if raw[at - 1 : at] == b"}" and after_blanks(raw, at) == len(raw):
            _refuse_excess(batch, excess)
            return LargeObject(parse(b"{" + b",".join(pieces) + b"}"), batch)
        if raw[at - 1 : at] != b",":
            raise RequestRefused(BROKEN_JSON)
    raise RequestRefused(TOO_LARGE)


def _refuse_excess(batch: bytes | None, names: set[str]) -> None:
    """Refuse a batch with members that are too large to be read. Raises RequestRefused, which names them."""
    if batch is not None and names:
        named = " and ".join(f"`{name}`" for name in sorted(names))
        message = f"What the batch says of all its events in {named} is larger than {MAX_MEMBER_BYTES} bytes."
        raise RequestRefused(replace(TOO_LARGE, message=message, closes=False))
