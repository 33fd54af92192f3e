"""Any sequence of calls leaves the outbox as a few dictionaries say."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.core.deliveries import Claimed, Settlement, State
from app.core.events import Outcome
from app.core.pages import Backlog, Query, Redrive
from app.outbox import open_outbox
from tests.outbox.build import ACCOUNT, NOW, At, dead, delivered, given_back, new, payload, retry, rules
from tests.rounds import examples

#: Makes room for an outbox, for as long as the context lasts; its URL.
EmptyStore = Callable[[], AbstractContextManager[str]]
WINDOW_S = 100
#: How long orders are remembered.
ORDER_S = 250
LEASE_S = 30
SETTLE: dict[str, Callable[[Claimed, float], Settlement]] = {
    "delivered": lambda claimed, _: delivered(claimed),
    "dead": lambda claimed, _: dead(claimed),
    "retry": retry,
    "given back": given_back,
}


@dataclass
class Expected:
    """One delivery as the model knows it."""

    keys: list[str]
    due_at: float
    state: State = State.PENDING
    attempts: int = 0
    claim: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def claimable(self, now: float) -> bool:
        return self.state in {State.PENDING, State.CLAIMED} and self.due_at <= now


class OutboxMachine(RuleBasedStateMachine):
    """The model: deliveries by message id, and until when each key is held by which of them."""

    def __init__(self, empty_store: EmptyStore) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = empty_store()
        self.url = self.store.__enter__()
        self.at = self.run(self.open())
        self.expected: dict[str, Expected] = {}
        self.keys: dict[str, tuple[str, float]] = {}
        self.claims: list[Claimed] = []

    async def open(self) -> At:
        return At(open_outbox(self.url, rules(dedup_window_s=WINDOW_S, ledger_s=ORDER_S), clock=lambda: NOW))

    def run(self, call: Any) -> Any:
        return self.runner.run(call)

    def held(self, key: str) -> bool:
        return key in self.keys and self.keys[key][1] > self.at.now

    def take(self, message_id: str, keys: list[str]) -> None:
        for key in keys:
            self.keys[key] = (message_id, self.at.now + (ORDER_S if key.startswith("order") else WINDOW_S))

    def learn(self, keys: list[str]) -> None:
        """What is repeated is known by the order that the repetition names, unless that is another's."""
        holder, _ = self.keys[next(filter(self.held, keys))]
        self.take(holder, [key for key in keys if key.startswith("order") and not self.held(key)])

    @rule(event_id=st.sampled_from("abc"), order_id=st.sampled_from(["x", "y", None]))
    def enqueue(self, event_id: str, order_id: str | None) -> None:
        delivery = new(event_id=event_id, order_id=order_id)
        keys = [f"event {event_id}"] + ([f"order {order_id}"] if order_id else [])
        duplicate = any(map(self.held, keys))
        (answer,) = self.run(self.at.enqueue(delivery))
        assert answer.outcome is (Outcome.DUPLICATE if duplicate else Outcome.ENQUEUED)
        if duplicate:
            self.learn(keys)
        else:
            self.expected[delivery.message_id] = Expected(keys=keys, due_at=self.at.now)
            self.take(delivery.message_id, keys)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        claimed = self.run(self.at.claim(limit, lease_s=LEASE_S))
        due = [each for each in self.expected.values() if each.claimable(self.at.now)]
        assert len(claimed) == min(limit, len(due))
        for each in claimed:
            expected = self.expected[each.message_id]
            assert expected in due
            assert each.lease_was_lost is (expected.state is State.CLAIMED)
            expected.outcomes += [Outcome.RETRY] if each.lease_was_lost else []
            expected.state, expected.claim = State.CLAIMED, each.claim
            expected.attempts += 1
            expected.due_at = self.at.now + LEASE_S
            assert each.attempt == expected.attempts
        self.claims += claimed

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(sorted(SETTLE)))
    def settle(self, data: st.DataObject, how: str) -> None:
        """Settle any claim that was ever made: only those that still hold may change something."""
        claimed = data.draw(st.sampled_from(self.claims))
        due_at = self.at.now + 5
        settlement = SETTLE[how](claimed, due_at)
        self.run(self.at.settle(settlement))
        expected = self.expected[claimed.message_id]
        if expected.claim != claimed.claim:
            return
        expected.claim, expected.state, expected.due_at = None, settlement.state, due_at
        expected.attempts -= settlement.give_back
        expected.outcomes += {
            "delivered": [Outcome.DELIVERED],
            "dead": [Outcome.REJECTED],
            "retry": [Outcome.RETRY],
        }.get(how, [])
        if how == "dead":
            self.keys = {key: held for key, held in self.keys.items() if held[0] != claimed.message_id}
            self.overtake([expected])
        if how == "delivered":
            self.overtake([each for each in self.expected.values() if set(each.keys) & set(expected.keys)])

    def overtake(self, candidates: list[Expected]) -> None:
        """What is dead of an event or order that is delivered as another delivery is dismissed, the newest first."""
        taken: set[str] = set()
        for each in reversed([each for each in candidates if each.state is State.DEAD]):
            first = next((key for key in each.keys if self.held(key) or key in taken), None)
            if first is None:
                taken.update(each.keys)
            elif self.held(first) and self.expected[self.keys[first][0]].state is State.DELIVERED:
                each.state = State.DISMISSED

    @rule()
    def redrive(self) -> None:
        done = self.run(self.at.outbox.dead_letters.redrive(Query(), now=self.at.now))
        redriven = overtaken = waiting = 0
        for message_id, expected in reversed(self.expected.items()):
            if expected.state is not State.DEAD:
                continue
            first = next(filter(self.held, expected.keys), None)
            if first is None:
                expected.state, expected.attempts, expected.due_at = State.PENDING, 0, self.at.now
                self.take(message_id, expected.keys)
                redriven += 1
                continue
            holder = self.expected[self.keys[first][0]]
            self.learn(expected.keys)
            if holder.state is State.DELIVERED:
                expected.state = State.DISMISSED
                overtaken += 1
            else:
                waiting += 1
        assert done == Redrive(redriven=redriven, overtaken=overtaken, waiting=waiting)

    @rule()
    def dismiss(self) -> None:
        count = self.run(self.at.outbox.dead_letters.dismiss(Query(), because="a test"))
        dead_ones = [each for each in self.expected.values() if each.state is State.DEAD]
        for each in dead_ones:
            each.state = State.DISMISSED
        assert count == len(dead_ones)

    @rule(seconds=st.sampled_from([1, 10, LEASE_S, WINDOW_S]))
    def time_passes(self, seconds: int) -> None:
        self.at = self.at.later(seconds)

    @rule()
    def lift_suppression(self) -> None:
        self.run(self.at.outbox.close())
        self.at = At(self.run(self.open()).outbox, self.at.now)

    @invariant()
    def every_delivery_is_as_expected(self) -> None:
        page = self.run(self.at.outbox.search(Query(), limit=1_000))
        shown = {each.message_id: (each.state, each.attempts) for each in page.deliveries}
        assert shown == {name: (each.state, each.attempts) for name, each in self.expected.items()}

    @invariant()
    def the_backlog_counts_them(self) -> None:
        backlog: Backlog = self.run(self.at.outbox.backlog(ACCOUNT, now=self.at.now))
        states = [each.state for each in self.expected.values()]
        counted = (backlog.pending, backlog.claimed, backlog.dead)
        assert counted == tuple(states.count(state) for state in (State.PENDING, State.CLAIMED, State.DEAD))
        assert backlog.size_bytes == len(payload()) * (backlog.pending + backlog.claimed)

    def teardown(self) -> None:
        for message_id, expected in self.expected.items():
            (delivery,) = self.run(self.at.outbox.message(message_id)).deliveries
            assert [attempt.result for attempt in delivery.history] == expected.outcomes
            assert (delivery.payload is None) == (expected.state in {State.DELIVERED, State.DISMISSED})
        self.run(self.at.outbox.close())
        self.runner.close()
        self.store.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.prove
def test_any_sequence_of_calls_leaves_the_outbox_as_the_model_says(empty_store: EmptyStore) -> None:
    class Machine(OutboxMachine):
        def __init__(self) -> None:
            super().__init__(empty_store)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples(30), stateful_step_count=30, deadline=None)
    )
