"""What Pinterest says is read once an hour, by one process, strictly by its description, and kept for all."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.alerts.overall import unread_reports
from app.outbox.storing import DAY_S, HOUR_S
from app.reports import AdsClient, FixedToken
from app.sandbox import create_sandbox
from app.shared_values import PINTEREST_VIEWS, REPORTS_TURN
from app.types import PinterestView
from tests.reports.conftest import ACCOUNT, NOW, Read
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
    assert (view.at, view.problem, view.currency, view.our_names) == (NOW, "", "EUR", ("quiz_done",))
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
        for path in ("", "/conversion_eqs", "/analytics", "/advertiser_defined_events")
    ]


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
    assert (view.at, view.tried_at, view.is_over) == (NOW, NOW + HOUR_S, True)
    assert "PINTEREST_ADS_TOKEN" in view.problem
    assert [alert.key for alert in unread_reports({ACCOUNT: view}, read.now)] == ["reports"]
    assert unread_reports({ACCOUNT: view}, read.now + 2 * DAY_S) == []
    read.now += HOUR_S
    await broken.look()
    assert [account for account, _ in read.troubles] == [ACCOUNT]
    read.now += HOUR_S
    await stranger.look()
    view = await view_of(read)
    assert (view.problem, view.is_over, unread_reports({ACCOUNT: view}, read.now)) == ("", False, [])


@pytest.mark.parametrize(
    ("account", "changes", "told", "is_over"),
    [
        ({}, {"ad_account_ids": ["1"]}, "Pinterest refuses the token (403)", True),
        ({}, {"ad_account_ids": ["x"]}, "Pinterest answers 400: Invalid request", False),
        ({"reads_per_minute": 2}, {}, "asked too often (429)", False),
    ],
)
async def test_what_is_wrong_is_told(
    read: Read, account: dict[str, int], changes: dict[str, Any], told: str, *, is_over: bool
) -> None:
    await read.reading(read.against(**account), **changes).look()
    (view,) = (await PINTEREST_VIEWS.read_all(read.outbox)).values()
    assert told in view.problem
    assert (view.is_over, view.at) == (is_over, None)
    read.calls[-1].faults.clear()  # an id that is none breaks the description, as it should


@pytest.mark.parametrize(
    ("token", "told"), [("no token\n", "holds what no token holds"), ("pina", "could not be reached")]
)
async def test_what_is_never_answered_is_told(read: Read, token: str, told: str) -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(away))
    await read.reading(client, FixedToken(SecretStr(token))).look()
    assert told in (await view_of(read)).problem
    await client.close()


async def test_of_two_processes_that_look_at_the_same_time_one_reads(read: Read) -> None:
    client = read.against()
    looks = await asyncio.gather(*(read.reading(client).look() for _ in range(4)))
    assert sorted(looks) == [False, False, False, True]


async def test_pinterest_is_left_alone_for_as_long_as_it_asks(read: Read) -> None:
    def busy(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "7200"}, json={"code": 8, "message": "slow down"})

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(busy))
    await read.reading(client).look()
    turn = await REPORTS_TURN.read(read.outbox)
    assert turn is not None
    assert turn.next_at == NOW + 7_200


@pytest.mark.parametrize("body", [[], {"items": 1}, "x", {"currency": 7}])
async def test_an_answer_that_is_not_as_described_is_told(read: Read, body: object) -> None:
    client = AdsClient(
        api_url="http://pinterest/v5",
        timeout_s=5,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)),
    )
    await read.reading(client).look()
    assert "not as its schema says" in (await view_of(read)).problem
    await client.close()
