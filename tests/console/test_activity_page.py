"""Activity: who did what, and that everything that changes something is there."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.config.settings import AlertSettings
from app.core.deliveries import Rejected, State
from app.core.shared_values import OPEN_INCIDENTS
from app.insights.alerts.overall import Alert
from app.insights.alerts.watcher import AlertWebhook
from app.insights.incidents import begin
from tests.console.test_guard import VIEWERS
from tests.console.world import NOW, PASSWORD, World, new_delivery, open_world


async def log_in(browser: httpx.AsyncClient, token: str) -> None:
    assert (await browser.post("/console/login", data={"password": token})).status_code == 303


async def noted(world: World) -> list[tuple[str, ...]]:
    """What was noted, oldest first."""
    entries = (await world.outbox.audit(limit=100)).entries
    return [(each.who, each.what.value, each.target, each.before, each.after) for each in reversed(entries)]


@pytest.mark.slow
async def test_what_people_do_is_shown_with_who_and_from_where(tmp_path: Path) -> None:
    async with open_world(tmp_path, users=VIEWERS) as world:
        await log_in(world.browser, "token-of-ada")
        await world.browser.post("/console/mappings/switch", data={"preset": "Checkout", "on": "no"})
        page = await world.html("/console/activity")
    for text in ("ada", "127.0.0.1", "switched", "preset Checkout", "<td>on</td><td>off</td>", "logged in"):
        assert text in page


@pytest.mark.slow
async def test_everything_that_changes_something_is_noted(world: World) -> None:
    me = "this machine"
    await world.enqueue(new_delivery("m-1"))
    await world.settle(Rejected(reason="bad currency"), State.DEAD)
    post = world.browser.post
    await post("/console/mappings/switch", data={"preset": "Checkout", "on": "no"})
    await post("/console/mappings/switch", data={"on": "no"})
    await post("/console/mappings/switch", data={"on": "yes"})
    await post("/console/deliveries/redrive", data={"reason": "currency"})
    before = world.coordination.generation
    await post("/console/mappings/reload")
    world.write("checkout", "subscribe: [")
    await post("/console/mappings/reload")
    await post("/console/tester", data={"example": "Checkout", "send": "Checkout"})
    assert await noted(world) == [
        (me, "switched", "preset Checkout", "on", "off"),
        (me, "switched", "all sending", "on", "off"),
        (me, "switched", "all sending", "off", "on"),
        (me, "redriven", "reason currency", "", "1 redriven"),
        (me, "reloaded", "catalog", before, before),
        (me, "reloaded", "catalog", before, "kept: 1 fault"),
        (me, "test sent", "preset Checkout", "", "answer 200"),
    ]


@pytest.mark.slow
async def test_looking_is_not_noted(world: World) -> None:
    for path in ("", "/tester", "/deliveries", "/mappings", "/deliveries/redrive", "/activity"):
        await world.browser.get(f"/console{path}")
    await world.browser.post("/console/tester", data={"example": "Checkout"})
    await world.browser.post("/console/mappings/switch", data={"preset": "Nobody", "on": "no"})
    assert await noted(world) == []
    assert "Nothing was done yet." in await world.html("/console/activity")


async def test_log_ins_their_failures_and_log_outs_are_noted(locked: World) -> None:
    await locked.browser.post("/console/login", data={"password": "wrong"})
    await log_in(locked.browser, PASSWORD)
    await locked.browser.post("/console/logout")
    assert [(who, what) for who, what, *_ in await noted(locked)] == [
        ("somebody", "login failed"),
        ("console", "logged in"),
        ("console", "logged out"),
    ]


@pytest.mark.slow
async def test_the_older_ones_are_a_click_away(world: World) -> None:
    for _ in range(60):
        await world.browser.post("/console/mappings/switch", data={"on": "yes"})
    first = await world.html("/console/activity")
    assert first.count("all sending") == 50
    older = first.partition('href="/console/activity?')[2].partition('"')[0]
    assert (await world.html(f"/console/activity?{older}")).count("all sending") == 10


@pytest.mark.parametrize("cursor", ["x", "-1", "%00"])
async def test_a_cursor_that_is_none_shows_the_newest(cursor: str, world: World) -> None:
    await world.browser.post("/console/mappings/switch", data={"on": "yes"})
    assert "all sending" in await world.html(f"/console/activity?cursor={cursor}")


class Slack:
    """Stands where alerts go: keeps what it is told, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content)
        return httpx.Response(self.status)


def webhook_to(slack: Slack) -> AlertWebhook:
    settings = AlertSettings.model_construct(alert_webhook_url=SecretStr("http://slack.example/s3cret"))
    return AlertWebhook(settings, httpx.AsyncClient(transport=httpx.MockTransport(slack)), clock=lambda: NOW)


@pytest.mark.parametrize(("status", "told"), [(200, "was taken."), (500, "was not taken: it answered 500.")])
async def test_a_test_alert_is_sent_told_and_noted(tmp_path: Path, status: int, told: str) -> None:
    slack = Slack()
    slack.status = status
    webhook = webhook_to(slack)
    async with open_world(tmp_path, alert_webhook=webhook) as world:
        assert "None is open." in await world.html("/console/activity")
        answer = await world.browser.post("/console/activity/test-alert")
        assert answer.status_code == 303
        page = await world.html(answer.headers["location"])
        assert await noted(world) == [
            ("this machine", "alert tested", "", "", "taken" if status == 200 else "it answered 500")
        ]
    assert told in page
    assert b"This is a test" in slack.bodies[0]
    assert "s3cret" not in page
    await webhook.close()


async def test_open_alerts_are_shown_with_their_links(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        text = "A <b> from shop has ceased. https://relay.example/console/inventory/name?source=shop"
        incident = begin(Alert(key="ceased: shop/track/A", text=text), NOW)
        await OPEN_INCIDENTS.write(world.outbox, {incident.id: incident})
        page = await world.html("/console/activity")
        assert 'href="https://relay.example/console/inventory/name?source=shop"' in page
        assert "A &lt;b&gt; from shop has ceased." in page
        assert "Send a test alert" not in page
        assert (await world.browser.post("/console/activity/test-alert")).status_code == 404


async def test_viewers_cannot_send_a_test_alert(tmp_path: Path) -> None:
    slack = Slack()
    webhook = webhook_to(slack)
    async with open_world(tmp_path, users=VIEWERS, alert_webhook=webhook) as world:
        await log_in(world.browser, "token-of-bob")
        assert "Send a test alert" not in await world.html("/console/activity")
        assert (await world.browser.post("/console/activity/test-alert")).status_code == 403
    assert slack.bodies == []
    await webhook.close()
