"""Real processes: servers, and a sandbox that they deliver to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.sandbox import Account, create_sandbox
from tests.outbox.postgres_server import PostgresServer
from tests.process import PLAIN, ROOT, Server
from tests.sandbox.serving import serving_apart
from tests.waiting import until

TOKEN = "whole-process-token-5f0d"
AD_ACCOUNT_ID = "549755885175"


@dataclass(frozen=True, kw_only=True)
class Pinterest:
    """A sandbox that stands for Pinterest."""

    #: Of the sandbox's root.
    url: str
    #: Where it writes every event that it processes, as a line of JSON.
    file: Path

    @property
    def settings(self) -> dict[str, object]:
        """The settings that make a server deliver to it."""
        return {
            "pinterest_ad_account_id": AD_ACCOUNT_ID,
            "pinterest_conversion_token": TOKEN,
            "pinterest_api_url": f"{self.url}/v5",
            "batch_max_wait_s": 0.2,
            "send_timeout_s": 5,  # a lease holds for three times as long, also that of a killed process
        }

    def counts(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.url}/", **PLAIN).json()
        return answer

    def event_ids(self) -> list[str]:
        """Every event id that it processed, once for each time."""
        return [json.loads(line)["event_id"] for line in self.file.read_text(encoding="utf-8").splitlines()]

    def misbehave(self, *steps: dict[str, Any]) -> None:
        httpx.put(f"{self.url}/script", json={"steps": steps}, **PLAIN).raise_for_status()


@pytest.fixture
def pinterest(tmp_path: Path) -> Iterator[Pinterest]:
    """A sandbox in this process; it outlives the servers of the test."""
    file = tmp_path / "sandbox.ndjson"
    with serving_apart(create_sandbox(account=Account(token=SecretStr(TOKEN)), path=file)) as url:
        yield Pinterest(url=url, file=file)


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
    answer = httpx.post(f"{server.url}/webhook", json=events, timeout=30, **PLAIN)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def delivery(server: Server) -> dict[str, Any]:
    """Return how delivery stands."""
    state: dict[str, Any] = httpx.get(f"{server.url}/readyz", **PLAIN).json()["delivery"]
    return state


def is_settled(server: Server) -> bool:
    """Tell whether nothing is on its way any more (asked once: between two answers a delivery may change its state)."""
    state = delivery(server)
    return bool(state["pending"] + state["claimed"] == 0)


def until_settled(server: Server, deadline_s: float = 60) -> None:
    """Wait until nothing is on its way any more."""
    until(lambda: is_settled(server), deadline_s, "everything is delivered")
