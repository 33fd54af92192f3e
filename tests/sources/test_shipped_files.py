"""What stands in the shipped files more than once, since triggers have no lists, stands there alike."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import orjson
import pytest

from app.catalog.sources import load_source
from app.catalog.yaml_files import parse_yaml
from app.config.validators import currencies
from app.core.receipts import PresetResult
from app.errors import EventRefused
from app.pipeline.pipeline import Pipeline
from app.source import Arrival, NamedSource
from app.source.event import read_or_refuse
from tests.assembled import pipeline
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW
from tests.sources.test_cases import CASES

SOURCES = ROOT / "sources"
PAID = {"method": "POST", "headers": {}, "body": CASES["stripe-checkout-in-euros"]["request"]["body"]}


@cache
def loaded(source: str) -> NamedSource:
    """Return a shipped source."""
    return load_source(SOURCES, source)


@cache
def by_default() -> Pipeline:
    """Return the pipeline of the shipped presets."""
    return pipeline()


def ga4_names(source: str, asked: str) -> dict[str, Any]:
    """Return which event each of GA4's names becomes, by the triggers of a source that ask for the name there."""
    file: Any = parse_yaml((SOURCES / f"{source}.yaml").read_text(encoding="utf-8"))
    found = [(re.fullmatch(rf'{re.escape(asked)} = "(.+)"', each["subscribe"]), each) for each in file["events"]]
    return {name[1]: kind_of(each) for name, each in found if name}


def kind_of(event: dict[str, Any]) -> tuple[str, str | None]:
    """Return the type and the name of the event that an entry of a file makes."""
    return event["mapping"]["type"], event["mapping"].get("event")


def test_ga4s_names_become_the_same_events_in_all_three_shapes() -> None:
    pushed = ga4_names("ga4", "body.event")
    assert len(pushed) > 10
    assert pushed == ga4_names("ga4", "item.name")
    file: Any = parse_yaml((SOURCES / "gtm_server.yaml").read_text(encoding="utf-8"))
    named = {name: kind_of(kind) for kind in file["events"] for name in re.findall(r'"(.+?)"', kind["subscribe"])}
    assert pushed.items() <= named.items()


INVOICE = {"method": "POST", "headers": {}, "body": CASES["stripe-invoice-of-a-new-subscription"]["request"]["body"]}
INTENT = {"method": "POST", "headers": {}, "body": CASES["stripe-payment-intent"]["request"]["body"]}


@every_row(
    ("record", "changes", "event"),
    [
        (INVOICE, {}, "Subscription First Payment"),
        (INVOICE, {"billing_reason": "subscription_cycle"}, "Subscription Renewal Payment"),
        (INVOICE, {"billing_reason": "subscription_update"}, "Invoice Paid"),
        (INVOICE, {"billing_reason": "manual"}, "Invoice Paid"),
        (INTENT, {}, "Payment Succeeded"),
    ],
)
@every_row(("currency", "units"), [("eur", 100), ("jpy", 1), ("kwd", 1000)])
def test_first_payments_renewals_and_others_are_told_apart(
    record: dict[str, Any], changes: dict[str, Any], event: str, currency: str, units: int
) -> None:
    asked = deepcopy(record)
    subject = asked["body"]["data"]["object"]
    subject |= changes | {"currency": currency}
    reshape = loaded("stripe").reshape
    assert reshape
    (made,) = reshape(asked)
    assert isinstance(made, dict)
    cents = subject.get("total_excluding_tax", subject.get("amount_received"))
    assert made["event"] == event
    assert float(made["properties"]["revenue"]) == pytest.approx(cents / units)


def test_a_payment_by_stripe_is_one_order_in_every_currency() -> None:
    reshape, record = load_source(SOURCES, "stripe").reshape, deepcopy(PAID)
    assert reshape
    for currency in sorted(currencies()):
        record["body"]["data"]["object"]["currency"] = currency.lower()
        assert [isinstance(each, dict) for each in reshape(record)] == [True], currency


def lines_of(case: str, said: dict[str, Any]) -> Iterator[PresetResult]:
    """Yield what becomes of a case whose body says this at these paths."""
    request = deepcopy(CASES[case]["request"])
    body = request["body"][0] if isinstance(request["body"], list) else request["body"]
    for path, value in said.items():
        *steps, last = path.split(".")
        place = body
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        place[last] = value
    headers = {name.lower(): value for name, value in request["headers"].items()}
    reshape = loaded(CASES[case]["source"]).reshape
    for each in reshape({"method": "POST", "headers": headers, "body": body}) if reshape else [body]:
        event = read_or_refuse(each, Arrival.at(NOW, new_id=lambda: "made"))
        if not isinstance(event, EventRefused):  # what no trigger of the source takes
            if event.get("event") == "Subscription First Payment":  # its preset is off, and reads an opt-out as all do
                event = {**event, "event": "Order Completed"}
            yield from by_default().preview(event, now=NOW)


def sent(case: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return the first event that Pinterest gets of it."""
    return next(line.event for line in lines_of(case, said) if line.event)


CONSENT, METADATA, DEVICE = "consent_state.", "data.object.metadata.", "device_info."


@every_row(
    ("case", "said", "opt_out"),
    [
        (
            "ga4-measurement-protocol",
            {"consent.ad_user_data": "GRANTED", "consent.ad_personalization": "GRANTED"},
            None,
        ),
        ("ga4-measurement-protocol", {"consent.ad_user_data": "granted"}, None),
        ("ga4-measurement-protocol", {"consent.ad_user_data": "denied"}, True),
        ("ga4-measurement-protocol", {"consent.ad_user_data": "DENIED"}, True),
        ("ga4-measurement-protocol", {"consent.ad_personalization": "DENIED"}, True),
        ("ga4-measurement-protocol", {"consent.ad_user_data": "CONSENT_STATUS_UNSPECIFIED"}, True),
        ("ga4-measurement-protocol", {"non_personalized_ads": True}, True),
        ("ga4-measurement-protocol", {"non_personalized_ads": "maybe"}, True),
        ("ga4-measurement-protocol", {"non_personalized_ads": False}, None),
        ("ga4-measurement-protocol", {"non_personalized_ads": None}, None),
        ("gtm_server-purchase", {"x-ga-gcs": "G100"}, True),
        ("gtm_server-purchase", {"x-ga-gcs": "G101"}, True),
        ("gtm_server-purchase", {"x-ga-gcs": "G110"}, None),
        ("gtm_server-purchase", {"x-ga-gcs": "G111"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "11t1t1t1t5"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "13l3l3l3l1l1"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "13v3n3r3t5l1"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "13t3p3t3t5"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "13p3t3t3t5"}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "11q1t1t1t5"}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "13t3t3m3t5"}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "13t3t3t3u5l1"}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "13p3p3p3p5l1"}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "13t3t3t3l5p1"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": "11p1p1p1p"}, None),
        ("gtm_server-purchase", {"x-ga-gcd": None}, None),
        ("gtm_server-purchase", {"x-ga-gcd": ""}, None),
        ("gtm_server-purchase", {"x-ga-gcd": 7}, None),
        ("gtm_server-purchase", {"x-ga-gcd": {"ad_storage": "p"}}, None),
        ("gtm_server-purchase", {"x-ga-gcs": "G111", "x-ga-gcd": "13t3t3q3t5"}, True),
        # the container's own copies of the codes, and its list of what is granted
        ("gtm_server-purchase", {"x-ga-mp2-gcd": "11l1l1l1l1"}, None),
        ("gtm_server-purchase", {"x-ga-mp2-gcd": "13l3l3q3l1l1"}, True),
        ("gtm_server-purchase", {"x-sst-system_properties": {"gcd": "11l1p1l1l1"}}, None),
        ("gtm_server-purchase", {"x-sst-system_properties": {"gcd": "11l1l1l1u1"}}, True),
        ("gtm_server-purchase", {"x-ga-gcd": "11t1t1t1t5", "x-sst-system_properties": {"gcd": "11p1t1t1t5"}}, True),
        *(
            ("gtm_server-purchase", {"x-sst-system_properties": {"consent": {"consentGrantedState": state}}}, answer)
            for state, answer in [
                (
                    {"ad_storage": True, "analytics_storage": False, "ad_user_data": True, "ad_personalization": True},
                    None,
                ),
                ({"ad_storage": False}, True),
                ({"ad_storage": True, "ad_user_data": False}, True),
                ({"ad_storage": True, "ad_user_data": True, "ad_personalization": False}, True),
            ]
        ),
        ("gtm_server-purchase", {"x-ga-npa": "1"}, True),
        ("gtm_server-purchase", {"x-ga-npa": 1}, True),
        ("gtm_server-purchase", {"x-ga-npa": "0"}, None),
        ("gtm_server-purchase", {"x-ga-mp2-user_properties": {"_npa": "1"}}, True),
        ("gtm_server-purchase", {"x-ga-mp2-user_properties": {"_npa": "0"}}, None),
        *(
            ("gtm_server-purchase", {name: value}, is_denied or None)
            for name in ("ad_storage", "ad_user_data", "ad_personalization")
            for value, is_denied in {"denied": True, "Denied": True, "granted": False, "": False}.items()
        ),
        ("gtm_server-purchase", {"analytics_storage": "denied"}, None),
        ("gtm_server-purchase", {CONSENT + "ad_storage": True, CONSENT + "analytics_storage": False}, None),
        ("gtm_server-purchase", {CONSENT + "ad_storage": "granted", CONSENT + "ad_user_data": "granted"}, None),
        ("gtm_server-purchase", {CONSENT + "ad_storage": "true"}, None),
        ("gtm_server-purchase", {CONSENT + "ad_storage": None}, None),
        ("gtm_server-purchase", {"consent_state": {}}, None),
        ("gtm_server-purchase", {CONSENT + "ad_storage": False}, True),
        ("gtm_server-purchase", {CONSENT + "ad_storage": True, CONSENT + "ad_user_data": "denied"}, True),
        ("gtm_server-purchase", {CONSENT + "ad_personalization": False}, True),
        ("mparticle-purchase", {CONSENT + "ccpa": {"data_sale_opt_out": {"consented": True}}}, True),
        ("mparticle-purchase", {CONSENT + "ccpa": {"data_sale_opt_out": {"consented": False}}}, False),
        ("mparticle-purchase", {DEVICE + "limit_ad_tracking": True}, True),
        ("mparticle-purchase", {DEVICE + "limit_ad_tracking": "unclear"}, True),
        ("mparticle-purchase", {DEVICE + "att_authorization_status": "not_determined"}, True),
        ("mparticle-purchase", {DEVICE + "att_authorization_status": "authorized"}, False),
        ("mparticle-purchase", {DEVICE + "limit_ad_tracking": None}, None),
        ("hightouch-rows", {"opt_out": "yes"}, True),
        ("hightouch-rows", {"opt_out": ""}, None),
        ("stripe-checkout-in-euros", {METADATA + "opt_out": "true"}, True),
        ("stripe-checkout-in-euros", {METADATA + "opt_out": "false"}, False),
        ("shopify-order-paid", {"opt_out": True}, True),
        ("woocommerce-order-paid", {"opt_out": True}, True),
    ],
    ids=str,
)
def test_a_no_in_the_words_of_the_sender_opts_out(case: str, said: dict[str, Any], opt_out: Any) -> None:
    assert sent(case, said).get("opt_out") is opt_out


@pytest.mark.parametrize(
    ("case", "said", "is_test"),
    [
        ("mparticle-purchase", {"environment": "development"}, True),
        ("mparticle-purchase", {"environment": "production"}, False),
        ("mparticle-purchase", {}, False),
        ("stripe-checkout-in-euros", {"livemode": False}, True),
    ],
)
def test_what_the_sender_calls_a_test_is_one(case: str, said: dict[str, Any], is_test: bool) -> None:  # noqa: FBT001
    warnings = [warning for line in lines_of(case, said) for warning in line.warnings]
    assert any(warning.startswith("a test: `context.test` is true") for warning in warnings) is is_test


@every_row(
    ("device", "is_sent"),
    [
        ({"limit_ad_tracking": False}, True),
        ({"limit_ad_tracking": False, "att_authorization_status": "authorized"}, True),
        ({"limit_ad_tracking": False, "att_authorization_status": "denied"}, False),
        ({"limit_ad_tracking": None, "att_authorization_status": "authorized"}, True),
        ({"limit_ad_tracking": True}, False),
        ({"limit_ad_tracking": None}, False),
    ],
)
def test_mparticles_advertising_id_is_sent_where_the_device_allows_it(device: dict[str, Any], is_sent: bool) -> None:  # noqa: FBT001
    said = {DEVICE + name: value for name, value in device.items()}
    event = sent("mparticle-purchase", {DEVICE + "ios_advertising_id": "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"} | said)
    assert ("hashed_maids" in event["user_data"]) is is_sent


@pytest.mark.parametrize("products", [[{"product_id": "P-1", "quantity": 2}], '[{"product_id": "P-1", "quantity": 2}]'])
def test_the_products_of_a_row_are_a_list_or_its_text(products: Any) -> None:
    assert sent("hightouch-rows", {"products": products})["custom_data"]["content_ids"] == ["P-1"]


OWN_WORDS: dict[str, Any] = {
    "contents": [{"id": "OA-1", "item_price": "7", "quantity": 2}],
    "content_ids": ["OA-2"],
    "num_items": 9,
}


@every_row("word", OWN_WORDS)
@every_row("write", [lambda value: value, lambda value: orjson.dumps(value).decode()], ids=["plain", "JSON text"])
@every_row(
    ("case", "holder", "others"),
    [
        ("ga4-datalayer-purchase", "ecommerce", "items"),
        ("ga4-measurement-protocol", "events.0.params", "items"),
        ("gtm_server-purchase", "", "items"),
        ("hightouch-rows", "", "products"),
        ("shopify-order-paid", "", "line_items"),
        ("woocommerce-order-paid", "", "line_items"),
    ],
)
def test_pinterests_own_words_win_in_every_source_that_can_have_them(
    case: str, holder: str, others: str, word: str, write: Callable[[Any], Any]
) -> None:
    at = f"{holder}." if holder else ""
    theirs = {f"{at}{others}": [{"product_id": "P-9", "item_id": "P-9", "price": 5, "quantity": 3}]}
    before = sent(case, theirs)["custom_data"]
    assert (before["content_ids"], before["num_items"]) == (["P-9"], 3)
    found = sent(case, theirs | {f"{at}{word}": write(OWN_WORDS[word])})["custom_data"]
    expected: dict[str, Any] = {
        "content_ids": ["P-9"],
        "num_items": 3,
        "contents": before["contents"],
        word: OWN_WORDS[word],
    }
    if word == "contents":
        expected |= {"content_ids": ["OA-1"], "num_items": 2}
    assert {name: found[name] for name in expected} == expected
