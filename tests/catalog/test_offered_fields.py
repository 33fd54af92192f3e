"""A field is declared once: presets, schemas and pages know it by the row of its reader."""

from collections.abc import Mapping

import pytest

from app.catalog import compile_catalog
from app.catalog.fields import with_unlisted_fields
from app.catalog.files import ActionFile, FieldSpec
from app.catalog.presets import parse_file
from app.destination import OFFERED_FIELDS, OfferedField
from app.errors import CatalogError
from tests.process import ROOT

TEXT = (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
#: Fields of the action that are read, and not sent as they are.
NOT_SENT = {"advertiser_tracking_enabled", "gpc", "pin_unauth", "person_blocks"}
#: A file that describes less than the destination reads, as an older copy does.
OLDER = """
name: Report Conversion Event
description: An older copy.
fields:
  event_name: {label: Event name, description: d, type: string, required: true}
  custom_data:
    label: Custom data
    description: d
    type: object
    properties: {order_id: {label: Order, description: d, type: string, default: {"@path": $.properties.order_id}}}
"""
PRESET = 'name: Own\nsubscribe: event = "Own"\naction: report_conversion_event\nmapping: {event_name: lead, %s}\n'


def described(text: str) -> ActionFile:
    action, faults = parse_file(ActionFile, text)
    assert action is not None, faults
    return action


def differences(specs: Mapping[str, FieldSpec], offered: Mapping[str, OfferedField], at: str = "") -> list[str]:
    """Return the fields that only one of both has, and those that are an object or have choices in only one."""
    found = [at + name for name in sorted(specs.keys() ^ offered.keys() - NOT_SENT) if at + name not in NOT_SENT]
    for name in specs.keys() & offered.keys():
        spec, field = specs[name], offered[name]
        if (spec.type == "object") != bool(field.members) or (field.choices and spec.choices != field.choices):
            found.append(at + name)
        found += differences(spec.properties or {}, field.members, f"{at}{name}.")
    return found


def test_the_shipped_file_describes_just_what_the_destination_reads() -> None:
    assert differences(described(TEXT).fields, OFFERED_FIELDS) == []


def test_an_older_file_is_completed_by_what_the_destination_reads() -> None:
    older = described(OLDER)
    fields = with_unlisted_fields(older).fields
    assert differences(fields, OFFERED_FIELDS) == []
    assert fields["event_name"] == older.fields["event_name"]
    custom_data = fields["custom_data"].properties or {}
    assert custom_data["order_id"].default
    assert custom_data["num_items"].type == "integer"
    device = fields["device_info"].properties or {}
    assert (device["os_family"].choices or ())[:2] == ("ios", "android")
    assert (fields["user_data"].properties or {})["email"].multiple
    assert (fields["opt_out"].type, fields["opt_out"].label) == ("boolean", "Opt out")


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        ("app_name: Shop", None),
        ("custom_data: {contents: {item_name: Chair}}", None),
        ("custom_data: {item_name: Chair}", "unknown field"),
    ],
)
def test_a_preset_may_map_what_an_older_file_does_not_describe(mapping: str, fault: str | None) -> None:
    presets, mappings = {"own.yaml": PRESET % mapping}, {"report_conversion_event.yaml": OLDER}
    if fault is None:
        assert compile_catalog(presets, mappings).presets[0].fields["event_name"] == "lead"
    else:
        with pytest.raises(CatalogError, match=fault):
            compile_catalog(presets, mappings)
