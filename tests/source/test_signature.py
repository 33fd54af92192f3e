"""Segment's signatures, by its own vectors (secret `abc123`)."""

import gzip
import hmac
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.source.body import is_small
from app.source.responses import BROKEN_JSON, RequestRefused
from app.source.signatures import is_signed
from tests.rows import every_row

E1 = '{"type":"track","event":"Order Completed","messageId":"m-1","properties":{"revenue":22.5,"name":"Café"}}'.encode()
E2 = b'{"type":"track","event":"Product Added","messageId":"m-2","properties":{"price":19}}'
BATCH = b"[" + E1 + b"," + E2 + b"]"
#: Of E1 alone, which today is that of the batch as well.
FIRST = "0468559edc9ed4f4aaf1035a830f3aa3a19ae655"
#: Of the whole batch, if Segment's pull request 3989 comes.
WHOLE = "0b7df2e5f1a4538503fcd1a5afe4679f114c7299"
SECRET = b"abc123"
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@every_row(
    ("raw", "signature"),
    [
        pytest.param(E1, FIRST, id="a single event"),
        pytest.param(BATCH, FIRST, id="a batch by its first element"),
        pytest.param(BATCH, WHOLE, id="a batch as a whole"),
        pytest.param(b" [\r\n\t" + E1 + b" , 1]", FIRST, id="a batch with white space"),
        pytest.param(b"[" + E1 + b"]", FIRST, id="a batch of one"),
        pytest.param(b'[{"json":' + E1 + b'},{"json":' + E2 + b"}]", FIRST, id="an Extensible Webhook's batch"),
        pytest.param(b'[ { "json" : ' + E1 + b" } ]", FIRST, id="the same with white space"),
        pytest.param(E1, FIRST.upper(), id="in upper case"),
        pytest.param(E1, f" {FIRST} ", id="with white space around it"),
    ],
)
async def test_signatures_that_are_right(raw: bytes, signature: str) -> None:
    assert await is_signed(raw, len(raw), signature, [SECRET])
    assert await is_signed(raw, len(raw), signature, [b"the next one", SECRET])
    assert not await is_signed(raw, len(raw), signature, [b"the next one"])


@every_row(
    ("raw", "signature"),
    [
        pytest.param(E2, FIRST, id="another event"),
        pytest.param(b"[" + E2 + b"," + E1 + b"]", FIRST, id="the signed element is not the first"),
        pytest.param(b'[{"x":1,"json":' + E1 + b"}]", FIRST, id="something beside json"),
        pytest.param(b'{"json":' + E1 + b"}", FIRST, id="wrapped without an array"),
        pytest.param(E1.replace(b":", b": "), FIRST, id="written anew"),
        pytest.param(BATCH, WHOLE[:-1], id="cut off"),
        pytest.param(E1, "", id="empty"),
        pytest.param(E1, None, id="missing"),
        pytest.param(E1, "é" * 40, id="not ASCII"),
        pytest.param(b"[", FIRST, id="broken JSON"),
        pytest.param(b"[\xff", FIRST, id="not UTF-8"),
        pytest.param(b"[" * 100_000, FIRST, id="endlessly deep"),
    ],
)
async def test_signatures_that_are_wrong(raw: bytes, signature: str | None) -> None:
    assert not await is_signed(raw, len(raw), signature, [SECRET])


async def test_without_a_secret_nothing_is_signed() -> None:
    assert not await is_signed(E1, len(E1), FIRST, [])


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary().filter(lambda raw: is_small(raw, len(raw))), st.binary(min_size=1))
async def test_any_bytes_that_are_not_packed_are_signed_as_a_whole(raw: bytes, secret: bytes) -> None:
    assert await is_signed(raw, len(raw), hmac.new(secret, raw, "sha1").hexdigest(), [secret])


async def test_what_begins_as_gzip_and_is_none_is_refused_though_it_is_signed() -> None:
    raw = b"\x1f\x8b"  # no JSON begins so
    with pytest.raises(RequestRefused) as caught:
        await is_signed(raw, len(raw), hmac.new(SECRET, raw, "sha1").hexdigest(), [SECRET])

    assert caught.value.refusal is BROKEN_JSON


@pytest.mark.parametrize("signature", [FIRST, WHOLE])
async def test_a_packed_batch_is_judged_by_what_is_inside(signature: str) -> None:
    assert await is_signed(gzip.compress(BATCH), len(BATCH), signature, [SECRET])
    assert not await is_signed(gzip.compress(BATCH), len(BATCH), signature, [b"another"])


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"[]," * 5_000_000, b'"' + b"x" * 15_000_000, b"{" * 15_000_000])
async def test_a_wrong_proof_keeps_no_more_of_a_body_than_one_event_may_have(filling: bytes) -> None:
    raw = gzip.compress(b"[" + filling)
    size = 1 + len(filling)
    tracemalloc.start()
    try:
        assert not await is_signed(raw, size, FIRST, [SECRET])
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most_bytes < 2_000_000


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(_VALUES, min_size=1))
async def test_the_first_element_of_any_array_is_found(values: list[Any]) -> None:
    texts = [json.dumps(value, ensure_ascii=False).encode() for value in values]
    raw = b"[" + b",".join(texts) + b"]"

    assert await is_signed(raw, len(raw), hmac.new(SECRET, texts[0], "sha1").hexdigest(), [SECRET])
