"""The shipped catalog, and events that say only what differs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.catalog import Catalog
from app.catalog.catalog import compile_catalog
from app.catalog.yaml_files import read_texts
from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent, report_conversion_event
from tests.assembled import shipped_catalog
from tests.process import ROOT

MAPPINGS = ROOT / "mappings"
Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return shipped_catalog()


@pytest.fixture(scope="session")
def all_on() -> Catalog:
    """The shipped catalog with the presets switched on that come switched off."""
    presets, mappings = read_texts(PRESETS_DIR=[ROOT / "presets"], MAPPINGS_DIR=[MAPPINGS])
    return compile_catalog({file: text.replace("\nenabled: false\n", "\n") for file, text in presets.items()}, mappings)


@pytest.fixture(scope="session")
def fields_of(catalog: Catalog) -> Make:
    """`fields_of(preset, properties=..., context=...)` gives what the preset's mapping makes of such an event."""
    presets = {preset.name: preset for preset in catalog.presets}

    def make(preset: str = "Order Completed", **event: Any) -> dict[str, Any]:
        complete = {"type": "track", "messageId": "m-1", "timestamp": "2026-11-25T10:15:00.000Z"} | event
        fields: dict[str, Any] = presets[preset].mapping.resolve(complete)
        return fields

    return make


@pytest.fixture(scope="session")
def sent_of(fields_of: Make) -> Make:
    """`sent_of(preset, properties=..., context=...)` gives the Pinterest event of an event with IP and user agent."""

    def make(preset: str = "Order Completed", *, context: dict[str, Any] | None = None, **event: Any) -> dict[str, Any]:
        known = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"} | (context or {})
        return report_conversion_event(fields_of(preset, context=known, **event), now=None)[0]

    return make


@pytest.fixture(scope="session")
def told_by(fields_of: Make) -> Callable[..., list[str]]:
    """`told_by(preset, properties=..., context=...)` gives the warnings about an event with IP and user agent."""

    def make(preset: str = "Order Completed", *, context: dict[str, Any] | None = None, **event: Any) -> list[str]:
        known = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"} | (context or {})
        return report_conversion_event(fields_of(preset, context=known, **event), now=None)[1]

    return make


@pytest.fixture(scope="session")
def compiled() -> Make:
    """`compiled(mapping, event)` gives the Pinterest event that a lead's preset with this mapping makes of an event."""
    action = {"report_conversion_event.yaml": (MAPPINGS / "report_conversion_event.yaml").read_text("utf-8")}

    def make(mapping: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        preset = {"name": "P", "subscribe": 'type = "track"', "action": "report_conversion_event"}
        text = json.dumps(preset | {"mapping": {"event_name": "lead"} | mapping})
        catalog = compile_catalog({"p.yaml": text}, action)
        known = {"type": "track", "messageId": "m-1", "timestamp": "2026-11-25T10:15:00.000Z"}
        context = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}
        return report_conversion_event(
            catalog.presets[0].mapping.resolve({**known, "context": context, **event}), now=None
        )[0]

    return make


@pytest.fixture(scope="session")
def limited(fields_of: Make) -> Make:
    """`limited(properties=..., context=...)` gives the Pinterest event of an order where California has a law."""
    build = ReportConversionEvent(ConversionSettings.model_construct(ldp_states=("CA",)))

    def make(*, context: dict[str, Any] | None = None, **event: Any) -> dict[str, Any]:
        known = {"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"} | (context or {})
        return build(fields_of(context=known, **event), now=None)[0]

    return make
