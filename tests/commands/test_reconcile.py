"""`pinrelay reconcile`: what it prints, when it fails, whom it tells."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import WarehouseError
from app.insights.orders.shop_orders import ShopOrder, columns_of_shop, ledger_key, read_orders
from app.warehouse import open_duck
from tests.commands.conftest import Run, Slack

MADE = datetime.now(UTC) - timedelta(hours=3)
SHOPIFY = "Name,Email,Financial Status,Subtotal,Currency,Created at\n"
WHO = {"ip": "203.0.113.9", "userAgent": "x"}


def order(number: int, **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m-{number}",
        "timestamp": MADE.isoformat(),
        "context": WHO,
        "properties": {"order_id": str(number), "revenue": 25, "currency": "EUR", **properties},
    }


@pytest.fixture
def orders(run: Run, tmp_path: Path) -> Path:
    """The shop's file of four orders: one waits, one waits with a test, one was never received, one is refunded."""
    events = tmp_path / "events"
    events.write_text("\n".join(json.dumps(order(number)) for number in (1001, 1002)))
    assert run("import", events).exit_code == 0
    file = tmp_path / "orders.csv"
    refunded = (1004, "refunded", "9")
    rows = [(1001, "paid", "25.00"), (1003, "paid", "7"), refunded, refunded, ("", "paid", "1")]
    made = f"{MADE:%Y-%m-%d %H:%M:%S +0000}"
    lines = [f"{number and f'#{number}'},a@b.example,{status},{total},EUR,{made}" for number, status, total in rows]
    file.write_text(SHOPIFY + "\n".join(lines) + "\n#1001,,,,,\n")
    return file


def test_it_says_where_each_order_went(run: Run, orders: Path, tmp_path: Path) -> None:
    done = run("reconcile", orders, "--json", "--details", tmp_path / "each.ndjson")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["file"], told["rows_without_id"], told["rows_repeated"]) == ("Shopify's export", 1, 1)
    assert {each["fate"]: each["named"] for each in told["fates"]} == {
        "waiting": ["#1001"],
        "never received": ["#1003"],
        "no purchase": ["#1004"],
    }
    assert (told["orders"], told["expected"], told["missing_percent"]) == (3, 2, "100.00")
    each = [json.loads(line) for line in (tmp_path / "each.ndjson").read_text().splitlines()]
    assert [(one["order_id"], one["fate"], one["shop_amount"]) for one in each] == [
        ("#1001", "waiting", "25.00"),
        ("#1003", "never received", "7"),
        ("#1004", "no purchase", "9"),
    ]


def test_an_order_that_costs_nothing_has_its_details_too(run: Run, tmp_path: Path) -> None:
    file, details = tmp_path / "orders.csv", tmp_path / "each.ndjson"
    file.write_text(f"{SHOPIFY}#7,b@shop.example,paid,0.00,EUR,{MADE:%Y-%m-%d %H:%M:%S +0000}\n")
    assert run("reconcile", file, "--details", details).exit_code == 0
    (one,) = map(json.loads, details.read_text().splitlines())
    assert (one["order_id"], one["shop_amount"], one["sent_amount"]) == ("#7", "0.00", None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty and has no columns: export it again"),
        (SHOPIFY, "it has no row, only columns: export the orders anew"),
        (SHOPIFY + ",a@b.example,paid,1,EUR,\n" * 2, 'none of its 2 rows has an id of an order in "Name"'),
    ],
    ids=["nothing", "a header", "rows without an id"],
)
@pytest.mark.parametrize("tolerance", [(), ("--tolerance", "100")])
def test_what_has_no_orders_is_told_and_does_not_pass(
    run: Run, tmp_path: Path, content: str, told: str, tolerance: tuple[str, ...]
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(content)
    done = run("reconcile", file, *tolerance)
    assert done.exit_code == 1
    assert isinstance(done.exception, WarehouseError)
    assert str(done.exception).startswith(told)


def test_people_get_tables(run: Run, orders: Path) -> None:
    done = run("reconcile", orders)
    for text in ("never received", "#1003", "in the shop", "32.00", "1 rows repeat an order.", "0 of 2 expected"):
        assert text in done.stdout


def test_other_files_are_read_by_the_columns_that_are_named(run: Run, orders: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_text(json.dumps({"number": 1001, "net": 25, "buyer": "ann@shop.example"}))
    unknown = run("reconcile", file)
    assert unknown.exit_code == 1
    assert "(--order-id) and the amount (--total)" in str(unknown.exception)
    named = ("--order-id", "number", "--total", "net", "--currency", "EUR", "--source", "default")
    told = json.loads(run("reconcile", file, *named, "--json").stdout.splitlines()[-1])
    assert told["sums"][0] == {
        "day": "",
        "preset": "Order Completed",
        "source": "default",
        "channel": "",
        "ad_account_id": "1000000000001",
        "currency": "EUR",
        "fate": "waiting",
        "is_expected": True,
        "orders": 1,
        "shop": "25",
        "sent": "0",
    }
    told = json.loads(run("reconcile", file, *named[:-1], "other", "--json").stdout.splitlines()[-1])
    assert told["sums"][0]["fate"] == "never received"


@pytest.mark.parametrize(("tolerance", "code"), [("100", 0), ("99.9%", 1), ("101", 2), ("much", 2), ("nan", 2)])
def test_a_tolerance_decides_the_exit_code(run: Run, orders: Path, slack: Slack, tolerance: str, code: int) -> None:
    done = run("reconcile", orders, "--tolerance", tolerance, ALERT_WEBHOOK_URL=slack.url)
    assert done.exit_code == code
    assert ("100.00 % of the shop's expected orders" in done.stderr) is (code == 1)
    assert ["100.00 % of the shop's" in text for text in slack.texts] == [True] * (code == 1)


def test_nobody_is_told_where_alerts_go_nowhere(run: Run, orders: Path) -> None:
    assert run("reconcile", orders, "--tolerance", "0").exit_code == 1


CONSENTS = "Name,Email,Billing City,Financial Status,Subtotal,Currency,Created at,Consent\n"


@pytest.fixture
def missing(tmp_path: Path) -> Path:
    """Orders that were never received: permitted, refused, of which nothing is said, too old, both."""
    file = tmp_path / "orders.csv"
    old = MADE - timedelta(days=20)
    rows = [
        ("#1", "yes", MADE),
        ("#1", "", MADE),
        ("#2", "no", MADE),
        ("#3", "", MADE),
        ("#4", "yes", old),
        ("#5", "yes", MADE),
        ("#5", "0", MADE),
        ("#6", "yes", MADE),
        ("6", "no", MADE),
    ]
    lines = [
        f"{n},b{n[-1]}@shop.example,Utrecht,paid,25,EUR,{at:%Y-%m-%d %H:%M:%S +0000},{said}" for n, said, at in rows
    ]
    file.write_text(CONSENTS + "\n".join(lines) + "\n")
    return file


def sent(run: Run, *options: object, stdin: str | None = None) -> dict[str, Any]:
    done = run("reconcile", *options, "--send-missing", "--json", stdin=stdin)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["missing"]
    return told


def test_what_is_missing_is_sent_where_its_buyer_permitted_it(run: Run, missing: Path) -> None:
    asked = ("reconcile", missing, "--send-missing", "--consent", "Consent")
    declined = run(*asked, stdin="n\n")
    assert "1 of 7 missing orders can be sent. None was sent." in declined.stderr
    assert "enqueued" not in declined.output
    preview = sent(run, missing, "--consent", "Consent", stdin="n\n")
    assert preview["outcomes"] == []
    assert {why.split(":")[0]: orders for why, orders in preview["unsent"].items()} == {
        "no permission": ["#2", "#3", "#5", "#6", "6"],
        "older than Pinterest takes events, or its time cannot be read": ["#4"],
    }
    assert "waiting" not in run("reconcile", missing).stdout

    done = sent(run, missing, "--consent", "Consent", stdin="y\n")
    assert [(each["outcome"], each["count"]) for each in done["outcomes"]] == [("enqueued", 1)]
    assert done["unsent"] == preview["unsent"]
    told = json.loads(run("reconcile", missing, "--json").stdout.splitlines()[-1])
    assert {each["fate"]: each["named"] for each in told["fates"]}["waiting"] == ["#1"]
    assert sent(run, missing, "--consent", "Consent")["outcomes"] == []
    assert "sent missing orders" in run("audit").stdout


def test_a_missing_order_is_sent_by_the_id_by_which_the_ledger_knows_the_others(
    run: Run, orders: Path, tmp_path: Path
) -> None:
    """Else its own event, should it come late, would be another order."""
    file, made = tmp_path / "ids.csv", f"{MADE:%Y-%m-%d %H:%M:%S +0000}"
    named = "Name,Id,Email,Billing City,Financial Status,Subtotal,Currency,Created at"
    lines = [f"#{name},{id_},b@shop.example,Utrecht,paid,25,EUR,{made}" for name, id_ in ((7, 1001), (8, 5001))]
    file.write_text("\n".join((named, *lines)))
    words = ("--consent-not-needed", "these are test orders of our own", "--yes")
    assert [each["outcome"] for each in sent(run, file, *words)["outcomes"]] == ["enqueued"]
    late = tmp_path / "late"
    late.write_text(json.dumps(order(5001)))
    done = run("import", late, "--json")
    assert json.loads(done.stdout.splitlines()[-1])["outcomes"] == {"duplicate": 1}


def test_words_may_stand_for_a_column(run: Run, missing: Path) -> None:
    words = ("--consent-not-needed", "these are test orders of our own", "--yes")
    first, again = sent(run, missing, *words)["outcomes"]
    assert (first, again["outcome"]) == ({"outcome": "enqueued", "reason": "", "count": 5}, "duplicate")
    assert "missing: 1 not sent, older than" in run("reconcile", missing, "--send-missing", *words).stdout
    assert "these are test orders" in run("audit").stdout


@pytest.mark.parametrize(
    ("ids", "told"), [("NULL AS Name, '77' AS Id", "enqueued"), ("77::DECIMAL(9, 2) AS Name", "not found")]
)
def test_a_missing_order_is_sent_or_named(run: Run, tmp_path: Path, ids: str, told: str) -> None:
    """One has its id in the second column alone; that of the other is written otherwise where rows are read whole."""
    file = tmp_path / "orders.parquet"
    rest = (
        f"'25' AS Subtotal, 'paid' AS \"Financial Status\", 'EUR' AS Currency, '{MADE.isoformat()}' AS \"Created at\""
    )
    with open_duck(tmp_path) as duck:
        duck.execute(
            f"COPY (SELECT {ids}, 'Utrecht' AS \"Billing City\", 'b@shop.example' AS email, {rest}) TO '{file}'"
        )
    done = sent(run, file, "--consent-not-needed", "these are test orders of our own", "--yes")
    assert [each["outcome"] for each in done["outcomes"]] == ["enqueued"] * (told == "enqueued")
    assert [why.startswith(told) for why in done["unsent"]] == [True] * (told == "not found")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--send-missing",), "name the column with their consent"),
        (("--send-missing", "--consent-not-needed", "no"), "name the column with their consent"),
        (("--send-missing", "--consent", "a", "--consent-not-needed", "we need none"), "name the column"),
        (("--consent", "a"), "need --send-missing"),
    ],
)
def test_nothing_is_sent_without_a_word_about_permission(
    run: Run, missing: Path, options: tuple[str, ...], told: str
) -> None:
    done = run("reconcile", missing, *options)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("│", " ").split())


EXPORTS: list[tuple[dict[str, str], dict[str, str], ShopOrder]] = [
    (
        {"id": "5001", "name": "#1001", "subtotal_price": "25.00", "currency": "EUR", "financial_status": "paid"},
        {"created_at": "2026-11-25T10:00:00+01:00"},
        ShopOrder("#1001", ("1001", "5001"), Decimal("25.00"), "EUR", 1795597200.0),
    ),
    (
        {"number": "7", "id": "9", "total": "30.00", "total_tax": "4", "shipping_total": "1.50", "status": "cancelled"},
        {"currency": "usd", "date_created_gmt": "2026-11-25T09:00:00"},
        ShopOrder("7", ("7", "9"), Decimal("24.50"), "USD", 1795597200.0, is_purchase=False),
    ),
    (
        {"Order #": "7", "N. Revenue": "1,299.00", "Status": "completed"},
        {"Date": "2026-11-25 09:00:00"},
        ShopOrder("7", ("7",), Decimal("1299.00"), None, 1795597200.0),
    ),
    (
        {"Name": "#7", "Subtotal": "much", "Financial Status": "paid"},
        {"Cancelled at": "2026-11-25 10:00:00 UTC", "Currency": "?", "Created at": "then"},
        ShopOrder("#7", ("7",), None, None, None, is_purchase=False),
    ),
]


@pytest.mark.parametrize(("needed", "more", "expected"), EXPORTS)
def test_an_export_is_known_by_its_columns(needed: dict[str, str], more: dict[str, str], expected: ShopOrder) -> None:
    row = needed | more | {"email": "ann@shop.example"}
    columns = columns_of_shop(list(row))
    (read,) = read_orders([[row.get(name or "") for name in columns.names]], columns)
    assert read == expected
    assert "email" not in columns.names


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("#1001", "1001"),
        (" 1001 ", "1001"),
        ("1001.0", "1001"),
        ("gid://shopify/Order/1001", "1001"),
        ("SO-7", "SO-7"),
        ("0", None),
        ("n/a", None),
        (None, None),
        ("ann@shop.example", "0dd4c8e3"),
    ],
)
def test_one_order_has_one_key_however_it_is_written(given: str | None, key: str | None) -> None:
    found = ledger_key(given)
    assert found == key if given != "ann@shop.example" else len(found or "") == 64
