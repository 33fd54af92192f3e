"""Searches by `/api`: deliveries and dropped events by filters, anything by whatever is at hand."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from httpx import AsyncClient

from app.core.deliveries import State
from app.core.pages import Query
from app.operations.deliveries import DeadParams, ListParams
from app.outbox import SEARCH_FILTERS
from tests.web.client import client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "context": {"ip": "203.0.113.9", "userAgent": "x", "traits": {"email": "ann@shop.example"}},
    "properties": {"order_id": "SO-1001", "total": 10, "currency": "EUR"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application that took an order, the same once more, and an event that cannot be sent."""
    nobody = {**ORDER, "messageId": "m-3", "context": {}, "properties": {"order_id": "SO-1002"}}
    async with client_of(tmp_path_factory.mktemp("searched")) as client:
        for event in (ORDER, {**ORDER, "messageId": "m-2"}, nobody):
            await client.post("/webhook", json=event)
        yield client


async def test_every_filter_is_in_the_description() -> None:
    assert set(ListParams.model_fields) == {*SEARCH_FILTERS, "sort", "cursor", "limit"}
    assert set(DeadParams.model_fields) == {*SEARCH_FILTERS, "all", "dry_run"} - {"state"}
    asked = DeadParams.model_validate({"is_order": "yes", "currency": "none"})
    assert asked.query == Query(is_order=True, currency="", state=State.DEAD)


@pytest.mark.parametrize(
    ("query", "deliveries", "dropped"),
    [
        ("order_id=SO-1001", ["m-1"], ["m-2"]),
        ("outcome=invalid", [], ["m-3"]),
        ("currency=eur&outcome=enqueued", ["m-1"], []),
        ("cursor=99999999999999999999&order_id=SO-1001", ["m-1"], ["m-2"]),
        ("outcome=duplicate&order_id=SO-1001", [], ["m-2"]),
        ("event_name=checkout&limit=1", ["m-1"], ["m-3"]),
        ("source=default&since=2020-01-01&until=2021-01-01", [], []),
    ],
)
async def test_deliveries_and_notes_are_found_by_filters(
    client: AsyncClient, query: str, deliveries: list[str], dropped: list[str]
) -> None:
    found = (await client.get(f"/api/v1/deliveries?{query}")).json()["deliveries"]
    noted = (await client.get(f"/api/v1/events/not-sent?{query}")).json()["dropped_events"]
    assert [each["message_id"] for each in found] == deliveries
    assert [each["message_id"] for each in noted] == dropped
    assert all(each["at"] > 0 for each in noted)


@pytest.mark.parametrize("path", ["deliveries", "events/not-sent"])
@pytest.mark.parametrize("cursor", ["xx", "--1", "", "\u0663", "9" * 5_000], ids=lambda text: repr(text[:5]))
async def test_a_cursor_of_no_page_is_refused(client: AsyncClient, path: str, cursor: str) -> None:
    answer = await client.get(f"/api/v1/{path}", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor: " in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/deliveries", "/api/v1/events/not-sent"])
async def test_an_unknown_filter_is_refused_with_those_that_there_are(client: AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}?order=SO-1001")
    assert answer.status_code == 422
    assert "order_id" in answer.json()["detail"]
    assert (await client.get(f"{path}?since=noon")).status_code == 422


@pytest.mark.parametrize(
    ("text", "looked_for", "deliveries"),
    [("SO-1001", "order_id", ["m-1"]), ("Ann@Shop.example", "person", None), ("no such thing", None, [])],
)
async def test_whatever_is_at_hand_is_looked_for(
    client: AsyncClient, text: str, looked_for: str | None, deliveries: list[str] | None
) -> None:
    answer = await client.post("/api/v1/find", json={"text": text})
    found = answer.json()
    assert list(found["looked_for"] or {}) == ([looked_for] if looked_for else [])
    if deliveries is not None:
        assert [each["message_id"] for each in found["deliveries"]] == deliveries
    assert text not in answer.text or looked_for != "person"


async def test_a_person_is_never_looked_for_by_an_address_of_a_page(client: AsyncClient) -> None:
    assert (await client.get("/api/v1/find?text=ann@shop.example")).status_code in {404, 405}
