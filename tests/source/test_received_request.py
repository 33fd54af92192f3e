"""What a request hands on to its events: address, user agent and the no of the browser."""

from typing import Any

from app.source.received_request import Requester
from tests.rows import every_row
from tests.source.door import Ledger, client, tracking, webhook

IP = "203.0.113.41"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0"
#: As it is where nobody knows any of it.
UNKNOWN: dict[str, Any] = {"ip": None, "user_agent": None, "gpc": None}
APP: dict[str, Any] = {"channel": "mobile"}


def library(name: Any) -> dict[str, Any]:
    return {"context": {"library": {"name": name}}}


def completed(event: dict[str, Any], **known: Any) -> Any:
    """Return the context of an event once a requester has handed on what is known of it."""
    Requester(**UNKNOWN | known).complete(event)
    return event.get("context")


@every_row(
    ("event", "is_filled"),
    [
        (library("analytics.js"), True),
        (library("analytics-kotlin"), True),
        *[
            (library(name), True)
            for name in (
                *(
                    "@segment/analytics-react-native",
                    "@Segment/Analytics-React-Native",
                    "Analytics-Swift",
                    " analytics-iOS",
                ),
                *("analytics_flutter", "Analytics.js", "@segment/analytics-next", "@twilio-org/analytics_kotlin"),
            )
        ],
        *[
            (library(name), False)
            for name in (
                *("analytics-python", "@segment/analytics-node", "analytics-swift-server", "my/analytics.js", ""),
                *("analytics.js.example", "@segment/", f"@{'a' * 99}/analytics.js"),
            )
        ],
        (library(["analytics.js"]), False),
        ({"context": {"library": {"name": "@jitsu/js", "env": "browser"}}}, True),
        ({"context": {"library": {"name": "@jitsu/js", "env": "node"}}}, False),
        ({"context": {"library": "analytics.js"}}, False),
        ({"channel": "client"}, True),
        ({"channel": "web"}, True),
        ({"channel": "mobile", "context": []}, True),
        ({"context": {"channel": "browser"}}, True),
        ({"channel": ["web"]}, False),
        ({"channel": "server", **library("analytics.js")}, False),
        ({"channel": "server", "context": {"direct": True}}, False),
        ({"context": {"direct": True}}, True),
        ({"context": {"direct": "yes"}}, False),
        ({"context": None}, False),
        ({"channel": "web", "context": "text"}, False),
        ({}, False),
    ],
)
def test_address_and_user_agent_are_handed_on_to_client_side_events_only(
    event: dict[str, Any],
    is_filled: bool,  # noqa: FBT001 - a column of the table
) -> None:
    context = completed(event, ip=IP, user_agent=BROWSER)

    found = context if isinstance(context, dict) else {}
    assert (found.get("ip"), found.get("userAgent")) == ((IP, BROWSER) if is_filled else (None, None))


@every_row(
    ("what", "event", "ip"),
    [
        ("what is known already stays", {"context": {"ip": "198.51.100.4"}}, "198.51.100.4"),
        (
            "a list that holds a public address stays",
            {"context": {"ip": "10.0.0.1, 198.51.100.4"}},
            "10.0.0.1, 198.51.100.4",
        ),
        ("a private address gives way", {"context": {"ip": "192.168.0.7"}}, IP),
        ("a word gives way", {"context": {"ip": "(not set)"}}, IP),
        ("no text gives way", {"context": {"ip": 5}}, IP),
        ("what RudderStack's server noted comes first", {"request_ip": "198.51.100.4"}, "198.51.100.4"),
        ("unless it is private", {"request_ip": "10.0.0.1"}, IP),
        ("or no text", {"request_ip": 5}, IP),
    ],
)
def test_the_address_of_the_request_stands_in_where_the_event_has_none(what: str, event: Any, ip: str) -> None:
    assert completed(APP | event, ip=IP)["ip"] == ip, what


@every_row(
    ("what", "given", "user_agent"),
    [
        ("missing", {}, BROWSER),
        ("blank", {"userAgent": " "}, BROWSER),
        ("a placeholder", {"userAgent": "undefined"}, BROWSER),
        ("no text", {"userAgent": {"name": "x"}}, BROWSER),
        ("that of a server's library", {"userAgent": "node-fetch/1.0"}, BROWSER),
        ("that of an app", {"userAgent": "okhttp/4.12.0"}, "okhttp/4.12.0"),
    ],
)
def test_the_user_agent_of_the_request_stands_in_where_the_event_has_none(
    what: str, given: dict[str, Any], user_agent: str
) -> None:
    assert completed(APP | {"context": given}, user_agent=BROWSER)["userAgent"] == user_agent, what


def test_what_is_unknown_is_not_handed_on() -> None:
    event: dict[str, Any] = {"channel": "web"}
    completed(event)

    assert event == {"channel": "web"}


def test_a_context_that_events_of_a_batch_share_is_not_changed() -> None:
    shared: dict[str, Any] = {"os": 1}

    assert completed({"channel": "web", "context": shared}, ip=IP, gpc="1") == {"os": 1, "ip": IP, "gpc": "1"}
    assert shared == {"os": 1}


@every_row(
    ("what", "event", "context"),
    [
        ("an event that says nothing", {}, {"gpc": "1"}),
        ("an event of a server: the browser said it all the same", {"channel": "server"}, {"gpc": "1"}),
        ("an event that says yes", {"context": {"gpc": False}}, {"gpc": [False, "1"]}),
        ("an event that says null", {"context": {"gpc": None}}, {"gpc": "1"}),
        ("a context that PHP wrote as a list", {"context": []}, {"gpc": "1"}),
    ],
)
def test_sec_gpc_stands_beside_what_the_event_says(what: str, event: Any, context: Any) -> None:
    assert completed(event, gpc="1") == context, what


def test_sec_gpc_is_not_lost_where_the_context_is_no_object_and_that_stays_as_it_is() -> None:
    event: dict[str, Any] = {"context": "text"}

    assert completed(event, gpc="1") == "text"
    assert event["gpc"] == "1"


HEADERS = {"user-agent": BROWSER, "sec-gpc": "1", "x-forwarded-for": IP}
EVENT = {"type": "page", "messageId": "m", "channel": "web"}


async def test_a_browser_that_calls_the_tracking_api_is_known_by_its_request() -> None:
    ledger = Ledger()
    async with client(tracking(ledger, proxies=("198.51.100.7",))) as sdk:
        await sdk.post("/v1/batch", json={"batch": [EVENT, {**EVENT, "type": ""}]}, auth=("k1", ""), headers=HEADERS)

    (event,) = ledger.kept
    assert event["context"] == {"ip": IP, "userAgent": BROWSER, "gpc": "1"}
    assert len(ledger.refused) == 1


async def test_a_library_and_a_private_address_are_not_handed_on() -> None:
    ledger = Ledger()
    async with client(tracking(ledger), peer="10.0.0.9") as sdk:
        await sdk.post("/v1/track", json=EVENT, auth=("k1", ""), headers={"user-agent": "axios/1.7.7"})

    assert "context" not in ledger.kept[0]


async def test_the_webhook_hands_on_nothing_but_sec_gpc() -> None:
    ledger = Ledger()
    async with client(webhook(ledger)) as sender:
        await sender.post("/webhook", json=[EVENT, {"type": 5}], headers=HEADERS)
        await sender.post("/webhook", json=[EVENT], headers={"user-agent": BROWSER})

    assert [event.get("context") for event in ledger.kept] == [{"gpc": "1"}, None]
    assert len(ledger.refused) == 1
