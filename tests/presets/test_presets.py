"""Every shipped preset takes its own example, sends what Pinterest's schema allows, and doubles no other preset."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.catalog import Catalog, Preset
from app.core.events import Outcome
from tests.assembled import pipeline, shipped_catalog
from tests.destination.pinterest_schema import event_judge
from tests.rows import every_row

ROOT = Path(__file__).parents[2]
PRESETS = {preset.name: preset for preset in shipped_catalog().presets}
EVENTS = [orjson.loads(line) for line in (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()]

#: The eight that a Segment user expects, with their triggers to the letter.
EIGHT = {
    "View Category": 'type = "track" AND event = "Product Category Viewed"',
    "Add to Cart": 'type = "track" AND event = "Product Added"',
    "Page Visit": 'type = "page"',
    "Checkout": 'type = "track" AND event = "Checkout"',
    "Lead": 'type = "track" AND event = "Generate Lead"',
    "Watch Video": 'type = "track" AND event = "Product Video Watched"',
    "Sign Up": 'type = "track" AND event = "Signed Up"',
    "Search": 'type = "track" AND event = "Products Searched"',
}

#: preset -> event_name, action_source
SENT_AS = {
    "View Category": ("view_category", "web"),
    "Add to Cart": ("add_to_cart", "web"),
    "Page Visit": ("page_visit", "web"),
    "Checkout": ("checkout", "web"),
    "Lead": ("lead", "web"),
    "Watch Video": ("watch_video", "web"),
    "Sign Up": ("signup", "web"),
    "Search": ("search", "web"),
    "Order Completed": ("checkout", "web"),
    "Product List Viewed": ("view_category", "web"),
    "Product Viewed": ("view_content", "web"),
    "Checkout Started": ("initiate_checkout", "web"),
    "Payment Info Entered": ("add_payment_info", "web"),
    "Product Added to Wishlist": ("add_to_wishlist", "web"),
    "Trial Started": ("start_trial", "web"),
    "Subscription Created": ("subscribe", "web"),
    "Application Installed (iOS)": ("app_install", "app_ios"),
    "Application Installed (Android)": ("app_install", "app_android"),
    "Application Opened (iOS)": ("app_open", "app_ios"),
    "Application Opened (Android)": ("app_open", "app_android"),
    "Video Playback Completed": ("watch_video", "web"),
    "App Install": ("app_install", "app_ios"),
    "App Open": ("app_open", "app_ios"),
    "Contact": ("contact", "web"),
    "Custom": ("custom", "web"),
    "Customize Product": ("customize_product", "web"),
    "Find Location": ("find_location", "web"),
    "Schedule": ("schedule", "web"),
    "Submit Application": ("submit_application", "web"),
}
#: Those that come switched off: preset -> GA4's event, event_name, value that its example is sent with.
SWITCHED_OFF = {
    "GA4 Page View": ("page_view", "page_visit", None),
    "GA4 View Item List": ("view_item_list", "view_category", None),
    "GA4 View Item": ("view_item", "view_content", "189.5"),
    "GA4 Search": ("search", "search", None),
    "GA4 Add to Wishlist": ("add_to_wishlist", "add_to_wishlist", "189.5"),
    "GA4 Add to Cart": ("add_to_cart", "add_to_cart", "379"),
    "GA4 Begin Checkout": ("begin_checkout", "initiate_checkout", "399"),
    "GA4 Add Payment Info": ("add_payment_info", "add_payment_info", "399"),
    "GA4 Purchase": ("purchase", "checkout", "399"),
    "GA4 Sign Up": ("sign_up", "signup", None),
    "GA4 Generate Lead": ("generate_lead", "lead", "25"),
}
#: Those of Stripe's events that Stripe Checkout counts already.
OF_STRIPE = {
    "Stripe Subscription First Payment": "checkout",
    "Stripe Subscription Renewal": "custom",
    "Stripe Invoice Paid": "checkout",
    "Stripe Payment Succeeded": "checkout",
}
SENT_AS |= {preset: (sends, "web") for preset, (_, sends, _) in SWITCHED_OFF.items()}
SENT_AS |= {preset: (sends, "web") for preset, sends in OF_STRIPE.items()}

every_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def example(preset: Preset) -> dict[str, Any]:
    assert preset.example is not None, "a shipped preset shows an event that it takes"
    return orjson.loads(orjson.dumps(preset.example))  # type: ignore[no-any-return]


def time_of(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


@every_row(("name", "trigger"), EIGHT.items(), ids=EIGHT)
def test_the_eight_have_exactly_their_triggers(name: str, trigger: str) -> None:
    subscribe = f"subscribe: {trigger}\n"

    assert subscribe in (Path(PRESETS[name].file)).read_text(encoding="utf-8")


def test_all_presets_are_there_and_on_but_those_of_ga4s_names_and_of_stripes_other_events() -> None:
    assert set(PRESETS) == set(SENT_AS)
    assert {preset.name for preset in PRESETS.values() if not preset.enabled} == {*SWITCHED_OFF, *OF_STRIPE}


@every_row("name", [*SWITCHED_OFF, *OF_STRIPE])
def test_a_preset_that_comes_switched_off_takes_nothing(name: str, catalog: Catalog) -> None:
    event = example(PRESETS[name])

    (line,) = pipeline(catalog).preview(event, now=time_of(event))

    assert (line.preset, line.outcome) == (None, Outcome.UNMATCHED)


@every_row(("name", "expected"), SWITCHED_OFF.items(), ids=SWITCHED_OFF)
def test_an_event_of_ga4_is_sent_with_its_items_and_its_value(
    name: str, expected: tuple[str, str, str | None], all_on: Catalog
) -> None:
    event = example(PRESETS[name])

    (line,) = pipeline(all_on).preview(event, now=time_of(event))

    assert line.event
    custom_data = line.event.get("custom_data", {})
    items = event["properties"].get("items", [])
    assert (event["event"], line.event["event_name"], custom_data.get("value")) == expected
    assert custom_data.get("content_ids", []) == [item["item_id"] for item in items]
    assert [each["item_name"] for each in custom_data.get("contents", [])] == [item["item_name"] for item in items]


@every_preset
def test_the_example_is_taken_by_its_preset_alone_and_sent_without_a_warning(preset: Preset, all_on: Catalog) -> None:
    event = example(preset)

    (line,) = pipeline(all_on).preview(event, now=time_of(event))

    assert (line.preset, line.outcome, line.warnings) == (preset.name, Outcome.ENQUEUED, ())
    assert line.event is not None
    assert (line.event["event_name"], line.event["action_source"]) == SENT_AS[preset.name]


@every_preset
def test_the_example_is_sent_as_pinterests_schema_wants_it(preset: Preset, all_on: Catalog) -> None:
    event = example(preset)
    ((_, sent),) = pipeline(all_on).map_event(orjson.dumps(event), time_of(event))

    assert event_judge()(orjson.loads(sent)) == []


@pytest.mark.slow
def test_realistic_events_are_sent_as_pinterests_schema_wants_them(catalog: Catalog) -> None:
    judge, shipped = event_judge(), pipeline(catalog)

    lines = [line for event in EVENTS for line in shipped.preview(event, now=time_of(event))]
    sent = [line.event for line in lines if line.event is not None]

    assert Counter(line.outcome for line in lines) == {Outcome.ENQUEUED: 1877, Outcome.UNMATCHED: 123}
    assert [fault for event in sent for fault in judge(event)] == []


def test_no_event_is_sent_twice_under_one_name(all_on: Catalog) -> None:
    examples = [example(preset) for preset in PRESETS.values()]
    on_a_phone = [
        event | {"context": event.get("context", {}) | {"device": {"type": kind}, "os": {"name": system}}}
        for event in examples
        for kind, system in (("ios", "iOS"), ("ios", "iPadOS"), ("android", "Android"))
    ]
    for event in [*examples, *on_a_phone, *EVENTS]:
        names = [preset.fields["event_name"] for preset in all_on.enabled if preset.trigger.matches(event)]
        assert len(names) == len(set(names)), event["messageId"]


@every_row(
    ("context", "presets"),
    [
        ({"device": {"type": "ios"}}, ["Application Opened (iOS)"]),
        ({"os": {"name": "iPadOS"}}, ["Application Opened (iOS)"]),
        ({"os": {"name": "Android"}}, ["Application Opened (Android)"]),
        ({"device": {"type": "android"}}, ["Application Opened (Android)"]),
        ({"os": {"name": "Windows"}}, []),
        ({}, []),
    ],
    ids=str,
)
def test_an_app_is_known_by_its_device_or_its_system(
    context: dict[str, Any], presets: list[str], catalog: Catalog
) -> None:
    event = {"type": "track", "event": "Application Opened", "context": context}

    assert [preset.name for preset in catalog.enabled if preset.trigger.matches(event)] == presets
