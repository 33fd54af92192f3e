"""The page of docs/browser-helper.md in a real browser: its event arrives at the sandbox."""

import re
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.examples.blocks import BLOCKS
from tests.process import PLAIN, ROOT, running
from tests.waiting import until

KEY = "4f1c0e6f2a9d4e37"


@pytest.mark.whole
def test_the_script_of_the_page_sends_its_order_with_click_and_request(chromium: Browser, tmp_path: Path) -> None:
    (shown,) = (block.text for block in BLOCKS if (block.page, block.title) == ("browser-helper", "page"))
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=shop.serve_forever, daemon=True).start()
    with running(tmp_path, write_keys=f"shop:{KEY}", batch_max_wait_s=0.1) as server, closing(shop.socket):
        html = shown.replace("https://events.example.com", server.url).replace("4f1c...", KEY)
        (tmp_path / "thanks.html").write_text(html, encoding="utf-8")
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{shop.server_port}/thanks.html?epik=dj0yJnU9abc")
        (event,) = until(lambda: httpx.get(f"{server.url}/sandbox/events", **PLAIN).json(), what="it is delivered")
        page.close()
        shop.shutdown()
    assert (event["event_name"], event["custom_data"]["order_id"]) == ("checkout", "SO-1")
    assert event["user_data"]["click_id"] == "dj0yJnU9abc"
    assert "Mozilla" in event["user_data"]["client_user_agent"]
    assert re.fullmatch(r"[0-9a-f]{32}", event["event_id"])


@pytest.mark.whole
def test_the_snippet_of_the_page_loads_the_library_from_here_and_sends_what_the_page_says(
    chromium: Browser, tmp_path: Path
) -> None:
    if not (ROOT / "app/source/analytics_js/standalone.js").is_file():
        pytest.skip("Segment's browser library is missing: run `make browser-library` (`make test` does it)")
    (shown,) = (block.text for block in BLOCKS if (block.page, block.title) == ("browser-helper", "snippet"))
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=shop.serve_forever, daemon=True).start()
    with (
        running(
            tmp_path,
            write_keys=f"shop:{KEY}",
            batch_max_wait_s=0.1,
            trusted_proxies="127.0.0.1",
            remember_days=30,
            remember_secret="s" * 32,
        ) as server,
        closing(shop.socket),
    ):
        address = f"http://127.0.0.1:{shop.server_port}"
        html = shown.replace("https://events.example.com", server.url).replace("4f1c...", KEY)
        said = "analytics.identify('cust-1042', {email: 'ada.miller@example.com'})"
        added = "analytics.track('Product Added', {product_id: 'OA-1971', price: 189.5, currency: 'USD'})"
        begun = "analytics.track('Checkout Started', {revenue: 189.5, currency: 'USD'})"
        for name, script in (
            ("first", ""),
            ("second", f"<script>{said}; {added}</script>"),
            ("third", f"<script>{begun}</script>"),
        ):
            (tmp_path / f"{name}.html").write_text(f'<link rel="icon" href="data:,">{html}{script}', encoding="utf-8")
        page = chromium.new_page(extra_http_headers={"x-forwarded-for": "203.0.113.7"})  # as a proxy adds it
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}/first.html")
        until(lambda: httpx.get(f"{server.url}/sandbox/events", **PLAIN).json(), what="the first page is delivered")
        # the query's parameters are read by a part of the library that is loaded when it is needed
        page.goto(f"{address}/second.html?ajs_event=Product+Viewed&ajs_prop_product_id=OA-2204")
        page.wait_for_load_state("networkidle")
        page.goto(f"{address}/third.html")
        events = until(lambda: all_of(server.url, 6), what="all of it is delivered")
        page.close()
        shop.shutdown()
    assert complaints == []
    assert {request.split("/")[2] for request in asked if request.startswith("http")} == {
        server.url.removeprefix("http://"),
        address.removeprefix("http://"),
    }
    assert any("/analytics-next/bundles/queryString" in request for request in asked)
    by_name = {event["event_name"]: event for event in events}
    assert by_name.keys() == {"page_visit", "view_content", "add_to_cart", "initiate_checkout"}
    assert by_name["add_to_cart"]["custom_data"]["content_ids"] == ["OA-1971"]
    assert "Mozilla" in by_name["add_to_cart"]["user_data"]["client_user_agent"]
    assert len(by_name["initiate_checkout"]["user_data"]["em"]) == 1  # memory has it of the second page's `identify`


def all_of(url: str, count: int) -> list[dict[str, Any]]:
    """Return the events of all pages once so many are there."""
    events: list[dict[str, Any]] = httpx.get(f"{url}/sandbox/events", **PLAIN).json()
    return events if len(events) >= count else []
