"""The source `shopify_pixel`: what becomes of each customer event of Shopify, who may send, and from which pages."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.core.receipts import PresetResult
from app.errors import EventRefused
from tests.assembled import pipeline
from tests.rows import every_row
from tests.source.door import client
from tests.sources.pixel_events import BROWSER, CLIENT, EMAIL, FOUND, RECORDED, ROWS, checkout, event
from tests.sources.sending import NOW, Heard, served, shipped
from tests.sources.test_cases import CASES
from tests.sources.test_served import app_of
from tests.sources.test_served import client as asking
from tests.waiting import until_async

KEY = "pixel-key-of-the-tests"
PATH = f"/webhook/shopify_pixel?key={KEY}"
ALLOWED = {"marketingAllowed": True, "saleOfDataAllowed": True}
HEADERS = {"content-type": "text/plain;charset=UTF-8", "user-agent": BROWSER, "origin": "null"}


async def sent(given: dict[str, Any], path: str = PATH, **more: Any) -> tuple[int, Any, list[PresetResult]]:
    """Send an event as Shopify gives it now; return the status, the event that is made, and what becomes of it."""
    heard = Heard()
    app = served(heard, shipped(["shopify_pixel"], {"SHOPIFY_PIXEL_KEY": KEY}))
    body = {"timestamp": datetime.fromtimestamp(NOW, UTC).isoformat(), "customerPrivacy": ALLOWED} | given | more
    async with client(app, "203.0.113.9") as http:
        answer = await http.post(path, content=orjson.dumps(body), headers=HEADERS)
    (made,) = heard.events or [None]
    is_event = made is not None and not isinstance(made, EventRefused)
    return answer.status_code, made, pipeline().preview(made, now=NOW) if is_event else []


def test_there_are_fourteen_recorded_payloads_and_twenty_others() -> None:
    assert (len(RECORDED), len(FOUND)) == (14, 20)


@pytest.mark.slow
@every_row("name", list(ROWS))
async def test_an_event_of_shopify_becomes_the_event_of_pinterest(name: str) -> None:
    row = ROWS[name]
    status, made, lines = await sent(row.event)
    assert status == 200
    if row.named is None:
        assert isinstance(made, EventRefused)
        return
    assert made.get("event", "") == row.named
    assert (made["messageId"], made["anonymousId"]) == (row.event["id"], CLIENT)
    (told,) = lines
    if row.sent is None:
        assert told.outcome == "unmatched"
        return
    assert told.event, told
    assert (told.event["event_name"], told.event["event_id"]) == (row.sent, row.event["id"])
    person = told.event["user_data"]
    assert (person["client_user_agent"], person["client_ip_address"]) == (BROWSER, "203.0.113.9")
    assert person["external_id"] == [sha256(CLIENT.encode()).hexdigest()]
    assert ("em" in person) == bool(row.event["data"].get("checkout", {}).get("email"))
    data = told.event.get("custom_data", {})
    assert {member: data.get(member) for member in row.data} == row.data


async def value_of(**amounts: float) -> str:
    """Return the value of an order with these amounts, as Pinterest gets it."""
    given = {name: {"amount": amount, "currencyCode": "USD"} for name, amount in amounts.items()}
    order = checkout(**given, delivery={"selectedDeliveryOptions": []}, shippingLine={"price": given["shippingPrice"]})
    _, _, (told,) = await sent(event("sh-1", "checkout_completed", order))
    assert told.event
    value: str = told.event["custom_data"]["value"]
    return value


@pytest.mark.slow
@every_row(
    ("subtotal", "tax", "shipping", "total", "value"),
    [
        (100, 19, 5, 124, "100"),
        (100, 0, 5, 105, "100"),
        # prices include the tax, and so does the shipping
        (119, 19, 0, 119, "100"),
        (113.05, 19, 5.95, 119, "95"),
        # something else is in the total, such as a tip
        (119, 19, 0, 122, "119"),
    ],
)
async def test_the_value_of_an_order_is_without_tax_and_shipping(
    subtotal: float, tax: float, shipping: float, total: float, value: str
) -> None:
    given = {"subtotalPrice": subtotal, "totalTax": tax, "shippingPrice": shipping, "totalPrice": total}
    assert await value_of(**given) == value


@every_row(
    ("privacy", "opt_out"),
    [
        ({"marketingAllowed": True, "saleOfDataAllowed": True}, False),
        ({"marketingAllowed": True}, False),
        ({"marketingAllowed": False, "saleOfDataAllowed": True}, True),
        ({"marketingAllowed": True, "saleOfDataAllowed": False}, True),
        ({"marketingAllowed": "no idea"}, True),
        ({}, None),
    ],
)
async def test_what_shopify_says_of_consent_reaches_pinterest(privacy: dict[str, Any], *, opt_out: bool | None) -> None:
    _, _, (told,) = await sent(RECORDED["page_viewed"].event, customerPrivacy=privacy)
    assert told.event
    assert told.event.get("opt_out") is opt_out


@every_row(
    ("attributes", "opt_out"),
    [
        ([{"key": "gift", "value": "true"}], False),
        ([{"key": "gift", "value": "true"}, {"key": "opt_out", "value": "true"}], True),
        ([{"key": "opt_out", "value": "false"}], False),
        ([{"key": "optOut", "value": "yes"}], True),
    ],
)
async def test_a_cart_attribute_opts_out(attributes: list[Any], *, opt_out: bool) -> None:
    _, _, (told,) = await sent(event("sh-1", "checkout_completed", checkout(attributes=attributes)))
    assert told.event
    assert told.event["opt_out"] is opt_out


@every_row(
    ("query", "status"),
    [
        (f"?key={KEY}", 200),
        (f"?a=1&key={KEY}&b=2", 200),
        ("", 401),
        ("?key=", 401),
        (f"?key={KEY}x", 401),
        ("?key=%F0%9F%94%91", 401),
        (f"?writeKey={KEY}", 401),
    ],
)
async def test_only_who_knows_the_key_of_the_page_may_send(query: str, status: int) -> None:
    answer, _, _ = await sent(RECORDED["page_viewed"].event, f"/webhook/shopify_pixel{query}")
    assert answer == status


async def test_the_key_of_a_page_proves_nobody() -> None:
    heard = Heard()
    app = served(heard, shipped(["shopify_pixel"], {"SHOPIFY_PIXEL_KEY": KEY}))
    async with client(app) as http:
        assert (await http.post(PATH, json=RECORDED["page_viewed"].event)).status_code == 200
    assert (heard.are_trusted, heard.are_known) == ([False], [False])


@pytest.mark.slow
async def test_sandboxed_pages_may_call_the_pixels_path_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_PIXEL_KEY", KEY)
    monkeypatch.setenv("SHOPIFY_WEBHOOK_SECRET", KEY)
    origins = ("https://shop.example",)
    app = app_of(tmp_path, sources=("shopify_pixel", "shopify"), sdk_origins=origins, write_keys=("shop:k1",))
    asked = {
        "origin": "null",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    allowed = []
    async with app.router.lifespan_context(app), asking(app) as http:
        for path in (PATH, "/webhook/shopify_pixel/", "/webhook/shopify_pixel?key=x", "/webhook/shopify", "/v1/track"):
            preflight = await http.options(path, headers=asked)
            answer = await http.post(path, content=orjson.dumps(RECORDED["page_viewed"].event), headers=HEADERS)
            named = [each.headers.get("access-control-allow-origin") for each in (preflight, answer)]
            allowed.append((path, answer.status_code, *named))
    assert allowed == [
        (PATH, 200, "*", "*"),
        ("/webhook/shopify_pixel/", 401, "*", "*"),
        ("/webhook/shopify_pixel?key=x", 401, "*", "*"),
        ("/webhook/shopify", 401, None, None),
        ("/v1/track", 401, None, None),
    ]


ORDER = CASES["shopify-order-paid"]
#: The page's report of the same order, with the token of the order's webhook.
PLACED = event(
    "sh-0259ccd2-828F-4637-02A0-DCACCD76F620",
    "checkout_completed",
    checkout(token=ORDER["request"]["body"]["checkout_token"], email=EMAIL, order={"id": None}),
) | {"epik": "dj0yJnU9page", "timestamp": "2026-11-25T10:14:58Z", "customerPrivacy": ALLOWED}


@pytest.mark.slow
@pytest.mark.parametrize("asks", [False, True], ids=["", "if consent is required"])
@pytest.mark.parametrize("first", ["page", "shop"])
async def test_the_page_and_the_shop_report_one_order_by_the_token_of_the_checkout(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    monkeypatch.setenv("SHOPIFY_PIXEL_KEY", KEY)
    monkeypatch.setenv("SHOPIFY_WEBHOOK_SECRET", ORDER["secrets"]["SHOPIFY_WEBHOOK_SECRET"])
    app = app_of(tmp_path, sources=("shopify_pixel", "shopify"), consent_required=asks)
    posts = {
        "page": (PATH, HEADERS, PLACED),
        "shop": ("/webhook/shopify", ORDER["request"]["headers"], ORDER["request"]["body"]),
    }
    async with app.router.lifespan_context(app), asking(app) as http:
        counts = []
        for side in sorted(posts, key=lambda each: each != first):
            path, headers, body = posts[side]
            counts.append((await http.post(path, headers=headers, content=orjson.dumps(body))).json()["counts"])
        resent = (await http.post(PATH, headers=HEADERS, content=orjson.dumps(PLACED))).json()["counts"]

        async def events() -> Any:
            return (await http.get("/sandbox/events")).json()

        (order,) = await until_async(events, what="the order is sent")
    assert counts == [{"accepted": 1, "enqueued": 1}, {"accepted": 1, "merged": 1}]
    assert resent == {"accepted": 1, "duplicate": 1}
    assert order["event_id"] == PLACED["id"]
    assert (order["custom_data"]["value"], order["custom_data"]["order_id"]) == ("244.98", "1001")
    person = order["user_data"]
    assert (person["click_id"], person["client_user_agent"]) == ("dj0yJnU9page", BROWSER)
    assert person["em"] == [sha256(b"jon@example.com").hexdigest()]
    assert person["external_id"] == [sha256(each).hexdigest() for each in (b"7201134739705", CLIENT.encode())]
