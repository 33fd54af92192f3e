"""The custom pixel of `pinrelay sources-pixel` in a sandboxed frame, as Shopify runs it."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

from app.catalog.sources import load_source
from app.destination.normalise import Normaliser, normalise_email, phone_normaliser
from tests.process import PLAIN, ROOT, Server, running
from tests.sources.pixel_events import CLIENT, EMAIL, FILLED, ROWS, cart_line, checkout, event, variant
from tests.sources.test_cases import CASES
from tests.waiting import until

pytestmark = pytest.mark.whole

KEY = "pixel-key-of-the-tests"
SECRET = "pinrelay-example-secret-0123456789"
YES = {"marketingAllowed": True, "saleOfDataAllowed": True, "analyticsProcessingAllowed": True}
NO = YES | {"marketingAllowed": False}
#: What Shopify gives a custom pixel, over messages: the frame has no origin, so cookies are those of the page around.
STAND_IN = """
const subscribed = {}, asked = {}
let number = 0
const ask = (what, given) => new Promise((resolve, reject) => {
  asked[++number] = [resolve, reject]
  parent.postMessage({ what, given, number }, '*')
})
const init = { customerPrivacy: %(privacy)s }
const browser = { cookie: { get: (name) => ask('get', name), set: (text) => ask('set', text) } }
const subscribe = (name, callback) => { subscribed[name] = callback }
const analytics = { subscribe }
const api = { customerPrivacy: { subscribe } }
addEventListener('message', ({ data }) => {
  if (data.number) return asked[data.number][data.failed ? 1 : 0](data.value)
  if (subscribed[data.name]) subscribed[data.name](data.event)
})
"""
#: The shop's page: storage is `kept`, `refused` or `silent`, which answers never.
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
</head><body><iframe title="pixel" sandbox="allow-scripts" srcdoc="%(frame)s"></iframe><script>
const frame = document.querySelector('iframe'), storage = '%(storage)s'
window.ready = new Promise((resume) => frame.addEventListener('load', resume))
const answers = {
  get: (name) => (new RegExp('(?:^|; )' + name + '=([^;]*)').exec(document.cookie) || [])[1] || '',
  set: (text) => { document.cookie = text.replace('; secure', '') }
}
addEventListener('message', ({ data, source }) => {
  if (storage === 'silent') return
  const failed = storage === 'refused'
  source.postMessage({ number: data.number, failed, value: failed ? 'blocked' : answers[data.what](data.given) }, '*')
})
window.publish = (name, event) => frame.contentWindow.postMessage({ name, event }, '*')
</script></body></html>"""


class Shop:
    """A shop whose pages have the pixel, and what its visitor's browser sends to Pinrelay."""

    def __init__(self, folder: Path, address: str, pixel: str, context: BrowserContext) -> None:
        self._folder, self._address, self._pixel = folder, address, pixel
        self.page: Page = context.new_page()
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda asked: self.requests.append(asked) if "/webhook/" in asked.url else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def visit(self, path: str = "/", *, privacy: Any = YES, storage: str = "kept") -> None:
        """Open a page of the shop."""
        script = STAND_IN % {"privacy": json.dumps(privacy)} + self._pixel
        frame = escape(f"<!doctype html><script>{script}</script>")
        name, _, query = path.partition("?")
        (self._folder / f"{name.strip('/') or 'index'}.html").write_text(PAGE % {"frame": frame, "storage": storage})
        self.page.goto(f"{self._address}/{name.strip('/') or 'index'}.html?{query}")
        self.page.evaluate("window.ready.then(() => null)")

    def publish(self, given: dict[str, Any]) -> None:
        """Let Shopify publish an event, which happens now on the page."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        here = self.page.evaluate("({href: location.href, userAgent: navigator.userAgent})")
        context = {"document": {"location": {"href": here["href"]}}, "navigator": {"userAgent": here["userAgent"]}}
        own = context if given["context"] != "..." else "..."
        self._publish(given["name"], given | {"timestamp": now, "context": own})

    def publish_at(self, href: str) -> None:
        """Let Shopify publish a page view of an address."""
        self._publish(
            "page_viewed", event("sh-at", "page_viewed", {}, context={"document": {"location": {"href": href}}})
        )

    def answer(self, privacy: dict[str, Any]) -> None:
        """Let the visitor answer the question for consent."""
        self._publish("visitorConsentCollected", {"customerPrivacy": privacy})

    def _publish(self, name: str, given: dict[str, Any]) -> None:
        self.page.evaluate("([name, event]) => window.publish(name, event)", [name, given])

    def sent(self, count: int) -> list[dict[str, Any]]:
        """Return the bodies of the requests, once there are so many."""

        def are_there() -> bool:
            self.page.wait_for_timeout(20)  # the listeners of the page run meanwhile
            return len(self.requests) >= count

        until(are_there, what=f"{count} requests")
        return [orjson.loads(each.post_data or "") for each in self.requests]


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """Serve a folder as the pages of a shop, and yield its address."""
    shop = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    Thread(target=shop.serve_forever, daemon=True).start()
    with closing(shop.socket):
        yield f"http://127.0.0.1:{shop.server_port}"
        shop.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Pinrelay with both sources of a shop, whose SDK origins are limited."""
    given: dict[str, Any] = {
        "sources": "shopify,shopify_pixel",
        "shopify_pixel_key": KEY,
        "shopify_webhook_secret": SECRET,
    }
    given |= {"sdk_origins": "https://shop.example", "trusted_proxies": "127.0.0.1"}
    with running(tmp_path_factory.mktemp("pixel"), **given, batch_max_wait_s=0.1) as served:
        yield served


@pytest.fixture(scope="module")
def pixel(server: Server) -> str:
    """The pixel as the command prints it."""
    return server.run("sources-pixel", "shopify", "--url", server.url)


@pytest.fixture
def open_shop(chromium: Browser, pixel: str, tmp_path: Path) -> Iterator[Callable[[], Shop]]:
    """`open_shop()` opens the shop in a browser that never was there; the pixel must raise no error."""
    opened: list[Shop] = []
    with pages(tmp_path) as address:

        def open_one() -> Shop:
            context = chromium.new_context(extra_http_headers={"x-forwarded-for": "203.0.113.7"})
            opened.append(Shop(tmp_path, address, pixel, context))
            return opened[-1]

        yield open_one
        for shop in opened:
            shop.page.context.close()
    assert [each.complaints for each in opened] == [[]] * len(opened)


def received(server: Server, *ids: str) -> list[dict[str, Any]]:
    """Return the events at the sandbox with these event ids, in the order of the ids."""
    events: list[dict[str, Any]] = httpx.get(f"{server.url}/sandbox/events", **PLAIN).json()
    return [event for wanted in ids for event in events if event["event_id"] == wanted]


STOOL = variant("808950810", "632910392", "Walnut stool", 122.49, kind="Seating", sku="S-31")


def viewed(event_id: str) -> dict[str, Any]:
    return event(event_id, "product_viewed", {"productVariant": STOOL})


def test_a_visitor_who_agrees_is_reported_at_once(open_shop: Callable[[], Shop], server: Server) -> None:
    shop = open_shop()
    shop.visit("/products?epik=dj0yJnU9yes&utm_source=pinterest&email=ada@example.com")
    shop.publish(viewed("sh-granted"))
    (body,) = shop.sent(1)
    (sent,) = until(lambda: received(server, "sh-granted"), what="the event is delivered")
    assert (sent["event_name"], sent["custom_data"]["value"]) == ("view_content", "122.49")
    assert (sent["user_data"]["click_id"], sent["user_data"]["client_ip_address"]) == ("dj0yJnU9yes", "203.0.113.7")
    assert body["context"]["document"]["location"]["href"].endswith("/products.html"), "without its query"
    (request,) = shop.requests
    headers = request.all_headers()
    assert headers["origin"] == "null"
    assert headers["content-type"].startswith("text/plain"), "so that the browser asks nothing before"


@pytest.mark.parametrize(
    "privacy",
    [NO, YES | {"saleOfDataAllowed": False}, {"marketingAllowed": "true"}, {}, None],
    ids=["marketing", "sale of data", "a text", "empty", "none"],
)
def test_nothing_is_sent_without_consent(open_shop: Callable[[], Shop], privacy: Any) -> None:
    shop = open_shop()
    shop.visit("/products?epik=dj0yJnU9no", privacy=privacy)
    shop.publish(viewed("sh-denied"))
    shop.answer(NO)
    shop.publish(viewed("sh-denied-2"))
    shop.page.wait_for_timeout(300)
    assert (shop.requests, shop.page.context.cookies()) == ([], [])
    # a later yes is about what happens from then on, not about what happened under the no
    shop.answer(YES)
    shop.publish(viewed("sh-later"))
    assert [each["id"] for each in shop.sent(1)] == ["sh-later"]


def test_global_privacy_control_is_a_no(open_shop: Callable[[], Shop]) -> None:
    shop = open_shop()
    shop.page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => true})")
    shop.visit("/products")
    shop.publish(viewed("sh-gpc"))
    shop.page.wait_for_timeout(300)
    assert shop.requests == []


def test_events_wait_in_memory_for_a_consent_on_the_same_page(open_shop: Callable[[], Shop], server: Server) -> None:
    shop = open_shop()
    shop.visit("/products?epik=dj0yJnU9late", privacy=NO)
    for number in range(30):
        shop.publish(viewed(f"sh-waits-{number}"))
    shop.page.wait_for_timeout(300)
    assert (shop.requests, shop.page.context.cookies()) == ([], [])
    shop.answer(YES)
    assert [each["id"] for each in shop.sent(20)] == [f"sh-waits-{number}" for number in range(20)]
    shop.publish(viewed("sh-after"))
    assert shop.sent(21)[-1]["id"] == "sh-after"
    sent = until(lambda: received(server, "sh-waits-0", "sh-after")[1:] and received(server, "sh-waits-0", "sh-after"))
    assert {each["user_data"]["click_id"] for each in sent} == {"dj0yJnU9late"}
    shop.answer(NO)
    shop.publish(viewed("sh-withdrawn"))
    shop.page.wait_for_timeout(300)
    assert len(shop.requests) == 21


@pytest.mark.parametrize("storage", ["refused", "silent"])
def test_blocked_storage_costs_no_event(open_shop: Callable[[], Shop], storage: str) -> None:
    shop = open_shop()
    shop.visit("/products?epik=dj0yJnU9blocked", storage=storage)
    shop.publish(viewed("sh-with-click"))
    assert [each["epik"] for each in shop.sent(1)] == ["dj0yJnU9blocked"]
    shop.visit("/other", storage=storage)
    shop.publish(viewed("sh-without-click"))
    assert [each["id"] for each in shop.sent(2)] == ["sh-with-click", "sh-without-click"]
    assert not shop.sent(2)[1].get("epik")


def test_a_browser_that_was_offline_sends_the_event_once_more(open_shop: Callable[[], Shop], server: Server) -> None:
    shop = open_shop()
    shop.visit("/products")
    shop.page.context.set_offline(True)
    with shop.page.expect_event("requestfailed"):
        shop.publish(viewed("sh-offline"))
    shop.page.context.set_offline(False)
    assert [each["id"] for each in shop.sent(2)] == ["sh-offline", "sh-offline"]
    assert until(lambda: received(server, "sh-offline"), what="the event is delivered")
    shop.page.wait_for_timeout(300)
    assert len(shop.requests) == 2


def answered(status: int) -> Callable[[Route], None]:
    """Return what answers a request with a status, in place of Pinrelay."""
    return lambda route: route.fulfill(status=status, headers={"access-control-allow-origin": "*"})


def test_an_event_is_sent_again_once_after_a_server_error_and_never_after_a_refusal(
    open_shop: Callable[[], Shop],
) -> None:
    shop = open_shop()
    shop.visit("/products")
    shop.page.clock.install()
    for status, tries in ((503, 2), (429, 2), (401, 1), (413, 1), (200, 1)):
        shop.requests.clear()

        shop.page.route("**/webhook/**", answered(status))
        shop.publish(viewed(f"sh-{status}"))
        assert len(shop.sent(1)) == 1
        shop.page.wait_for_timeout(50)
        shop.page.clock.run_for(10_000)
        shop.page.wait_for_timeout(50)
        assert len(shop.requests) == tries, status
        shop.page.unroute("**/webhook/**")


@pytest.mark.parametrize(
    ("email", "phone"),
    [
        (" Ada.Miller@Example.COM ", "+1 415-555-0100"),
        ("ada miller@example.com", "+49 (0) 171 1234567"),
        ("ADA@SHOP.EXAMPLE", " +44 20 7946 0958"),
        ("no address", "415-555-0100"),
        ("", ""),
        (None, None),
    ],
)
def test_the_browser_hashes_as_pinrelay_does(open_shop: Callable[[], Shop], email: Any, phone: Any) -> None:
    shop = open_shop()
    shop.visit("/checkout")
    shop.publish(event("sh-hash", "payment_info_submitted", checkout(email=email, phone=phone)))
    (body,) = shop.sent(1)
    found = body["data"]["checkout"]
    assert found.get("email") == digest_of(normalise_email, email if "@" in (email or "") else None)
    assert found.get("phone") == digest_of(phone_normaliser(None), phone if "+" in (phone or "") else None)


def digest_of(normalise: Normaliser, text: str | None) -> str | None:
    """Return the digest that Pinrelay makes of a value; None without a value."""
    value = normalise(text.strip(), None)[0] if text else None
    return None if value is None else sha256(value.encode()).hexdigest()


def made_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the Segment event that the source makes of a body."""
    reshape = load_source(ROOT / "sources", "shopify_pixel").reshape
    assert reshape
    (made,) = reshape({"method": "POST", "headers": {}, "query": {}, "ip": None, "body": body})
    assert isinstance(made, dict)
    return made


def test_the_pixel_keeps_what_the_source_reads_of_every_payload_and_nothing_else_of_a_person(
    open_shop: Callable[[], Shop],
) -> None:
    shop = open_shop()
    shop.visit("/products?epik=dj0yJnU9all")
    for name, row in ROWS.items():
        shop.publish(row.event | {"id": name})
    known = [name for name, row in ROWS.items() if row.named is not None]
    bodies = {each["id"]: each for each in shop.sent(len(known))}
    assert sorted(bodies) == sorted(known)
    for name, body in bodies.items():
        made, whole = made_of(body), made_of(ROWS[name].event | {"id": name})
        assert (made["type"], made.get("event")) == (whole["type"], whole.get("event"))
        assert made["properties"] == whole["properties"], name
        email = whole["context"].get("traits", {}).get("email")
        assert made["context"]["traits"].get("email") == digest_of(normalise_email, email), name
        assert len(json.dumps(body)) < 30_000, "a browser sends 64 kB at most while a page is left"
    personal = (EMAIL, "9384230682839", "tea_customer_000", "gateway", "_google-clientID", "Referrer", "A page")
    for value in (*personal, *(each for each in FILLED.values() if each and len(each) > 3)):
        assert value not in json.dumps(bodies), value


def long_list(count: int) -> list[dict[str, Any]]:
    return [variant(str(number), f"p-{number}", "A name of a product" * 12, 5) for number in range(count)]


def test_a_long_collection_is_cut(open_shop: Callable[[], Shop]) -> None:
    shop = open_shop()
    shop.visit("/collections")
    listed = {"collection": {"id": "1", "title": "All", "productVariants": long_list(400)}}
    shop.publish(event("sh-long", "collection_viewed", listed))
    (body,) = shop.sent(1)
    assert len(body["data"]["collection"]["productVariants"]) == 50
    assert len(json.dumps(body)) < 60_000


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("checkouts-cn-Z2NwLXVz", "/checkouts"),
        ("63551234/orders/c1-da3335b5", "/63551234/orders"),
        ("en-us/checkouts/cn/Z2NwLXVz/thank-you", "/en-us/checkouts"),
        ("account/orders/5a5a", "/account"),
        ("products/walnut-stool", "/products/walnut-stool"),
    ],
)
def test_the_address_of_a_page_opens_no_order(open_shop: Callable[[], Shop], path: str, shown: str) -> None:
    shop = open_shop()
    shop.visit("/page")
    shop.publish_at(f"https://shop.example/{path.replace('checkouts-cn-', 'checkouts/cn/')}?key=2ba4ba4ba4#x")
    (body,) = shop.sent(1)
    assert body["context"]["document"]["location"] == {"href": f"https://shop.example{shown}"}


def webhook(server: Server, token: str, event_id: str) -> httpx.Response:
    """Send the shop's order of a checkout, signed."""
    now = datetime.now(UTC).isoformat()
    given: dict[str, Any] = CASES["shopify-order-paid"]["request"]
    body = given["body"] | {"checkout_token": token, "created_at": now, "processed_at": now, "landing_site": "/"}
    body |= {"id": event_id, "order_number": 1042, "email": EMAIL, "customer": {"id": 7201134739705, "email": EMAIL}}
    raw = orjson.dumps(body)
    signature = base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()
    headers = given["headers"] | {"X-Shopify-Hmac-Sha256": signature}
    return httpx.post(f"{server.url}/webhook/shopify", content=raw, headers=headers, **PLAIN)


def test_a_journey_is_one_person_one_click_and_one_order(open_shop: Callable[[], Shop], server: Server) -> None:
    shop, token = open_shop(), "5f7028e0bd5225c1-journey"
    bought = checkout(
        token=token,
        lineItems=[{"quantity": 2, "title": "Walnut stool", "variant": STOOL}],
        order={"id": "5471610093999"},
    )
    found = {"searchResult": {"query": "walnut stool", "productVariants": [STOOL]}}
    journey = [
        ("/products?epik=dj0yJnU9journey", [event("j-page", "page_viewed", {}), viewed("j-view")]),
        ("/search", [event("j-search", "search_submitted", found)]),
        ("/cart", [event("j-cart", "product_added_to_cart", {"cartLine": cart_line(STOOL, 2)})]),
        ("/checkouts", [event("j-begin", "checkout_started", bought)]),
        ("/payment", [event("j-pay", "payment_info_submitted", bought)]),
        ("/thanks", [event("j-order", "checkout_completed", bought)]),
    ]
    expected = 0
    for path, published in journey:
        shop.visit(path)
        for each in published:
            shop.publish(each)
        expected += len(published)
        shop.sent(expected)
        shop.page.wait_for_load_state("networkidle")
    receipt = webhook(server, token, "5471610093999").json()
    assert receipt["counts"] == {"accepted": 1, "merged": 1}
    ids = ("j-page", "j-view", "j-search", "j-cart", "j-begin", "j-pay", "j-order")
    until(lambda: len(received(server, *ids)) == len(ids), what="the journey is delivered")
    events = received(server, *ids)
    names = ["page_visit", "view_content", "search", "add_to_cart", "initiate_checkout", "add_payment_info", "checkout"]
    assert [each["event_name"] for each in events] == names
    person, customer = sha256(CLIENT.encode()).hexdigest(), sha256(b"7201134739705").hexdigest()
    assert [each["user_data"]["external_id"] for each in events] == [[person]] * 6 + [[customer, person]]
    assert {each["user_data"]["click_id"] for each in events} == {"dj0yJnU9journey"}
    assert [each["user_data"].get("em") for each in events] == [None] * 4 + [[sha256(EMAIL.encode()).hexdigest()]] * 3
    order = events[-1]["custom_data"]
    assert (order["order_id"], order["value"], order["content_ids"]) == ("1042", "244.98", ["632910392"])
    checkouts = [
        each
        for each in httpx.get(f"{server.url}/sandbox/events", **PLAIN).json()
        if each["event_name"] == "checkout" and each["custom_data"].get("order_id") in {"1042", "5471610093999"}
    ]
    assert len(checkouts) == 1
