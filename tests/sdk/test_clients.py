"""Every kind of SDK, as its maker publishes it: pointed at the server by one URL, its events reach the sandbox."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import rudderstack.analytics
import segment.analytics
from playwright.sync_api import Route, sync_playwright

from tests import tools
from tests.examples.blocks import BLOCKS
from tests.sdk.conftest import CLIENT_S, NODE_PROGRAMS, WRITE_KEY, Door

pytestmark = pytest.mark.whole

USER_ID = "cust-1042"
#: Jitsu's SDK takes keys of this form only: the entry of WRITE_KEYS, whole.
JITSU_KEY = f"shop:{WRITE_KEY}"
VISITOR = "203.0.113.7"
CONTEXT: dict[str, Any] = {
    "ip": "203.0.113.10",
    "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) Version/18.0 Safari/605.1.15",
    "traits": {"email": "ada.miller@example.com"},
    "page": {"url": "https://shop.example/checkout/done"},
}
PAGE = {"name": "Home", "properties": {"title": "Oak & Ash"}}


def order(order_id: str) -> dict[str, Any]:
    """Properties of an order; an order_id counts once, so each client has its own."""
    return {"order_id": order_id, "revenue": 399, "currency": "USD", "products": [{"product_id": "OA-1971"}]}


@pytest.mark.parametrize(
    "make_client",
    [
        pytest.param(segment.analytics.Client, id="segment-analytics-python"),
        pytest.param(partial(segment.analytics.Client, gzip=True), id="segment-analytics-python, gzip"),
        pytest.param(rudderstack.analytics.Client, id="rudder-sdk-python"),
    ],
)
def test_events_of_python_sdks_arrive(make_client: Callable[..., Any], door: Door, new_id: Callable[[], str]) -> None:
    track_id, page_id = new_id(), new_id()
    failures: list[object] = []
    client = make_client(WRITE_KEY, host=door.url, on_error=lambda error, _: failures.append(error), max_retries=0)

    client.track(USER_ID, "Order Completed", order(track_id), context=CONTEXT, message_id=track_id)
    client.page(USER_ID, "Shop", "Home", PAGE["properties"], context=CONTEXT, message_id=page_id)
    client.shutdown()

    assert failures == []
    _both_arrive(door, track_id, page_id)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("segment.mjs", id="@segment/analytics-node"),
        pytest.param("rudder.mjs", id="@rudderstack/rudder-sdk-node"),
    ],
)
def test_events_of_node_sdks_arrive(
    program: str, door: Door, new_id: Callable[[], str], run_node: Callable[..., str]
) -> None:
    track_id, page_id = new_id(), new_id()
    event = {
        "userId": USER_ID,
        "event": "Order Completed",
        "properties": order(track_id),
        "context": CONTEXT,
        "page": PAGE,
    }

    run_node(program, door.url, WRITE_KEY, track_id, page_id, json.dumps(event))

    _both_arrive(door, track_id, page_id)


def test_events_of_jitsus_sdk_in_node_arrive(
    door: Door, new_id: Callable[[], str], run_node: Callable[..., str]
) -> None:
    order_id = new_id()
    event = {"userId": USER_ID, "properties": order(order_id), "context": CONTEXT, "page": PAGE}

    track_id, page_id = json.loads(run_node("jitsu.mjs", door.url, JITSU_KEY, json.dumps(event)))

    _both_arrive(door, track_id, page_id, order_id=order_id)


def test_jitsus_sdk_loses_nothing_with_the_fetch_of_the_page(run_node: Callable[..., str]) -> None:
    (code,) = (each.text for each in BLOCKS if each.page == "sources" and "retryingFetch" in each.text)  # sources.md
    statuses, ids = [0, 503, 429, 200], list[str]()

    class Failing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ids.append(json.loads(body)["messageId"])
            if status := statuses.pop(0):
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        code = code.replace("https://pinrelay.example", f"http://127.0.0.1:{server.server_port}")
        code = code.replace("pause = 1000", "pause = 10").replace('writeKey: "', 's2s: true, writeKey: "')
        program = "import jitsu from '@jitsu/js'\nconst {jitsuAnalytics} = jitsu\n"
        run_node("--input-type=module", "--eval", f"{program}{code}\nawait analytics.track('Order', {{}})")
    finally:
        server.shutdown()
        server.server_close()
    assert statuses == []
    assert (len(ids), len({*ids})) == (4, 1)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(f"page.html?key={WRITE_KEY}&cdn", id="@segment/analytics-next"),
        pytest.param(f"rudder.html?key={WRITE_KEY}&server", id="@rudderstack/analytics-js"),
        pytest.param(f"jitsu.html?key={JITSU_KEY}&server", id="@jitsu/js"),
    ],
)
def test_events_of_browser_sdks_arrive(page: str, door: Door, shop_url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=["--no-sandbox"])
        tab = browser.new_page(extra_http_headers={"x-forwarded-for": VISITOR})  # as a proxy in between adds it
        complaints: list[str] = []
        tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        tab.goto(f"{shop_url}/{page}={door.url}")
        sent = tab.evaluate("window.sent")
        user_agent = tab.evaluate("navigator.userAgent")
        added = door.arrives(sent["track"], "add_to_cart")
        visit = door.arrives(sent["page"], "page_visit")
        browser.close()

    assert complaints == []
    assert added["custom_data"]["content_ids"] == ["OA-1971"]
    for event in (added, visit):
        assert event["event_source_url"].startswith(f"{shop_url}/{page.partition('?')[0]}")
        assert event["user_data"]["client_user_agent"] == user_agent
        # The browser does not know its address: the server fills it in.
        assert event["user_data"]["client_ip_address"] == VISITOR


def test_rudderstacks_browser_sdk_tries_again_with_headers_of_its_own(door: Door, shop_url: str) -> None:
    asked: list[dict[str, str]] = []

    def fail_once(route: Route) -> None:
        asked.append(route.request.headers)
        if len(asked) == 1:
            route.fulfill(status=503, headers={"access-control-allow-origin": "*"})
        else:
            route.continue_()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=["--no-sandbox"])
        tab = browser.new_page(extra_http_headers={"x-forwarded-for": VISITOR})
        tab.route("**/v1/track", fail_once)
        tracked = f"{door.url}/v1/track"
        with tab.expect_response(lambda answer: answer.url == tracked and answer.ok, timeout=CLIENT_S * 1_000):
            tab.goto(f"{shop_url}/rudder.html?server={door.url}&key={WRITE_KEY}")
            sent = tab.evaluate("window.sent")
        browser.close()

    door.arrives(sent["track"], "add_to_cart")
    assert "rsa-retry-attempt" not in asked[0]
    assert asked[-1]["rsa-retry-attempt"] == "1"


def test_a_client_with_a_revoked_write_key_is_refused(door: Door, new_id: Callable[[], str]) -> None:
    failures: list[Exception] = []
    client = segment.analytics.Client(
        "revoked", host=door.url, on_error=lambda error, _: failures.append(error), max_retries=0
    )
    client.track(USER_ID, "Order Completed", {}, context=CONTEXT, message_id=new_id())
    client.shutdown()

    assert [getattr(failure, "status", failure) for failure in failures] == [401]


def _both_arrive(door: Door, track_id: str, page_id: str, *, order_id: str = "") -> None:
    checkout = door.arrives(track_id, "checkout")
    visit = door.arrives(page_id, "page_visit")

    assert checkout["custom_data"]["order_id"] == (order_id or track_id)
    assert checkout["custom_data"]["value"] == "399"
    for event in (checkout, visit):
        assert event["event_source_url"] == CONTEXT["page"]["url"]
        assert event["user_data"]["client_ip_address"] == CONTEXT["ip"]
        assert len(event["user_data"]["em"][0]) == 64


@pytest.fixture
def shop_url(node_packages: None) -> Iterator[str]:
    """A web site on another origin than the server, with the SDK on its page."""
    handler = partial(_Quiet, directory=str(NODE_PROGRAMS))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://localhost:{site.server_port}"
        site.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""
