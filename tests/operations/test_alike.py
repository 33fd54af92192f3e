"""The console, /api and the commands do one thing alike: the same counts, the same errors, the same nearest name."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.outbox import Outbox, open_outbox
from tests.outbox.build import At, new, rules
from tests.outbox.new_store import new_store
from tests.web.client import client_of

pytestmark = pytest.mark.usefixtures("tuned_back")

OWN_PAGE = {"Origin": "http://127.0.0.1"}
#: What is asked for: the path under /api, its body, the words of the command, and the error that all three tell.
ERRORS: dict[str, tuple[str, dict[str, Any], list[str], str]] = {
    "no such delivery": (
        "deliveries/redrive",
        {"delivery_id": "999999"},
        ["deliveries", "redrive", "--delivery-id", "999999"],
        "delivery 999999 not found; search by its message id",
    ),
    "no such preset": (
        "deliveries/dismiss",
        {"preset": "Order Complet", "because": "x"},
        ["deliveries", "dismiss", "--preset", "Order Complet", "--because", "x"],
        'unknown preset; the nearest is "Order Completed"',
    ),
    "no reason": (
        "deliveries/dismiss",
        {"preset": "Lead", "because": " "},
        ["deliveries", "dismiss", "--preset", "Lead", "--because", " "],
        "Give a reason of 1 to 200 characters",
    ),
    "no such time": (
        "deliveries/redrive",
        {"since": "noon"},
        ["deliveries", "redrive", "--since", "noon"],
        'The filter "since"',
    ),
    "nothing is kept": (
        "quarantine/replay",
        {"all": True},
        ["quarantine", "replay", "--all"],
        "QUARANTINE_HOURS is not set, so nothing is quarantined",
    ),
}


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """The store that all three work on."""
    store = open_outbox(new_store(tmp_path, "pinrelay.db"), rules())
    yield store
    await store.close()


async def by_command(folder: Path, *words: str) -> Result:
    env = {"OUTBOX_URL": f"sqlite:///{folder}/pinrelay.db", "COLUMNS": "200"}
    return await asyncio.to_thread(CliRunner().invoke, cli, list(words), env=env)


@pytest.mark.slow
async def test_errors_are_told_alike(tmp_path: Path, outbox: Outbox, subtests: pytest.Subtests) -> None:
    async with client_of(tmp_path) as client:
        await At(outbox).dead_letter(new(preset="Lead"), "currency is unknown")
        for name, (path, body, words, told) in ERRORS.items():
            with subtests.test(name):
                by_api = await client.post(f"/api/v1/{path}", json=body)
                form = {each: "true" if value is True else str(value) for each, value in body.items()}
                by_console = await client.post(f"/console/{path}", data=form, headers=OWN_PAGE)
                command = await by_command(tmp_path, *words)
                assert told in by_api.json()["detail"]
                assert told.lower() in _plain(by_console.text).lower()
                assert told in str(command.exception) + command.output
                assert by_api.status_code == by_console.status_code or (by_api.status_code, by_console.status_code) == (
                    422,
                    400,
                )


@pytest.mark.slow
async def test_counts_are_told_alike(tmp_path: Path, outbox: Outbox) -> None:
    async with client_of(tmp_path) as client:
        for source in ("api", "console", "command"):
            for number in range(3):
                await At(outbox).dead_letter(new(preset="Lead", source=source, message_id=f"{source}-{number}"), "bad")
        api = (await client.post("/api/v1/deliveries/redrive", json={"source": "api"})).json()
        shown = await client.post("/console/deliveries/redrive", data={"source": "console"}, headers=OWN_PAGE)
        command = await by_command(tmp_path, "deliveries", "redrive", "--source=command")
        entries = (await outbox.audit(limit=9)).entries
    told = parse_qs(urlsplit(shown.headers["location"]).query)
    assert api == {"redriven": 3, "overtaken": 0, "waiting": 0, "too_old": 0, "is_complete": True}
    assert {name: int(told[name][0]) for name in api if name in told} | {"is_complete": True} == api
    assert "3 redriven: " in command.stdout
    assert [each.after for each in entries] == ["3 redriven"] * 3
    assert [each.target for each in entries] == ["source command", "source console", "source api"]


def _plain(page: str) -> str:
    return page.replace("&#34;", '"').replace("&quot;", '"').replace("&#39;", "'")
