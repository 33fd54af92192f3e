"""The feed is read once a day by one process, kept for all, and stays as it was where the new one cannot be right."""

import io
from typing import Any

import pytest

from app.core.shared_values import FEED, FEED_PIECES, FeedState
from app.errors import FeedUnusable, OutboxUnavailable
from app.insights import product_feed
from app.insights.product_feed import FeedKeeper, FeedReader, ProductCheck, keep_ids, kept_ids
from app.outbox import Outbox
from tests.assembled import shipped_catalog
from tests.insights.products.feeds import feed_of


class Shop:
    """A shop's feed, and processes that follow it."""

    def __init__(self, outbox: Outbox, clock: Any) -> None:
        self.outbox, self.clock = outbox, clock
        self.items: list[str] | None = [f"{n}" for n in range(100)]
        self.fetched = 0

    async def fetch(self, _: str, into: Any) -> None:
        self.fetched += 1
        if self.items is None:
            raise FeedUnusable("it cannot be fetched from shop.example (ConnectError)")
        into.write(feed_of([(each, "G") for each in self.items], "csv"))
        into.seek(0)

    def process(self, *addresses: str) -> tuple[FeedKeeper, ProductCheck]:
        check = ProductCheck(shipped_catalog, lambda _: "product_id")
        errors: list[Exception] = []
        keeper = FeedKeeper(
            self.outbox, check, addresses, clock=lambda: self.clock.now, on_error=errors.append, fetch=self.fetch
        )
        return keeper, check


class Clock:
    now = 1_795_946_400.0


@pytest.fixture
def shop(outbox: Outbox) -> Shop:
    return Shop(outbox, Clock())


def knows(check: ProductCheck, text: str) -> str | None:
    return check.known_as(text) if check.known_as else None


async def test_one_process_reads_once_a_day_and_all_follow(shop: Shop) -> None:
    first, second = shop.process("https://shop.example/f"), shop.process("https://shop.example/f")
    follower = shop.process()
    for keeper, _ in (follower, first, second, follower, first):
        await keeper.look()
    assert shop.fetched == 1
    assert [knows(check, "7") for _, check in (first, second, follower)] == ["item"] * 3
    assert knows(first[1], "G") == "group"
    shop.items = [f"x{n}" for n in range(60)]
    shop.clock.now += 86_401
    await second[0].look()
    await follower[0].look()
    assert shop.fetched == 2
    assert knows(follower[1], "x7") == "item"
    assert knows(follower[1], "7") == "unknown"


async def test_a_feed_that_shrinks_or_fails_is_kept_as_it_was_and_asked_again_in_an_hour(shop: Shop) -> None:
    keeper, check = shop.process("https://shop.example/f")
    await keeper.look()
    began = shop.clock.now + 86_401
    for items, why in ((["7"] * 49, "it shrank from 100 items to 1"), (None, "ConnectError"), ([], "no item of it")):
        shop.items = items
        shop.clock.now = max(began, shop.clock.now + 3_601)
        await keeper.look()
        await keeper.look()
        state = await FEED.read(shop.outbox)
        assert state
        assert why in state.why
        assert (state.items, state.since, state.read_at) == (100, began, Clock.now)
        assert knows(check, "99") == "item"
    assert shop.fetched == 4
    shop.items = [f"{n}" for n in range(50)]
    shop.clock.now += 3_601
    await keeper.look()
    state = await FEED.read(shop.outbox)
    assert (state and state.why, knows(check, "99")) == ("", "unknown")


async def test_ids_of_many_pieces_come_back_whole(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_feed, "_PIECE", 7)
    for count in (30, 5, 44):
        reader = FeedReader()
        items = [(f"{n}", f"g{n // 3}") for n in range(count)]
        reader.read(io.BytesIO(feed_of(items, "csv")))
        state = await keep_ids(outbox, reader.ids(), 1.0)
        ids = await kept_ids(outbox, state)
        assert ids
        assert {ids.known_as(item) for item, _ in items} == {"item"}
        assert ids.known_as("g0") == "group"
        assert (len(ids.items), len(ids.groups)) == (count, -(-count // 3))
        kept = await FEED_PIECES.read_all(outbox)
        assert {name.partition("/")[0] for name in kept} == {f"{state.half}"}
    assert await kept_ids(outbox, FeedState(read_at=1, items=9, half=0 if state.half else 1)) is None


async def test_a_store_that_is_away_is_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, _ = shop.process()
    told: list[Exception] = []
    monkeypatch.setattr(keeper, "_on_error", told.append)

    async def away(_: str) -> None:
        keeper.stop()
        raise OutboxUnavailable("away")

    monkeypatch.setattr(shop.outbox, "get_shared", away)
    await keeper.run()
    assert [str(each) for each in told] == ["away"]
