"""What Pinterest says is read once an hour, by one process, strictly by its description, and kept for all."""

import asyncio
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.console.pinterest_page import attributed_days
from app.core.pages import PinterestView
from app.core.shared_values import PINTEREST_VIEWS, REPORTS_TURN
from app.core.values.times import DAY_S, HOUR_S
from app.insights.alerts.overall import unread_reports
from app.insights.reports.ads_client import AdsClient, FixedToken
from app.insights.reports.hourly_reading import read_optimal
from app.sandbox import create_sandbox
from tests.insights.reports.conftest import ACCOUNT, FIRST, NOW, Read
from tests.outbox.build import At, new
from tests.sandbox.events import pinterest_event


async def view_of(read: Read) -> PinterestView:
    view = await PINTEREST_VIEWS.read(read.outbox, ACCOUNT)
    assert view is not None
    return view


async def test_quality_attribution_and_names_are_kept_for_all(read: Read) -> None:
    app = create_sandbox(clock=lambda: NOW)
    click = {"em": ["0" * 64], "click_id": "dj0yJnU9"}
    events = [
        pinterest_event(
            event_id="1", event_time=int(NOW), user_data=click, custom_data={"value": "19.99", "currency": "EUR"}
        ),
        pinterest_event(event_id="2", event_time=int(NOW)),
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as sender:
        sent = await sender.post(
            f"/v5/ad_accounts/{ACCOUNT}/events", json={"data": events}, headers={"Authorization": "Bearer t"}
        )
        assert sent.status_code == 200
    assert await read.reading(read.client(app)).look()
    view = await view_of(read)
    assert (set(view.read_at.values()), view.unread) == ({NOW}, {})
    assert (view.currency, view.our_names) == ("EUR", ("quiz_done",))
    (quality,) = view.quality
    by_component = {each.component: each for each in quality.coverage}
    assert (quality.platform, quality.way, by_component["hashed_email"].percent) == ("WEB", "CONVERSIONS_API", 100)
    assert by_component["hashed_maid"].issues == ("Low coverage: Fewer than half of the events carry hashed_maid",)
    assert [(each.date, each.checkouts, each.value) for each in view.attributed if each.checkouts] == [
        ("2026-11-18", 1, "19.99")
    ]
    assert len(view.attributed) == 14
    assert read.calls[0].paths == [
        f"/v5/ad_accounts/{ACCOUNT}{path}"
        for path in (
            "",
            "/conversion_eqs",
            "/analytics",
            "/advertiser_defined_events",
            "/conversion_tags/ocpm_eligible",
        )
    ]
    assert (view.time_zone, view.day_zone, view.sent, view.optimal) == ("", "", (), ("CHECKOUT",))


async def test_checkouts_are_counted_by_the_days_of_the_ad_account(read: Read) -> None:
    """08:00 UTC is midnight in Los Angeles: an order of 07:59 is of the day before, at Pinterest and here."""
    midnight = 1_794_988_800  # 2026-11-18 08:00 UTC
    orders = [
        (midnight - 60, "10", "EUR"),
        (midnight, "19.99", "EUR"),
        (midnight + 9, "5", None),
        (midnight, "7", "USD"),
    ]
    at = At(read.outbox, NOW)
    for account, given in ((ACCOUNT, orders), ("1", orders[:1])):
        deliveries = [
            new(ad_account_id=account, event_time=at_, order_id=f"{account}-{number}", amount=amount, currency=money)
            for number, (at_, amount, money) in enumerate(given)
        ]
        await at.enqueue(*deliveries, new(ad_account_id=account, event_name="lead", event_time=midnight))
        claimed = await read.outbox.claim(account, limit=9, max_bytes=10**6, max_wait_s=0, lease_s=60, now=NOW)
        await at.deliver(*claimed)
    await at.enqueue(new(ad_account_id=ACCOUNT, event_time=midnight, order_id="waits", amount="1", currency="EUR"))
    client = read.against(time_zone="America/Los_Angeles")
    app = read.calls[-1].app
    for number, (when, amount, _) in enumerate(orders[:2]):
        click = {"em": ["0" * 64], "click_id": "dj0yJnU9"}
        custom = {"value": amount, "currency": "EUR"}
        event = pinterest_event(event_id=str(number), event_time=when, user_data=click, custom_data=custom)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as sender:
            path = f"/v5/ad_accounts/{ACCOUNT}/events"
            await sender.post(path, json={"data": [event]}, headers={"Authorization": "Bearer t"})
    await read.reading(client).look()
    view = await view_of(read)
    assert (view.time_zone, view.day_zone, view.unread) == ("America/Los_Angeles", "America/Los_Angeles", {})
    theirs = {each.date: (each.checkouts, each.value) for each in view.attributed if each.checkouts}
    assert theirs == {"2026-11-17": (1, "10"), "2026-11-18": (1, "19.99")}
    ours = {each.date: (each.orders, each.worth) for each in view.sent if each.orders}
    assert ours == {"2026-11-17": (1, "10"), "2026-11-18": (2, "24.99")}
    assert len(view.sent) == len(view.attributed) == 14
    shown = {
        day.theirs.date: (day.sent, day.theirs.checkouts, day.since) for day in attributed_days(view, []) if day.sent
    }
    assert shown == {"2026-11-17": (1, 1, None), "2026-11-18": (2, 1, None)}


@pytest.mark.parametrize(
    ("zone", "status", "day_zone", "calls"),
    [
        ("America/Los_Angeles", 400, "", 2),  # a closed beta, of which this ad account is no part
        ("Europe/Berlin", 200, "Europe/Berlin", 1),
        ("Mars/Olympus_Mons", 200, "", 1),
        ("../../etc/passwd", 200, "", 1),
        ("UTC", 200, "", 1),
        (None, 200, "", 1),
    ],
)
async def test_days_are_those_of_utc_where_pinterest_or_this_machine_knows_no_others(
    read: Read, zone: str | None, status: int, day_zone: str, calls: int
) -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.rpartition("/")[2]
        if path == "analytics":
            asked.append(request.url)
            refused = "reporting_timezone" in request.url.params and status != 200
            return httpx.Response(status if refused else 200, json={"code": 1, "message": "no"} if refused else [])
        if path == ACCOUNT:
            return httpx.Response(200, json={"id": ACCOUNT, "currency": "EUR", "time_zone": zone})
        return httpx.Response(200, json=[] if path == "conversion_eqs" else {})

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(answer))
    await read.reading(client).look()
    view = await view_of(read)
    assert (view.time_zone, view.day_zone, view.unread, len(asked)) == (zone or "", day_zone, {}, calls)
    assert ("reporting_timezone" in asked[-1].params) is bool(day_zone)
    await client.close()


async def test_every_name_of_an_event_to_optimize_for_is_read(read: Read) -> None:
    """5.28 has 13 names more than 5.23, and those of advertiser-defined events."""
    more = ["ADD_PAYMENT_INFO", "ADD_TO_WISHLIST", "INITIATE_CHECKOUT", "SUBSCRIBE", "VIEW_CONTENT", "APP_OPEN"]
    more += ["CONTACT", "SCHEDULE", "FIND_LOCATION", "CUSTOMIZE_PRODUCT", "SUBMIT_APPLICATION", "START_TRIAL"]
    defined = {"conversion_event": "ADVERTISER_DEFINED_EVENT", "reporting_conversion_event": "GET_QUOTE"}
    body = {
        "1": [{"conversion_event": name} for name in more],
        "2": [defined, {"conversion_event": "CONTACT"}],
        "3": [],
    }
    assert read_optimal(body) == tuple(sorted((*more, "GET_QUOTE")))
    assert read_optimal({}) == ()


async def test_names_that_pinterest_knows_are_read(read: Read) -> None:
    await read.reading(read.against(event_names=("quiz_done", "other"))).look()
    assert (await view_of(read)).their_names == {"quiz_done": "", "other": ""}


async def test_one_process_reads_and_the_next_an_hour_later(read: Read) -> None:
    client = read.against()
    first, second = read.reading(client), read.reading(client)
    assert [await first.look(), await second.look(), await first.look()] == [True, False, False]
    read.now += HOUR_S
    assert [await second.look(), await first.look()] == [True, False]
    read.now -= 10 * DAY_S  # a clock that was set back does not put an end to it
    assert await first.look()


async def test_figures_stay_while_they_cannot_be_read_anew_and_the_trouble_is_told_once(read: Read) -> None:
    await read.reading(read.against()).look()
    stranger = read.reading(read.client(create_sandbox(clock=lambda: NOW)), ad_account_ids=[ACCOUNT])
    read.now += HOUR_S
    broken = read.reading(read.against(refresh_token=SecretStr("x")))  # no access token was given out: 401
    await broken.look()
    view = await view_of(read)
    assert (set(view.read_at.values()), view.tried_at, view.currency) == ({NOW}, NOW + HOUR_S, "EUR")
    (alert,) = unread_reports({ACCOUNT: view}, read.now)
    assert "does not take PINTEREST_ADS_TOKEN (401): it has expired, so make a new one (Auth" in alert.text
    assert unread_reports({ACCOUNT: view}, read.now + 2 * DAY_S) == []
    read.now += HOUR_S
    await broken.look()
    assert [account for account, _ in read.troubles] == [ACCOUNT]
    read.now += HOUR_S
    await stranger.look()
    view = await view_of(read)
    assert (view.unread, unread_reports({ACCOUNT: view}, read.now)) == ({}, [])


#: Member of the view -> its report in the path, and in words.
REPORTS = {
    "currency": ("", "the ad account"),
    "quality": ("conversion_eqs", "event quality"),
    "attributed": ("analytics", "attributed checkouts"),
    "their_names": ("advertiser_defined_events", "advertiser-defined events"),
    "optimal": ("conversion_tags", "events to optimize for"),
}


@pytest.mark.parametrize("member", REPORTS)
@pytest.mark.parametrize(
    ("status", "words", "remedy", "needs_person"),
    [
        (401, "(Authentication failed)", "does not take PINTEREST_ADS_TOKEN (401): it has expired", True),
        (403, "(You are not permitted to access that resource)", "403 (You are not permitted", True),
        (403, "", "a permission is missing: the token needs the scope ads:read, and its user access", True),
        (404, "(Something unexpected happened)", "look whether the ad account's id is right", True),
        (429, "(This request exceeded a rate limit)", "asked too often, and is asked again in an hour", False),
        (503, "(The endpoint has been ramped down", "trouble at Pinterest, which is asked again in an hour", False),
        (400, "(The request was invalid)", "Pinterest answers 400", False),
    ],
)
async def test_one_report_that_is_refused_is_told_and_the_others_are_read(
    read: Read, member: str, status: int, words: str, remedy: str, *, needs_person: bool
) -> None:
    path, report = REPORTS[member]
    await read.reading(read.against(refused_reports={path: status})).look()
    view = await view_of(read)
    assert view.read_at == {name: NOW for name in REPORTS if name != member}
    (unread,) = view.unread.values()
    assert (unread.why.startswith(f"{report}: "), words in unread.why, remedy in unread.why) == (True, True, True)
    assert read.troubles == [(ACCOUNT, unread.why)]
    told = [alert.text for alert in unread_reports({ACCOUNT: view}, NOW)]
    assert (
        told == [f"Some of Pinterest's own figures cannot be read: {unread.why}. Events are still sent."] * needs_person
    )
    day_later = replace(view, tried_at=NOW + DAY_S)
    assert len(unread_reports({ACCOUNT: day_later}, NOW + DAY_S)) == 1
    read.calls[-1].faults.clear()  # not every path's description has each status


@pytest.mark.parametrize(
    ("account", "changes", "told"),
    [
        ({}, {"ad_account_ids": ["1"]}, {"Pinterest answers 403 (You are not permitted to access that resource): a"}),
        ({}, {"ad_account_ids": ["x"]}, {"Pinterest answers 400 (Invalid request"}),
        (
            {"reads_per_minute": 2},
            {},
            {"attributed checkouts: Pinterest", "advertiser-defined events: Pi", "events to optimize for: Pinterest"},
        ),
    ],
)
async def test_what_is_wrong_is_told(
    read: Read, account: dict[str, int], changes: dict[str, Any], told: set[str]
) -> None:
    """Once where it is the same of all reports."""
    await read.reading(read.against(**account), **changes).look()
    (view,) = (await PINTEREST_VIEWS.read_all(read.outbox)).values()
    found = {each.why for each in view.unread.values()}
    assert [sum(why.startswith(each) for why in found) for each in told] == [1] * len(found) == [1] * len(told)
    read.calls[-1].faults.clear()  # an id that is none breaks the description, as it should


async def test_a_token_that_is_renewed_and_refused_all_the_same_is_asked_for_once(read: Read) -> None:
    client = read.against(refresh_token=FIRST, refused_reports={path: 401 for path, _ in REPORTS.values()})
    await read.reading(client, read.renewing(client)).look()
    view = await view_of(read)
    assert {each.why for each in view.unread.values()} == {
        "Pinterest answers 401 (Authentication failed): the token is not taken: make a new one, with the scope ads:read"
    }
    assert read.calls[-1].paths.count("/v5/oauth/token") == 2


@pytest.mark.parametrize(
    ("token", "told"), [("no token\n", "holds what no token holds"), ("pina", "could not be reached")]
)
async def test_what_is_never_answered_is_told(read: Read, token: str, told: str) -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(away))
    await read.reading(client, FixedToken(SecretStr(token))).look()
    (why,) = {each.why for each in (await view_of(read)).unread.values()}
    assert told in why
    await client.close()


async def test_of_two_processes_that_look_at_the_same_time_one_reads(read: Read) -> None:
    client = read.against()
    looks = await asyncio.gather(*(read.reading(client).look() for _ in range(4)))
    assert sorted(looks) == [False, False, False, True]


@pytest.mark.parametrize("asked", ["7200", formatdate(NOW + 7_200, usegmt=True)], ids=["seconds", "a date"])
async def test_pinterest_is_left_alone_for_as_long_as_it_asks(read: Read, asked: str) -> None:
    def busy(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": asked}, json={"code": 8, "message": "slow down"})

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(busy))
    await read.reading(client).look()
    assert await REPORTS_TURN.read(read.outbox) == NOW + 7_200


@pytest.mark.parametrize("body", [[], {"items": 1}, "x", {"currency": 7}])
async def test_an_answer_that_is_not_as_described_is_told(read: Read, body: object) -> None:
    client = AdsClient(
        api_url="http://pinterest/v5",
        timeout_s=5,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)),
    )
    await read.reading(client).look()
    whys = [each.why for each in (await view_of(read)).unread.values()]
    assert [why for why in whys if not why.endswith("Pinterest's answer is not as its schema says")] == []
    assert whys
    await client.close()
