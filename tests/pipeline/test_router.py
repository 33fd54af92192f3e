"""What stands between a mapped event and its delivery: tests, crawlers, orders that came to nothing, apps."""

from typing import Any

import pytest

from app.catalog import Catalog, compile_catalog
from app.config.settings import BotFilterSettings
from app.core.deliveries import Withdrawal
from app.core.events import Outcome
from app.core.receipts import PresetResult
from app.pipeline.delivery_factory import drafted_delivery, drafted_withdrawal
from app.pipeline.router import AdAccount, BuildProfile, Router
from app.source.withholding import bot_filter
from tests.assembled import shipped_catalog
from tests.process import ROOT
from tests.rows import every_row

NOW = 1_795_601_700.0  # 2026-11-25T10:15:00Z
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return shipped_catalog()


def the_line(
    catalog: Catalog, walk: Router, *, context: dict[str, Any] | None = None, **properties: Any
) -> PresetResult:
    """The one line of an order with these properties."""
    event = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m-1",
        "timestamp": "2026-11-25T10:15:00Z",
        "context": {"userAgent": CHROME, "ip": "203.0.113.9", **(context or {})},
        "properties": {"order_id": "SO-1", "revenue": 20, "currency": "USD", **properties},
    }
    (line,) = walk.lines(event, catalog, now=NOW)
    return line


def built_as(**making: Any) -> Router:
    """Return the way to one ad account whose events are built so."""
    return Router([AdAccount(making=BuildProfile(**making))])


WITHHELD = [
    ({"status": "cancelled"}, {}, "the order is not a purchase: its `status` says cancelled"),
    ({"test": True}, {}, "a test: `properties.test` is true (remove test_events from WITHHOLD to send it)"),
    (
        {},
        {"page": {"url": "http://localhost/x"}},
        "a test: its page is on a test host (remove test_events from WITHHOLD to send it)",
    ),
    (
        {},
        {"userAgent": GOOGLEBOT},
        "a crawler: its user agent is on the list (remove crawlers from WITHHOLD to send it)",
    ),
]


@pytest.mark.parametrize(("properties", "context", "reason"), WITHHELD)
def test_what_is_of_nobody_is_withheld_for_the_preset_that_takes_it(
    catalog: Catalog, properties: dict[str, Any], context: dict[str, Any], reason: str
) -> None:
    walk = built_as(why_filtered=bot_filter(BotFilterSettings.model_construct(), is_live=True))
    line = the_line(catalog, walk, context=context, **properties)

    assert (line.preset, line.outcome, line.reason, line.event) == ("Order Completed", Outcome.WITHHELD, reason, None)


@pytest.mark.parametrize(("properties", "context", "reason"), WITHHELD[1:])
def test_the_sandbox_takes_it_with_a_warning(
    catalog: Catalog, properties: dict[str, Any], context: dict[str, Any], reason: str
) -> None:
    walk = built_as(why_filtered=bot_filter(BotFilterSettings.model_construct(), is_live=False))
    line = the_line(catalog, walk, context=context, **properties)

    assert (line.outcome, line.warnings) == (Outcome.ENQUEUED, (f"{reason}; withheld if Pinterest is live",))


APPS = [
    ({"device": {"type": "ios"}}, "app_ios"),
    ({"library": {"name": "analytics-kotlin"}}, "app_android"),
]


@pytest.mark.parametrize(("context", "platform"), APPS)
def test_a_purchase_from_an_app_is_sent_as_web_with_a_warning(
    catalog: Catalog, context: dict[str, Any], platform: str
) -> None:
    line = the_line(catalog, Router(), context=context)

    assert line.event
    assert line.event["action_source"] == "web"
    assert line.warnings == (
        f"purchase from an app: sent as web; ACTION_SOURCE_BY_CONTEXT=true sends it as {platform}",
    )


@pytest.mark.parametrize(("context", "platform"), APPS)
def test_action_source_by_context_sends_it_as_the_apps(
    catalog: Catalog, context: dict[str, Any], platform: str
) -> None:
    line = the_line(catalog, built_as(action_source_by_context=True), context=context | {"app": {"name": "Oak & Ash"}})

    assert line.event
    assert line.event["action_source"] == platform
    assert line.warnings == ()


def test_what_a_browser_sends_stays_of_the_web(catalog: Catalog) -> None:
    line = the_line(catalog, built_as(action_source_by_context=True))

    assert line.event
    assert line.event["action_source"] == "web"


@every_row(
    ("properties", "checkout_id"),
    [
        ({"checkout_id": " c-1 "}, "c-1"),
        ({"checkoutId": 77}, "77"),
        ({"checkout_id": "null", "checkoutId": "c-2"}, "c-2"),
        ({"checkout_id": "{{ checkout.id }}"}, None),
        ({"checkout_id": 0}, None),
        ({"checkout_id": {"id": 1}}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_checkout_of_an_order_is_known(catalog: Catalog, properties: Any, checkout_id: str | None) -> None:
    walk = Router()
    line = the_line(catalog, walk)
    assert line.event
    event = {"type": "track", "properties": properties}

    delivery = drafted_delivery(
        "m-1", event, line, source="shop", is_trusted=True, shop_of={"shop": "Berlin"}.__getitem__
    )

    assert (delivery.checkout_id, delivery.source, delivery.order_id) == (checkout_id, "shop", "SO-1")
    assert (delivery.is_trusted, delivery.shop) == (True, "Berlin")


def test_a_checkout_id_with_an_address_in_it_is_kept_as_a_digest(catalog: Catalog) -> None:
    walk = Router()
    line = the_line(catalog, walk)
    assert line.event
    event = {"type": "track", "properties": {"checkout_id": "jane@example.com-7"}}

    checkout_id = drafted_delivery("m-1", event, line).checkout_id

    assert checkout_id
    assert "jane" not in checkout_id
    assert len(checkout_id) == 64


def test_a_long_message_id_that_is_not_sent_is_kept_as_its_digest_with_a_warning(catalog: Catalog) -> None:
    event = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m" * 257,
        "timestamp": "2026-11-25T10:15:00Z",
        "context": {"userAgent": CHROME, "ip": "203.0.113.9"},
        "properties": {"order_id": "SO-1", "revenue": 20, "currency": "USD", "event_id": "e-1"},
    }
    (line,) = Router().lines(event, catalog, now=NOW)
    assert "messageId: a text of more than 256 bytes, its SHA-256 is kept" in line.warnings

    del event["properties"]["event_id"]  # type: ignore[attr-defined]
    (line,) = Router().lines(event, catalog, now=NOW)
    assert [warning.partition(":")[0] for warning in line.warnings] == ["event_id"]


def test_many_faults_of_one_event_are_a_reason_of_bounded_length(catalog: Catalog) -> None:
    event = {"type": "track", "event": "Order Completed", "messageId": "m-1", "timestamp": [[]] * 500, "properties": {}}
    event["properties"] = {"user_data": {"email": [{}] * 500}}
    (line,) = Router().lines(event, catalog, now=NOW)
    assert line.outcome is Outcome.INVALID
    assert len(line.reason) <= 1_001


CANCELLED = {"type": "track", "event": "Order Cancelled", "messageId": "c-1", "properties": {"order_id": " SO-1 "}}


def cancellable(*, mapping: str = "{event_name: checkout}", more: str = "") -> Catalog:
    """A catalog of one preset, whose orders may be cancelled."""
    text = (
        f'name: Order\nsubscribe: event = "Order Completed"\naction: report_conversion_event\nhold: 30m\n'
        f'withdrawn_by: event = "Order Cancelled"\nmapping: {mapping}\n{more}'
    )
    return compile_catalog({"p.yaml": text}, running_texts())


def running_texts() -> dict[str, str]:
    file = "mappings/report_conversion_event.yaml"
    return {file: (ROOT / file).read_text(encoding="utf-8")}


def test_a_cancellation_names_the_order_that_it_withdraws_of_each_ad_account_that_takes_it() -> None:
    walk = Router(
        [AdAccount(name="US", ad_account_id="1"), AdAccount(name="FR", ad_account_id="2", sources=frozenset())]
    )
    (line,) = walk.lines(CANCELLED, cancellable(), now=NOW)
    assert (line.preset, line.destination, line.outcome, line.cancels) == ("Order", "US", Outcome.MATCHED, "SO-1")
    assert drafted_withdrawal("c-1", line, source="default") == Withdrawal(
        ad_account_id="1", preset="Order", order_id="SO-1", message_id="c-1"
    )


@pytest.mark.parametrize(
    ("catalog", "properties"),
    [
        (cancellable(), {}),
        (cancellable(), {"order_id": "null"}),
        (cancellable(mapping='{event_name: checkout, custom_data: {"@path": $.properties.data}}'), {"data": "text"}),
        (cancellable(more="enabled: false"), {"order_id": "SO-1"}),
    ],
    ids=["no order", "no order id", "nothing mapped", "off"],
)
def test_a_cancellation_without_an_order_or_preset_withdraws_nothing(
    catalog: Catalog, properties: dict[str, Any]
) -> None:
    (line,) = Router().lines(CANCELLED | {"properties": properties}, catalog, now=NOW)
    assert line.outcome is Outcome.UNMATCHED


def test_what_is_held_says_for_how_long() -> None:
    event = {**CANCELLED, "event": "Order Completed", "timestamp": NOW, "userId": "u", "context": {"ip": "203.0.113.9"}}
    event["properties"] = {"order_id": "SO-1", "email": "ann@shop.example"}
    (line,) = Router().lines(event, cancellable(), now=NOW)
    assert drafted_delivery("m", event, line).hold_s == 1_800
