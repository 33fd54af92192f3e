"""Who may ask for what, on loopback and on a public address, for every route that there is."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.sessions import MAX_DELAYED
from app.config import load_settings
from app.main import create_app
from tests.assembled import SHIPPED, settings
from tests.outbox.new_store import new_store
from tests.process import ITSELF, PATH, ROOT, Server, server_environment
from tests.waiting import until, until_async

pytestmark = pytest.mark.usefixtures("tuned_back")

KEY = "0123456789abcdef-key"
PASSWORD = "0123456789abcdef-console"
EVENT = {"type": "page", "messageId": "m", "context": {"traits": {"email": "ada@example.com"}}}
#: Every kind of route: method, path, its body.
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/", None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/sandbox/", None),
    ("GET", "/sandbox/events", None),
    ("PUT", "/sandbox/script", {"steps": []}),
    ("GET", "/console", None),
    ("POST", "/console/mappings/switch", None),
    ("GET", "/api/v1/status", None),
    ("POST", "/api/v1/switch", {"on": True}),
    ("POST", "/webhook", EVENT),
    ("POST", "/webhook/", EVENT),
    ("POST", "/v1/page", EVENT),
    ("POST", "/v1/m", {}),
    ("POST", "/beacon/v1/batch", {"batch": [EVENT]}),
    ("POST", "/api/s/page", EVENT),
    ("GET", "/v1/projects/k/settings", None),
    ("GET", "/projects/k/settings", None),
    ("GET", "/sourceConfig/", None),
]
FOREIGN_PAGES = {
    "another site": {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    "another site in an older browser": {"origin": "https://evil.example"},
    "a name that leads to this machine": {"host": "evil.example:8080"},
}
SHOWN = ["/metrics", "/openapi.json", "/sandbox/", "/sandbox/events", "/sandbox/calls"]


@asynccontextmanager
async def asking(
    folder: Path, *, peer: str = "127.0.0.1", name: str = "localhost:8080", root_path: str = "", **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client at `peer` of a whole application, which it calls by `name`."""
    app = create_app(settings(outbox_url=new_store(folder, "o.db"), **changes))
    transport = httpx.ASGITransport(app, root_path=root_path, client=(peer, 40_000))
    client = httpx.AsyncClient(transport=transport, base_url=f"http://{name}")
    async with app.router.lifespan_context(app), client:
        yield client


def public(folder: Path, **changes: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """A client on another machine of a whole application on a public address."""
    given = {"host": "0.0.0.0", "write_keys": f"shop:{KEY}"} | changes
    return asking(folder, peer="203.0.113.9", name="events.example", **given)


@pytest.mark.parametrize("headers", FOREIGN_PAGES.values(), ids=FOREIGN_PAGES)
async def test_on_loopback_a_foreign_page_reaches_no_route(headers: dict[str, str], tmp_path: Path) -> None:
    async with asking(tmp_path) as client:
        told = {
            (method, path): (await client.request(method, path, json=body, headers=headers)).status_code
            for method, path, body in ROUTES
        }
        received = (await client.get("/sandbox/")).json()["received"]
    assert told == dict.fromkeys(told, 403)
    assert received == 0


async def test_on_loopback_this_machine_reaches_every_route(tmp_path: Path) -> None:
    async with asking(tmp_path) as client:
        told = {
            (method, path): (await client.request(method, path, json=body)).status_code for method, path, body in ROUTES
        }
    no_page_of_ours = {("POST", "/console/mappings/switch"): 403}
    assert {route: status for route, status in told.items() if status >= 400} == no_page_of_ours


async def test_what_asks_for_a_proof_of_its_own_is_reached_under_any_name(tmp_path: Path) -> None:
    async with asking(tmp_path, name="events.example", write_keys="shop:k", public_hosts=("events.example",)) as client:
        event = await client.post("/v1/page", json=EVENT, auth=("k", ""), headers={"origin": "https://shop.example"})
        known = await client.get("/v1/projects/k/settings")
        metrics = await client.get("/metrics")
    assert (event.status_code, event.headers["access-control-allow-origin"]) == (200, "*")
    assert (known.status_code, metrics.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ((), "http://localhost:3000", 403),
        (("http://localhost:3000",), "http://localhost:3000", 200),
        (("http://localhost:3000",), "https://evil.example", 403),
        (("*",), "https://shop.example", 200),
    ],
)
async def test_pages_of_named_origins_send_events_and_reach_nothing_else(
    origins: tuple[str, ...], origin: str, status: int, tmp_path: Path
) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": origin}
    async with asking(tmp_path, sdk_origins=origins) as client:
        event = await client.post("/v1/page", json=EVENT, headers=headers)
        asked = await client.options("/v1/page", headers=headers | {"access-control-request-method": "POST"})
        shown = await client.get("/sandbox/events", headers=headers)
    assert (event.status_code, shown.status_code) == (status, 403)
    assert (asked.status_code == 200) is (status == 200)
    assert ("access-control-allow-origin" in event.headers) is (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer wrong"}, 401), ({"authorization": f"Bearer {PASSWORD}"}, 200)],
    ids=["no token", "a wrong one", "the right one"],
)
async def test_on_a_public_address_what_is_shown_is_behind_the_consoles_access(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    async with public(tmp_path, console_password=PASSWORD) as client:
        told = {path: (await client.get(path, headers=headers)).status_code for path in SHOWN}
    assert told == dict.fromkeys(SHOWN, status)


async def test_on_a_public_address_a_session_of_the_console_shows_it_too(tmp_path: Path) -> None:
    async with public(tmp_path, console_password=PASSWORD) as client:
        own = {"origin": "http://events.example"}
        await client.post("/console/login", data={"password": PASSWORD}, headers=own)
        assert [(await client.get(path)).status_code for path in SHOWN] == [200] * len(SHOWN)
        for headers, status in (({"origin": "https://evil.example"}, 403), (own, 204)):
            assert (await client.put("/sandbox/script", json={"steps": []}, headers=headers)).status_code == status


async def test_on_a_public_address_without_a_password_it_is_closed(tmp_path: Path) -> None:
    async with public(tmp_path) as client:
        assert {(await client.get(path)).status_code for path in SHOWN} == {403}
        forged = {"host": "localhost", "sec-fetch-site": "same-origin"}
        assert {(await client.get(path, headers=forged)).status_code for path in SHOWN} == {403}


async def test_on_a_public_address_anybody_may_ask_whether_the_process_lives(tmp_path: Path) -> None:
    async with public(tmp_path) as client:
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]


async def test_wrong_tokens_beyond_a_hundred_at_once_are_told_to_wait_and_keep_no_right_one_out(tmp_path: Path) -> None:
    paths = ("/metrics", "/api/v1/status", "/console")
    async with public(tmp_path, console_password=PASSWORD) as client:
        wrong = [client.get("/metrics", headers={"authorization": "Bearer wrong"}) for _ in range(MAX_DELAYED)]
        waiting = asyncio.gather(*wrong)
        await asyncio.sleep(0)
        more = await asyncio.gather(*(client.get(path, headers={"authorization": "Bearer wrong"}) for path in paths))
        right = [await client.get(path, headers={"authorization": f"Bearer {PASSWORD}"}) for path in paths]
        assert {answer.status_code for answer in await waiting} == {401}
    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in more[:2]] == [(429, "1")] * 2
    assert more[2].status_code == 429
    assert [answer.status_code for answer in right] == [200] * 3


async def test_a_prefix_before_all_paths_opens_nothing(tmp_path: Path) -> None:
    async with public(tmp_path, root_path="/pins") as client:
        assert (await client.get("/pins/metrics")).status_code == 403


async def test_where_the_store_is_away_a_session_cannot_be_judged_and_a_token_can(tmp_path: Path) -> None:
    given = {"host": "0.0.0.0", "write_keys": f"shop:{KEY}", "console_users": f"bob:{PASSWORD}"}
    app = create_app(settings(outbox_url=new_store(tmp_path, "o.db"), **given))
    async with app.router.lifespan_context(app):
        pass  # at its end the store is closed
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://events.example") as client:
        right, wrong = ({"authorization": f"Bearer {token}"} for token in (PASSWORD, "wrong"))
        told = [
            (await client.get(path, headers=headers)).status_code
            for path, headers in (
                ("/openapi.json", right),
                ("/openapi.json", wrong),
                ("/openapi.json", {"cookie": "pinrelay_console=x"}),
                ("/api/v1/messages/m", right),
                ("/api/v1/messages/m", wrong),
            )
        ]
    assert told == [200, 503, 503, 503, 503]


async def test_a_viewer_is_shown_the_sandbox_and_does_not_set_it(tmp_path: Path) -> None:
    async with public(tmp_path, console_users=f"bob:{PASSWORD}") as client:
        headers = {"authorization": f"Bearer {PASSWORD}"}
        assert (await client.get("/sandbox/events", headers=headers)).status_code == 200
        answer = await client.put("/sandbox/script", json={"steps": []}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "viewer")


async def test_an_authenticating_proxy_of_this_machine_that_names_nobody_reaches_nothing(tmp_path: Path) -> None:
    statuses = {("GET", "/metrics"): 200, ("GET", "/readyz"): 200, ("POST", "/webhook"): 403, ("POST", "/v1/page"): 403}
    async with asking(tmp_path, console_user_header="X-Webauth-User", trusted_proxies="127.0.0.1") as client:
        nobody = {route: (await client.request(*route)).status_code for route in statuses}
        ada = {"X-Webauth-User": "ada"}
        named = {route: (await client.request(*route, headers=ada)).status_code for route in statuses}
    assert nobody == dict.fromkeys(statuses, 403)
    assert named == statuses


async def test_secrets_in_files_are_taken_up_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: tmp_path / name for name in ("WRITE_KEYS", "WEBHOOK_HEADER", "CONSOLE_USERS")}
    texts = {"WRITE_KEYS": "shop:one", "WEBHOOK_HEADER": "X-Key: one", "CONSOLE_USERS": "ada:operator:one"}
    for name, path in files.items():
        path.write_text(texts[name], encoding="utf-8")
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_FILE", str(path))
    app = create_app(load_settings(outbox_url=new_store(tmp_path, "o.db"), **SHIPPED))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    async def told(word: str) -> list[int]:
        return [
            (await client.post("/v1/page", json=EVENT, auth=(word, ""))).status_code,
            (await client.post("/webhook", json=EVENT, headers={"X-Key": word})).status_code,
            (await client.get("/api/v1/status", headers={"authorization": f"Bearer {word}"})).status_code,
        ]

    async with app.router.lifespan_context(app), client:
        assert await told("one") == [200, 200, 200]
        for name, path in files.items():
            path.write_text(texts[name].replace("one", "second"), encoding="utf-8")

        async def is_taken_up() -> bool:
            return await told("second") == [200, 200, 200]

        await until_async(is_taken_up, what="the files are taken up")
        assert await told("one") == [401, 401, 401]


@pytest.mark.slow
async def test_a_proxy_that_sends_http_1_0_without_addresses_opens_nothing(start_server: Callable[..., Server]) -> None:
    """nginx without `proxy_set_header` names its upstream in `Host`, and adds no header about the client."""
    server = start_server()
    answers = {}
    for version in ("1.0", "1.1"):
        for path in ("/console", "/metrics", "/api/v1/status"):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            head = f"GET {path} HTTP/{version}\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answers[version, path] = (await asyncio.wait_for(reader.read(), 20)).split(b" ", 2)[1]
            writer.close()
    assert {answers["1.0", path] for path in ("/console", "/metrics", "/api/v1/status")} == {b"403"}
    assert {answers["1.1", path] for path in ("/console", "/metrics", "/api/v1/status")} == {b"200"}


class Namespaces:
    """A machine and its container, each with its own network: two network namespaces with a link between."""

    GATEWAYS = ("172.30.0.1", "fd00:dead::1")
    #: Addresses of other machines whose connections reach the container with their own address.
    OTHERS = ("172.30.0.20", "fd00:dead::20")
    CONTAINER = ("172.30.0.2", "fd00:dead::2")

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._machine = self._start("unshare", "-Urn", "sleep", "infinity")
        until(lambda: self._is_apart(self._machine, "self"), what="the machine has a network")
        self._container = self._start(*self.machine("unshare", "-n", "sleep", "infinity"))
        peer = f"netns /proc/{self._container.pid}/ns/net"
        until(lambda: self._is_apart(self._container, self._machine.pid), what="the container has a network")
        assert self._run(f"ip link add veth0 type veth peer name eth0 {peer}")
        for address in (*self.GATEWAYS, *self.OTHERS):
            assert self._run(f"ip address add {self._with_prefix(address)} dev veth0")
        assert self._run("ip link set veth0 up")
        commands = [f"ip address add {self._with_prefix(address)} dev eth0" for address in self.CONTAINER]
        commands += ["ip link set lo up", "ip link set eth0 up"]
        commands += [f"ip route add default via {gateway}" for gateway in self.GATEWAYS]
        for command in commands:
            assert self._run(command, self.container), command

    def machine(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self._machine.pid), "-U", "-n", "--preserve-credentials", *command)

    def container(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self._container.pid), "-U", "-n", "--preserve-credentials", *command)

    def status(self, peer: str, port: int) -> str:
        """Return the status of the console for a client with the address `peer` that sends a `Host` of loopback."""
        host = self.CONTAINER[":" in peer]
        program = (
            "from http.client import HTTPConnection as C;"
            f"c = C({host!r}, {port}, timeout=20, source_address=({peer!r}, 0));"
            f"c.request('GET', '/console', headers={{'Host': 'localhost:{port}'}}); print(c.getresponse().status)"
        )
        command = self.machine(sys.executable, "-c", program)
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    @staticmethod
    def _is_apart(process: subprocess.Popen[bytes], other: object) -> bool:
        """Return whether a process has a network of its own; `unshare` starts its program after that."""
        own, network = (Path(f"/proc/{pid}/ns/net").stat().st_ino for pid in (process.pid, other))
        return own != network and Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n"

    def _run(self, command: str, within: Callable[..., tuple[str, ...]] | None = None) -> bool:
        words = (within or self.machine)(*command.split())
        return subprocess.run(words, capture_output=True, env={"PATH": PATH}, check=False).returncode == 0

    @staticmethod
    def _with_prefix(address: str) -> str:
        return f"{address}/64 nodad" if ":" in address else f"{address}/24"


def network_namespaces_are_missing() -> bool:
    """Return whether this machine gives no network namespaces to a test."""
    if not all(shutil.which(program, path=PATH) for program in ("unshare", "nsenter", "ip")):
        return True
    tried = "ip link add veth0 type veth peer name veth1"
    return subprocess.run(["unshare", "-Urn", *tried.split()], env={"PATH": PATH}, check=False).returncode != 0


@pytest.mark.whole
@pytest.mark.parametrize(("host", "version"), [("0.0.0.0", 4), ("::", 6)])
def test_in_a_container_other_machines_do_not_open_the_console(host: str, version: int, tmp_path: Path) -> None:
    """`ports` of Compose was changed by hand, so PUBLISHED_ON_LOOPBACK is set and other machines reach the port."""
    if network_namespaces_are_missing():
        pytest.skip("this machine gives no network namespaces to this user")
    with ExitStack() as stack:
        namespaces = Namespaces(stack)
        environment = server_environment(tmp_path, host=host, published_on_loopback="127.0.0.1", port=8080)
        log = tmp_path / "server.log"
        with log.open("wb") as output:
            command = namespaces.container(*ITSELF, "serve")
            server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        until(lambda: b"Uvicorn running on" in log.read_bytes(), 60, "the server listens")

        peers = [each for each in (*namespaces.GATEWAYS, *namespaces.OTHERS) if ip_address(each).version == version]
        statuses = [namespaces.status(peer, 8080) for peer in peers]

    assert statuses == ["200", "403"]
