"""Every row of the conformance vectors: what our language answers, on purpose different from Segment's where it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import TriggerError
from app.trigger import compile_trigger

Row = dict[str, Any]

VECTORS = Path(__file__).parents[1] / "conformance" / "trigger.ndjson"
ROWS: list[Row] = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def answer(row: Row) -> bool | str:
    try:
        return compile_trigger(row["subscribe"]).matches(row["event"])
    except TriggerError:
        return "error"


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['id']}-{row['topic']}" for row in ROWS])
def test_a_row_holds(row: Row) -> None:
    assert answer(row) == row["expected"], row["subscribe"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["expected"] != "error"], ids=lambda row: row["id"])
def test_the_explanation_agrees(row: Row) -> None:
    assert compile_trigger(row["subscribe"]).explain(row["event"]).held == row["expected"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["expected"] is True], ids=lambda row: row["id"])
def test_the_bounds_pass_over_no_event_that_matches(row: Row) -> None:
    trigger, event = compile_trigger(row["subscribe"]), row["event"]

    assert trigger.types is None or event.get("type") in trigger.types
    assert trigger.events is None or event.get("event") in trigger.events


def test_all_rows_hold(capsys: pytest.CaptureFixture[str]) -> None:
    passed = sum(answer(row) == row["expected"] for row in ROWS)
    differing = sum(row["expected"] != row["segment"] for row in ROWS)

    with capsys.disabled():
        print(f"\ntrigger vectors: {passed} of {len(ROWS)} hold, {differing} differ from Segment")  # noqa: T201  # asked for

    assert passed == len(ROWS) == 502
