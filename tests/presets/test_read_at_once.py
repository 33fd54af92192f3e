"""What is read of an event as a mapping finds it is what is read of its fields once they are resolved."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import cycle, product
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import load_catalog
from app.catalog.fields import merge_mappings
from app.catalog.presets import read_action
from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent
from app.errors import EventInvalid
from app.mapping import compile_mapping
from app.source import read_raw_event
from tests.rounds import LEVEL, examples, some_of

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
NOW = 1_772_672_400.0
RULES = [
    ConversionSettings.model_construct(),
    ConversionSettings.model_construct(
        default_country="DE", default_currency="EUR", ldp_states=("CA",), partner_name="ss-shop"
    ),
]
ACTIONS = [
    *(ReportConversionEvent(rules) for rules in RULES),
    ReportConversionEvent(
        ConversionSettings.model_construct(default_currency="USD", gpc="ldp"), action_source="offline"
    ),
    ReportConversionEvent(ConversionSettings.model_construct(), action_source="shop"),
]
#: What stands in one place or the other of events that people send.
ODD: list[Any] = [
    *(None, "", "  ", "n/a", True, False, 0, -1, 3, 19.98, "19.98", "1,299.00 EUR", "3", 10**30, [], {}, [[]], ["a"]),
    *("EUR", "xyz", "jane@shop.example", "Ünal", "\ud800", "call +1 415 555 0100", "x" * 2_000, "{{ id }}", "CA"),
    *(
        "[object Object]",
        "-",
        "Unknown",
        " {{ page.url }}",
        "March 4, 2026 4:12 PM",
        "on",
        "https://shop.test/?a.name=Ada",
    ),
    *({"amount": "25.00", "currency": "USD"}, [{"product_id": 7, "price": "5", "quantity": "2"}, None, "x"]),
    *([{"id": "A", "price": 5, "currency": "USD"}], [{"price": 5, "currency": "EUR"}, {"price": 6, "currency": "$"}]),
    *([{"adTrackingEnabled": False, "opt_out": True, "traits": [{"optOut": "no"}]}, 1], [{"phone": "030 901820"}]),
    *([{"id": "A", "price": 5, "name": None}], [{"product_id": "A", "price": "€5"}], "https://shop.test/?email=a@b.co"),
]


@pytest.fixture(scope="module")
def catalog() -> Any:
    return load_catalog(ROOT / "presets", ROOT / "mappings")


def told(action: ReportConversionEvent, given: Any) -> Any:
    """What is sent, with its warnings; why nothing is."""
    try:
        return action(given, now=NOW)
    except EventInvalid as exc:
        return exc.reason


def both_ways(catalog: Any, event: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield for each preset and action what is made of an event at once, and of its resolved fields."""
    for preset in catalog.matching(event):
        for action in ACTIONS:
            one, other = told(action, preset.mapping.of(event)), told(action, preset.mapping.resolve(event) or {})
            assert orjson.dumps(one) == orjson.dumps(other)  # in one order
            yield one, other


@pytest.mark.slow
@pytest.mark.prove
def test_every_vector_is_read_at_once_to_the_same_event(catalog: Any) -> None:
    for line in some_of(LINES):
        for one, other in both_ways(catalog, read_raw_event(line, now=NOW)):
            assert one == other


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_so_is_every_event_with_odd_values_in_odd_places(catalog: Any, data: st.DataObject) -> None:
    for one, other in both_ways(catalog, odd_event(data)):
        assert one == other


def odd_event(data: st.DataObject) -> Any:
    """Draw an event with odd values in odd places."""
    event = read_raw_event(data.draw(st.sampled_from(LINES)), now=NOW)
    holders = [event, *_objects_in(event)]
    for _ in range(data.draw(st.integers(0, 4))):
        holder = data.draw(st.sampled_from(holders))
        name = data.draw(st.sampled_from([*holder, *NAMES]))
        holder[name] = deepcopy(data.draw(st.sampled_from(ODD)))
    return event


#: What somebody's own preset may say, laid over the defaults.
OWN: list[dict[str, Any]] = [
    {
        "partner_name": "ss-own",
        "language": "de-AT",
        "wifi": "yes",
        "opt_out": None,
        "event_source_url": "",
        "app_id": 7,
    },
    {"event_name": {"@path": "$.event"}, "action_source": {"@path": "$.channel"}, "event_time": "2026-03-04T20:00:00Z"},
    {"action_source": "shop"},
    {"event_name": "", "event_id": None},
    {"no_field": {"@path": "$.event"}, "also": None},
    {"user_data": {"@path": "$.context.traits"}},
    {
        "user_data": {
            "email": "shop@shop.example",
            "country": {"@path": "$.properties.email"},
            "nickname": "x",
            "zip": [],
        }
    },
    {"user_data": {"country": {"@coalesce": [{"@path": "$.properties.currency"}, "DE"]}, "phone": "030 901820"}},
    {"user_data": {"phone": {"number": {"@path": "$.userId"}}, "email": ["a@b.co", "c@d.co"], "click_id": ["x", "y"]}},
    {"custom_data": {"@path": "$.properties"}},
    {
        "custom_data": {
            "value": "€5",
            "currency": "USD",
            "contents": [{"id": "A", "item_price": "€5"}],
            "predicted_ltv": 3,
        }
    },
    {
        "custom_data": {
            "value": {"@subtract": [5, {"@path": "$.properties.revenue"}]},
            "num_items": "3",
            "colour": "red",
        }
    },
    {"custom_data": {"contents": {"id": "A", "quantity": "2"}, "currency": ["EUR", "USD"], "content_name": {"a": 1}}},
    {"custom_data": {"opt_out_type": "LDP", "content_brand": "for jane@shop.example", "value": None, "currency": ""}},
    {"app_info": {"@path": "$.context.app"}, "device_info": "none", "gpc": True},
    {"app_info": {"app_name": {"@path": "$.properties.name"}, "install_time": 12, "window_height": 9e9, "logo": {}}},
]


#: `make prove` takes each with both, `make test` each with one.
EVENT_NAMES = ("checkout", "page_visit")
OWN_OF = list(product(OWN, EVENT_NAMES) if LEVEL == "prove" else zip(OWN, cycle(EVENT_NAMES), strict=False))


@pytest.mark.slow  # for each of ten events functions are made anew
@pytest.mark.prove
@pytest.mark.parametrize(("own", "name"), OWN_OF, ids=repr)
def test_so_is_what_a_preset_of_ones_own_says(own: dict[str, Any], name: str) -> None:
    text = (ROOT / "mappings/report_conversion_event.yaml").read_text(encoding="utf-8")
    defaults, _ = read_action(text)
    assert defaults
    mapping = compile_mapping(merge_mappings(defaults.defaults | {"event_name": name}, own), joined=["user_data"])
    for line in LINES[::200]:
        event = read_raw_event(line, now=NOW)
        for action in ACTIONS:
            assert told(action, mapping.of(event)) == told(action, mapping.resolve(event) or {})


@pytest.mark.slow
def test_warnings_are_as_many_at_once(catalog: Any) -> None:
    phone = "4155550100"  # known again in texts, without being told from other digits by itself
    products = [{"product_id": f"P-{number}", "name": f"for {phone}", "price": 5} for number in range(60)]
    event = read_raw_event(
        orjson.dumps(
            {
                "type": "track",
                "event": "Order Completed",
                "messageId": "m-1",
                "timestamp": "2026-03-04T20:00:00Z",
                "context": {"traits": {"email": "jane@shop.example", "phone": phone, "address": {"country": "US"}}},
                "properties": {"order_id": "SO-1", "revenue": 300, "currency": "USD", "products": products},
            }
        ),
        now=NOW,
    )
    for one, other in both_ways(catalog, event):
        assert one == other
        if isinstance(one, str):  # why nothing is sent: `shop` is no source of actions
            assert "action_source" in one
        else:
            assert one[1][-1].startswith("and ")


NAMES = ["email", "currency", "value", "revenue", "total", "price", "products", "order_id", "country", "phone", "gpc"]
NAMES += ["subtotal", "tax", "shipping", "discount", "taxes_included", "items", "line_items", "contents"]


def _objects_in(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for member in value.values():
        if isinstance(member, dict):
            yield member
            yield from _objects_in(member)
