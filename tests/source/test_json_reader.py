"""JSON as senders write it."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.source.json_reader import max_levels, nested_deeper, parse
from app.source.responses import BROKEN_JSON, TOO_DEEP, RequestRefused
from tests.rows import every_row


@every_row(
    ("raw", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'"\ud83d\ude00"', "\N{GRINNING FACE}"),
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'{"\udc00": ["\ud83d", "\ud83d\ude00"]}', {"\ufffd": ["\ufffd", "\N{GRINNING FACE}"]}),
        (rb'["\ud800", 123456789012345678901234567890]', ["\ufffd", 1.2345678901234568e29]),
        (b"[NaN, 18446744073709551615, -9223372036854775808]", ["NaN", 2**64 - 1, -(2**63)]),
        (b"[NaN, 18446744073709551616, -9223372036854775809]", ["NaN", 2.0**64, -(2.0**63)]),
        (
            rb'["\ud800", 9999999999999999999, -999999999999999999]',
            ["\ufffd", 9999999999999999999, -999999999999999999],
        ),
        # U+0000, which stores keep in part, cut a text at or refuse
        (rb'["a\u0000", "\u0000\u0000", "\\u0000", "\\\u0000"]', ["a\ufffd", "\ufffd\ufffd", r"\u0000", "\\\ufffd"]),
        (rb'{"\u0000": ["\ud83d\u0000", NaN]}', {"\ufffd": ["\ufffd\ufffd", "NaN"]}),
        (b"NaN", "NaN"),
        (b'{"a": [NaN, -Infinity, 1]}', {"a": ["NaN", "NaN", 1]}),
        (b"[Infinity, 1.50, -2e3]", ["NaN", 1.5, -2000.0]),
        (b"[1e999, -1E+999, 1e-999]", ["NaN", "NaN", 0.0]),
        (b"[" + b"9" * 400 + b", -" + b"9" * 5_000 + b"]", ["NaN", "NaN"]),
        (b'["NaN", {"Infinity": "1e999"}]', ["NaN", {"Infinity": "1e999"}]),
    ],
)
def test_json_is_read(raw: bytes, value: Any) -> None:
    assert repr(parse(raw)) == repr(value)  # 1 is not 1.0


@given(st.integers(-(2**70), 2**70))
def test_a_number_that_is_none_changes_no_integer_beside_it(number: int) -> None:
    assert repr(parse(b"[NaN, %d]" % number)) == repr(["NaN", orjson.loads(str(number))])


@every_row(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"nan",
        b"[+Infinity]",
        b"[1e999",
        b"[01, NaN]",
        b'"\xff"',
        b"\xff\xfe{}",
        b"a=b",
        b"9" * 5_000 + b"x",
    ],
)
def test_what_is_not_json_is_broken(raw: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse(raw)

    assert caught.value.refusal is BROKEN_JSON


def test_json_deeper_than_any_parser_goes_is_too_deep() -> None:
    with pytest.raises(RequestRefused) as caught:
        parse(b"[" * 100_000 + b"]" * 100_000)

    assert caught.value.refusal is TOO_DEEP


@settings(deadline=None)  # a busy machine is no fault
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_what_is_written_is_read(value: Any) -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(value).encode()) == without_nul(value)


def without_nul(value: Any) -> Any:
    """What is read of a value."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    return list(map(without_nul, value)) if isinstance(value, list) else orjson.loads(json.dumps(value))


def test_the_log_says_how_many_numbers_were_none_and_nothing_else_of_them() -> None:
    with capture_logs() as logs:
        parse(b'[NaN, {"secret": 1e999}]')

    assert logs == [{"event": "NaN read as text", "count": 2, "log_level": "warning"}]


_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_json_that_only_python_reads_and_that_is_too_deep_for_the_rest_is_too_deep() -> None:
    with pytest.raises(RequestRefused) as caught:
        parse(b"[NaN," * 2_000 + b"[" * 2_000 + b"]" * 4_000)

    assert caught.value.refusal is TOO_DEEP


@settings(deadline=None)
@given(_JSON, st.integers(1, 8))
def test_nothing_is_deeper_than_its_brackets_allow(value: Any, max_depth: int) -> None:
    if nested_deeper([value], max_depth):
        assert max_levels(orjson.dumps(value)) > max_depth


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.recursive(
        st.none() | st.text(max_size=2),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner, max_size=3),
    ),
    st.integers(1, 6),
)
def test_depth_counts_levels_of_objects_and_arrays(value: Any, max_depth: int) -> None:
    assert nested_deeper([value], max_depth) is (depth(value) > max_depth)
