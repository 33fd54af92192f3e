"""`pinrelay feed`, over a real store."""

import json
import random
import time
from pathlib import Path

import pytest

from app.core.shared_values import FEED, FeedState
from app.insights.inventory.counting import NameCounts, Sampler
from app.insights.product_feed import FeedKeeper, ProductCheck
from app.outbox import Outbox
from tests.assembled import shipped_catalog
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.insights.products.feeds import feed_of
from tests.insights.products.test_products import order


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    file = tmp_path / "feed.xml.gz"
    file.write_bytes(feed_of([(f"v{n}", f"p{n}") for n in range(9)], "rss", packed=True))
    return file


async def _events(outbox: Outbox) -> None:
    """Let 20 orders arrive at a process that follows the feed."""
    check = ProductCheck(shipped_catalog, lambda _: "product_id")
    keeper = FeedKeeper(outbox, check, (), clock=time.time, on_error=print)
    await keeper.look()
    names = NameCounts(Sampler(shipped_catalog), random.Random(1), max_names=9, products=check)
    observe = names.observer("shop", [])
    for number in range(20):
        observe(order({"product_id": f"p{number % 9}", "variant_id": f"v{number % 9}"}, {"product_id": "gone"}))
    await outbox.inventory.add(names.take(), now=time.time(), max_names=9)
    await keeper.look()


def test_it_says_what_is_known_and_which_setting_to_change(run: Run, tmp_path: Path, feed: Path) -> None:
    in_outbox(tmp_path, _nothing)
    shown = run("feed").stdout
    assert "No feed was read: name one, or set FEED_URL." in shown
    shown = run("feed", feed).stdout
    assert "has 9 items, 9 in groups." in shown
    assert "No products were looked up in these days" in shown
    in_outbox(tmp_path, _events)
    shown = " ".join(run("feed").stdout.split())
    for text in (
        "Order Completed",
        "50% group, 50% unknown",
        "50% item, 50% unknown",
        "Order Completed from shop: unknown are gone (20).",
        "The feed would know 50% of the products instead of 50%: set CONTENT_ID=variant_id.",
    ):
        assert text in shown
    shown = run("feed", CONTENT_ID="variant_id").stdout
    assert "No other CONTENT_ID would find more products." in shown
    told = json.loads(run("feed", "--json").stdout)
    assert told["feed"]["items"] == 9
    assert told["events"][0]["known"]["variant_id"] == {"item": 20, "group": 0, "unknown": 20}
    assert told["unknown"] == {"Order Completed from shop": {"gone": 20}}
    assert told["advice"].endswith("CONTENT_ID=variant_id.")


async def _nothing(_: Outbox) -> None:
    """Make the store."""


async def _failed(outbox: Outbox) -> None:
    state = FeedState(read_at=1.0, items=2, groups=1, skipped=3, why="it shrank", since=86_400.0)
    await FEED.write(outbox, state)


def test_a_feed_that_was_not_taken_up_is_named_with_the_reason(run: Run, tmp_path: Path) -> None:
    in_outbox(tmp_path, _failed)
    shown = run("feed").stdout
    assert "The feed of 1970-01-01 00:00:01 has 2 items, 1 in groups, 3 without a usable id." in shown
    assert "The feed was not taken up since 1970-01-02 00:00:00: it shrank." in shown


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("http://shop.example/feed.xml", "must begin with https://"),
        ("https://localhost/feed.xml", "private network"),
        ("nowhere.xml", "cannot read nowhere.xml"),
    ],
)
def test_a_place_that_cannot_be_read_is_an_error(run: Run, tmp_path: Path, place: str, why: str) -> None:
    in_outbox(tmp_path, _nothing)
    result = run("feed", place)
    assert result.exit_code in {1, 2}
    assert why in f"{result.stderr}{result.exception}"


def test_a_feed_address_must_be_https(run: Run) -> None:
    result = run("feed", FEED_URL="http://shop.example/feed.xml")
    assert "must begin with https://" in f"{result.stderr}{result.exception}"
