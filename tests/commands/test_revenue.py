"""`pinrelay orders revenue`, over a real store."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import At, new


@pytest.fixture
def _sold(tmp_path: Path) -> None:
    orders = [
        new(
            order_id=f"SO-{n}",
            amount=amount,
            currency=currency,
            source=source,
            channel="pos" if source == "pos" else "web",
        )
        for n, (amount, currency, source) in enumerate(
            [*((str(20 + n), "EUR", "shop") for n in range(6)), ("2300", "EUR", "pos"), ("1200.5", "CHF", "pos")]
        )
    ]

    async def fill(outbox: Outbox) -> None:
        await outbox.enqueue(orders, [], [], now=time.time())

    in_outbox(tmp_path, fill)


@pytest.mark.usefixtures("_sold")
def test_programs_get_a_line_a_currency(run: Run) -> None:
    euros, francs = map(json.loads, run("orders", "revenue", "--json").stdout.splitlines())
    assert (euros["currency"], euros["received"]["amount"], euros["became"]["waiting"]["orders"]) == ("EUR", "2435", 7)
    assert [odd["times"] for odd in euros["odd"]] == [100]
    received = {each["name"]: each["received"]["amount"] for each in euros["by"]["channel"]}
    assert received == {"pos": "2300", "web": "135"}
    assert (francs["currency"], francs["received"]["average"]) == ("CHF", "1200.50")
    (only,) = run("orders", "revenue", "--json", "--days", "1", "--source", "shop").stdout.splitlines()
    assert json.loads(only)["received"]["orders"] == 6


@pytest.mark.usefixtures("_sold")
def test_people_see_a_table_and_what_looks_wrong(run: Run) -> None:
    shown = " ".join(run("orders", "revenue").stdout.split())
    for text in (
        "pos │ EUR │ 2,300 (1)",
        "web │ EUR │ 135 (6)",
        "EUR",
        "2,435 (7)",
        "CHF",
        "1,200.5 (1)",
        "Delivery 7: 2300 EUR is 100 times the usual amount.",
    ):
        assert text in shown


@pytest.mark.usefixtures("_sold")
def test_where_nothing_is_meant_it_says_so(run: Run) -> None:
    found = run("orders", "revenue", "--preset", "Add to Cart")
    assert (found.exit_code, found.stdout) == (0, "No orders in these days.\n")
    unknown = run("orders", "revenue", "--preset", "Add to Crt")
    assert unknown.exit_code == 1
    assert str(unknown.exception).endswith('the nearest is "Add to Cart"')


def test_the_share_of_orders_that_the_shop_did_not_confirm_is_told(run: Run, tmp_path: Path) -> None:
    async def fill(outbox: Outbox) -> None:
        now = time.time()
        public: dict[str, Any] = {"warnings": ("not confirmed by the shop",)}
        orders = [
            new(order_id=f"SO-{n}", amount="20", currency="EUR", event_time=int(now), **changes)
            for n, changes in enumerate([public, *[{"is_trusted": True}] * 3])
        ]
        at = At(outbox, now)
        await at.enqueue(*orders)
        await at.deliver(*await at.claim())

    in_outbox(tmp_path, fill)
    shown = run("orders", "revenue").stdout
    assert "Public orders among the 4 that were sent in EUR: 1. Not confirmed by the shop: 1 (25%)." in " ".join(
        shown.split()
    )
