"""mParticle, Snowplow, GA4 and GTM: the platform of an event, the first step of a checkout, the id of a purchase."""

from copy import deepcopy
from typing import Any

from tests.rows import every_row
from tests.sources.test_cases import CASES
from tests.sources.test_shipped_files import by_default, loaded

NOW = 1795601705.0
APP = {"application_name": "Oak & Ash", "application_version": "4.2", "package": "example.shop"}


def events_of(case: str, change: dict[str, Any], *path: str | int) -> list[Any]:
    """Return the events that a source makes of a case whose object at the path has these members."""
    request = deepcopy(CASES[case]["request"])
    place = request["body"]
    for key in path:
        place = place[key]
    place |= change
    reshape = loaded(CASES[case]["source"]).reshape
    assert reshape
    bodies = request["body"] if isinstance(request["body"], list) else [request["body"]]
    records = [{"method": "POST", "headers": {}, "body": body} for body in bodies]
    return [event for record in records for event in reshape(record) if isinstance(event, dict)]


def sent(event: dict[str, Any]) -> dict[str, Any]:
    (line,) = by_default().preview(event, now=NOW)
    assert line.event
    return line.event


@every_row(
    ("platform", "source", "family"),
    [
        ("iOS", "app_ios", "ios"),
        ("Android", "app_android", "android"),
        ("web", "web", None),
        ("roku", "web", None),
        ("out_of_band", "web", None),
        (None, "web", None),
    ],
)
def test_mparticles_platform_is_the_action_source(platform: str | None, source: str, family: str | None) -> None:
    device = {"platform": platform, "os_version": "18.1", "device_manufacturer": "Apple", "device_model": "iPhone17,1"}
    event = events_of("mparticle-purchase", {"device_info": device, "application_info": APP})[0]
    built = sent(event)
    assert built["action_source"] == source
    assert built.get("device_info", {}).get("os_family") == family
    about = built.get("app_info", {})
    assert about.get("app_name") == (None if platform == "web" else "Oak & Ash")
    assert built["device_info"]["os_version"] == "18.1"
    assert built["device_info"]["model"] == "iPhone17,1"


@every_row("platform", ["iOS", "web"])
def test_attributes_of_a_custom_event_of_mparticle_are_its_properties(platform: str) -> None:
    search = {"event_name": "Products Searched", "source_message_id": "m-2", "custom_attributes": {"query": "sofa"}}
    own = {"event_type": "custom_event", "data": search}
    (event,) = events_of("mparticle-purchase", {"events": [own], "device_info": {"platform": platform}})
    assert sent(event)["custom_data"]["search_string"] == "sofa"
    assert sent(event)["action_source"] == ("app_ios" if platform == "iOS" else "web")


def test_a_custom_event_of_mparticle_needs_no_attributes() -> None:
    data = {"event_name": "Signed Up", "source_message_id": "m-3", "custom_attributes": None}
    own = {"event_type": "custom_event", "data": data}
    (event,) = events_of("mparticle-purchase", {"events": [own]})
    assert sent(event)["event_name"] == "signup"


@every_row(
    ("revenuecat_event", "name"),
    [("renewal", "Subscription Renewal Payment"), *((each, "Order Completed") for each in ("initial_purchase", None))],
)
def test_a_renewal_by_revenuecat_is_not_a_new_order(revenuecat_event: str | None, name: str) -> None:
    change = {"custom_attributes": {"revenuecat_event": revenuecat_event}}
    (event, *_) = events_of("mparticle-purchase", change, "events", 0, "data")
    assert event["event"] == name


@every_row(
    ("is_opted_out", "sells", "answer"),
    [
        (True, None, [True]),
        (False, None, [False]),
        (None, None, None),
        (True, True, [True, True]),
        (False, True, [False, True]),
    ],
)
def test_an_opt_out_of_mparticle_is_kept_for_later_events(
    is_opted_out: bool | None,  # noqa: FBT001
    sells: bool | None,  # noqa: FBT001
    answer: list[bool] | None,
) -> None:
    data = {"is_opted_out": is_opted_out, "source_message_id": "o-1", "event_id": 6004677780660780000}
    consent = {"ccpa": {"data_sale_opt_out": {"consented": sells}}}
    change = {"events": [{"event_type": "opt_out", "data": data}], "consent_state": consent}
    (event,) = events_of("mparticle-purchase", change)
    assert (event["type"], event["userId"], event["context"].get("opt_out")) == ("identify", "cust-1042", answer)


@every_row("name", ["$Country", "$country"])
def test_the_country_of_mparticle_is_read_in_both_spellings(name: str) -> None:
    (event, *_) = events_of("mparticle-purchase", {"user_attributes": {name: "FR"}})
    assert event["context"]["traits"]["address"]["country"] == "FR"


@every_row(
    ("ids", "message_id"),
    [
        ({"source_message_id": "m-1", "event_id": 3004}, "m-1"),
        ({"source_message_id": None, "event_id": 3004}, 3004),
        ({"source_message_id": None, "event_id": None}, "SO-40001"),
    ],
)
def test_a_purchase_of_mparticle_without_ids_has_that_of_its_transaction(ids: dict[str, Any], message_id: Any) -> None:
    (event, *_) = events_of("mparticle-purchase", ids, "events", 0, "data")
    assert event["messageId"] == message_id


FIRST, LATER = "Checkout Started", {"mparticle": "Checkout Step Viewed", "snowplow": "Checkout Step Completed"}
SNOWPLOW_ACTION = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"
SNOWPLOW_STEP = "contexts_com_snowplowanalytics_snowplow_ecommerce_checkout_step_1"


STEPS = [
    (None, True),
    (0, True),
    (1, True),
    ("0", True),
    ("1", True),
    *((step, False) for step in (2, 3, 90, "2", "3")),
]


@every_row(("step", "is_first"), STEPS)
def test_only_the_first_step_begins_a_checkout(step: Any, is_first: bool) -> None:  # noqa: FBT001
    action = {"action": "checkout", "checkout_step": step}
    (event, *_) = events_of("mparticle-purchase", {"product_action": action}, "events", 0, "data")
    assert event["event"] == (FIRST if is_first else LATER["mparticle"])
    change = {SNOWPLOW_ACTION: {"type": "checkout_step"}, SNOWPLOW_STEP: [{"step": step}]}
    (event, *_) = events_of("snowplow-batch", change, 0)
    assert event["event"] == (FIRST if is_first else LATER["snowplow"])


def test_a_checkout_step_of_snowplow_without_its_entity_begins_a_checkout() -> None:
    (event, *_) = events_of("snowplow-batch", {SNOWPLOW_ACTION: {"type": "checkout_step"}}, 0)
    assert event["event"] == FIRST


@every_row(("system", "source"), [("ios", "app_ios"), ("iOS", "app_ios"), ("android", "app_android"), (None, "web")])
def test_a_mobile_tracker_of_snowplow_is_that_of_an_app(system: str | None, source: str) -> None:
    mobile = "contexts_com_snowplowanalytics_snowplow_mobile_context_1"
    (event, *_) = events_of("snowplow-batch", {mobile: [{"osType": system, "osVersion": "18.1"}]}, 0)
    assert sent(event)["action_source"] == source


SNOWPLOW_ID = "c6ef3124-b53a-4b13-a233-0088f79dcbcb"
GTM, PUSH, PROTOCOL = "gtm_server-purchase", "ga4-datalayer-purchase", "ga4-measurement-protocol"


@every_row(
    ("event_id", "transaction_id", "other", "message_id"),
    [
        ("e-1", "SO-1", SNOWPLOW_ID, "e-1"),
        (None, "SO-1", SNOWPLOW_ID, "SO-1"),
        (None, 10023, SNOWPLOW_ID, 10023),
        ("undefined", "SO-1", SNOWPLOW_ID, "SO-1"),
        *((None, no_id, SNOWPLOW_ID, SNOWPLOW_ID) for no_id in ("(not set)", "0", 0, "undefined", "", None, "pending")),
        (None, "(not set)", None, None),
    ],
)
def test_a_purchase_without_an_event_id_has_that_of_its_transaction(
    event_id: Any, transaction_id: Any, other: Any, message_id: Any
) -> None:
    outside = {"event_id": event_id, "unique_event_id": None, "x-sp-event_id": other}
    (event,) = events_of(GTM, outside | {"transaction_id": transaction_id})
    assert event.get("messageId") == message_id
    ecommerce = CASES[PUSH]["request"]["body"]["ecommerce"] | {"transaction_id": transaction_id}
    (event,) = events_of(PUSH, outside | {"ecommerce": ecommerce})
    assert event.get("messageId") == message_id
    beside = dict.fromkeys(ecommerce) | {"ecommerce": None, "transaction_id": transaction_id}
    (event,) = events_of(PUSH, outside | beside)
    assert event.get("messageId") == message_id
    params = {"event_id": event_id, "transaction_id": transaction_id}
    purchase = {"name": "purchase", "params": params}
    (event,) = events_of(PROTOCOL, {"events": [purchase], "event_id": None, "x-sp-event_id": other})
    assert event.get("messageId") == message_id


def test_other_events_of_gtm_have_the_id_of_snowplows_client() -> None:
    change = {"event_name": "add_to_cart", "event_id": None, "unique_event_id": None, "x-sp-event_id": SNOWPLOW_ID}
    (event,) = events_of(GTM, change)
    assert event["messageId"] == SNOWPLOW_ID


def test_a_push_of_ga4_without_ecommerce_is_the_same_order() -> None:
    pushed = CASES[PUSH]["request"]["body"]["ecommerce"]
    beside = sent(events_of(PUSH, pushed | {"ecommerce": None})[0])
    assert beside["custom_data"]["value"] == "72.05"
    assert beside == sent(events_of(PUSH, {})[0])
    others = dict.fromkeys(pushed, "not read") | {"items": [{"item_id": "P-9", "price": 1}], "value": 1}
    assert beside == sent(events_of(PUSH, others)[0])


ECOMMERCE = {"transaction_id": "SO-9", "value": 40, "tax": 3, "shipping": 5, "currency": "EUR", "coupon": "AUTUMN"}
ITEMS = [{"item_id": "OA-9", "price": 20, "quantity": 2}]
FLAT = ("transaction_id", "order_id", "value", "tax", "shipping", "currency", "items")


@every_row(
    ("ecommerce", "order"),
    [
        (ECOMMERCE | {"items": ITEMS}, {"order_id": "SO-9", "value": "40", "currency": "EUR", "num_items": 2}),
        ({"purchase": {"products": [{"id": "OA-9", "price": 20, "quantity": 2}]}}, {"value": "40", "num_items": 2}),
    ],
)
def test_the_order_that_a_data_client_leaves_in_ecommerce_is_read(
    ecommerce: dict[str, Any], order: dict[str, Any]
) -> None:
    (event,) = events_of(GTM, {"ecommerce": ecommerce, "timestamp": int(NOW)} | dict.fromkeys(FLAT))
    about = sent(event)["custom_data"]
    assert {name: about.get(name) for name in order} == order
    assert about["content_ids"] == ["OA-9"]


def test_an_order_of_gtm_outside_ecommerce_wins() -> None:
    (event,) = events_of(GTM, {"ecommerce": ECOMMERCE | {"items": ITEMS, "coupon": None}})
    assert event == events_of(GTM, {})[0]


def test_plain_names_and_places_of_gtm_are_read_beside_an_address() -> None:
    person = {"first_name": "Ada", "last_name": "Miller", "city": "Berlin", "region": "BE", "postal_code": "10119"}
    (event,) = events_of(GTM, {"user_data": person})
    traits = event["context"]["traits"]
    assert (traits["firstName"], traits["lastName"]) == ("Ada", "Miller")
    assert traits["address"] == {"city": "Berlin", "state": "BE", "postalCode": "10119"}
