"""Pinterest's own figures beside ours, and nothing where none are read."""

from dataclasses import replace

import pytest

from app.core.deliveries import Delivered, State
from app.core.events import CounterRow
from app.core.pages import Attributed, Coverage, PinterestView, Quality, SentDay, Unread
from app.core.shared_values import PINTEREST_VIEWS
from tests.console.world import ACCOUNT, World
from tests.outbox.build import new

VIEW = PinterestView(
    read_at=dict.fromkeys(("currency", "quality", "attributed", "their_names"), 1_795_000_000.0),
    tried_at=1_795_000_000.0,
    currency="EUR",
    attributed=(
        Attributed(date="2026-11-18", checkouts=1, by_click=1, by_view=0, value="19.99"),
        Attributed(date="no date", checkouts=0, by_click=0, by_view=0, value="0"),
    ),
    quality=(
        Quality(
            platform="WEB",
            way="CONVERSIONS_API",
            status="FAIR",
            coverage=(
                Coverage(
                    component="hashed_email", event="CHECKOUT", percent=62.5, overlap=None, issues=("Low: <b>few</b>",)
                ),
                Coverage(component="external_event_id", event="checkout", percent=100, overlap=40, issues=()),
            ),
        ),
    ),
    their_names={"quiz_done": "LEAD"},
    our_names=("trial",),
)


async def page_of(world: World) -> str:
    html = await world.html("/console/pinterest")
    assert len(html) < 100_000
    return html


@pytest.mark.slow
async def test_without_a_token_it_says_what_will_stand_here(world: World) -> None:
    assert "PINTEREST_ADS_TOKEN" in await page_of(world)
    assert 'href="/console/pinterest"' in (await world.browser.get("/console/revenue")).text


async def test_pinterests_figures_stand_beside_ours(world: World) -> None:
    sent = [
        new(
            ad_account_id=ACCOUNT,
            preset="Checkout",
            order_id=f"o-{n}",
            amount=amount,
            currency=currency,
            quality=quality,
        )
        for n, (amount, currency, quality) in enumerate(
            [("20", "EUR", ("hashed_email",)), ("30", None, ()), ("40", "USD", ())]
        )
    ]
    await world.enqueue(*sent)
    for _ in sent:
        await world.settle(Delivered(), State.DELIVERED)
    await world.enqueue(
        counters=[CounterRow(name="quality", label="hashed_email", preset="Gone", ad_account_id=ACCOUNT)]
    )
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, VIEW)
    page = await page_of(world)
    for text in (
        "62.5 %", "33.3 %", "Low: &lt;b&gt;few&lt;/b&gt;", "40 % of the events come by the tag and by the API",
        "within 30 days", "19.99", "50.00", "does not know trial", "knows quiz_done", "FAIR",
    ):  # fmt: skip
        assert text in page, text
    assert "70.00" not in page


#: What stands on the page of each report, which reads nothing of the others.
SHOWN = {"attributed": "19.99", "quality": "62.5 %", "their_names": "knows quiz_done", "currency": "Worth, EUR"}


@pytest.mark.parametrize("report", SHOWN)
@pytest.mark.parametrize("was_read", [True, False])
async def test_a_report_that_cannot_be_read_hides_nothing_but_itself(
    world: World, report: str, *, was_read: bool
) -> None:
    """What was read of it before stays, with its time."""
    why = Unread(why=f"{report}: Pinterest answers 403", needs_person=True, since=1_795_000_000.0)
    view = replace(VIEW, unread={report: why})
    if not was_read:
        read_at = {name: at for name, at in VIEW.read_at.items() if name != report}
        view = replace(view, read_at=read_at, currency="" if report == "currency" else "EUR")
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, view)
    page = await page_of(world)
    assert "<strong>Not read:</strong> " + why.why in page
    hidden = set() if was_read else {report, *(["currency"] if report == "attributed" else [])}
    assert {name for name, text in SHOWN.items() if text not in page} == hidden


async def test_without_the_currency_orders_are_counted_and_not_summed(world: World) -> None:
    order = {"ad_account_id": ACCOUNT, "preset": "Checkout", "amount": "20"}
    await world.enqueue(*(new(order_id=each, currency=each, **order) for each in ("EUR", "USD")))
    for _ in range(2):
        await world.settle(Delivered(), State.DELIVERED)
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, replace(VIEW, currency=""))
    page = await page_of(world)
    assert '2</a></td><td class="n"></td>' in page


async def test_what_was_never_read_shows_why(world: World) -> None:
    away = Unread(why="Pinterest could not be reached", needs_person=False, since=1.0)
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, PinterestView(unread={"quality": away}, tried_at=1.0))
    page = await page_of(world)
    assert "not read yet" in page
    assert "Checkouts" not in page


async def test_days_of_the_ad_account_are_named_and_so_is_what_ads_can_be_optimized_for(world: World) -> None:
    zone = "America/Los_Angeles"
    sent = (SentDay(date="2026-11-18", orders=3, worth="60"),)
    read_at = {**VIEW.read_at, "optimal": 1.0}
    view = replace(VIEW, time_zone=zone, day_zone=zone, sent=sent, read_at=read_at, optimal=("CHECKOUT", "GET_QUOTE"))
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, view)
    page = await page_of(world)
    for text in (f"Day ({zone})", '<td class="n">3</td>', "60.00", "<code>CHECKOUT</code>, <code>GET_QUOTE</code>"):
        assert text in page
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, replace(view, day_zone="", optimal=()))
    page = await page_of(world)
    for text in ("Day (UTC)", f"time zone is {zone}, but", "No event yet"):
        assert text in page
