"""The shipped catalog, and events that say only what differs."""

from collections.abc import Callable
from typing import Any

import pytest

from app.catalog import Catalog
from app.destination import report_conversion_event
from tests.assembled import shipped_catalog

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return shipped_catalog()


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
