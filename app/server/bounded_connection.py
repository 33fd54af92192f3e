"""One client's connection, with bounds on what is no request yet.

uvicorn bounds how long a connection may idle between two requests. It waits for ever, though, for a request whose
bytes come one by one, and keeps headers of any size: a few slow clients would hold all connections there are.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.source import TOO_SLOW, refusal_json

#: Of one request's line and headers; what one read of the socket brings beyond it (256 kB at most) is let pass.
MAX_HEAD_BYTES = 65_536
#: So much is written at once, and the sender told where the client does not keep up.
MAX_GATHERED_BYTES = 65_536

#: The body is as `app.source` writes it.
_TOO_SLOW_BODY = refusal_json(TOO_SLOW.code, TOO_SLOW.message)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_TOO_SLOW_BODY), _TOO_SLOW_BODY)
)
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GatheredWrites:
    """A transport that hands on what is written in one turn of the event loop at its end, in one call of the system.

    uvicorn writes the head of an answer, then its body: two calls, and two packets, where one does.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def __getattr__(self, name: str) -> Any:
        """Return what the transport itself has of that name."""
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        """Write at the end of the turn; at once where much has come together."""
        if not self._pieces:
            self._loop.call_soon(self._hand_on)
        self._pieces.append(piece)
        self._size_bytes += len(piece)
        if self._size_bytes > MAX_GATHERED_BYTES:
            self._hand_on()

    def close(self) -> None:
        """Close when all is written."""
        self._hand_on()
        self._transport.close()

    def _hand_on(self) -> None:
        if self._pieces and not self._transport.is_closing():
            self._transport.write(b"".join(self._pieces))
        self._pieces = []
        self._size_bytes = 0


class BoundedConnection(HttpToolsProtocol):
    """Closes where a request is not whole, headers and body, in time; how long it takes to answer is not its matter.

    The time begins with the connection, and with the first byte after each answer.
    """

    def __init__(self, *arguments: Any, timeout_s: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timeout_s = timeout_s
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        #: The last bytes brought a request to its end.
        self._is_whole = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the time that the first request has."""
        super().connection_made(GatheredWrites(transport, self.loop))  # type: ignore[arg-type] # all that is asked of one
        self._keep_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline of the request that was awaited."""
        super().connection_lost(exc)
        self._cancel_deadline()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes, and see whether they make a request whole."""
        if self._in_head:
            self._head_bytes += len(data)
        self._is_whole = False
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        if self._is_whole:
            self._cancel_deadline()
        else:
            self._keep_watch()

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        super().on_message_begin()
        self._is_whole = False
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Note that only the body may be missing."""
        self._in_head = False
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count what comes as headers, until it proves to be a chunk: behind the last chunk there may be trailers."""
        self._in_head = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Note that what came last is a part of the body, not a trailer."""
        self._in_head = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._in_head = False
        self._is_whole = True
        super().on_message_complete()

    def _keep_watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._timeout_s, self._cut)

    def _cut(self) -> None:
        """Say why, where a request has begun; a client that said nothing is told nothing."""
        if self._in_head or (self.cycle is not None and not self.cycle.response_complete):
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, answer: bytes) -> None:
        """Answer the HTTP request that is not whole, unless it, or one before it, is being answered; close."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
            self.transport.write(answer)
        self.transport.close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
