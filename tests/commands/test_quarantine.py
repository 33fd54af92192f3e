"""`pinrelay quarantine`."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.outbox import open_outbox
from app.source import Intake
from tests import assembled
from tests.commands.conftest import Run

KEY = "a key of the quarantine, long enough"
ON = {"QUARANTINE_HOURS": "72", "QUARANTINE_KEY": KEY, "QUARANTINE_NAMES": "Purchase"}
PRESET = """
name: Purchase
subscribe: event = "Purchase"
action: report_conversion_event
mapping: {event_name: lead}
"""
EVENTS: list[dict[str, Any]] = [
    {"type": "track", "event": "Purchase", "messageId": "m-1", "context": {"ip": "203.0.113.9", "userAgent": "x"}},
    {"type": "track", "event": "Order Completed", "messageId": "m-2", "properties": {"order_id": "SO-1"}},
]


async def receive(outbox_url: str) -> None:
    """Receive the events as the server does, now."""
    own = {name.lower(): value for name, value in ON.items()} | {"quarantine_names": ("Purchase",)}
    settings = assembled.settings(outbox_url=outbox_url, **own)
    outbox = open_outbox(outbox_url, settings)
    keeps = assemble.quarantine(settings, outbox)
    pipeline = assemble.pipeline(settings, assembled.shipped_catalog(), outbox=outbox, quarantine=keeps)
    now = time.time()
    await pipeline.accept(Intake([{"timestamp": now, "context": {}, **event} for event in EVENTS], now=now))
    await outbox.close()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two events that were received and are kept; the folder of presets of one's own."""
    asyncio.run(receive(f"sqlite:///{tmp_path}/o.db"))
    mine = tmp_path / "mine"
    mine.mkdir()
    return mine


def shown(run: Run, *words: str, **more: str) -> list[dict[str, object]]:
    done = run("quarantine", *words, "--json", **ON | more)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("kept")
def test_what_made_no_delivery_is_kept_and_listed(run: Run) -> None:
    groups = shown(run, "list")
    assert [(each["name"], each["outcome"], each["count"]) for each in groups] == [
        ("Order Completed", "invalid", 1),
        ("Purchase", "unmatched", 1),
    ]
    table = run("quarantine", "list", **ON).stdout
    assert "Order Completed" in table
    assert "user_data" in table


def test_a_new_preset_takes_what_is_kept_and_it_leaves(run: Run, kept: Path) -> None:
    (kept / "purchase.yaml").write_text(PRESET, encoding="utf-8")
    both = {"PRESETS_DIR": f"presets,{kept}"}
    (before,) = shown(run, "preview", "--name", "Purchase", **both)
    assert (before["events"], before["leaving"]) == (1, 1)
    done = run("quarantine", "replay", "--all", **ON | both)
    assert "leaving" in done.stdout
    assert "by_preset" in done.stdout
    assert "enqueued: 1" in done.stdout
    assert [each["name"] for each in shown(run, "list")] == ["Order Completed"]
    assert "replayed from quarantine" in run("audit").stdout


@pytest.mark.usefixtures("kept")
def test_what_is_discarded_is_gone(run: Run) -> None:
    assert shown(run, "discard", "--all", "--dry-run") == [{"discarded": 2}]
    assert (
        run("quarantine", "discard", "--outcome", "invalid", **ON).stdout
        == "1 discarded: Erased from the quarantine.\n"
    )
    assert shown(run, "discard", "--all") == [{"discarded": 1}]
    assert shown(run, "list") == []
    assert "discarded from quarantine" in run("audit").stdout


@pytest.mark.usefixtures("kept")
def test_what_another_key_sealed_is_told(run: Run) -> None:
    (told,) = shown(run, "preview", QUARANTINE_KEY="another key of the quarantine, long")
    assert (told["events"], told["unreadable"]) == (2, 2)


def test_all_must_be_said(run: Run) -> None:
    done = run("quarantine", "replay", **ON)
    assert (done.exit_code, "Give at least one filter" in done.output) == (2, True)


def test_where_it_is_off_the_command_says_how_to_switch_it_on(run: Run) -> None:
    done = run("quarantine", "list")
    assert done.exit_code == 1
    assert "QUARANTINE_HOURS" in str(done.exception)
