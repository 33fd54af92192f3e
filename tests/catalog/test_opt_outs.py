"""Each opt-out of the shipped mapping is read with every user's mapping, unless the user's file drops the path."""

from typing import Any

import pytest

from app.catalog import Catalog, compile_catalog
from app.catalog.opt_outs import paths_in, shipped_opt_outs
from app.destination import PersonReader
from app.errors import CatalogError
from tests.assembled import settings
from tests.examples.blocks import BLOCKS
from tests.process import ROOT
from tests.rows import every_row

SHIPPED = (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
#: A user's mapping file without any opt-out, and one with constants and an own place.
WITHOUT = """
name: Own
description: Own fields.
fields:
  event_name: {label: Event, description: Name., type: string}
  event_time: {label: Time, description: Time., type: string, default: {"@path": $.timestamp}}
tests: []
"""
CONSTANTS = WITHOUT.replace(
    "tests: []",
    """  opt_out: {label: Opt-out, description: Never., type: boolean, default: false}
  advertiser_tracking_enabled: {label: Tracking, description: Always., type: boolean, default: true}
  custom_data:
    label: Order
    description: Order.
    type: object
    properties:
      opt_out_type: {label: Type, description: Own place., type: string, default: {"@path": $.properties.own}}
tests: []""",
)
MAPPINGS = {"shipped": SHIPPED, "without opt-outs": WITHOUT, "constants": CONSTANTS}
PRESETS = {
    "nothing": "{}",
    "constants": "{opt_out: false, gpc: false, advertiser_tracking_enabled: true, custom_data: {opt_out_type: ''}}",
    "own places": '{opt_out: {"@path": $.x}, custom_data: {opt_out_type: {"@all": [{"@path": $.y}]}}}',
    "a whole object": '{custom_data: {"@path": $.properties.order}}',
    "no object": "{custom_data: null}",
    "a text": "{custom_data: x}",
    "null": "{opt_out: null, gpc: null, advertiser_tracking_enabled: null, custom_data: {opt_out_type: null}}",
}
PATHS = sorted({path for values in shipped_opt_outs().values() for value in values for path in paths_in(value)})


def catalog_of(mapping: str, preset: str, more: str = "") -> Catalog:
    preset = f"{preset[:-1]}, event_name: lead}}".replace("{,", "{")
    text = f'name: Own\nsubscribe: event = "Own"\naction: report_conversion_event\nmapping: {preset}\n{more}'
    return compile_catalog({"own.yaml": text}, {"report_conversion_event.yaml": mapping})


def refusing(path: str) -> dict[str, Any]:
    """Return an event whose only opt-out is at the path."""
    value: Any = {"adTrackingEnabled": False, "attTrackingStatus": 2, "trackingStatus": "denied"}.get(
        path.rpartition(".")[2], "LDP" if path.lower().endswith("type") else True
    )
    event: dict[str, Any] = {
        "event": "Own",
        "properties": {"email": "ann@mail.com"},
        "timestamp": "2026-12-02T10:00:00Z",
    }
    *parents, name = path.removeprefix("$.").split(".")
    at: Any = event
    for parent in parents:
        at = at.setdefault(parent, {})
    at[name] = value
    return event


def is_opted_out(catalog: Catalog, event: dict[str, Any]) -> bool:
    (preset,) = catalog.presets
    return PersonReader(settings(gpc="opt_out"))(preset.mapping.resolve(event) or {}).is_opted_out


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("mapping", "preset"),
    [*(("shipped", preset) for preset in PRESETS), ("without opt-outs", "nothing"), ("constants", "nothing")],
)
def test_each_shipped_opt_out_is_read_with_every_mapping(mapping: str, preset: str, path: str) -> None:
    catalog = catalog_of(MAPPINGS[mapping], PRESETS[preset])
    assert is_opted_out(catalog, refusing(path))
    assert not is_opted_out(catalog, refusing("$.properties.other"))
    assert catalog.warnings == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_of_preset", [True, False])
def test_a_dropped_opt_out_is_not_read_and_warned_of(path: str, *, is_of_preset: bool) -> None:
    drops = f"drops_opt_out: ['{path}']\n"
    if is_of_preset:
        catalog = catalog_of(MAPPINGS["without opt-outs"], "{}", drops)
    else:
        catalog = catalog_of(MAPPINGS["without opt-outs"] + drops, "{}")
    assert not is_opted_out(catalog, refusing(path))
    assert all(is_opted_out(catalog, refusing(other)) for other in PATHS if other != path)
    (warning,) = catalog.warnings
    assert f"opt-outs at {path} are not read" in str(warning)
    assert warning.file == ("own.yaml" if is_of_preset else "report_conversion_event.yaml")


@every_row(("own", "is_opted"), [("LDP", True), ("", False)])
def test_an_opt_out_type_within_a_whole_object_is_read_too(own: str, *, is_opted: bool) -> None:
    catalog = catalog_of(SHIPPED, PRESETS["a whole object"])
    event = {"event": "Own", "properties": {"order": {"opt_out_type": own}, "opt_out_type": ""}}
    assert is_opted_out(catalog, event) is is_opted


@every_row(
    ("path", "hint"),
    [
        ("$.properties.opt_uot", "did you mean '$.properties.opt_out'?"),
        ("total", ": write one of $.context.device.adTrackingEnabled, "),
    ],
)
def test_a_path_that_is_no_shipped_opt_out_cannot_be_dropped(path: str, hint: str) -> None:
    drops = f"drops_opt_out: ['{path}']\n"
    for mapping, more in ((SHIPPED, drops), (SHIPPED + drops, "")):
        with pytest.raises(CatalogError, match=r"drops_opt_out") as caught:
            catalog_of(mapping, "{}", more)
        assert f"{path!r} is not an opt-out of the shipped mapping" in str(caught.value)
        assert hint in str(caught.value)


def test_the_preset_of_the_documentation_ignores_one_place() -> None:
    (block,) = [each for each in BLOCKS if (each.page, each.title) == ("privacy", "preset")]
    catalog = compile_catalog({"own.yaml": block.text}, {"report_conversion_event.yaml": SHIPPED})
    assert [path for path in PATHS if not is_opted_out(catalog, refusing(path))] == ["$.traits.opt_out"]
