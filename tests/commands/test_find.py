"""`pinrelay find`, over a real outbox."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from app.core.events import DroppedEvent, Outcome
from app.outbox import SEARCH_FILTERS, Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import At, new, payload
from tests.process import ROOT


@pytest.fixture(autouse=True)
def events(tmp_path: Path) -> None:
    """Three orders of one shop, one of them of a person, and a note."""
    of_ann = payload(em=[sha256(b"ann@shop.example").hexdigest()])

    async def fill(outbox: Outbox) -> None:
        note = DroppedEvent(
            message_id="n-1", preset="Checkout", outcome=Outcome.INVALID, reason="no identifier", order_id="SO-4"
        )
        orders = [new(message_id=f"m-{n}", order_id=f"SO-{n}", amount="10.00", currency="EUR") for n in (1, 2)]
        await At(outbox).enqueue(*orders, new(message_id="m-3", order_id="SO-3", payload=of_ann), dropped=(note,))

    in_outbox(tmp_path, fill)


def _ids(output: str) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in output.splitlines() if line.strip()]
    return [(line["kind"], line["message_id"]) for line in lines]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("SO-2",), [("delivery", "m-2")]),
        (("SO-4",), [("dropped_event", "n-1")]),
        (("order_id=SO-1", "preset=checkout"), [("delivery", "m-1")]),
        (("preset=checkout", "--limit", "2"), [("delivery", "m-3"), ("delivery", "m-2")]),
        (("outcome=invalid",), [("dropped_event", "n-1")]),
        ((), [("delivery", "m-3"), ("delivery", "m-2"), ("delivery", "m-1"), ("dropped_event", "n-1")]),
    ],
    ids=str,
)
def test_events_are_found_by_what_is_at_hand(
    run: Run, arguments: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    assert _ids(run("find", "--json", *arguments).stdout) == found


def test_a_person_is_typed_in_and_found_by_the_digest(run: Run) -> None:
    result = run("find", "--person", "--json", stdin="Ann@Shop.example\n")
    assert _ids(result.stdout) == [("delivery", "m-3")]
    assert "shop.example" not in result.stdout.lower()
    assert run("find", "--person", stdin="nobody\n").exit_code == 2
    assert run("find", "--person", stdin="nobody@shop.example\n").exit_code == 1


def test_of_what_is_held_people_read_until_when(run: Run, tmp_path: Path) -> None:
    async def fill(outbox: Outbox) -> None:
        await At(outbox).enqueue(new(message_id="held", order_id="SO-9", hold_s=10**9))

    in_outbox(tmp_path, fill)
    assert re.search(r"held until 2058-09-23 \d\d:\d\d:\d\d .* SO-9", run("find", "SO-9").stdout)
    assert re.search(r"held until 2058-09-23 \d\d:\d\d:\d\d .* pending", run("message", "held").stdout)


def test_people_read_tables_with_times(run: Run) -> None:
    shown = run("find").stdout
    assert re.search(r"2027-01-15 08:00:00 .* SO-1 10.00 EUR .* m-1 ", shown)
    assert re.search(r"2027-01-15 08:00:00 .* invalid .* SO-4 .* n-1 .* no identifier", shown)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("ann@shop.example",), 2, "use --person"),
        (("order=SO-1",), 1, "event_name"),
        (("preset=checkout", "SO-1"), 2, "is not a filter"),
        (("SO-99",), 1, "no match"),
        (("order_id=SO-99",), 1, "no match"),
    ],
    ids=str,
)
def test_what_cannot_be_found_is_told(run: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = run("find", *arguments)
    assert result.exit_code == code
    assert told in re.sub(r"[\s│]+", " ", result.output + str(result.exception))


def test_the_help_names_every_filter(run: Run) -> None:
    shown = re.sub(r"[\s│]+", " ", run("find", "--help").stdout)
    assert [name for name in SEARCH_FILTERS if name not in shown] == []


def test_what_is_printed_as_json_has_the_documented_names(run: Run) -> None:
    (row,) = re.findall(r"^\| `find` \| (.*) \|$", (ROOT / "docs/command-output.md").read_text("utf-8"), re.MULTILINE)
    names = set(re.findall(r"`(\w+)`", row))
    lines = [json.loads(line) for line in run("find", "--json").stdout.splitlines()]
    assert [names - line.keys() for line in lines] == [set()] * len(lines)
