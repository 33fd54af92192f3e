import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.console.filter import WholeDays
from app.console.labels import COMPONENT_LABELS, warning_advice
from app.console.overview_page import order_headlines
from app.core.deliveries import Delivered, Rejected, State
from app.core.events import CounterRow, Outcome
from app.core.pages import AccountView, Revenue
from app.core.shared_values import INCIDENTS, OPEN_INCIDENTS, TROUBLE, Incident
from app.core.values.times import DAY_S, HOUR_S, at_second
from tests.console.world import ACCOUNT, NOW, World, new_delivery, open_world
from tests.sender.claims import a_trouble


@pytest.mark.slow
async def test_while_empty_it_shows_how_to_send_a_first_event(world: World) -> None:
    page = await world.page("/console")
    assert "Nothing has arrived yet." in page
    assert "curl http://localhost:8080/webhook -H 'Content-Type: application/json'" in page
    assert "http://localhost:8080/analytics.js/v1/YOUR_WRITE_KEY/analytics.min.js" in page
    assert "Get the first event to Pinterest" in page
    assert '"timestamp":"2026-11-18T11:05:40Z"' in page, "the example is as of now"


async def test_the_command_quotes_for_the_shell(world: World) -> None:
    assert """it'"'"'s <b>""" in await world.page("/console")


async def test_the_command_names_the_headers_that_a_sender_must_add(tmp_path: Path) -> None:
    async with open_world(tmp_path, webhook_header="X-Secret: a-secret-of-the-tests-0123") as world:
        assert "-H 'X-Secret: YOUR-SECRET'" in await world.page("/console")


async def test_without_an_example_the_command_sends_a_page(world: World) -> None:
    world.without_examples()
    assert '"type":"page"' in await world.page("/console")


async def test_the_sandbox_is_named(tmp_path: Path) -> None:
    async with open_world(tmp_path, live=False) as world:
        assert "Nothing goes to Pinterest" in await world.page("/console")


async def test_with_traffic_it_says_what_was_sent_and_what_was_not(world: World) -> None:
    counters = [
        CounterRow(name="accepted", count=1_200),
        CounterRow(name="unmatched", label="no preset's trigger holds for this event", count=40),
        CounterRow(name="matched", preset="Checkout", count=3),
        CounterRow(name="invalid", preset="Checkout", label="no identifier of a user", count=1),
        CounterRow(name="withheld", label="consent: advertising not granted", count=2),
        CounterRow(name="warning", preset="Checkout", label="user_data/phone", count=5),
    ]
    await world.enqueue(new_delivery("m-1"), new_delivery("m-2"), counters=counters)
    calls = CounterRow(name="calls", label="200")
    await world.settle(Delivered(), State.DELIVERED, CounterRow(name="delivered", preset="Checkout"), calls)
    await world.settle(
        Rejected(reason="bad currency", status=422),
        State.DEAD,
        CounterRow(name="rejected", preset="Checkout", label="422"),
    )
    page = await world.page("/console")
    for said in (
        "1 event was rejected: bad currency.",
        "1 delivered, 1 dead, 2 withheld, 1 invalid",
        "Not drawn: 40 events that no preset takes.",
        "no identifier of a user",
        "consent: advertising not granted",
        "user_data/phone",
        "<code>200</code> processed",
        "Pinterest: 422 some events refused",
        '/console/deliveries?outcome=rejected&status=422&since=1794916800">1</a>',
        "40 events</a> matched no preset",
        '<a href="/console/deliveries?state=dead" data-count="1">1</a>',
        '<a href="/console/deliveries?state=dead&since=1794916800" data-count="1">1</a>',
    ):
        assert said in page
    assert "Get the first event" not in page


@pytest.mark.parametrize(("hours_ago", "is_told"), [(23, True), (22, False), (1, False)])
async def test_an_outage_across_the_start_of_the_period_is_told_beside_the_comparison(
    hours_ago: int, world: World, *, is_told: bool
) -> None:
    failed = CounterRow(name="calls", label="503", count=3)
    await world.outbox.enqueue([], [], [failed], now=NOW - hours_ago * HOUR_S)
    await world.enqueue(new_delivery("m-1"))
    assert ("that lowers what was delivered on both sides" in await world.page("/console?period=day")) is is_told


@pytest.mark.parametrize("label", ["checkout without value", "purchase from an app"])
async def test_a_warning_says_what_to_do_about_it(label: str, world: World) -> None:
    await world.enqueue(
        new_delivery("m-1"), counters=[CounterRow(name="warning", preset="Checkout", label=label, count=3)]
    )

    assert f"{label}<br>{warning_advice(label)}" in await world.page("/console")


@pytest.mark.slow
async def test_match_quality_is_a_score_that_leads_to_its_page(world: World) -> None:
    await world.enqueue(new_delivery("m-1"), new_delivery("m-2", quality=("hashed_email",)))
    page = await world.page("/console?period=week")
    score = re.search(r"<strong>(\d+) of 100</strong> in the last 7 days", page)
    assert score
    assert "would bring most" in page
    assert '<a href="/console/quality?period=week">Keys and advice</a>' in page
    assert f"carry {score[1]} % of the match keys" in await world.page("/console/quality?period=week")


async def test_a_blocked_destination_is_told_with_pinterests_reason(world: World) -> None:
    await TROUBLE.of(ACCOUNT).write(world.outbox, a_trouble(reason="Authentication failed", next_probe_at=NOW + 240))
    page = await world.page("/console")
    assert "Pinterest refuses our calls: Authentication failed." in page
    assert "The next try is in 4 minutes." in page
    assert "<strong>Blocked</strong> (401): Authentication failed" in page
    assert 'href="/console/deliveries?state=waiting&ad_account_id=549755885175">See what waits</a>' in page


@pytest.mark.slow
async def test_a_pinterest_that_fails_is_told_since_when_and_with_which_answer(world: World) -> None:
    trouble = a_trouble(state="failing", reason="Pinterest did not answer in time", status=None, since=NOW - 7_200)
    await TROUBLE.of(ACCOUNT).write(world.outbox, trouble)
    page = await world.page("/console")
    assert "Calls to Pinterest fail: Pinterest did not answer in time." in page
    assert "No answer, since 20" in page
    assert "<strong>Failing</strong>: Pinterest did not answer in time" in page


async def test_a_destination_that_is_no_longer_blocked_is_well(world: World) -> None:
    await TROUBLE.of(ACCOUNT).write(world.outbox, None)
    assert "Blocked" not in await world.page("/console")


@pytest.mark.slow
async def test_what_is_switched_off_is_shown(world: World) -> None:
    await world.enqueue(counters=[CounterRow(name="matched", preset="Checkout")])
    await world.coordination.switch(None, on=False)
    await world.coordination.switch("Checkout", on=False)
    page = await world.page("/console")
    assert "Sending is switched off." in page
    assert "<summary>2 presets without events</summary><p>Lead, Page Visit.</p>" in page
    assert 'Checkout</a> <span class="badge">off</span>' in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?period=hour", "in the last hour"),
        ("?period=week", "in the last 7 days"),
        ("?period=today", "today"),
        ("", "in the last 24 hours"),
    ],
)
async def test_the_period_can_be_chosen(query: str, words: str, world: World) -> None:
    await world.enqueue(counters=[CounterRow(name="accepted", count=9)])
    world.now += 8 * DAY_S
    assert f"Nothing was received {words}." in await world.page(f"/console{query}")


async def test_the_part_that_refreshes_is_the_same_without_its_frame(world: World) -> None:
    whole = (await world.browser.get("/console")).text
    part = (await world.browser.get("/console?part=live")).text
    assert part.strip() in whole
    assert "<html" not in part


@pytest.mark.slow
async def test_every_count_of_the_chart_stands_in_the_table_too(world: World) -> None:
    await world.enqueue(counters=[CounterRow(name=str(Outcome.ACCEPTED), count=17)])
    page = await world.page("/console")
    table = page[page.index('id="part-table"') :]
    first_row = table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))]
    assert "2026-11-18 11:00:00 UTC" in first_row
    assert re.search(r'<td class="n"><a href="[^"]+">17</a></td>', first_row)


US, FR = (AccountView(ad_account_id=which, name=name, live=True) for which, name in ((ACCOUNT, "US"), ("2", "FR")))


async def _count_for_two_accounts(world: World) -> None:
    of_both = [
        CounterRow(name=name, preset="Checkout", label="", ad_account_id=each.ad_account_id, source="shop", count=count)
        for each, counts in ((US, (40, 4)), (FR, (30, 3)))
        for name, count in zip(("matched", "invalid"), counts, strict=True)
    ]
    calls = [
        CounterRow(name="calls", label=label, ad_account_id=which) for label, which in (("200", ACCOUNT), ("401", "2"))
    ]
    received = [CounterRow(name="accepted", source=name, count=count) for name, count in (("shop", 55), ("till", 66))]
    await world.enqueue(counters=[*of_both, *calls, *received])


async def test_counts_are_shown_by_ad_account_by_preset_and_by_source(tmp_path: Path) -> None:
    async with open_world(tmp_path, accounts=(US, FR)) as world:
        await _count_for_two_accounts(world)
        page = await world.page("/console")
    accounts = page[page.index('id="part-accounts"') : page.index('id="part-presets"')]
    assert '<a href="/console?account=2">FR</a>' in accounts
    invalid = [re.findall(r'<td class="n trouble"><a [^>]+>(\d+)</a>', part) for part in accounts.split("FR</a>")]
    assert invalid == [["4"], ["3"]]
    presets = page[page.index('id="part-presets"') : page.index('id="part-sources"')]
    assert re.search(r"Checkout</a></th>.*>70<.*US</td>.*>40<.*FR</td>.*>30<", presets)
    sources = page[page.index('id="part-sources"') : page.index('id="part-quality"')]
    assert re.search(r"till</a></th>.*>66<.*shop</a></th>.*>55<.*>7<", sources)


async def test_the_page_of_one_ad_account_shows_nothing_of_another(tmp_path: Path) -> None:
    async with open_world(tmp_path, accounts=(US, FR)) as world:
        await _count_for_two_accounts(world)
        await TROUBLE.of("2").write(world.outbox, a_trouble(reason="bad token"))
        us, fr = await world.page(f"/console?account={ACCOUNT}"), await world.page("/console?account=2&period=hour")
    assert "4 invalid" in us
    assert "3 invalid" in fr
    assert "<code>200</code>" in us
    assert "<code>401</code>" not in us
    assert "<code>401</code>" in fr
    assert "bad token" in fr
    assert "bad token" not in us
    assert f'<option value="{ACCOUNT}" selected>US</option>' in us


async def test_what_others_wrote_is_escaped(world: World) -> None:
    await world.enqueue(counters=[CounterRow(name="invalid", preset="<i>", label="<script>alert(1)</script>")])
    assert "<script>alert" not in (await world.browser.get("/console")).text


async def test_it_says_first_that_events_are_turned_away_and_what_helps(world: World) -> None:
    _delete(world.folder.parent / "pinrelay.db")
    page = await world.page("/console")
    assert "Events are turned away: they cannot be kept." in page
    assert "was deleted or replaced while it was open" in page


def _delete(path: Path) -> None:
    path.unlink()


async def test_what_is_over_is_compared_with_the_same_steps_before(world: World) -> None:
    for now, taken, withheld, sent in ((NOW - 4_200, 4, 5, 4), (NOW - 600, 6, 4, 5), (NOW, 1, 0, 9)):
        world.now = now
        await world.enqueue(counters=[CounterRow(name="delivered", preset="Checkout", count=sent)])
        held = [CounterRow(name="withheld", preset=preset, count=withheld) for preset in ("", "Checkout")]
        await world.enqueue(counters=[CounterRow(name="enqueued", preset="Checkout", count=taken), *held])
    page = await world.page("/console?period=hour")
    bars = page.split('id="part-flow"')[1].split("</section>")[0]
    assert re.search(
        r"to be sent <strong><a [^>]+>7</a></strong> <span class=\"hint\">share 64 %, change \+50 %<", bars
    )
    assert (
        len(
            re.findall(
                r"withheld <strong><a [^>]+>4</a></strong> <span class=\"hint\">share \d+ %, change \u221220 %<", bars
            )
        )
        == 2
    )
    assert re.search(
        r"delivered <strong><a [^>]+>7</a></strong> <span class=\"hint\">share 100 %, change \+25 %<", bars
    )
    assert "Against the hour before: to be sent +50 %, delivered +25 %." in page
    assert '<td class="n">14</td></tr>' in page, "4 to be sent, 10 withheld"
    assert "Nothing is compared" in await world.page("/console?period=month")


async def test_the_bars_of_the_chart_add_up_to_the_flow_and_lead_to_their_events(world: World) -> None:
    for hours, count in ((30, 50), (3, 4), (0, 2)):
        world.now = NOW - hours * 3_600
        counted = [
            CounterRow(name=name, preset="Checkout", count=count) for name in ("enqueued", "invalid", "withheld")
        ]
        await world.enqueue(counters=[*counted, CounterRow(name="refused", count=1)])
    world.now = NOW
    chart = (await world.page("/console")).split('id="part-chart"')[1].split("</section>")[0]
    bars = re.findall(r'<a tabindex="-1" href="([^"]+)"><title>([^<]+)</title>', chart)
    assert [address for address, _ in bars] == [
        f"/console/deliveries?since={at}&until={at + 3_600}" for at in (1_794_988_800, 1_794_999_600)
    ]
    assert bars[0][1] == "2026-11-18 08:00:00 UTC: 4 delivered, 4 withheld, 4 invalid, 1 no event"
    for words in ("delivered", "withheld", "invalid"):
        assert re.search(rf"{words} <strong><a [^>]+>6</a></strong>", chart), words


@pytest.mark.slow
async def test_the_cohort_is_followed_to_where_it_is_now_and_each_number_leads_to_as_many_lines(world: World) -> None:
    """Dead letters of other days stand in no figure of today, and what came today adds up."""
    world.now = NOW - 2 * DAY_S
    await world.enqueue(*(new_delivery(f"old-{number}", source="shop") for number in range(3)))
    for _ in range(3):
        await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    world.now = NOW - 600
    taken = [
        CounterRow(name=name, preset=preset, source="default", count=4)
        for name, preset in (("accepted", ""), ("matched", "Checkout"))
    ]
    await world.enqueue(*(new_delivery(f"new-{number}") for number in range(4)), counters=taken)
    await world.settle(Delivered(), State.DELIVERED)
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    world.now = NOW
    for query in ("", "?from=default"):
        bars = (await world.page(f"/console{query}")).split('id="part-flow"')[1].split("</section>")[0]
        assert re.findall(r'<h3>([^<]+) <span class="n">(\d+)</span>', bars) == [
            ("Received", "4"),
            ("Made by presets", "4"),
            ("Where they are now", "4"),
        ]
        last = bars.split("Where they are now")[1]
        links = re.findall(r'<a href="([^"]+)" data-count="(\d+)">', last)
        assert [int(count) for _, count in links] == [1, 2, 1], "delivered, waiting, dead"
        for path, count in links:
            assert (await world.page(path)).count("/console/delivery?id=") == int(count)


@pytest.mark.slow
async def test_a_month_of_many_busy_presets_is_a_page_under_100_kb_with_the_busiest_nine(world: World) -> None:
    counted = [
        ("matched", ""),
        ("duplicate", ""),
        ("delivered", ""),
        ("withheld", "r"),
        ("invalid", "r"),
        ("enqueued", ""),
    ]
    quality = [("quality", name) for name in COMPONENT_LABELS]
    for days in range(30):
        world.now = NOW - days * DAY_S
        counters = [
            CounterRow(
                name=name, preset=f"Preset number {number}", label=label, ad_account_id=ACCOUNT, count=5 + number
            )
            for number in range(30)
            for name, label in (counted + quality if not days else counted)
        ]
        await world.enqueue(counters=[*counters, CounterRow(name="accepted", count=99)])
    world.now = NOW
    answer = await world.browser.get("/console?period=month")
    named = [len(re.findall(rf">Preset number {number}</a></th>", answer.text)) for number in range(30)]
    assert named == [0] * 21 + [1] * 9
    listed = re.findall(r">Preset number (\d+)</a></th>", answer.text)
    assert listed == sorted(listed, key=int, reverse=True), "the busiest first"
    assert len(answer.content) < 100_000
    assert answer.text.count(">All 30 presets</a>") == 1
    every = (await world.browser.get("/console?period=month&presets=all")).text
    assert every.count('<th scope="row"><a href="/console/preset?') == 30
    assert 'data-live="/console?part=live&amp;presets=all&amp;period=month"' in every
    assert "presets</a>" not in every


async def test_a_preset_that_is_switched_off_is_named_where_its_deliveries_wait(world: World) -> None:
    world.now = NOW - 7_300
    await world.enqueue(new_delivery("m-1"))
    world.now = NOW
    await world.coordination.switch("Checkout", on=False)
    page = await world.page("/console")
    assert "<strong>The preset Checkout is switched off.</strong>" in page
    assert "on, <strong>but not Checkout</strong>" in page


async def test_incidents_of_a_month_are_listed_with_begin_end_events_and_value(world: World) -> None:
    day_s = 86_400
    over = Incident(
        id="a",
        key="silence: shop",
        kind="silence",
        severity="critical",
        text="The source shop is silent: no event for 3.0 hours, 600 expected. See the inventory.",
        source="shop",
        since=NOW - 7 * day_s,
        until=NOW - 7 * day_s + 10_800,
        events=600,
        money={"EUR": "1234.5"},
    )
    await INCIDENTS.of("a").write(world.outbox, over)
    old = replace(over, id="b", text="Too long ago.", since=NOW - 40 * day_s, until=NOW - 31 * day_s)
    await INCIDENTS.of("b").write(world.outbox, old)
    changes = replace(over, id="c", kind="changed", text="A change of a name.", until=None)
    many = [replace(over, id=f"n{n}", text=f"Number {n}.", until=None, events=None, money={}) for n in range(6)]
    await OPEN_INCIDENTS.write(world.outbox, {each.id: each for each in (changes, *many)})
    await world.enqueue(counters=[CounterRow(name="accepted", count=9)])
    page = (await world.page("/console")).partition('id="part-incidents"')[2].partition("</section>")[0]
    assert "after 3 hours" in page
    assert "The source shop is silent: no event for 3.0 hours, 600 expected." in page
    assert ">600<" in page
    assert "1,234.50 EUR" in page
    assert "1 earlier incident" in page
    assert "Too long ago" not in page
    assert "A change of a name" not in page
    assert page.count(">unknown<") == 12


async def test_the_first_row_has_orders_revenue_quality_and_the_last_event(world: World) -> None:
    orders = [
        new_delivery(f"m-{number}", order_id=f"SO-{number}", amount=amount, currency=currency, is_trusted=True)
        for number, (amount, currency) in enumerate([("10", "EUR"), ("30", "EUR"), ("5", "USD")])
    ]
    await world.enqueue(*orders[:2])
    await world.settle(Delivered(), State.DELIVERED)
    await world.enqueue(orders[2], counters=[CounterRow(name="accepted", count=9)])
    page = (await world.page("/console")).partition('id="part-figures"')[2].partition("</section>")[0]
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", page))
    texts = {name: re.sub(r"<[^>]+>", " ", text).split() for name, text in figures.items()}
    assert texts["Orders received"] == ["3", "today"]
    assert texts["Orders delivered"] == ["1", "today", "33", "%", "of", "received"]
    assert texts["Revenue delivered"][:3] == ["10.00", "EUR", "today"]
    assert texts["Revenue delivered"][3:] == ["25", "%", "of", "received,", "and", "1", "other", "currency"]
    assert texts["Match quality"][1:3] == ["of", "100"] or texts["Match quality"][0] == "none"
    assert at_second(NOW) in figures["Last event"]
    assert "none" not in figures["Last event"]


def test_orders_are_compared_with_the_same_number_of_completed_days() -> None:
    def row(day: int, became: str, orders: int, currency: str = "EUR") -> Revenue:
        return Revenue(
            day=day,
            ad_account_id=ACCOUNT,
            preset="Checkout",
            source="default",
            channel="",
            currency=currency,
            became=became,
            orders=orders,
            without_amount=0,
            amount=Decimal(10 * orders),
            largest=None,
            largest_id=None,
        )

    rows = [row(day, State.DELIVERED, 10) for day in (1, 2)] + [row(day, State.DELIVERED, 15) for day in (3, 4)]
    shown = order_headlines(rows, WholeDays(first=3, last=4, words="in the last 2 days"), today=4)
    assert [(each.value, each.change) for each in shown] == [
        ("30", "+50 %"),
        ("30", "+50 %"),
        ("300.00 EUR", "+50 %"),
    ]
    mixed = [*rows, *(row(day, State.DELIVERED, 50, "USD") for day in (1, 2))]
    assert order_headlines(mixed, WholeDays(first=3, last=4, words=""), today=4)[2].change == "+50 %", "EUR with EUR"
    (today, *_) = order_headlines(rows, WholeDays(first=4, last=4, words="today"), today=4)
    assert (today.value, today.change) == ("15", "")
    assert [each.value for each in order_headlines([], WholeDays(first=4, last=4, words="today"), today=4)] == ["0"] * 3
