"""Every count of events on a page leads to exactly the events behind it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from random import Random
from urllib.parse import parse_qs

import httpx
import pytest

from app.config.settings import AlertLimits, AlertSettings
from app.core.deliveries import Delivered, Rejected, Retry, Settlement, State
from app.core.events import CounterRow, Outcome
from app.core.pages import Query
from app.errors import EventRefused
from app.insights.alerts.by_name import NameReader, by_name
from app.insights.inventory.counting import NameCounts, Sampler
from app.source import Intake
from tests.console.world import ACCOUNT, NOW, World, new_delivery, open_world

PAGES = (
    "",
    "?period=hour",
    "?period=week",
    "?period=today",
    "?period=yesterday",
    "?period=month",
    "/revenue",
    "/deliveries?state=dead",
    "/mappings",
    "/tester",
    "/activity",
    "/people",
    "/deliveries/redrive",
    "/inventory",
    "/inventory?period=today",
)
#: A row of one of the lists, by the kind of its page.
_ROW = re.compile(r"<tr(?: data-open)?>\s*<td>(?:<a [^>]*>[^<]*)?<time ")
_COUNT = re.compile(r'<a href="([^"]+)" data-count="(\d+)">')
_OF_NAME = re.compile(r'href="([^"]*/inventory/name[^"]*)"')
_OF_ALERT = re.compile(r": (\d+) of \d+ .*\. http://localhost:8080(/console/deliveries\?.*)")
_OLDER = re.compile(r'href="([^"]+)" rel="next"')

#: What is held, and withdrawn.
HELD = """
name: Held
subscribe: event = "Placed"
action: report_conversion_event
hold: 30m
withdrawn_by: event = "Cancelled"
mapping: {event_name: checkout}
"""


def event(message_id: str, name: str = "Checkout", **members: object) -> dict[str, object]:
    person = {"context": {"ip": "203.0.113.9", "userAgent": "x", "traits": {"email": f"{message_id}@shop.example"}}}
    at = f"{datetime.fromtimestamp(NOW - 7_200, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"type": "track", "event": name, "messageId": message_id, "timestamp": at, **person, **members}


async def fill(world: World) -> None:
    """Let something of everything happen, an hour ago and now."""
    world.write("held", HELD)
    world.running.reload()
    names = NameCounts(Sampler(lambda: world.running.catalog), Random(7), max_names=100)
    world.pipeline.listeners = (names,)
    for hours in (30, 1, 0):
        world.now = NOW - 3_600 * hours
        events: list[dict[str, object] | EventRefused] = [
            *(event(f"sent-{hours}-{number}", properties={"order_id": f"SO-{hours}-{number}"}) for number in range(60)),
            event(f"sent-{hours}-0", properties={"order_id": f"SO-{hours}-0"}),
            event(f"warned-{hours}", properties={"phone": "no number", "order_id": f"SO-{hours}-60"}),
            event(f"invalid-{hours}", context={}),
            event(f"held-{hours}", name="Placed", properties={"phone": "no number", "order_id": f"SO-{hours}-h"}),
            event(f"in-time-{hours}", name="Cancelled", properties={"order_id": f"SO-{hours}-h"}),
            event(f"too-late-{hours}", name="Cancelled", properties={"order_id": f"SO-{hours}-1"}),
            event(f"lead-{hours}", name="Generate Lead"),
            event(f"unmatched-{hours}", name="Basket Emptied"),
            event(f"no-{hours}", integrations={"All": False}),
            event(f"ordered-{hours}", name="Basket Sold", properties={"order_id": f"SO-{hours}-u"}),
            event(
                f"not-{hours}",
                name="Basket Sold",
                properties={"order_id": f"SO-{hours}-n"},
                integrations={"All": False},
            ),
            event(f"page-{hours}", name="page Visit", type="page"),
            event(f"like-a-page-{hours}", name="page Visit"),
            EventRefused("no object"),
            EventRefused("no timestamp", named=("track", "Checkout"), message_id=f"late-{hours}"),
        ]
        await world.pipeline.accept(Intake(events, now=world.now))
        await world.outbox.inventory.add(names.take(), now=world.now, max_names=100)
        for result, state, outcome in (
            (Delivered(), State.DELIVERED, Outcome.DELIVERED),
            (Delivered(), State.DELIVERED, Outcome.DELIVERED),
            (Rejected(reason="bad currency", status=422), State.DEAD, Outcome.REJECTED),
            (Retry(reason="busy", status=503), State.PENDING, Outcome.RETRY),
        ):
            counted = CounterRow(name=outcome.value, preset="Checkout", ad_account_id=ACCOUNT)
            due_at = world.now + 9_000 if state is State.PENDING else None
            await world.settle(result, state, counted, due_at=due_at)
    await world.outbox.claim(ACCOUNT, limit=3, max_bytes=10**9, max_wait_s=0, lease_s=60, now=NOW)


async def refuse_again(world: World) -> None:
    """Have Pinterest refuse the delivery that came last, redrive it, and have it refused once more."""
    (last, *_) = (await world.outbox.search(Query(), limit=1)).deliveries
    await _refuse(world, last.delivery_id)
    query = Query(state=State.DEAD, delivery_id=last.delivery_id)
    assert (await world.outbox.dead_letters.redrive(query, now=world.now)).redriven == 1
    await _refuse(world, last.delivery_id)


async def _refuse(world: World, delivery_id: str) -> None:
    """Claim all that is due, settle one as refused, and give the others back."""
    claims = await world.outbox.claim(ACCOUNT, limit=500, max_bytes=10**9, max_wait_s=0, lease_s=60, now=world.now)
    refused, untried = Rejected(reason="bad currency", status=422), Retry(reason="not tried", tried=False)
    settled = [
        Settlement(claimed=each, result=refused, state=State.DEAD)
        if each.delivery_id == delivery_id
        else Settlement(claimed=each, result=untried, state=State.PENDING, due_at=world.now, give_back=True)
        for each in claims
    ]
    counted = CounterRow(name=Outcome.REJECTED, preset="Checkout", ad_account_id=ACCOUNT)
    await world.outbox.settle(settled, [counted], now=world.now)


async def _length(world: World, path: str | None) -> int:
    """Return how many rows the lists of a page have, with all pages that follow."""
    length = 0
    seen = {path}
    paths = [path]
    while paths:
        page = await _page(world, paths.pop())
        length += len(_ROW.findall(page))
        older = [each for each in map(unescape, _OLDER.findall(page)) if each not in seen]
        seen.update(older)
        paths += older
    return length


async def paths_of_names(world: World) -> list[str]:
    """Return the addresses of the pages of all names."""
    return sorted(set(map(unescape, _OF_NAME.findall(await _page(world, "/console/inventory")))))


async def _page(world: World, path: str | None) -> str:
    answer = await world.browser.get(path or "")
    assert answer.status_code == httpx.codes.OK
    return answer.text


@pytest.mark.slow
async def test_of_one_source_too_a_count_is_the_length_of_its_list(tmp_path: Path) -> None:
    async with open_world(tmp_path, sources={"shopa": None}) as world:
        await world.enqueue(*(new_delivery(f"m-{number}", source="shopa") for number in range(3)))
        await world.enqueue(*(new_delivery(f"o-{number}") for number in range(5)))
        for _ in range(6):
            await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
        page = await _page(world, "/console?from=shopa")
        told = {unescape(path): int(count) for path, count in _COUNT.findall(page)}
        stand = {"/console/deliveries?from=&state=dead": 6, "/console/deliveries?from=&state=pending": 2}
        assert told.items() >= stand.items()
        assert {path: await _length(world, path) for path in told} == told
        assert page.count("of all sources") == 3


@pytest.mark.slow
async def test_the_number_of_an_alert_is_the_length_of_the_list_that_it_leads_to(world: World) -> None:
    await fill(world)
    names = NameCounts(Sampler(lambda: world.running.catalog), Random(7), max_names=100)
    world.pipeline.listeners = (names,)
    await world.pipeline.accept(Intake([event(f"without-{number}", context={}) for number in range(70)], now=world.now))
    await world.pipeline.accept(Intake([event("sent-0-1", properties={"order_id": "SO-0-1"})] * 70, now=world.now))
    await world.outbox.inventory.add(names.take(), now=world.now, max_names=100)
    facts = await NameReader(world.outbox.inventory).read(world.now)
    alerts = by_name(
        facts,
        AlertSettings.model_construct(public_url="http://localhost:8080", alert_limits=AlertLimits(least_events=5)),
    )
    told = {path: int(count) for alert in alerts for count, path in _OF_ALERT.findall(alert.text)}
    assert {parse_qs(path)["outcome"][0] for path in told} == {"invalid", "duplicate"}
    assert {path: await _length(world, path) for path in told} == told


@pytest.mark.slow
async def test_a_count_is_the_length_of_the_list_that_it_leads_to(world: World) -> None:
    await fill(world)
    await _lead_to_as_many(world)
    await refuse_again(world)
    # What is delivered counts where it arrived first, and is listed where it was sent again. Another period asks alike.
    once = [page for page in PAGES if "period" not in page or "week" in page]
    await _lead_to_as_many(world, once, without="state=delivered&since=")


async def _lead_to_as_many(world: World, of: Sequence[str] = PAGES, *, without: str = "?") -> None:
    told: dict[str, int] = {}
    pages = [f"/console{page}" for page in of]
    pages += await paths_of_names(world)
    for page in pages:
        links = _COUNT.findall(await _page(world, page))
        told |= {unescape(path): int(count) for path, count in links if f"?{without}" not in unescape(path)}
    assert len(told) > 20
    for outcome in ("matched", "enqueued", "invalid", "duplicate"):
        assert any(f"outcome={outcome}" in path for path in told)
    assert sum("name=" in path for path in told) > 20
    assert "/console/deliveries?state=dead" in told  # of the backlog
    for state in ("waiting", "dead"):  # of the picture of where events go
        assert any(re.search(rf"\?state={state}&since=\d+", path) for path in told), state
    for state in ("waiting", "delivered", "dead"):
        assert any("name=" in path and f"state={state}" in path for path in told)
    assert any("taken=no" in path for path in told)  # of the picture of where events go
    assert {path: await _length(world, path) for path in told} == told
