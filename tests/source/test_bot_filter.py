"""Tests, crawlers and orders that came to nothing are no conversions."""

from typing import Any

import pytest

from app.config.settings import BotFilterSettings
from app.source.withholding import bot_filter, is_crawler
from tests.rows import every_row

BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
)


def judge(
    event: dict[str, Any] | None = None,
    *,
    name: str = "checkout",
    is_live: bool = True,
    withhold: tuple[str, ...] = ("test_events", "crawlers"),
    **sent: Any,
) -> tuple[str | None, tuple[str, ...]]:
    complete = {"event_name": name, "user_data": {"client_user_agent": BROWSER}} | sent
    settings = BotFilterSettings.model_validate({"withhold": withhold})
    return bot_filter(settings, is_live=is_live)(event or {}, complete)


@every_row(
    ("properties", "reason"),
    [
        ({"status": "cancelled"}, "the order is not a purchase: its `status` says cancelled"),
        ({"status": "Canceled"}, "the order is not a purchase: its `status` says cancelled"),
        ({"status": "wc-refunded"}, "the order is not a purchase: its `status` says refunded"),
        ({"status": "pending"}, "the order is not a purchase: its `status` says pending payment"),
        ({"status": "pending_payment"}, "the order is not a purchase: its `status` says pending payment"),
        ({"status": "failed"}, "the order is not a purchase: its `status` says failed"),
        ({"financial_status": "voided"}, "the order is not a purchase: its `financial_status` says voided"),
        ({"status": "open", "financial_status": "refunded"}, "its `financial_status` says refunded"),
        ({"cancelled_at": "2026-11-25T10:15:00Z"}, "it was cancelled (`cancelled_at`)"),
        ({"status": ["cancelled"]}, "the order is not a purchase: its `status` says cancelled"),
        ({"cancelledAt": 1_772_604_428}, "it was cancelled (`cancelledAt`)"),
        *[
            ({"cancelled_at": when}, "it was cancelled (`cancelled_at`)")
            for when in (
                *(
                    "2026-11-25 10:15:00 UTC",
                    "Wed, 25 Nov 2026 10:15:00 CET",
                    "2000-01-01T00:00:00Z",
                    1_772_604_428_000,
                ),
                # what cannot be told apart from a time that nobody here can read
                *("25.11.2026", "11/25/2026, 10:15 AM", "yesterday", "by the customer", "yes", True, 1, "1", ["yes"]),
                *(
                    {"date": "2026-11-25 10:15:00.000000", "timezone": "UTC"},
                    "01/01/2026",
                    "20261125101500",
                    2e13,
                    [5, 6],
                ),
            )
        ],
    ],
)
def test_an_order_that_says_it_came_to_nothing_is_withheld(properties: dict[str, Any], reason: str) -> None:
    withheld, warnings = judge({"properties": properties})

    assert withheld is not None
    assert withheld.endswith(reason)
    assert warnings == ()


#: What programs write where an order was never cancelled.
NEVER = [
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00", "0001-01-01T00:00:00+01:00", "1/1/0001 12:00:00 AM"),  # Go, .NET
    *("0000-00-00 00:00:00", "0000-00-00", "0000-00-00T00:00:00.000Z", "00/00/0000", "00:00:00"),  # MySQL
    *("1970-01-01T00:00:00Z", "1970-01-01", "Thu, 01 Jan 1970 00:00:00 GMT", "01/01/1970 00:00", "1899-12-30"),
    *("Thu Jan 01 1970 01:00:00 GMT+0100 (CET)", "Invalid date", "Invalid Date", " invalid datetime ", "NaT", "never"),
    *(0, 0.0, "0", "0.0", "00", -62_135_596_800, "-62135596800", "-1", [0], ["0001-01-01T00:00:00Z"]),
    *("-", "--", "{{cancelled_at}}", "{{ order.cancelled_at }}", "unknown", "N/A", "[object Object]", "Pending", "no"),
    *([], {}, [None], " ", "undefined"),
]


@every_row(
    "properties",
    [
        {"status": "completed"},
        {"status": "processing"},
        {"status": "on-hold"},
        {"financial_status": "paid"},
        {"financial_status": "partially_refunded"},
        {"financial_status": "authorized"},
        {"cancelled_at": None},
        {"cancelled_at": ""},
        {"cancelled_at": "null"},
        {"cancelled_at": False},
        {"cancelled_at": "false"},
        *[{"cancelled_at": when} for when in NEVER],
        {"canceledAt": "Invalid Date", "status": ["paid"]},
        {"status": ["cancelled", "paid"]},
        [],
        None,
    ],
)
def test_every_other_order_is_one(properties: Any) -> None:
    assert judge({"properties": properties}) == (None, ())


def test_a_status_is_read_of_orders_only() -> None:
    assert judge({"properties": {"status": "failed"}}, name="lead") == (None, ())


TESTS: list[tuple[dict[str, Any], str | None, str]] = [
    ({"properties": {"test": True}}, None, "`properties.test` is true"),
    ({"properties": {"test": "true"}}, None, "`properties.test` is true"),
    ({"context": {"test": 1}}, None, "`context.test` is true"),
    ({}, "http://localhost:3000/checkout/done", "its page is on a test host"),
    ({}, "https://shop.localhost/", "its page is on a test host"),
    ({}, "https://shop.test?x=1", "its page is on a test host"),
    ({}, "http://MAC-7.local/thanks", "its page is on a test host"),
    ({}, "http://user:secret@dev.test:8080", "its page is on a test host"),
    ({}, "http://127.0.0.1:8000/", "its page is on a test host"),
    ({}, "http://[::1]/", "its page is on a test host"),
]


@every_row(("event", "page", "about"), TESTS)
def test_a_test_is_withheld_where_pinterest_is_live(event: dict[str, Any], page: str | None, about: str) -> None:
    reason = f"a test: {about} (remove test_events from WITHHOLD to send it)"
    in_sandbox, (warning,) = judge(event, is_live=False, event_source_url=page)

    for name in ("checkout", "page_visit"):
        assert judge(event, event_source_url=page, name=name) == (reason, ())
    assert (in_sandbox, warning) == (None, f"{reason}; withheld if Pinterest is live")
    assert judge(event, withhold=("test_events",), event_source_url=page) == (reason, ())
    for given in (("crawlers",), ("none",)):
        assert judge(event, withhold=given, event_source_url=page) == (None, ())


@every_row(
    ("event", "page"),
    [
        ({"properties": {"test": False}}, None),
        ({"properties": {"test": "blue button"}}, None),  # of an experiment
        ({"properties": [], "context": None}, None),
        ({}, "https://latest.example/test"),
        ({}, "https://test.shop.example/"),
        ({}, "https://shop.example/?next=http://localhost/"),
        ({}, "https://localhost.shop.example/"),
        ({}, "https://contest/"),
        ({}, "capacitor://localhost/cart"),  # a page within an app
    ],
)
def test_what_only_looks_like_a_test_is_sent(event: dict[str, Any], page: str | None) -> None:
    assert judge(event, event_source_url=page) == (None, ())


CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/138.0.0.0 Safari/537.36",
]


@pytest.mark.parametrize("user_agent", CRAWLERS)
def test_a_crawler_is_withheld_where_pinterest_is_live(user_agent: str) -> None:
    sent = {"client_user_agent": user_agent}
    withheld, _ = judge(name="page_visit", user_data=sent)
    in_sandbox, (warning,) = judge(is_live=False, user_data=sent)

    assert withheld == "a crawler: its user agent is on the list (remove crawlers from WITHHOLD to send it)"
    assert (in_sandbox, warning.startswith("a crawler: ")) == (None, True)
    assert judge(withhold=("crawlers",), user_data=sent) == (withheld, ())
    for given in (("test_events",), ("none",)):
        assert judge(withhold=given, user_data=sent) == (None, ())


@every_row(
    "user_agent",
    [
        BROWSER,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 [Pinterest/iOS]",
        "Mozilla/5.0 (Linux; Android 15; CUBOT X30) AppleWebKit/537.36 Chrome/138.0.0.0 Mobile Safari/537.36",
        "okhttp/4.12.0",
        "Shop/2.1 (Android 15) okhttp/4.12.0",
        "Amazon CloudFront",
        "",
        None,
    ],
)
def test_browsers_and_apps_are_no_crawlers(user_agent: str | None) -> None:
    assert not is_crawler(user_agent)


def test_an_order_that_came_to_nothing_is_withheld_from_the_sandbox_too() -> None:
    withheld, _ = judge({"properties": {"status": "failed", "test": True}}, is_live=False)

    assert withheld == "the order is not a purchase: its `status` says failed"
