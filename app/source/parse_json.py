"""JSON as senders write it."""

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from app.core.log import logger
from app.source.refusal import BROKEN_JSON, TOO_DEEP, RequestRefused

#: Larger bodies are most often arrays of many events.
LARGE_BYTES: Final = 65_536
_CONTAINERS = frozenset({dict, list})
#: orjson refuses what is nested deeper: https://github.com/ijl/orjson#deserialize
MAX_LEVELS: Final = 1_024
#: Of what `parse_shallow` reads.
SHALLOW_LEVELS: Final = 32
#: Around the members; the last of them is their own array.
_ARRAYS_AROUND = MAX_LEVELS - SHALLOW_LEVELS
#: What orjson reads as integers; larger ones become doubles.
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
#: Longer ones are doubles for certain: Python refuses to read an integer of thousands of digits.
_MAX_INTEGER_LENGTH = 20
_NUL, _FFFD = rb"\u0000", rb"\ufffd"
_ESCAPED = re.compile(rb"\\(?:u0000|.)", re.DOTALL)


def from_first_sign(raw: bytes) -> bytes:
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
    logger().warning("numbers read as the text NaN", count=count)


def numbers_logged_once() -> Callable[[int], None]:
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


class ShallowMembers(list[Any]):
    """Members of an array of which none has more levels than SHALLOW_LEVELS."""


def parse_shallow(members: bytes) -> ShallowMembers | None:
    """Read the members of an array; None where that is not JSON, or one of them has more levels than SHALLOW_LEVELS.

    orjson refuses what has more than MAX_LEVELS levels. So the members are put into so many arrays that a member with
    more than SHALLOW_LEVELS is refused, which makes a walk through them by `nested_deeper` needless.
    """
    try:
        value = orjson.loads(b"[" * _ARRAYS_AROUND + _without_nul(members) + b"]" * _ARRAYS_AROUND)
        for _ in range(_ARRAYS_AROUND - 1):
            (value,) = value
    except ValueError:  # orjson's is one; so is that of an array which the members ended and began again
        return None
    return ShallowMembers(value)


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


def levels_at_most(raw: bytes) -> int:
    """Return a number of levels that the JSON surely does not exceed: how many `{` and `[` it has, in texts too.

    A large body has so many of them that counting does not pay: its length is returned.
    """
    # `replace` leaps from one to the next, `count` looks at each byte by itself, and needs four times as long.
    return len(raw) - len(raw.replace(b"{", b"").replace(b"[", b"")) if len(raw) <= LARGE_BYTES else len(raw)
