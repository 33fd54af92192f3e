"""Every row of the vectors gives what Segment's engine gives, or stands in differences.yaml with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from app.errors import MappingError
from app.mapping import compile_mapping

Row = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "conformance"
ROWS: list[Row] = [
    json.loads(line) for line in (FOLDER / "mapping.ndjson").read_text(encoding="utf-8").strip().split("\n")
]
DIFFERENCES: dict[str, str] = yaml.safe_load((FOLDER / "differences.yaml").read_text(encoding="utf-8"))["mapping"]


def without_absent(value: Any) -> Any:
    """Leave out members that are null, {} or []: the README of the vectors counts them as absent."""
    if isinstance(value, bool):
        return ("boolean", value)  # in Python True == 1
    if isinstance(value, list):
        return [without_absent(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {key: without_absent(member) for key, member in value.items()}
    return {key: member for key, member in members.items() if member not in (None, {}, [])}


def holds(row: Row) -> bool:
    """Say whether we give what was recorded."""
    try:
        value = compile_mapping(row["mapping"]).resolve(row["payload"])
    except MappingError:
        return "error" in row
    if "error" in row:
        return False
    ours, theirs = without_absent(value), without_absent(row["expected"])
    return bool(ours == theirs) or (not ours and not theirs and ours in (None, {}, []))


def test_every_row_holds_unless_it_is_listed(record_figure: Callable[[str, object], None]) -> None:
    held = {row["id"] for row in ROWS if holds(row)}
    wrong = [row for row in ROWS if (row["id"] in held) is (row["id"] in DIFFERENCES)]
    record_figure("mapping vectors", f"{len(held)} of {len(ROWS)} hold, {len(DIFFERENCES)} listed differences")

    assert wrong == []
    assert len(ROWS) == 628


def test_every_listed_row_exists_and_has_its_reason() -> None:
    assert DIFFERENCES.keys() <= {row["id"] for row in ROWS}
    assert all(len(reason) > 20 for reason in DIFFERENCES.values())


def test_at_most_six_percent_are_listed() -> None:
    assert len(DIFFERENCES) <= 0.06 * len(ROWS)
