"""The call to Pinterest, against the real sandbox and against transports that fail."""

import asyncio
import gc
import gzip
import inspect
import ssl
import subprocess
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import orjson
import pytest
from pydantic import SecretStr

from app.destination.client import (
    MAX_ANSWER_BYTES,
    Answer,
    Failure,
    PinterestClient,
    TokenSource,
    trusted_certificates,
)
from app.sandbox import Account, create_sandbox
from tests.rows import every_row
from tests.sandbox.events import numbered

TOKEN = "pina_very_secret_token"
PAYLOADS = [orjson.dumps(event) for event in numbered(3)]


def client(
    transport: httpx.AsyncBaseTransport, *, token: TokenSource | None = None, timeout_s: float = 5, api_url: str = ""
) -> PinterestClient:
    return PinterestClient(
        api_url=api_url or "http://pinterest.test/v5/",
        ad_account_id="42",
        token=SecretStr(TOKEN) if token is None else token,
        timeout_s=timeout_s,
        transport=transport,
    )


async def send(to: PinterestClient, payloads: list[bytes] = PAYLOADS, *, test: bool = False) -> Answer | Failure:
    try:
        return await to.send(payloads, test=test)
    finally:
        await to.close()


@pytest.fixture
def sandbox() -> httpx.ASGITransport:
    return httpx.ASGITransport(create_sandbox(account=Account(ad_account_id="42", token=SecretStr(TOKEN))))


def failing(error: Exception) -> httpx.MockTransport:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return httpx.MockTransport(fail)


async def test_finished_events_are_joined_into_one_call_and_judged_in_order(sandbox: httpx.ASGITransport) -> None:
    answer = await send(client(sandbox))

    assert isinstance(answer, Answer)
    assert (answer.status, answer.retry_after, answer.body["num_events_processed"]) == (200, None, 3)


async def test_the_bytes_are_sent_as_they_are() -> None:
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(429, text="<html>", headers={"Retry-After": "7"})

    answer = await send(client(httpx.MockTransport(keep)), [b'{"a":1.0}', b'{ "b" : 2 }'], test=True)

    assert answer == Answer(status=429, retry_after="7", body=None)
    assert seen[0].content == b'{"data":[{"a":1.0},{ "b" : 2 }]}'
    assert str(seen[0].url) == "http://pinterest.test/v5/ad_accounts/42/events?test=true"
    assert seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen[0].headers["Content-Type"] == "application/json"


def test_certificates_are_checked_and_what_is_trusted_is_read_once() -> None:
    trusted = trusted_certificates()
    assert trusted is trusted_certificates()
    assert (trusted.verify_mode, trusted.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert trusted.cert_store_stats()["x509_ca"] > 100


async def test_test_events_are_not_recorded(sandbox: httpx.ASGITransport) -> None:
    await send(client(sandbox), test=True)

    async with httpx.AsyncClient(transport=sandbox, base_url="http://sandbox") as people:
        assert (await people.get("/")).json()["received"] == 0


UNSENT = {
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
}
ERRORS = sorted(
    (each for each in vars(httpx).values() if inspect.isclass(each) and issubclass(each, httpx.RequestError)),
    key=lambda each: each.__name__,
)


@every_row("error", [*ERRORS, ConnectionResetError, OSError], ids=lambda error: error.__name__)
async def test_every_error_of_the_network_is_a_failure_that_says_whether_the_call_may_have_arrived(
    error: type[Exception],
) -> None:
    failure = await send(client(failing(error(f"quotes Bearer {TOKEN}"))))

    assert isinstance(failure, Failure)
    assert failure.ambiguous == (error not in UNSENT)
    assert not failure.token
    assert failure.reason
    assert TOKEN not in failure.reason


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.slow
@pytest.mark.parametrize(
    ("is_tls", "told"),
    [
        (True, "Pinterest could not be reached: its TLS certificate is rejected (self-signed certificate); check this"),
        (
            False,
            "Pinterest could not be reached: TLS fails (WRONG_VERSION_NUMBER); check this machine's clock, SSL_CERT",
        ),
    ],
)
async def test_a_tls_fault_names_its_reason_and_what_to_check(
    self_signed: ssl.SSLContext, *, is_tls: bool, told: str
) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self_signed if is_tls else None)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v5"
        failure = await send(client(httpx.AsyncHTTPTransport(), api_url=url))

    assert isinstance(failure, Failure)
    assert failure.reason.startswith(told)
    assert not failure.ambiguous


@pytest.mark.slow
async def test_an_answer_that_trickles_in_for_ever_is_cut_off_by_the_time_limit() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b" "

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=trickle()))

    assert await send(client(transport, timeout_s=0.1)) == Failure(
        reason="Pinterest did not answer in time", ambiguous=True
    )


BODY = b'{"num_events_processed":3}'
#: Body, its encoding, the body that is read.
BODIES: list[tuple[bytes, str, object]] = [
    (BODY, "", {"num_events_processed": 3}),
    (gzip.compress(BODY), "gzip", {"num_events_processed": 3}),
    (gzip.compress(BODY) + b"x" * 100_000, "x-gzip", {"num_events_processed": 3}),
    (gzip.compress(BODY)[:-12], "gzip", None),
    (BODY, "gzip", None),
    (gzip.compress(BODY), "br", None),
    (BODY + b" " * (MAX_ANSWER_BYTES - len(BODY)), "", {"num_events_processed": 3}),
    (BODY + b" " * (MAX_ANSWER_BYTES - len(BODY) + 1), "", None),
    (gzip.compress(BODY + b" " * (MAX_ANSWER_BYTES - len(BODY))), "gzip", {"num_events_processed": 3}),
    (gzip.compress(BODY + b" " * (MAX_ANSWER_BYTES - len(BODY) + 1)), "gzip", None),
]


@every_row(("body", "encoding", "read"), BODIES, ids=map(str, range(len(BODIES))))
async def test_an_answer_is_decompressed_up_to_a_bound(body: bytes, encoding: str, read: object) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 60_000):
            yield body[at : at + 60_000]

    headers = {"Content-Encoding": encoding} if encoding else {}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=chunks(), headers=headers))
    assert await send(client(transport)) == Answer(status=200, retry_after=None, body=read)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_an_endless_answer_takes_little_memory_and_is_unreadable(encoding: str) -> None:
    endless = gzip.compress(b" " * 50_000_000) if encoding else b" " * 60_000
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding or 'identity'}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        with suppress(ConnectionError):
            while sent < 100 * MAX_ANSWER_BYTES:
                writer.write(endless)
                sent += len(endless)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v5"
        tracemalloc.start()
        try:
            answer = await send(client(httpx.AsyncHTTPTransport(), api_url=url))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert answer == Answer(status=200, retry_after=None, body=None)
    assert peak < 10_000_000
    assert sent < 20 * MAX_ANSWER_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_connection_is_kept_for_the_next_call(encoding: str) -> None:
    body, connections = gzip.compress(BODY) if encoding == "gzip" else BODY, 0
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (body[:9], body[9:])) + b"0\r\n\r\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"]}")
                writer.write(head.encode() + chunked)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        pinterest = client(
            httpx.AsyncHTTPTransport(), api_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v5"
        )
        answers = [await pinterest.send([b"{}"]) for _ in range(3)]
        await pinterest.close()
    assert {answer.body["num_events_processed"] for answer in answers if isinstance(answer, Answer)} == {3}
    assert (len(answers), connections) == (3, 1)


async def test_a_changed_token_is_taken_up_by_the_next_call(sandbox: httpx.ASGITransport, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    pinterest = client(sandbox, token=lambda: SecretStr(path.read_text()))

    before, first = pinterest.fingerprint(), await pinterest.send(PAYLOADS)
    path.write_text(TOKEN)
    after, second = pinterest.fingerprint(), await send(pinterest)

    assert [answer.status for answer in (first, second) if isinstance(answer, Answer)] == [401, 200]
    assert before != after
    assert len(after) == 12


def _missing() -> SecretStr:
    raise FileNotFoundError


@pytest.mark.parametrize(
    "token",
    [SecretStr(""), SecretStr("two words"), SecretStr("line\nbreak"), SecretStr("käse"), _missing],
    ids=["empty", "two words", "line break", "not ASCII", "unreadable file"],
)
async def test_a_token_that_no_header_can_carry_is_not_sent_nor_shown(
    token: TokenSource, sandbox: httpx.ASGITransport
) -> None:
    failure = await send(client(sandbox, token=token))

    assert failure == Failure(reason="the conversion token cannot be read or used", ambiguous=False, token=True)


async def test_an_unreadable_token_has_no_fingerprint(sandbox: httpx.ASGITransport) -> None:
    pinterest = client(sandbox, token=_missing)

    assert pinterest.fingerprint() == ""
    await pinterest.close()


async def test_an_address_that_is_none_is_a_failure() -> None:
    failure = await send(client(httpx.AsyncHTTPTransport(), api_url="ftp://pinterest.test"))

    assert failure == Failure(reason="PINTEREST_API_URL must begin with http:// or https://", ambiguous=False)


@pytest.mark.parametrize("show", [repr, str, lambda value: repr(vars(value))], ids=["repr", "str", "vars"])
async def test_the_token_is_never_shown(show: Callable[[object], str], sandbox: httpx.ASGITransport) -> None:
    pinterest = client(sandbox)
    answer = await send(pinterest)

    assert TOKEN not in show(pinterest)
    assert TOKEN not in repr(answer)


async def test_the_token_is_in_no_traceback() -> None:
    pinterest = client(failing(RuntimeError("a mistake of ours")))

    with pytest.raises(RuntimeError) as caught:
        await send(pinterest)

    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.slow
async def test_a_call_leaves_nothing_that_only_the_garbage_collector_finds(sandbox: httpx.ASGITransport) -> None:
    """Each would hold the body of its call, and a million bytes are few objects: it would not come for long."""
    calling = client(sandbox)
    await calling.send(PAYLOADS)  # what is made once
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await calling.send(PAYLOADS)
        assert gc.collect() < 20
    finally:
        gc.enable()
        await calling.close()
