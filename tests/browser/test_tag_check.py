"""Pinterest's tag on real pages, beside Pinrelay: what pages report of it, and one order of both that counts once."""

import base64
import hmac
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import Browser, Page

from tests.insights.products.feeds import feed_of
from tests.process import PLAIN, Server, run_command, running
from tests.waiting import until

pytestmark = pytest.mark.whole

KEY = "4f1c0e6f2a9d4e37"
SECRET = "woo-secret-of-the-tests"
#: As Pinterest's snippet does it: calls wait in a queue until the tag has loaded, which then makes them again.
SNIPPET = """
if (!window.pintrk) {
  window.pintrk = function () { window.pintrk.queue.push(Array.prototype.slice.call(arguments)) }
  window.pintrk.queue = []
}
"""
LOADED = """
window.made = []
const queue = window.pintrk.queue
window.pintrk = function () { window.made.push(Array.prototype.slice.call(arguments)) }
queue.forEach((call) => window.pintrk(...call))
"""
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<link rel="icon" href="data:,"><title>Thanks</title>{before}<script src="{server}/pinrelay.js"></script>
<script>{watch}</script>
<script>
const send = (event, properties, messageId) => fetch('{server}/v1/track', {{method: 'POST', body: JSON.stringify({{
  writeKey: '{key}', event, messageId, anonymousId: 'a-1', context: {{direct: true}}, properties}})}})
{body}
</script></head><body><h1>Thank you</h1></body></html>"""
WATCH = "pinrelay.watchTag({{to: '{server}', key: '{key}', consent: () => {consent}}})"
EMAIL = "email: 'ada@oak.example'"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder of pages, and where they are served."""
    folder = tmp_path_factory.mktemp("shop")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    with closing(server.socket):
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def order(number: str, tag_id: str) -> str:
    """Return the script of a page whose order is sent by both, the tag's call under an id that is an expression."""
    return f"""
const order = pinrelay.add({{order_id: '{number}', revenue: 20, currency: 'EUR', {EMAIL}}})
pintrk('track', 'checkout', {{event_id: {tag_id}, order_id: '{number}', value: 20, currency: 'EUR', {EMAIL}}})
window.sent = send('Order Completed', order, order.event_id)
"""


#: By name: what stands before the helper, the consent (None: the tag is not watched), and what the page does.
PAGES: dict[str, tuple[str, str | None, str]] = {
    "one id": (SNIPPET, "true", order("A-1", "order.event_id") + LOADED),
    "one id, tag behind the helper": ("", "true", SNIPPET + order("A-2", "order.event_id") + LOADED),
    "two ids": (SNIPPET, "true", order("A-3", "'tag-3'") + LOADED),
    "two ids, none given": (
        SNIPPET + "pintrk('page');pintrk('load', 'id')",
        "true",
        order("A-4", "undefined") + LOADED,
    ),
    "tag alone": (
        SNIPPET + "pintrk('track', 'addtocart', {event_id: 'cart-1', em: 'ada@oak.example'})",
        "true",
        LOADED,
    ),
    "declared as a variable": (f"var pintrk; {SNIPPET}", "true", order("A-6", "order.event_id")),
    "no consent": (SNIPPET, "false", order("A-7", "'tag-7'") + LOADED),
    "not watched": (SNIPPET, None, order("A-8", "'tag-8'") + LOADED),
    "no tag": ("", "true", "window.sent = send('Generate Lead', pinrelay.add({email: 'ada@oak.example'}))"),
}


def visit(tab: Page, shop: tuple[Path, str], server: Server, page: str) -> Any:
    """Open a page, and leave it once its event is sent; return the calls that the tag itself received."""
    before, consent, body = PAGES[page]
    given = {"server": server.url, "key": KEY}
    watch = "" if consent is None else WATCH.format(**given, consent=consent)
    head = f"<script>{before}</script>" if before else ""
    folder, address = shop
    html = PAGE.format(**given, before=head, watch=watch, body=body)
    (folder / "thanks.html").write_text(html, encoding="utf-8")
    tab.goto(f"{address}/thanks.html?{page.replace(' ', '-')}")
    tab.evaluate("Promise.resolve(window.sent).then(() => null)")
    made = tab.evaluate("window.made || (window.pintrk && window.pintrk.queue) || []")
    if page == "one id":  # it tells after a while, the others when the page is left
        tab.wait_for_event("response", lambda answer: "/v1/tag" in answer.url)
    tab.goto("about:blank")
    return [call[1] if call[0] == "track" else call[0] for call in made]


def test_pages_report_their_tag_and_doubles_come_out_exactly(
    chromium: Browser, shop: tuple[Path, str], tmp_path: Path
) -> None:
    reports: list[Any] = []
    complaints: list[str] = []
    with running(tmp_path, write_keys=f"shop:{KEY}", tag_check=True) as server, closing(chromium.new_page()) as tab:
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda asked: reports.append(asked.post_data) if "/v1/tag" in asked.url else None)
        made = {page: visit(tab, shop, server, page) for page in PAGES}
        until(lambda: server.log.count("/v1/tag") >= 6, what="all reports are there")
        server.stop()  # what was reported last is written at the end
        told = run_command("tag-check", "--json", environment=server.environment)
    assert complaints == []
    (told_at_once,) = map(json.loads, reports)  # of what is sent while a page is left, the browser tells nothing
    (call,) = told_at_once.pop("calls")
    assert told_at_once == {"writeKey": KEY, "consent": True, "beside": [call["event_id"]]}
    assert call == {"event": "checkout", "event_id": call["event_id"], "order_id": "A-1"}
    assert made == {page: ["checkout"] for page in PAGES} | {
        "two ids, none given": ["page", "load", "checkout"],
        "tag alone": ["addtocart"],
        "no tag": [],
    }
    assert server.log.count("/v1/tag") == 6
    lines = {line["event"]: line for line in json.loads(told.stdout)["events"]}
    counts = ("tag", "one_id", "two_ids", "tag_alone", "without_id", "worth_twice")
    assert {event: [line[name] for name in counts] for event, line in lines.items()} == {
        "checkout": [5, 3, 2, 0, 1, {"EUR": "40"}],
        "page_visit": [1, 0, 0, 1, 1, {}],
        "add_to_cart": [1, 0, 0, 1, 0, {}],
    }
    assert json.loads(told.stdout)["tag_gets_message_ids"] is True


#: The order as the shop's webhook writes it: its number is not its id, and a fifth was taken off.
ORDER = {
    "id": 727,
    "number": "1001",
    "status": "processing",
    "currency": "GBP",
    "total": "29.35",
    "total_tax": "1.35",
    "shipping_total": "10.00",
    "billing": {"email": "ada@oak.example", "first_name": "Ada", "country": "GB"},
    "line_items": [{"id": 3, "product_id": 93, "variation_id": 95, "quantity": 6, "price": 3, "name": "Stool"}],
}
SHOP_PAGE = f"""
const order = {{event_id: 'checkout_727', order_id: '727', value: 18, currency: 'GBP'}}
pintrk('track', 'checkout', order)
const products = [{{product_id: 93, variation_id: 95, quantity: 6, price: 3}}]
window.sent = send('Order Completed', pinrelay.add({{...order, {EMAIL}, line_items: products}}), 'page-1')
"""


def test_one_order_of_page_tag_and_shop_is_one_on_a_known_product_at_the_paid_value(
    chromium: Browser, shop: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAGES, "shop", (SNIPPET, "true", SHOP_PAGE + LOADED))
    (tmp_path / "feed.xml").write_bytes(feed_of([("95", "93"), ("96", "93")], "rss"))
    given: dict[str, Any] = {
        "write_keys": f"shop:{KEY}",
        "sources": "woocommerce",
        "woocommerce_webhook_secret": SECRET,
    }
    with running(tmp_path, **given, tag_check=True, batch_max_wait_s=0.1) as server:
        assert "has 2 items" in server.run("feed", str(tmp_path / "feed.xml"))
        server.stop()
        server.start()  # it takes the feed up
        with closing(chromium.new_page()) as tab:
            assert visit(tab, shop, server, "shop") == ["checkout"]
            until(lambda: "/v1/tag" in server.log, what="the report is there")
        assert _webhook(server).status_code == 200
        (sent,) = until(lambda: _checkouts(server), what="the order is delivered")
        server.stop()
        (line,) = json.loads(server.run("tag-check", "--json"))["events"]
        known = json.loads(server.run("feed", "--json"))["events"]
    assert (sent["event_id"], sent["custom_data"]["order_id"]) == ("checkout_727", "727")
    assert (sent["custom_data"]["value"], sent["custom_data"]["currency"]) == ("18", "GBP")
    assert sent["custom_data"]["content_ids"] == ["95"]
    assert "Mozilla" in sent["user_data"]["client_user_agent"]
    assert [line[name] for name in ("event", "tag", "one_id", "two_ids")] == ["checkout", 1, 1, 0]
    assert {each["known"]["sent"]["item"] for each in known} == {1}
    assert {each["known"]["sent"]["unknown"] for each in known} == {0}


def _webhook(server: Server) -> httpx.Response:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    body = orjson.dumps(ORDER | {"date_paid_gmt": now, "date_created_gmt": now})
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    headers = {
        "content-type": "application/json",
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-source": "https://shop.example/",
        "x-wc-webhook-signature": signature,
    }
    return httpx.post(f"{server.url}/webhook/woocommerce", content=body, headers=headers, **PLAIN)


def _checkouts(server: Server) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = httpx.get(f"{server.url}/sandbox/events", **PLAIN).json()
    return [event for event in sent if event["event_name"] == "checkout"]
