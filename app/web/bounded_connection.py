"""One client's connection, with bounds on what is no request yet, and on answers that the client does not read.

And all connections of the process: how many each address may have, and which one makes room for another.

uvicorn bounds how long a connection may idle between two requests. It waits for ever, though, for a request whose
bytes come one by one, and for a client that takes no answer, and it keeps headers of any size and as many requests as
one read of the socket brings: a few clients would hold all connections and all memory there is.
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

#: Descriptors kept back for the store, for calls to Pinterest and for files: this many, or half of all.
_RESERVED = 128
_LOGGED_EACH_S = 60


class Connection(Protocol):
    """What can be cut."""

    def abort(self) -> None:
        """Close without sending what is unsent."""


class Connections:
    """Knows the open connections, the one that was idle longest first.

    Where there is no room for one more, the connection that made no progress for longest is closed: a client that
    asks now, such as a health check, is answered however many hold on to theirs.
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
        #: By when they made progress last.
        self._open: dict[Connection, str | None] = {}
        self._of_address: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._logged_at = -float(_LOGGED_EACH_S)

    def admit(self, connection: Connection, peer: str | None) -> bool:
        """Take a new connection in, in the place of another where all are taken; False where its address has enough."""
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
        """Note that a connection made progress."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed; one that is not known is no error."""
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
    """Return what a client's connections are counted by; None for loopback, private networks and trusted proxies.

    >>> counted_address("203.0.113.9", ()), counted_address("2001:db8::1:2", ()), counted_address("10.0.0.7", ())
    ('203.0.113.9', '2001:db8::/64', None)
    """
    public = public_address(peer)[0] if peer else None
    if public is None or is_trusted(public, trusted):
        return None
    return one_household(public)


def connection_capacity() -> int:
    """Return how many connections this process has descriptors for."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return sys.maxsize
    return descriptors - min(_RESERVED, descriptors // 2)


#: Of one request's line and headers; what one read of the socket brings beyond it (256 kB at most) is let pass.
MAX_HEAD_BYTES = 65_536
#: Requests of one connection that wait for their answers; what comes beyond is not read until one is answered.
MAX_UNANSWERED = 16
#: What the system itself keeps unsent of one connection; with it, a client's progress is seen in steps of this size.
_MAX_UNSENT_IN_SYSTEM_BYTES = 16_384
#: Each request has one of these behind its headers; where a body has it as well, some are counted in vain.
_HEAD_END = b"\r\n\r\n"

#: The body is as `app.source` writes it.
_TOO_SLOW_BODY = refusal_json(TOO_SLOW.code, TOO_SLOW.message)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_TOO_SLOW_BODY), _TOO_SLOW_BODY)
)
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Flow(FlowControl):
    """Reads no more while requests that were read wait to be parsed."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class BoundedConnection(HttpToolsProtocol):
    """Closes where a request is not whole, headers and body, in time; how long it takes to answer is not its matter.

    The time begins with the connection, and with the first byte after each answer.

    One request is answered after the other, and the next only when the client has taken the answer before: unsent is
    one answer at most. Closes where the client takes nothing of it for `stalled_s`.
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
        #: What was read beyond MAX_UNANSWERED.
        self._held = b""
        self._in_head = False
        self._head_bytes = 0
        #: Since when nothing is asked; None while something is.
        self._idle_since: float | None = None
        #: The last bytes brought a request to its end.
        self._is_whole = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the time that the first request has; cut at once where the client's address has connections enough."""
        transport.set_write_buffer_limits(high=0)  # `pause_writing` as soon as the client does not keep up
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
        """Cancel the deadlines of the request that was awaited, and of the answer."""
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
        """Take the next bytes, as far as they hold no more requests than may wait for their answers."""
        if self._held or self._unanswered + data.count(_HEAD_END) >= MAX_UNANSWERED:
            self._held += data
            self._take_held()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """See whether the bytes make a request whole."""
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
        """Take so much of what is held that no more than MAX_UNANSWERED requests wait.

        The bytes before may have held the first part of a _HEAD_END, so one request more than there are in a piece may
        begin with it.
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
        """Begin the next answer, or the time that the connection may idle; there is room for one more request."""
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
        """Look after so long whether the connection has idled: one timer serves many requests."""
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close where the connection has idled all the time; else look again."""
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
        """Note that the client does not keep up, and give it its time."""
        super().pause_writing()
        self._watch_unsent()

    def resume_writing(self) -> None:
        """Note that the client has taken everything."""
        super().resume_writing()
        self._cancel_stall()
        self._open_connections.touch(self)

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        super().on_message_begin()
        self._is_whole = False
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Note that only the body may be missing."""
        self._in_head = False
        self._unanswered += 1
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
        """Send the reason if a request has begun; without a request, close the connection only."""
        self._deadline = None
        if self.flow.read_paused:  # it is not the client who is late
            self._keep_watch()
        elif self._in_head or (self.cycle is not None and not self.cycle.response_complete):
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, answer: bytes) -> None:
        """Answer the HTTP request that is not whole, unless it, or one before it, is being answered; close."""
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
