"""One order from two sides, a page and a shop: which of them waits, what they become together, and what alone."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
import pytest

from app.core.deliveries import Claimed, Delivery, NewDelivery, Retry, Settlement, State, Withdrawal
from app.core.events import Outcome
from app.core.pages import Quarantined, QuarantineFilter, Query
from app.core.people import Ownership, PeopleChanges
from app.insights.orders.revenue import OrderTrust, read_revenue
from app.outbox import Outbox
from app.outbox.dedup import own_event_id
from app.outbox.pairing import GAVE_WAY
from app.pipeline.receipts import receipt_of_message
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, new, settlement
from tests.outbox.orders import page, shop


@dataclass
class Sent:
    """What was sent, and when, by a sender that looks now and then."""

    outbox: Outbox
    events: list[tuple[float, str, str | None]] = field(default_factory=list)
    payloads: list[tuple[str, Any]] = field(default_factory=list)

    async def until(self, begin: float, end: float) -> None:
        moment = begin
        while moment <= end:
            at = At(self.outbox, NOW + moment)
            for claimed in await at.claim():
                event = orjson.loads(claimed.payload)
                self.events.append((moment, event["event_id"], event.get("custom_data", {}).get("value")))
                self.payloads.append((event["event_id"], event))
                await at.deliver(claimed)
            moment += 30


def _exits(answers: Any) -> list[str]:
    return [each.outcome.value for each in answers]


#: Moments and events, what is sent as (event id, value), and the outcomes. A moment is in seconds.
TABLE: list[tuple[str, list[tuple[float, NewDelivery]], list[tuple[str, str | None]], list[str]]] = [
    ("page, shop: one", [(0, page()), (60, shop())], [("tag-1", "249.00")], ["enqueued", "merged"]),
    (
        "page without id of its own, shop",
        [(0, page(event_id="m-1")), (60, shop())],
        [("shop-1", "249.00")],
        ["enqueued", "merged"],
    ),
    (
        "a claim of 0.01, shop: the shop's",
        [(0, page("0.01")), (60, shop())],
        [("shop-1", "249.00")],
        ["enqueued", "enqueued"],
    ),
    (
        "0.01 sent under the shop's id, shop: a new id",
        [(0, page("0.01", event_id="checkout_1")), (900, shop(event_id="checkout_1"))],
        [("checkout_1", "0.01"), ("another", "249.00")],
        ["enqueued", "enqueued"],
    ),
    (
        "page 100, shop 119 with tax of 19: one",
        [(0, page("100.00")), (60, shop("119.00", "USD 100.00"))],
        [("tag-1", "119.00")],
        ["enqueued", "merged"],
    ),
    (
        "page 54 EUR, shop 59 USD, shown as 54 EUR: one",
        [(0, page("54.00", currency="EUR")), (60, shop("59.00", "EUR 54.00"))],
        [("tag-1", "59.00")],
        ["enqueued", "merged"],
    ),
    (
        "page without amount, the same token: one",
        [(0, page(None, token="t")), (60, shop("80.00", token="t"))],
        [("tag-1", "80.00")],
        ["enqueued", "merged"],
    ),
    (
        "another token, the same total: the shop's",
        [(0, page(token="t")), (60, shop(token="u"))],
        [("shop-1", "249.00")],
        ["enqueued", "enqueued"],
    ),
    ("shop, page: one", [(0, shop()), (60, page())], [("tag-1", "249.00")], ["enqueued", "merged"]),
    ("shop, a claim: the shop's", [(0, shop()), (60, page("0.01"))], [("shop-1", "249.00")], ["enqueued", "duplicate"]),
    (
        "shop sent, page of any amount",
        [(0, shop()), (900, page()), (901, page("0.01", event_id="x"))],
        [("shop-1", "249.00")],
        ["enqueued", "duplicate", "duplicate"],
    ),
    (
        "page sent, shop an hour later",
        [(0, page("100.00")), (3_600, shop("100.00"))],
        [("tag-1", "100.00")],
        ["enqueued", "duplicate"],
    ),
    (
        "page sent, shop of another total",
        [(0, page("0.01")), (3_600, shop())],
        [("tag-1", "0.01"), ("shop-1", "249.00")],
        ["enqueued", "enqueued"],
    ),
    ("page alone", [(0, page())], [("tag-1", "249.00")], ["enqueued"]),
    (
        "page twice alike, alone: once",
        [(0, page()), (30, page(message_id="w-2"))],
        [("tag-1", "249.00")],
        ["enqueued", "merged"],
    ),
    (
        "page twice alike, shop: once",
        [(0, page()), (30, page(message_id="w-2")), (60, shop())],
        [("tag-1", "249.00")],
        ["enqueued", "merged", "merged"],
    ),
    (
        "claims alone: the first",
        [(0, page("934.45", event_id="x-1")), (9, page("260.99", event_id="tag-2"))],
        [("x-1", "934.45")],
        ["enqueued", "enqueued"],
    ),
    (
        "five claims, shop: the shop's",
        [*((n, page(f"{n}.00", event_id=f"x-{n}")) for n in range(1, 6)), (60, shop())],
        [("shop-1", "249.00")],
        ["enqueued"] * 6,
    ),
    (
        "a claim, page, shop: one",
        [(0, page("1.00", event_id="x-1")), (9, page()), (60, shop())],
        [("tag-1", "249.00")],
        ["enqueued", "enqueued", "merged"],
    ),
    (
        "shop, a claim, page: one",
        [(0, shop()), (9, page("1.00", event_id="x-1")), (60, page())],
        [("tag-1", "249.00")],
        ["enqueued", "duplicate", "merged"],
    ),
    (
        "claim sent, shop, page: the second is one",
        [(0, page("1.00", event_id="x-1")), (8_000, shop()), (8_010, page())],
        [("x-1", "1.00"), ("tag-1", "249.00")],
        ["enqueued", "enqueued", "merged"],
    ),
    ("shop twice", [(0, shop()), (60, shop(message_id="again"))], [("shop-1", "249.00")], ["enqueued", "duplicate"]),
    ("the same message of a page twice", [(0, page()), (60, page())], [("tag-1", "249.00")], ["enqueued", "duplicate"]),
    (
        "token alone binds",
        [(0, page(None, token="t", order_id=None)), (60, shop(token="t"))],
        [("tag-1", "249.00")],
        ["enqueued", "merged"],
    ),
    (
        "the token of one order with the id of another: both",
        [
            (0, shop("100.00", order_id="A", token="t", event_id="shop-a")),
            (10, page("5.00", order_id="B", token="t")),
            (20, shop("5.00", order_id="B")),
        ],
        [("tag-1", "100.00"), ("shop-1", "5.00")],
        ["enqueued", "merged", "enqueued"],
    ),
    (
        "merged, an id that left with another order gives way",
        [(0, page("1.00", order_id="X", event_id="shop-1")), (2_990, page(event_id="x-1")), (3_000, shop())],
        [("shop-1", "1.00"), ("another", "249.00")],
        ["enqueued", "enqueued", "merged"],
    ),
    (
        "claims behind one that is gone: the next",
        [
            (0, page("1.00", event_id="shop-1")),
            (10, page("2.00", event_id="x-2")),
            (20, page("3.00", event_id="x-3")),
            (50, shop("9.00", order_id="Y")),
        ],
        [("x-2", "2.00"), ("shop-1", "9.00")],
        ["enqueued"] * 4,
    ),
    (
        "two orders of the page with one id: the shop's",
        [(0, shop()), (5, page("9.00", order_id="X")), (10, page())],
        [("tag-1", "249.00")],
        ["enqueued", "enqueued", "merged"],
    ),
    (
        "a copy of an event names another order: both",
        [(0, page("1.00", order_id="X")), (700, page(message_id="w-2")), (800, shop())],
        [("tag-1", "1.00"), ("shop-1", "249.00")],
        ["enqueued", "duplicate", "enqueued"],
    ),
]


@pytest.mark.parametrize(
    "steps",
    [
        [page(), shop(channel="pos")],
        [shop(channel="pos"), page()],
        [page("1.00", event_id="x-1"), page(), shop(channel="pos")],
    ],
    ids=["page, shop", "shop, page", "a claim, page, shop"],
)
async def test_a_merged_order_has_the_channel_of_the_shop(at: At, steps: list[NewDelivery]) -> None:
    for each in steps:
        await at.enqueue(each)
    (order,) = [each for each in (await at.outbox.search(Query(), limit=9)).deliveries if each.is_trusted]
    assert order.channel == "pos"
    rows = await at.outbox.revenue(first_day=int(at.now // DAY_S), last_day=int(at.now // DAY_S))
    assert {(row.channel, row.orders, str(row.amount)) for row in rows if row.became == "waiting"} == {
        ("pos", 1, "249")
    }


@pytest.mark.parametrize(("steps", "sent", "outcomes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_an_order_of_two_sides_becomes(
    at: At, steps: list[tuple[float, NewDelivery]], sent: list[tuple[str, str | None]], outcomes: list[str]
) -> None:
    outbox = at.outbox
    seen, told, last = Sent(outbox), [], 0.0
    for moment, delivery in steps:
        await seen.until(last, moment - 1)
        told += await At(outbox, NOW + moment).enqueue(delivery)
        last = moment
    await seen.until(last, last + 700)

    assert _exits(told) == outcomes
    known = {each.event_id for _, each in steps}
    assert [(id_ if id_ in known else "another", value) for _, id_, value in seen.events] == sent
    assert (await outbox.backlog(ACCOUNT, now=NOW)).pending == 0


# ---------------------------------------------------------------------------------------------------------------------
# Page orders of strangers: strong, weak and early ones.

BUYER, EVE, MALLORY = ("i0buyer",), ("i0eve00",), ("i0mallo",)
AFTER = int(NOW) + 5


def buyer(event_id: str = "tag-buyer", **changes: Any) -> NewDelivery:
    given: dict[str, Any] = {"facts": BUYER, "at": AFTER}
    return page(event_id=event_id, **given | changes)


def eve(event_id: str = "tag-eve", **changes: Any) -> NewDelivery:
    given: dict[str, Any] = {"facts": EVE, "at": AFTER}
    return page(event_id=event_id, **given | changes)


def mallory(event_id: str = "tag-mallory", **changes: Any) -> NewDelivery:
    given: dict[str, Any] = {"facts": MALLORY, "at": AFTER}
    return page(event_id=event_id, **given | changes)


def paid(**changes: Any) -> NewDelivery:
    given: dict[str, Any] = {"facts": BUYER, "at": int(NOW)}
    return shop(**given | changes)


EARLY: dict[str, Any] = {"at": int(NOW) - 61}
NO: dict[str, Any] = {"opt_out": True}
HELD: dict[str, Any] = {"hold_s": 1_800}
Steps = list[tuple[float, NewDelivery]]
#: Moments and events; of what is sent: event id, whose click id, opt-out; the outcomes.
STRANGERS: list[tuple[str, Steps, list[tuple[str, str | None, bool]], str]] = [
    ("a strong one wins", [(0, eve(**NO)), (1, buyer()), (60, paid())], [("tag-buyer", "buyer", False)], "eem"),
    ("by token", [(0, eve(**NO)), (1, mallory(token="t")), (60, paid(token="t"))],
     [("tag-mallory", "mallory", False)], "eem"),
    ("several weak ones: none", [(0, eve()), (1, mallory()), (60, paid())], [("shop-1", None, False)], "eee"),
    ("of these an opt-out", [(0, eve()), (1, mallory(**NO)), (60, paid())], [("shop-1", None, True)], "eee"),
    ("then a strong one", [(0, eve(**NO)), (1, mallory()), (60, paid()), (90, buyer())],
     [("tag-buyer", "buyer", False)], "eeem"),
    ("then a weak one", [(0, eve()), (1, mallory()), (60, paid()), (90, eve("tag-3", **NO))],
     [("shop-1", None, True)], "eeem"),
    ("then a weak one and a strong one",
     [(0, eve()), (1, mallory()), (60, paid()), (90, eve("tag-3", **NO)), (99, buyer())],
     [("tag-buyer", "buyer", False)], "eeemm"),
    ("an early one", [(0, eve(**EARLY, **NO)), (60, paid())], [("shop-1", None, False)], "ee"),
    ("an early one and a weak one", [(0, eve(**EARLY, **NO)), (1, mallory()), (60, paid())],
     [("tag-mallory", "mallory", False)], "eem"),
    ("an early one was sent", [(0, eve(**EARLY)), (900, paid())],
     [("tag-eve", "eve", False), ("shop-1", None, False)], "ee"),
    ("it was sent under the shop's id", [(0, eve("shop-1", **EARLY)), (900, paid())],
     [("shop-1", "shop-1", False), ("another", None, False)], "ee"),
    ("it was sent, then the buyer's", [(0, eve(**EARLY)), (900, buyer()), (910, paid())],
     [("tag-eve", "eve", False), ("tag-buyer", "buyer", False)], "eem"),
    ("it was sent under the buyer's id",
     [(0, eve("tag-buyer", message_id="e", **EARLY)), (900, buyer()), (910, paid())],
     [("tag-buyer", "tag-buyer", False), ("shop-1", "buyer", False)], "eem"),
    ("it was sent, no shop: the buyer's is none", [(0, eve()), (700, buyer())], [("tag-eve", "eve", False)], "ee"),
    ("the same sender again", [(0, eve()), (700, eve("tag-3"))], [("tag-eve", "eve", False)], "ed"),
    ("a strong one counts as long before", [(0, buyer(at=int(NOW) - 9_000)), (60, paid())],
     [("tag-buyer", "buyer", False)], "em"),
    ("held, weak, strong", [(0, paid(**HELD)), (5, eve(**NO, **HELD)), (9, buyer(**HELD))],
     [("tag-buyer", "buyer", False)], "emm"),
    ("held, weak, weak", [(0, paid(**HELD)), (5, eve(**HELD)), (9, mallory(**NO, **HELD))],
     [("shop-1", None, True)], "emm"),
    ("held, strong, weak", [(0, paid(**HELD)), (5, buyer(**HELD)), (9, eve(**NO, **HELD))],
     [("tag-buyer", "buyer", False)], "emd"),
    ("held, weak, strong under the weak one's id",
     [(0, paid(**HELD)), (5, eve("tag-buyer", message_id="e", **HELD)), (9, buyer(**HELD))],
     [("tag-buyer", "buyer", False)], "emm"),
    ("held, weak", [(0, paid(**HELD)), (5, eve(**HELD))], [("tag-eve", "eve", False)], "em"),
    ("30 guesses, then the buyer's",
     [*((n, eve(f"x-{n}", at=AFTER, amount=f"{n}.00")) for n in range(30)), (40, buyer()), (60, paid())],
     [("tag-buyer", "buyer", False)], "e" * 31 + "m"),
    ("the buyer's, then 30 guesses in one call",
     [(0, buyer()), (40, paid(order_id="SO-2", event_id="other")),
      *((80, eve(f"x-{n}", amount=f"{n}.00")) for n in range(30)), (120, paid())],
     [("other", None, False), ("shop-1", None, False)], "ee" + "e" * 31),
    ("held, an early one", [(0, paid(**HELD)), (5, eve(**EARLY, **NO, **HELD))], [("shop-1", None, False)], "ed"),
    ("the buyer's was sent, then 30 guesses",
     [(0, buyer()), *((650, eve(f"x-{n}", amount=f"{n}.00")) for n in range(30)), (900, paid())],
     [("tag-buyer", "buyer", False)], "e" * 31 + "d"),
    ("30 guesses alone: the first that is left",
     [(n, eve(f"x-{n}", amount=f"{n}.00")) for n in range(1, 31)], [("x-11", "x-11", False)], "e" * 30),
]  # fmt: skip
_OUTCOMES = {"e": "enqueued", "m": "merged", "d": "duplicate"}


@pytest.mark.parametrize(
    ("steps", "sent", "outcomes"), [row[1:] for row in STRANGERS], ids=[row[0] for row in STRANGERS]
)
@pytest.mark.parametrize("is_array", [False, True])
async def test_an_order_of_the_shop_meets_page_orders_of_strangers(
    at: At, steps: Steps, sent: list[tuple[str, str | None, bool]], outcomes: str, *, is_array: bool
) -> None:
    """With `is_array` all events that come without a pause for the sender are one call."""
    seen, told, last = Sent(at.outbox), [], 0.0
    groups: list[Steps] = []
    for step in steps:
        if is_array and groups and step[0] < groups[-1][0][0] + 30:
            groups[-1].append(step)
        else:
            groups.append([step])
    for group in groups:
        moment = group[-1][0]
        await seen.until(last, moment - 1)
        told += await At(at.outbox, NOW + moment).enqueue(*(delivery for _, delivery in group))
        last = moment
    await seen.until(last, last + 2_000)

    assert _exits(told) == [_OUTCOMES[each] for each in outcomes]
    known = {each.event_id for _, each in steps}
    found = [
        (id_ if id_ in known else "another", event["user_data"].get("click_id"), event.get("opt_out", False))
        for id_, event in seen.payloads
    ]
    assert found == [(id_, click and f"dj0-{click if click.startswith(('x', 'shop', 'tag')) else 'tag-' + click}", no)
                     for id_, click, no in sent]  # fmt: skip
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 0
    for page_ in (await at.outbox.search(Query(), limit=99)).deliveries:
        assert page_.state is State.DELIVERED


async def test_what_is_stored_to_undo_a_merge_is_erased_with_the_payload(at: At, outbox_url: str) -> None:
    await at.enqueue(paid(), eve())
    await at.deliver(*await at.claim())
    await at.enqueue(paid(order_id="SO-2", event_id="shop-2"), eve("tag-2", order_id="SO-2"))
    (claimed,) = await at.claim()
    await at.kill(claimed)
    await at.outbox.dead_letters.dismiss(Query(), because="tested")

    assert await _stored_sides(at.outbox, outbox_url) == [False, False][: 1 if "postgres" in outbox_url else 2]


async def _stored_sides(outbox: Outbox, url: str) -> list[bool]:
    """Return for each stored side whether it has an event of its own."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            rows = file.execute("SELECT side FROM delivery ORDER BY id").fetchall()
    else:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            rows = await (await connection.execute("SELECT side FROM delivery ORDER BY id")).fetchall()
    return ['"own"' in side for (side,) in rows]


# ---------------------------------------------------------------------------------------------------------------------
# A shop's order behind one of a page that has left.


async def _behind(at: At) -> tuple[Claimed, Delivery]:
    """A page's order that was sent and not answered yet, and the shop's order that waits for the answer."""
    await at.enqueue(page(wait_s=0))
    (claimed,) = await at.claim(lease_s=HOUR_S)
    (told,) = await at.later(60).enqueue(shop(message_id="s"))
    assert told.outcome is Outcome.ENQUEUED
    return claimed, await at.only_delivery("s")


async def _ids(at: At) -> list[str]:
    return [orjson.loads(each.payload)["event_id"] for each in await at.claim()]


async def test_a_shop_order_behind_an_accepted_one_is_a_duplicate(at: At) -> None:
    claimed, waiting = await _behind(at)
    assert await _ids(at.later(400)) == []
    await at.later(410).deliver(claimed)

    assert await _ids(at.later(500)) == []
    ((_, dropped),) = (await at.outbox.message("s")).dropped_events
    assert (dropped.outcome, "Pinterest accepted" in dropped.reason) == (Outcome.DUPLICATE, True)
    assert await at.outbox.delivery(waiting.delivery_id) is None


async def test_a_shop_order_behind_a_refused_one_goes(at: At) -> None:
    claimed, _ = await _behind(at)
    await at.later(90).kill(claimed)

    assert await _ids(at.later(200)) == ["shop-1"]


async def test_a_shop_order_behind_one_with_its_id_keeps_the_id(at: At) -> None:
    await at.enqueue(page(wait_s=0, event_id="tag-1"))
    (claimed,) = await at.claim()
    (told,) = await at.enqueue(shop(event_id="tag-1", message_id="s"))
    await at.kill(claimed)

    assert (told.outcome, told.warnings) == (Outcome.ENQUEUED, ())
    assert await _ids(at.later(100)) == ["tag-1"]


async def test_a_shop_order_goes_before_it_is_too_old_whatever_became_of_the_other(at: At) -> None:
    claimed, waiting = await _behind(at)
    late_s = 7 * DAY_S
    await at.outbox.renew([claimed], lease_s=2 * late_s, now=at.now)

    assert await _ids(at.later(DAY_S)) == []
    assert await _ids(at.later(late_s - HOUR_S)) == ["shop-1"]
    assert (await at.delivery(waiting.delivery_id)).state is State.CLAIMED


async def test_a_tried_order_takes_nothing_in(at: At) -> None:
    await at.enqueue(page(wait_s=0))
    (claimed,) = await at.claim()
    await at.settle(given_back_after_trying(claimed, NOW + 5_000))

    (told,) = await at.later(60).enqueue(shop())

    assert told.outcome is Outcome.ENQUEUED
    assert {each.event_id for each in (await at.outbox.search(Query(order_id="SO-1"), limit=9)).deliveries} == {
        "tag-1",
        "shop-1",
    }


def given_back_after_trying(claimed: Claimed, due_at: float) -> Settlement:
    """It may have arrived; the attempt does not count."""
    return settlement(claimed, Retry(reason="timeout", ambiguous=True), State.PENDING, due_at=due_at, give_back=True)


# ---------------------------------------------------------------------------------------------------------------------
# Trust and ids.

LEAD: dict[str, Any] = {"event_name": "lead", "order_id": None}
ID_TABLE = [
    # what came before, what comes, its outcome
    (new(**LEAD, event_id="e"), new(**LEAD, event_id="e"), "duplicate"),
    (new(**LEAD, event_id="e"), new(**LEAD, event_id="e", is_trusted=True), "enqueued"),
    (new(**LEAD, event_id="e", is_trusted=True), new(**LEAD, event_id="e"), "duplicate"),
    (new(**LEAD, event_id="lead-12"), new(**LEAD, event_id="lead-12"), "duplicate"),
    (new(**LEAD, event_id="lead-12", source="a"), new(**LEAD, event_id="lead-12", source="b"), "enqueued"),
    (new(**LEAD, event_id="lead-x", source="a"), new(**LEAD, event_id="lead-x", source="b"), "duplicate"),
    (page(wait_s=0), shop(wait_s=0, event_id="tag-1", order_id="SO-2"), "enqueued"),
    (page(wait_s=0, shop="one"), shop("1.00", shop="two", wait_s=0), "enqueued"),
    (shop(wait_s=0, shop="one"), page(shop="two", wait_s=0), "enqueued"),
    (page(wait_s=0, checkout_id="c"), shop(wait_s=0, checkout_id="c", order_id=None), "enqueued"),
    (shop(wait_s=0, checkout_id="c", order_id=None), page(wait_s=0, checkout_id="c"), "duplicate"),
    (shop(wait_s=0, checkout_id="c", order_id="SO-9"), page(wait_s=0, checkout_id="c"), "enqueued"),
]


@pytest.mark.parametrize(("before", "then", "outcome"), ID_TABLE)
async def test_what_is_trusted_repeats_nothing_public_by_an_id(
    at: At, before: NewDelivery, then: NewDelivery, outcome: str
) -> None:
    await at.enqueue(before)
    (seen,) = await at.seen(then)
    answers = await at.enqueue(then, then)

    assert _exits(answers)[0] == outcome
    assert answers[1].outcome is not Outcome.ENQUEUED
    assert bool(seen and seen.reason) == (outcome == "duplicate")


async def test_an_order_whose_id_left_before_is_sent_under_the_same_new_id_each_time(at: At) -> None:
    await at.enqueue(page("0.01", event_id="shop-7", wait_s=0))
    await at.deliver(*await at.claim())
    order = shop(event_id="shop-7", wait_s=0)
    (told,) = await at.enqueue(order)
    (repeated,) = await at.enqueue(order)

    (sent,) = await at.claim()
    assert sent.event_id == own_event_id("shop", "shop-7", "SO-1") == orjson.loads(sent.payload)["event_id"]
    assert repeated.outcome is Outcome.DUPLICATE
    warned = [(await at.only_delivery(each.message_id)).warnings for each in (page("0.01", event_id="shop-7"), order)]
    assert [any("differs" in text for text in each) for each in warned] == [True, True]
    assert told.warnings


async def test_an_id_that_left_long_ago_is_free(at: At) -> None:
    await at.enqueue(page("0.01", event_id="shop-7", wait_s=0))
    await at.deliver(*await at.claim())
    later = at.later(2 * DAY_S)
    await later.enqueue(shop(event_id="shop-7", wait_s=0))

    assert await _ids(later) == ["shop-7"]


async def test_a_page_that_waits_with_the_id_of_a_shop_is_not_sent(at: At) -> None:
    await at.enqueue(page(event_id="shop-1", order_id="SO-2"))
    await at.enqueue(shop())

    assert await _ids(at.later(700)) == ["shop-1"]
    ((_, dropped),) = (await at.outbox.message("web-shop-1-249.00")).dropped_events
    assert dropped.outcome is Outcome.DUPLICATE


async def test_a_named_id_that_another_delivery_has_is_not_taken(at: At) -> None:
    await at.enqueue(page(wait_s=0, order_id="SO-2"))
    await at.deliver(*await at.claim())
    await at.enqueue(shop())
    (told,) = await at.enqueue(page(message_id="other"))

    assert told.outcome is Outcome.MERGED
    assert await _ids(at) == ["shop-1"]


async def test_twenty_claims_wait_and_no_more(at: At) -> None:
    claims = [page(f"{number}.00", event_id=f"x-{number}") for number in range(1, 23)]
    answers = await at.enqueue(*claims)

    assert _exits(answers) == ["enqueued"] * 22
    gone = [(await at.outbox.message(each.message_id)).dropped_events for each in claims]
    assert [[event.reason for _, event in each] for each in gone] == [[GAVE_WAY]] * 2 + [[]] * 20
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 20
    assert _exits(await at.enqueue(shop())) == ["enqueued"]
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 1
    assert _exits(await at.enqueue(page("50.00", event_id="x-50"), page(event_id="tag-2"))) == ["duplicate", "merged"]


async def test_a_claim_goes_where_the_first_one_died(at: At) -> None:
    await at.enqueue(page("1.00", event_id="x-1"))
    await at.later(30).enqueue(page("2.00", event_id="x-2"))
    (first,) = await at.later(600).claim()
    assert await _ids(at.later(640)) == []
    await at.later(641).kill(first)

    assert await _ids(at.later(700)) == ["x-2"]


# ---------------------------------------------------------------------------------------------------------------------
# What else knows of a merged order.


async def _counts(at: At) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, row in await at.outbox.counters(since=0, step_s=0):
        counts[row.name] += row.count
    return counts


async def test_a_merged_order_is_one_in_every_count(at: At) -> None:
    await at.enqueue(page("100.00"))
    (told,) = await at.enqueue(shop("119.00", "USD 100.00", message_id="s"))

    assert "merged with delivery" in told.reason
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    (only,) = await at.claim()
    assert (backlog.pending, backlog.size_bytes) == (1, len(only.payload))
    earned = {
        (each.became, str(each.amount), each.orders)
        for each in await at.outbox.revenue(first_day=int(NOW // DAY_S), last_day=int(NOW // DAY_S))
    }
    assert earned == {("waiting", "119", 1), ("merged", "119", 1)}
    assert await _counts(at) == {"enqueued": 1, "merged": 1}


async def test_claims_that_are_dropped_count_as_withdrawn(at: At) -> None:
    await at.enqueue(page("1.00"))
    (told,) = await at.enqueue(shop())

    assert told.superseded == (("checkout", "web"),)
    assert await _counts(at) == {"enqueued": 2, "withdrawn": 1}
    (dropped,) = (await at.outbox.search_dropped(Query(outcome=Outcome.WITHDRAWN), limit=9)).events
    assert (dropped[1].outcome, dropped[1].reason) == (Outcome.DUPLICATE, "the shop's own order differs")
    assert (dropped[1].was_enqueued, dropped[1].is_trusted) == (True, False)


async def test_each_exit_lists_as_many_as_are_counted_whatever_becomes_of_what_waits(at: At) -> None:
    def claim(number: int, amount: str = "249.00", **changes: Any) -> NewDelivery:
        return page(amount, order_id=f"SO-{number}", event_id=f"tag-{number}-{amount}", **changes)

    def own(number: int) -> NewDelivery:
        return shop(order_id=f"SO-{number}", event_id=f"shop-{number}")

    cancelled = Withdrawal(
        ad_account_id=ACCOUNT, preset="checkout", order_id="SO-4", message_id="cancels", is_trusted=True
    )
    await at.enqueue(claim(1, "1.00"), claim(1, "2.00"), claim(2), claim(2, message_id="again"))
    await at.enqueue(claim(3, is_withheld_alone=True), claim(4), claim(5))
    await at.enqueue(own(1), own(2), own(2))
    await at.outbox.withdraw([cancelled], now=at.now)
    await at.later(700).deliver(*await at.later(700).claim())
    await at.later(800).enqueue(claim(1, "3.00"), own(5))

    counts = await _counts(at)
    listed: Counter[str] = Counter()
    for outcome in (Outcome.ENQUEUED, Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD, Outcome.WITHDRAWN):
        found = (await at.outbox.search(Query(outcome=outcome), limit=99)).deliveries
        dropped = (await at.outbox.search_dropped(Query(outcome=outcome), limit=99)).events
        if held := len(found) + len(dropped):
            listed[outcome] = held
    assert listed == counts
    assert counts == {"enqueued": 7, "merged": 2, "duplicate": 3, "withdrawn": 4}
    days = {"first_day": int(NOW // DAY_S), "last_day": int(NOW // DAY_S)}
    earned: Counter[str] = Counter()
    for each in await at.outbox.revenue(**days):
        earned[each.became] += each.orders
    assert sum(earned[name] for name in ("waiting", "delivered", "withdrawn")) == counts["enqueued"]
    assert [earned[name] for name in ("merged", "duplicate")] == [counts["merged"], counts["duplicate"]]


async def test_revenue_counts_every_order_that_the_shop_did_not_confirm(at: At) -> None:
    """Only the newest hundred were looked at."""
    alone = [page(order_id=f"SO-{number}", event_id=f"t-{number}") for number in range(120)]
    others = [page(order_id="SO-paired"), page(order_id="SO-free", event_id="f", wait_s=0)]
    others.append(page(order_id="SO-dead", event_id="d"))
    await at.enqueue(*alone, *others)
    await at.enqueue(shop(order_id="SO-paired"), shop(order_id="SO-own", event_id="shop-own"))
    claimed = await at.later(700).claim()
    gone = {each.message_id for each in claimed if b"SO-dead" in each.payload}
    await at.later(700).deliver(*(each for each in claimed if each.message_id not in gone))
    await at.later(700).kill(*(each for each in claimed if each.message_id in gone))

    today = int(NOW // DAY_S)
    (usd,) = await read_revenue(at.outbox, {}, first_day=today, last_day=today)
    assert usd.trust == OrderTrust(orders=123, public=121, unconfirmed=120)
    for source, trust in (("web", (122, 121, 120)), ("shop", (1, 0, 0))):
        (usd,) = await read_revenue(at.outbox, {"source": source}, first_day=today, last_day=today)
        assert usd.trust == OrderTrust(*trust)


async def test_an_order_alone_says_that_the_shop_has_not_confirmed_it(at: At) -> None:
    await at.enqueue(page(message_id="w"))
    assert (await at.only_delivery("w")).warnings == ("not confirmed by the shop",)
    await at.enqueue(page(message_id="w-2"))
    assert (await at.only_delivery("w")).warnings == ("not confirmed by the shop",)
    await at.enqueue(shop())
    assert (await at.only_delivery("w")).warnings == ()


async def test_a_hold_of_the_preset_goes_on_after_merging(at: At) -> None:
    await at.enqueue(page(hold_s=1_800))
    await at.later(60).enqueue(shop(hold_s=1_800))

    assert await _ids(at.later(700)) == []
    assert await _ids(at.later(1_900)) == ["tag-1"]


async def test_who_sent_the_second_message_has_both_erased(at: At) -> None:
    await at.enqueue(page())
    whose = [Ownership(message_id="s", user=("ann" * 10)[:16], anonymous=None)]
    people = PeopleChanges(people=[], suppressions=[], owners=whose)
    await at.outbox.enqueue([shop(message_id="s")], [], [], now=NOW, people=people)
    await at.outbox.forget(["ann" * 10])

    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 0


async def test_an_event_that_comes_again_is_merged_once(at: At) -> None:
    answers = await at.enqueue(shop(), page(), page(), shop())
    assert _exits(answers) == ["enqueued", "merged", "duplicate", "duplicate"]
    same = [shop(event_id="tag-9", order_id="SO-9"), page(event_id="tag-9", order_id="SO-9")]
    assert _exits(await at.enqueue(*same, same[1])) == ["enqueued", "merged", "duplicate"]
    first = [page(event_id="tag-8", order_id="SO-8"), shop(event_id="s-8", order_id="SO-8")]
    assert _exits(await at.enqueue(*first, first[0])) == ["enqueued", "merged", "duplicate"]


@pytest.mark.parametrize("event_id", ["tag-1", "tag-2"])
async def test_a_message_of_a_page_that_comes_again_is_merged_once(at: At, event_id: str) -> None:
    second = page(message_id="w-2", event_id=event_id)
    assert _exits(await at.enqueue(page(), second, second)) == ["enqueued", "merged", "duplicate"]
    assert [seen.outcome for seen in await at.seen(second, page(message_id="w-3")) if seen] == ["duplicate", "merged"]
    assert _exits(await at.enqueue(second)) == ["duplicate"]
    assert _exits(await at.enqueue(shop(), second)) == ["merged", "duplicate"]
    assert _exits(await at.enqueue(page(message_id="w-2", order_id="SO-2", event_id="tag-9"))) == ["enqueued"]


async def test_a_search_for_either_message_finds_the_delivery(at: At) -> None:
    await at.enqueue(page(message_id="w"))
    await at.enqueue(shop(message_id="s"))
    (one,) = (await at.outbox.message("w")).deliveries
    both = await at.outbox.message("s")

    assert [each.delivery_id for each in both.deliveries] == [one.delivery_id]
    for message_id in ("w", "s"):
        found = await at.outbox.search(Query(message_id=message_id), limit=9)
        assert [each.delivery_id for each in found.deliveries] == [one.delivery_id]
    lines = [receipt_of_message(each, {}).deliveries for each in (await at.outbox.message("w"), both)]
    assert [[line.outcome for line in each] for each in lines] == [[Outcome.ENQUEUED], [Outcome.MERGED]]


# ---------------------------------------------------------------------------------------------------------------------
# Orders that are withheld where the shop does not confirm them.


def _sealed(message_id: str) -> Quarantined:
    return Quarantined(
        at=NOW,
        ends_at=NOW + DAY_S,
        source="web",
        is_trusted=False,
        name="Order Completed",
        outcome=Outcome.WITHHELD,
        reason="not confirmed by the shop",
        message_id=message_id,
        keys=(),
        sealed="x",
    )


async def test_an_order_that_the_shop_does_not_confirm_is_withheld(at: At) -> None:
    order = page(message_id="w", is_withheld_alone=True)
    await at.enqueue(order, page("1.00", event_id="x-1", is_withheld_alone=True))

    assert await _ids(at.later(700)) == []
    ((_, dropped),) = (await at.outbox.message("w")).dropped_events
    assert (dropped.outcome, dropped.reason) == (Outcome.WITHHELD, "not confirmed by the shop")
    assert _exits(await at.later(800).enqueue(page(message_id="w", wait_s=0))) == ["enqueued"]


@pytest.mark.parametrize("confirms", [shop(), shop("1.00")])
async def test_a_sealed_order_is_erased_when_the_shop_sends_its_own(at: At, confirms: NewDelivery) -> None:
    await at.enqueue(page(message_id="w", is_withheld_alone=True))
    await at.outbox.sealed_events.keep([_sealed("w"), _sealed("other")])
    await at.enqueue(confirms)

    left = await at.outbox.sealed_events.find(QuarantineFilter(), now=NOW, after=0, limit=9)
    assert [each.message_id for each in left] == ["other"]
    assert len(await _ids(at.later(700))) == 1


# ---------------------------------------------------------------------------------------------------------------------
# Dead letters, and another store.


@pytest.mark.parametrize(("amount", "is_redriven"), [("249.00", False), ("0.01", True)])
async def test_a_dead_order_of_the_shop_is_redriven_unless_the_page_told_the_same(
    at: At, amount: str, *, is_redriven: bool
) -> None:
    dead_id = await at.dead_letter(shop(wait_s=0))
    await at.enqueue(page(amount, wait_s=0))
    await at.deliver(*await at.claim())
    done = await at.outbox.dead_letters.redrive(Query(), now=at.now)

    assert done.redriven == is_redriven
    assert (await at.delivery(dead_id)).state is (State.PENDING if is_redriven else State.DISMISSED)


async def test_a_redriven_order_of_the_shop_is_as_trusted_as_before(at: At) -> None:
    await at.dead_letter(shop(wait_s=0, token="t"))
    await at.outbox.dead_letters.redrive(Query(), now=at.now)

    claims = page("0.01"), page("0.01", order_id=None, token="t", event_id="x"), shop(message_id="again")
    assert _exits(await at.enqueue(*claims)) == ["duplicate"] * 3
