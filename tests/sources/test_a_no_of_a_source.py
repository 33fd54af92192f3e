"""An opt-out is an opt-out in every shipped source, wherever its requests can say it and however it is spelled."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from app.catalog.reshaping import compile_reshaping
from app.catalog.source_files import SourceFile
from app.core.events import Outcome
from app.source import Arrival
from app.source.event import read_or_refuse
from tests.rounds import LEVEL
from tests.rows import every_row
from tests.sources.sending import NOW
from tests.sources.test_cases import CASES, SOURCES
from tests.sources.test_shipped_files import by_default, lines_of

#: Each spelling, values that are an opt-out, and one that is an opt-in.
FLAGS: dict[str, tuple[list[Any], Any]] = {
    **dict.fromkeys(("opt_out", "optOut"), ([True, "true", 1, "yes", "maybe"], False)),
    **dict.fromkeys(("opt_out_type", "optOutType"), (["LDP", "ldp", "Limited Data Processing", True], "no")),
    "gpc": ([True, "1", 1], "0"),
}
DEVICES: dict[str, tuple[list[Any], Any]] = {
    "adTrackingEnabled": ([False, "false", 0], True),
    "attTrackingStatus": ([0, 1, 2, "2", "denied"], 3),
}
STATUS: dict[str, tuple[list[Any], Any]] = {"trackingStatus": (["denied", "restricted", "notDetermined"], "authorized")}
ROWS: dict[str, tuple[list[Any], Any]] = {
    "ad_tracking_enabled": DEVICES["adTrackingEnabled"],
    "att_tracking_status": DEVICES["attTrackingStatus"],
}
SEGMENTS = ["properties", "context", "context.traits", "traits"]
CARRIED = ["", "properties", "params", "context", "context.traits", "traits"]
ENTITY = "contexts_com_snowplowanalytics_snowplow_ecommerce_{}_1.0"
#: By source: a case of it, and the objects of its requests that can say an opt-out.
PLACES: dict[str, list[tuple[str, list[str]]]] = {
    "bigcommerce": [("bigcommerce-order-paid", [*CARRIED, "billing_address"])],
    "ga4": [
        ("ga4-datalayer-purchase", [*CARRIED, "ecommerce", "user_data"]),
        ("ga4-measurement-protocol", [*CARRIED, "user_data", "user_properties", "events.0", "events.0.params"]),
    ],
    "gtm_server": [("gtm_server-purchase", [*CARRIED, "user_data", "consent_state", "ecommerce"])],
    "hightouch": [("hightouch-rows", CARRIED)],
    "jitsu": [("jitsu-order", SEGMENTS)],
    "magento": [("magento-order-paid", [*CARRIED, "billing_address", "extension_attributes"])],
    "mparticle": [
        (
            "mparticle-purchase",
            [*CARRIED, "user_attributes", "events.0", "events.0.data", "events.0.data.custom_attributes"],
        )
    ],
    "rudderstack": [("rudderstack-order", SEGMENTS)],
    "shopify": [
        ("shopify-order-paid", [*CARRIED, "customer", "client_details"]),
        ("shopify-customer", CARRIED),
    ],
    "shopify_pixel": [("shopify_pixel-order-placed", [*CARRIED, "customerPrivacy", "data.checkout"])],
    "snowplow": [("snowplow-batch", [*CARRIED, ENTITY.format("user"), ENTITY.format("product")])],
    "stripe": [
        ("stripe-checkout-in-euros", [*CARRIED, "data.object", "data.object.metadata"]),
        (
            "stripe-invoice-of-a-new-subscription",
            [*CARRIED, *(f"data.object.{name}" for name in ("metadata", "parent.subscription_details.metadata"))],
        ),
    ],
    "woocommerce": [("woocommerce-order-paid", CARRIED)],
}


def said_in(source: str) -> Iterator[tuple[str, str, list[Any], Any]]:
    """Yield for each place and spelling of a source: a case, the path, what is an opt-out there, and an opt-in."""
    is_segments = source in ("rudderstack", "jitsu")
    for case, holders in PLACES[source]:
        for holder in holders:
            flags = FLAGS if is_segments else FLAGS | DEVICES | ROWS
            for name, (noes, yes) in flags.items():
                if name != "gpc" or not is_segments or holder == "context":
                    yield case, f"{holder}.{name}".lstrip("."), noes, yes
        for name, (noes, yes) in (DEVICES | STATUS).items():
            yield case, f"context.device.{name}", noes, yes
    if source == "mparticle":
        yield from (("mparticle-purchase", f"device_info.{name}", *STATUS[name]) for name in STATUS)


def flags_of(case: str, said: dict[str, Any]) -> list[Any]:
    """Return of each delivery whether it carries an opt-out (True), an opt-in (False) or neither (None)."""
    answers: list[Any] = []
    for line in lines_of(case, said):
        if line.event is None:
            answers += [True] if line.outcome is Outcome.WITHHELD else []
        else:
            is_ldp = "LDP" in line.event.get("custom_data", {}).get("opt_out_type", "")
            answers.append(is_ldp or line.event.get("opt_out"))
    return answers


def some(values: list[Any], number: int) -> list[Any]:
    """Return all values in `make prove`, else one by turns."""
    return values if LEVEL == "prove" else [values[number % len(values)]]


@pytest.mark.slow
@every_row("source", SOURCES)
def test_a_no_is_a_no_in_every_place_of_every_source(source: str) -> None:
    wrong = []
    before = {case: flags_of(case, {}) for case, _ in PLACES[source]}
    for number, (case, path, noes, yes) in enumerate(said_in(source)):
        # of several events in a request the first says it, or all do
        wrong += [(path, no) for no in some(noes, number) if flags_of(case, {path: no})[:1] != [True]]
        wrong += [(path, no) for no in some([None, "", " "], number) if flags_of(case, {path: no}) != before[case]]
        wrong += [(path, yes)] if True in flags_of(case, {path: yes}) else []

    assert wrong == []


def test_no_source_is_left_out() -> None:
    assert sorted(PLACES) == SOURCES


@every_row(
    ("case", "said", "answer"),
    [
        ("shopify-order-paid", {"note_attributes": [{"name": "gift", "value": "yes"}]}, None),
        ("shopify-order-paid", {"note_attributes": [{"name": "opt_out", "value": "true"}]}, True),
        ("shopify-order-paid", {"note_attributes": [{"name": "opt_out", "value": "false"}]}, False),
        ("shopify-order-paid", {"note_attributes": [{"name": "opt_out"}]}, None),
        ("shopify-order-paid", {"note_attributes": [{"name": ["opt_out"], "value": True}]}, None),
        ("woocommerce-order-paid", {"meta_data": [{"id": 1, "key": "opt_out_type", "value": "LDP"}]}, True),
        ("woocommerce-order-paid", {"meta_data": [7, {"key": "optOut", "value": "yes"}]}, True),
        ("ga4-measurement-protocol", {"user_properties": {"opt_out": {"value": True}}}, True),
        ("ga4-measurement-protocol", {"user_properties": {"opt_out": {"value": "false"}}}, False),
        # the status of a parcel's tracking says nothing of the person
        ("shopify-order-paid", {"trackingStatus": "shipped", "tracking_status": "in_transit"}, None),
        ("hightouch-rows", {"tracking_status": "delivered"}, None),
        ("shopify-order-paid", {"note_attributes": [{"name": "trackingStatus", "value": "shipped"}]}, None),
        # an opt-out wins over an opt-in that the file itself reads, and the other way round
        ("gtm_server-purchase", {"consent_state.ad_storage": "denied", "opt_out": False}, True),
        ("gtm_server-purchase", {"x-ga-gcs": "G111", "opt_out": True}, True),
        ("mparticle-purchase", {"device_info.limit_ad_tracking": False, "adTrackingEnabled": False}, True),
        ("mparticle-purchase", {"device_info.limit_ad_tracking": True, "adTrackingEnabled": True}, True),
    ],
    ids=str,
)
def test_a_no_is_read_as_the_sender_writes_it(case: str, said: dict[str, Any], answer: Any) -> None:
    assert flags_of(case, said)[0] is answer


def test_what_one_event_of_a_list_says_is_not_said_of_the_others() -> None:
    case = deepcopy(CASES["ga4-measurement-protocol"])
    event = case["request"]["body"]["events"][0]
    case["request"]["body"]["events"] = [event, event | {"params": event["params"] | {"opt_out": True}}]
    CASES["two"] = case
    try:
        assert flags_of("two", {}) == [None, True]
        assert flags_of("two", {"opt_out": True}) == [True, True]
    finally:
        del CASES["two"]


OWN = {"type": "track", "event": "Order Completed", "messageId": {"@path": "$.body.id"}}
READ = {"name": "own", "kind": "mapped", "proofs": [{"kind": "anyone"}]}


@every_row("context", [None, "text", {}, [], [{"opt_out": False}], {"device": "text"}, {"device": [{}]}])
@every_row(
    ("body", "each"),
    [
        ({"opt_out": True}, None),
        ({"context": {"device": {"attTrackingStatus": 2}}}, None),
        ({"order": {"who": [{"no": 1}, {"optOut": "yes"}]}}, None),
        ({"lines": [{"opt_out_type": "LDP"}]}, "$.body.lines"),
        ({"lines": [{"who": [{"gpc": "1"}]}]}, "$.body.lines"),
        ({"lines": [{}], "opt_out": True}, "$.body.lines"),
    ],
    ids=str,
)
def test_a_file_of_ones_own_cannot_forget_it(body: dict[str, Any], each: str | None, context: Any) -> None:
    read = {"city": {"@path": "$.body.order.who.city"}, "zip": {"@path": "$.item.who.zip"}} if each else {}
    mapping = OWN | {"traits": read or {"city": {"@path": "$.body.order.who.city"}}, "context": {"@path": "$.body.own"}}
    kind = {"name": "All", "subscribe": "body.id != null", "mapping": mapping} | ({"each": each} if each else {})
    reshape, faults = compile_reshaping(SourceFile.model_validate(READ | {"events": [kind]}))
    assert faults == []
    assert reshape
    record = {"method": "POST", "headers": {}, "query": {}, "body": body | {"id": "m-1", "own": context}}
    before = deepcopy(record)

    (made,) = reshape(record)
    assert isinstance(made, dict)
    made["properties"] = {"email": "ada@shop.example"}
    event = read_or_refuse(made, Arrival.at(NOW, new_id=lambda: "made"))
    assert isinstance(event, dict)
    (line,) = by_default().preview(event, now=NOW)

    assert line.event
    assert line.event["opt_out"] is True
    assert record == before
