"""Bounds of size and time while a body arrives in pieces."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request

from app.source.body import receive
from app.source.responses import TOO_LARGE, TOO_SLOW, Refusal, RequestRefused
from tests.source.door import limits


class Wire:
    """Hands out the pieces of a body; after the last one it waits for ever, as a slow client makes us wait."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self._messages = self._all(pieces, ends)
        self.read_bytes = 0

    async def _all(self, pieces: tuple[bytes, ...], ends: bool) -> AsyncIterator[dict[str, Any]]:  # noqa: FBT001 - private
        for piece in pieces:
            self.read_bytes += len(piece)
            yield {"type": "http.request", "body": piece, "more_body": True}
        if not ends:
            await asyncio.Event().wait()
        yield {"type": "http.request", "body": b"", "more_body": False}

    async def __call__(self) -> dict[str, Any]:
        return await anext(self._messages)

    def request(self) -> Request:
        return Request({"type": "http", "method": "POST", "headers": []}, self)


async def refusal_of(request: Request, **bounds: Any) -> Refusal:
    with pytest.raises(RequestRefused) as caught:
        await receive(request, limits(**bounds))
    return caught.value.refusal


async def test_pieces_become_one_body() -> None:
    assert await receive(Wire(b"[1,", b"", b"2]").request(), limits(max_body_bytes=5)) == b"[1,2]"


async def test_a_body_in_one_piece_is_held_to_the_bound_too() -> None:
    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": b"123456", "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": []}, whole)

    assert await receive(request, limits(max_body_bytes=6)) == b"123456"
    assert await refusal_of(request, max_body_bytes=5) is TOO_LARGE


async def test_a_body_that_grows_beyond_the_bound_is_refused_whatever_length_it_declares() -> None:
    assert await refusal_of(Wire(b"123", b"456").request(), max_body_bytes=5) is TOO_LARGE


@pytest.mark.parametrize(("pieces", "read_bytes"), [(4, 20), (1_000, 25)], ids=["a little", "far"])
async def test_a_body_too_large_is_read_so_far_that_its_sender_sees_the_answer(pieces: int, read_bytes: int) -> None:
    wire = Wire(*[b"12345"] * pieces)

    assert await refusal_of(wire.request(), max_body_bytes=5) is TOO_LARGE
    assert wire.read_bytes == read_bytes


async def test_a_slow_client_is_cut() -> None:
    assert await refusal_of(Wire(b"[", ends=False).request(), request_timeout_s=0.01) is TOO_SLOW


async def test_a_client_that_goes_away_in_the_middle_is_no_failure_of_ours() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "headers": []}, gone)

    assert await refusal_of(request) is TOO_SLOW
