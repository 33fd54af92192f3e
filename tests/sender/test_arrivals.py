"""A worker takes what arrives while it is stored, unless something keeps that from being sent now."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from app.core.consent import Answer
from app.core.coordination import Switches
from app.core.deliveries import Claimed, State
from app.outbox import Outbox
from app.outbox.arrivals import ArrivalTerms, Claimer
from app.sender.consent import consent_check
from tests import assembled
from tests.sender.faulty import Faulty, unavailable
from tests.sender.stage import Stage, ids
from tests.waiting import until_async

BATCH = 10


@dataclass
class Overheard:
    """A real outbox, of which the test knows who wants to be asked."""

    outbox: Outbox
    claimers: list[Claimer | None] = field(default_factory=list)
    #: Whether the worker would have taken a batch, for each claim.
    taken_at_claims: list[bool] = field(default_factory=list)

    def offer_arrivals(self, ad_account_id: str, claimer: Claimer | None) -> None:
        self.claimers.append(claimer)
        self.outbox.offer_arrivals(ad_account_id, claimer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.outbox, name)

    async def claim(self, *arguments: Any, **named: Any) -> list[Claimed]:
        self.taken_at_claims.append(self.takes(BATCH))
        return await self.outbox.claim(*arguments, **named)

    def has_claimed(self, times: int) -> Callable[[], Awaitable[bool]]:
        return _returns(lambda: len(self.taken_at_claims) >= times)

    def takes(self, count: int) -> bool:
        """Whether the worker would take so many deliveries now; it gets none."""
        if terms := self.terms(count):
            terms.claimed.set_result([])
        return bool(terms)

    def terms(self, count: int) -> ArrivalTerms | None:
        return claimer(count) if self.claimers and (claimer := self.claimers[-1]) else None

    async def idle(self) -> None:
        """Wait until the worker takes what arrives."""

        async def takes() -> bool:
            return self.takes(BATCH)

        await until_async(takes, 10, "the worker is idle")


@asynccontextmanager
async def listening(stage: Stage, **policy: Any) -> AsyncIterator[Overheard]:
    outbox = Overheard(stage.outbox)
    async with stage.worker(outbox, batch_max_events=BATCH, **policy):
        yield outbox
    assert outbox.claimers[1:] == [None]
    assert stage.errors == []


async def test_calls_that_fill_batches_are_delivered_once(stage: Stage) -> None:
    async with listening(stage, batch_max_wait_s=0.01) as outbox:
        await outbox.idle()
        for number in range(20):
            await stage.enqueue(*ids(f"call-{number}", BATCH - number % 3), is_final=True)
        await stage.settled()
    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (181, 0)
    assert {(each.state, each.attempts) for each in await stage.deliveries()} == {(State.DELIVERED, 1)}


@pytest.mark.parametrize(("count", "is_taken"), [(4, False), (5, True), (10, True), (1_000, True)])
async def test_only_what_may_fill_half_of_a_batch_is_taken(stage: Stage, count: int, *, is_taken: bool) -> None:
    async with listening(stage) as outbox:
        await outbox.idle()
        assert outbox.takes(count) is is_taken


async def test_nothing_is_taken_behind_a_backlog(stage: Stage) -> None:
    """Five claims: before the first the gate was not asked; one, two and three batches were found, and then none."""
    await stage.enqueue(*ids("waiting", 3 * BATCH))
    outbox = Overheard(stage.outbox)
    async with stage.worker(outbox, batch_max_events=BATCH):
        await until_async(outbox.has_claimed(5), 10, "the backlog is claimed")
    assert outbox.taken_at_claims[:5] == [False, True, False, False, True]


async def test_nothing_is_taken_after_the_end(stage: Stage) -> None:
    outbox = Overheard(stage.outbox)
    async with stage.worker(outbox, batch_max_events=BATCH) as worker:
        await outbox.idle()
        worker.stop()
        assert not outbox.takes(BATCH)


async def test_as_much_is_taken_as_may_be_under_way(stage: Stage) -> None:
    async with listening(stage, max_calls_in_flight=2) as outbox:
        await outbox.idle()

        async def four() -> bool:
            """Whether four calls are taken, and no fifth: what `idle` took may not have ended yet."""
            promised = list(iter(partial(outbox.terms, BATCH), None))
            for each in promised:
                each.claimed.set_result([])
            return len(promised) == 4

        await until_async(four, 10, "two batches for each of two calls are taken")


async def test_nothing_is_taken_while_sending_is_off_and_nothing_of_presets_that_are(stage: Stage) -> None:
    async with listening(stage) as outbox:
        await outbox.idle()
        stage.switches = Switches(destination_off=True)
        assert not outbox.takes(BATCH)
        stage.switches = Switches(presets_off=frozenset({"Checkout"}))
        await outbox.idle()
        await stage.enqueue(*ids("order", BATCH), is_final=True)
        await stage.enqueue(*ids("lead", BATCH), preset="Lead", is_final=True)
        await stage.called(1)
        stage.switches = Switches()
        await stage.settled()
    assert [{each.preset for each in call.claimed} for call in stage.calls] == [{"Lead"}, {"Checkout"}]


async def test_nothing_is_taken_while_pinterest_takes_nothing(stage: Stage) -> None:
    async with listening(stage) as outbox:
        await outbox.idle()
        await stage.script({"status": 503, "times": 20})
        await stage.enqueue(*ids("order", BATCH), is_final=True)
        await until_async(_returns(lambda: len(stage.troubles) == 1), 10, "trouble")
        assert not outbox.takes(BATCH)
        await stage.enqueue(*ids("later", BATCH), is_final=True)
        await stage.settled(deadline_s=30)
        await outbox.idle()
    assert (await stage.state())["received"] == 2 * BATCH


async def test_nothing_is_taken_before_a_step_of_the_clock_was_heeded(stage: Stage) -> None:
    async with listening(stage) as outbox:
        await outbox.idle()
        stage.clock = lambda: time.time() + 3_600
        assert not outbox.takes(BATCH)
        await outbox.idle()


@pytest.mark.slow
async def test_a_store_that_is_away_when_consents_are_asked_keeps_no_claim(stage: Stage) -> None:
    await stage.outbox.write_consents(
        [Answer(key="a" * 16, author="a" * 16, is_trusted=False, is_opt_out=True, at=1.0)]
    )
    faulty: Any = Faulty(stage.outbox)
    stage.consents = consent_check(faulty, assembled.settings(consent_categories=("ads",)), time.monotonic)
    outbox = Overheard(stage.outbox)
    async with stage.worker(outbox, batch_max_events=BATCH, send_timeout_s=0.2):
        await outbox.idle()
        faulty.faults["subjects_of"] = unavailable(1)
        await stage.enqueue(*ids("order", BATCH), is_final=True)
        await stage.settled(deadline_s=20)
    assert len(stage.errors) == 1
    assert (await stage.state())["received"] == BATCH


def _returns(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return condition()

    return asked
