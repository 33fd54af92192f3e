"""Every row of the conformance vectors: what our language answers, on purpose different from Segment's where it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.errors import TriggerError
from app.trigger import compile_trigger

Row = dict[str, Any]

VECTORS = Path(__file__).parents[1] / "conformance" / "trigger.ndjson"
ROWS: list[Row] = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def named(row: Row) -> str:
    return f"{row['id']} ({row['topic']}): {row['subscribe']}"


def answer(row: Row) -> bool | str:
    try:
        return compile_trigger(row["subscribe"]).matches(row["event"])
    except TriggerError:
        return "error"


def explains(row: Row) -> bool:
    """Whether the explanation comes to the same; what is no trigger has none."""
    if row["expected"] == "error":
        return True
    expected: bool = row["expected"]
    return compile_trigger(row["subscribe"]).explain(row["event"]).held is expected


def is_within_bounds(row: Row) -> bool:
    """Whether an event that matches is of the types and of the names that the trigger is asked about at all."""
    if row["expected"] is not True:
        return True
    trigger, event = compile_trigger(row["subscribe"]), row["event"]
    of_a_type = trigger.types is None or event.get("type") in trigger.types
    return of_a_type and (trigger.events is None or event.get("event") in trigger.events)


def test_every_row_holds(record_figure: Callable[[str, object], None]) -> None:
    wrong = {named(row): given for row in ROWS if (given := answer(row)) != row["expected"]}
    differing = sum(row["expected"] != row["segment"] for row in ROWS)
    record_figure("trigger vectors", f"{len(ROWS) - len(wrong)} of {len(ROWS)} hold, {differing} differ from Segment")

    assert wrong == {}
    assert len(ROWS) == 502


def test_the_explanation_of_every_row_agrees() -> None:
    assert [named(row) for row in ROWS if not explains(row)] == []


def test_the_bounds_pass_over_no_event_that_matches() -> None:
    assert [named(row) for row in ROWS if not is_within_bounds(row)] == []
