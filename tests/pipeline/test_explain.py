"""One explanation: it says what the pipeline does, for every event and under all settings, and why."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from app import assemble
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.catalog.catalog import compile_catalog
from app.core.coordination import Switches
from app.core.events import Outcome
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.destination.normalise import hashed
from app.errors import EventRefused
from app.outbox import Outbox, open_outbox
from app.pipeline.explain import EventReport, Explainer, PresetReport
from app.pipeline.pipeline import Pipeline
from app.source import Arrival, Intake, read_event
from tests.assembled import settings, shipped_catalog
from tests.outbox.build import At
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.rounds import examples, some_of
from tests.rows import every_row

NOW = 1_772_640_800.0
ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-03-04T16:12:52.244Z",
    "context": {"traits": {"email": "Jane.Doe@Example.com"}},
    "properties": {"order_id": "SO-1", "revenue": 20, "currency": "USD"},
}
EVENTS = [orjson.loads(line) for line in (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()]


def order(**changes: Any) -> dict[str, Any]:
    return deepcopy(ORDER) | changes


async def explain(event: Any, **changes: Any) -> EventReport:
    """Explain to somebody who has no outbox."""
    return await assemble.explainer(settings(**changes)).explain(event, shipped_catalog(), now=NOW)


def of(explanation: EventReport, preset: str) -> PresetReport:
    return next(each for each in explanation.presets if each.preset == preset)


async def test_a_matched_preset_shows_each_field_from_path_to_digest() -> None:
    explanation = await explain(order())
    report = of(explanation, "Order Completed")
    email = next(row for row in report.fields if row.field == "user_data/email")
    assert (report.matched, report.outcome, report.reason, report.seen_at, report.kept) == (
        True,
        Outcome.ENQUEUED,
        "",
        None,
        "",
    )
    assert email.paths == ("context.traits.email",)
    assert email.value == '"Jane.Doe@Example.com"'
    assert email.normalised == "jane.doe@example.com"
    assert email.sent == '["86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d"]'
    assert report.schema_problems == ()
    (line,) = explanation.receipt.deliveries
    assert orjson.loads(report.payload or b"") == line.event


@pytest.mark.parametrize(
    ("hold_s", "text"), [(0, "A, B."), (1_800, "A, B. Held for 30m first."), (90, "A, B. Held for 90s first.")]
)
def test_what_is_held_says_so_and_for_how_long_at_most(hold_s: float, text: str) -> None:
    lines = (
        PresetResult(preset="A", outcome=Outcome.ENQUEUED),
        PresetResult(preset="B", outcome=Outcome.ENQUEUED, hold_s=hold_s),
    )
    assert EventReport(receipt=EventReceipt(message_id="m", deliveries=lines)).headline.text == text


async def test_an_unmatched_preset_shows_which_condition_is_to_blame_and_what_was_found() -> None:
    report = of(await explain(order()), "Page Visit")
    (condition,) = report.conditions
    assert (report.matched, report.outcome, report.reason) == (False, Outcome.UNMATCHED, "the trigger does not hold")
    assert (condition.held, condition.blamed, condition.found) == (False, True, '"track"')


OWN_PRESET = """
name: Own
subscribe: type = "track" and event = "Order Completed"
action: report_conversion_event
mapping:
  event_name: checkout
  user_data:
    email: {"@coalesce": [{"@path": $.properties.mail}, {"@path": $.context.traits.e_mail}]}
    partner_id: {"@path": $.context.partner}
  custom_data:
    value: {"@path": $.properties.amount_paid}
    order_id: {"@path": $.properties.order_id}
    content_name: fixed
"""


@pytest.mark.parametrize(
    ("said", "nearest"),
    [
        ({"traits": {"eMail": "a@b.co"}, "page": {"url": None}}, {"user_data/email": "context.traits.eMail"}),
        ({"traits": {"mail": "a@b.co"}}, {"user_data/email": "context.traits.mail"}),
        ({"traits": {}, "deep": [{"partner": "p"}]}, {"user_data/partner_id": "context.deep[0].partner"}),
    ],
)
async def test_a_field_that_a_preset_maps_and_that_finds_nothing_says_what_the_event_has(
    said: dict[str, Any], nearest: dict[str, str]
) -> None:
    action = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8")
    own = compile_catalog({"own.yaml": OWN_PRESET}, {"report_conversion_event.yaml": action})
    event = order(context=said, properties={"order_id": "SO-1", "revenue": 5, "Amount_Paid": 7})
    report = of(await assemble.explainer(settings()).explain(event, own, now=NOW), "Own")

    missing = {row.field: (row.paths, row.nearest) for row in report.fields if row.is_missing}
    assert missing == {
        "user_data/email": (("properties.mail", "context.traits.e_mail"), nearest.get("user_data/email", "")),
        "user_data/partner_id": (("context.partner",), nearest.get("user_data/partner_id", "")),
        "custom_data/value": (("properties.amount_paid",), "properties.Amount_Paid"),
    }


PRODUCTS = [{"sku": "p1", "Price": 5}, {"sku": "p2", "brand": "B"}]


def at(path: str) -> dict[str, Any]:
    return {"@path": path}


def of_products(path: str, **shape: Any) -> dict[str, Any]:
    return {"@arrayPath": [path, shape]}


#: Fields that find nothing, with the places where they look and the nearest path of the event.
FINDS_NOTHING = {
    "a template": ("content_name", {"@template": "{{properties.Order_Id}}"}, ["properties.Order_Id"], "order_id"),
    "a template of a list": ("content_name", {"@template": "{{ properties.items }}"}, ["properties.items"], ""),
    "Liquid": ("content_name", {"@liquid": "{{ properties.orderId | upcase }}"}, ["properties.orderId"], "order_id"),
    "a replacement": (
        "content_name",
        {"@replace": {"value": at("$.properties.sku"), "pattern": "a", "replacement": "b"}},
        ["properties.sku"],
        "products[0].sku",
    ),
    "objects merged": (
        "",
        {"@merge": {"direction": "right", "objects": [{"value": at("$.properties.revnue")}]}},
        ["properties.revnue"],
        "revenue",
    ),
    "a branch": (
        "value",
        {"@if": {"exists": at("$.properties.order_id"), "then": at("$.properties.Revenue")}},
        ["properties.order_id", "properties.Revenue"],
        "revenue",
    ),
    "a sum of which one number is there": (
        "value",
        {"@sum": [at("$.properties.revenue"), at("$.properties.shiping")]},
        ["properties.revenue", "properties.shiping"],
        "shipping",
    ),
    "what stands there but is no parameter of an address": (
        "content_name",
        {"@queryParameter": {"url": at("$.properties.order_id"), "name": "x"}},
        ["properties.order_id"],
        "",
    ),
    "a list under another name": (
        "contents",
        of_products("$.properties.items", id=at("$.sku")),
        ["properties.items", "properties.items[*].sku"],
        "products[0].sku",
    ),
    "a member of all products": (
        "contents/item_price",
        of_products("$.properties.products", id=at("$.sku"), item_price=at("$.price"), item_brand=at("$.brand")),
        ["properties.products[*].price"],
        "products[0].Price",
    ),
    "a member of what the products of either list are made into": (
        "contents/item_price",
        {
            "@if": {
                "exists": at("$.properties.coupon"),
                "then": of_products("$.properties.gifts", id=at("$.sku"), item_price=at("$.worth")),
                "else": {"@coalesce": [of_products("$.properties.products", id=at("$.sku"), item_price=at("$.price"))]},
            }
        },
        ["properties.gifts[*].worth", "properties.products[*].price"],
        "products[0].Price",
    ),
    "a member of a list that is written out": (
        "contents/id",
        [{"id": at("$.properties.products[0].SKU"), "quantity": 1}, "x"],
        ["properties.products[0].SKU"],
        "products[0].sku",
    ),
}


async def missing_of(own: Any) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return of a preset whose `custom_data` is this, which fields find nothing, where they look, and what is near."""
    action = (ROOT / "mappings/report_conversion_event.yaml").read_text("utf-8")
    text = orjson.dumps(
        {
            "name": "Own",
            "subscribe": 'type = "track"',
            "action": "report_conversion_event",
            "mapping": {"event_name": "lead", "custom_data": own},
        }
    ).decode()
    catalog = compile_catalog({"own.yaml": text}, {"report_conversion_event.yaml": action})
    event = order(properties={"order_id": "SO-1", "revenue": 5, "shipping": 1, "products": PRODUCTS})
    report = of(await assemble.explainer(settings()).explain(event, catalog, now=NOW), "Own")
    # the shipped opt-outs are read in addition, also if a directive makes the whole object
    return {
        row.field: (tuple(path for path in row.paths if "opt_out" not in path and "optOut" not in path), row.nearest)
        for row in report.fields
        if row.is_missing
    }


@every_row(("field", "mapped", "places", "nearest"), list(FINDS_NOTHING.values()), ids=str)
async def test_it_says_so_whatever_would_have_made_the_field(
    field: str, mapped: Any, places: list[str], nearest: str
) -> None:
    own = {field.partition("/")[0]: mapped} if field else mapped
    missing = await missing_of(own)

    assert missing == {f"custom_data/{field}".rstrip("/"): (tuple(places), nearest and f"properties.{nearest}")}


async def test_nothing_is_said_of_a_field_that_finds_something_or_that_is_fixed() -> None:
    found = {
        "content_name": {"@template": "order {{properties.gone}}"},
        "content_category": "",
        "value": at("$.properties.revenue"),
        "contents": of_products("$.properties.products", id=at("$.sku"), item_brand=at("$.brand"), quantity=1),
        "np": {"@liquid": "{{ properties.order_id }}"},
    }

    assert await missing_of(found) == {}
    assert await missing_of({"contents": of_products("$.properties.order_id", id=at("$.sku"))}) == {}


@pytest.mark.slow
async def test_an_invalid_event_shows_its_fields_and_the_reason() -> None:
    report = of(await explain(order(context={})), "Order Completed")
    assert (report.outcome, report.payload) == (Outcome.INVALID, None)
    assert "hashed_maids" in report.reason
    assert any(row.field == "custom_data/value" and row.value == "20" and row.sent is None for row in report.fields)


async def test_a_withheld_event_shows_what_would_be_sent_otherwise_and_that_nothing_is() -> None:
    explanation = await explain(order(integrations={"All": False}))
    assert explanation.receipt.deliveries == (
        PresetResult(preset=None, outcome=Outcome.WITHHELD, reason="integrations: All is off"),
    )
    report = of(explanation, "Order Completed")
    assert (report.outcome, report.reason, report.payload) == (Outcome.WITHHELD, "integrations: All is off", None)
    assert report.fields
    assert all(row.sent is None for row in report.fields)


@every_row(
    ("event", "level", "title", "text"),
    [
        (order(), "good", "1 delivery to Pinterest:", "Order Completed."),
        (order(context={}), "bad", "Matched, but nothing would be sent.", "Each preset has its reason."),
        (order(event="x"), "warn", "No preset matches this event.", "For each there is the condition that failed"),
        (
            order(event="order complete"),
            "warn",
            "No preset matches this event.",
            'The nearest is Order Completed, which asks for `event = "Order Completed"`. For each',
        ),
        (
            order(event="Order Placed"),
            "warn",
            "No preset matches this event.",
            'The nearest is Order Completed, which asks for `event = "Order Completed"`. For each',
        ),
        (
            order(event="purchase"),
            "warn",
            "No preset matches this event.",
            "GA4 Purchase would take it, but `enabled: false` in its file takes it out. For each",
        ),
        (order(integrations={"All": False}), "warn", "Withheld.", "integrations: All is off"),
        (EventRefused("it has no type", message_id="m"), "bad", "Refused.", "it has no type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_headline_says_it_all(event: Any, level: str, title: str, text: str) -> None:
    told = (await explain(event)).headline
    assert (told.level, told.title) == (level, title)
    assert told.text.startswith(text)


async def test_what_is_no_event_is_refused_as_in_the_receipt_and_no_preset_is_asked() -> None:
    explanation = await explain(EventRefused("it has no type", message_id="m-7"))
    assert explanation.receipt.message_id == "m-7"
    assert explanation.receipt.deliveries == (
        PresetResult(preset=None, outcome=Outcome.REFUSED, reason="it has no type"),
    )
    assert explanation.presets == ()


async def test_an_event_name_of_the_advertisers_own_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "only.yaml").write_text(
        'name: Only\nsubscribe: type = "track"\naction: report_conversion_event\nmapping: {event_name: tasting}\n',
        encoding="utf-8",
    )
    mine = settings(presets_dir=(tmp_path,), custom_event_names=("tasting",))
    catalog = assemble.running_catalog(mine).catalog
    report = of(await assemble.explainer(mine).explain(order(), catalog, now=NOW), "Only")
    assert (report.outcome, report.schema_problems) == (Outcome.ENQUEUED, ())


@pytest.mark.slow
async def test_a_mapping_without_a_result_is_invalid_and_has_no_fields(tmp_path: Path) -> None:
    (tmp_path / "only.yaml").write_text(
        'name: Only\nsubscribe: type = "track"\naction: report_conversion_event\n'
        'mapping: {event_name: lead, event_id: {"@template": "{{properties.deep}}"}}\n',
        encoding="utf-8",
    )
    mine = settings(presets_dir=(tmp_path,))
    catalog = assemble.running_catalog(mine).catalog
    report = of(
        await assemble.explainer(mine).explain(order(properties={"deep": nested(100_000)}), catalog, now=NOW), "Only"
    )
    assert (report.outcome, report.fields) == (Outcome.INVALID, ())
    assert "nested too deeply" in report.reason


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


async def test_names_and_address_show_the_block_that_they_were_taken_from() -> None:
    traits = {"email": "jane@example.com", "name": "Jane  Doe", "address": {"city": "St. Paul", "country": "Germany"}}
    report = of(await explain(order(context={"traits": traits})), "Order Completed")
    shown = {row.field: (row.paths, row.value, row.normalised) for row in report.fields}
    assert shown["user_data/city"] == (("context.traits.address.city",), '"St. Paul"', "stpaul")
    assert shown["user_data/country"] == (("context.traits.address.country",), '"Germany"', "de")
    assert shown["user_data/first_name"] == (("context.traits.name",), '"Jane  Doe"', "jane")
    assert shown["user_data/last_name"] == (("context.traits.name",), '"Jane  Doe"', "doe")
    assert not {"person_blocks", "user_data/from_blocks"} & shown.keys()


async def test_a_field_shows_the_value_that_was_taken_where_the_first_is_of_no_use() -> None:
    event = order(context={"traits": {"email": "jane@example.com"}})
    event["properties"]["email"] = "no address"
    report = of(await explain(event), "Order Completed")
    email = next(row for row in report.fields if row.field == "user_data/email")
    assert (email.paths, email.value, email.normalised) == (
        ("context.traits.email",),
        '"jane@example.com"',
        "jane@example.com",
    )
    refused = of(await explain(event | {"context": {}}), "Order Completed")
    email = next(row for row in refused.fields if row.field == "user_data/email")
    assert (refused.outcome, email.paths, email.value) == (Outcome.INVALID, ("properties.email",), '"no address"')


async def test_a_field_of_which_no_value_was_taken_shows_the_first() -> None:
    event = order(context={"traits": {"email": "none of yours"}, "ip": "203.0.113.9", "userAgent": "x"})
    event["properties"]["email"] = "no address"
    report = of(await explain(event), "Order Completed")
    email = next(row for row in report.fields if row.field == "user_data/email")
    assert (report.outcome, email.paths, email.value, email.sent) == (
        Outcome.ENQUEUED,
        ("properties.email",),
        '"no address"',
        None,
    )


async def test_a_refund_shows_the_amount_that_was_given_not_the_one_that_was_computed() -> None:
    report = of(await explain(order(properties={"total": -25, "tax": 2, "shipping": 3})), "Order Completed")
    value = next(row for row in report.fields if row.field == "custom_data/value")
    assert (report.outcome, report.reason) == (Outcome.INVALID, "a refund, not a purchase")
    assert (value.paths, value.value, value.sent) == (("properties.total",), "-25", None)


async def test_a_value_that_is_nested_beyond_the_writer_is_shown_all_the_same() -> None:
    explanation = await explain(order(properties={"order_id": "SO-1", "revenue": nested(400)}))
    assert of(explanation, "Order Completed").matched


# ---------------------------------------------------------------------------------------------------------------------
# Against the pipeline and an outbox.

RULES = outbox_rules()


@asynccontextmanager
async def both(folder: Path, switches: Switches, **changes: Any) -> AsyncIterator[tuple[Explainer, Pipeline, Outbox]]:
    """Join who explains and who does it, over one outbox."""
    outbox = open_outbox(new_store(folder, "o.db"), RULES, clock=lambda: NOW)
    mine = settings(**changes)
    explainer = assemble.explainer(mine, outbox=outbox, why_off=switches.why_off)
    try:
        yield explainer, assemble.pipeline(mine, shipped_catalog(), outbox=outbox, why_off=switches.why_off), outbox
    finally:
        await outbox.close()


def told(receipt: Receipt) -> list[tuple[str | None, list[tuple[str | None, Outcome, str, tuple[str, ...]]]]]:
    """Return all of a receipt but the finished events, which only explanations have."""
    return [
        (each.message_id, [(line.preset, line.outcome, line.reason, line.warnings) for line in each.deliveries])
        for each in receipt.events
    ]


async def assert_equal(
    explainer: Explainer, pipeline: Pipeline, events: list[Any], *, source: str = "default", is_trusted: bool = True
) -> set[Outcome]:
    """Check that each event, one after the other, becomes what was said before; return the outcomes that occurred."""
    outcomes: set[Outcome] = set()
    for event in events:
        intake = Intake([event], NOW, source=source, is_trusted=is_trusted)
        explanation = await explainer.explain(event, shipped_catalog(), now=NOW, source=source)
        foreseen = await explainer.receipt(intake, shipped_catalog())
        done = await pipeline.accept(intake)
        assert told(Receipt(events=(explanation.receipt,))) == told(done) == told(foreseen)
        assert foreseen.counts == done.counts
        lines = {line.preset: line.outcome for line in explanation.receipt.deliveries}
        assert {each.preset: each.outcome for each in explanation.presets if each.preset in lines} == {
            preset: outcome for preset, outcome in lines.items() if preset
        }
        assert all(each.outcome is not Outcome.ENQUEUED for each in explanation.presets if each.preset not in lines)
        for report in explanation.presets:
            assert_every_digest_is_shown_with_what_was_hashed(report)
        outcomes |= set(done.counts)
    return outcomes


def assert_every_digest_is_shown_with_what_was_hashed(report: PresetReport) -> None:
    built = orjson.loads(report.payload) if report.payload else {"user_data": {}}
    rows = [row for row in report.fields if row.sent is not None and row.field.startswith("user_data/")]
    assert {row.sent for row in rows} == {orjson.dumps(value).decode() for value in built["user_data"].values()}
    for row in (row for row in rows if row.normalised):
        forms = row.normalised.split(", ")
        assert orjson.loads(row.sent or "") == [hashed(form) for form in forms], row.field
        assert row.paths


@pytest.mark.slow
@pytest.mark.prove
async def test_of_every_realistic_event_it_says_what_becomes_of_it(tmp_path: Path) -> None:
    async with both(tmp_path, Switches()) as (explainer, pipeline, _):
        events = [read_event(deepcopy(event), Arrival.at(NOW)) for event in some_of(EVENTS)]
        outcomes = await assert_equal(explainer, pipeline, events)
    assert outcomes >= {Outcome.ENQUEUED, Outcome.UNMATCHED}


consents: st.SearchStrategy[Any] = st.sampled_from(
    [None, {}, [], "x", {"categoryPreferences": {"ads": True}}, {"categoryPreferences": {"ads": False, "site": True}}]
)
routings: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["All", "Pinterest Conversions API", "PINTEREST_TAG", "Shop"]), st.sampled_from([True, False, {}])
) | st.sampled_from([None, [], "x"])
oddities = st.fixed_dictionaries(
    {},
    optional={
        "integrations": routings,
        "consent": consents,
        "denied": st.lists(st.sampled_from(["pin", "other"]), max_size=2),
        "context": st.just({}),
        "timestamp": st.sampled_from(["2026-02-01T00:00:00Z", "never", None]),
        "event": st.sampled_from(["Checkout", "Order Completed", "Nothing"]),
        "messageId": st.sampled_from(["same", "SAME"]),
        "anonymousId": st.just("one-browser"),
        "opt_out": st.booleans(),
    },
)
configurations = st.fixed_dictionaries(
    {},
    optional={
        "consent_categories": st.sampled_from([(), ("ads",), ("ads", "site")]),
        "rudder_consent_ids": st.sampled_from([(), ("pin",)]),
        "integration_names": st.sampled_from([("none",), ("Shop",), ("PINTEREST_TAG", "Shop")]),
        "events_while_off": st.sampled_from(["delay", "withhold"]),
        "default_country": st.sampled_from([None, "DE"]),
        "default_currency": st.sampled_from([None, "EUR"]),
        "ldp_states": st.sampled_from([(), ("CA",)]),
        "max_event_age_days": st.sampled_from([0.0001, 1.0, 7.0]),
        "content_id": st.sampled_from(["product_id", "variant_id", "{{ product_id }}_{{ sku }}"]),
        "external_id_keep_case": st.booleans(),
        "partner_name": st.sampled_from([None, "ss-pinrelay"]),
        "suppress": st.sampled_from(["per_event", "withhold", "fill"]),
        "consent_required": st.booleans(),
    },
)
switchings = st.builds(
    Switches,
    destination_off=st.integers(0, 5).map(lambda number: number == 0),
    presets_off=st.frozensets(st.sampled_from(["Order Completed", "Checkout", "Page Visit", "Product Viewed"])),
)


def changed(event: dict[str, Any], changes: dict[str, Any]) -> Any:
    """Change an event as read from the network, then read it."""
    event = deepcopy(event)
    for name, value in changes.items():
        if name == "consent":
            event.setdefault("context", {})["consent"] = value
        elif name == "opt_out":
            event.setdefault("properties", {})["opt_out"] = value
        elif name == "denied":
            event.setdefault("context", {})["consentManagement"] = {"deniedConsentIds": value}
        else:
            event[name] = value
    return read_event(event, Arrival.at(NOW))


@pytest.mark.slow
@effort(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    configuration=configurations,
    switches=switchings,
    chosen=st.lists(st.tuples(st.sampled_from(EVENTS), oddities), min_size=8, max_size=24),
)
async def test_under_all_settings_it_says_what_becomes_of_an_event(
    tmp_path_factory: pytest.TempPathFactory, configuration: dict[str, Any], switches: Switches, chosen: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("explain")
    async with both(folder, switches, **configuration) as (explainer, pipeline, _):
        await assert_equal(explainer, pipeline, [changed(event, changes) for event, changes in chosen])


A_NO_BY = {
    "a consent category": {"context": {"consent": {"categoryPreferences": {"ads": False}}}},
    "an opt-out": {"properties": {"opt_out": True}},
}


@pytest.mark.parametrize("later_id", ["m-1", "m-2"], ids=["the same event again", "another event"])
@pytest.mark.parametrize("suppress", ["per_event", "withhold", "fill"])
@pytest.mark.parametrize("said", A_NO_BY.values(), ids=A_NO_BY)
async def test_a_no_that_the_person_said_before_is_foreseen(
    tmp_path: Path, said: dict[str, Any], suppress: str, later_id: str
) -> None:
    no = order(event="Nothing", messageId="m-no", anonymousId="one-browser", **said)
    later = order(anonymousId="one-browser", messageId=later_id)
    first = [order(anonymousId="one-browser"), no] if later_id == "m-1" else [no]
    async with both(tmp_path, Switches(), consent_categories=("ads",), suppress=suppress) as (explainer, pipeline, _):
        events = [read_event(event, Arrival.at(NOW)) for event in [*first, later]]
        await assert_equal(explainer, pipeline, events[:-1])
        report = of(await explainer.explain(events[-1], shipped_catalog(), now=NOW), "Order Completed")
        await assert_equal(explainer, pipeline, events[-1:])
    if suppress == "withhold":
        assert (report.outcome, report.reason) == (Outcome.WITHHELD, "the person opted out on 4 March, in the browser")
    assert orjson.loads(report.payload or "{}").get("opt_out") is (
        True if "properties" in said and suppress == "per_event" else None
    )


TWO_SIDES = {"write_keys": "page:0123456789abcdef,shop:0123456789abcdea", "trusted_senders": "shop"}


#: Who tells of an order, and what; None: what waits is sent.
of_two_sides = st.lists(
    st.none()
    | st.tuples(
        st.sampled_from(["page", "shop"]),
        st.fixed_dictionaries(
            {"order_id": st.sampled_from(["SO-1", "SO-2"]), "total": st.sampled_from([119, 100, 0.01])},
            optional={
                "tax": st.just(19),
                "checkout_token": st.sampled_from(["t", "u"]),
                "event_id": st.sampled_from(["tag-1", "tag-2"]),
            },
        ),
        st.sampled_from(["m-1", "m-2", "m-3", "m-4"]),
    ),
    min_size=2,
    max_size=9,
)


@pytest.mark.slow
@effort(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chosen=of_two_sides, unconfirmed=st.sampled_from(["send", "withhold"]), waits=st.sampled_from([0, 10]))
async def test_of_an_order_from_two_sides_it_says_what_becomes_of_it(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[Any], unconfirmed: str, waits: int
) -> None:
    keeps = {"quarantine_hours": 1, "quarantine_key": "a key of the quarantine, long enough"}
    rules = {**TWO_SIDES, **keeps, "unconfirmed_orders": unconfirmed, "order_wait_minutes": waits}
    async with both(tmp_path_factory.mktemp("two"), Switches(), **rules) as (explainer, pipeline, outbox):
        for step in chosen:
            if step is None:
                at = At(outbox, NOW + 700)
                claimed = await outbox.claim(
                    SANDBOX_AD_ACCOUNT_ID, limit=9, max_bytes=10**9, max_wait_s=0, lease_s=9, now=at.now
                )
                await at.deliver(*claimed)
                continue
            source, properties, message_id = step
            event = read_event(
                order(messageId=message_id, properties={"currency": "USD", **properties}), Arrival.at(NOW)
            )
            await assert_equal(explainer, pipeline, [event], source=source, is_trusted=source == "shop")


async def test_an_order_says_that_it_would_wait_and_its_other_side_that_both_are_one_event(tmp_path: Path) -> None:
    page, shop = (order(messageId=message_id) for message_id in ("page-1", "shop-1"))
    async with both(tmp_path, Switches(), **TWO_SIDES) as (explainer, pipeline, _):
        before = await explainer.explain(page, shipped_catalog(), now=NOW, source="page")
        assert await assert_equal(explainer, pipeline, [page], source="page", is_trusted=False) >= {Outcome.ENQUEUED}
        explanation = await explainer.explain(shop, shipped_catalog(), now=NOW + 60, source="shop")
        assert await assert_equal(explainer, pipeline, [shop], source="shop") >= {Outcome.MERGED}
    assert before.headline.text == "Order Completed. Waits up to 10m for the other side of its order."
    report = of(explanation, "Order Completed")
    assert (report.outcome, report.reason) == (Outcome.MERGED, "merged with delivery 1, message page-1")
    headline = explanation.headline
    assert (headline.level, headline.title) == ("good", "One event with the other side of its order.")
    assert (headline.text, explanation.wait_s) == (report.reason, 0)


async def test_asking_what_becomes_of_an_order_is_no_word_of_its_side(tmp_path: Path) -> None:
    """A side that has sent no order for 30 days is not waited for; what is asked in the tester was not sent."""
    event = order(messageId="page-1", timestamp=NOW)
    async with both(tmp_path, Switches(), **TWO_SIDES) as (explainer, _, outbox):
        await explainer.explain(event, shipped_catalog(), now=NOW, source="page")
        assert await outbox.list_shared("orders") == {}


async def test_what_was_sent_before_is_a_duplicate_and_since_when(tmp_path: Path) -> None:
    async with both(tmp_path, Switches()) as (explainer, pipeline, _):
        await pipeline.accept(Intake([order()], now=NOW, is_trusted=True))
        explanation = await explainer.explain(order(), shipped_catalog(), now=NOW + 60)
    report = of(explanation, "Order Completed")
    assert (report.outcome, report.seen_at) == (Outcome.DUPLICATE, NOW)
    assert report.reason == "the same event_id was taken before, as delivery 1"
    assert explanation.headline.title == "Sent before."
    assert report.payload, "what it would have sent is shown"


async def test_another_order_with_the_id_of_an_earlier_one_is_foreseen_with_its_warning(tmp_path: Path) -> None:
    ben = order(messageId="m-2", context={"traits": {"email": "ben@example.com"}})
    ben["properties"] |= {"revenue": 30}
    async with both(tmp_path, Switches()) as (explainer, pipeline, _):
        await pipeline.accept(Intake([order()], now=NOW, is_trusted=True))
        explanation = await explainer.explain(ben, shipped_catalog(), now=NOW)
        foreseen = await explainer.receipt(Intake([ben], NOW, is_trusted=True), shipped_catalog())
        done = await pipeline.accept(Intake([ben], now=NOW, is_trusted=True))

    (line,) = done.events[0].deliveries
    assert line.outcome is Outcome.ENQUEUED
    assert line.warnings[-1] == (
        "another order: its order_id came before, as delivery 1, of another buyer and another total "
        "(20 USD then, 30 USD now); both are sent"
    )
    assert told(Receipt(events=(explanation.receipt,))) == told(done) == told(foreseen)
    assert of(explanation, "Order Completed").seen_at is None


async def test_asking_stores_nothing(tmp_path: Path) -> None:
    async with both(tmp_path, Switches()) as (explainer, _, outbox):
        for _ in range(2):
            assert (await explainer.explain(order(), shipped_catalog(), now=NOW)).headline.level == "good"
            assert (await explainer.receipt(Intake([order()], NOW, is_trusted=True), shipped_catalog())).counts[
                Outcome.ENQUEUED
            ] == 1
        assert (await outbox.message("m-1")).deliveries == ()
        assert await outbox.counters(since=0, step_s=0) == []


async def test_of_many_events_the_repeated_ones_are_foreseen(tmp_path: Path) -> None:
    events: list[Any] = [order(), EventRefused("no object"), order(messageId="m-2"), order(event="x", messageId="m-3")]
    async with both(tmp_path, Switches()) as (explainer, pipeline, _):
        foreseen = await explainer.receipt(Intake(events, NOW, is_trusted=True), shipped_catalog())
        done = await pipeline.accept(Intake(events, now=NOW, is_trusted=True))
    assert foreseen.counts == done.counts
    assert [[line.outcome for line in each.deliveries] for each in foreseen.events] == [
        [Outcome.ENQUEUED],
        [Outcome.REFUSED],
        [Outcome.DUPLICATE],
        [Outcome.UNMATCHED],
    ]


@pytest.mark.parametrize(
    ("events_while_off", "outcome", "kept"),
    [("delay", Outcome.ENQUEUED, "the preset is switched off"), ("withhold", Outcome.WITHHELD, "")],
)
async def test_a_switch_keeps_or_withholds_as_the_settings_say(
    tmp_path: Path, events_while_off: str, outcome: Outcome, kept: str
) -> None:
    switches = Switches(presets_off=frozenset({"Order Completed"}))
    async with both(tmp_path, switches, events_while_off=events_while_off) as (explainer, _, _):
        report = of(await explainer.explain(order(), shipped_catalog(), now=NOW), "Order Completed")
    assert (report.outcome, report.kept) == (outcome, kept)


def every_text(explanation: EventReport) -> Iterator[str]:
    yield explanation.headline.text
    for report in explanation.presets:
        yield from (report.reason, report.kept, *report.warnings)


async def test_no_reason_holds_what_is_personal(tmp_path: Path) -> None:
    async with both(tmp_path, Switches()) as (explainer, pipeline, _):
        await pipeline.accept(Intake([order()], now=NOW, is_trusted=True))
        explanation = await explainer.explain(order(), shipped_catalog(), now=NOW)
    assert not any("jane" in text.lower() for text in every_text(explanation))
