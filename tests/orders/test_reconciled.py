"""Where each order of the shop went."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from app.orders.comparing import reconciled
from app.orders.fates import OrderFate, OrderVerdict
from app.outbox import open_outbox
from tests import assembled
from tests.orders.planted_orders import KINDS, planted, play
from tests.outbox.build import ACCOUNT, DAY_S, NOW, rules

ORDERS = 10_000


@pytest.mark.slow
async def test_of_ten_thousand_orders_each_loss_is_named_and_none_that_is_none(tmp_path: Path) -> None:
    shop = planted(ORDERS)
    file = tmp_path / "orders.csv"
    file.write_text(shop.file)
    outbox = open_outbox(f"sqlite:///{tmp_path}/o.db", rules(), clock=lambda: NOW)
    told: dict[str, OrderVerdict] = {}
    try:
        pipeline = assembled.pipeline(
            outbox=outbox,
            consent_categories=("ads",),
            pinterest_ad_account_id=ACCOUNT,
            pinterest_conversion_token="t" * 20,
        )
        await play(shop, pipeline, outbox)
        found = await reconciled(
            outbox,
            str(file),
            ledger_begins=NOW - 30 * DAY_S,
            on_verdict=lambda each: told.update({each.order_id: each}),
        )
    finally:
        await outbox.close()

    wrong = {
        order: (kind, told[order].fate.value, told[order].reason)
        for order, kind in shop.kinds.items()
        if told[order].fate.value != KINDS[kind][0] or not told[order].reason.startswith(KINDS[kind][1])
    }
    assert wrong == {}
    assert told.keys() == shop.kinds.keys()
    assert found.columns.kind == "Shopify's export"
    sums = found.sums
    sent: dict[str, Decimal] = {}
    for cell, worth in sums.cells.items():
        if cell.fate is OrderFate.SENT:
            assert worth.shop == worth.sent
            sent[cell.currency] = sent.get(cell.currency, Decimal()) + worth.sent
    assert sent == {currency: worth for (kind, currency), worth in shop.worth.items() if kind == "fine"}
    assert sums.right == Counter(shop.kinds.values())["fine"]
