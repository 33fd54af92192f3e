"""What is pending of a cancelled order is erased and noted; the age of what is held begins when its hold is over."""

from typing import Any

import pytest

from app.core.deliveries import State, Withdrawal
from app.core.events import CounterRow, Outcome
from app.core.pages import Query
from app.core.people import Recalled
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, new, retry

HOLD_S = 1_800.0


def cancelled(order_id: str = "SO-1", **changes: Any) -> Withdrawal:
    standard: dict[str, Any] = {"ad_account_id": ACCOUNT, "preset": "checkout", "message_id": "cancel-1"}
    return Withdrawal(order_id=order_id, **(standard | changes))


async def states(at: At) -> dict[str, State]:
    page = await at.outbox.search(Query(), limit=100)
    return {each.message_id: each.state for each in page.deliveries}


async def test_what_is_held_is_claimed_when_its_hold_is_over_and_no_older_than_that(at: At) -> None:
    await at.enqueue(new(message_id="held", hold_s=HOLD_S), new(message_id="now"))
    (first,) = await at.claim()
    assert first.message_id == "now"
    await at.deliver(first)
    assert await at.later(HOLD_S - 1).claim() == []
    (second,) = await at.later(HOLD_S).claim()
    assert (second.message_id, second.enqueued_at) == ("held", NOW + HOLD_S)


async def test_what_is_pending_of_a_cancelled_order_is_erased_noted_and_counted(at: At) -> None:
    await at.enqueue(new(message_id="m-1", order_id="SO-1", amount="20", hold_s=HOLD_S), new(message_id="other"))
    assert await at.outbox.withdraw([cancelled()], now=NOW + 5) == [1]
    assert await states(at) == {"other": State.PENDING}
    ((when, note),) = (await at.outbox.message("m-1")).dropped_events
    assert (when, note.outcome, note.reason) == (NOW + 5, Outcome.WITHDRAWN, "withdrawn by message cancel-1")
    assert (note.preset, note.order_id, note.amount) == ("checkout", "SO-1", "20")
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.claimed, backlog.dead) == (1, 0, 0)
    assert backlog.size_bytes == len(new().payload)
    counted = [
        counter for _, counter in await at.outbox.counters(since=NOW - HOUR_S, step_s=0) if counter.name == "withdrawn"
    ]
    assert counted == [CounterRow(name="withdrawn", preset="checkout", ad_account_id=ACCOUNT, source="default")]
    assert (note.ad_account_id, note.source) == (ACCOUNT, "default")


async def test_a_withdrawn_order_keeps_its_warnings_by_which_it_is_found_as_it_was_counted(at: At) -> None:
    warned = ("value: left out", "event_time: late")
    order = new(
        message_id="m-1", order_id="SO-1", hold_s=HOLD_S, warnings=warned, memory={"ph": Recalled(age_s=60, by="page")}
    )
    plain = new(message_id="m-2", order_id="SO-2", hold_s=HOLD_S)
    await at.enqueue(order, plain)
    assert await at.outbox.withdraw([cancelled("SO-1"), cancelled("SO-2")], now=NOW) == [1, 1]
    ((_, note),) = (await at.outbox.search_dropped(Query(warning="LATE"), limit=5)).events
    assert (note.message_id, note.warnings) == ("m-1", warned)
    ((_, note),) = (await at.outbox.message("m-2")).dropped_events
    assert note.warnings == ()


async def test_an_order_keeps_its_channel_wherever_it_ends(at: At) -> None:
    order = {"is_trusted": True, "channel": "pos"}
    await at.enqueue(*(new(message_id=f"m-{number}", order_id=f"SO-{number}", **order) for number in (1, 2)))
    first, second = await at.claim()
    await at.deliver(first)
    await at.kill(second)
    await at.enqueue(new(message_id="m-3", order_id="SO-3", hold_s=HOLD_S, **order))
    assert await at.outbox.withdraw([cancelled("SO-3", is_trusted=True)], now=NOW) == [1]
    (again,) = await at.enqueue(new(message_id="m-4", order_id="SO-1", **order))
    assert again.outcome is Outcome.DUPLICATE
    found = (await at.outbox.search(Query(channel="pos"), limit=9)).deliveries
    noted = (await at.outbox.search_dropped(Query(channel="pos"), limit=9)).events
    assert {each.state for each in found} == {"delivered", "dead"}
    assert {(note.outcome, note.channel) for _, note in noted} == {
        (Outcome.WITHDRAWN, "pos"),
        (Outcome.DUPLICATE, "pos"),
    }
    rows = [row async for page in at.outbox.orders_since(0) for row in page]
    assert {row.channel for row in rows} == {"pos"}
    assert len(rows) == 4
    nothing = Query(channel="")
    assert (await at.outbox.search(nothing, limit=9)).deliveries == ()
    assert (await at.outbox.search_dropped(nothing, limit=9)).events == ()


async def test_twice_is_as_good_as_once_and_the_order_is_known_again(at: At) -> None:
    order = new(message_id="m-1", order_id="SO-1", hold_s=HOLD_S)
    await at.enqueue(order)
    assert [await at.outbox.withdraw([cancelled()], now=NOW) for _ in range(2)] == [[1], [0]]
    (again,) = await at.enqueue(new(message_id="m-2", order_id="SO-1"))
    assert again.outcome is Outcome.DUPLICATE
    assert await at.later(HOLD_S).claim() == []


@pytest.mark.parametrize(
    ("written", "cancelled_as"), [("#1001", "1001"), ("1001", "#1001"), ("# 1001", "#1001"), ("#1001", "#1001")]
)
async def test_an_order_is_withdrawn_by_any_spelling_of_its_id(at: At, written: str, cancelled_as: str) -> None:
    await at.enqueue(new(message_id="m-1", order_id=written, hold_s=HOLD_S), new(message_id="other", order_id="1002"))
    assert await at.outbox.withdraw([cancelled(cancelled_as)], now=NOW) == [1]
    assert await states(at) == {"other": State.PENDING}


@pytest.mark.parametrize(
    "asked",
    [
        cancelled("SO-2"),
        cancelled(preset="lead"),
        cancelled(ad_account_id="7"),
    ],
    ids=["another order", "another preset", "another ad account"],
)
async def test_nothing_else_is_withdrawn(at: At, asked: Withdrawal) -> None:
    await at.enqueue(new(message_id="m-1", order_id="SO-1", hold_s=HOLD_S))
    assert await at.outbox.withdraw([asked], now=NOW) == [0]
    assert await states(at) == {"m-1": State.PENDING}


async def test_what_has_left_is_not_withdrawn_and_a_retry_is(at: At) -> None:
    orders = [new(message_id=f"m-{n}", order_id=f"SO-{n}") for n in (1, 2, 3, 4)]
    await at.enqueue(*orders)
    claimed = {each.message_id: each for each in await at.claim()}
    await at.deliver(claimed["m-1"])
    await at.kill(claimed["m-2"])
    await at.settle(retry(claimed["m-3"], NOW + 60))
    asked = [cancelled(f"SO-{n}") for n in (1, 2, 3, 4)]
    assert await at.outbox.withdraw(asked, now=NOW) == [0, 0, 1, 0]
    assert await states(at) == {"m-1": State.DELIVERED, "m-2": State.DEAD, "m-4": State.CLAIMED}


async def test_an_order_with_u_0000_in_its_id_is_withdrawn_by_it(at: At) -> None:
    await at.enqueue(new(order_id="a\0"))
    assert await at.outbox.withdraw([cancelled("a\0", message_id="c\0")], now=at.now) == [1]


@pytest.mark.parametrize("is_first", [True, False], ids=["the order first", "the cancellation first"])
@pytest.mark.parametrize(
    ("of_order", "of_cancellation", "is_gone"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, True)],
)
async def test_a_cancellation_withdraws_what_is_not_more_trusted_waiting_or_to_come(
    at: At, *, is_first: bool, of_order: bool, of_cancellation: bool, is_gone: bool
) -> None:
    order = new(message_id="m-1", order_id="#1001", hold_s=HOLD_S, is_trusted=of_order)
    asked = cancelled("1001", is_trusted=of_cancellation)
    if is_first:
        await at.enqueue(order)
    gone = await at.outbox.withdraw([asked], now=NOW)
    if not is_first:
        await at.enqueue(order)
        gone = [len(await at.outbox.withdraw_cancelled([new(order_id="SO-2"), order], now=NOW))]
    assert gone == [int(is_gone)]
    assert await states(at) == ({} if is_gone else {"m-1": State.PENDING})
    assert await at.outbox.withdraw_cancelled([order], now=NOW) == []


async def test_a_public_cancellation_hides_no_trusted_one_of_an_order_to_come(at: At) -> None:
    order = new(message_id="m-1", order_id="SO-1", hold_s=HOLD_S, is_trusted=True)
    trusted, public = cancelled(is_trusted=True), cancelled(message_id="cancel-2")
    await at.outbox.withdraw([public, trusted, public], now=NOW)
    await at.enqueue(order)
    assert await at.outbox.withdraw_cancelled([order], now=NOW) == [0]
    ((_, note),) = (await at.outbox.message("m-1")).dropped_events
    assert note.reason == "withdrawn by message cancel-1"


async def test_a_cancellation_is_of_its_preset_ad_account_and_shop_and_is_forgotten_with_the_ledger(at: At) -> None:
    order = new(message_id="m-1", order_id="SO-1", hold_s=HOLD_S, shop="Berlin")
    others = cancelled(preset="other"), cancelled(ad_account_id="42"), cancelled(shop="Vienna"), cancelled()
    await at.outbox.withdraw(others, now=NOW)
    await at.enqueue(order)
    assert await at.outbox.withdraw_cancelled([order], now=NOW) == []
    await at.outbox.withdraw([cancelled("SO-9", shop="Berlin")], now=NOW)
    later = new(message_id="m-9", order_id="SO-9", hold_s=HOLD_S, shop="Berlin")
    await at.enqueue(later)
    assert await at.outbox.withdraw_cancelled([later], now=NOW + 31 * DAY_S) == []
    assert await at.outbox.withdraw_cancelled([later], now=NOW) == [0]


@pytest.mark.parametrize(
    ("paid", "refunded", "is_gone"),
    [
        (("20", "EUR"), ("20", "EUR"), True),
        (("20", "EUR"), ("23.80", "EUR"), True),  # with tax and shipping
        (("20", "EUR"), ("19.99", "EUR"), False),
        (("20", "EUR"), ("5", None), False),
        (("20", "EUR"), ("5", "USD"), True),  # what it is worth of the order is not known
        ((None, None), ("5", "EUR"), True),
        (("20", "EUR"), (None, None), True),
    ],
)
async def test_a_refund_of_a_part_withdraws_nothing(
    at: At, paid: tuple[str | None, str | None], refunded: tuple[str | None, str | None], *, is_gone: bool
) -> None:
    order = new(message_id="m-1", order_id="SO-1", hold_s=HOLD_S, amount=paid[0], currency=paid[1])
    await at.enqueue(order)
    asked = cancelled(amount=refunded[0], currency=refunded[1])
    assert await at.outbox.withdraw([asked], now=NOW) == [int(is_gone)]
    assert await at.outbox.withdraw_cancelled([order], now=NOW) == []
