"""Attacks with the write key of a page. docs/trust.md lists the rules that these tests prove.

Each was tried against the pipeline and store as they were on 29 November 2026, and worked.
"""

from collections.abc import AsyncIterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import assemble
from app.config import Settings
from app.core.deliveries import State
from app.core.events import DEFAULT_SOURCE, CounterRow, Event, Outcome
from app.core.pages import QuarantineFilter, Query
from app.errors import BacklogFull
from app.outbox import Outbox, open_outbox
from app.source import Arrival, Intake, read_event
from app.source.auth import proves_authors
from tests import assembled
from tests.outbox.build import NOW

HELD = """
name: Order Completed
subscribe: event = "Order Completed"
action: report_conversion_event
hold: 30m
withdrawn_by: event = "Order Cancelled"
mapping: {event_name: checkout}
"""
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
SETTINGS: dict[str, Any] = {
    "quarantine_hours": 72,
    "quarantine_key": "a key of the quarantine, long enough",
    "quarantine_max_bytes": 40_000,
    "remember_days": 90,
    "remember_max_people": 1_000,
    "remember_secret": "a secret of the installation, long",
}


class Shop:
    """A shop whose server proves itself, and a page whose write key everybody may use."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self.outbox = outbox
        self._settings = settings
        self.now = NOW
        self._numbers = count()
        self.warnings: list[str] = []
        self.counted: list[CounterRow] = []
        self._pipeline = assemble.pipeline(
            settings,
            assemble.running_catalog(settings).catalog,
            outbox=outbox,
            quarantine=assemble.quarantine(settings, outbox),
            on_count=self.counted.extend,
        )

    async def server(self, *events: Event) -> list[Outcome]:
        return await self._send(events, is_trusted=True)

    async def stranger(self, *events: Event) -> list[Outcome]:
        return await self._send(events, is_trusted=False)

    async def segment(self, *events: Event) -> list[Outcome]:
        """Receive signed requests of Segment at `/webhook`, with events of pages and servers."""
        is_trusted = proves_authors(self._settings, DEFAULT_SOURCE)
        return await self._send(events, is_trusted=is_trusted, source=DEFAULT_SOURCE)

    async def _send(self, events: tuple[Event, ...], *, is_trusted: bool, source: str = "") -> list[Outcome]:
        known = {"type": "track", "timestamp": self.now - 60, "context": PERSON}
        complete = [known | {"messageId": f"m-{next(self._numbers)}"} | event for event in events]
        read = [read_event(each, Arrival.at(self.now)) for each in complete]
        source = source or ("shop" if is_trusted else "page")
        receipt = await self._pipeline.accept(Intake(read, self.now, source=source, is_trusted=is_trusted))
        lines = [line for event in receipt.events for line in event.deliveries]
        self.warnings += [warning for line in lines for warning in line.warnings]
        return [line.outcome for line in lines]

    async def sent(self, source: str = "shop") -> list[dict[str, Any]]:
        """Return what Pinterest would get by now, or waits for it, of the shop's server."""
        page = await self.outbox.search(Query(source=source), limit=1_000)
        assert {each.state for each in page.deliveries} <= {State.PENDING}
        found = [await self.outbox.delivery(each.delivery_id) for each in page.deliveries]
        return [orjson.loads(each.payload) for each in found if each and each.payload]


def order(number: int, total: float = 249, **changes: Any) -> Event:
    properties = {"order_id": f"SO-{number}", "total": total, "currency": "USD"}
    return {
        "event": "Order Completed",
        "messageId": f"order-{number}",
        "userId": "ann",
        "properties": properties,
    } | changes


@pytest.fixture(params=[{}])
async def shop(request: pytest.FixtureRequest, outbox_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "order.yaml").write_text(HELD, encoding="utf-8")
    given = {**SETTINGS, **request.param}
    settings = assembled.settings(**given, outbox_url=outbox_url, presets_dir=(folder,))
    outbox = open_outbox(outbox_url, settings, clock=lambda: NOW)
    yield Shop(settings, outbox)
    await outbox.close()


@pytest.mark.slow
async def test_claimed_order_numbers_make_no_order_a_duplicate(shop: Shop) -> None:
    """5,000 orders over 0.01 USD took 0.7 s, and the shop's own orders were duplicates of them for 30 days."""
    await shop.stranger(*(order(number, 0.01) for number in range(1, 60)))
    assert await shop.server(*(order(number) for number in range(1, 60))) == [Outcome.ENQUEUED] * 59
    assert [each["custom_data"]["value"] for each in await shop.sent()] == ["249"] * 59
    assert await shop.stranger(order(1, 0.01, messageId="again")) == [Outcome.DUPLICATE]


async def test_a_cancellation_by_a_stranger_withdraws_no_order(shop: Shop) -> None:
    """Orders that their preset held were withdrawn by anybody who named their id."""
    cancelled = {"event": "Order Cancelled", "properties": {"order_id": "SO-1"}}
    refunded = {"event": "Order Cancelled", "properties": {"order_id": "SO-2", "financial_status": "refunded"}}
    await shop.server(order(1))
    assert await shop.stranger(cancelled, refunded) == [Outcome.MATCHED] * 2
    await shop.server(order(2))
    assert len(await shop.sent()) == 2
    await shop.server(cancelled)
    assert [each["custom_data"]["order_id"] for each in await shop.sent()] == ["SO-2"]


async def test_a_yes_by_a_stranger_lifts_no_no(shop: Shop) -> None:
    """A person's no, told by the shop, was lifted by one event with that person's id."""
    await shop.server({"type": "identify", "userId": "ann", "traits": {"email": "ann@shop.example"}})
    await shop.server({"type": "page", "userId": "ann", "context": PERSON | {"opt_out": True}})
    yes = {"type": "page", "userId": "ann", "anonymousId": "x", "timestamp": NOW - 30}
    await shop.stranger(yes | {"context": PERSON | {"opt_out": False}})
    at = {"timestamp": NOW - 10}
    await shop.server({"type": "identify", "userId": "ann", "traits": {"phone": "+15551234567"}} | at, order(1) | at)
    assert [set(each["user_data"]) & {"em", "ph"} for each in await shop.sent()] == [set()]


@pytest.mark.parametrize(
    "shop",
    [{"write_keys": "page:0123456789abcdef,shop:0123456789abcdea", "trusted_senders": "shop"}],
    indirect=True,
)
@pytest.mark.parametrize("first", ["page", "shop"])
async def test_memory_of_a_strangers_events_fills_no_order_of_the_shop_that_is_bound_to_a_page(
    shop: Shop, first: str
) -> None:
    """Memory filled the page's event before the two were merged, so the shop's order was sent with that address."""
    known = {"type": "identify", "anonymousId": "browser", "traits": {"email": "eve@mail.example"}}
    url = {"page": {"url": "https://shop.example/?epik=dj0yJnU9abc"}}
    click = {"type": "page", "anonymousId": "browser", "context": PERSON | url}
    await shop.stranger(known | {"timestamp": NOW - 300}, click | {"timestamp": NOW - 200})
    page = order(1, anonymousId="browser", messageId="page-1", userId=None)
    own = order(1, userId=None, context=PERSON | {"traits": {"firstName": "Ann"}})
    tell = {"page": lambda: shop.stranger(page), "shop": lambda: shop.server(own)}
    second = "shop" if first == "page" else "page"
    assert (await tell[first](), await tell[second]()) == ([Outcome.ENQUEUED], [Outcome.MERGED])
    source = await shop.outbox.search(Query(order_id="SO-1"), limit=9)
    (found,) = [await shop.outbox.delivery(each.delivery_id) for each in source.deliveries]
    user_data = orjson.loads(found.payload if found and found.payload else b"")["user_data"]
    assert ("em" in user_data, user_data["click_id"]) == (False, "dj0yJnU9abc")


@pytest.mark.slow
async def test_invented_people_who_say_no_stop_no_memory(shop: Shop) -> None:
    """3 MB of invented ids with an opt-out filled the marks, and nobody was remembered any more."""
    no = {"type": "page", "context": PERSON | {"opt_out": True}}
    for start in range(0, 1_200, 400):
        await shop.stranger(*(no | {"anonymousId": f"x{number}"} for number in range(start, start + 400)))
    await shop.server({"type": "identify", "userId": "ann", "traits": {"email": "ann@shop.example"}})
    await shop.server(order(1))
    assert ["em" in each["user_data"] for each in await shop.sent()] == [True]


@pytest.mark.slow
async def test_invalid_events_of_a_stranger_push_no_signed_one_out_of_the_quarantine(shop: Shop) -> None:
    """Whatever was invalid took the place of the oldest event, also of a shop's order."""
    await shop.server(order(1, userId=None, context={}))
    junk = {"event": "Order Completed", "context": {}, "properties": {"note": "x" * 900}}
    for _ in range(4):
        await shop.stranger(*(junk for _ in range(50)))
    found = await shop.outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=1_000)
    assert [each.message_id for each in found if each.is_trusted] == ["order-1"]
    assert sum(len(each.sealed) for each in found if not each.is_trusted) <= 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "shop",
    [
        {
            "write_keys": "page:0123456789abcdef,shop:0123456789abcdea",
            "trusted_senders": "shop",
            "outbox_max_backlog_bytes": 100_000,
        }
    ],
    indirect=True,
)
async def test_a_flood_leaves_room_for_orders_of_the_shop(shop: Shop) -> None:
    """The backlog was full of invented events, and everybody got 503 until they were sent."""
    flood = iter(range(1_000, 5_000))

    async def fill() -> None:
        for number in flood:
            await shop.stranger(order(number, 1))

    with pytest.raises(BacklogFull):
        await fill()
    orders = [order(number) for number in range(5_000, 5_000 + (next(flood) - 1_000) // 10)]
    assert len(orders) > 5
    assert await shop.server(*orders) == [Outcome.ENQUEUED] * len(orders)
    with pytest.raises(BacklogFull):
        await shop.server(*(order(number) for number in range(9_000, 9_000 + len(orders))))


async def test_the_shop_withdraws_an_order_before_it_comes_and_no_order_that_it_pays_back_in_part(shop: Shop) -> None:
    cancelled = {"event": "Order Cancelled", "properties": {"order_id": "SO-1"}}
    part = {"event": "Order Cancelled", "properties": {"order_id": "SO-2", "financial_status": "partially_refunded"}}
    assert await shop.server(cancelled, order(2), part) == [Outcome.MATCHED, Outcome.ENQUEUED, Outcome.MATCHED]
    assert await shop.server(order(1)) == [Outcome.ENQUEUED]
    assert shop.warnings[-1] == "its order was cancelled before: it is withdrawn"
    assert [each["custom_data"]["order_id"] for each in await shop.sent()] == ["SO-2"]
    assert sum(each.count for each in shop.counted if each.name == Outcome.WITHDRAWN) == 1


def _guess(total: float = 249, email: str = "", **properties: Any) -> Event:
    """Report order 1 as a visitor of a page does, with another user id."""
    event = order(1, total, messageId="guess", userId="mallory")
    return event | {"properties": event["properties"] | ({"email": email} if email else {}) | properties}


#: What a visitor reports of an order, and whether the order of the shop is stored if it comes after that.
GUESSES = {
    "another total and another buyer": (_guess(0.01, "mallory@evil.example"), True),
    "another total": (_guess(0.01), False),
    "the total": (_guess(), False),
    "the total and another buyer": (_guess(249, "mallory@evil.example"), False),
    "the buyer": (_guess(0.01, "ann@shop.example"), False),
}
SEGMENT_ONLY = pytest.mark.parametrize("shop", [{"webhook_shared_secrets": ("a secret of Segment",)}], indirect=True)
BUYER: Any = {"properties": {**order(1)["properties"], "email": "ann@shop.example"}}


@SEGMENT_ONLY
@pytest.mark.parametrize("guess", GUESSES)
async def test_a_visitor_can_claim_an_order_number_of_a_shop_that_sends_by_segment_only(shop: Shop, guess: str) -> None:
    reported, is_stored = GUESSES[guess]
    assert await shop.segment(reported) == [Outcome.ENQUEUED]
    assert await shop.segment(order(1, **BUYER)) == [Outcome.ENQUEUED if is_stored else Outcome.DUPLICATE]
    # the setting that helps: a webhook of the shop with a secret
    assert set(await shop.server(order(1, **BUYER))) <= {Outcome.ENQUEUED, Outcome.MERGED}
    sent = [*await shop.sent(), *await shop.sent(DEFAULT_SOURCE)]
    of_shop = [each for each in sent if each["user_data"].get("em") == [sha256(b"ann@shop.example").hexdigest()]]
    assert "249" in {each["custom_data"]["value"] for each in of_shop}


@SEGMENT_ONLY
@pytest.mark.parametrize("guess", GUESSES)
async def test_a_visitor_changes_no_stored_order_of_a_shop_that_sends_by_segment_only(shop: Shop, guess: str) -> None:
    reported, is_stored = GUESSES[guess]
    assert await shop.segment(order(1, **BUYER)) == [Outcome.ENQUEUED]
    (before,) = await shop.sent(DEFAULT_SOURCE)
    assert await shop.segment(reported) == [Outcome.ENQUEUED if is_stored else Outcome.DUPLICATE]
    assert before in await shop.sent(DEFAULT_SOURCE)


@SEGMENT_ONLY
@pytest.mark.parametrize("comes_first", [False, True])
async def test_a_visitor_can_cancel_a_held_order_of_a_shop_that_sends_by_segment_only(
    shop: Shop, *, comes_first: bool
) -> None:
    cancelled = {"event": "Order Cancelled", "properties": {"order_id": "SO-1"}}
    for event in (cancelled, order(1)) if comes_first else (order(1), cancelled):
        await shop.segment(event)
    assert await shop.sent(DEFAULT_SOURCE) == []
    # the setting that helps: a webhook of the shop with a secret
    await shop.server(order(2))
    await shop.segment(cancelled | {"properties": {"order_id": "SO-2"}})
    assert len(await shop.sent()) == 1


@pytest.mark.parametrize(
    ("shop", "is_trusted"),
    [
        ({"webhook_shared_secrets": ("a secret of Segment",)}, False),
        ({"webhook_shared_secrets": ("a secret of Segment",), "trusted_senders": ("webhook",)}, True),
    ],
    indirect=["shop"],
)
async def test_signed_orders_of_segment_are_trusted_only_if_a_setting_names_servers_as_authors(
    shop: Shop, *, is_trusted: bool
) -> None:
    await shop.segment(order(1))
    # a page with a write key of its own changes only public orders
    await shop.stranger({"event": "Order Cancelled", "properties": {"order_id": "SO-1"}})
    assert len(await shop.sent(DEFAULT_SOURCE)) == is_trusted


@pytest.mark.parametrize(
    "shop",
    [{"webhook_shared_secrets": ("a secret of Segment",), "max_public_order_value": ("USD:1000",)}],
    indirect=True,
)
async def test_an_invented_order_of_segment_above_the_limit_of_public_orders_is_withheld(shop: Shop) -> None:
    assert await shop.segment(order(1, 1_001)) == [Outcome.WITHHELD]
    assert await shop.segment(order(2, 999)) == [Outcome.ENQUEUED]
