"""When shops created their orders, and which of their clocks are ahead."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.outbox import Outbox, open_outbox
from app.pipeline.shop_clocks import ShopClocks
from tests.outbox.build import NOW, rules
from tests.rows import every_row


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = open_outbox(f"sqlite:///{tmp_path}/o.db", rules())
    yield opened
    await opened.close()


def read(clocks: ShopClocks, ahead_s: float, *, number: int = 0, source: str = "shop", counts: bool = True) -> Any:
    event: Any = {"messageId": f"m-{number}", "order_created_at": NOW + ahead_s}
    return clocks.created_at(source, event, NOW, counts=counts)


@every_row(
    ("given", "created"),
    [
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
        (int(NOW) - 60, NOW - 60),
        (NOW + 5, NOW + 5),
        (None, None),
        ("yesterday", None),
        ({}, None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_a_creation_time_is_read(given: Any, created: float | None) -> None:
    event: Any = {"messageId": "m", "order_created_at": given}
    assert ShopClocks().created_at("shop", event, NOW, counts=True) == (created, ())


def test_a_clock_that_is_ahead_counts_for_nothing_until_20_orders_in_a_row_are_right() -> None:
    clocks = ShopClocks()
    created, warnings = read(clocks, 600)
    assert (created, [each.partition(":")[0] for each in warnings]) == (None, ["the shop's clock is ahead"])
    assert "source shop" in warnings[0]
    assert "600 s" in warnings[0]
    assert [read(clocks, -60, number=number)[0] for number in range(19)] == [None] * 19
    assert read(clocks, 6) != (None, ())
    assert [read(clocks, -60, number=number)[0] for number in range(20)] == [None] * 20
    assert read(clocks, -60, number=20) == (NOW - 60, ())


def test_an_order_that_comes_twice_is_one_right_order() -> None:
    clocks = ShopClocks()
    read(clocks, 600)
    assert [read(clocks, -60)[0] for _ in range(30)] == [None] * 30


def test_a_clock_is_that_of_one_source() -> None:
    clocks = ShopClocks()
    read(clocks, 600)
    assert read(clocks, -60, source="other") == (NOW - 60, ())


def test_an_order_that_did_not_arrive_is_not_counted() -> None:
    clocks = ShopClocks()
    assert read(clocks, 600, counts=False)[1]
    assert read(clocks, -60) == (NOW - 60, ())
    read(clocks, 600)
    assert [read(clocks, -60, number=number, counts=False)[0] for number in range(30)] == [None] * 30


async def test_every_process_knows_which_clocks_are_ahead(outbox: Outbox) -> None:
    one, other = ShopClocks(), ShopClocks()
    read(one, 600)
    await one.share(outbox)
    await other.share(outbox)
    assert read(other, -60) == (None, ())
    for number in range(20):
        read(one, -60, number=number)
    await one.share(outbox)
    await other.share(outbox)
    assert read(other, -60) == (NOW - 60, ())
    await one.share(outbox)
    assert read(one, -60) == (NOW - 60, ())
