"""`pinrelay message`, over a real outbox."""

import json
import re
from pathlib import Path

import pytest

from app.core.events import DroppedEvent, Outcome
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import NOW, At, new


@pytest.fixture(autouse=True)
def one_message(tmp_path: Path) -> None:
    """An outbox with the message `m-1`: refused by Pinterest, and later sent again, which was a duplicate."""

    async def fill(outbox: Outbox) -> None:
        await At(outbox).dead_letter(new(message_id="m-1", preset="Checkout", warnings=("w: x",)), "bad currency")
        note = DroppedEvent(message_id="m-1", preset="Checkout", outcome=Outcome.DUPLICATE, reason="the same event_id")
        await At(outbox, NOW + 60).enqueue(dropped=(note,))

    in_outbox(tmp_path, fill)


def test_people_read_a_table_of_what_became_of_it_and_of_each_attempt(run: Run) -> None:
    shown = run("message", "m-1").stdout
    assert "held until" not in shown
    assert re.search(r"2027-01-15 08:00:00 .* dead .* Checkout .* public .* bad currency; w: x", shown)
    assert re.search(r"2027-01-15 08:01:00 .* duplicate .* Checkout .* the same event_id", shown)
    assert re.search(r"2027-01-15 08:00:00 .* 1 .* rejected .* 422 .* bad currency", shown)


def test_an_event_that_no_preset_took_leads_to_the_inventory_and_an_unknown_id_to_the_search(
    run: Run, tmp_path: Path
) -> None:
    note = DroppedEvent(
        message_id="m-2", preset=None, outcome=Outcome.UNMATCHED, reason="no preset's trigger holds for this event"
    )
    in_outbox(tmp_path, lambda outbox: At(outbox).enqueue(dropped=(note,)))
    assert "`pinrelay events list` names the nearest preset" in run("message", "m-2").stdout
    assert "`pinrelay events list`" not in run("message", "m-1").stdout
    assert "`pinrelay find SO-1`" in run("message", "SO-1").stderr


TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.mark.parametrize(
    "command", [("message", "m-1"), ("find", "m-1"), ("deliveries", "list"), ("check",), ("status",)]
)
def test_in_eighty_columns_nothing_is_wider_and_every_time_and_id_is_whole(run: Run, command: tuple[str, ...]) -> None:
    wide, narrow = (run(*command, COLUMNS=columns).stdout for columns in ("400", "80"))
    assert max(map(len, narrow.splitlines())) <= 80
    for pattern in (TIME, r"\bm-1\b", r"\bevent-1\b", r"\b549764106778\b", r"\bad account\b"):
        assert len(re.findall(pattern, narrow)) >= len(re.findall(pattern, wide)), pattern


def test_no_cell_is_broken_for_a_program_that_reads_a_table(run: Run) -> None:
    assert run("message", "m-1", COLUMNS=None).stdout == run("message", "m-1", COLUMNS="400").stdout


def test_the_event_id_is_shown(run: Run) -> None:
    event_id = json.loads(run("message", "m-1", "--json").stdout)["deliveries"][0]["event_id"]
    assert re.search(rf"event id +{event_id}\s", run("message", "m-1", COLUMNS="80").stdout)
    assert event_id in run("message", "m-1").stdout


def test_programs_read_json_with_what_its_senders_were_told(run: Run) -> None:
    shown = json.loads(run("message", "m-1", "--json").stdout)
    assert shown["deliveries"][0]["state"] == "dead"
    told = [(line["preset"], line["outcome"]) for line in shown["receipt"]]
    assert told == [("Checkout", "enqueued"), ("Checkout", "duplicate")]


def test_of_an_unknown_message_nothing_is_known(run: Run) -> None:
    result = run("message", "nobody")
    assert result.exit_code == 1
    assert "message nobody not found" in result.output
    assert json.loads(run("message", "nobody", "--json").stdout.splitlines()[0])["deliveries"] == []
