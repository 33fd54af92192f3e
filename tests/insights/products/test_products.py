"""Products of events are looked up under each id, and the right CONTENT_ID is advised."""

import io
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from app.core.events import EventKey, InventoryCount, Measure
from app.core.shared_values import FEED_UNKNOWN
from app.insights.inventory.counting import NameCounts, Sampler
from app.insights.product_feed import CANDIDATES, FeedMatches, FeedReader, ProductCheck, advice, read_known
from app.outbox import Outbox
from tests.assembled import shipped_catalog
from tests.rows import every_row

NOW = 1_795_946_400.0


def checked(content_id: str, ids: Any = None) -> ProductCheck:
    """Return what looks products up by a feed of ids: as item, group or unknown."""
    check = ProductCheck(shipped_catalog, lambda source: "sku" if source == "other" else content_id)
    check.known_as = ids
    return check


def order(*products: Any, **properties: Any) -> dict[str, Any]:
    given = {"order_id": "A-1", "products": list(products), **properties}
    return {"type": "track", "event": "Order Completed", "messageId": "m", "properties": given}


KEY = EventKey("shop", "track", "Order Completed")


def known_as(text: str) -> str:
    return "item" if text.startswith("v") else "group" if text.startswith("p") else "unknown"


@every_row(
    ("content_id", "event", "expected"),
    [
        (
            "product_id",
            order({"product_id": "p1", "variant_id": "v1", "sku": "s1"}),
            ["product_id group", "sent group", "variant_id item", "sku unknown", f"{CANDIDATES[3]} group"],
        ),
        ("sku", order({"product_id": "p1", "sku": "s1"}), ["sku unknown", "sent unknown", "product_id group"]),
        ("{{ variant_id }}", order({"variant_id": "v1"}), ["{{ variant_id }} item", "sent item", "variant_id item"]),
        ("product_id", order(content_ids="v9"), ["product_id item", "sent item", "variant_id item", "sku item"]),
        ("product_id", order(), []),
        ("product_id", {"type": "track", "event": "No Preset", "messageId": "m", "properties": {"sku": "s"}}, []),
    ],
)
def test_a_product_is_looked_up_under_each_id(content_id: str, event: dict[str, Any], expected: list[str]) -> None:
    labels = checked(content_id, known_as).labels(event, KEY)
    assert labels[: len(expected)] == expected
    assert bool(labels) == bool(expected)
    assert checked(content_id).labels(event, KEY) == []


async def test_unknown_ids_are_kept_bounded_and_without_personal_data(outbox: Outbox) -> None:
    check = checked("product_id", known_as)
    for number in range(300):
        check.labels(order({"product_id": f"x{number % 250}"}, {"product_id": "often"}), KEY)
    check.labels(order({"product_id": "ada@example.com"}), KEY)
    for number in range(90):
        check.labels(order({"sku": "s"}), EventKey("other", "track", f"Order Completed{number}"))
    await check.keep_unknown(outbox)
    await check.keep_unknown(outbox)  # there is nothing new
    kept = await FEED_UNKNOWN.read(outbox) or {}
    assert next(iter(kept["Order Completed from shop"].items())) == ("often", 300)
    assert len(kept["Order Completed from shop"]) <= 100
    assert len(kept) == 50
    assert "ada@example.com" not in str(kept)
    check.known_as = lambda text: "item" if text == "often" else "unknown"
    check.labels(order({"product_id": "x1"}), KEY)
    check.labels(order({"product_id": "x1"}), EventKey("third", "track", "Order Completed"))
    await check.keep_unknown(outbox)
    again = await FEED_UNKNOWN.read(outbox) or {}
    assert "often" not in again["Order Completed from shop"]
    assert len(again) == 50


async def test_what_the_inventory_counts_is_what_is_reported(outbox: Outbox) -> None:
    check = checked("product_id", known_as)
    names = NameCounts(Sampler(shipped_catalog), random.Random(1), max_names=9, products=check)
    observe = names.observer("shop", [])
    for _ in range(20):
        observe(order({"product_id": "p1", "variant_id": "v1"}, {"product_id": "x"}))
    await outbox.inventory.add(names.take(), now=NOW, max_names=9)
    assert not any(each.counted is Measure.CATALOGUE for each in names.take())
    found = await read_known(outbox.inventory, now=NOW, days=1)
    assert found[KEY]["product_id"] == found[KEY]["sent"] == {"group": 20, "unknown": 20}
    assert str(found[KEY]["variant_id"]) == "50% item, 50% unknown"
    assert await read_known(outbox.inventory, now=NOW + 9 * 86_400, days=1) == {}
    told = "The feed would know 50% of the products instead of 50%: set CONTENT_ID=variant_id."
    assert advice(found, lambda _: "product_id") == told


# 200 shops of which the right answer is known

IDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "product_id": lambda shop: shop["product_id"],
    "variant_id": lambda shop: shop["variant_id"],
    "sku": lambda shop: shop["sku"],
    "{{ product_id }}_{{ sku }}": lambda shop: f"{shop['product_id']}_{shop['sku']}",
}


def a_product(rng: random.Random, number: int) -> dict[str, Any]:
    variant = rng.randrange(1, 4)
    return {
        "product_id": 1_000 + number,
        "variant_id": (1_000 + number) * 10 + variant,
        "sku": f"S-{number}-{variant}",
        "price": 5,
        "quantity": 1,
    }


def counted(rng: random.Random, right: str, is_set: str, source: str) -> dict[EventKey, dict[str, FeedMatches]]:
    """Return what is counted of a shop whose feed has its products under the right id."""
    products = [a_product(rng, number) for number in range(30)]
    listed = [product for product in products if rng.random() < 0.9]  # a few are in no feed
    reader = FeedReader()
    lines = "\n".join(f"{IDS[right](product)},{product['product_id']}g" for product in listed)
    reader.read(io.BytesIO(f"id,item_group_id\n{lines}\n".encode()))
    check = ProductCheck(shipped_catalog, lambda _: is_set)
    check.known_as = reader.ids().known_as
    shape = rng.choice(["products", "line_items", "flat"])
    found: dict[EventKey, dict[str, FeedMatches]] = {}
    for product in products:
        if shape == "flat":
            event = {"type": "track", "event": "Product Added", "messageId": "m", "properties": product}
        else:
            event = order(**{"products": [], shape: [product]})
        key = EventKey(source, "track", str(event["event"]))
        for label, number in Counter(check.labels(event, key)).items():
            name, _, known = label.rpartition(" ")
            found.setdefault(key, {}).setdefault(name, FeedMatches())[known] += number
    return found


@pytest.mark.slow
def test_the_right_setting_is_advised_for_200_generated_shops() -> None:
    rng, wrong = random.Random(38), []
    for _ in range(200):
        right, is_set = rng.choice(CANDIDATES), rng.choice(CANDIDATES)
        told = advice(counted(rng, right, is_set, "shop"), {"shop": is_set}.__getitem__)
        expected = "" if right == is_set else f"set CONTENT_ID={right}."
        if (told == "") != (expected == "") or not told.endswith(expected):
            wrong.append((right, is_set, told))
    assert wrong == []


def test_one_shop_of_two_is_advised_by_its_file() -> None:
    rng = random.Random(1)
    found = counted(rng, "sku", "product_id", "first") | counted(rng, "product_id", "product_id", "second")
    told = advice(found, lambda _: "product_id")
    assert told.endswith("set `content_id: 'sku'` in the file of the source first.")
    both = counted(rng, "sku", "product_id", "first") | counted(rng, "sku", "product_id", "second")
    assert advice(both, lambda _: "product_id").endswith("set CONTENT_ID=sku.")


@pytest.mark.parametrize(
    ("counts", "is_set"),
    [
        ({}, "sku"),
        ({"sku": FeedMatches(unknown=19), "product_id": FeedMatches(item=19)}, "sku"),  # too few
        ({"sku": FeedMatches(item=96, unknown=4), "product_id": FeedMatches(item=100)}, "sku"),  # hardly better
        ({"sku": FeedMatches(group=50), "product_id": FeedMatches(group=50)}, "sku"),
    ],
)
def test_nothing_is_advised_for_little(counts: dict[str, FeedMatches], is_set: str) -> None:
    assert advice({KEY: counts}, lambda _: is_set) == ""


def test_a_label_is_a_count_of_the_inventory() -> None:
    assert InventoryCount(KEY, Measure.CATALOGUE, "sku item", 1).label == "sku item"
