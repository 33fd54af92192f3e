"""The page that compares the events of Pinterest's tag with ours."""

from app.core.shared_values import TAG_CALLS, TagCall, TagCalls
from tests.console.world import World
from tests.outbox.build import new


async def test_it_shows_what_counts_twice_and_what_to_change(world: World) -> None:
    assert "No page reported its tag" in await world.html("/console/tag-check")
    given = {"message_id": "ours", "event_id": "ours", "amount": "20.50", "currency": "EUR"}
    await world.outbox.enqueue([new(**given, order_id="A-1")], [], [], now=world.now)
    calls = (TagCall(event="checkout", order_id="A-1"), TagCall(event="checkout", event_id="ours"))
    await TAG_CALLS.of("0").write(world.outbox, TagCalls(at=int(world.now), calls=calls, more=1))
    page = await world.html("/console/tag-check")
    for text in (
        "<code>checkout</code>",
        "20.50 EUR",
        '<td class="n trouble">1</td>',
        "Give the tag the event id that Pinrelay sends",
        "The page gives the tag the id of the message",
        "1 more call reported",
    ):
        assert text in page
    assert 'href="/console/tag-check"' in await world.html("/console/pinterest")
