"""Match quality as a page: a score by event and ad account, keys over time, and what would bring most."""

import re
from html import unescape
from pathlib import Path

from app.console.labels import COMPONENT_LABELS, OTHER_KEY_LABELS
from app.core.events import CounterRow
from app.core.pages import AccountView
from app.core.values.times import DAY_S
from app.outbox import NO_COUNTRY
from tests.console.world import ACCOUNT, NOW, World, new_delivery, open_world

OTHER = "549755885176"


def told(label: str, count: int, *, preset: str = "Checkout", account: str = ACCOUNT) -> CounterRow:
    """Return how many events were to be sent, or with a label how many of them carry that key."""
    name = "quality" if label else "enqueued"
    return CounterRow(name=name, preset=preset, label=label, ad_account_id=account, source="shop", count=count)


async def count(world: World, *rows: CounterRow, at: float = NOW) -> None:
    await world.outbox.enqueue([], [], rows, now=at)


def score_of(page: str, name: str) -> str:
    """Return the score in the line of a preset or an ad account."""
    row = page.split(f'<th scope="row">{name}')[1].split("</tr>", maxsplit=1)[0]
    score: str = re.findall(r"<strong>(\d+)</strong>", row)[0]
    return score


async def test_while_nothing_is_sent_it_says_what_will_stand_here(world: World) -> None:
    assert "No event was to be sent in the last 7 days." in await world.page("/console/quality")


async def test_the_score_is_said_with_what_would_bring_most(world: World) -> None:
    """Of 10 orders 2 carry an e-mail address; all carry the other components that orders on the web can."""
    others = ("external_event_id", "ip_address", "user_agent", "advertiser_external_id", "order_id", "order_value")
    rows = [told(name, 10) for name in ("", *others, "product_id", "source_url", "click_id_epik")]
    await count(world, *rows, told("hashed_email", 2))
    page = await world.page("/console/quality")
    # Nine of ten keys by all and one by a fifth: 92 of 100, and where all have it 8 more.
    assert "carry 92 % of the match keys that they can." in page
    assert "Email would bring most: up to 8 points, in 8 events that lack it." in page
    assert "<strong>+8.0</strong> points" in page
    assert '<code>shop</code> <span class="hint">80 % lack it</span>' in page
    assert "more matches" in page  # a phone is outside of the score
    assert "Email 80 %" in page


async def test_where_every_key_is_there_it_says_so(world: World) -> None:
    rows = [told(name, 1) for name in ("", *COMPONENT_LABELS, "phone")]
    await count(world, *rows)
    page = await world.page("/console/quality")
    assert "carry 100 % of the match keys" in page
    assert "No key of the score is missing." in page


async def test_each_preset_and_ad_account_has_its_score_against_the_period_before(tmp_path: Path) -> None:
    accounts = (
        AccountView(ad_account_id=ACCOUNT, name="eu", live=True),
        AccountView(ad_account_id=OTHER, name="us", live=True),
    )
    async with open_world(tmp_path, accounts=accounts) as world:
        await count(world, told("", 4), told("hashed_email", 4), told("user_agent", 4), at=NOW - 8 * DAY_S)
        await count(world, told("", 10), told("hashed_email", 10))
        await count(world, told("", 10, account=OTHER, preset="Page Visit"))
        page = await world.page("/console/quality?against=before")
        assert [score_of(page, name) for name in ("eu", "us", "Checkout", "Page Visit")] == ["10", "0", "10", "0"]
        assert '<span class="down">\N{MINUS SIGN}10</span>' in page
        assert "none then" in page
        assert "fewer than the week before" in page
        only = await world.page(f"/console/quality?account={OTHER}")
        assert "carry 0 %" in only
        assert "ad account</span>" not in only
        assert "Against" not in only.split("<main")[1]


async def test_a_key_that_a_preset_cannot_carry_is_no_loss(world: World) -> None:
    await count(world, told("", 2), told("order_id", 2), told("", 2, preset="Page Visit"))
    await count(world, told("", 2, preset="Lead"), told("hashed_email", 1, preset="Lead"))
    page = await world.page("/console/quality?period=day")
    assert "in the last 24 hours" in page
    row = page.split('<th scope="row">Order id</th>')[1].split("</tr>")[0]
    assert row.count("is not for these events") == 2


async def test_coverage_is_the_share_of_enqueued_events(world: World) -> None:
    deliveries = [new_delivery("m-1"), new_delivery("m-2"), new_delivery("m-3", quality=("hashed_email",))]
    await world.enqueue(*deliveries)
    page = await world.page("/console/quality")
    coverage = page[page.index("Match keys <") :]
    assert '<td class="n share-10">100 %</td>' in coverage, "all three carry an email"
    assert '<td class="n share-6">67 %</td>' in coverage, "two of three carry an IP address"
    assert coverage.count('<td class="n share-0">0 %</td>') == 18, "of eleven components and ten other keys"
    assert "Mobile ad id" not in coverage, "of no preset here"
    await world.enqueue(counters=[CounterRow(name="enqueued", preset="Lead", count=1)])
    page = await world.page("/console/quality")
    assert "Order id is not for these events" in page
    assert "Email is not for these events" not in page
    assert re.search(r"would bring most: up to \d+ points, in \d+ events that lack it", page)


async def test_coverage_is_told_with_memory_and_without_it(world: World) -> None:
    recalled = [CounterRow(name="memory", preset="Checkout", label="em", count=2)]
    await world.enqueue(new_delivery("m-1"), new_delivery("m-2"), new_delivery("m-3"), counters=recalled)
    page = await world.page("/console/quality")
    assert '<td class="n share-10">100 %<br><span class="hint">33 % without memory</span></td>' in page
    assert page.count("without memory") == 1


async def test_phones_of_no_country_are_told_with_their_remedy(world: World) -> None:
    told = [("enqueued", "", 9), ("warning", "user_data.phone", 2), ("warning", NO_COUNTRY, 3)]
    told += [("quality", key, 9) for key in (*COMPONENT_LABELS, *OTHER_KEY_LABELS) if key != "phone"]
    await world.enqueue(
        counters=[CounterRow(name=name, preset="Checkout", label=label, count=n) for name, label, n in told]
    )
    page = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", (await world.browser.get("/console/quality")).text)))
    assert (
        "Send context.traits.phone as +49 30 901820; DEFAULT_COUNTRY reads numbers without their country. "
        "5 times there was one that could not be read, or not as it stood: 3 name no country; set DEFAULT_COUNTRY."
        in page
    )
