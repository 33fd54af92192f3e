"""The vectors of the action: mapping and destination together, judged by Pinterest's schema."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.destination import report_conversion_event
from app.destination.privacy_flags import read_permission
from app.errors import EventInvalid
from app.mapping import compile_mapping
from tests.assembled import shipped_catalog
from tests.rounds import some_of

FOLDER = Path(__file__).parent.parent / "conformance"
ROWS = {row["id"]: row for row in map(json.loads, (FOLDER / "action.ndjson").read_text("utf-8").splitlines())}
#: Of the rows, how many may stand in differences.yaml.
MOST_DIFFERENCES = 0.04

#: Read apart: required, or hashed.
#: In no schema of Pinterest, so it is not sent.
NEVER_SENT = "advertiser_tracking_enabled"
NOT_OPTIONAL = {"event_name", "action_source", "event_time", "event_id", "user_data"}

Judge = Callable[[dict[str, Any]], list[str]]


def accepted_differences() -> dict[str, str]:
    """Read `action: {row id: why ours is right}`."""
    file = FOLDER / "differences.yaml"
    listed = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    return listed.get("action") or {}


def worth_sending(value: Any) -> Any:
    """Take away what compares as absent: null, empty objects, lists and texts."""
    if isinstance(value, dict):
        value = {key: worth_sending(item) for key, item in value.items()}
        return {key: item for key, item in value.items() if item not in (None, "", {}, [])}
    if isinstance(value, list):
        return [item for item in map(worth_sending, value) if item not in (None, "", {}, [])]
    return value


def comparable(event: dict[str, Any], presence_only: list[str]) -> dict[str, Any]:
    """Take away what is not compared, and keep of some digests only that they are there."""
    kept: dict[str, Any] = worth_sending(
        {key: value for key, value in event.items() if key not in ("partner_name", "np", NEVER_SENT)}
    )
    for path in presence_only:
        name = path.removeprefix("user_data.")
        if name in kept.get("user_data", {}):
            kept["user_data"][name] = "present"
    return kept


@cache
def built(row_id: str) -> tuple[dict[str, Any], dict[str, Any] | None, list[str]]:
    """Return the resolved fields, the event (None: invalid) and its warnings."""
    row = ROWS[row_id]
    fields = compile_mapping(row["mapping"]).resolve(row["event"])
    try:
        event, warnings = report_conversion_event(fields, now=None)
    except EventInvalid:
        return fields, None, []
    return fields, event, warnings


def leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield (name of the member, text) of everything that a tree holds."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, name)
    else:
        yield name, str(value)


def unsaid(fields: dict[str, Any], event: dict[str, Any], warnings: list[str]) -> list[str]:
    """List the members that were given, are not in the event as they were, and that no warning names."""
    said = " ".join(warnings)
    silent = set()
    for name, given in worth_sending(fields).items():
        if name not in (*NOT_OPTIONAL, NEVER_SENT) and f"{name}:" not in said:
            sent = set(leaves(event.get(name), name))
            silent |= {
                member for member, text in leaves(given, name) if (member, text) not in sent and member not in said
            }
    return sorted(silent)


def fault(row: dict[str, Any], judge: Judge) -> str:
    """Say what is wrong with a row; "" where it holds."""
    expected = row["expected"]
    fields, event, warnings = built(row["id"])
    if event is None:
        return "" if expected == "invalid" else "it was refused"
    if expected == "invalid":
        return "it was not refused"
    if expected == "repaired":
        silent = [f"{name} was changed without a word" for name in unsaid(fields, event, warnings)]
        return "; ".join(judge(event) + silent)
    presence_only = row.get("compare_presence_only", [])
    return "" if comparable(event, presence_only) == comparable(expected, presence_only) else f"got {event}"


@pytest.mark.slow
def test_the_vectors_hold(judged_by_pinterest: Judge, record_figure: Callable[[str, object], None]) -> None:
    differences = accepted_differences()

    failed = {row["id"]: why for row in ROWS.values() if (why := fault(row, judged_by_pinterest))}

    record_figure("action vectors", f"{len(ROWS) - len(failed)} of {len(ROWS)} hold")
    assert {id_: why for id_, why in failed.items() if id_ not in differences} == {}
    assert [id_ for id_ in differences if id_ not in failed] == [], "they hold: take them out"
    assert len(differences) <= MOST_DIFFERENCES * len(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(("flag", "careful"), [("opt_out", True), (NEVER_SENT, False)])
def test_privacy_flags_of_the_vectors_fail_closed(flag: str, careful: bool) -> None:  # noqa: FBT001 - a table's column
    readable = {"true": True, "false": False, "1": True, "0": False}
    for row_id in ROWS:
        fields, event, _ = built(row_id)
        given = fields.get(flag)
        if event and given not in (None, ""):
            value = read_permission(given)[0] if flag == NEVER_SENT else event[flag]
            assert value is readable.get(str(given).lower(), careful), row_id


@pytest.mark.slow
def test_every_event_of_the_vectors_is_valid_at_pinterest(judged_by_pinterest: Judge) -> None:
    events = {row_id: event for row_id in ROWS if (event := built(row_id)[1])}

    assert len(events) > len(ROWS) / 2
    assert {id_: faults for id_, event in events.items() if (faults := judged_by_pinterest(event))} == {}


@pytest.mark.slow
@pytest.mark.prove
def test_every_realistic_event_is_valid_at_pinterest(
    judged_by_pinterest: Judge, record_figure: Callable[[str, object], None]
) -> None:
    """events.ndjson through the presets and mappings that the project brings."""
    catalog = shipped_catalog()
    faults = {}
    count = 0
    for line in some_of((FOLDER / "events.ndjson").read_text("utf-8").splitlines()):
        event = json.loads(line)
        for preset in catalog.enabled:
            if preset.trigger.matches(event):
                count += 1
                built_event, _ = report_conversion_event(preset.mapping.resolve(event), now=None)
                if found := judged_by_pinterest(built_event):
                    faults[event["messageId"], preset.name] = found

    record_figure("events.ndjson", f"{count} events, {count - len(faults)} valid by Pinterest's schema")
    assert count > 0
    assert faults == {}
