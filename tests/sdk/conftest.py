"""One real server that every client of this folder is pointed at, and what its sandbox received."""

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.process import PLAIN, ROOT, Server, clean_environment, free_port
from tests.waiting import until

NODE_PROGRAMS = ROOT / "tests" / "node"
WRITE_KEY = "4f1c-shop"
SHARED_SECRET = "abc123"
CLIENT_S = 60


@dataclass(frozen=True, kw_only=True)
class Door:
    """A server in sandbox mode that asks for a write key and for Segment's signature."""

    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def received(self, event_id: str) -> list[dict[str, Any]]:
        """The events with this id that the sandbox has received."""
        answer = httpx.get(f"{self.url}/sandbox/events", params={"event_id": event_id}, **PLAIN)
        events: list[dict[str, Any]] = answer.json()
        return events

    def arrives(self, event_id: str, event_name: str) -> dict[str, Any]:
        """Wait for the one event with this id, which must have this name, and return it."""
        events = until(lambda: self.received(event_id), 20, f"{event_name} {event_id} reaches the sandbox")
        assert [(event["event_id"], event["event_name"]) for event in events] == [(event_id, event_name)]
        return events[0]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    port = free_port()
    environment = clean_environment(
        port=port,
        outbox_url=f"sqlite:///{folder}/pinrelay.db",
        log_format="json",
        write_keys=f"shop:{WRITE_KEY}",
        webhook_shared_secrets=f"new-secret,{SHARED_SECRET}",
        trusted_proxies="127.0.0.1",
        batch_max_wait_s=0.1,
    )
    server = Server(port=port, environment=environment, log_path=folder / "server.log")
    try:
        server.start()
        yield Door(server=server)
    finally:
        server.end()


@pytest.fixture
def new_id() -> Callable[[], str]:
    """`new_id()` gives a message id that no other test uses."""
    return lambda: f"sdk-{uuid.uuid4()}"


@pytest.fixture(scope="session")
def node_packages() -> None:
    """Skip where the clients from npm are missing."""
    if shutil.which("node") is None:
        pytest.skip("there is no node: install Debian's packages nodejs and npm")
    if not (NODE_PROGRAMS / "node_modules").is_dir():
        pytest.skip("the clients from npm are missing: run `npm ci` in tests/node (`make test` does it)")


@pytest.fixture
def run_node(node_packages: None) -> Callable[..., str]:
    """`run_node(program, *arguments, given="")` runs a program of tests/node to its end and returns what it printed."""

    def run(program: str, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            ["node", program, *arguments],
            cwd=NODE_PROGRAMS,
            env=clean_environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=CLIENT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
