"""A client's connection, with limits for incomplete requests and for unread responses.

And all connections of the process: the limit of each address, and the choice of a connection to close.

uvicorn limits the idle time between two requests. But it waits forever for a request whose bytes arrive one by one, and
for a client that reads no response, and it stores headers of any size and all requests in a read of the socket. So a
few clients could use up all connections and all memory.
"""

import asyncio
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.log import logger
from app.core.values.addresses import Network, is_trusted, one_household, public_address
from app.source.responses import TOO_SLOW, refusal_json

#: Descriptors that are reserved for the store, for calls to Pinterest and for files: this number, or half of all.
_RESERVED = 128
_LOGGED_EACH_S = 60


class Connection(Protocol):
    """A connection that can be aborted."""

    def abort(self) -> None:
        """Close without sending the rest."""


class Connections:
    """The open connections, the longest idle first.

    If there is no room for another connection, the one without progress for the longest time is closed: so a new
    client, such as a health check, gets a response even if many connections are held open.
    """

    def __init__(
        self,
        *,
        per_address: int,
        capacity: int,
        trusted: tuple[Network, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_address = per_address
        self._capacity = capacity
        self._trusted = trusted
        self._clock = clock
        #: In the order of their last progress.
        self._open: dict[Connection, str | None] = {}
        self._of_address: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._logged_at = -float(_LOGGED_EACH_S)

    def admit(self, connection: Connection, peer: str | None) -> bool:
        """Accept a new connection, in place of another one if all are in use.

        Return False if its address has too many connections.
        """
        address = counted_address(peer, self._trusted)
        if address is not None:
            if self._of_address[address] >= self._per_address:
                self._log("its address has the maximum of open connections: name a proxy in TRUSTED_PROXIES")
                return False
            self._of_address[address] += 1
        if len(self._open) >= self._capacity:
            stalest = next(iter(self._open))
            self.remove(stalest)
            stalest.abort()
            self._log("no descriptors are left for it: raise the limit of open files (ulimit -n, LimitNOFILE)")
        self._open[connection] = address
        return True

    def touch(self, connection: Connection) -> None:
        """Record progress of a connection."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a closed connection; an unknown one is ignored."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _log(self, why: str) -> None:
        """Count a closed connection, and log the counts once a minute at most; addresses are personal data."""
        self._closed[why] += 1
        if self._clock() - self._logged_at >= _LOGGED_EACH_S:
            self._logged_at = self._clock()
            for reason, connections in self._closed.items():
                logger().warning("connections closed", why=reason, connections=connections)
            self._closed.clear()


def counted_address(peer: str | None, trusted: tuple[Network, ...]) -> str | None:
    """Return the key by which a client's connections are counted.

    `None` for loopback, private networks and trusted proxies.

    >>> counted_address("203.0.113.9", ()), counted_address("2001:db8::1:2", ()), counted_address("10.0.0.7", ())
    ('203.0.113.9', '2001:db8::/64', None)
    """
    public = public_address(peer)[0] if peer else None
    if public is None or is_trusted(public, trusted):
        return None
    return one_household(public)


def connection_capacity() -> int:
    """Return the number of connections for which this process has descriptors."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return sys.maxsize
    return descriptors - min(_RESERVED, descriptors // 2)


#: Maximum size of a request's line and headers; a read of the socket may exceed it by at most 256 kB.
MAX_HEAD_BYTES = 65_536
#: Maximum number of pipelined requests on a connection; more are not read before a response is sent.
MAX_UNANSWERED = 16
#: The system's send buffer of a connection; a client's progress is measured in steps of this size.
_MAX_UNSENT_IN_SYSTEM_BYTES = 16_384
#: Each request has this after its headers; a body with the same bytes only raises the count.
_HEAD_END = b"\r\n\r\n"

#: The body in the format of `app.source`.
_TOO_SLOW_BODY = refusal_json(TOO_SLOW.code, TOO_SLOW.message)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_TOO_SLOW_BODY), _TOO_SLOW_BODY)
)
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Flow(FlowControl):
    """Pauses reading while read requests wait for their parser."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class BoundedConnection(HttpToolsProtocol):
    """Closes if a request does not arrive completely, headers and body, in time.

    The duration of the response is not limited. The time starts with the connection, and with the first byte after each
    response.

    Requests are handled one at a time, each after the client has read the previous response, so at most one response is
    unsent. Closes if the client reads none of it for `stalled_s`.
    """

    def __init__(
        self, *arguments: Any, timeout_s: float, stalled_s: float, open_connections: Connections, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._timeout_s = timeout_s
        self._stalled_s = stalled_s
        self._open_connections = open_connections
        self.flow: _Flow
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unanswered = 0
        #: Bytes beyond MAX_UNANSWERED requests.
        self._held = b""
        self._in_head = False
        self._head_bytes = 0
        #: The start of the idle time; `None` during a request.
        self._idle_since: float | None = None
        #: The last bytes completed a request.
        self._is_whole = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the time-out of the first request; abort if the client's address has too many connections."""
        transport.set_write_buffer_limits(high=0)  # `pause_writing` as soon as the client is too slow
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT_IN_SYSTEM_BYTES
        )
        super().connection_made(transport)
        self.flow = _Flow(self.transport)
        if self._open_connections.admit(self, self.client[0] if self.client else None):
            self._keep_watch()
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time-outs of the pending request and of the response."""
        super().connection_lost(exc)
        self._open_connections.remove(self)
        self._held = b""
        self._cancel_deadline()
        self._cancel_stall()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def abort(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Process the next bytes, up to the limit of pipelined requests."""
        if self._held or self._unanswered + data.count(_HEAD_END) >= MAX_UNANSWERED:
            self._held += data
            self._take_held()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Parse bytes, which may complete a request."""
        if self._in_head:
            self._head_bytes += len(data)
        self._is_whole = False
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        if self._is_whole:
            self._open_connections.touch(self)
            self._cancel_deadline()
        else:
            self._keep_watch()

    def _take_held(self) -> None:
        """Process stored bytes so that at most MAX_UNANSWERED requests wait.

        The earlier bytes may contain the first part of a _HEAD_END, so a piece may complete one more head than the
        number of _HEAD_END in the piece.
        """
        while self._held and not self.transport.is_closing() and (room := MAX_UNANSWERED - 1 - self._unanswered) > 0:
            end = _behind(_HEAD_END, self._held, room)
            piece, self._held = self._held[:end], self._held[end:]
            self._take(piece)
        self.flow.is_held = bool(self._held)
        if self._held:
            self.flow.pause_reading()
            self._cancel_deadline()

    def on_response_complete(self) -> None:
        """Start the next response, or the idle time; there is room for another request."""
        self._unanswered -= 1
        if self._held:
            self._take_held()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch_idle(self.timeout_keep_alive)

    def _watch_idle(self, seconds: float) -> None:
        """Check after some seconds whether the connection is idle: a single timer serves many requests."""
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close if the connection was idle the whole time; otherwise check again."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._watch_idle(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def pause_writing(self) -> None:
        """Start the time-out of a slow client."""
        super().pause_writing()
        self._watch_unsent()

    def resume_writing(self) -> None:
        """Record that the client has read everything."""
        super().resume_writing()
        self._cancel_stall()
        self._open_connections.touch(self)

    def on_message_begin(self) -> None:
        """Record the first byte of a request."""
        super().on_message_begin()
        self._is_whole = False
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Record that at most the body is missing."""
        self._in_head = False
        self._unanswered += 1
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count the bytes as headers until the chunk starts: the last chunk may be followed by trailers."""
        self._in_head = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Record that the last bytes are a part of the body, not a trailer."""
        self._in_head = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Record that the request is complete."""
        self._in_head = False
        self._is_whole = True
        super().on_message_complete()

    def _keep_watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._timeout_s, self._cut)

    def _cut(self) -> None:
        """Send the reason if a request has begun; without a request, only close the connection."""
        self._deadline = None
        if self.flow.read_paused:  # the delay is not the client's
            self._keep_watch()
        elif self._in_head or (self.cycle is not None and not self.cycle.response_complete):
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, answer: bytes) -> None:
        """Respond to an incomplete request, unless a response has started, and close."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
            self.transport.write(answer)
        self.transport.close()

    def _watch_unsent(self) -> None:
        unsent_bytes = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._stalled_s, self._cut_stalled, unsent_bytes)

    def _cut_stalled(self, before_bytes: int) -> None:
        if self.transport.get_write_buffer_size() < before_bytes:
            self._open_connections.touch(self)
            self._watch_unsent()
        else:
            self.abort()

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _behind(mark: bytes, text: bytes, count: int) -> int:
    end = 0
    for _ in range(count):
        found = text.find(mark, end)
        if found < 0:
            return len(text)
        end = found + len(mark)
    return end
