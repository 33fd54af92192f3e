"""Each operation needs one role, whichever surface offers it: the console and the interface for programs.

Commands are not listed: they run with the rights of the user of the operating system.
"""

from collections.abc import AsyncIterator
from itertools import chain
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.routing import Route

from app.access.users import UserRole
from app.main import create_app
from tests.assembled import settings
from tests.outbox.new_store import new_store

pytestmark = pytest.mark.asyncio(loop_scope="module")

V, O = UserRole.VIEWER, UserRole.OPERATOR  # noqa: E741 - beside V it is no zero
EMAIL = "ada@example.com"
TOKENS = {V: "token-of-bob", O: "token-of-ada"}


class Ask(NamedTuple):
    """A request to a route; `given` is its JSON body, or its form."""

    route: str
    given: dict[str, Any]


def ask(route: str, **given: Any) -> Ask:
    return Ask(route, given)


#: By operation: the role that it needs, and its routes.
#:
#: Reads are for viewers. `quarantine preview` shows counts of outcomes and their reasons, as the list of the quarantine
#: and the list of events that were not sent do, and nothing of an event. `events find` shows what the lists show.
#: For operators: every change, the search for a person's events, events and requests in plain text (live tail, editor),
#: and erasures, whose references are free text.
OPERATIONS: dict[str, tuple[UserRole, list[Ask]]] = {
    "deliveries list": (V, [ask("GET /api/v1/deliveries"), ask("GET /console/deliveries")]),
    "deliveries show": (V, [ask("GET /api/v1/deliveries/{id}"), ask("GET /console/delivery")]),
    "deliveries causes": (V, [ask("GET /api/v1/deliveries/causes"), ask("GET /console/deliveries")]),
    "incidents list": (V, [ask("GET /api/v1/incidents"), ask("GET /console")]),
    "deliveries as CSV": (V, [ask("GET /console/deliveries.csv")]),
    "activity as CSV": (V, [ask("GET /console/activity.csv")]),
    "names to go to": (V, [ask("GET /console/find")]),
    "deliveries redrive": (
        O,
        [ask("POST /api/v1/deliveries/redrive", all=True), ask("POST /console/deliveries/redrive", all="true")],
    ),
    "deliveries redrive, how many": (V, [ask("GET /console/deliveries/redrive")]),
    "deliveries dismiss": (
        O,
        [
            ask("POST /api/v1/deliveries/dismiss", all=True, because="x"),
            ask("POST /console/deliveries/dismiss", all="true", because="x"),
        ],
    ),
    "deliveries dismiss, how many": (V, [ask("GET /console/deliveries/dismiss")]),
    "events list": (V, [ask("GET /api/v1/events"), ask("GET /console/inventory")]),
    "events properties": (V, [ask("GET /api/v1/events/properties"), ask("GET /console/inventory/name")]),
    "events show": (V, [ask("GET /api/v1/messages/{message_id}"), ask("GET /console/message")]),
    "events find": (
        V,
        [ask("POST /api/v1/find", text="SO-1"), ask("GET /console/find"), ask("POST /console/find", text="SO-1")],
    ),
    "events find, of a person": (O, [ask("POST /api/v1/find", text=EMAIL), ask("POST /console/find", text=EMAIL)]),
    "events not-sent": (V, [ask("GET /api/v1/events/not-sent"), ask("GET /console/deliveries")]),
    "events counts": (V, [ask("GET /api/v1/events/counts"), ask("GET /console")]),
    "events quality": (V, [ask("GET /console/quality")]),
    "events tail": (O, [ask("GET /console/tail"), ask("POST /console/tail"), ask("POST /console/tail/open")]),
    "orders revenue": (V, [ask("GET /api/v1/orders/revenue"), ask("GET /console/revenue")]),
    "orders show": (V, [ask("GET /console/order/{order_id:path}")]),
    "orders compare": (O, [ask("POST /console/revenue/compare")]),
    "orders compare, its form": (V, [ask("GET /console/revenue/compare")]),
    "orders pinterest": (V, [ask("GET /console/pinterest")]),
    "people find": (V, [ask("GET /console/people"), ask("POST /console/people", by="user_id", whom="ann")]),
    "people export": (O, [ask("POST /console/people/held")]),
    "people erase": (
        O,
        [ask("POST /api/v1/forget"), ask("POST /console/people/erase"), ask("POST /console/people/forget")],
    ),
    "people erasures": (O, [ask("GET /console/people/erasure")]),
    "quarantine list": (V, [ask("GET /api/v1/quarantine"), ask("GET /console/quarantine")]),
    "quarantine preview": (V, [ask("GET /api/v1/quarantine/preview"), ask("GET /console/quarantine/preview")]),
    "quarantine replay": (
        O,
        [ask("POST /api/v1/quarantine/replay", all=True), ask("POST /console/quarantine/replay", all="true")],
    ),
    "quarantine discard": (
        O,
        [ask("POST /api/v1/quarantine/discard", all=True), ask("POST /console/quarantine/discard", all="true")],
    ),
    "presets list": (V, [ask("GET /console/mappings"), ask("GET /console/preset"), ask("GET /console/versions")]),
    "presets edit": (O, [ask("GET /console/preset/edit"), ask("POST /console/preset/edit")]),
    "presets publish": (O, [ask("POST /console/publish"), ask("POST /console/publish/now")]),
    "presets reload": (O, [ask("POST /api/v1/reload"), ask("POST /console/mappings/reload")]),
    "presets enable": (O, [ask("POST /api/v1/switch"), ask("POST /console/mappings/switch", on="yes")]),
    "sources pixel": (V, [ask("GET /console/pixel")]),
    "tag check": (V, [ask("GET /console/tag-check")]),
    "preview": (V, [ask("GET /console/tester"), ask("POST /console/tester", example="Checkout")]),
    "preview --send": (O, [ask("POST /console/tester", example="Checkout", send="Checkout")]),
    "audit": (V, [ask("GET /api/v1/audit"), ask("GET /console/activity")]),
    "status": (V, [ask("GET /api/v1/status"), ask("GET /console")]),
    "alerts test": (O, [ask("POST /console/activity/test-alert")]),
}
#: Routes that are no operation: everybody reaches them, or everybody who has logged in.
NO_OPERATION = {
    "GET /console/login",
    "POST /console/login",
    "POST /console/logout",
    "GET /console/static/{name}",
    "GET /console/{rest:path}",
}
ASKED = [(operation, role, each) for operation, (role, asked) in OPERATIONS.items() for each in asked]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Return an application with an operator and a viewer."""
    return create_app(
        settings(
            outbox_url=new_store(tmp_path_factory.mktemp("roles"), "pinrelay.db"),
            console_users=f"ada:operator:{TOKENS[O]},bob:{TOKENS[V]}",
            quarantine_hours=1,
            quarantine_key="a key of the quarantine, long enough",
        )
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client whose forms come from a page of the console."""
    transport, headers = httpx.ASGITransport(app), {"Origin": "http://127.0.0.1"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client,
    ):
        yield client


def of_operators(path: str) -> bool:
    return path.startswith(("/api/", "/console")) and not path.startswith("/api/s/")


async def test_every_route_of_operators_surfaces_belongs_to_one_operation(app: FastAPI) -> None:
    included = [route.original_router.routes for route in app.routes if hasattr(route, "original_router")]
    routes = [
        f"{method} {route.path}"
        for route in chain.from_iterable(included)
        if isinstance(route, Route) and of_operators(route.path)
        for method in route.methods or ()
        if method != "HEAD"
    ]
    assert set(routes) == {each.route for _, _, each in ASKED} | NO_OPERATION


@pytest.mark.parametrize(
    ("role", "asked"), [each[1:] for each in ASKED], ids=[f"{operation}: {each.route}" for operation, _, each in ASKED]
)
async def test_an_operation_needs_the_same_role_on_every_surface(
    role: UserRole, asked: Ask, client: httpx.AsyncClient
) -> None:
    method, _, path = asked.route.partition(" ")
    given = asked.given if method == "POST" else None
    body: dict[str, Any] = {"json" if path.startswith("/api/") else "data": given}
    path = path.replace("{order_id:path}", "SO-1").replace("{id}", "1").replace("{message_id}", "m-1")
    refused = set()
    for each, token in TOKENS.items():
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **body)
        assert answer.status_code not in {401, 405, 500}
        if answer.status_code == 403:
            refused.add(each)
            assert "operator" in answer.text
    assert refused == ({V} if role is O else set())
