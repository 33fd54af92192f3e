"""Comparing with the shop's orders: what is shown of a file, and that nothing of it is kept."""

import asyncio
import csv
import io
import json
import re
import sys
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.core.deliveries import Delivered, State
from tests.console.world import ACCOUNT, NOW, World
from tests.outbox.build import DAY_S, new
from tests.whole.planted import PLANTED

PAGE = "/console/revenue/compare"
PERSONAL = [f"Note {place}" for place, _ in enumerate(PLANTED)]
HEAD = ["Name", "Email", "Financial Status", "Subtotal", "Currency", "Created at", *PERSONAL]


def order(name: str, total: str, days_back: float = 0.1) -> list[str]:
    made = f"{datetime.fromtimestamp(NOW - days_back * DAY_S, UTC):%Y-%m-%d %H:%M:%S +0000}"
    return [name, PLANTED[0], "paid", total, "EUR", made, *PLANTED]


#: One was delivered, one waits, one was delivered with another amount, two were never received.
ORDERS = [order("#1", "25"), order("#2", "30"), order("#3", "9"), order("#4", "7"), order("#5", "8", 3)]


def written(kind: str) -> bytes:
    """The shop's file."""
    rows = [dict(zip(HEAD, each, strict=True)) for each in ORDERS]
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([HEAD, *ORDERS])
        return text.getvalue().encode()
    if kind == "parquet":
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.Table.from_pylist(rows), sink)
        found: bytes = sink.getvalue().to_pybytes()
        return found
    return (json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows))).encode()


@pytest.fixture
async def sold(world: World) -> World:
    for order_id, amount in (("1", "25"), ("3", "10")):
        await world.enqueue(new(ad_account_id=ACCOUNT, order_id=order_id, amount=amount, currency="EUR"))
        await world.settle(Delivered(), State.DELIVERED)
    await world.enqueue(new(ad_account_id=ACCOUNT, order_id="2", amount="30", currency="EUR", source="app"))
    return world


async def send(world: World, name: str, file: bytes, query: str = "", **named: str) -> httpx.Response:
    return await world.browser.post(f"{PAGE}{query}", files={"file": (name, file)}, data=named)


def files_in(folder: Path) -> list[Path]:
    """All that lies in a folder, at any depth."""
    return [each for each in folder.rglob("*") if each.is_file()]


def fates(page: str) -> dict[str, list[str]]:
    """Which orders the page names, by what became of them."""
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th><td class="n">\d+</td>(.*?)</tr>', page)
    return {fate: re.findall(r">(#\d+)</a>", rest) for fate, rest in rows}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "ndjson", "json", "parquet"])
async def test_each_order_is_named_with_what_became_of_it_and_nothing_of_the_file_is_kept(
    kind: str, sold: World, temporary: Path, tmp_path: Path
) -> None:
    name = f"{PLANTED[2]}.{kind}"
    answer = await send(sold, name, file := written(kind))
    assert answer.status_code == 200, answer.text
    assert fates(answer.text) == {
        "sent": ["#1"],
        "waiting": ["#2"],
        "sent with another amount": ["#3"],
        "never received": ["#4", "#5"],
    }
    assert "<strong>1</strong> of 5 orders" in answer.text
    assert "80.00 % are missing" in answer.text
    assert "79.00" in answer.text, "the worth of all"
    link = re.search(r'href="([^"]+)">#3</a>', answer.text)
    assert link is not None
    assert "#" not in link[1]
    assert "/console/delivery?id=" in (await sold.browser.get(unescape(link[1]))).text
    assert files_in(temporary) == []
    (entry,) = (await sold.outbox.audit(limit=9)).entries
    assert (entry.what, entry.after) == ("compared orders", f"a file of {len(file):,} bytes, 5 rows")
    kept = b"".join(each.read_bytes() for each in files_in(tmp_path))
    assert [text for text in PLANTED if text in answer.text or text.encode() in kept] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?period=day", {"sent": 1, "waiting": 1, "sent with another amount": 1, "never received": 1}),
        ("?from=default", {"sent": 1, "sent with another amount": 1, "never received": 3}),
    ],
)
async def test_the_head_of_the_page_narrows_it(query: str, expected: dict[str, int], sold: World) -> None:
    page = (await send(sold, "o.csv", written("csv"), query)).text
    assert {fate: len(ids) for fate, ids in fates(page).items()} == expected


@pytest.mark.slow
async def test_currencies_are_not_summed(world: World) -> None:
    for order_id, currency in (("6", "USD"), ("7", "EUR")):
        await world.enqueue(new(ad_account_id=ACCOUNT, order_id=order_id, amount="112.5", currency=currency))
        await world.settle(Delivered(), State.DELIVERED)
    file = b"number,total,currency\n6,112.5,USD\n7,112.5,USD\n"
    page = (await send(world, "o.csv", file, order_id="number", total="total", currency="currency")).text
    table = page.split("<caption>By currency</caption>", 1)[1].split("</table>", 1)[0]
    rows = [re.findall(r">([^<]*)</t[hd]>", row) for row in re.findall("<tr>.*</tr>", table)[1:]]
    assert rows == [
        ["EUR", "EUR", "0", "0.00", "112.50", ""],
        ["USD", "USD", "2", "225.00", "112.50", "50.0 %"],
    ], page


OTHER = b'{"number": 1, "net": 25, "buyer": "zephyrine@shop.example"}'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "named", "told"),
    [
        ("o.ndjson", OTHER, {}, "The file has: number, net, buyer"),
        ("o.ndjson", OTHER, {"order_id": "no", "total": "net"}, "there is no column &#34;no&#34;"),
        ("o.xlsx", OTHER, {}, "must end with one of .csv"),
        ("o.parquet", OTHER, {}, "the rows cannot be read (InvalidInput)"),
        ("zephyrine@shop.example.csv", b"zephyrine@shop.example,2\nx,3\n", {}, "The file has: "),
        ("", b"", {}, "Choose a file."),
    ],
)
async def test_what_cannot_be_read_is_told_with_what_helps(
    name: str, file: bytes, named: dict[str, str], told: str, sold: World, temporary: Path
) -> None:
    answer = await send(sold, name, file, **named)
    assert answer.status_code == 400
    assert told in answer.text
    assert "zephyrine" not in answer.text
    assert files_in(temporary) == []
    assert [each.after for each in (await sold.outbox.audit(limit=9)).entries] == (
        [f"a file of {len(file)} bytes, could not be read"] if name else []
    )


@pytest.mark.slow
async def test_a_file_that_is_no_export_is_answered_for_people_with_its_columns_to_choose_from(sold: World) -> None:
    page = (await send(sold, "o.ndjson", OTHER)).text
    said = page.split('role="alert">')[1].split("</p>")[0]
    assert "Name the column of the order id and that of the amount above" in said
    assert "--" not in said
    assert re.findall(r'<option value="(\w+)">', page.split('id="columns">')[1]) == ["number", "net", "buyer"]


@pytest.mark.slow
async def test_columns_may_be_named(sold: World) -> None:
    page = (await send(sold, "o.ndjson", OTHER, order_id="number", total="net", currency="EUR")).text
    assert "columns as named: 1 order" in page
    assert '<th scope="row">sent</th>' in page


@pytest.mark.slow
async def test_one_is_compared_at_a_time(sold: World) -> None:
    answers = await asyncio.gather(*(send(sold, "o.csv", written("csv")) for _ in range(2)))
    assert sorted(each.status_code for each in answers) == [200, 409]
    assert any("Another comparison is running" in each.text for each in answers)


@pytest.mark.parametrize(
    ("content", "headers", "status", "told"),
    [
        (b"x", {"Content-Length": "100000001"}, 413, "pinrelay reconcile FILE"),
        (b"--b\r\nno header\r\n", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "did not arrive whole"),
    ],
)
async def test_what_does_not_come_whole_is_not_compared(
    world: World, content: bytes, headers: dict[str, Any], status: int, told: str
) -> None:
    answer = await world.browser.post(PAGE, content=content, headers=headers)
    assert answer.status_code == status
    assert told in answer.text


@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_where_the_temporary_folder_takes_nothing_it_says_so(sold: World, temporary: Path, size: int) -> None:
    temporary.rmdir()  # noqa: ASYNC240 - at once
    answer = await send(sold, "o.csv", b"x" * size)
    assert answer.status_code == 507
    assert "TMPDIR" in answer.text


async def test_without_the_extra_it_says_what_to_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    for answer in (await world.browser.get(PAGE), await send(world, "o.csv", b"")):
        assert "pip install &#39;pinrelay[files]&#39;" in answer.text or "pip install 'pinrelay[files]'" in answer.text
        assert 'type="file"' not in answer.text
