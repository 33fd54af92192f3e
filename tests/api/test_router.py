"""Who may use the HTTP interface for operators, and what of it is refused; tests/whole/test_api.py has what it does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import AsyncClient

from app.outbox import open_outbox
from tests.outbox.build import At, new, rules
from tests.web.client import client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "console-password-9b1c"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application with a password."""
    async with client_of(tmp_path_factory.mktemp("locked"), console_password=PASSWORD) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def unlocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application without a password."""
    async with client_of(tmp_path_factory.mktemp("unlocked")) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Basic abc"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {PASSWORD}"}, 200),
    ],
)
async def test_with_a_password_only_its_bearer_gets_in(
    locked: AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await locked.get("/api/v1/status", headers=headers)).status_code == status


async def test_without_a_password_this_machine_gets_in_and_a_forwarded_request_does_not(
    unlocked: AsyncClient,
) -> None:
    assert (await unlocked.get("/api/v1/status")).status_code == 200
    assert (await unlocked.get("/api/v1/status", headers={"X-Forwarded-For": "198.51.100.1"})).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/deliveries/redrive", {}, 422),
        ("/api/v1/forget", {}, 400),
        ("/api/v1/forget", {"user_id": ""}, 422),
        ("/api/v1/forget", {"user_id": "null"}, 404),
        ("/api/v1/forget", {"email": "eva(at)example"}, 404),
        ("/api/v1/deliveries/redrive", {"delivery_id": "999999"}, 404),
        ("/api/v1/deliveries/dismiss", {"delivery_id": "999999", "because": "x"}, 404),
        ("/api/v1/deliveries/redrive", {"preset": "No such preset"}, 404),
        ("/api/v1/deliveries/redrive", {"preset": "Lead", "reason": "nothing like it"}, 200),
        ("/api/v1/deliveries/redrive", {"al": True}, 422),
        ("/api/v1/deliveries/redrive", {"preset": ""}, 422),
        ("/api/v1/deliveries/redrive", {"since": ""}, 422),
        ("/api/v1/deliveries/dismiss", {"cause": " ", "because": "x"}, 422),
        ("/api/v1/deliveries/redrive", {"since": "noon"}, 422),
        ("/api/v1/deliveries/dismiss", {"because": "x"}, 422),
        ("/api/v1/deliveries/dismiss", {"all": True}, 422),
        ("/api/v1/deliveries/dismiss", {"all": True, "because": ""}, 422),
        ("/api/v1/deliveries/dismiss", {"all": True, "because": "  "}, 422),
        ("/api/v1/switch", {"on": "yes"}, 422),
        ("/api/v1/switch", {"on": False, "preset": "Lead", "ad_account_id": "1"}, 400),
        ("/api/v1/switch", {"on": False, "preset": "No such preset"}, 404),
    ],
)
async def test_a_change_that_is_not_clear_is_refused(
    unlocked: AsyncClient, path: str, body: dict[str, object], status: int
) -> None:
    assert (await unlocked.post(path, json=body)).status_code == status


async def test_dead_letters_of_a_preset_that_is_gone_can_be_redriven(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        outbox = open_outbox(f"sqlite:///{tmp_path}/pinrelay.db", rules())
        await At(outbox).dead_letter(new(preset="Gone"), "currency is unknown")
        await outbox.close()
        answer = await client.post("/api/v1/deliveries/redrive", json={"preset": "Gone"})
        assert (answer.status_code, answer.json()["redriven"]) == (200, 1)


async def test_of_a_preset_that_there_is_not_the_nearest_is_named(unlocked: AsyncClient) -> None:
    for path, body in (
        ("/api/v1/deliveries/redrive", {}),
        ("/api/v1/deliveries/dismiss", {"because": "x"}),
        ("/api/v1/switch", {"on": False}),
    ):
        answer = await unlocked.post(path, json={"preset": "Order Complet", **body})
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            'unknown preset; the nearest is "Order Completed"',
        )


@pytest.mark.parametrize("path", ["/api/v1/deliveries", "/api/v1/events/not-sent", "/api/v1/orders/revenue"])
async def test_a_search_for_what_there_is_not_names_the_nearest(unlocked: AsyncClient, path: str) -> None:
    answer = await unlocked.get(path, params={"preset": "Order Complet"})
    assert answer.status_code == 404
    assert answer.json()["detail"] == 'unknown preset; the nearest is "Order Completed"'
    assert (await unlocked.get(path, params={"preset": "Order Completed", "source": "default"})).status_code == 200
    assert (await unlocked.get(path, params={"source": "defualt"})).status_code == 404


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peopled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application with an operator, a viewer and an authenticating proxy, which the client is not."""
    people = {"console_users": "ada:operator:token-of-ada,bob:token-of-bob", "console_user_header": "X-Webauth-User"}
    async with client_of(tmp_path_factory.mktemp("peopled"), **people, trusted_proxies="10.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    ("token", "looks", "changes"), [("token-of-ada", 200, 200), ("token-of-bob", 200, 403), ("token-of-eve", 401, 401)]
)
async def test_a_viewer_looks_and_an_operator_changes(
    peopled: AsyncClient, token: str, looks: int, changes: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert (await peopled.get("/api/v1/status", headers=headers)).status_code == looks
    for path, body in (
        ("/api/v1/switch", {"on": True}),
        ("/api/v1/deliveries/redrive", {"all": True}),
        ("/api/v1/reload", {}),
    ):
        assert (await peopled.post(path, json=body, headers=headers)).status_code == changes


async def test_what_is_changed_is_written_down_with_who_did_it(peopled: AsyncClient) -> None:
    headers = {"Authorization": "Bearer token-of-ada"}
    await peopled.post("/api/v1/switch", json={"on": False, "preset": "Lead"}, headers=headers)
    shown = (await peopled.get("/console/activity", headers=headers)).text
    newest = shown.partition("<tbody>")[2].partition("</tr>")[0]
    for text in ("ada", "127.0.0.1", "switched", "preset Lead", "<td>on</td><td>off</td>"):
        assert text in newest


@pytest.mark.parametrize("path", ["/api/v1/status", "/console", "/metrics"])
async def test_a_user_named_by_no_trusted_proxy_is_refused_whatever_else_is_right(
    peopled: AsyncClient, path: str
) -> None:
    headers = {"Authorization": "Bearer token-of-ada", "X-Webauth-User": "ada", "Host": "pins.example"}
    assert (await peopled.get(path, headers=headers)).status_code == 403


async def test_a_form_of_a_foreign_page_changes_nothing(unlocked: AsyncClient) -> None:
    assert (await unlocked.post("/api/v1/deliveries/redrive", data={"all": "true"})).status_code == 415


async def test_a_person_is_erased_by_either_id(tmp_path: Path) -> None:
    memory = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
    event = {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}}
    async with client_of(tmp_path, **memory) as client:
        assert (await client.post("/webhook", json=event)).status_code == 200
        told = [await client.post("/api/v1/forget", json={"user_id": "ann", "reference": "T-1"}) for _ in range(2)]
        noted = await client.get("/console/activity")
    assert noted.text.count("reference T-1") == 2
    assert [each.status_code for each in told] == [200, 404]
    assert (told[0].json()["ids"], told[0].json()["erased"], told[0].json()["stays"]) == (2, {"ids of memory": 2}, "")
    assert told[1].json()["detail"].startswith("Nothing is stored for this person. ")


async def test_an_erasure_that_leaves_something_answers_409_and_names_it(tmp_path: Path) -> None:
    memory = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
    event = {"type": "identify", "userId": "ann", "traits": {"email": "ann@shop.example"}}
    async with client_of(tmp_path, **memory) as client:
        assert (await client.post("/webhook", json=[event, event | {"userId": "bob"}])).status_code == 200
        told = [
            await client.post("/api/v1/forget", json=whom)
            for whom in ({"user_id": "ann"}, {"email": "ann@shop.example"})
        ]
        noted = await client.get("/console/activity")
    assert [(each.status_code, each.json()["ids"]) for each in told] == [(409, 1), (200, 1)]
    assert "Give the address or number too" in told[0].json()["stays"]
    assert noted.text.count("forgot a person") == 2


async def test_a_person_is_erased_by_whatever_names_them(tmp_path: Path) -> None:
    order = {"type": "track", "event": "Order Completed", "userId": "ann", "anonymousId": "x"}
    context = {
        "traits": {"email": "ann@shop.example", "phone": "+4915123456700"},
        "ip": "203.0.113.9",
        "userAgent": "M",
    }
    names = [{"user_id": "ann"}, {"anonymous_id": "x"}, {"email": " ANN@shop.example"}, {"phone": "+49 151 23456700"}]
    async with client_of(tmp_path) as client:
        await client.post("/api/v1/switch", json={"on": False})
        for number, name in enumerate([*names, {"order_id": "4"}]):
            sent = order | {"context": context, "properties": {"order_id": str(number), "revenue": 9}}
            assert (await client.post("/webhook", json=sent)).status_code == 200
            told = (await client.post("/api/v1/forget", json=name)).json()
            assert told["erased"] == {"payloads": 1, "waiting deliveries": 1}, name
