"""Real processes: a sandbox alone, and servers that deliver to it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.outbox.postgres_server import PostgresServer
from tests.process import ROOT, Server, free_port
from tests.waiting import until

#: Of requests that are repeated until something holds: certificates, which no test uses, would cost most of their time.
POLLED: dict[str, Any] = {"trust_env": False, "verify": False}

TOKEN = "whole-process-token-5f0d"
AD_ACCOUNT_ID = "549755885175"


@dataclass(frozen=True, kw_only=True)
class Pinterest:
    """A sandbox in a process of its own, standing for Pinterest."""

    server: Server

    @property
    def settings(self) -> dict[str, object]:
        """The settings that make a server deliver to it."""
        return {
            "pinterest_ad_account_id": AD_ACCOUNT_ID,
            "pinterest_conversion_token": TOKEN,
            "pinterest_api_url": f"{self.server.url}/sandbox/v5",
            "batch_max_wait_s": 0.2,
            "send_timeout_s": 5,  # a lease holds for three times as long, also that of a killed process
        }

    def counts(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.server.url}/sandbox/", **POLLED).json()
        return answer

    def event_ids(self) -> list[str]:
        """The ids it received, once for each time (those that it still remembers)."""
        events = httpx.get(f"{self.server.url}/sandbox/events?limit=100000", trust_env=False).json()
        return [event["event_id"] for event in events]

    def misbehave(self, *steps: dict[str, Any]) -> None:
        httpx.put(f"{self.server.url}/sandbox/script", json={"steps": steps}, trust_env=False).raise_for_status()


@pytest.fixture
def pinterest(start_server: Callable[..., Server], tmp_path: Path) -> Pinterest:
    port = free_port()
    arguments = ("sandbox", "--port", str(port), "--token", TOKEN, "--file", str(tmp_path / "sandbox.ndjson"))
    return Pinterest(server=start_server(arguments=arguments, port=port))


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database. Ask for it first: it must outlive the servers."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def outbox_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each engine. Ask for it first, likewise."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path}/pinrelay.db"


@pytest.fixture(scope="session")
def events() -> list[dict[str, Any]]:
    """The 2,000 events of the workload, as if they happened now."""
    lines = (ROOT / "tests/conformance/events.ndjson").read_text(encoding="utf-8").splitlines()
    now = datetime.now(UTC).isoformat()
    return [{**json.loads(line), "timestamp": now} for line in lines]


def post(server: Server, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Post an array to the webhook and return the receipt."""
    answer = httpx.post(f"{server.url}/webhook", json=events, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def delivery(server: Server) -> dict[str, Any]:
    """Return how delivery stands."""
    state: dict[str, Any] = httpx.get(f"{server.url}/readyz", **POLLED).json()["delivery"]
    return state


def is_settled(server: Server) -> bool:
    """Tell whether nothing is on its way any more (asked once: between two answers a delivery may change its state)."""
    state = delivery(server)
    return bool(state["pending"] + state["claimed"] == 0)


def until_settled(server: Server, deadline_s: float = 60) -> None:
    """Wait until nothing is on its way any more."""
    until(lambda: is_settled(server), deadline_s, "everything is delivered")
