"""How an order was placed: by what a shop says, which event it becomes, and without whose browser."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.assemble import running_catalog
from app.core.events import Outcome
from app.core.pages import Query
from app.core.values.order_channels import order_channel
from app.core.values.times import DAY_S
from app.insights.orders.reconcile import reconciled
from app.insights.orders.revenue import read_revenue
from app.outbox import open_outbox
from app.pipeline.pipeline import Pipeline
from app.source import Arrival, Intake, read_event
from tests.assembled import pipeline, settings
from tests.outbox.build import rules
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW, told_of
from tests.sources.test_cases import CASES
from tests.sources.test_shipped_files import lines_of, loaded

SHOPIFY, WOOCOMMERCE, INVOICE = "shopify-order-paid", "woocommerce-order-paid", "stripe-invoice-of-a-new-subscription"
SESSION, INTENT = "stripe-checkout-in-euros", "stripe-payment-intent"
BIGCOMMERCE, MAGENTO = "bigcommerce-order-paid", "magento-order-paid"
RECURRING = "Subscription Recurring Order"
LANDING = "/products/ipod-nano?epik=dj0yJnU9abc"


def shopify(
    source_name: Any, landing_site: str | None = None, tags: str = "", **client_details: str | None
) -> dict[str, Any]:
    """Return what Shopify says of the way of an order."""
    details = {"browser_ip": "203.0.113.77", "user_agent": "Mozilla/5.0", "accept_language": None, "session_hash": None}
    said = {"source_name": source_name, "landing_site": landing_site, "tags": tags, "referring_site": landing_site}
    return {**said, "client_details": details | client_details}


def woocommerce(created_via: Any, **meta: Any) -> dict[str, Any]:
    """Return what WooCommerce says of the way of an order."""
    kept = CASES[WOOCOMMERCE]["request"]["body"]["meta_data"]
    added = [{"id": 1, "key": key, "value": value} for key, value in meta.items()]
    return {"created_via": created_via, "meta_data": [*kept, *added]}


MATRIX: list[tuple[str, dict[str, Any], str]] = [
    (SHOPIFY, shopify("web", LANDING), "web"),
    (SHOPIFY, shopify("web"), "web"),
    (SHOPIFY, shopify("shop_app"), "web"),
    (SHOPIFY, shopify("580111", LANDING), "web"),
    (SHOPIFY, shopify("iphone", session_hash="9ad4d1f4"), "web"),
    (SHOPIFY, shopify("pos"), "pos"),
    (SHOPIFY, shopify("pos", accept_language="en"), "pos"),
    (SHOPIFY, shopify("pos", LANDING), "pos"),
    (SHOPIFY, shopify("subscription_contract"), "renewal"),
    (SHOPIFY, shopify("subscription_contract", ""), "renewal"),
    (SHOPIFY, shopify("subscription_contract_checkout_one"), "renewal"),
    (SHOPIFY, shopify("subscription_contract", session_hash="9ad4d1f4"), "renewal"),
    # the first order of a subscription is placed in the browser
    (SHOPIFY, shopify("subscription_contract_checkout_one", LANDING), "web"),
    (SHOPIFY, shopify("web", LANDING, "Subscription, Subscription First Order"), "web"),
    (SHOPIFY, shopify("294517", None, f"Subscription, {RECURRING}"), "renewal"),
    (SHOPIFY, shopify("web", LANDING, RECURRING), "renewal"),
    (SHOPIFY, shopify("shopify_draft_order"), "manual"),
    (SHOPIFY, shopify("shopify_draft_order", ""), "manual"),
    # the buyer paid the invoice of the draft in a browser
    (SHOPIFY, shopify("shopify_draft_order", LANDING), "web"),
    (SHOPIFY, shopify("shopify_draft_order", session_hash="9ad4d1f4"), "web"),
    (SHOPIFY, shopify("shopify_draft_order", accept_language="de"), "shopify_draft_order"),
    (SHOPIFY, shopify("580111"), "580111"),
    (SHOPIFY, shopify(1354745), "1354745"),
    (SHOPIFY, shopify("TikTok"), "tiktok"),
    (SHOPIFY, shopify(None), ""),
    (SHOPIFY, shopify(None, LANDING), "web"),
    (WOOCOMMERCE, woocommerce("checkout"), "web"),
    (WOOCOMMERCE, woocommerce("store-api"), "web"),
    (WOOCOMMERCE, woocommerce("pos"), "pos"),
    (WOOCOMMERCE, woocommerce("pos-rest-api"), "pos"),
    (WOOCOMMERCE, woocommerce("pos_register"), "pos"),
    (WOOCOMMERCE, woocommerce("woocommerce-pos"), "pos"),
    (WOOCOMMERCE, woocommerce("postnl"), "postnl"),
    (WOOCOMMERCE, woocommerce("subscription"), "renewal"),
    (WOOCOMMERCE, woocommerce("checkout", _subscription_renewal="1077"), "renewal"),
    (WOOCOMMERCE, woocommerce("rest-api", _subscription_renewal=1077), "renewal"),
    (WOOCOMMERCE, woocommerce("checkout", _subscription_renewal=""), "web"),
    (WOOCOMMERCE, woocommerce("admin"), "manual"),
    (WOOCOMMERCE, woocommerce("rest-api"), "rest-api"),
    (WOOCOMMERCE, woocommerce(None), ""),
    (WOOCOMMERCE, {"created_via": "ada@shop.example"}, "other"),
    (BIGCOMMERCE, {}, "web"),
    *((BIGCOMMERCE, {"order_source": name}, "web") for name in ("iphone", "ipad", "android", "mobile", "buybutton")),
    *((BIGCOMMERCE, {"order_source": name}, name) for name in ("manual", "external", "checkout_api", "amazon")),
    (BIGCOMMERCE, {"order_source": "manual", "external_source": "POS"}, "pos"),
    (BIGCOMMERCE, {"order_source": "external", "external_source": "M-MIG"}, "external"),
    (BIGCOMMERCE, {"order_source": None, "external_source": None}, ""),
    (MAGENTO, {}, "web"),
    (MAGENTO, {"remote_ip": None}, ""),
    (SESSION, {}, "web"),
    (INVOICE, {}, "web"),
    (INVOICE, {"data.object.billing_reason": "subscription_cycle"}, "renewal"),
    (INVOICE, {"data.object.billing_reason": "manual"}, "invoice"),
    (INTENT, {}, "payment_intent"),
]
BROWSER = {"client_ip_address", "client_user_agent", "click_id"}


def changed(body: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return a body with these values, each by its path."""
    body = deepcopy(body)
    for path, value in said.items():
        *steps, last = path.split(".")
        place = body
        for step in steps:
            place = place[step]
        place[last] = value
    return body


def made_of(case: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return the event that the file of the source makes of a case whose body says this."""
    request = CASES[case]["request"]
    reshape = loaded(CASES[case]["source"]).reshape
    assert reshape
    headers = {name.lower(): value for name, value in request["headers"].items()}
    (event,) = reshape({"method": "POST", "headers": headers, "body": changed(request["body"], said)})
    assert isinstance(event, dict)
    return event


@every_row(("case", "said", "channel"), MATRIX, ids=str)
def test_a_shop_says_how_an_order_was_placed(case: str, said: dict[str, Any], channel: str) -> None:
    assert order_channel(made_of(case, said)) == channel


@every_row(("case", "said", "channel"), [row for row in MATRIX if row[0] in (SHOPIFY, WOOCOMMERCE)], ids=str)
def test_each_channel_is_sent_as_what_it_is(case: str, said: dict[str, Any], channel: str) -> None:
    (line,) = lines_of(case, {"email": "jon@example.com"} | said)
    if channel == "renewal":
        assert line.outcome is Outcome.UNMATCHED
        assert made_of(case, said)["event"] == "Subscription Renewal Payment"
        return
    assert line.event
    sent = line.event
    assert (sent["event_name"], sent["action_source"]) == ("checkout", "offline" if channel == "pos" else "web")
    assert sent["custom_data"]["value"] == ("244.98" if case == SHOPIFY else "18")
    has_browser = channel not in ("pos", "manual")
    assert BROWSER.isdisjoint(sent["user_data"]) is not has_browser
    if not has_browser:
        assert "event_source_url" not in sent
        assert "203.0.113" not in str(sent)


@every_row("case", [SHOPIFY, WOOCOMMERCE])
@every_row("cookie", ["_epik", "_pin_unauth"])
def test_a_renewal_has_nothing_of_the_browser_of_the_first_order(case: str, cookie: str) -> None:
    kept = [{"name": cookie, "value": "dj0yJnU9first"}]
    said = {
        SHOPIFY: shopify("subscription_contract") | {"note_attributes": kept},
        WOOCOMMERCE: woocommerce("subscription", **{cookie: "dj0yJnU9first"}),
    }[case]
    event = made_of(case, said)
    event |= {"event": "Order Completed"}
    assert event["context"].keys() <= {"locale"}
    assert not {"browser_ip", "client_details", "landing_site", "customer_ip_address"} & event["properties"].keys()


def test_an_opt_out_of_an_order_without_a_browser_counts() -> None:
    event = made_of(SHOPIFY, shopify("pos") | {"note_attributes": [{"name": "opt_out", "value": "true"}]})
    assert event["context"]["opt_out"] == ["true"]


@every_row(
    ("source_name", "channels", "outcomes"),
    [
        ("pos", "[pos, renewal]", ["withheld"]),
        ("pos", "[POS]", ["withheld"]),
        ("subscription_contract", "[renewal]", ["withheld"]),
        ("pos", "[renewal]", ["enqueued"]),
        ("580111", "['580111']", ["withheld"]),
        (None, "[pos]", ["enqueued"]),
    ],
)
def test_a_source_withholds_channels(tmp_path: Path, source_name: Any, channels: str, outcomes: list[str]) -> None:
    text = (ROOT / "sources" / "shopify.yaml").read_text(encoding="utf-8")
    changed = text.replace("kind: mapped", f"kind: mapped\nwithheld_channels: {channels}")
    (tmp_path / "shopify.yaml").write_text(changed, encoding="utf-8")
    request = CASES[SHOPIFY]["request"]
    asked = pipeline(sources_dir=(tmp_path,))

    def outcomes_of(body: dict[str, Any], topic: str) -> list[str]:
        headers = request["headers"] | {"X-Shopify-Topic": topic}
        return [
            each["outcome"] for each in told_of(asked.preview_request("shopify", orjson.dumps(body), headers, now=NOW))
        ]

    body = request["body"] | shopify(source_name)
    assert outcomes_of(body, "orders/paid") == outcomes
    # an order that was taken before may be cancelled
    cancelled = body | {"cancelled_at": "2026-11-25T05:14:55-05:00"}
    assert outcomes_of(cancelled, "orders/cancelled") != ["withheld"]


#: Three orders of one shop: how each was placed, its number, its amount and its channel.
SOLD = [(shopify("web", LANDING), 1, "20.00", "web"), (shopify("pos"), 2, "30.00", "pos")]
SOLD += [(shopify("Phone"), 3, "50.00", "phone")]


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_ledger_comparison_and_revenue_show_the_channel_of_a_trusted_order(
    tmp_path: Path, *, is_trusted: bool
) -> None:
    file = tmp_path / "orders.csv"
    lines = [f"#{number},paid,{amount},USD,2026-11-25 10:00:00 +0000" for _, number, amount, _ in SOLD]
    file.write_text("\n".join(["Name,Financial Status,Subtotal,Currency,Created at", *lines, ""]), encoding="utf-8")
    made = []
    for how, number, amount, _ in SOLD:
        names = {"id": number, "name": f"#{number}", "order_number": number, "checkout_id": number}
        said = {"email": "jon@example.com", "current_total_tax": "0.00", "current_subtotal_price": amount}
        event = made_of(SHOPIFY, how | names | said | {"checkout_token": f"t{number}"})
        made.append(event | {"messageId": f"m-{number}"})
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    try:
        events = [read_event(each, Arrival.at(NOW)) for each in made]
        await pipeline(outbox=outbox).accept(Intake(events, NOW, source="shopify", is_trusted=is_trusted))
        stored = (await outbox.search(Query(), limit=9, oldest_first=True)).deliveries
        assert [each.channel for each in stored] == [channel if is_trusted else "" for *_, channel in SOLD]
        for *_, channel in SOLD:
            found = (await outbox.search(Query(channel=channel), limit=9)).deliveries
            assert [each.channel for each in found] == ([channel] if is_trusted else [])
        compared = await reconciled(outbox, str(file), ledger_begins=0)
        today = int(NOW // DAY_S)
        (revenue,) = await read_revenue(outbox, {}, first_day=today, last_day=today)
    finally:
        await outbox.close()
    sums = {
        name: {code: str(worth.shop) for code, worth in of.items()} for name, of in compared.sums.by("channel").items()
    }
    separate = {channel: {"USD": amount} for _, _, amount, channel in SOLD}
    assert sums == (separate if is_trusted else {"": {"USD": "100.00"}})
    received = {line.name: line.received.amount for line in revenue.lines["channel"]}
    assert received == ({"web": 20, "pos": 30, "phone": 50} if is_trusted else {"": 100})


UNTIL_2025 = {"api_version": "2025-02-24.acacia"}
REFERENCE = "data.object.payment_details"
INTENTS: list[tuple[dict[str, Any], str, str]] = [
    # what the payment says; its outcome with the preset of intents alone, and with a preset of invoices
    ({}, "enqueued", "withheld"),
    ({REFERENCE: None}, "enqueued", "withheld"),
    ({REFERENCE: {"order_reference": None}}, "enqueued", "withheld"),
    ({"api_version": None}, "enqueued", "withheld"),
    ({REFERENCE: {"order_reference": "SO-1"}}, "enqueued", "enqueued"),
    ({REFERENCE: {"order_reference": "in_1MtHbE"}}, "unmatched", "unmatched"),
    (UNTIL_2025, "enqueued", "enqueued"),
    (UNTIL_2025 | {"data.object.invoice": None}, "enqueued", "enqueued"),
    (UNTIL_2025 | {"data.object.invoice": "in_1MtHbE"}, "unmatched", "unmatched"),
]


@every_row(
    "invoices",
    ["stripe_invoice_paid", "stripe_subscription_first_payment", "stripe_subscription_renewal"],
)
def test_a_payment_that_may_be_of_an_invoice_counts_once(tmp_path: Path, invoices: str) -> None:
    def asked(*names: str) -> Pipeline:
        folder = tmp_path / "-".join(names)
        folder.mkdir(exist_ok=True)
        for name in names:
            text = (ROOT / f"presets/{name}.yaml").read_text(encoding="utf-8")
            (folder / f"{name}.yaml").write_text(text.replace("enabled: false", "enabled: true"), encoding="utf-8")
        shipped = settings(presets_dir=(ROOT / "presets", folder))
        return pipeline(running_catalog(shipped).catalog, sources_dir=(ROOT / "sources",))

    alone, beside = asked("stripe_payment_succeeded"), asked("stripe_payment_succeeded", invoices)
    request = CASES[INTENT]["request"]
    for said, exit_alone, exit_beside in INTENTS:
        body = orjson.dumps(changed(request["body"], said))
        found = [told_of(each.preview_request("stripe", body, request["headers"], now=NOW)) for each in (alone, beside)]
        assert [line["outcome"] for told in found for line in told] == [exit_alone, exit_beside]
        if exit_beside == "withheld":
            assert found[1][0]["reason"].endswith(
                "may count the same events as 'Stripe Payment Succeeded': switch off one of these presets"
            )
