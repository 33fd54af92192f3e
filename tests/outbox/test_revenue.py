"""What orders are worth, by day: each is counted once, where it stands."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.core.deliveries import Withdrawal
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.core.people import Ownership, PeopleChanges
from app.core.values.times import DAY_S
from app.insights.orders import revenue as figures
from app.outbox import Outbox
from tests.outbox.build import ACCOUNT, NOW, At, new

TODAY = int(NOW // DAY_S)
DROPPED_OUTCOMES = (Outcome.REFUSED, Outcome.WITHHELD, Outcome.DUPLICATE, Outcome.INVALID, Outcome.WITHDRAWN)


def order(amount: str | None = "19.99", **changes: Any) -> Any:
    number = changes.pop("number", amount)
    return new(order_id=f"SO-{number}", amount=amount, **({"currency": "EUR", "is_trusted": True} | changes))


def note(outcome: Outcome, **changes: Any) -> DroppedEvent:
    standard = {
        "order_id": "SO-n",
        "amount": "5",
        "currency": "EUR",
        "event_name": "checkout",
        "ad_account_id": ACCOUNT,
    }
    return DroppedEvent(
        message_id=f"n-{outcome}", outcome=outcome, reason="r", **({"preset": "checkout"} | standard | changes)
    )


async def stands(outbox: Outbox, day: int = TODAY) -> dict[str, tuple[int, str]]:
    """What became of orders of one currency: how many, and their sum."""
    rows = await outbox.revenue(first_day=day, last_day=day)
    assert len({row.became for row in rows}) == len(rows)
    return {row.became: (row.orders, str(row.amount)) for row in rows}


async def test_an_order_is_counted_where_it_stands(at: At) -> None:
    orders = [order(amount) for amount in ("0.1", "0.2", "100.000001", "7")]
    await at.enqueue(*orders, new(event_name="add_to_cart", amount="50", currency="EUR"))
    assert await stands(at.outbox) == {"waiting": (4, "107.300001")}
    sent = {each.message_id: each for each in await at.claim()}
    assert await stands(at.outbox) == {"waiting": (4, "107.300001")}
    first, second, third, _ = (sent[each.message_id] for each in orders)
    await at.deliver(first, second)
    await at.kill(third)
    assert await stands(at.outbox) == {"waiting": (1, "7"), "delivered": (2, "0.3"), "dead": (1, "100.000001")}


async def test_what_is_redriven_waits_on_the_day_of_that_and_what_is_dismissed_is_told_apart(at: At) -> None:
    ids = [await at.dead_letter(order(amount)) for amount in ("10", "20")]
    tomorrow = at.later(DAY_S)
    await at.outbox.dead_letters.redrive(Query(delivery_id=ids[0]), now=tomorrow.now)
    await at.outbox.dead_letters.dismiss(Query(delivery_id=ids[1]), because="a test")
    assert await stands(at.outbox) == {"dismissed": (1, "20")}
    assert await stands(at.outbox, TODAY + 1) == {"waiting": (1, "10")}


async def test_what_made_no_delivery_is_counted_where_it_is_an_order(at: At) -> None:
    await at.enqueue(
        order("3", number=1),
        order("3", number=1),
        dropped=(
            note(Outcome.WITHHELD, event_name=None, ad_account_id=None),
            note(Outcome.INVALID),
            note(Outcome.REFUSED, order_id=None, event_name=None),
            note(Outcome.WITHHELD, order_id=None, event_name="lead"),
        ),
    )
    rows = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert {(row.became, row.ad_account_id, row.orders, str(row.amount)) for row in rows} == {
        ("withheld", "", 1, "5"),
        ("invalid", ACCOUNT, 1, "5"),
        ("duplicate", ACCOUNT, 1, "3"),
        ("waiting", ACCOUNT, 1, "3"),
    }


async def listed(outbox: Outbox, **asked: Any) -> int:
    query = Query(since=TODAY * DAY_S, until=(TODAY + 1) * DAY_S, **asked)
    found, dropped = await outbox.search(query, limit=99), await outbox.search_dropped(query, limit=99)
    return len(found.deliveries) + len(dropped.events)


async def test_each_sum_is_the_length_of_the_list_of_its_orders(at: At) -> None:
    before = {"event_name": None, "ad_account_id": None, "preset": None}
    no_order = {"order_id": None, "event_name": "lead"}
    old = await at.later(-DAY_S).dead_letter(order("1", number="old"))
    await at.later(-DAY_S).enqueue(order("2", number="of yesterday"))
    some = [
        order("3"),
        order("4", currency=None),
        order("5", source="shop"),
        order("6", channel="pos"),
        new(event_name="lead", currency="EUR"),
    ]
    kinds: tuple[dict[str, Any], ...] = ({}, before, no_order, {"channel": "pos"})
    dropped = [note(outcome, **of) for outcome in DROPPED_OUTCOMES for of in kinds]
    await at.enqueue(*some, dropped=(*dropped, note(Outcome.UNMATCHED, **before)))
    await at.outbox.dead_letters.redrive(Query(delivery_id=old), now=at.now)
    rows = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert {row.became for row in rows} == {"waiting", "unmatched", *DROPPED_OUTCOMES}
    for row in rows:
        stands: dict[str, Any] = {"state": "waiting"} if row.became == "waiting" else {"outcome": Outcome(row.became)}
        is_order = None if row.became == Outcome.UNMATCHED else True
        by = {"preset": row.preset, "ad_account_id": row.ad_account_id} if row.preset else {"taken": False}
        asked = {**stands, **by, "source": row.source, "currency": row.currency, "is_order": is_order}
        asked["channel"] = row.channel
        assert await listed(at.outbox, **asked) == row.orders, asked
    received = sum(row.orders for row in rows if row.became != Outcome.UNMATCHED)
    assert await listed(at.outbox, is_order=True) == received
    assert await listed(at.outbox, is_order=False) == len([old, *some, *dropped, "unmatched"]) - received


async def test_a_withdrawn_order_waits_no_longer(at: At) -> None:
    await at.enqueue(order("8", number="w"))
    asked = Withdrawal(
        ad_account_id=ACCOUNT, preset="checkout", order_id="SO-w", message_id="cancelled", is_trusted=True
    )
    assert await at.outbox.withdraw([asked], now=at.now) == [1]
    assert await stands(at.outbox) == {"withdrawn": (1, "8")}


async def test_an_order_is_counted_by_its_channel_wherever_it_stands(at: At) -> None:
    await at.enqueue(*(order(str(number), channel="pos") for number in range(1, 6)))
    sent = {each.message_id: each for each in await at.claim()}
    first, second, third, *_ = sent.values()
    await at.deliver(first)
    await at.kill(second, third)
    await at.outbox.dead_letters.redrive(Query(delivery_id=second.delivery_id), now=at.now)
    await at.outbox.dead_letters.dismiss(Query(delivery_id=third.delivery_id), because="a test")
    await at.enqueue(order("9", channel="pos", hold_s=60))
    asked = Withdrawal(
        ad_account_id=ACCOUNT, preset="checkout", order_id="SO-9", message_id="cancelled", is_trusted=True
    )
    assert await at.outbox.withdraw([asked], now=at.now) == [1]
    rows = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert {(row.became, row.channel, row.orders) for row in rows} == {
        ("waiting", "pos", 3),
        ("delivered", "pos", 1),
        ("dismissed", "pos", 1),
        ("withdrawn", "pos", 1),
    }


NO_AMOUNTS = [None, "", "abc", "1.2.3", "-5", "1e5", "12345678901", "00000000001", "9" * 400, ".5", "5,00", "."]
NO_AMOUNTS += [
    " 5",
    "5 ",
    "5\n",
    "+5",
    "1_0",
    "0x5",
    "5.0.",
    "5..0",
    "\u0665",
    "\uff15",
    "5.\u0665",
    "5\0",
    "inf",
    "nan",
]


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=ascii)
async def test_what_is_no_amount_is_an_order_without_one_and_never_in_the_way(at: At, amount: str | None) -> None:
    await at.enqueue(order(amount, number="x"), order("2.50", number="y"))
    (row,) = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert (row.orders, row.without_amount, row.amount) == (2, 1, Decimal("2.5"))


@pytest.mark.parametrize(
    ("amount", "worth"),
    [
        pytest.param("0", "0", id="nothing"),
        pytest.param("007", "7", id="zeros before"),
        pytest.param("5.50", "5.5", id="zeros behind"),
        pytest.param("9999999999.999999", "9999999999.999999", id="the largest"),
        pytest.param("5.", "5", id="a point behind which nothing stands"),
        pytest.param("1.99999999", "1.999999", id="what is less than a millionth is cut off"),
        pytest.param("0.0000009", "0", id="less than a millionth"),
        pytest.param("5." + "9" * 20_000, "5.999999", id="more digits than a numeric of PostgreSQL may have"),
    ],
)
async def test_every_engine_counts_the_same_amount(at: At, amount: str, worth: str) -> None:
    await at.enqueue(order(amount, number="x"))
    (row,) = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert (row.without_amount, row.amount, row.largest) == (0, Decimal(worth), Decimal(worth))
    await at.kill(*await at.claim())
    ((became, (orders, amount_dead)),) = (await stands(at.outbox)).items()
    assert (became, orders, Decimal(amount_dead)) == ("dead", 1, Decimal(worth))


@pytest.mark.slow
async def test_sums_have_no_end_that_could_stop_an_order(at: At) -> None:
    many = [order("9999999999.99", number=number) for number in range(1_000)]
    await at.enqueue(*many)
    ((orders, amount),) = (await stands(at.outbox)).values()
    assert orders == 1_000
    assert Decimal(amount) >= 9_000_000_000_000


async def test_the_largest_of_each_day_is_known_by_its_delivery(at: At) -> None:
    await at.enqueue(*(order(amount) for amount in ("20", "2500", "30")))
    (row,) = await at.outbox.revenue(first_day=TODAY, last_day=TODAY)
    assert (str(row.largest), row.largest_id is not None) == ("2500", True)
    found = await at.outbox.delivery(row.largest_id or "")
    assert found is not None
    assert found.amount == "2500"


async def test_currencies_accounts_presets_and_sources_are_told_apart(at: At) -> None:
    several: list[dict[str, Any]] = [
        {"currency": "USD"},
        {"currency": None},
        {"preset": "other"},
        {"source": "shop"},
        {"channel": "pos"},
        {"ad_account_id": "2"},
    ]
    await at.enqueue(*(order("1", number=n, **changes) for n, changes in enumerate([{}, *several])))
    rows = await at.outbox.revenue(first_day=TODAY - 1, last_day=TODAY + 1)
    assert [(row.orders, str(row.amount)) for row in rows] == [(1, "1")] * 7
    assert await at.outbox.revenue(first_day=TODAY + 1, last_day=TODAY + 9) == []


async def test_sums_outlive_what_was_delivered_and_go_with_the_ledger(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_delivered_s=DAY_S)
    await at.enqueue(order("4"))
    await at.deliver(*await at.claim())
    for day, left in ((3, {"delivered": (1, "4")}), (32, {})):
        await at.later(day * DAY_S).retain_all()
        assert (await at.outbox.search(Query(), limit=1)).deliveries == ()
        assert await stands(at.outbox) == left


async def test_an_order_of_somebody_who_is_erased_waits_no_longer(open_at: Callable[..., At]) -> None:
    at = open_at(remember_s=DAY_S, remember_max_people=10)
    people = PeopleChanges(people=[], suppressions=[], owners=[Ownership(message_id="hers", user="u", anonymous=None)])
    await at.outbox.enqueue([order("6", message_id="hers")], [], [], now=at.now, people=people)
    assert await at.outbox.forget(["u"]) == 1
    assert await stands(at.outbox) == {}


async def test_what_looks_wrong_is_judged_by_the_newest_orders_of_its_currency_however_rare(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_SAMPLED", 5)
    amounts = [*["10", "12", "11", "10", "13"], "9900"]
    rare = [order(amount, currency="USD", number=f"u{place}") for place, amount in enumerate(amounts)]
    await at.enqueue(*rare, *(order("7", number=f"e{place}") for place in range(20)))
    found = await figures.read_revenue(at.outbox, {}, first_day=TODAY, last_day=TODAY)
    assert [(each.currency, [odd.times for odd in each.odd]) for each in found] == [("EUR", []), ("USD", [825])]
