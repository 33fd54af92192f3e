"""A request that arrives in one piece has the same answer as a request that arrives in two pieces."""

import re
import select
import socket
from collections.abc import Callable

import orjson
import pytest

from tests.process import Server

pytestmark = pytest.mark.slow

EVENT = {"type": "track", "event": "Order Completed", "messageId": "@ID@", "timestamp": "2026-11-30T08:00:00Z"}
SINGLE = orjson.dumps(EVENT)
#: More than are gathered with those of other requests.
MANY = orjson.dumps([{**EVENT, "messageId": f"@ID@-{number}"} for number in range(70)])
JSON = b"Content-Type: application/json\r\n"
KEY = b"Authorization: Basic c2hvcDo=\r\n"

REQUESTS = {
    "one event": (b"POST /webhook", JSON, SINGLE),
    "one event by PUT": (b"PUT /webhook/", JSON, SINGLE),
    "an array": (b"POST /webhook", JSON, MANY),
    "no events": (b"POST /webhook", JSON, b"[]"),
    "no event": (b"POST /webhook", JSON, b'[1, {"type": 7}]'),
    "no JSON": (b"POST /webhook", JSON, b'{"type": "track"'),
    "an encoding that is not read": (b"POST /webhook", JSON + b"Content-Encoding: br\r\n", b"\x01\x02"),
    "a call of an SDK": (b"POST /v1/track", JSON + KEY, SINGLE),
    "a batch of an SDK": (b"POST /v1/batch", JSON + KEY, b'{"batch": %b}' % MANY),
    "a page": (b"POST /v1/track", JSON + KEY + b"Origin: http://localhost\r\n", SINGLE),
    "a page of another site": (b"POST /webhook", JSON + b"Origin: https://foreign.example\r\n", SINGLE),
    "another host": (b"POST /webhook", JSON + b"Host: foreign.example\r\n", SINGLE),
    "the last of its connection": (b"POST /webhook", JSON + b"Connection: close\r\n", SINGLE),
    "a method that is not taken": (b"DELETE /webhook", JSON, SINGLE),
}


def test_whole_requests_are_answered_as_those_that_come_in_pieces(start_server: Callable[..., Server]) -> None:
    server = start_server(log_format="json")
    for name, (line, headers, body) in REQUESTS.items():
        host = b"" if b"Host:" in headers else b"Host: localhost\r\n"
        head = line + b" HTTP/1.1\r\n" + host + headers + b"Content-Length: %d\r\n\r\n"
        told = []
        for sender in (b"whole", b"parts"):
            own = body.replace(b"@ID@", sender + b"-" + name.encode())
            request = head % len(own) + own
            middle = len(request) - len(own) // 2
            pieces = [request] if sender == b"whole" else [request[:middle], request[middle:]]
            told.append(_answer(server.port, pieces).replace(sender, b"sender"))
        assert told[0] == told[1], name
    server.stop()
    requests = [entry for entry in map(orjson.loads, filter(_is_json, server.log.splitlines())) if "route" in entry]
    assert [entry["status"] for entry in requests[::2]] == [entry["status"] for entry in requests[1::2]]
    assert len(requests) == 2 * len(REQUESTS)


def _is_json(line: str) -> bool:
    return line.startswith("{")


def _answer(port: int, pieces: list[bytes]) -> bytes:
    """Send the pieces, each as a packet of its own; return the answer without its date."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces):
            client.sendall(piece)
            if number + 1 < len(pieces):
                select.select([client], [], [], 0.1)  # so that the server reads the first by itself, nearly always
        answer = b""
        while not _is_whole(answer):
            more = client.recv(65_536)
            assert more, answer
            answer += more
    return re.sub(rb"date: .*\r\n", b"", answer)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end and length and len(body) == int(length[1]))
