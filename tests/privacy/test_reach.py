"""An opt-out that a person said reaches every later delivery of that person, whichever source sends it."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.core.deliveries import Retry, Settlement, State
from app.core.events import Outcome
from app.outbox.postgres.connections import SQL, Connection
from app.pipeline import consent
from tests.outbox.new_store import new_store
from tests.outbox.postgres_server import PostgresServer
from tests.privacy.shop import (
    ACCOUNT,
    ADA,
    DENIED,
    GPC,
    GRANTED,
    NOW,
    OPTED_IN,
    OPTED_OUT,
    PAIRED,
    REFUSED,
    SAID,
    Shop,
    opened,
    order,
)
from tests.rows import every_row


@pytest.fixture(params=[False, True], ids=["without memory", "with memory"])
async def shop(outbox_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    shop = await opened(outbox_url, memory=request.param)
    yield shop
    await shop.outbox.close()


WITHHELD = ("withheld", SAID)
ENQUEUED = ("enqueued", "")
#: What the browser says, what comes then and from whom, and what becomes of it.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool, tuple[str, str]]] = {
    "a public no of a browser": ({"anonymousId": "x", **REFUSED}, order(anonymousId="x"), False, WITHHELD),
    "of a user": ({"userId": "ann", **REFUSED}, order(userId="ann"), False, WITHHELD),
    "of an address": ({"traits": ADA, **REFUSED}, order(context={"traits": ADA}), False, WITHHELD),
    "of another browser": ({"anonymousId": "y", **REFUSED}, order(anonymousId="x"), False, ENQUEUED),
    "of another user": ({"userId": "bob", **REFUSED}, order(userId="ann"), False, ENQUEUED),
    "for a trusted event that links the browser": (
        {"anonymousId": "x", **REFUSED}, order(userId="ann", anonymousId="x"), True, WITHHELD,
    ),
    "for a trusted event of the browser alone": (
        {"anonymousId": "x", **REFUSED}, order(anonymousId="x"), True, ENQUEUED,
    ),
    "for a trusted event of the claimed user": ({"userId": "ann", **REFUSED}, order(userId="ann"), True, ENQUEUED),
    "for a trusted event of the address": ({"traits": ADA, **REFUSED}, order(context={"traits": ADA}), True, ENQUEUED),
    "for the trusted order of the same token": (
        order(token="t", anonymousId="x", **REFUSED), order(2, token="t", total=99, userId="ann"), True, WITHHELD,
    ),
    "for the trusted order of the same id and total": (
        order(anonymousId="x", **REFUSED), order(userId="ann"), True, WITHHELD,
    ),
    "for the trusted order of the same id and another total": (
        order(anonymousId="x", total=0.01, **REFUSED), order(userId="ann"), True, ENQUEUED,
    ),
    "another order": (order(anonymousId="x", **REFUSED), order(2, userId="ann"), True, ENQUEUED),
}  # fmt: skip


def of_case(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The same event, of people, browsers and orders of a case of its own."""
    text = orjson.dumps(event).decode()
    for name in ("x", "y", "z", "ann", "bob", "t", "o1", "o2"):
        text = text.replace(f'"{name}"', f'"{name}-{number}"')
    renamed: dict[str, Any] = orjson.loads(text.replace("ada@", f"ada{number}@"))
    return renamed


@pytest.mark.slow
async def test_a_refused_category_withholds_later_events_of_the_person(shop: Shop) -> None:
    wrong = {}
    for number, (case, (said, later, is_trusted, expected)) in enumerate(CASES.items()):
        await shop.send(of_case(said, number))
        told = await shop.send(of_case(later, number), trusted=is_trusted)
        if told != [expected]:
            wrong[case] = told
    assert wrong == {}


@pytest.mark.parametrize("said", [{"userId": "ann", **REFUSED}, {"userId": "ann", "anonymousId": "x", **REFUSED}])
async def test_a_trusted_no_holds_for_everybody(shop: Shop, said: dict[str, Any]) -> None:
    await shop.send(said, trusted=True)
    told = [
        await shop.send(order(number, userId="ann"), trusted=trusted) for number, trusted in ((1, True), (2, False))
    ]
    reasons = {outcomes[0] for outcomes in told}
    assert {outcome for outcome, _ in reasons} == {"withheld"}
    where = "in the browser" if "anonymousId" in said else "by the source shop"
    assert {reason for _, reason in reasons} == {f"the person opted out on 3 November, {where}"}


@pytest.mark.parametrize(
    ("reach", "said", "expected"),
    [
        ("per_event", REFUSED, "withheld"),
        ("per_event", OPTED_OUT, "opt_out"),
        ("per_event", GPC, "opt_out"),
        ("per_event", DENIED, "sent"),
        ("withhold", REFUSED, "withheld"),
        ("withhold", OPTED_OUT, "withheld"),
        ("withhold", GPC, "withheld"),
        ("withhold", DENIED, "withheld"),
        ("fill", REFUSED, "sent"),
        ("fill", OPTED_OUT, "sent"),
    ],
)
@pytest.mark.parametrize("waits", [False, True], ids=["enqueued later", "waits already"])
async def test_how_far_a_no_reaches_is_a_setting(
    tmp_path: Path, reach: str, said: dict[str, Any], expected: str, *, waits: bool
) -> None:
    shop = await opened(new_store(tmp_path, "o.db"), suppress=reach)
    late = order(userId="ann", anonymousId="x", context={"traits": ADA})
    if waits:
        await shop.send(late)
    await shop.send({"anonymousId": "x", **said})
    if not waits:
        await shop.send(late)
    found = [each for each in await shop.sent() if each["event_name"] == "checkout"]
    told = "withheld" if not found else "opt_out" if found[0].get("opt_out") is True else "sent"
    assert told == expected
    message = await shop.outbox.message("m1" if waits else "m2")
    dropped = [event.reason for _, event in message.dropped_events]
    assert dropped == ([SAID] if expected == "withheld" else [])
    await shop.outbox.close()


async def test_what_waits_is_withheld_or_marked_when_it_is_claimed(shop: Shop) -> None:
    for number, who in enumerate(("x", "y", "z")):
        await shop.send(order(number, anonymousId=who))
    await shop.send({"anonymousId": "x", **REFUSED}, {"anonymousId": "y", **OPTED_OUT})
    sent = [each for each in await shop.sent() if each["event_name"] == "checkout"]
    left = {each["custom_data"]["order_id"]: each.get("opt_out") for each in sent}
    assert left == {"o1": True, "o2": None}
    message = await shop.outbox.message("m1")
    assert [(event.outcome, event.reason) for _, event in message.dropped_events] == [(Outcome.WITHHELD, SAID)]
    assert message.deliveries == ()
    backlog = await shop.outbox.backlog(ACCOUNT, now=shop.at)
    assert (backlog.pending, backlog.claimed) == (0, 3)  # two orders, and the page on which the person opted out
    counted: Counter[str] = Counter()
    for _, each in await shop.outbox.counters(since=0, step_s=0):
        counted[each.name] += each.count
    assert (counted["enqueued"], counted["withdrawn"]) == (4, 1)


@pytest.mark.parametrize("before", ["never tried", "lease lost", "answered 503"])
async def test_the_reason_says_if_a_withheld_event_may_have_reached_pinterest(shop: Shop, before: str) -> None:
    await shop.send(order(anonymousId="b1"))
    if before != "never tried":
        (claimed,) = await shop.claimed()
        if before == "answered 503":
            answer = Retry(reason="503", status=503)
            settlement = Settlement(claimed=claimed, result=answer, state=State.PENDING, due_at=NOW, give_back=True)
            await shop.outbox.settle([settlement], [], now=shop.at)
        shop.at += 3_600
    await shop.send({"anonymousId": "b1", **REFUSED})

    assert await shop.sent() == []
    ((_, dropped),) = (await shop.outbox.message("m1")).dropped_events
    assert dropped.outcome is Outcome.WITHHELD
    assert dropped.reason.endswith("; an earlier attempt may have reached Pinterest") == (before != "never tried")
    assert dropped.reason.startswith("the person opted out on 3 November, in the browser")


async def test_what_waits_of_a_trusted_order_is_not_withdrawn_by_a_strangers_no(shop: Shop) -> None:
    await shop.send(order(userId="ann", context={"traits": ADA}), trusted=True)
    for said in ({"userId": "ann"}, {"traits": ADA}, {"anonymousId": "z"}):
        await shop.send({**said, **REFUSED})
    assert len(await shop.sent()) == 1


@pytest.mark.parametrize(
    ("yes", "trusted", "is_sent"),
    [
        ({"anonymousId": "x", **GRANTED}, False, True),
        ({"anonymousId": "x", **OPTED_IN}, False, True),
        ({"anonymousId": "x", "type": "identify", **OPTED_IN}, False, True),
        ({"anonymousId": "x", "type": "identify"}, False, False),
        ({"anonymousId": "y", **GRANTED}, False, False),
        ({"anonymousId": "y", "userId": "ann", **GRANTED}, False, True),
        ({"userId": "ann", **GRANTED}, True, True),
    ],
)
async def test_a_newer_yes_lifts_what_the_same_browser_or_user_said(
    shop: Shop, yes: dict[str, Any], *, trusted: bool, is_sent: bool
) -> None:
    await shop.send({"anonymousId": "x", "userId": "ann", **REFUSED})
    await shop.send(yes, trusted=trusted)
    told = [
        await shop.send(order(number, **who)) for number, who in ((1, {"userId": "ann"}), (2, {"anonymousId": "x"}))
    ]
    assert [outcomes[0][0] for outcomes in told] == ["enqueued" if is_sent else "withheld"] * 2


async def test_a_trusted_no_is_lifted_by_a_trusted_yes_only(shop: Shop) -> None:
    await shop.send({"anonymousId": "x", **REFUSED}, trusted=True)
    await shop.send({"anonymousId": "x", **GRANTED})
    assert await shop.send(order(1, anonymousId="x")) == [WITHHELD]
    await shop.send({"anonymousId": "x", **GRANTED}, trusted=True)
    assert await shop.send(order(2, anonymousId="x")) == [ENQUEUED]


async def test_events_of_one_request_count_in_their_order(shop: Shop) -> None:
    told = await shop.send(
        order(1, anonymousId="x"),
        {"anonymousId": "x", **REFUSED},
        order(2, anonymousId="x"),
        order(3, anonymousId="x", **GRANTED),
        order(4, anonymousId="x"),
    )
    assert [outcome for outcome, _ in told] == ["enqueued", "withheld", "withheld", "enqueued", "enqueued"]


async def test_a_no_holds_for_a_user_whom_a_trusted_event_linked_since(shop: Shop) -> None:
    await shop.send({"anonymousId": "x", **REFUSED})
    await shop.send(order(1, anonymousId="x", userId="ann"), trusted=True)
    assert await shop.send(order(2, userId="ann"), trusted=True) == [WITHHELD]
    await shop.send({"anonymousId": "x", **GRANTED})
    assert await shop.send(order(3, userId="ann"), trusted=True) == [ENQUEUED]


async def test_it_holds_too_where_the_browser_named_the_user_itself(shop: Shop) -> None:
    await shop.send({"anonymousId": "x", "userId": "ann", **REFUSED})
    assert await shop.send(order(1, userId="ann"), trusted=True) == [ENQUEUED]
    for number in (2, 3):
        await shop.send(order(number, anonymousId="x", userId="ann"), trusted=True)
        assert await shop.send(order(10 + number, userId="ann"), trusted=True) == [WITHHELD]


async def test_an_opt_out_leaves_a_refused_category_refused(shop: Shop) -> None:
    await shop.send({"anonymousId": "x", **REFUSED})
    await shop.send({"anonymousId": "x", **OPTED_OUT})
    assert await shop.send(order(1, anonymousId="x")) == [WITHHELD]
    await shop.send({"anonymousId": "x", **OPTED_IN}, {"anonymousId": "x", **OPTED_OUT})
    assert await shop.send(order(2, anonymousId="x")) == [ENQUEUED]


@pytest.mark.parametrize(
    ("said", "then", "expected"),
    [
        (OPTED_OUT, {}, True),
        (OPTED_OUT, OPTED_OUT, True),
        (OPTED_OUT, OPTED_IN, None),
        (DENIED, {}, None),
    ],
)
@pytest.mark.parametrize("trusted", [False, True])
async def test_who_opted_out_is_sent_so_until_a_yes(
    outbox_url: str, said: dict[str, Any], then: dict[str, Any], *, expected: bool | None, trusted: bool
) -> None:
    """A process knows it without reading the opt-outs; so does one that starts later."""
    shop, other = await opened(outbox_url), await opened(outbox_url)
    for each in (said, then):
        await shop.send({"anonymousId": "x", "userId": "ann", **each}, trusted=True)
    for number, some in enumerate((shop, other)):
        some.count, some.at = 10 * (number + 1), shop.at + 10
        await some.send(order(number, anonymousId="x", userId="ann"), trusted=trusted)
        shop.at = some.at
    sent = {each["custom_data"]["order_id"]: each.get("opt_out") for each in await shop.sent() if "custom_data" in each}
    assert [*sent.values()] == [expected, expected]
    await shop.outbox.close()
    await other.outbox.close()


async def test_an_opt_out_marks_what_is_enqueued_behind_it_and_a_public_one_trusted_orders_by_a_link_only(
    shop: Shop,
) -> None:
    shop.check = None
    await shop.send(order(1, anonymousId="x"), {"anonymousId": "x", **OPTED_OUT}, order(2, anonymousId="x"))
    await shop.send(order(3, anonymousId="x"), {"anonymousId": "x", **OPTED_OUT}, {**OPTED_OUT, "traits": {"a": 1}})
    for number, who in ((4, {"anonymousId": "x"}), (5, {"anonymousId": "x", "userId": "ann"}), (6, {"userId": "ann"})):
        await shop.send(order(number, **who), trusted=True)
    await shop.send(order(7, userId="ann"), order(8, anonymousId="x", **GRANTED), order(9, anonymousId="x"))
    sent = {each["custom_data"]["order_id"]: each.get("opt_out") for each in await shop.sent() if "custom_data" in each}
    assert [number for number in range(1, 10) if sent[f"o{number}"]] == [2, 3, 5, 6, 7]
    assert {each for each in sent.values() if not each} == {None}


async def test_where_consent_is_required_nobody_is_sent_who_was_not_asked(outbox_url: str) -> None:
    shop = await opened(outbox_url, consent_required=True)
    not_asked = "CONSENT_REQUIRED: the person has not said yes"
    assert await shop.send(order(1, anonymousId="x")) == [("withheld", not_asked)]
    assert await shop.send(order(2, anonymousId="x", **GRANTED)) == [ENQUEUED]
    assert await shop.send(order(3, anonymousId="x")) == [ENQUEUED]
    assert await shop.send(order(4, anonymousId="y")) == [("withheld", not_asked)]
    await shop.send({"anonymousId": "x", **REFUSED})
    assert await shop.send(order(5, anonymousId="x")) == [WITHHELD]
    await shop.outbox.close()


NOT_ASKED = "CONSENT_REQUIRED: the person has not said yes"
#: What the browser says, what the shop's order is, when its wait is over, and whether it is sent then.
WORDS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "no word": ({"anonymousId": "y", **GRANTED}, order(userId="ann", anonymousId="x"), False),
    "an opt-in of the browser": ({"anonymousId": "x", **GRANTED}, order(anonymousId="x"), True),
    "an opt-in of the user": ({"anonymousId": "x", "userId": "ann", **GRANTED}, order(userId="ann"), True),
    "an opt-in of the address": ({"traits": ADA, **GRANTED}, order(context={"traits": ADA}), True),
    "an opt-in at the checkout": (
        {**order(token="t", anonymousId="x", **GRANTED), "event": "Checkout Started"},
        order(2, token="t", userId="ann"),
        True,
    ),
    "an opt-in with the order": (order(anonymousId="x", **GRANTED), order(userId="ann"), True),
    "an opt-in with the order of another total": (
        order(anonymousId="x", total=0.01, **GRANTED), order(userId="ann"), False,
    ),
    "an opt-out of the browser": ({"anonymousId": "x", **REFUSED}, order(userId="ann", anonymousId="x"), False),
}  # fmt: skip


@pytest.mark.slow
async def test_a_shops_order_waits_for_the_browsers_word(outbox_url: str) -> None:
    """It is withheld where none comes, and sent where it comes later and the shop tells of the order once more."""
    shop = await opened(outbox_url, consent_required=True)
    wrong = {}
    for number, (case, (said, later, is_sent)) in enumerate(WORDS.items()):
        told = await shop.send(of_case(later, number), trusted=True)
        early = await shop.sent()
        await shop.send(of_case(said, number))
        shop.at += 600
        sent = await shop.orders()
        its = [of_case(later, number)["properties"]["order_id"]] if is_sent else []
        if (told, early, sent) != ([ENQUEUED], [], its):
            wrong[case] = told, early, sent
    assert wrong == {}
    await shop.send({"userId": "ann-0", **GRANTED})
    assert await shop.send(of_case(order(userId="ann", anonymousId="x"), 0), trusted=True) == [ENQUEUED]
    assert await shop.orders() == ["o1-0"]
    await shop.outbox.close()


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (order(context={"traits": ADA}, way="pos"), {}),
        (order(userId="ann", timestamp=NOW - 3_600), {}),
        (order(userId="ann"), {"order_wait_minutes": 0}),
        ({"type": "track", "event": "Product Viewed", "userId": "ann"}, {}),
    ],
)
async def test_what_no_page_tells_of_is_withheld_at_once(
    tmp_path: Path, event: dict[str, Any], changes: dict[str, Any]
) -> None:
    shop = await opened(new_store(tmp_path, "o.db"), consent_required=True, **changes)
    assert await shop.send(event, trusted=True) == [("withheld", NOT_ASKED)]
    await shop.outbox.close()


async def test_consent_is_required_also_where_a_no_ends_memory_only(tmp_path: Path) -> None:
    shop = await opened(new_store(tmp_path, "o.db"), consent_required=True, suppress="fill")
    assert await shop.send(order(1, anonymousId="x")) == [("withheld", NOT_ASKED)]
    assert await shop.send(order(2, anonymousId="x", **GRANTED)) == [ENQUEUED]
    assert await shop.send({"anonymousId": "x", **REFUSED}) == [("withheld", "consent: category ads is not granted")]
    assert await shop.send(order(3, anonymousId="x")) == [("withheld", NOT_ASKED)]
    assert len(await shop.sent()) == 1
    await shop.outbox.close()


PAGE, OF_SHOP = order(anonymousId="x"), order(context={"traits": ADA})
NO, NO_OF_OTHER = {"anonymousId": "x", **REFUSED}, {"anonymousId": "z", **REFUSED}
#: Until when the wait for the other side is over.
LATER_S = 700
#: What comes one after the other, of the page and of the shop (a list has one event of the shop, a number is time that
#: passes until all that is due is claimed), and what is sent of the order: None is nothing, else its `opt_out`.
SIDES: dict[str, tuple[tuple[Any, ...], bool | str | None]] = {
    "the page's first": ((PAGE, [OF_SHOP], NO), None),
    "the shop's first": (([OF_SHOP], PAGE, NO), None),
    "the shop's of a user": ((PAGE, [order(userId="ann")], NO), None),
    "both of a user": (([order(userId="ann")], order(anonymousId="x", userId="ann"), NO), None),
    "two pages, and the no of the first": ((PAGE, order(anonymousId="z"), [OF_SHOP], NO), None),
    "two pages, and the no of the second": ((PAGE, order(anonymousId="z"), [OF_SHOP], NO_OF_OTHER), None),
    "an opt-out": ((PAGE, [OF_SHOP], {"anonymousId": "x", **OPTED_OUT}), True),
    "an opt-out, the shop's first": (([OF_SHOP], PAGE, {"anonymousId": "x", **OPTED_OUT}), True),
    "an opt-out and an opt-in": ((PAGE, [OF_SHOP], NO, {"anonymousId": "x", **GRANTED}), "sent"),
    "the no of another browser": ((PAGE, [OF_SHOP], NO_OF_OTHER), "sent"),
    "of another browser that is not bound": ((order(anonymousId="z", total=3), [OF_SHOP], PAGE, NO_OF_OTHER), "sent"),
    "an opt-out before both": ((NO, PAGE, [OF_SHOP]), None),
    "an opt-out before both, the shop's first": ((NO, [OF_SHOP], PAGE), None),
    "an opt-out before both, and another total": ((NO, order(anonymousId="x", total=3), [OF_SHOP]), "sent"),
    "an opt-out before both, taken back": ((NO, PAGE, {"anonymousId": "x", **GRANTED}, [OF_SHOP]), "sent"),
    "an opt-out flag before both": (({"anonymousId": "x", **OPTED_OUT}, [OF_SHOP], PAGE), True),
    "an opt-out while the page's waits, and the shop's afterwards": ((PAGE, NO, LATER_S, [OF_SHOP]), None),
    "the shop's once more": ((PAGE, [OF_SHOP], NO, 1, [OF_SHOP]), None),
    "the shop's once more, and another total": (
        (PAGE, [OF_SHOP], NO, 1, [order(context={"traits": ADA}, total=30)]), "sent",
    ),
    "an opt-out of a device": ((PAGE, [OF_SHOP], {"anonymousId": "x", **DENIED}), "sent"),
}  # fmt: skip


@pytest.mark.slow
async def test_a_no_of_the_browser_reaches_the_order_of_both_sides(outbox_url: str) -> None:
    """Whichever comes first, before or after they are one, and also where the shop tells of the order again."""
    shop = await opened(outbox_url, **PAIRED)
    wrong = {}
    for number, (case, (steps, becomes)) in enumerate(SIDES.items()):
        sent = []
        for step in (*steps, LATER_S):
            if isinstance(step, int):
                shop.at += step
                sent += await shop.delivered()
            elif isinstance(step, list):
                await shop.send(*(of_case(each, number) for each in step), trusted=True)
            else:
                await shop.send(of_case(step, number))
        orders = [each.get("opt_out", "sent") for each in sent]
        if orders != ([] if becomes is None else [becomes]):
            wrong[case] = orders
    assert wrong == {}
    await shop.outbox.close()


async def test_an_order_that_says_yes_itself_is_sent_though_nobody_is_named(tmp_path: Path) -> None:
    shop = await opened(new_store(tmp_path, "o.db"), consent_required=True)
    event = {"type": "track", "event": "Order Completed", "properties": {"total": 20, "currency": "USD"}}
    event["context"] = GRANTED["context"]
    assert await shop.send(event, trusted=True) == [ENQUEUED]
    assert len(await shop.sent()) == 1
    await shop.outbox.close()


async def test_an_order_that_waits_is_found_by_token_and_total_when_it_is_claimed(outbox_url: str) -> None:
    shop = await opened(outbox_url, **PAIRED)
    await shop.send(order(1, token="t", userId="ann"), order(2, userId="bob"), order(3, userId="eve"), trusted=True)
    no = {"anonymousId": "z", **REFUSED}
    await shop.send(order(9, token="t", **no), order(2, **no), order(3, total=0.01, **no))
    shop.at += 600
    sent = [each["custom_data"]["order_id"] for each in await shop.sent() if each["event_name"] == "checkout"]
    assert sent == ["o3"]
    await shop.outbox.close()


async def test_a_stranger_stops_no_order_by_its_message_id_or_number(shop: Shop) -> None:
    guest = {"context": {"ip": "203.0.113.7"}}
    await shop.send({**order(1, userId="ann"), "messageId": "shop-1"}, {**order(2), **guest}, trusted=True)
    stranger = {"messageId": "shop-1", "anonymousId": "z", "type": "page"}
    await shop.send(stranger, {"anonymousId": "z", **REFUSED}, order(2, total=0.01, anonymousId="z", **REFUSED))
    assert sorted(each["custom_data"]["order_id"] for each in await shop.sent() if "custom_data" in each) == [
        "o1",
        "o2",
    ]


async def test_where_it_is_off_nothing_is_asked_or_written(outbox_url: str) -> None:
    shop = await opened(outbox_url, suppress="fill")
    await shop.send({"anonymousId": "x", "userId": "ann", **REFUSED})
    assert await shop.outbox.consent_keys("0") == ([], (await shop.outbox.consent_keys("0"))[1])
    assert await shop.send(order(anonymousId="x")) == [(Outcome.ENQUEUED.value, "")]
    await shop.outbox.close()


async def test_a_public_key_answers_for_so_many_new_ids_in_an_hour(
    outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent, "MAX_ADDED", 3)
    shop = await opened(outbox_url)
    for number in range(5):
        await shop.send({"anonymousId": f"x{number}", **REFUSED})
    await shop.send({"anonymousId": "x1", **REFUSED}, {"anonymousId": "y", **REFUSED})
    await shop.send({"anonymousId": "z", **REFUSED}, trusted=True)
    orders = [(await shop.send(order(who, anonymousId=who)))[0][0] for who in ("x1", "x2", "x3", "y", "z")]
    assert orders == ["withheld", "withheld", "enqueued", "enqueued", "withheld"]
    counted = [each for _, each in await shop.outbox.counters(since=0, step_s=0) if each.name == "memory_full"]
    assert [(each.label, each.source) for each in counted] == [("key", "page")]
    shop.at += 3_600
    await shop.send({"anonymousId": "y", **REFUSED})
    assert await shop.send(order("later", anonymousId="y")) == [WITHHELD]
    await shop.outbox.close()


async def test_where_nobody_answered_everything_is_sent(shop: Shop) -> None:
    assert await shop.sent() == []
    await shop.send(order(anonymousId="x"))
    assert [each["event_name"] for each in await shop.sent()] == ["checkout"]


async def test_a_yes_that_only_repeats_what_is_known_is_written_once_a_day(outbox_url: str) -> None:
    shop = await opened(outbox_url, consent_required=True)
    written = []
    for later_s in (0, 3_600, 90_000):
        shop.at = NOW + later_s
        await shop.send({"anonymousId": "x", **GRANTED})
        keys, _ = await shop.outbox.consent_keys("0")
        written.append([each.at - NOW for each in await shop.outbox.consents([key for key, _ in keys])])
    assert written == [[1], [1], [90_001]]
    await shop.outbox.close()


@every_row(
    ("event", "expected"),
    [
        ({}, False),
        ({"properties": {"a": 1}, "traits": {"email": "a@example.com"}, "context": {"page": {}}}, False),
        ({"context": {"traits": {"email": "a"}, "device": {"id": "d"}}}, False),
        ({"properties": {"opt_out": False}}, True),
        ({"traits": {"optOut": True}}, True),
        ({"properties": [{"opt_out": True}]}, True),
        ({"context": {"opt_out": True}}, True),
        ({"context": {"gpc": True}}, True),
        ({"context": {"consent": {}}}, True),
        ({"context": {"traits": {"opt_out": True}}}, True),
        ({"context": {"traits": [{}]}}, True),
        ({"context": {"device": {"attTrackingStatus": 2}}}, True),
        ({"context": {"device": [{}]}}, True),
    ],
)
def test_what_may_answer_is_read_and_nothing_else(event: dict[str, Any], *, expected: bool) -> None:
    assert consent.may_answer(event) is expected


async def test_a_request_asks_postgresql_once_more_at_most(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice where an opt-in lifts what would keep its own event; and once a second for what other processes noted."""
    asked: list[str] = []
    execute = Connection.execute

    def noted(self: Connection, query: Any, *args: Any, **kwargs: Any) -> Any:
        asked.extend(name for name in ("consents", "write_consents") if SQL[name] == query)
        return execute(self, query, *args, **kwargs)

    with postgres_server.database() as url:
        shop = await opened(url)
        await shop.send(order(0, anonymousId="z"))
        monkeypatch.setattr(Connection, "execute", noted)
        steps: list[tuple[dict[str, Any], list[str]]] = [
            (order(1, anonymousId="z"), []),
            ({"anonymousId": "x", "userId": "ann", **REFUSED}, ["write_consents"]),
            ({"anonymousId": "x", "userId": "ann", **REFUSED}, ["write_consents"]),
            (order(2, anonymousId="x"), ["consents", "write_consents"]),
            (order(3, anonymousId="z"), []),
            (order(4, anonymousId="x", **GRANTED), ["consents", "write_consents"]),
            (order(5, anonymousId="x"), []),
            (order(6, anonymousId="x"), []),
            ({"anonymousId": "y", "userId": "bob", **OPTED_OUT}, ["write_consents"]),
            (order(7, userId="bob"), []),
            ({"anonymousId": "z", **DENIED}, []),
            ({"anonymousId": "z", **GRANTED}, []),
        ]
        found = []
        for event, _ in steps:
            asked.clear()
            await shop.send(event)
            found.append([*asked])
        await shop.outbox.close()
    assert found == [expected for _, expected in steps]
