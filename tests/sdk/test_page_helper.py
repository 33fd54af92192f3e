"""/pinrelay.js in a real browser, beside analytics-next and a stand-in of the Pinterest tag."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests import tools
from tests.sdk.conftest import WRITE_KEY, Door
from tests.sdk.test_clients import VISITOR, shop_url

pytestmark = pytest.mark.whole

__all__ = ["shop_url"]  # a fixture

CLICK, OLD_CLICK = "dj0yJnU9bmV3ZXI", "dj0yJnU9b2xkZXI"
GPC = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"


@pytest.fixture
def visit(door: Door, shop_url: str) -> Iterator[Callable[..., Any]]:
    """`visit(address=..., cookie=..., script=...)` opens the page; what it sent, and what it asked the server for."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=["--no-sandbox"])

        def go(query: str = "&consent=yes", cookie: str = "", script: str = "") -> tuple[dict[str, Any], list[str]]:
            context = browser.new_context(extra_http_headers={"x-forwarded-for": VISITOR})
            tab = context.new_page()
            complaints: list[str] = []
            asked: list[str] = []
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("request", lambda request: asked.append(request.url) if "/v1/epik" in request.url else None)
            if cookie:
                context.add_cookies([{"name": "_epik", "value": cookie, "url": shop_url}])
            if script:
                tab.add_init_script(script)
            tab.goto(f"{shop_url}/helper.html?server={door.url}&key={WRITE_KEY}{query}")
            sent: dict[str, Any] = tab.evaluate("window.sent")
            context.close()
            assert complaints == []
            return sent, asked

        yield go
        browser.close()


def test_the_tag_and_pinrelay_send_one_event_under_one_id(door: Door, visit: Callable[..., Any]) -> None:
    sent, _ = visit()
    assert [(name, data["event_id"]) for _, name, data in sent["queue"]] == [
        ("pagevisit", sent["page"]),
        ("addtocart", sent["added"]),
        ("lead", sent["lead"]),
    ]
    assert sent["queue"][1][2] == {"event_id": sent["added"], "value": 189.5, "currency": "USD"}
    for name, event_name in (("page", "page_visit"), ("added", "add_to_cart"), ("lead", "lead")):
        assert door.arrives(sent[name], event_name)["user_data"].get("click_id") is None
    assert sent["given"] == {"event_id": "mine", "epik": "own"}


@pytest.mark.parametrize(
    ("query", "cookie", "script", "click"),
    [
        (f"&consent=yes&epik={CLICK}", OLD_CLICK, "", CLICK),
        ("&consent=yes", OLD_CLICK, "", OLD_CLICK),
        ("&consent=yes", "no%20click", "", None),
        ("&consent=no", OLD_CLICK, "", None),
        ("&consent=yes", OLD_CLICK, GPC, None),
    ],
    ids=["address before cookie", "cookie", "malformed cookie", "no consent", "privacy control"],
)
def test_the_click_id_goes_along_where_the_page_permits_it(
    door: Door, visit: Callable[..., Any], query: str, cookie: str, script: str, click: str | None
) -> None:
    sent, asked = visit(query, cookie, script)
    for name, event_name in (("added", "add_to_cart"), ("lead", "lead")):
        assert door.arrives(sent[name], event_name)["user_data"].get("click_id") == click
    assert asked == ([f"{door.url}/v1/epik"] if click else [])
    is_permitted = "consent=yes" in query and not script
    assert [name for _, name, _ in sent["queue"]] == [*(["pagevisit", "addtocart"] if is_permitted else []), "lead"]


def test_what_is_no_click_id_in_the_address_hides_none_in_the_cookie(visit: Callable[..., Any]) -> None:
    sent, _ = visit("&consent=yes&epik=%3Cb%3E", OLD_CLICK)
    assert sent["click"] == OLD_CLICK
