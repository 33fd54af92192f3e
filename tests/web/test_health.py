"""What keeps delivery from being well stands in /readyz and /metrics, and never turns events away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.config import load_settings
from app.core.shared_values import (
    CLOCK_JUMPS,
    DESTINATION_SWITCH,
    SET_ASIDE,
    TROUBLE,
    ClockJump,
    ClockJumps,
    SetAside,
    Switch,
)
from app.main import create_app
from app.outbox import open_outbox
from app.sender.status import PROBLEM_STATES
from tests.outbox.build import new, rules
from tests.outbox.new_store import new_store
from tests.sender.claims import NOW, a_trouble

AGO = NOW - 7_200


@pytest.fixture
def url(tmp_path: Path) -> str:
    return new_store(tmp_path, "outbox.db")


@pytest.fixture
def app(url: str) -> FastAPI:
    return create_app(load_settings(outbox_url=url), clock=lambda: NOW)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the application, whose background does not run."""
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def write(url: str, **values: Any) -> None:
    outbox = open_outbox(url, rules())
    if "trouble" in values:
        await TROUBLE.of(SANDBOX_AD_ACCOUNT_ID).write(outbox, values["trouble"])
    for name, each in values.get("aside", {}).items():
        await SET_ASIDE.of(name).write(outbox, each)
    if "jump" in values:
        await CLOCK_JUMPS.write(outbox, ClockJumps(jumps=(values["jump"],)))
    if "on" in values:
        await DESTINATION_SWITCH.write(outbox, Switch(on=values["on"]))
    await outbox.close()


async def test_where_all_is_well_it_is_sending(client: httpx.AsyncClient) -> None:
    delivery = (await client.get("/readyz")).json()["delivery"]

    assert (delivery["state"], delivery["reason"], delivery["problems"]) == ("sending", "", [])


@pytest.mark.parametrize("state", ["blocked", "refusing", "failing", "rate limited"])
async def test_trouble_is_told_with_since_when_pinterests_words_and_the_remedy(
    client: httpx.AsyncClient, url: str, state: str
) -> None:
    await write(url, trouble=a_trouble(state=state, reason="no", status=503, since=AGO, next_probe_at=NOW + 60))

    answer = await client.get("/readyz")

    assert answer.status_code == 200
    delivery = answer.json()["delivery"]
    (problem,) = delivery["problems"]
    assert (delivery["state"], delivery["reason"]) == (state, "no")
    assert problem.items() >= {"state": state, "since": AGO, "status": 503, "words": "no"}.items()
    assert problem["next_try_at"] == NOW + 60
    assert problem["sentence"].endswith(": no.")
    assert problem["remedy"]


async def test_what_the_store_refuses_is_told_though_all_else_is_sent(client: httpx.AsyncClient, url: str) -> None:
    refused = SetAside(doing="claim", ad_account_id=SANDBOX_AD_ACCOUNT_ID, why="CHECK failed", since=AGO, again_at=NOW)
    elsewhere = replace(refused, ad_account_id="of another store")
    rows = replace(refused, doing="retain", ad_account_id="", rows=2)
    await write(url, aside={"delivery/17": refused, "delivery/18": elsewhere, "rows/retain_dropped_events": rows})

    delivery = (await client.get("/readyz")).json()["delivery"]

    assert (delivery["state"], delivery["reason"]) == ("set aside", "CHECK failed")
    assert [problem["sentence"] for problem in delivery["problems"]] == [
        "The store refuses to change 1 delivery (17): CHECK failed.",
        "The store refuses to change 2 rows (dropped_events): CHECK failed.",
    ]


async def test_the_most_pressing_of_several_is_the_state(client: httpx.AsyncClient, url: str) -> None:
    jump = ClockJump(before=NOW - 4 * 86_400, after=NOW - 60)
    await write(url, trouble=a_trouble(state="failing"), jump=jump)

    delivery = (await client.get("/readyz")).json()["delivery"]

    assert delivery["state"] == "failing"
    assert [problem["state"] for problem in delivery["problems"]] == ["failing", "clock"]


async def test_a_preset_that_is_switched_off_is_told_while_something_waits(client: httpx.AsyncClient, url: str) -> None:
    outbox = open_outbox(url, rules())
    await outbox.enqueue([new(ad_account_id=SANDBOX_AD_ACCOUNT_ID)], [], [], now=AGO)
    await outbox.close()
    await client.post("/api/v1/switch", json={"on": False, "preset": "Lead"})

    delivery = (await client.get("/readyz")).json()["delivery"]

    assert delivery["state"] == "preset switched off"
    assert delivery["problems"][0]["sentence"] == "The preset Lead is switched off."


async def test_every_state_is_a_metric(client: httpx.AsyncClient, url: str) -> None:
    await write(url, trouble=a_trouble(state="failing", reason="no", since=AGO))

    lines = (await client.get("/metrics")).text.splitlines()

    assert {
        f'pinrelay_delivery_state{{state="{state}"}} {int(state == "failing")}.0' for state in PROBLEM_STATES
    } <= set(lines)
    assert 'pinrelay_delivery_state_seconds{state="failing"} 7200.0' in lines
    assert 'pinrelay_destination_blocked{reason=""} 0.0' in lines


async def test_why_pinterest_refuses_our_calls_is_a_label(client: httpx.AsyncClient, url: str) -> None:
    await write(url, trouble=a_trouble(reason="bad token"))

    assert 'pinrelay_destination_blocked{reason="bad token"} 1.0' in (await client.get("/metrics")).text


async def test_a_store_that_is_gone_is_not_ready_and_says_why_and_what_helps(
    client: httpx.AsyncClient, url: str
) -> None:
    _delete(url)

    answer = await client.get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.json().items() >= {"ready": False, "why": "gone"}.items()
    assert "Wait until the backlog is empty, then restart" in answer.json()["reason"]
    lines = set((await client.get("/metrics")).text.splitlines())
    assert lines >= {"pinrelay_outbox_up 0.0", 'pinrelay_outbox_refuses{why="gone"} 1.0'}


async def test_a_request_that_cannot_be_kept_is_counted_by_why(client: httpx.AsyncClient, url: str) -> None:
    _delete(url)

    answer = await client.post("/webhook", json={"type": "page", "messageId": "m"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert 'pinrelay_outbox_unavailable_total{why="gone"} 1.0' in (await client.get("/metrics")).text


def _delete(url: str) -> None:
    Path(url.removeprefix("sqlite:///")).unlink()
