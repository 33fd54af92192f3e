"""Large JSON, taken apart slice by slice."""

import json
import time
from dataclasses import replace
from statistics import median
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import EventRefused
from app.source import json_reader
from app.source.json_reader import (
    _BRACKET_OF_A_BATCH,
    MAX_BRACKETS,
    MAX_MEMBER_BYTES,
    OF_FILES,
    OF_STRANGERS,
    SLICE_BYTES,
    Bounds,
    array_slices,
    end_of_value,
    large_object,
    parse,
)
from app.source.responses import BROKEN_JSON, TOO_DEEP, TOO_LARGE, Refusal, RequestRefused
from tests.rounds import examples
from tests.rows import every_row

_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8") | st.sampled_from('{}[]",\\')),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
#: Is larger than a slice, and begins and ends like many members.
PADDING = b'{"type":"page","name":"' + b"},{" * (SLICE_BYTES // 3) + b'"}'
LARGE = b'{"type":"page","name":"' + b"x" * MAX_MEMBER_BYTES + b'"}'


def members_of(raw: bytes, bounds: Bounds = OF_STRANGERS) -> list[Any]:
    return [member for slice_ in array_slices(raw, lambda _: None, bounds) for member in slice_]


def refusal_of(raw: bytes) -> Refusal:
    with pytest.raises(RequestRefused) as caught:
        members_of(raw)
    return caught.value.refusal


@settings(deadline=None)  # a busy machine is no fault
@given(_JSON, st.sampled_from([None, 2]), st.sampled_from(["", ",", "]", "}", " ", ":5", '"']))
def test_the_end_of_any_value_is_found_whatever_follows(value: Any, indent: int | None, behind: str) -> None:
    text = json.dumps(value, indent=indent).encode()
    if text[:1] not in b'{["':
        behind = behind.replace('"', "")

    assert end_of_value(text + behind.encode(), 0) == len(text)
    assert end_of_value(text + behind.encode(), 0, bracket=_BRACKET_OF_A_BATCH) == len(text)


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(_JSON), st.lists(_JSON), st.sampled_from([None, 2]), st.booleans())
def test_a_large_array_has_the_members_that_a_parser_finds(
    before: list[Any],
    behind: list[Any],
    indent: int | None,
    is_far: bool,  # noqa: FBT001 - a column
) -> None:
    values = [*before, *([orjson.loads(PADDING)] * (1 + 3 * is_far)), *behind]
    raw = json.dumps(values, indent=indent).encode()

    assert members_of(raw) == members_of(raw, OF_FILES) == parse(raw)


@every_row("count", [0, 1, 30_000])
@every_row("member", [b"{}", b"[]", b"1", b'"},{"', b'{"a":1}', b' {"type":"page","p":[{"type":1}]} '])
def test_arrays_of_small_members_are_read(member: bytes, count: int) -> None:
    raw = b"[" + b",".join([member] * count) + b"]"

    assert members_of(raw) == orjson.loads(raw)


@every_row(
    ("raw", "refusal"),
    [
        pytest.param(b"[%b,]", BROKEN_JSON, id="a comma too many"),
        pytest.param(b"[,%b]", BROKEN_JSON, id="a comma before it"),
        pytest.param(b"[%b,,1]", BROKEN_JSON, id="two commas"),
        pytest.param(b"[%b", BROKEN_JSON, id="cut off"),
        pytest.param(b"[%b]]", BROKEN_JSON, id="a bracket too many"),
        pytest.param(b"[%b],[1]", BROKEN_JSON, id="two arrays"),
        pytest.param(b"[%b]2]", BROKEN_JSON, id="a tail"),
        pytest.param(b"[%b 1]", BROKEN_JSON, id="no comma"),
        pytest.param(b"[NaN,:,%b]", BROKEN_JSON, id="no value"),
        pytest.param(b'[%b,"a]', BROKEN_JSON, id="a text without an end"),
        pytest.param(b'[1,"a%b]', BROKEN_JSON, id="the first of them"),
        pytest.param(b"[%b," + b"[" * 2_000 + b"]" * 2_000 + b"]", TOO_DEEP, id="too deep"),
        pytest.param(b"[1," + b"[" * 2_000 + b"]" * 2_000 + b",%b]", TOO_DEEP, id="too deep at first"),
        pytest.param(b"[NaN,[" + b"[]," * MAX_BRACKETS + b"%b]]", TOO_LARGE, id="one member of countless brackets"),
    ],
)
def test_what_is_no_array_is_refused(raw: bytes, refusal: Refusal) -> None:
    assert refusal_of(raw.replace(b"%b", PADDING)) is refusal


def read_or_refuse(raw: bytes, bounds: Bounds) -> tuple[str, int]:
    """Return the members and the count of numbers that no double holds, or the code of the refusal."""
    members, counts = [], [0]
    try:
        for slice_ in array_slices(raw, counts.append, bounds):
            members += [each.reason if isinstance(each, EventRefused) else each for each in slice_]
    except RequestRefused as refused:
        return refused.refusal.code, 0
    return repr(members), sum(counts)  # 1 is not 1.0


#: By msgspec, and by the brackets, which also read what msgspec does not.
BY_MSGSPEC = Bounds(max_bytes=300, max_brackets=500, max_commas=10_000)
BY_BRACKETS = Bounds(max_bytes=300, max_brackets=500, max_commas=-1)
_LONG = b"x" * 400
_MEMBERS = st.sampled_from(
    [
        *(b'{"type":"page","n":1}', b"1", b"[]", b"{}", b"null", b'"},{"', b'{"a":[{},{}]}', b'"%b"' % _LONG[:99]),
        *(b"NaN", b'{"n":[-Infinity,1e999]}', rb'"\ud800"', rb'"\ud83d\ude00"', rb'"\u0000"', b"9" * 25),
        *(b'{"a":"%b"}' % _LONG, b'{"x":NaN,"a":"%b"}' % _LONG, b'"\xff"', b'{"a":"\xff%b"}' % _LONG),
        *(b"01", b"-", b"tru", b"{", b"]", b"'a'", b'"a', b"", b"1 2", b'{"a" 1}', b"1],[1"),
    ]
)
_ARRAYS = st.builds(
    lambda members, separator, end, cut: (b"[" + separator.join(members) + end)[: -cut or None],
    st.lists(_MEMBERS, max_size=30),
    st.sampled_from([b",", b" , ", b",\n"]),
    st.sampled_from([b"]", b"] ", b",]", b"]]", b"", b"]1"]),
    st.sampled_from([0, 0, 0, 1, 7]),
)


@settings(deadline=None, max_examples=examples(300))  # a busy machine is no fault
@given(_ARRAYS)
def test_msgspec_and_the_brackets_find_the_same_members(raw: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "SLICE_BYTES", 64)
        expected = read_or_refuse(raw, BY_BRACKETS)
        assert read_or_refuse(raw, BY_MSGSPEC) == expected


def test_an_array_of_countless_members_is_read_slice_by_slice() -> None:
    slices = array_slices(b"[" + b"1," * 600_000 + b"1]", lambda _: None, OF_STRANGERS)
    assert next(slices) == [1] * 1_000


@every_row("bounds", [OF_STRANGERS, replace(OF_STRANGERS, max_commas=-1)], ids=["msgspec", "brackets"])
def test_a_member_that_is_too_large_is_refused_in_its_place(bounds: Bounds) -> None:
    small = b'{"type":"track"}'
    for members in ([LARGE], [small, LARGE], [LARGE, small], [small, small, LARGE, LARGE, small]):
        found = members_of(b"[" + b" , ".join(members) + b"]", bounds)

        assert [isinstance(member, EventRefused) for member in found] == [member is LARGE for member in members]
        assert all(member == orjson.loads(small) for member in found if not isinstance(member, EventRefused))
    assert members_of(b"[" + LARGE + b",1]", OF_FILES) == [orjson.loads(LARGE), 1]


@pytest.mark.slow
@every_row(
    "piece",
    [b"[],", b"[", b"{", b'{"":', b"[" * 1_000 + b"]" * 1_000 + b",", b"[" * 6 + b"]" * 6 + b",", b'"[",', b'"\\"'],
)
@every_row("ahead", [b"", b"[" * 4, b"[" * 5, b"[" * 1_000])
def test_no_batch_of_brackets_holds_the_loop_for_long(ahead: bytes, piece: bytes) -> None:
    raw = b'{"batch":[NaN,%b%b' % (ahead, piece * (2_500_000 // len(piece)))
    begun = time.thread_time()
    with pytest.raises(RequestRefused):
        large_object(raw + b"[" * 1_000 + b"]" * 1_000)

    assert time.thread_time() - begun < 0.5  # a quarter of it, on a machine of today


@pytest.mark.slow
@every_row(
    "member",
    [b"{}", b"[]", b"1", b'{"a":[{},{},{}]}', b'{"":NaN}', b"[NaN,[]]", b'{"x":1,"type":[{"x":2},{"x":NaN}]}', b" "],
)
def test_no_slice_holds_the_loop_for_long(member: bytes) -> None:
    slices = array_slices(
        b"[" + b",".join([b'{"x":"' + b"y" * 200 + b'"}', *[member] * 500_000]) + b"]", print, OF_FILES
    )
    spans_s = []
    for _ in range(8):
        begun = time.thread_time()
        try:
            next(slices)
        except (RequestRefused, StopIteration):
            break
        spans_s.append(time.thread_time() - begun)

    assert median(spans_s or [0]) < 0.1  # a tenth of it, on a machine of today


@every_row(
    ("raw", "top", "batch"),
    [
        (b'{"batch":[1,{"batch":[2]}],"writeKey":"k"}', {"writeKey": "k"}, b'[1,{"batch":[2]}]'),
        (b' {"sentAt" : "now" , "batch" : [ ] , "a":{"batch":[1]} } ', {"sentAt": "now"}, b"[ ]"),
        (b'{"batch":5,"messageId":"m"}', {"batch": 5, "messageId": "m"}, None),
        (b'{"batch":[NaN],"messageId":"m","x":{}}', {"messageId": "m", "x": {}}, b"[NaN]"),
        (b'{"properties":' + PADDING + b',"messageId":"m"}', {"messageId": "m"}, None),
    ],
)
def test_of_a_large_object_small_members_and_the_batch_are_found(
    raw: bytes, top: dict[str, Any], batch: bytes | None
) -> None:
    found = large_object(raw)

    assert found.top == top
    assert found.batch == batch


@every_row("neighbour", [b"1", b"NaN"], ids=["any parser reads it", "none does"])
@every_row(
    ("name", "known"),
    [(b"context", "context"), (b"integrations", "integrations"), (b"conte\\u0078t", "context"), (b"type", "type")],
)
@every_row("size", [SLICE_BYTES, SLICE_BYTES + 1, MAX_MEMBER_BYTES, MAX_MEMBER_BYTES + 1])
def test_what_a_batch_says_of_all_is_read_or_refused_by_name_and_never_passed_over(
    size: int, name: bytes, known: str, neighbour: bytes
) -> None:
    text = b'"' + b"x" * (size - 2) + b'"'
    raw = b'{"batch":[%b],"%b":%b}' % (neighbour, name, text)
    if size <= MAX_MEMBER_BYTES:
        assert large_object(raw).top == {known: "x" * (size - 2)}
        return
    with pytest.raises(RequestRefused) as caught:
        large_object(raw)

    assert (caught.value.refusal.status, caught.value.refusal.code) == (TOO_LARGE.status, TOO_LARGE.code)
    assert f"`{known}`" in caught.value.refusal.message
    assert large_object(raw.replace(b'"batch"', b'"other"')).batch is None  # an event alone is refused for its size


@every_row(
    ("raw", "refusal"),
    [
        (b'{"a":1', BROKEN_JSON),
        (b'{"a" 1}', BROKEN_JSON),
        (b'{"a":1,}', BROKEN_JSON),
        (b'{"a":1 "b":2}', BROKEN_JSON),
        (b"{1:1}", BROKEN_JSON),
        (b'{"a":[}', BROKEN_JSON),
        (b'{"a":1}}', BROKEN_JSON),
        (b'{"batch":[{},null]}],"a":1}', BROKEN_JSON),
        (b"{" + b'"a":NaN,' * 1_001 + b'"b":1}', TOO_LARGE),
        (b'{"a":[NaN,' + b"[[[[[[]]]]]]," * 50_000 + b"1]}", TOO_LARGE),
    ],
)
def test_a_large_object_that_is_none_is_refused(raw: bytes, refusal: Refusal) -> None:
    with pytest.raises(RequestRefused) as caught:
        large_object(raw)

    assert caught.value.refusal is refusal


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.booleans(), st.text(min_size=1).filter(lambda behind: behind.strip(" \t\r\n")), st.sampled_from(["", " ", "\n"])
)
def test_nothing_but_white_space_may_stand_behind_a_large_object(is_json: bool, behind: str, blanks: str) -> None:  # noqa: FBT001 - drawn
    raw = b'{"batch":[%s],"writeKey":"k"}' % (b"1" if is_json else b"NaN")
    assert large_object(raw + blanks.encode()).top == {"writeKey": "k"}

    with pytest.raises(RequestRefused) as caught:
        large_object(raw + (blanks + behind).encode())
    assert caught.value.refusal is BROKEN_JSON


@every_row("raw", [b"", b"[1", b'{"a":"]}', b'"a', b'"a\\"', b":", b"]"])
def test_a_value_that_does_not_end_is_broken(raw: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        end_of_value(raw, 0)

    assert caught.value.refusal is BROKEN_JSON


def test_of_a_large_object_without_an_array_only_small_members_are_found_though_no_parser_reads_it() -> None:
    found = large_object(b'{"x":NaN,"properties":' + PADDING + b',"messageId":"m"}')

    assert (found.top["messageId"], found.batch, "properties" in found.top) == ("m", None, False)
