"""The field at the head of every page: whatever is typed leads to what is known by it."""

import re
from hashlib import sha256
from html import unescape
from pathlib import Path

import orjson
import pytest

from app.core.deliveries import Rejected, State
from tests.console.world import World, new_delivery, open_world

EMAIL = "ann@shop.example"


async def _fill(world: World, *, of_ann: int = 1) -> None:
    """One dead delivery, and some of a person."""
    await world.enqueue(
        new_delivery("m-1", order_id="SO-1001", name="Order Completed"), new_delivery("one", order_id="1")
    )
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    digest = sha256(EMAIL.encode()).hexdigest()
    payload = orjson.dumps({"event_name": "checkout", "user_data": {"em": [digest]}})
    await world.enqueue(*(new_delivery(f"ann-{number}", payload=payload) for number in range(of_ann)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        (" SO-1001 ", "order/SO-1001"),
        ("so-1001", "order/SO-1001"),
        ("#1001", "order/SO-1001"),
        ("1001", "order/SO-1001"),
        ("m-1", "deliveries?message_id=m-1"),
        ("event-m-1", "deliveries?event_id=event-m-1"),
        ("dead", "deliveries?state=dead"),
        ("CURRENCY", "deliveries?reason=CURRENCY"),
        ("Checkout", "deliveries?preset=Checkout"),
    ],
)
async def test_what_is_no_persons_becomes_an_address_that_can_be_shared(text: str, leads_to: str, world: World) -> None:
    await _fill(world)
    answer = await world.browser.post("/console/find", data={"text": text})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/{leads_to}")
    assert "m-1" in (await world.browser.get(answer.headers["location"])).text


async def test_a_person_is_found_by_digest_and_what_was_typed_is_nowhere(world: World) -> None:
    await _fill(world, of_ann=60)
    seen: set[str] = set()
    form: dict[str, str] | None = {"text": f" {EMAIL.upper()} "}
    while form:
        answer = await world.browser.post("/console/find", data=form)
        assert answer.status_code == 200
        assert EMAIL not in answer.text.lower()
        seen.update(re.findall(r'message\?id=([\w-]+)"', answer.text))
        page = answer.text.split("<main")[1]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page))
        form = hidden if "cursor" in hidden else None
    assert seen == {f"ann-{number}" for number in range(60)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no such thing", "Nothing is known of “no such thing”"),
        ("+1 415 555 1234", "Nothing is known of what you typed"),
    ],
)
async def test_what_leads_nowhere_is_told(text: str, told: str, world: World) -> None:
    await _fill(world)
    answer = await world.browser.post("/console/find", data={"text": text})
    assert told in unescape(answer.text)


async def test_a_viewer_looks_for_orders_and_not_for_people(tmp_path: Path) -> None:
    async with open_world(tmp_path, users=("bob:token-of-bob",)) as world:
        await _fill(world)
        headers = {"Authorization": "Bearer token-of-bob"}
        order, *people = [
            await world.browser.post("/console/find", data={"text": text}, headers=headers)
            for text in ("SO-1001", EMAIL, sha256(EMAIL.encode()).hexdigest(), "4155551234")
        ]
    assert order.status_code == 303
    assert [answer.status_code for answer in people] == [403] * 3


@pytest.mark.slow
async def test_the_field_stands_on_every_page(world: World) -> None:
    for path in ("", "/deliveries", "/tester", "/mappings", "/activity"):
        assert 'action="/console/find"' in (await world.browser.get(f"/console{path}")).text
