"""Enqueue: committed before it is answered, once for each key."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.deliveries import State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.errors import BacklogFull, OutboxUnavailable
from app.outbox import open_outbox
from app.outbox.rows import kept
from app.outbox.sqlite import SqliteOutbox
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, new, payload, retry, rules
from tests.rounds import examples


async def test_every_delivery_is_answered_in_order(at: At) -> None:
    twice = new()
    answers = await at.enqueue(new(), twice, twice, new())
    assert [answer.outcome for answer in answers] == [
        Outcome.ENQUEUED,
        Outcome.ENQUEUED,
        Outcome.DUPLICATE,
        Outcome.ENQUEUED,
    ]


async def test_what_is_enqueued_can_be_claimed_as_it_was_given(at: At) -> None:
    given_ = new(action_source="app_ios", payload='{"é": "\\u0000 😀"}'.encode())
    await at.enqueue(given_)
    (claimed,) = await at.claim()
    kept = ("ad_account_id", "preset", "message_id", "event_name", "event_id", "action_source", "payload")
    assert {name: getattr(claimed, name) for name in kept} == {name: getattr(given_, name) for name in kept}
    assert (claimed.attempt, claimed.enqueued_at) == (1, NOW)


@pytest.mark.parametrize("again", [False, True], ids=["all are new", "one was seen before"])
async def test_each_of_several_payloads_comes_back_as_it_was(at: At, again: bool) -> None:  # noqa: FBT001 - a case
    payloads = [f'{{"text": "{text}"}}'.encode() for text in ("é", "😀" * 3, "plain", "ß" * 500, "x" * 70_000, "ü")]
    given_ = [new(payload=payload) for payload in payloads]
    if again:
        await at.enqueue(given_[2])
        (first,) = await at.claim()
        assert first.payload == payloads[2]
        del payloads[2]
    await at.enqueue(*given_)
    claimed = await at.claim()
    assert sorted(each.payload for each in claimed) == sorted(payloads)


async def test_a_payload_that_is_no_text_is_told_at_once_and_blocks_nobody(at: At) -> None:
    with pytest.raises(UnicodeDecodeError):
        await at.enqueue(new(), new(payload=b'{"\xff": 1}'))
    await at.enqueue(new(message_id="good"))
    assert [claimed.message_id for claimed in await at.claim()] == ["good"]


async def test_nothing_at_all_can_be_enqueued(at: At) -> None:
    assert await at.enqueue() == []


async def test_what_was_answered_is_there_after_opening_again(at: At, open_at: Callable[..., At]) -> None:
    await at.enqueue(new(message_id="m"))
    await at.outbox.close()
    assert [delivery.message_id for delivery in (await open_at().outbox.message("m")).deliveries] == ["m"]


async def test_the_same_event_for_the_same_preset_is_a_duplicate_within_the_window(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    (answer,) = await at.later(DAY_S - 1).enqueue(new(event_id="e"))
    assert answer.outcome is Outcome.DUPLICATE
    assert "same event_id" in answer.reason


async def test_the_same_event_is_new_after_the_window(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    (answer,) = await at.later(DAY_S).enqueue(new(event_id="e"))
    assert answer.outcome is Outcome.ENQUEUED


@pytest.mark.parametrize(
    "change",
    [{"preset": "other"}, {"event_name": "lead"}, {"event_id": "other"}, {"ad_account_id": "1"}],
    ids=lambda change: next(iter(change)),
)
async def test_a_delivery_that_differs_in_one_part_of_the_key_is_new(at: At, change: dict[str, str]) -> None:
    await at.enqueue(new(event_id="e"))
    (answer,) = await at.enqueue(new(**({"event_id": "e"} | change)))
    assert answer.outcome is Outcome.ENQUEUED


async def test_parts_of_the_key_do_not_run_into_each_other(at: At) -> None:
    await at.enqueue(new(event_name="ab", event_id="c"))
    (answer,) = await at.enqueue(new(event_name="a", event_id="bc"))
    assert answer.outcome is Outcome.ENQUEUED


async def test_a_second_checkout_of_an_order_is_a_duplicate_from_any_preset(at: At) -> None:
    await at.enqueue(new(order_id="o"))
    (answer,) = await at.enqueue(new(order_id="o", preset="order_completed"))
    assert answer.outcome is Outcome.DUPLICATE
    assert "same order_id" in answer.reason


async def test_a_duplicate_by_order_takes_no_key_of_its_own(at: At) -> None:
    await at.enqueue(new(order_id="o"))
    await at.enqueue(new(order_id="o", event_id="e"))
    (answer,) = await at.enqueue(new(order_id="other", event_id="e"))
    assert answer.outcome is Outcome.ENQUEUED


async def test_orders_are_not_compared_where_the_rules_say_so(open_at: Callable[..., At]) -> None:
    at = open_at(order_scope="none")
    answers = await at.enqueue(new(order_id="o"), new(order_id="o"))
    assert [answer.outcome for answer in answers] == [Outcome.ENQUEUED, Outcome.ENQUEUED]


async def test_duplicates_are_seen_across_processes_and_restarts(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    await at.enqueue(new(event_id="e"))
    (in_other,) = await other.enqueue(new(event_id="e"))
    await at.outbox.close()
    (after_restart,) = await open_at().enqueue(new(event_id="e"))
    assert {in_other.outcome, after_restart.outcome} == {Outcome.DUPLICATE}


async def test_the_ledger_notes_duplicates(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    (answer,) = await at.later(5).enqueue(new(event_id="e", message_id="again", warnings=("w",)))
    (note,) = (await at.outbox.message("again")).dropped_events
    expected = DroppedEvent(
        message_id="again",
        ad_account_id=ACCOUNT,
        preset="checkout",
        outcome=Outcome.DUPLICATE,
        reason=answer.reason,
        warnings=("w",),
        event_name="checkout",
        name="Order Completed",
    )
    assert note == (NOW + 5, expected)


async def test_simultaneous_calls_agree_on_which_is_the_duplicate(at: At) -> None:
    answers = await asyncio.gather(*(at.enqueue(new(event_id="e")) for _ in range(50)))
    outcomes = [answer.outcome for (answer,) in answers]
    assert outcomes.count(Outcome.ENQUEUED) == 1
    assert outcomes.count(Outcome.DUPLICATE) == 49


async def test_a_call_that_cannot_be_stored_fails_alone(at: At) -> None:
    not_text = new(message_id="\ud800")
    answers = await asyncio.gather(
        *(at.enqueue(new(), new()) for _ in range(10)),
        at.enqueue(new(), not_text),
        *(at.enqueue(new()) for _ in range(10)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers].count(list) == 20
    assert isinstance(answers[10], Exception)
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 30


async def test_beyond_the_backlog_nothing_is_kept_of_a_call(open_at: Callable[..., At]) -> None:
    at = open_at(room_for=3)
    await at.enqueue(new(), new())
    note = DroppedEvent(message_id="noted", preset=None, outcome=Outcome.REFUSED, reason="r")
    with pytest.raises(
        OutboxUnavailable, match=f"{2 * len(payload()):,} bytes wait, of {3 * len(payload()):,} that may"
    ):
        await at.enqueue(new(event_id="e"), new(), dropped=(note,))
    assert (await at.outbox.message("noted")).dropped_events == ()
    (answer,) = await at.enqueue(new(event_id="e"))
    assert answer.outcome is Outcome.ENQUEUED


async def test_the_backlog_is_bounded_in_bytes_of_payload_too(open_at: Callable[..., At]) -> None:
    size = len(payload())
    at = open_at(outbox_max_backlog_bytes=3 * size)
    await at.enqueue(new(), new())
    with pytest.raises(OutboxUnavailable, match=rf"{2 * size} bytes wait.*OUTBOX_MAX_BACKLOG_BYTES") as told:
        await at.enqueue(new(), new())
    assert told.value.retry_after_s == 60
    await at.outbox.check([ACCOUNT])
    twice = new()
    await at.enqueue(twice, twice)
    with pytest.raises(OutboxUnavailable, match="full"):
        await at.outbox.check([ACCOUNT])


async def test_a_tenth_of_the_backlog_is_kept_for_trusted_events(open_at: Callable[..., At]) -> None:
    """A flood of public events filled the backlog, and the shop's orders got 503."""
    at = open_at(room_for=20)
    flood = [new(leaves_room=True) for _ in range(18)]
    await at.enqueue(*flood[:17])
    with pytest.raises(BacklogFull):
        await at.enqueue(flood[17], new(leaves_room=True))
    await at.enqueue(flood[17])
    with pytest.raises(BacklogFull):
        await at.enqueue(new(leaves_room=True))
    assert [each.outcome for each in await at.enqueue(flood[0])] == [Outcome.DUPLICATE]  # it takes no room
    await at.enqueue(new(is_trusted=True), new(is_trusted=True))
    with pytest.raises(BacklogFull):
        await at.enqueue(new(is_trusted=True))
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 20


async def test_calls_that_share_a_commit_are_refused_each_for_itself_where_room_is_kept(
    open_at: Callable[..., At],
) -> None:
    at = open_at(room_for=20)
    await at.enqueue(*(new() for _ in range(18)))
    calls = [new(leaves_room=True), new(is_trusted=True), new(leaves_room=True), new(is_trusted=True)]
    answers = await asyncio.gather(*(at.enqueue(each) for each in calls), return_exceptions=True)
    assert [isinstance(each, BacklogFull) for each in answers] == [True, False, True, False]


async def test_without_limits_only_the_disk_bounds_the_backlog(open_at: Callable[..., At]) -> None:
    """SQLite asks it; what PostgreSQL's server has cannot be asked."""
    limited = open_at(room_for=3)
    await limited.enqueue(new(), new())
    assert (await limited.outbox.backlog(ACCOUNT, now=NOW)).room_bytes == len(payload())
    at = open_at(outbox_max_backlog_bytes=None)
    await at.enqueue(new(), new())
    await at.outbox.check([ACCOUNT])
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.full, backlog.room_bytes) == ("", None)
    assert (backlog.disk_bytes or 0) > 0 or not isinstance(at.outbox, SqliteOutbox)


async def test_bytes_wait_until_their_delivery_is_settled(at: At) -> None:
    sizes = [len(payload(ge=letter * 10)) for letter in ("a", "b", "c")]

    async def waiting() -> int:
        return (await at.outbox.backlog(ACCOUNT, now=at.now)).size_bytes

    for letter in ("a", "b", "c"):
        await at.enqueue(new(payload=payload(ge=letter * 10)))
    first, second, third = await at.claim()
    assert await waiting() == sum(sizes)
    await at.deliver(first)
    assert await waiting() == sum(sizes[1:])
    await at.settle(retry(second, due_at=at.now))
    await at.kill(third)
    assert await waiting() == sizes[1]
    await at.outbox.dead_letters.redrive(Query(), now=at.now)
    assert await waiting() == sum(sizes[1:])


async def test_a_full_backlog_fails_the_check_until_deliveries_leave(open_at: Callable[..., At]) -> None:
    at = open_at(room_for=1)
    await at.enqueue(new())
    with pytest.raises(OutboxUnavailable, match="full"):
        await at.outbox.check([ACCOUNT])
    assert (
        f"{len(payload())} bytes wait, of {len(payload())} that may" in (await at.outbox.backlog(ACCOUNT, now=NOW)).full
    )
    await at.outbox.check()
    await at.deliver(*await at.claim())
    await at.outbox.check([ACCOUNT])
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).full == ""


async def test_a_full_backlog_of_one_ad_account_leaves_the_others_their_own(open_at: Callable[..., At]) -> None:
    at = open_at(room_for=2)
    await at.enqueue(new(), new(), new(ad_account_id="other"))
    await at.outbox.check([ACCOUNT, "other"])
    await at.enqueue(new(ad_account_id="other"))
    with pytest.raises(BacklogFull) as told:
        await at.outbox.check([ACCOUNT, "other"])
    assert sorted(told.value.full) == sorted([ACCOUNT, "other"])
    await at.outbox.check([ACCOUNT, "other", "third"])
    await at.enqueue(new(ad_account_id="third"))


@pytest.mark.parametrize("repeats", [False, True], ids=["all new", "with a duplicate"])
async def test_of_a_call_for_several_ad_accounts_nothing_is_kept_and_the_full_ones_are_named(
    open_at: Callable[..., At], *, repeats: bool
) -> None:
    at = open_at(room_for=2)
    await at.enqueue(new(), new(event_id="e", ad_account_id="other"))
    more = [new(event_id="e", ad_account_id="other")] if repeats else []
    with pytest.raises(BacklogFull, match=f"full for ad account {ACCOUNT}: {len(payload())} bytes wait") as told:
        await at.enqueue(new(), new(ad_account_id="other"), new(), *more)
    assert list(told.value.full) == [ACCOUNT]
    assert (await at.outbox.backlog("other", now=NOW)).pending == 1
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 1


async def test_the_bytes_of_each_ad_account_are_bounded_by_themselves(open_at: Callable[..., At]) -> None:
    size = len(payload())
    at = open_at(outbox_max_backlog_bytes=2 * size)
    await at.enqueue(*(new(ad_account_id=account) for account in ("a", "a", "b")))
    with pytest.raises(BacklogFull, match=r"ad account a: .*OUTBOX_MAX_BACKLOG_BYTES"):
        await at.enqueue(new(ad_account_id="a"))
    await at.enqueue(new(ad_account_id="b"), new(ad_account_id="c"))


async def test_notes_and_duplicates_pass_a_full_backlog(open_at: Callable[..., At]) -> None:
    at = open_at(room_for=1)
    await at.enqueue(new(event_id="e"))
    note = DroppedEvent(message_id="noted", preset=None, outcome=Outcome.REFUSED, reason="r")
    (answer,) = await at.enqueue(new(event_id="e"), dropped=(note,))
    assert answer.outcome is Outcome.DUPLICATE
    assert len((await at.outbox.message("noted")).dropped_events) == 1


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.slow
@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.tuples(text, text), min_size=1, max_size=5))
def test_any_text_comes_back_as_it_was_but_for_u_0000(outbox_url: str, ids: list[tuple[str, str]]) -> None:
    async def go_round() -> None:
        at = At(open_outbox(outbox_url, rules(dedup_window_s=1e-9, ledger_s=1e-9)))
        for message_id, order_id in ids:
            await at.enqueue(new(message_id=message_id, order_id=order_id, warnings=(message_id,)))
            found = (await at.outbox.message(message_id)).deliveries[-1]
            assert (found.message_id, found.order_id, found.warnings) == (
                kept(message_id),
                kept(order_id),
                (kept(message_id),),
            )
        await at.outbox.close()

    asyncio.run(go_round())


async def test_a_fresh_delivery_is_pending_and_due_at_once(at: At) -> None:
    await at.enqueue(new(message_id="m", order_id="o", warnings=("w1", "w2")))
    (delivery,) = (await at.outbox.search(Query(message_id="m"), limit=10)).deliveries
    assert (delivery.state, delivery.attempts, delivery.reason) == (State.PENDING, 0, "")
    assert (delivery.enqueued_at, delivery.due_at, delivery.settled_at) == (NOW, NOW, None)
    assert (delivery.order_id, delivery.warnings, delivery.event_time) == ("o", ("w1", "w2"), int(NOW) - 10)
