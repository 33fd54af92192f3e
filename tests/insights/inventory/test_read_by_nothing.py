"""What is read by nothing: to leave it out changes nothing that is sent, and to plant more changes nothing either."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from app.core.events import Event
from app.insights.inventory.counting import properties_of
from app.insights.inventory.figures import split_label
from app.insights.inventory.view import reads
from app.source import read_raw_event
from app.trigger import compile_trigger, places_asked
from tests import assembled
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW

CATALOG = assembled.shipped_catalog()
PIPELINE = assembled.pipeline()
EXAMPLES = {preset.name: preset.example for preset in CATALOG.presets if preset.example}


def events() -> Iterator[Event]:
    yield from EXAMPLES.values()
    for file in sorted((ROOT / "tests/sources/cases").glob("*.json")):
        body = orjson.loads(file.read_bytes())["request"].get("body")
        if isinstance(body, dict):
            yield {"type": "track", "event": "Order Completed", "messageId": "m-1", "properties": body}


def sent(event: Event) -> list[Any]:
    lines = PIPELINE.preview(read_raw_event(orjson.dumps(event), now=NOW), now=NOW)
    return [(line.preset, line.outcome, line.event) for line in lines]


def without(event: Event, path: str) -> Event:
    changed = deepcopy(event)

    def leave_out(value: Any, keys: list[str]) -> None:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and keys[0] in item:
                if len(keys) > 1:
                    leave_out(item[keys[0]], keys[1:])
                else:
                    del item[keys[0]]

    leave_out(changed, path.replace("[]", "").split("."))
    return changed


@pytest.mark.slow
def test_what_is_read_by_nothing_can_be_left_out() -> None:
    unread, changed = 0, []
    for event in events():
        before = sent(event)
        is_read = reads(CATALOG, [preset for preset, _, _ in before if preset])
        for path in dict.fromkeys(split_label(label)[0] for label in properties_of(event)):
            if not path.endswith("[]") and not is_read(path):
                unread += 1
                if sent(without(event, path)) != before:
                    changed.append((event["event"], path))
    assert changed == []
    assert unread > 100


@pytest.mark.slow
def test_a_property_of_a_name_that_no_file_has_is_read_by_nothing() -> None:
    for preset in CATALOG.presets:
        is_read = reads(CATALOG, [preset.name])
        for path in ("properties.planted_here", "traits.planted_here", "properties.customer.planted_here"):
            assert not is_read(path), (preset.name, path)


@every_row(
    ("path", "is_read"),
    [
        ("properties.order_id", True),
        ("properties.products", True),
        ("properties.products[].price", True),
        ("properties.products[].price.amount", True),
        ("properties.products[].shade", False),
        ("properties.loyalty_level", False),
        ("properties.status", True),
        ("properties.test", True),
        ("properties.checkout_id", True),
        ("properties.billing_address.city", True),
        ("properties.billing_address.door", False),
        ("properties.user_data.em", True),
        ("traits.email", True),
        ("traits.favourite", False),
    ],
)
def test_of_an_order(path: str, is_read: bool) -> None:  # noqa: FBT001 - a column of the table
    assert reads(CATALOG, ["Order Completed"])(path) is is_read


def test_only_the_presets_that_took_the_events_count() -> None:
    assert reads(CATALOG, ["Products Searched", "Search"])("properties.search_query")
    assert not reads(CATALOG, [])("properties.search_query")


def test_what_a_trigger_asks_for_is_read() -> None:
    trigger = compile_trigger(
        'type = "track" and !(properties.a.b = 1) and (contains(traits.c[0].d, "x") or event != "y")'
    )
    assert set(places_asked(trigger.term)) == {"type", "properties.a.b", "traits.c.d", "event"}
