"""Where each order of the shop went."""

import asyncio
import csv
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.deliveries import OrderSide
from app.insights.orders.reconcile import reconciled
from app.insights.orders.verdicts import OrderFate, OrderVerdict
from app.outbox import open_outbox
from tests import assembled
from tests.insights.orders.planted_orders import COLUMNS, KINDS, planted, play
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, new, rules
from tests.outbox.new_store import new_store
from tests.whole.planted import PLANTED

ORDERS = 10_000


def files_in(folder: Path) -> list[Path]:
    """All that lies in this user's part of the folder of temporary files, at any depth."""
    return list((folder / f"pinrelay-{os.geteuid()}").rglob("*"))


@pytest.mark.slow
async def test_of_ten_thousand_orders_each_loss_is_named_and_none_that_is_none(tmp_path: Path) -> None:
    shop = planted(ORDERS)
    file = tmp_path / "orders.csv"
    file.write_text(shop.file)
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
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


@pytest.mark.slow
async def test_personal_columns_reach_no_disk(tmp_path: Path, temporary: Path) -> None:
    told: list[str] = []

    def look(verdict: OrderVerdict) -> None:
        (ours,) = (temporary / f"pinrelay-{os.geteuid()}").iterdir()
        kept = b"".join(each.read_bytes() for each in ours.rglob("*") if each.is_file())
        told.extend(
            (verdict.fate, f"{ours.stat().st_mode & 0o777:o}", *(text for text in PLANTED if text.encode() in kept))
        )

    file = tmp_path / "orders.csv"
    with file.open("w") as opened:
        rows = csv.writer(opened)
        rows.writerow([*COLUMNS, *map("Note {}".format, range(len(PLANTED)))])
        rows.writerow(["#1", PLANTED[0], "paid", "25", "25", "EUR", "", PLANTED[1], "1", *PLANTED])
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    try:
        await reconciled(outbox, str(file), ledger_begins=NOW, on_verdict=look)
    finally:
        await outbox.close()
    assert told == ["never received", "700"]
    assert files_in(temporary) == []


@pytest.mark.slow
async def test_who_cancels_it_waits_until_nothing_is_left(tmp_path: Path, temporary: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"{','.join(COLUMNS)}\n#1,,paid,1,1,EUR,,,1\n#2,,paid,2,2,EUR,,,2\n")
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    loop, told = asyncio.get_running_loop(), []

    def cancel(verdict: OrderVerdict) -> None:
        told.append(verdict.order_id)
        loop.call_soon_threadsafe(comparing.cancel)

    comparing = asyncio.create_task(reconciled(outbox, str(file), ledger_begins=NOW, on_verdict=cancel))
    try:
        with pytest.raises(asyncio.CancelledError):
            await comparing
    finally:
        await outbox.close()
    assert told == ["#1", "#2"]
    assert files_in(temporary) == []


@pytest.mark.slow
async def test_an_order_that_cannot_be_read_is_not_as_the_shop_has_it_and_what_is_dropped_is_counted(
    tmp_path: Path,
) -> None:
    file, made = tmp_path / "orders.csv", f"{datetime.fromtimestamp(NOW, UTC):%Y-%m-%d %H:%M:%S +0000}"
    rows = [
        ("#1", "25", "EUR"),
        ("#2", "abc", "EUR"),
        ("#3", "25", "?"),
        ("#4", "", "EUR"),
        ("#5", "25", "USD"),
        ("#6", "26", "?"),
    ]
    lines = [f"{shown},paid,{amount},{currency},{made}" for shown, amount, currency in rows]
    # further lines of orders, beside them and elsewhere; what has an id alone, twice; and nothing at all
    lines += ["#6,,,,", "#1,,,,", "#7,,,,", "#7,,,,", ",paid,,,"]
    file.write_text("\n".join(["Name,Financial Status,Subtotal,Currency,Created at", *lines, ""]))
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    at = At(outbox)
    told: dict[str, str] = {}
    try:
        for number in range(1, 7):
            order = {"order_id": str(number), "amount": "25", "currency": "EUR"}
            await at.enqueue(new(message_id=f"m-{number}", event_id=f"e-{number}", **order))
        await at.deliver(*await at.claim(10))
        found = await reconciled(
            outbox, str(file), ledger_begins=0, on_verdict=lambda each: told.update({each.order_id: each.fate.value})
        )
    finally:
        await outbox.close()
    assert told == {
        "#1": "sent",
        "#2": "sent, unreadable in the file",
        "#3": "sent, unreadable in the file",
        "#4": "sent, unreadable in the file",
        "#5": "sent with another currency",
        "#6": "sent with another amount",
    }
    assert (found.sums.right, found.sums.expected) == (1, 6)
    assert (found.rows, found.without_id, found.repeated, found.stubs, found.unreadable) == (11, 1, 0, 1, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent_as", "names"),
    [
        (
            "its number, as the webhook has it",
            {"#1001": "1001", "PG1002": "1002", "EN1003-X": "1003", "#FR-1004": "1004"},
        ),
        ("its name, as another source has it", {"PG1001": "PG1001", "PG1002": "PG1002"}),
        ("its id", {"PG1001": "5001", "PG1002": "5002"}),
    ],
)
async def test_an_order_of_shopify_is_known_whatever_its_shop_writes_around_its_number(
    tmp_path: Path, sent_as: str, names: dict[str, str]
) -> None:
    """Else it would be sent a second time by --send-missing."""
    made = f"{datetime.fromtimestamp(NOW, UTC):%Y-%m-%d %H:%M:%S +0000}"
    lines = [f"{name},paid,25,EUR,{made},500{name.strip('#-ENPGFRX')[-1]}" for name in names]
    file = tmp_path / "orders.csv"
    file.write_text("\n".join(["Name,Financial Status,Subtotal,Currency,Created at,Id", *lines, ""]))
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    at = At(outbox)
    told: dict[str, str] = {}
    try:
        for order_id in names.values():
            order = {"order_id": order_id, "amount": "25", "currency": "EUR"}
            await at.enqueue(new(message_id=f"m-{order_id}", event_id=f"e-{order_id}", **order))
        await at.deliver(*await at.claim(10))
        await reconciled(
            outbox, str(file), ledger_begins=0, on_verdict=lambda each: told.update({each.order_id: each.fate.value})
        )
    finally:
        await outbox.close()
    assert told == dict.fromkeys(names, "sent"), sent_as


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "known"),
    [
        ((1001, 1002, 1003, 1500), {"1001": "1500", "1002": "1501", "1003": "", "1500": ""}),
        ((1001, 1501, 1701), {"1001": "1500", "1501": "1501", "1701": "1701"}),
    ],
    ids=["a file of numbers", "a file of ids, and one number"],
)
async def test_an_order_of_which_the_id_was_sent_is_known_by_the_number_in_the_file(
    tmp_path: Path, numbers: tuple[int, ...], known: dict[str, str]
) -> None:
    """WooCommerce's Analytics has numbers, and a plugin for numbers makes them differ from ids."""
    file = tmp_path / "orders.csv"
    file.write_text(
        "Date,Order #,Status,N. Revenue\n"
        + "".join(f"2027-01-15 08:00:0{at},{number},completed,20\n" for at, number in enumerate(numbers))
    )
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    told: dict[str, str] = {}
    orders = [
        new(
            order_id=order_id,
            side=OrderSide(number=number),
            is_trusted=True,
            amount="20",
            currency=None,
            buyer=(order_id,),
        )
        for order_id, number in (("1500", "1001"), ("1501", "1002"), ("1701", "1003"), ("1702", "1003"))
    ]
    try:
        at = At(outbox, NOW)
        await at.enqueue(*orders)
        await at.deliver(*await at.claim())
        await reconciled(
            outbox,
            str(file),
            ledger_begins=NOW - 30 * DAY_S,
            on_verdict=lambda each: told.update({each.order_id: each.ledger_id} if each.order_id else {}),
        )
    finally:
        await outbox.close()
    assert told == known
