"""Identity memory over the journeys of 300 visitors: by calls in order, and by `pinrelay preview --journey`."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.commands.journeys import journey
from app.source import Arrival, event_json, read_event
from tests import assembled
from tests.identity.journeys import SETTINGS, rows, shown
from tests.process import ROOT

Deliveries = Sequence[dict[str, Any]]


def wrong(told: Sequence[Deliveries]) -> list[Any]:
    """What differs from the cases, which look at one delivery each."""
    return [
        (row.event["messageId"], found, row.expected)
        for row, deliveries in zip(rows(), told, strict=True)
        if row.expected is not None and (found := list(map(shown, deliveries))) != [row.expected]
    ]


def test_each_delivery_of_the_journeys_holds_what_the_rules_give_it() -> None:
    settings = assembled.settings(**SETTINGS)
    events = [read_event(orjson.loads(orjson.dumps(row.event)), Arrival.at(0)) for row in rows()]
    receipts = list(journey(events, settings, assembled.shipped_catalog(), clock=0))
    assert wrong([event_json(receipt)["deliveries"] for receipt in receipts]) == []


def test_the_command_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(orjson.dumps(row.event) for row in rows()))
    monkeypatch.chdir(ROOT)
    nobodys = dict.fromkeys((name for name in os.environ if name.startswith("REMEMBER_")), None)
    command = ["preview", "--journey", str(file), "--remember-days", "90", "--json"]
    result = CliRunner().invoke(cli, command, env=nobodys)
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["message_id"] for each in told] == [row.event["messageId"] for row in rows()]
    assert wrong([each["deliveries"] for each in told]) == []
