"""The load of receive.py: asyncio over raw sockets, which costs far less than any HTTP client.

    python bench/receiving/load.py PORT --connections 64 --seconds 4 [--array 1000] [--rate 500] [--events sources]

Without a rate each connection sends its next request as soon as the last is answered.
With a rate requests are sent when they are due, and wait for a connection where all are busy: times count from when
they were due, so that a slow answer is not hidden by sending less.
Prints one line of JSON: {"answered": 1234, "seconds": 4.01, "p50_s": 0.01, "p99_s": 0.02}; the seconds last until the
last request under way is answered, so that all work counts.
"""

import argparse
import asyncio
import itertools
import math
import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout is no package
from bench.receiving.source_events import lines_of

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = b"@ID@"
#: What an order must not share with another.
_IDS_OF_ORDERS = frozenset({"order_id", "orderId", "order_number", "transaction_id", "number", "checkout_id"})


def requests(array: int, events_of: str = "clean") -> Iterator[bytes]:
    """Make HTTP requests without end: one event (0) or arrays of them; all ids are of their own."""
    templates = [_template(orjson.loads(line)) for line in lines_of(events_of)]  # before the time is taken
    run = os.urandom(4).hex()
    events = (
        template.replace(_ID, f"{run}-{number}".encode()) for number, template in enumerate(itertools.cycle(templates))
    )
    bodies = iter(lambda: b"[" + b",".join(itertools.islice(events, array)) + b"]", b"") if array else events
    return (
        b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in bodies
    )


def _template(event: dict[str, Any]) -> bytes:
    """Write an event as if it happened now, with a place for its ids."""
    event |= {"messageId": _ID.decode(), "timestamp": datetime.now(UTC).isoformat()}
    properties = event.get("properties", {})
    properties |= dict.fromkeys(properties.keys() & _IDS_OF_ORDERS, _ID.decode())
    return orjson.dumps(event)


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request under way at most."""

    def __init__(self, on_answer: Callable[["Connection"], None], answers: tuple[bytes, ...]) -> None:
        self._on_answer = on_answer
        self._answers = answers
        self._received = b""
        self._wanted = 0
        self.due_at = 0.0

    def connection_made(self, transport: Any) -> None:
        """Take the socket."""
        self._transport = transport

    def ask(self, request: bytes, due_at: float) -> None:
        """Send one request."""
        self._received, self._wanted, self.due_at = b"", 0, due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer, whose status must be an expected one."""
        self._received += data
        if not self._wanted and (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            if not head.startswith(self._answers) or not length:
                raise SystemExit(f"the server answered {self._received[:300]!r}")
            self._wanted = end + 4 + int(length[1])
        if self._wanted and len(self._received) >= self._wanted:
            self._on_answer(self)


class Run:
    """One measurement."""

    def __init__(self, array: int, events_of: str) -> None:
        self._requests = requests(array, events_of)
        #: A refund that comes alone is answered with 422, as nothing is sent of it.
        self._answers = (b"HTTP/1.1 200", b"HTTP/1.1 422") if events_of == "sources" else (b"HTTP/1.1 200",)
        self._idle: deque[Connection] = deque()
        #: When each was due; 0 for at once.
        self._waiting: deque[float] = deque()
        self._again = False
        self._connections = 0
        self._last = asyncio.Event()
        self.taken_s: list[float] = []

    async def open(self, port: int, connections: int) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(
                lambda: Connection(self._answered, self._answers), "127.0.0.1", port
            )
            self._idle.append(connection)
        self._connections = connections

    async def as_fast_as_possible(self, seconds: float) -> None:
        """Keep every connection busy."""
        self._again = True
        self._waiting.extend(itertools.repeat(0.0, len(self._idle)))
        self._send()
        await asyncio.sleep(seconds)
        self._again = False
        await self._all_answered()

    async def at(self, rate: float, seconds: float) -> None:
        """Send `rate` requests a second, evenly."""
        begun = time.perf_counter()
        for number in range(math.floor(rate * seconds)):
            due_at = begun + number / rate
            if (pause_s := due_at - time.perf_counter()) > 0:
                await asyncio.sleep(pause_s)
            self._waiting.append(due_at)
            self._send()
        await self._all_answered()

    async def _all_answered(self) -> None:
        self._last.clear()
        self._tell_if_last()
        await self._last.wait()

    def _tell_if_last(self) -> None:
        if not self._waiting and len(self._idle) == self._connections:
            self._last.set()

    def _send(self) -> None:
        while self._waiting and self._idle:
            due_at = self._waiting.popleft() or time.perf_counter()
            self._idle.popleft().ask(next(self._requests), due_at)

    def _answered(self, connection: Connection) -> None:
        self._idle.append(connection)
        self.taken_s.append(time.perf_counter() - connection.due_at)
        if self._again:
            self._waiting.append(0.0)
        self._send()
        self._tell_if_last()


async def main() -> None:
    """Run as the arguments say and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--array", type=int, default=0)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--events", choices=("clean", "sources"), default="clean")
    given = parser.parse_args()
    run = Run(given.array, given.events)
    await run.open(given.port, given.connections)
    begun = time.perf_counter()
    await (run.at(given.rate, given.seconds) if given.rate else run.as_fast_as_possible(given.seconds))
    seconds = time.perf_counter() - begun
    taken_s = sorted(run.taken_s)
    p50_s, p99_s = (taken_s[int(share * (len(taken_s) - 1))] for share in (0.5, 0.99))
    print(orjson.dumps({"answered": len(taken_s), "seconds": seconds, "p50_s": p50_s, "p99_s": p99_s}).decode())


if __name__ == "__main__":
    asyncio.run(main())
