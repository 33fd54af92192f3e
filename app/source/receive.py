"""Reads the body of one request, within its bounds of size and time."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.source.body import Limits
from app.source.refusal import TOO_LARGE, TOO_SLOW, RequestRefused

#: So much of an oversized body is still read and thrown away: a sender that is cut off in the middle of its body
#: does not see the 413 and sends the same again for hours.
_READ_OUT = 4


async def receive(request: Request, limits: Limits) -> bytes:
    """Answer the body as sent.

    Raises RequestRefused where it is too large, or does not arrive whole in time.
    """
    try:
        async with asyncio.timeout(limits.request_timeout_s):
            return await _collect(request, limits.max_body_bytes)
    except (TimeoutError, ClientDisconnect):
        raise RequestRefused(TOO_SLOW) from None


async def _collect(request: Request, max_bytes: int) -> bytes:
    chunks = []
    size_bytes = 0
    more = True
    while more and size_bytes <= _READ_OUT * max_bytes:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size_bytes += len(chunk)
        if size_bytes <= max_bytes:
            chunks.append(chunk)
    if size_bytes > max_bytes:
        raise RequestRefused(TOO_LARGE)
    return b"".join(chunks)
