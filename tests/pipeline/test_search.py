"""Whatever somebody has at hand leads to the events, as the plainest thing that it is anything of."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio

from app import assemble
from app.core.deliveries import OrderSide
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.outbox import Outbox, open_outbox
from app.pipeline.search import MAX_FOUND_BY, Finder
from tests.assembled import settings
from tests.outbox.build import NOW, At, new, payload, rules
from tests.outbox.new_store import new_store

EMAIL, PHONE = "ann@shop.example", "+1 (415) 555-1234"


@pytest_asyncio.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """Two deliveries, one of which is of a person and dead, and a note."""
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    of_ann = payload(em=[sha256(EMAIL.encode()).hexdigest()], ph=[sha256(b"14155551234").hexdigest()])
    await At(outbox).dead_letter(
        new(message_id="m1", event_id="e1", order_id="SO-1", preset="Order", event_name="checkout", payload=of_ann),
        reason="currency is unknown",
    )
    note = DroppedEvent(message_id="n1", preset="Lead", outcome=Outcome.INVALID, reason="no identifier", source="till")
    more = new(
        message_id="m2", event_id="m1", order_id="14155551234", preset="Order", event_name="custom", warnings=("w: x",)
    )
    await At(outbox).enqueue(more, dropped=(note,))
    yield outbox
    await outbox.close()


@pytest.fixture
def finder(outbox: Outbox) -> Finder:
    return assemble.event_finder(settings(), outbox)


@pytest.mark.parametrize(
    ("text", "looked_for", "found"),
    [
        (" SO-1 ", "order_id", ["m1"]),
        ("m1", "message_id", ["m1"]),
        ("e1", "event_id", ["m1"]),
        ("n1", "message_id", ["n1"]),
        ("1", "order_id", ["m1"]),
        ("2", "delivery_id", ["m2"]),
        ("14155551234", "order_id", ["m2"]),
        (PHONE, "person", ["m1"]),
        (EMAIL.upper(), "person", ["m1"]),
        ("dead", "state", ["m1"]),
        ("Waiting", "state", ["m2"]),
        ("Invalid", "outcome", ["n1"]),
        ("Order", "preset", ["m2", "m1"]),
        ("checkout", "event_name", ["m1"]),
        ("till", "source", ["n1"]),
        ("CURRENCY", "reason", ["m1"]),
        ("identifier", "reason", ["n1"]),
        ("w: ", "warning", ["m2"]),
    ],
)
async def test_a_text_is_looked_for_as_the_first_that_it_is(
    finder: Finder, text: str, looked_for: str, found: list[str]
) -> None:
    answer = await finder.look_up(text, limit=10)
    assert answer is not None
    assert list(answer.query.given) == [looked_for]
    deliveries = [each.message_id for each in answer.deliveries.deliveries]
    assert [*deliveries, *(note.message_id for _, note in answer.dropped.events)] == found


@pytest.mark.parametrize("text", ["", " ", "nothing like it", "99", "unmatched", "x" * (MAX_FOUND_BY + 1)])
async def test_what_leads_nowhere_is_nothing(finder: Finder, text: str) -> None:
    assert await finder.look_up(text, limit=10) is None


async def test_an_address_is_looked_for_by_its_digest_only_even_where_nothing_is_found(finder: Finder) -> None:
    answer = await finder.look_up("nobody@shop.example", limit=10)
    assert answer is not None
    assert (answer.query.given, answer.is_empty) == ({"person": (sha256(b"nobody@shop.example").hexdigest(),)}, True)
    assert "person" not in repr(answer.query)


async def test_an_order_is_found_by_its_number_where_its_id_was_sent(outbox: Outbox, finder: Finder) -> None:
    side = OrderSide(number="#1001")
    await At(outbox).enqueue(new(message_id="m3", order_id="1500", side=side, is_trusted=True))
    for text in ("1500", "1001", "#1001"):
        found = await finder.look_up(text, limit=9)
        assert found is not None
        assert [each.message_id for each in found.deliveries.deliveries] == ["m3"]
    assert (await finder.find(Query(order_id="1002"), limit=9)).is_empty
