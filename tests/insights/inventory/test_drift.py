"""What is new and what has vanished is told; what is usual is not."""

from itertools import chain

import pytest

from app.core.events import EventKey, InventoryCount
from app.insights.inventory.figures import LEAST_SAMPLED, Change, changes
from tests.insights.inventory.build import NOW, ORDER, day
from tests.rows import every_row

NEW = EventKey("shop", "track", "order completed")
OTHERS = EventKey("shop", "", "*")
Rows = list[tuple[int, InventoryCount]]


def usual(*recent: Rows, days: int = 8) -> Rows:
    """A week in which every order has a total, and what came yesterday and today."""
    before = (day(back, sampled=30, total_number=30, coupon_text=3) for back in range(days, 1, -1))
    return list(chain(*before, *recent))


def whole(back: int, sampled: int = 30) -> Rows:
    return day(back, sampled=sampled, total_number=sampled, coupon_text=1)


@every_row(
    ("rows", "told"),
    [
        (usual(whole(1), whole(0)), []),
        (usual(whole(1), whole(0), day(0, NEW, 1)), [Change(key=NEW, what="new name")]),
        (usual(whole(1), day(1, NEW, 1)), [Change(key=NEW, what="new name")]),
        (usual(whole(1), day(0, OTHERS, 9)), []),
        (usual(day(5, NEW, 1), whole(0), day(0, NEW, 1)), []),
        (
            usual(whole(1), day(0, sampled=30, total_number=30, tax_number=4)),
            [Change(key=ORDER, what="new property", label="properties.tax number")],
        ),
        (usual(whole(1), day(0, sampled=90, total_number=90, tax_number=1)), []),
        (
            usual(whole(1), day(0, sampled=LEAST_SAMPLED)),
            [Change(key=ORDER, what="vanished property", label="properties.total number")],
        ),
        (usual(whole(1), day(0, sampled=LEAST_SAMPLED - 1)), []),
        (
            usual(day(1, sampled=30), day(0, sampled=1)),
            [Change(key=ORDER, what="vanished property", label="properties.total number")],
        ),
        (
            usual(day(1, sampled=30, total_text=30), day(0, sampled=30, total_text=30)),
            [Change(key=ORDER, what="changed kind", label="properties.total from number to text")],
        ),
        # too young to say what is usual
        (usual(day(0, sampled=30, tax_number=30), days=3), []),
        (list(chain(whole(1), day(0, NEW, 1))), []),
        ([], []),
    ],
    ids=range(14),
)
def test_what_is_new_or_gone_is_told_once_enough_is_known(rows: Rows, told: list[Change]) -> None:
    assert changes(rows, now=NOW) == told


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(key=NEW, what="new name"), "order completed from shop is new"),
        (Change(key=ORDER, what="new property", label="a text"), "Order Completed from shop: a text is new"),
        (Change(key=ORDER, what="vanished property", label="a text"), "Order Completed from shop: a text is missing"),
        (
            Change(key=ORDER, what="changed kind", label="a from text to number"),
            "Order Completed from shop: a from text to number changed",
        ),
    ],
)
def test_a_change_in_words(change: Change, text: str) -> None:
    assert change.text == text
