"""Pinterest's own figures beside ours, and nothing where none are read."""

from dataclasses import replace

import pytest

from app.shared_values import PINTEREST_VIEWS
from app.types import Attributed, Coverage, Delivered, PinterestView, Quality, State, Tally
from tests.console.world import ACCOUNT, World
from tests.outbox.build import new

VIEW = PinterestView(
    at=1_795_000_000.0,
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
    answer = await world.browser.get("/console/pinterest")
    assert answer.status_code == 200
    assert len(answer.content) < 100_000
    return answer.text


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
    await world.enqueue(tallies=[Tally(name="quality", label="hashed_email", preset="Gone", ad_account_id=ACCOUNT)])
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, VIEW)
    page = await page_of(world)
    for text in (
        "62.5 %", "33.3 %", "Low: &lt;b&gt;few&lt;/b&gt;", "40 % of the events come by the tag and by the API",
        "within 30 days", "19.99", "50.00", "does not know trial", "knows quiz_done", "FAIR",
    ):  # fmt: skip
        assert text in page, text
    assert "70.00" not in page


@pytest.mark.parametrize(("is_over", "told"), [(True, "It can no longer be read."), (False, "It could not be read.")])
async def test_a_token_that_is_over_is_told_and_the_last_figures_stay(
    world: World, *, is_over: bool, told: str
) -> None:
    view = replace(VIEW, problem="the token is over", is_over=is_over)
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, view)
    page = await page_of(world)
    assert told in page
    assert "the token is over" in page
    assert "62.5 %" in page


async def test_what_was_never_read_shows_why(world: World) -> None:
    view = PinterestView(problem="Pinterest could not be reached", tried_at=1.0)
    await PINTEREST_VIEWS.of(ACCOUNT).write(world.outbox, view)
    page = await page_of(world)
    assert "not read yet" in page
    assert "Checkouts" not in page
