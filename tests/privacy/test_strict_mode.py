"""A week of made traffic where consent is required: the shop's webhooks come before and after the browser's word."""

from collections import Counter
from random import Random
from typing import Any, NamedTuple

import pytest

from app.core.events import Outcome
from app.core.pages import Query
from tests.privacy.shop import GRANTED, NOW, PAIRED, REFUSED, opened, order
from tests.rounds import LEVEL

DAY_S, MINUTE_S = 86_400.0, 60.0
WAIT_S = 10 * MINUTE_S
ORDERS = {"quick": 40, "test": 120, "prove": 2_000}[LEVEL]
#: Before the webhook, while its order waits, and too late.
SPANS = ((-DAY_S, -1), (1, WAIT_S - 1), (WAIT_S + 1, DAY_S))


class Told(NamedTuple):
    """An event of the week."""

    at: float
    is_trusted: bool
    event: dict[str, Any]


def buyer(rng: Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser says of itself, and the order of the shop's webhook: they share one id or another."""
    mine: dict[str, Any] = {"anonymousId": f"x{number}"}
    shops = order(number, token=f"t{number}", userId=f"customer-{number}")
    way = rng.choice(("browser", "user", "address", "checkout", "order"))
    if way == "browser":
        shops["anonymousId"] = mine["anonymousId"]
    elif way == "user":
        mine["userId"] = shops["userId"]
    elif way == "address":
        traits = {"email": f"buyer{number}@example.com"}
        mine["traits"], shops["context"] = traits, {"traits": traits}
    elif way == "checkout":
        mine |= {**order(f"-{number}", token=f"t{number}"), "event": "Checkout Started"}
    else:
        mine |= order(number)
    return mine, shops


def last_word(words: list[tuple[float, Any]], until: float) -> Any:
    """What was said last before a moment; None where nothing was."""
    return max(((at, said) for at, said in words if at < until), key=lambda word: word[0], default=(0, None))[1]


def week(rng: Random) -> tuple[list[Told], dict[str, bool]]:
    """The events of a week in their order, and by order whether it may be sent: the last word in time was an opt-in.

    An opt-out that is bound to the order before it comes withholds it at once.
    """
    told: list[Told] = []
    may: dict[str, bool] = {}
    for number in range(ORDERS):
        mine, shops = buyer(rng, number)
        at = NOW + DAY_S + rng.random() * 7 * DAY_S
        told.append(Told(at, is_trusted=True, event=shops))
        # the page's own order says its word once, while the shop's waits
        spans = SPANS[1:2] if mine.get("event") == "Order Completed" else rng.choices(SPANS, k=rng.randrange(3))
        words = [(at + rng.uniform(*span), rng.choice((GRANTED, GRANTED, REFUSED))) for span in spans]
        told += [Told(said_at, is_trusted=False, event={**mine, **said}) for said_at, said in words]
        is_bound = "anonymousId" in shops or mine.get("event") == "Checkout Started"
        before, in_time = (last_word(words, until) for until in (at, at + WAIT_S))
        may[f"o{number}"] = in_time is GRANTED and not (is_bound and before is REFUSED)
    return sorted(told, key=lambda each: each.at), may


@pytest.mark.slow
async def test_over_a_week_an_order_is_sent_where_its_person_said_yes_in_time(outbox_url: str) -> None:
    rng = Random(f"a week of {ORDERS}")
    told, may = week(rng)
    shop = await opened(outbox_url, consent_required=True, **PAIRED)
    sent: list[str] = []
    ends: list[float] = []
    for each in [*told, Told(told[-1].at + DAY_S, is_trusted=False, event={})]:
        while ends and ends[0] <= each.at:
            shop.at = ends.pop(0)
            sent += await shop.orders()
        if each.event:
            shop.at = each.at
            await shop.send(each.event, trusted=each.is_trusted)
            ends = sorted([*ends, *([each.at + 1 + WAIT_S] if each.is_trusted else [])])
    sent += await shop.orders()
    assert sorted(sent) == sorted(id_ for id_, is_sent in may.items() if is_sent)
    dropped: Counter[str] = Counter()
    for number in range(ORDERS):
        page = await shop.outbox.search_dropped(Query(order_id=f"o{number}"), limit=20, cursor=None)
        dropped[f"o{number}"] = sum(
            each.outcome is Outcome.WITHHELD and each.source == "shop" for _, each in page.events
        )
    assert dropped == Counter({id_: int(not is_sent) for id_, is_sent in may.items()})
    print(f"{ORDERS} orders in a week: {len(sent)} sent, {ORDERS - len(sent)} withheld")  # noqa: T201 - the figures
    await shop.outbox.close()
