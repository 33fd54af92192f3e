"""Reads the body of one request, within its bounds of size and time."""

import asyncio

from fastapi import Request

from app.source.body import Limits
from app.source.refusal import TOO_LARGE, TOO_SLOW, RequestRefused

#: So much of an oversized body is still read and thrown away: a sender that is cut off in the middle of its body
#: does not see the 413 and sends the same again for hours.
_READ_OUT = 4


async def receive(request: Request, limits: Limits) -> bytes:
    """Return the body as sent.

    Raises RequestRefused where it is too large, or does not arrive whole in time.
    """
    # Most bodies are whole by then; one that never begins, app/server/bounded_connection.py cuts.
    body, more = await _piece(request)
    if more:
        try:
            async with asyncio.timeout(limits.request_timeout_s):
                return await _collect(body, request, limits.max_body_bytes)
        except TimeoutError:
            raise RequestRefused(TOO_SLOW) from None
    if len(body) > limits.max_body_bytes:
        raise RequestRefused(TOO_LARGE)
    return body


async def _collect(piece: bytes, request: Request, max_bytes: int) -> bytes:
    """Read the rest, and return all of it; of a body that is too large only the beginning is kept."""
    pieces = [piece]
    size_bytes = len(piece)
    more = True
    while more and size_bytes <= _READ_OUT * max_bytes:
        piece, more = await _piece(request)
        size_bytes += len(piece)
        if size_bytes <= max_bytes:
            pieces.append(piece)
    if size_bytes > max_bytes:
        raise RequestRefused(TOO_LARGE)
    return b"".join(pieces)


async def _piece(request: Request) -> tuple[bytes, bool]:
    """Return what has arrived, and whether there is more. Raises RequestRefused where the client has gone."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise RequestRefused(TOO_SLOW)
    return message.get("body", b""), message.get("more_body", False)
