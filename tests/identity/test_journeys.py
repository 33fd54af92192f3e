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
from app.commands.preview import preview_in_order
from app.source import Arrival, read_event
from app.source.responses import event_json
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


@pytest.mark.slow
def test_each_delivery_of_the_journeys_holds_what_the_rules_give_it() -> None:
    settings = assembled.settings(**SETTINGS)
    events = [read_event(orjson.loads(orjson.dumps(row.event)), Arrival.at(0)) for row in rows()]
    receipts = list(preview_in_order(events, settings, assembled.shipped_catalog(), clock=0))
    assert wrong([event_json(receipt)["deliveries"] for receipt in receipts]) == []


@pytest.mark.slow
def test_the_command_sums_up_by_preset_what_memory_would_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an order by user id an event carries, by itself: event id, user agent, IP, order id and value, external id."""
    person = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
    order = {"order_id": "7", "revenue": 20, "currency": "USD"}
    events: list[dict[str, Any]] = [
        {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}},
        {"type": "page", "anonymousId": "x", "context": {"page": {"url": "https://shop.example/?epik=dj0yJnU9YWJj"}}},
        {"type": "track", "event": "Order Completed", "userId": "ann", "context": person, "properties": order},
    ]
    file = tmp_path / "events.ndjson"
    complete = ({"messageId": f"m-{n}", "timestamp": 1_800_000_000 + n, **each} for n, each in enumerate(events))
    file.write_bytes(b"\n".join(map(orjson.dumps, complete)))
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(cli, ["preview", "--journey", str(file)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    rows_ = [line.replace("\u2502", " ").split() for line in result.stdout.splitlines()]
    assert ["Order", "Completed", "1", "6.00", "8.00"] in rows_
    assert ["Page", "Visit", "1", "3.00", "5.00"] in rows_
    assert ["all", "2", "4.50", "6.50"] in rows_


@pytest.mark.slow
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
