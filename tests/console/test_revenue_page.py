"""Revenue: every figure leads to the deliveries behind it, and currencies stand apart."""

import re
from html import unescape
from typing import Any

import pytest

from app.core.deliveries import Delivered, Rejected, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.insights.orders.revenue import ORDERS_BECAME
from tests.console.world import ACCOUNT, World
from tests.outbox.build import new

LINK = re.compile(r'<a href="(/console/deliveries[^"]+)" data-count="(\d+)">')
ROW = re.compile(r"<tr(?: data-open)?>\s*<td>(?:<a [^>]*>[^<]*)?<time ")


@pytest.fixture
async def sold(world: World) -> World:
    """Two days of orders: one lost its comma, one says no amount, one was refused, one withheld, one is being sent."""
    now = world.now
    for back, amounts in ((1, ("20", "22", "18", "soon")), (0, ("21", "19", "20.50", "2100"))):
        orders = [
            new(ad_account_id=ACCOUNT, preset="Checkout", order_id=f"SO-{back}-{amount}", amount=amount, currency="EUR")
            for amount in amounts
        ]
        await world.outbox.enqueue(orders, [], [], now=now - back * DAY_S)
    till = new(
        ad_account_id=ACCOUNT,
        preset="Checkout",
        order_id="SO-t",
        amount="25",
        currency="EUR",
        channel="pos",
        is_trusted=True,
    )
    yen = new(ad_account_id=ACCOUNT, preset="Checkout", order_id="SO-y", amount="1999", currency="JPY", source="tokyo")
    note = DroppedEvent(
        message_id="n", ad_account_id=ACCOUNT, preset="Checkout", outcome=Outcome.WITHHELD, reason="no consent",
        event_name="checkout", order_id="SO-n", amount="5", currency="EUR",
    )  # fmt: skip
    await world.enqueue(yen, till, notes=[note])
    await world.settle(Delivered(), State.DELIVERED)
    await world.settle(Rejected(reason="em is malformed"), State.DEAD)
    await world.outbox.claim(ACCOUNT, limit=1, max_bytes=1_000_000, max_wait_s=0, lease_s=60, now=world.now)
    return world


async def page_of(world: World, query: str = "") -> str:
    html = await world.html(f"/console/revenue{query}")
    assert len(html) < 100_000
    return html


async def test_currencies_stand_apart_with_what_became_of_their_orders(sold: World) -> None:
    page = await page_of(sold)
    euros, yen = page.index('id="EUR"'), page.index('id="JPY"')
    assert euros < yen
    for text in ("2,225.50", "Sent", "Waiting", "Given up", "Withheld"):
        assert text in page[euros:yen]
    assert "1,999 in 1 order, each counted once" in re.sub(r"<[^>]+>", "", page[yen:])
    assert "2,225.50" not in page[yen:]


@pytest.mark.slow
async def test_every_figure_is_the_length_of_the_list_that_it_leads_to(sold: World) -> None:
    await become_everything(sold)
    pages = [
        await page_of(sold, query) for query in ("", "?currency=", "?currency=JPY", "?period=today", "?from=default")
    ]
    told = {unescape(path): int(count) for page in pages for path, count in LINK.findall(page)}
    kinds = [
        "taken=no",
        "source=tokyo",
        "channel=pos",
        "channel=none",
        *(f"={became}&" for became in (*ORDERS_BECAME, "unmatched")),
    ]
    assert [kind for kind in kinds if not any(kind in path for path in told)] == []
    assert {path: len(ROW.findall((await sold.browser.get(path)).text)) for path in told} == told


async def test_a_list_that_is_searched_again_stays_one_of_orders(sold: World) -> None:
    listed = (await sold.browser.get("/console/deliveries?is_order=yes&taken=no")).text
    for name, chosen in (("is_order", "yes"), ("taken", "no")):
        assert f'<input type="hidden" name="{name}" value="{chosen}">' in listed
    assert '<input type="hidden" name="is_order"' not in (await sold.browser.get("/console/deliveries")).text


async def become_everything(world: World) -> None:
    """Let orders become whatever they may, beside events that are none."""
    of_preset = {"ad_account_id": ACCOUNT, "preset": "Checkout", "event_name": "checkout"}
    no_order = {"order_id": None, "amount": None}
    rows: list[tuple[Outcome, dict[str, Any]]] = [
        *((outcome, {}) for outcome in (Outcome.REFUSED, Outcome.UNMATCHED, Outcome.WITHHELD)),
        *((outcome, of_preset) for outcome in (Outcome.MERGED, Outcome.DUPLICATE, Outcome.INVALID, Outcome.WITHDRAWN)),
        (Outcome.UNMATCHED, {"currency": None}),
        (Outcome.WITHHELD, no_order),
        (Outcome.INVALID, no_order | of_preset | {"currency": None}),
        (Outcome.INVALID, no_order | of_preset | {"event_name": "lead"}),
    ]
    facts = {"message_id": "m", "reason": "r", "preset": None, "order_id": "SO-1", "currency": "EUR", "amount": "5"}
    notes = [DroppedEvent(**facts | {"outcome": outcome} | changes) for outcome, changes in rows]
    kinds: list[dict[str, Any]] = [
        {"currency": None},
        {"order_id": None, "event_name": "lead"},
        {"amount": None},
        {"source": "tokyo"},
    ]
    some = [new(ad_account_id=ACCOUNT, preset="Checkout", **each) for each in kinds]
    await world.outbox.enqueue(some, notes, [], now=world.now)
    dead = world.outbox.dead_letters
    for _ in range(2):
        await world.settle(Rejected(reason="em is malformed"), State.DEAD)
    ids = [each.delivery_id for each in (await world.outbox.search(Query(state=State.DEAD), limit=9)).deliveries]
    await dead.dismiss(Query(delivery_id=ids[0]), because="a test")
    await dead.redrive(Query(delivery_id=ids[1]), now=world.now)


async def test_an_amount_that_looks_wrong_is_named_with_its_delivery(sold: World) -> None:
    page = await page_of(sold)
    found = re.search(r'<a href="(/console/delivery\?id=\d+)">2,100.00</a>, (\d+) times as much', page)
    assert found is not None
    assert int(found[2]) >= 100
    assert "2100" in (await sold.browser.get(found[1])).text


@pytest.mark.parametrize(
    ("query", "there", "missing"),
    [
        ("?period=yesterday", ["60.00"], ["2,100.00", "JPY"]),
        ("?period=today", ["2,165.50", "today is not over"], ["60.00</strong>"]),
        ("?from=default", ["2,100.00"], ["1,999"]),
        ("?period=hour", ["2,165.50", "today"], ["60.00</strong>"]),
        ("?period=month", ["The newest 14 days", "2,225.50"], []),
        ("?currency=JPY", ['id="JPY"', "Other currencies"], ['id="EUR"']),
    ],
)
async def test_period_source_and_currency_narrow_it(
    sold: World, query: str, there: list[str], missing: list[str]
) -> None:
    page = await page_of(sold, query)
    assert [text for text in there if text not in page] == []
    assert [text for text in missing if text in page] == []


async def test_empty_it_says_what_will_stand_here(world: World) -> None:
    assert "The page lists each checkout with its value" in await page_of(world)
