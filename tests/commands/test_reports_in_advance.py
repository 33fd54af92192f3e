"""Reports of strangers about orders of a shop: docs/trust.md lists what they can do by the names of these rows."""

import asyncio
from copy import copy, deepcopy
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import assemble
from app.catalog.reshaping import Reshaping, compile_reshaping
from app.catalog.source_files import SourceFile
from app.commands import story
from app.core.pages import QuarantineFilter
from app.core.receipts import EventReceipt
from app.outbox import Outbox
from app.pipeline.pipeline import Pipeline
from app.pipeline.replay import Replaying
from app.source import Intake
from app.source.event import Arrival, read_event
from tests.process import ROOT
from tests.rows import every_row

START = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()
#: When the shop creates the order, seconds after START; reports come before and after.
CREATED = 3_600
BUYER_IP, STRANGER_IP = "203.0.113.77", "198.51.100.9"
CLICK, FALSE_CLICK = "dj0yJnU9buyer", "dj0yJnU9stranger"


@cache
def source(name: str) -> tuple[Reshaping, dict[str, Any], dict[str, Any]]:
    """Return what reads the records of a shipped source, and body and headers of its example of a paid order."""
    given = yaml.safe_load((ROOT / f"sources/{name}.yaml").read_text("utf-8"))
    example = given.pop("tests")[0]
    reshaping, faults = compile_reshaping(SourceFile.model_validate(given))
    assert reshaping, faults
    return reshaping, example["event"], {key.lower(): value for key, value in example["headers"].items()}


def written(seconds: float) -> str:
    return datetime.fromtimestamp(START + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


#: The id that is sent, the total, its currency, the token, the address of the buyer: of each example.
SHOPS = {
    "shopify": ("1001", 254.98, "USD", "bd5a8aa1ecd019dd3520ff791ee3a24c"),
    "woocommerce": ("727", 29.35, "GBP", "wc_order_58d2d042d1d"),
}


def order(name: str, at: float, *, clock: float | None = 0, created: float = CREATED, **changes: Any) -> story.Step:
    """Return the signed order of a shop whose clock is wrong by `clock` seconds; `None`: it states no creation."""
    reshaping, body, headers = source(name)
    body = deepcopy(body) | changes
    is_shopify = name == "shopify"
    made = None if clock is None else written(created + clock) + ("+00:00" if is_shopify else "")
    body |= {"created_at": made} if is_shopify else {"date_created_gmt": made}
    body |= {"processed_at": written(at) + "+00:00"} if is_shopify else {"date_paid_gmt": written(at)}
    body |= {"browser_ip": BUYER_IP, "client_details": {"browser_ip": BUYER_IP, "user_agent": "Mozilla/5.0"}}
    body |= {} if is_shopify else {"customer_ip_address": BUYER_IP}
    if "id" in changes and is_shopify:
        body |= {"name": f"#{changes['id']}", "order_number": changes["id"], "checkout_token": f"t-{changes['id']}"}
    (event,) = reshaping({"body": body, "headers": headers, "query": {}, "method": "POST", "ip": None})
    assert isinstance(event, dict)
    return story.Step(at=at, sender=story.Sender(trust="trusted", source=name), event=event)


_NUMBER = iter(range(10**9))


def report(name: str, *changes: dict[str, Any], ip: str | None = STRANGER_IP, **properties: Any) -> dict[str, Any]:
    """Return a page's event about the example of a shop."""
    order_id, total, currency, _ = SHOPS[name]
    number = next(_NUMBER)
    context = {"ip": ip, "userAgent": "Mozilla/5.0 (X11)", "page": {"url": f"https://shop.example/?epik={FALSE_CLICK}"}}
    event: dict[str, Any] = {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"page-{number}",
        "anonymousId": f"browser-{number}",
        "context": context | {key: value for each in changes for key, value in each.items()},
        "properties": {"order_id": order_id, "total": total, "currency": currency, "event_id": f"tag-{number}"}
        | properties,
    }
    return event


def own_report(name: str, **properties: Any) -> dict[str, Any]:
    """Return the event of the buyer's own browser."""
    changes = {"page": {"url": f"https://shop.example/?epik={CLICK}"}}
    return report(name, changes, **({"ip": BUYER_IP, "event_id": "tag-own"} | properties))


def sent_by_page(at: float, *events: dict[str, Any], is_from_device: bool = False) -> story.Step:
    given = {"batch": events, "is_from_device": is_from_device}
    return story.Step(at=at, sender=story.Sender(trust="public", source="page"), event=given)


def replayed(at: float) -> story.Step:
    """Return the replay of all events in the quarantine."""
    return story.Step(at=at, sender=story.Sender(trust="public", source="page"), event={"replay": True})


class Player(story._Player):
    """Plays steps of which each may be a request with several events, or a replay of the quarantine."""

    def _pipeline(self, outbox: Outbox) -> Pipeline:
        self._outbox = outbox
        return super()._pipeline(outbox)

    async def _replay(self, pipeline: Pipeline) -> EventReceipt:
        settings = self._settings
        accepting = copy(pipeline)
        accepting._quarantine = None
        replaying = Replaying(
            self._outbox.sealed_events,
            assemble.sealer(settings),
            assemble.explainer(settings, outbox=self._outbox, why_off=lambda *_: None),
            accepting,
            catalog=lambda: story._catalog(settings),
            held_back=lambda event, _: event,
            clock=self._clock,
        )
        assert (await replaying.replay(QuarantineFilter())).leaving == 1
        return EventReceipt(message_id="replay", deliveries=())

    async def _accept(self, pipeline: Pipeline, step: story.Step) -> EventReceipt:
        if "replay" in step.event:
            return await self._replay(pipeline)
        arrival = Arrival.at(self._now, from_device=step.event.get("is_from_device", False))
        events = [read_event(deepcopy(each), arrival) for each in step.event.get("batch", [step.event])]
        intake = Intake(events, self._now, source=step.sender.source, is_trusted=step.sender.trust == "trusted")
        return (await pipeline.accept(intake)).events[0]


@pytest.fixture
def play(tmp_path: Path) -> Any:
    def played(*steps: story.Step, **settings: Any) -> Any:
        given = story.Story(
            start=written(0) + "Z",
            steps=sorted(steps, key=lambda each: each.at),
            settings={"ORDER_WAIT_MINUTES": 10, "CONSENT_CATEGORIES": "Advertising", **settings},
        )

        async def run() -> Any:
            known = story._settings_of(given, {})
            path = await story._new_store(tmp_path, next(_NUMBER), known)
            return await Player(given, known, path).play()

        return asyncio.run(run()).sent

    return played


def every_minute(begin: int, end: int, *, alike: bool, **changes: Any) -> list[tuple[float, dict[str, Any]]]:
    """Return changes of reports, by their times: `alike` from one address, otherwise from one each."""
    moments = range(begin, end, 60)
    addresses = [STRANGER_IP if alike else f"198.51.100.{number}" for number in range(1, len(moments) + 1)]
    return [(at, {"ip": ip, **changes}) for at, ip in zip(moments, addresses, strict=True)]


def guesses(at: float, count: int) -> list[tuple[float, dict[str, Any]]]:
    """Return reports with different amounts, and with the right one."""
    return [(at, {"total": 1_000 + number}) for number in range(count)] + [(at, {})]


OPT_OUT, OTHER, ELSEWHERE = {"opt_out": True}, {"ip": "198.51.100.8"}, {"ip": "192.0.2.5"}
EVE = {"traits": {"email": "eve@mail.example"}}
CATEGORY = {"consent": {"categoryPreferences": {"Advertising": False}}}
TOKEN = "token of the buyer's checkout"
BY_EMAIL, BY_PHONE = ({"ip": "192.0.2.5", "traits": {name: name.upper()}} for name in ("email", "phone"))
WITHHOLD = {
    "UNCONFIRMED_ORDERS": "withhold",
    "QUARANTINE_HOURS": 1,
    "QUARANTINE_KEY": "a key of the quarantine, long enough",
}
Changes = list[tuple[float, dict[str, Any]]]

#: Each row: reports of strangers and of the buyer, seconds after the creation of the order, and of the signed order;
#: the settings; what leaves with the shop's buyer: whose click id and event id (shop, buyer, stranger), or "" if the
#: shop's order does not leave, and its opt-out; how many events leave.
BEFORE: list[tuple[str, Changes, Changes, float, dict[str, Any], tuple[str, bool], int]] = [
    ("a report waits", [(-300, {})], [], 30, {}, ("shop", False), 1),
    ("it was sent", [(-1_200, {})], [], 30, {}, ("shop", False), 2),
    ("it is sent before the order is paid", [(-300, {})], [], 700, {}, ("shop", False), 2),
    ("it has the tag's id of the shop", [(-1_200, {"event_id": "SHOP"})], [], 30, {}, ("shop anew", False), 2),
    ("it opts out and waits", [(-300, {"context": OPT_OUT})], [], 30, {}, ("shop", False), 1),
    ("it opts out and was sent", [(-1_200, {"context": OPT_OUT})], [], 30, {}, ("shop", False), 2),
    ("it refuses a category", [(-300, {"context": CATEGORY})], [], 30, {}, ("shop", False), 1),
    ("it has a token", [(-1_200, {"checkout_token": "guess"})], [], 30, {}, ("shop", False), 2),
    ("it has no address", [(-300, {"ip": None, "context": EVE})], [], 30, {}, ("shop", False), 1),
    ("every minute, one address", every_minute(-900, 0, alike=True), [], 30, {}, ("shop", False), 2),
    ("every minute, until it is paid", every_minute(-900, 30, alike=True), [], 30, {}, ("shop", False), 2),
    ("every minute, many addresses", every_minute(-900, -60, alike=False), [], 30, {}, ("shop", False), 2),
    ("20 guesses", guesses(-300, 19), [], 30, {}, ("shop", False), 1),
    ("50 guesses that were sent", guesses(-1_200, 49), [], 30, {}, ("shop", False), 2),
    ("the buyer's page, by token", [(-300, {})], [(5, {"token": True} | ELSEWHERE)], 30, {}, ("buyer", False), 1),
    ("the buyer's page, by address", [(-300, {})], [(5, {})], 30, {}, ("buyer", False), 1),
    ("the buyer's page, by e-mail", [(-300, {})], [(5, BY_EMAIL)], 30, {}, ("buyer", False), 1),
    ("the buyer's page, by phone", [(-300, {})], [(5, BY_PHONE)], 30, {}, ("buyer", False), 1),
    ("the buyer's page, behind a report that was sent", [(-1_200, {})], [(5, {})], 30, {}, ("buyer", False), 2),
    ("the buyer's page, behind 50 guesses", guesses(-300, 49), [(5, {})], 30, {}, ("buyer", False), 1),
    ("the buyer's page, behind opt-outs", every_minute(-900, 0, alike=False, context=OPT_OUT), [(5, {})], 30, {},
     ("buyer", False), 2),
    ("the buyer's page, behind a refused category", [(-300, {"context": CATEGORY})], [(5, {})], 30, {},
     ("buyer", False), 1),
    ("the buyer's page, after the order", [(-300, {})], [(90, {})], 30, {}, ("buyer", False), 1),
    ("the buyer's page, without token or address", [(-300, {})], [(5, ELSEWHERE)], 30, {}, ("buyer", False), 1),
    ("a report with the tag's id of the page", [(-1_200, {"event_id": "tag-own"})], [(5, {})], 30, {},
     ("buyer, shop's id", False), 2),
]  # fmt: skip
AFTER: list[tuple[str, Changes, Changes, float, dict[str, Any], tuple[str, bool], int]] = [
    ("a report supplies the click id", [(5, {})], [], 30, {}, ("stranger", False), 1),
    ("so it does 60 seconds before the order is created", [(-60, {})], [], 30, {}, ("stranger", False), 1),
    ("so it does after the order", [(60, {})], [], 30, {}, ("stranger", False), 1),
    ("a report opts out", [(5, {"context": OPT_OUT})], [], 30, {}, ("stranger", True), 1),
    ("a refused category", [(5, {"context": CATEGORY})], [], 30, {}, ("", False), 0),
    ("a report that opts out, beside the buyer's page", [(5, {"context": OPT_OUT})], [(9, {})], 30, {},
     ("buyer", False), 1),
    ("a refused category, beside the buyer's page", [(5, {"context": CATEGORY})], [(9, {})], 30, {},
     ("buyer", False), 1),
    ("the buyer's page refuses a category", [(-300, {})], [(5, {"context": CATEGORY})], 30, {}, ("", False), 1),
    ("the buyer's page opts out", [(5, {})], [(9, {"context": OPT_OUT})], 30, {}, ("buyer", True), 1),
    ("several reports supply nothing", [(5, {}), (6, OTHER)], [], 30, {}, ("shop", False), 1),
    ("several reports, one opts out", [(5, {}), (6, OTHER | {"context": OPT_OUT})], [], 30, {}, ("shop", True), 1),
    ("several reports, then the buyer's page", [(5, {"context": OPT_OUT}), (6, OTHER)], [(90, {})], 30, {},
     ("buyer", False), 1),
    ("several reports and one more", [(5, {}), (6, OTHER), (90, {"ip": "198.51.100.7"})], [], 30, {},
     ("shop", False), 1),
    ("an order that is paid after the wait", [(5, {})], [], 900, {}, ("", False), 1),
    ("the same, orders of pages are withheld", [(5, {})], [], 900, WITHHOLD,
     ("shop", False), 1),
    ("25 guesses behind the buyer's page", guesses(10, 25)[:-1], [(5, {})], 30, {}, ("shop", False), 1),
    ("25 guesses behind the buyer's page with the token", guesses(10, 25)[:-1], [(5, {"token": True})], 30, {},
     ("buyer", False), 1),
    ("a stranger with the buyer's address", [(-300, {"ip": BUYER_IP})], [], 30, {}, ("stranger", False), 1),
    ("another amount", [(5, {"total": 1})], [], 30, {}, ("shop", False), 1),
    ("the tag's id of the page, for another order", [(-1_200, {"order_id": "9", "event_id": "tag-own"})], [(5, {})], 30,
     {}, ("shop", False), 2),
]  # fmt: skip


def of_stranger(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    properties = dict(changes)
    context = properties.pop("context", {})
    if properties.get("event_id") == "SHOP":
        properties["event_id"] = {"shopify": "shopify-order-5471610093881", "woocommerce": "checkout_727"}[name]
    return report(name, context, **properties)


def of_buyer(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    properties = dict(changes)
    if properties.pop("token", False):
        properties["checkout_token"] = SHOPS[name][-1]
    person = {"EMAIL": BUYERS[name][0], "PHONE": BUYERS[name][1]}
    traits = {key: person[value] for key, value in properties.pop("traits", {}).items()}
    event = own_report(name, **{key: value for key, value in properties.items() if key != "context"})
    event["context"] |= {"traits": traits, **properties.get("context", {})}
    return event


BUYERS = {"shopify": ("jon@example.com", "+15025550199"), "woocommerce": ("john.doe@example.com", "+14155555555")}
VALUES = {"shopify": ("244.98", "USD", ["632910392"]), "woocommerce": ("18", "GBP", ["93"])}
IDS = {"shopify": "shopify-order-5471610093881", "woocommerce": "checkout_727"}
CLICKS = {"shopify": "dj0yJnU9abc", "woocommerce": "dj0yJnU9woo"}
EMAILS = {name: sha256(email.encode()).hexdigest() for name, (email, _) in BUYERS.items()}


def supplier(name: str, event: dict[str, Any]) -> str:
    """Return whose click id and event id an event has."""
    click = {CLICK: "buyer", FALSE_CLICK: "stranger", CLICKS[name]: "shop"}[event["user_data"]["click_id"]]
    event_id = event["event_id"]
    ids = "buyer" if event_id == "tag-own" else "stranger" if event_id.startswith("tag-") else "shop"
    if ids == "shop" and event_id != IDS[name]:
        ids = "shop anew"
    return click if click == ids else ids if click == "shop" else f"{click}, {ids}'s id"


@every_row("name", list(SHOPS))
@every_row("is_array", [False, True])
@every_row(
    ("reports", "pages", "paid", "settings", "expected", "count"),
    [row[1:] for row in (*BEFORE, *AFTER)],
    ids=[row[0] for row in (*BEFORE, *AFTER)],
)
def test_a_signed_order_leaves_with_its_own_money_products_and_buyer(
    play: Any,
    name: str,
    reports: Changes,
    pages: Changes,
    paid: float,
    settings: dict[str, Any],
    expected: tuple[str, bool],
    count: int,
    *,
    is_array: bool,
) -> None:
    events = [(CREATED + at, of_stranger(name, changes)) for at, changes in reports]
    events += [(CREATED + at, of_buyer(name, changes)) for at, changes in pages]
    steps = [sent_by_page(at, event) for at, event in events]
    if is_array:
        steps = [sent_by_page(at, *(event for when, event in events if when == at)) for at in dict(events)]

    sent = play(*steps, order(name, CREATED + paid), **settings)

    own = [event for _, event, _ in sent if "contents" in event["custom_data"]]
    assert len(sent) == count
    assert [(supplier(name, event), event.get("opt_out", False)) for event in own] == [expected] * bool(expected[0])
    for event in own:
        money = event["custom_data"]
        assert EMAILS[name] in event["user_data"]["em"]
        assert (money["value"], money["currency"], money["content_ids"]) == VALUES[name]
    same = [event for _, event, _ in sent if event["custom_data"]["order_id"] == SHOPS[name][0]]
    if own and len(same) > 1:
        (warnings,) = [about for _, event, about in sent if event in own]
        assert any("was sent with" in each for each in warnings)


@every_row("name", list(SHOPS))
@every_row("is_array", [False, True])
def test_200_reports_in_one_request_remove_none_of_three_later_orders(play: Any, name: str, *, is_array: bool) -> None:
    """All three became duplicates of what the stranger reported."""
    numbers = [7_000 + number for number in range(200)]
    events = [report(name, order_id=str(number)) for number in numbers]
    steps = [sent_by_page(60, *events)] if is_array else [sent_by_page(60, each) for each in events]
    steps += [
        order(name, CREATED + 30, id=number, number=str(number), order_key=f"wc_order_{number}")
        for number in numbers[:3]
    ]

    sent = play(*steps)

    own = [event for _, event, _ in sent if EMAILS[name] in event["user_data"].get("em", ())]
    assert [(each["custom_data"]["order_id"], each["custom_data"]["value"]) for each in own] == [
        (str(number), VALUES[name][0]) for number in numbers[:3]
    ]


@every_row("name", list(SHOPS))
@every_row("error", [50, 600, 3_600, -50, -600, -3_600])
@every_row("paid", [10, 603, 700, 3_700])
@every_row("is_strong", [True, False])
def test_no_order_is_lost_by_a_wrong_clock(play: Any, name: str, error: int, paid: int, *, is_strong: bool) -> None:
    """An order leaves twice only if its webhook is later than the error and than the wait, and a warning says so."""
    page = own_report(name, ip=BUYER_IP if is_strong else "192.0.2.5")
    sent = play(sent_by_page(CREATED + 5, page), order(name, CREATED + paid, clock=error))

    was_sent, is_hidden = paid > 605, error <= paid
    is_twice = not is_strong and was_sent and error > 65 and is_hidden
    assert len(sent) == 1 + is_twice
    said = [text for _, _, about in sent for text in about]
    assert any("sent before the shop order" in text for text in said) == is_twice
    if not was_sent:
        assert any(text.startswith("the shop's clock is ahead: the source") for text in said) == (not is_hidden)


@every_row("name", list(SHOPS))
def test_an_order_without_creation_time_is_matched_as_before(play: Any, name: str) -> None:
    sent = play(sent_by_page(CREATED - 300, report(name)), order(name, CREATED + 30, clock=None))

    assert [supplier(name, event) for _, event, _ in sent] == ["stranger"]


@every_row("name", list(SHOPS))
def test_a_slow_clock_of_the_shop_hides_a_report_in_advance(play: Any, name: str) -> None:
    sent = play(sent_by_page(CREATED - 1_800, report(name)), order(name, CREATED + 30, clock=-3_600))

    assert [supplier(name, event) for _, event, _ in sent] == ["stranger"]


@every_row("name", list(SHOPS))
def test_a_clock_that_is_known_to_be_ahead_hides_a_report_in_advance(play: Any, name: str) -> None:
    ahead = order(name, CREATED, clock=600, id=9_001, number="9001", order_key="wc_order_9001")
    steps = sent_by_page(CREATED + 10, report(name)), order(name, CREATED + 330, created=CREATED + 300)

    sent = play(ahead, *steps)

    own = [event for _, event, _ in sent if event["custom_data"]["order_id"] == SHOPS[name][0]]
    assert [supplier(name, event) for event in own] == ["stranger"]


@every_row("name", list(SHOPS))
@every_row("is_from_device", [False, True])
@every_row(("at", "paid"), [(10, 30), (90, 30), (10, 900)])
def test_a_report_in_advance_that_is_replayed_after_the_creation_is_still_early(
    play: Any, name: str, at: float, paid: float, *, is_from_device: bool
) -> None:
    """Judged by the time of the replay, it removed the shop's order, or supplied its click id."""
    advance = sent_by_page(CREATED - 1_200, report(name), is_from_device=is_from_device)

    sent = play(advance, replayed(CREATED + at), order(name, CREATED + paid), **WITHHOLD)

    own = [event for _, event, _ in sent if EMAILS[name] in event["user_data"].get("em", ())]
    assert [supplier(name, event) for event in own] == ["shop"]


@every_row("name", list(SHOPS))
@every_row("is_from_device", [False, True])
def test_a_replayed_report_that_arrived_after_the_creation_is_matched(
    play: Any, name: str, *, is_from_device: bool
) -> None:
    after = sent_by_page(CREATED + 5, report(name, ip=BUYER_IP), is_from_device=is_from_device)

    sent = play(after, replayed(CREATED + 700), order(name, CREATED + 900), **WITHHOLD)

    assert [supplier(name, event) for _, event, _ in sent] == ["stranger"]
