"""What a client may do with a connection, by real sockets, in the shortest times in which it shows."""

import ast
import asyncio
import inspect
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.web.bounded_connection import MAX_HEAD_BYTES, BoundedConnection, Connections
from tests.process import Server

pytestmark = pytest.mark.slow  # what is cut is waited for

TIMEOUT_S = 0.3
IDLE_S = 1
#: On a busy machine.
LONG_S = 20
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"


@dataclass
class Client:
    """One connection, and the ways to use it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes = GET) -> None:
        """Send a whole request and read its answer."""
        self.writer.write(request)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), LONG_S)
        assert head.startswith(b"HTTP/1.1 200 ")

    async def is_cut(self, within_s: float = LONG_S) -> bool:
        """Tell whether the connection ends within the time; whatever is still answered is read away."""
        try:
            await asyncio.wait_for(self.reader.read(), within_s)
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    async def dribbles(self, piece: bytes) -> bool:
        """Send one piece after another, faster than any timeout; tell whether that was ended."""
        for _ in range(LONG_S * 100):
            if await self.is_cut(within_s=0.01):
                return True
            self.writer.write(piece)
        return False


@dataclass
class Application:
    """Answers 200: at once, after its body (/read), or when it may (/wait)."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.answered += 1
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        elif scope["path"] == "/wait":
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def client(application: Application) -> AsyncIterator[Client]:
    open_connections = Connections(per_address=9, capacity=9)
    connection: Any = partial(
        BoundedConnection, timeout_s=TIMEOUT_S, stalled_s=TIMEOUT_S, open_connections=open_connections
    )
    options: dict[str, Any] = {"lifespan": "off", "log_config": None, "server_header": False, "proxy_headers": False}
    config = uvicorn.Config(application, http=connection, timeout_keep_alive=IDLE_S, **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield Client(reader, writer)
        writer.close()
        application.may_answer.set()
        server.should_exit = True
        await serving


async def test_a_client_that_says_nothing_is_cut(client: Client) -> None:
    assert await client.is_cut()


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        pytest.param(b"", b"G", id="a request line that does not end"),
        pytest.param(GET[:-2], b"a: b\r\n", id="headers that do not end"),
        pytest.param(HEAD, b"x", id="a body that does not end, before an application that waits for it"),
        pytest.param(HEAD.replace(b"/read", b"/"), b"x", id="a body that does not end, though answered already"),
        pytest.param(b"", b"\r\n", id="empty lines, which belong to no request"),
        pytest.param(GET, b"\r\n", id="empty lines after an answer"),
        pytest.param(GET, b"G", id="a second request that does not end"),
    ],
)
async def test_a_client_that_sends_piece_by_piece_is_cut_as_well(first: bytes, piece: bytes, client: Client) -> None:
    client.writer.write(first)
    assert await client.dribbles(piece)


async def test_the_server_itself_cuts_after_twice_its_request_timeout(start_server: Callable[..., Server]) -> None:
    server = start_server(request_timeout_s=TIMEOUT_S)
    client = Client(*await asyncio.open_connection("127.0.0.1", server.port))
    assert await client.dribbles(b"G")
    client.writer.close()


@pytest.mark.parametrize("begun", [b"G", GET[:-2], HEAD, HEAD + b"x"], ids=["line", "headers", "no body", "body"])
async def test_a_request_that_is_not_whole_in_time_is_told_so(begun: bytes, client: Client) -> None:
    client.writer.write(begun)
    head, _, body = (await asyncio.wait_for(client.reader.read(), LONG_S)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["code"] == "too_slow"


@pytest.mark.parametrize("begun", [b"", GET], ids=["at first", "after an answer"])
async def test_a_client_that_asks_nothing_is_told_nothing(begun: bytes, client: Client) -> None:
    if begun:
        await client.ask(begun)
        client.writer.write(b"\r\n")
    assert await asyncio.wait_for(client.reader.read(), LONG_S) == b""


async def test_a_request_that_still_waits_for_its_answer_is_not_given_that_of_the_next(
    client: Client, application: Application
) -> None:
    client.writer.write(GET.replace(b"/", b"/wait", 1) + b"GET / HT")
    assert await asyncio.wait_for(client.reader.read(), LONG_S) == b""


async def test_a_client_is_not_late_with_what_the_server_does_not_read_yet(
    client: Client, application: Application
) -> None:
    client.writer.write(GET.replace(b"/", b"/wait", 1) + GET + GET[:5])
    assert not await client.is_cut(within_s=TIMEOUT_S / 3)
    client.writer.write(GET[5:])
    assert not await client.is_cut(within_s=3 * TIMEOUT_S)
    application.may_answer.set()
    for _ in range(3):
        await client.ask(b"")


async def test_headers_that_are_too_large_are_refused_and_cut(client: Client) -> None:
    client.writer.write(GET[:-2] + b"a: ")
    client.writer.write(b"x" * (MAX_HEAD_BYTES + 1_000_000))
    answer = await asyncio.wait_for(client.reader.readline(), LONG_S)
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("trailer", [b"a: " + b"x" * 100 + b"\r\n", b"x" * 100], ids=["many", "one"])
async def test_trailers_that_are_too_large_are_refused_and_cut(client: Client, trailer: bytes) -> None:
    client.writer.write(HEAD.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\na: ")
    client.writer.write(b"x\r\n" + trailer * 20_000)
    answer = await asyncio.wait_for(client.reader.readline(), LONG_S)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_body_in_chunks_may_be_larger_than_headers(client: Client) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    await client.ask(HEAD.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + chunk * 20 + b"0\r\n\r\n")


async def test_a_body_that_comes_after_its_answer_leaves_the_next_request_its_time(client: Client) -> None:
    client.writer.write(HEAD.replace(b"/read", b"/"))
    assert (await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), LONG_S)).startswith(b"HTTP/1.1 200 ")
    client.writer.write(b"x" * 100)
    assert not await client.is_cut(within_s=2 * TIMEOUT_S)
    await client.ask()


async def test_headers_as_large_as_the_bound_are_taken(client: Client) -> None:
    await client.ask(GET[:-2] + b"a: " + b"x" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n")


async def test_how_long_an_answer_takes_does_not_count(client: Client, application: Application) -> None:
    client.writer.write(GET.replace(b"/", b"/wait", 1))
    assert not await client.is_cut(within_s=2 * TIMEOUT_S)
    application.may_answer.set()
    assert (await client.reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_a_connection_may_idle_between_two_requests(client: Client) -> None:
    await client.ask()
    assert not await client.is_cut(within_s=2 * TIMEOUT_S)
    await client.ask()


async def test_two_requests_in_one_go_are_both_answered(client: Client) -> None:
    client.writer.write(GET)
    await client.ask()
    await client.ask(b"")


async def test_an_upgrade_to_websockets_is_a_request_like_any_other(start_server: Callable[..., Server]) -> None:
    server = start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    upgrade = (
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n"
    )
    writer.write(b"GET /nope?email=jane@example.com HTTP/1.1\r\nHost: localhost\r\n" + upgrade)
    assert (await asyncio.wait_for(reader.readline(), LONG_S)).startswith(b"HTTP/1.1 404 ")
    writer.close()
    server.stop()
    assert "request" in server.log
    assert "jane" not in server.log
    assert "127.0.0.1:" not in server.log.replace(f"127.0.0.1:{server.port}", "")


async def test_a_connection_may_idle_as_long_after_each_answer(client: Client, application: Application) -> None:
    for _ in range(2):
        await client.ask()
        assert not await client.is_cut(within_s=0.6 * IDLE_S)
    assert await client.is_cut()
    assert application.answered == 2


#: The parts of uvicorn that BoundedConnection uses or replaces, by the class that defines them.
INTERNALS = {
    HttpToolsProtocol: {
        *("__init__", "connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing"),
        *("on_body", "on_headers_complete", "on_message_begin", "on_message_complete", "on_response_complete"),
        *("_start_asgi_task", "_unset_keepalive_if_required", "timeout_keep_alive_handler"),
        *("client", "cycle", "flow", "loop", "pipeline", "server_state", "timeout_keep_alive_task", "transport"),
        "timeout_keep_alive",
    },
    FlowControl: {"pause_reading", "read_paused", "resume_reading"},
    RequestResponseCycle: {"more_body", "response_complete", "response_started"},
    ServerState: {"total_requests"},
}
_OWNERS = {
    "self": HttpToolsProtocol,
    "super()": HttpToolsProtocol,
    "self.flow": FlowControl,
    "cycle": RequestResponseCycle,
    "self.cycle": RequestResponseCycle,
    "self.server_state": ServerState,
}


def test_each_internal_of_uvicorn_in_use_is_named_and_exists() -> None:
    """A name that a version of uvicorn lacks counts as one of Pinrelay, so INTERNALS names one too many."""
    tree = ast.parse(inspect.getsource(BoundedConnection))
    used: dict[type, set[str]] = {owner: set() for owner in INTERNALS}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            used[HttpToolsProtocol].add(node.name)
        elif isinstance(node, ast.Attribute) and (owner := _OWNERS.get(ast.unparse(node.value))):
            used[owner].add(node.attr)
    assert {owner: {name for name in names if is_defined(owner, name)} for owner, names in used.items()} == INTERNALS


def is_defined(owner: type, name: str) -> bool:
    """Return whether a class of uvicorn has a member, assigns it, or declares it as a field."""
    assigned = re.search(rf"\bself\.{name}\b|^    {name}:", inspect.getsource(owner), re.MULTILINE)
    return name in vars(owner) or assigned is not None
