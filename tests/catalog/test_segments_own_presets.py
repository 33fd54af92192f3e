"""Round trip: what Segment's destination for Pinterest comes with is imported, and sends what Segment's would send.

The subscriptions are printed by bench/node/subscriptions.cjs; the mappings of tests/conformance/action.ndjson hold
Segment's newer format too.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from app.catalog.catalog import compile_catalog
from app.catalog.foreign_presets import ImportedPreset, Subscription, import_preset, read_foreign
from app.destination import report_conversion_event
from app.errors import EventInvalid, MappingError
from app.mapping import Mapping, compile_mapping
from tests.process import ROOT
from tests.rounds import some_of
from tests.rows import every_row

ACTION = (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
SUBSCRIPTIONS = read_foreign((ROOT / "tests/cases/segment_subscriptions.json").read_text(encoding="utf-8"))
FOLDER = ROOT / "tests/conformance"
EVENTS = [json.loads(line) for line in (FOLDER / "events.ndjson").read_text(encoding="utf-8").splitlines()]
ROWS = [json.loads(line) for line in (FOLDER / "action.ndjson").read_text(encoding="utf-8").splitlines()]
#: Nobody's default: whoever wants it maps it.
OPT_OUT = "opt_out"
OPT_OUTS = {OPT_OUT, "advertiser_tracking_enabled", "custom_data.opt_out_type"}
DEFAULTS_READ_MORE = "uses Pinrelay's default"
NOT_TAKEN = "could not be"


@cache
def imported_of(number: int) -> ImportedPreset:
    return import_preset(SUBSCRIPTIONS[number], ACTION)


def mapping_of(preset: ImportedPreset) -> Mapping:
    """Return the compiled mapping of a preset's file, as the catalog loads it."""
    assert preset.text is not None, preset.told
    return compile_catalog({"mine.yaml": preset.text}, {"report_conversion_event.yaml": ACTION}).presets[0].mapping


def without_opt_out(mapping: Any) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if not (name == OPT_OUT and value is True)}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of what an object holds and is worth sending; a list is one value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif value not in (None, "", []):
        while path in OPT_OUTS and isinstance(value, list) and len(value) == 1:
            (value,) = value  # shipped opt-outs are read beside an own one, which is then in a list
        yield path, value


def sent(mapping: Mapping, event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the finished event; None where Pinterest would refuse it."""
    try:
        return report_conversion_event(mapping.resolve(event) or {}, now=None)[0]
    except (EventInvalid, MappingError):
        return None


def differences(original: Mapping, preset: ImportedPreset, own: Mapping, event: dict[str, Any]) -> list[str]:
    """Return what the original gives and the imported preset does not, and what differs without being told."""
    told = {each.field: each.outcome for each in preset.told}
    before, after = dict(leaves(original.resolve(event))), dict(leaves(own.resolve(event)))
    no_object = isinstance(before.get("custom_data"), str)  # only the opt-out type is read in its place
    found = [
        f"{path} is lost"
        for path in before
        if path not in after and not _is_told_lost(path, told) and not (no_object and path == "custom_data")
    ]
    found += [
        f"{path}: {before[path]!r} became {after[path]!r}"
        for path in before
        if path in after and before[path] != after[path] and _fate(path, told) not in (DEFAULTS_READ_MORE, NOT_TAKEN)
    ]
    as_before, now = sent(original, event), sent(own, event)
    if as_before is not None and now is None:
        found.append("it was valid, and is not")
    if as_before is not None and now is not None:
        lost = dict(leaves(as_before)).keys() - dict(leaves(now)).keys()
        found += [f"{path} is sent no more" for path in sorted(lost) if not _is_told_lost(path, told)]
    return found


def _fate(path: str, told: dict[str, Any]) -> str | None:
    """Return what the report says of the field that a path lies in; None where it says nothing."""
    names = path.split(".")
    return next((told[name] for end in range(len(names), 0, -1) if (name := ".".join(names[:end])) in told), None)


def _is_told_lost(path: str, told: dict[str, Any]) -> bool:
    return _fate(path, told) == NOT_TAKEN


@every_row("number", range(len(SUBSCRIPTIONS)), ids=[each.name for each in SUBSCRIPTIONS])
def test_each_of_segments_presets_is_imported_whole_and_every_field_is_told(number: int) -> None:
    preset = imported_of(number)
    told = {each.field: each for each in preset.told}
    assert not [each for each in preset.told if each.outcome == NOT_TAKEN]
    assert [told[OPT_OUT].outcome, "opts everybody out" in told[OPT_OUT].why] == [DEFAULTS_READ_MORE, True]
    fields = [path.partition(".@")[0] for path, _ in leaves(dict(SUBSCRIPTIONS[number].mapping))]
    assert {field for field in fields if _fate(field, dict.fromkeys(told)) is None and field not in told} == set()
    assert all(each.why for each in preset.told if each.outcome == DEFAULTS_READ_MORE)


@pytest.mark.prove
@pytest.mark.parametrize("number", range(len(SUBSCRIPTIONS)), ids=[each.name for each in SUBSCRIPTIONS])
def test_what_segments_presets_give_of_the_events_of_the_suite_the_imported_ones_give(number: int) -> None:
    subscription, preset = SUBSCRIPTIONS[number], imported_of(number)
    original, own = compile_mapping(without_opt_out(subscription.mapping)), mapping_of(preset)
    found = {
        difference
        for event in some_of([*EVENTS[::4], *(row["event"] for row in ROWS)])
        for difference in differences(original, preset, own, event)
    }
    assert found == set()


def test_triggers_and_switches_are_carried_over_as_they_are() -> None:
    assert len(SUBSCRIPTIONS) == 8
    for number, subscription in enumerate(SUBSCRIPTIONS):
        preset = imported_of(number)
        assert preset.text is not None
        catalog = compile_catalog({"mine.yaml": preset.text}, {"report_conversion_event.yaml": ACTION})
        (own,) = catalog.presets
        assert (own.name, own.trigger.text, own.enabled) == (subscription.name, subscription.trigger, True)


def lost(row: dict[str, Any]) -> list[str]:
    """Return what a mapping of Segment's loses when it is imported, without being told."""
    given = Subscription(name="Mine", trigger='type = "track"', enabled=True, mapping=row["mapping"])
    preset = import_preset(given, ACTION)
    if preset.text is None:
        return [] if any(each.outcome == NOT_TAKEN for each in preset.told) else ["all, and nothing is said"]
    original = compile_mapping(without_opt_out(row["mapping"]))
    return differences(original, preset, mapping_of(preset), row["event"])


@pytest.mark.slow
@pytest.mark.prove
def test_a_mapping_of_either_format_of_segments_loses_nothing() -> None:
    assert {row["id"]: found for row in some_of(ROWS) if (found := lost(row))} == {}
