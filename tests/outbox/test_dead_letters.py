"""Dead letters leave: by themselves where a replay was delivered, or because somebody puts them away."""

from decimal import Decimal

import pytest

from app.core.deliveries import State
from app.core.events import DEFAULT_SOURCE, Outcome
from app.core.pages import Backlog, Query, Redrive
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, new, payload

ALL = Query()
KEYS = pytest.mark.parametrize("key", [{"event_id": "e"}, {"order_id": "o"}], ids=["event", "order"])


@KEYS
async def test_what_a_replay_overtook_is_dismissed_when_the_replay_is_delivered(at: At, key: dict[str, str]) -> None:
    dead = await at.dead_letter(new(**key), "em is malformed")
    other = await at.dead_letter(new(), "too old")
    await at.enqueue(new(message_id="replay", **key))
    assert (await at.delivery(dead)).state is State.DEAD
    await at.deliver(*await at.claim())
    replay = await at.only_delivery("replay")
    overtaken = await at.delivery(dead)
    assert overtaken.state is State.DISMISSED
    assert overtaken.reason == f"em is malformed; the same event was delivered as delivery {replay.delivery_id}"
    assert (overtaken.payload, overtaken.settled_at) == (None, NOW)
    assert [attempt.result for attempt in overtaken.history] == [Outcome.REJECTED]
    assert (await at.delivery(other)).state is State.DEAD
    assert await at.outbox.backlog(ACCOUNT, now=NOW) == Backlog(dead=1)


@KEYS
async def test_the_reason_says_it_once_where_a_redrive_was_tried_before(at: At, key: dict[str, str]) -> None:
    dead = await at.dead_letter(new(**key), "em is malformed")
    await at.enqueue(new(**key))
    assert await at.outbox.dead_letters.redrive(ALL, now=NOW) == Redrive(waiting=1)
    await at.deliver(*await at.claim())
    assert "not redriven" not in (await at.delivery(dead)).reason
    assert await at.outbox.dead_letters.redrive(ALL, now=NOW) == Redrive()


async def test_another_order_of_the_same_id_overtakes_nothing(at: At) -> None:
    ann, ben = (
        {"buyer": ("a" * 64,), "amount": "10", "currency": "EUR"},
        {"buyer": ("b" * 64,), "amount": "20", "currency": "EUR"},
    )
    dead = await at.dead_letter(new(order_id="o", **ann))
    await at.enqueue(new(order_id="o", **ben))
    await at.deliver(*await at.claim())
    assert (await at.delivery(dead)).state is State.DEAD


async def test_the_same_event_of_another_ad_account_or_preset_overtakes_nothing(at: At) -> None:
    dead = [await at.dead_letter(new(event_id="e", preset="p1")), await at.dead_letter(new(event_id="e", preset="p2"))]
    await at.enqueue(new(event_id="e", preset="p1"))
    await at.deliver(*await at.claim())
    assert [(await at.delivery(each)).state for each in dead] == [State.DISMISSED, State.DEAD]


async def test_what_dies_after_its_replay_was_delivered_is_dismissed_at_once(at: At) -> None:
    """The key of an event is forgotten after its window: what waits for longer may be overtaken while it waits."""
    await at.enqueue(new(message_id="late", event_id="e"))
    (late,) = await at.claim(lease_s=10 * DAY_S)
    later = at.later(DAY_S)
    await later.enqueue(new(event_id="e"))
    await later.deliver(*await later.claim())
    await later.kill(late)
    assert (await at.delivery(late.delivery_id)).state is State.DISMISSED


async def test_a_redrive_dismisses_what_was_delivered_meanwhile_in_whatever_way(at: At) -> None:
    """A replay that died, was redriven itself and delivered is a replay like any other."""
    older = await at.dead_letter(new(event_id="e"))
    newer = await at.dead_letter(new(event_id="e"))
    assert await at.outbox.dead_letters.redrive(Query(delivery_id=newer), now=NOW) == Redrive(redriven=1)
    await at.deliver(*await at.claim())
    assert (await at.delivery(older)).state is State.DISMISSED


@pytest.mark.parametrize(
    ("query", "dismissed"),
    [
        (Query(), ["m1", "m2", "m3"]),
        (Query(message_id="m1"), ["m1"]),
        (Query(order_id="o2"), ["m2"]),
        (Query(preset="p1"), ["m1"]),
        (Query(reason="MALFORMED"), ["m1", "m2"]),
        (Query(warning="phone"), ["m3"]),
        (Query(source="till", event_name="checkout"), ["m3"]),
        (Query(outcome=Outcome.REJECTED, status=422, until=NOW + 1), ["m1", "m2", "m3"]),
        (Query(since=NOW + 1), []),
        (Query(person=("0" * 64,), preset="p3"), ["m3"]),
        (Query(state=State.DELIVERED), []),
    ],
    ids=lambda given: str(given.given) if type(given) is Query else "",
)
async def test_whoever_dismisses_chooses_by_filter_and_says_why(at: At, query: Query, dismissed: list[str]) -> None:
    for number in ("1", "2"):
        delivery = new(message_id=f"m{number}", order_id=f"o{number}", preset=f"p{number}")
        await at.dead_letter(delivery, reason="em is malformed")
    await at.dead_letter(new(message_id="m3", preset="p3", source="till", warnings=("phone: left out",)), "too old")
    await at.enqueue(new(message_id="waits"))
    assert await at.outbox.dead_letters.dismiss(query, because="dismissed by ada: sent by hand") == len(dismissed)
    assert await at.outbox.dead_letters.dismiss(query, because="again") == 0
    page = await at.outbox.search(Query(state=State.DISMISSED), limit=10)
    assert sorted(each.message_id for each in page.deliveries) == dismissed
    assert all(each.reason.endswith("; dismissed by ada: sent by hand") for each in page.deliveries)
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).dead == 3 - len(dismissed)
    assert len(await at.claim()) == 1


async def test_what_is_dismissed_is_never_sent_and_may_come_again_as_a_new_delivery(at: At) -> None:
    dead = await at.dead_letter(new(event_id="e"))
    await at.outbox.dead_letters.dismiss(ALL, because="x")
    assert await at.outbox.dead_letters.redrive(Query(delivery_id=dead), now=NOW) == Redrive()
    assert await at.claim() == []
    assert (await at.delivery(dead)).payload is None
    assert (await at.enqueue(new(event_id="e")))[0].outcome is Outcome.ENQUEUED


async def test_what_is_dismissed_is_forgotten_like_what_is_dead(at: At) -> None:
    dead = await at.dead_letter(new())
    await at.outbox.dead_letters.dismiss(ALL, because="x")
    later = at.later(30 * DAY_S + 1)
    await later.retain_all()
    assert await at.outbox.delivery(dead) is None
    assert await at.outbox.backlog(ACCOUNT, now=NOW) == Backlog()


@pytest.mark.slow
async def test_thousands_are_dismissed_in_one_call(at: At) -> None:
    await at.enqueue(*(new() for _ in range(2_500)))
    await at.kill(*await at.claim(limit=2_500))
    assert await at.outbox.dead_letters.dismiss(ALL, because="x") == 2_500
    assert await at.outbox.backlog(ACCOUNT, now=NOW) == Backlog()


async def test_causes_are_counted_by_reason_ad_account_and_preset(at: At) -> None:
    assert await at.outbox.dead_letters.causes(limit=10) == []
    await at.dead_letter(new(event_id="e", preset="p1"), "em is malformed")
    await at.later(HOUR_S).dead_letter(new(preset="p1"), "em is malformed")
    await at.dead_letter(new(preset="p2"), "em is malformed")
    await at.dead_letter(new(preset="p1"), "too old")
    await at.dead_letter(new(preset="p1"), "dismissed already")
    await at.outbox.dead_letters.dismiss(Query(reason="already"), because="x")
    await at.enqueue(new(event_id="e", preset="p1", payload=payload()))
    await at.outbox.dead_letters.redrive(Query(event_id="e"), now=NOW)  # its reason names the replay from now on
    found = await at.outbox.dead_letters.causes(limit=10)
    assert [(each.count, each.reason, each.preset) for each in found] == [
        (2, "em is malformed", "p1"),
        (1, "em is malformed", "p2"),
        (1, "too old", "p1"),
    ]
    assert (found[0].ad_account_id, found[0].last_at) == (ACCOUNT, NOW + HOUR_S)
    assert len(await at.outbox.dead_letters.causes(limit=2)) == 2


async def test_losses_are_what_dead_checkouts_are_worth_by_reason_and_currency(at: At) -> None:
    assert await at.outbox.dead_letters.losses() == []
    for amount, currency, reason in (
        ("10.5", "EUR", "bad"),
        ("2", "EUR", "bad"),
        ("3", "USD", "bad"),
        (None, None, "x"),
    ):
        await at.dead_letter(new(amount=amount, currency=currency), reason)
    await at.later(HOUR_S).dead_letter(new(event_name="lead", amount="99", currency="EUR"), "bad")
    found = await at.outbox.dead_letters.losses()
    assert sorted((each.reason, each.currency, each.count, each.amount) for each in found) == [
        ("bad", "", 1, Decimal("0.00")),
        ("bad", "EUR", 2, Decimal("12.50")),
        ("bad", "USD", 1, Decimal("3.00")),
        ("x", "", 1, Decimal("0.00")),
    ]
    assert {(each.ad_account_id, each.first_at) for each in found if each.currency} == {(ACCOUNT, NOW)}
    assert max(each.last_at for each in found) == NOW + HOUR_S


@pytest.mark.parametrize("by_source", [False, True])
async def test_what_is_not_delivered_is_counted_by_the_step_in_which_it_was_received(
    at: At, *, by_source: bool
) -> None:
    hour = int(NOW) // HOUR_S * HOUR_S
    early, late = at.later(hour - HOUR_S - NOW), at.later(hour + 60 - NOW)
    await early.dead_letter(new(source="till"), "bad")
    await early.dead_letter(new(source="till"), "dismissed")
    await at.outbox.dead_letters.dismiss(Query(reason="dismissed"), because="x")
    await late.enqueue(new(), new(ad_account_id="2"))
    sent = At(at.outbox, late.now)
    await sent.enqueue(new(message_id="sent"))
    await sent.deliver(*[each for each in await sent.claim() if each.message_id == "sent"])
    found = await at.outbox.undelivered(since=hour - HOUR_S, until=hour + HOUR_S, step_s=3_600, by_source=by_source)
    till, default = ("till", DEFAULT_SOURCE) if by_source else ("", "")
    assert sorted((each.at, each.ad_account_id, each.source, each.state, each.count) for each in found) == sorted(
        [
            (hour - HOUR_S, ACCOUNT, till, "dead", 1),
            (hour - HOUR_S, ACCOUNT, till, "dismissed", 1),
            (hour, ACCOUNT, default, "waiting", 1),
            (hour, "2", default, "waiting", 1),
        ]
    )
    assert [each.state for each in await at.outbox.undelivered(since=hour, until=hour + 60, step_s=3_600)] == []


async def test_a_cause_leads_to_exactly_what_is_counted_by_it(at: At) -> None:
    for message_id, reason in (("m1", "bad"), ("m2", "bad currency"), ("m3", "bad"), ("m4", "BAD")):
        await at.dead_letter(new(message_id=message_id, event_id=message_id), reason)
    await at.enqueue(new(message_id="again", event_id="m1"))
    assert (await at.outbox.dead_letters.redrive(Query(message_id="m1"), now=NOW)) == Redrive(waiting=1)
    found = await at.outbox.search(Query(cause="bad", state=State.DEAD), limit=9)
    (count,) = [each.count for each in await at.outbox.dead_letters.causes(limit=9) if each.reason == "bad"]
    assert [each.message_id for each in found.deliveries] == ["m3", "m1"]
    assert count == len(found.deliveries)
    assert (await at.outbox.search_dropped(Query(cause="bad"), limit=9)).events == ()
    assert await at.outbox.dead_letters.dismiss(Query(cause="bad"), because="x") == count
