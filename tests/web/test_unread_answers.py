"""Clients that ask much and read little, by real sockets."""

import asyncio
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.bounded_connection import MAX_UNANSWERED, BoundedConnection, Connections
from tests import limited
from tests.process import PLAIN, ROOT, Server, clean_environment, free_port, measuring
from tests.rounds import examples
from tests.waiting import until, until_async

pytestmark = pytest.mark.slow

STALLED_S = 0.3
#: On a busy machine.
LONG_S = 20
BIG_BYTES = 2_000_000
GET_BIG = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_SCRIPT = b"GET /pinrelay.js HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Serving:
    """A server in this process, which answers with what it was sent, or with much (/big)."""

    port: int = 0
    server: uvicorn.Server = field(init=False)
    most_waiting: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for each in self.connections:
            self.most_waiting = max(self.most_waiting, len(each.pipeline) + 1)
        body = b"x" * BIG_BYTES if scope["path"] == "/big" else scope["path"].encode()
        more = True
        while more and scope["method"] == "POST":
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    def connect(self, *, receive_bytes: int | None = None) -> socket.socket:
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.setblocking(False)  # noqa: FBT003 - as the library has it
        return client


@asynccontextmanager
async def serving(*, timeout_s: float = LONG_S, stalled_s: float = LONG_S) -> AsyncIterator[Serving]:
    application = Serving()
    connection: Any = partial(
        BoundedConnection,
        timeout_s=timeout_s,
        stalled_s=stalled_s,
        open_connections=Connections(per_address=9, capacity=9),
    )
    config = uvicorn.Config(application, http=connection, lifespan="off", log_config=None)
    application.server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        application.port = listener.getsockname()[1]
        task = asyncio.create_task(application.server.serve([listener]))
        yield application
        application.server.should_exit = True
        await task


async def connected(application: Serving, receive_bytes: int) -> socket.socket:
    client = application.connect(receive_bytes=receive_bytes)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", application.port))
    return client


@pytest.mark.parametrize("request_", [GET_BIG, GET_BIG * 3, GET_BIG.replace(b"Host", b"Connection: close\r\nHost")])
async def test_a_client_that_takes_nothing_of_its_answer_is_cut(request_: bytes) -> None:
    async with serving(stalled_s=STALLED_S) as application:
        client = await connected(application, 4_096)
        await asyncio.get_running_loop().sock_sendall(client, request_)
        await until_async(_true_of(lambda: bool(application.connections)), LONG_S)
        await until_async(_true_of(lambda: not application.connections), LONG_S)
        client.close()


async def test_a_client_that_takes_its_answer_slowly_has_it_whole() -> None:
    async with serving(stalled_s=STALLED_S) as application:
        loop = asyncio.get_running_loop()
        client = await connected(application, 65_536)
        begun_at = time.monotonic()
        await loop.sock_sendall(client, GET_BIG)
        taken = 0
        while taken < BIG_BYTES:
            piece = await loop.sock_recv(client, BIG_BYTES // 15)
            assert piece, f"cut after {taken} bytes"
            taken += len(piece)
            await asyncio.sleep(STALLED_S / 5)
        assert time.monotonic() - begun_at > 2 * STALLED_S
        client.close()


def _true_of(condition: Callable[[], bool]) -> Callable[[], Any]:
    async def ask() -> bool:
        return condition()

    return ask


BODIES = st.sampled_from([b"", b"abc", b"\r\n\r\n" * 5, b"\r\n\r\n" * 40, b"\r", b"\n\r\n" * 9, b"x" * 100_000])
REQUESTS = st.lists(st.tuples(st.sampled_from(["GET", "POST", "chunked"]), BODIES), min_size=1, max_size=70)


def _written(number: int, method: str, body: bytes) -> bytes:
    if method == "GET":
        return b"GET /%d HTTP/1.1\r\n\r\n" % number
    if method == "POST":
        return b"POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return b"POST /%d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (number, chunk)


@given(requests=REQUESTS, cuts=st.lists(st.floats(0, 1), max_size=6))
@settings(max_examples=examples(40), deadline=None)
def test_requests_in_one_go_are_all_answered_in_order_and_few_wait_at_once(
    requests: list[tuple[str, bytes]], cuts: list[float]
) -> None:
    whole = b"".join(_written(number, *each) for number, each in enumerate(requests))
    places = [0, *sorted(int(cut * len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(places)]

    async def ask() -> int:
        async with serving() as application:
            reader, writer = await asyncio.open_connection("127.0.0.1", application.port)
            sending = asyncio.create_task(_send(writer, pieces))
            for number, (method, body) in enumerate(requests):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LONG_S)
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = await asyncio.wait_for(reader.readexactly(length), LONG_S)
                assert answer == b"/%d" % number + (body if method != "GET" else b"")
            await sending
            writer.close()
            return application.most_waiting

    assert asyncio.run(ask()) <= MAX_UNANSWERED


async def _send(writer: asyncio.StreamWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.001)


async def test_many_requests_in_one_go_wait_for_their_turn() -> None:
    async with serving() as application:
        reader, writer = await asyncio.open_connection("127.0.0.1", application.port)
        writer.write(b"".join(_written(number, "POST", b"x") for number in range(100)))
        for number in range(100):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n/%dx" % number), LONG_S)
        writer.close()
        assert application.most_waiting == MAX_UNANSWERED - 1


def test_answers_that_nobody_reads_cost_little_memory_and_end(start_server: Callable[..., Server]) -> None:
    server = start_server(request_timeout_s=2)
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
    for client in clients:
        client.setblocking(False)  # noqa: FBT003 - as the library has it
    unsent = dict.fromkeys(clients, GET_SCRIPT * 10_000)
    most = 0

    def all_cut() -> bool:
        nonlocal most
        for client in [*unsent]:
            try:
                unsent[client] = unsent[client][client.send(unsent[client] or GET_SCRIPT) :]
            except BlockingIOError:
                pass
            except ConnectionError:
                del unsent[client]
        most = max(most, process.memory_info().rss - before)
        return not unsent

    until(all_cut, 2 * LONG_S, "all clients are cut")
    for client in clients:
        client.close()
    assert most < 60_000_000


def test_slow_readers_of_every_descriptor_keep_no_health_check_from_its_answer(
    start_server: Callable[..., Server],
) -> None:
    program = ("sh", "-euc", 'ulimit -n 128; exec "$0" "$@"', *limited.COMMAND)
    server = start_server(request_timeout_s=60, program=program)
    clients = []
    for _ in range(150):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        client.settimeout(LONG_S)
        client.connect(("127.0.0.1", server.port))
        client.sendall(GET_SCRIPT * 3)
        clients.append(client)
    for _ in range(10):
        assert httpx.get(f"{server.url}/healthz", timeout=LONG_S, **PLAIN).status_code == 200
    for client in clients:
        client.close()
    assert "no descriptors are left for it" in server.log


#: With 203.0.113.7 as an address of this machine, in a network of its own: who connects from it, and is answered.
FROM_OUTSIDE = """
import socket, sys, time
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except OSError:
        time.sleep(0.1)
def answered(source):
    client = socket.socket()
    client.settimeout(20)
    client.bind((source, 0))
    client.connect((source, int(sys.argv[1])))
    clients.append(client)
    try:
        client.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        return client.recv(12) == b"HTTP/1.1 200"
    except ConnectionError:
        return False
clients = []
print([answered("203.0.113.7") for _ in range(5)], [answered("127.0.0.1") for _ in range(5)])
clients[0].close()
time.sleep(0.5)
print(answered("203.0.113.7"))
"""


def test_an_address_has_its_bound_of_connections_and_this_machine_has_none(tmp_path: Path) -> None:
    port = free_port()
    script = f"""
        ip link set lo up; ip address add 203.0.113.7/32 dev lo
        {shlex.join(limited.COMMAND)} serve & server=$!
        {sys.executable} -c '{FROM_OUTSIDE}' {port}
        kill $server; wait $server
    """
    environment = measuring() | clean_environment(
        host="0.0.0.0",
        port=port,
        write_keys="shop:0123456789abcdef",
        outbox_url=f"sqlite:///{tmp_path}/pinrelay.db",
        max_connections_per_address=3,
    )
    apart = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*apart, "ip", "link"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a network of their own")
    done = subprocess.run(
        [*apart, "sh", "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{[True] * 3 + [False] * 2} {[True] * 5}\n{True}\n", done.stderr
