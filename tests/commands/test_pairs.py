"""One order, told by the page and by the shop: each row of `pairs.ndjson`, played by `pinrelay preview --story`."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.events import Event
from tests.commands.conftest import Run
from tests.process import ROOT

ROWS = ROOT / "tests/conformance/pairs.ndjson"


def facts(event: Event) -> dict[str, Any]:
    """Return what a row says of an event that is sent."""
    user_data, custom_data = event["user_data"], event.get("custom_data", {})
    return {
        "order_id": custom_data.get("order_id"),
        "value": custom_data.get("value"),
        "currency": custom_data.get("currency"),
        "event_id": event["event_id"],
        "em": user_data.get("em"),
        "click_id": user_data.get("click_id"),
        "opt_out": event.get("opt_out"),
    }


def differences(row: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """Return where a story went otherwise than its row says."""
    expected = row["expected"]
    found = (
        [] if told["outcomes"] == expected["outcomes"] else [f"outcomes {told['outcomes']}, not {expected['outcomes']}"]
    )
    sent = [(each["at"], facts(each["event"])) for each in told["sent"]]
    mine = [(at, event) for at, event in sent if event["order_id"] == row["order_id"]]
    if len(mine) != len(expected["sent"]):
        return [*found, f"sent {mine}, not {expected['sent']}"]
    for (at, event), wanted in zip(mine, expected["sent"], strict=True):
        earliest, latest = wanted.get("at", (at, at))
        if not earliest <= at <= latest:
            found.append(f"sent at {at}, not from {earliest} to {latest}")
        found += [
            f"{name} {event[name]!r}, not {value!r}"
            for name, value in wanted.items()
            if name != "at" and not is_meant(event[name], value)
        ]
    return found


def is_meant(found: Any, wanted: Any) -> bool:
    return bool(found != wanted["not"] if isinstance(wanted, dict) else found == wanted)


@pytest.mark.slow
def test_each_row_goes_as_it_says(run: Run, temporary: Path) -> None:
    rows = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]

    result = run("preview", "--story", ROWS, "--json")

    assert result.exit_code == 0, result.output
    stories = [json.loads(line) for line in result.stdout.splitlines()]
    assert [story["name"] for story in stories] == [row["name"] for row in rows]
    failing = {
        row["name"]: found for row, story in zip(rows, stories, strict=True) if (found := differences(row, story))
    }
    assert failing == {}
