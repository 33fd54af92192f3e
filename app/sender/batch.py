"""The state of one batch: its events without a result, and the consequences of a call that was refused whole."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final

from app.config.settings import DeliverySettings
from app.core.deliveries import HELD, Blocked, Claimed, Delivered, Rejected, Retry, Settlement, State
from app.core.events import CounterRow
from app.core.shared_values import Trouble
from app.destination.client import Answer, Failure, PinterestClient
from app.destination.results import read_results
from app.errors import OutboxUnavailable
from app.sender.bisection import BatchPart, Begun, Bisection, BisectionEvidence, BisectionLock
from app.sender.circuit_breaker import FORBIDDEN, CallSignal, CallsInARow, CircuitBreaker, signal_of
from app.sender.context import CallReport, Dependencies
from app.sender.failures import halves
from app.sender.leases import Leases
from app.sender.rate_limit import Calls
from app.sender.retry import may_be_repeated
from app.sender.settlements import Recording, counters, status_label, too_old
from app.sender.shutdown import Shutdown

#: The maximum number of events per batch that failed alone and are sent again; with more, other events would wait.
ALONE_PER_BATCH: Final = 20


class BatchSearch:
    """Choose the next part of a batch to send, and track the events without a settlement."""

    def __init__(
        self, batch: Sequence[Claimed], evidence: BisectionEvidence, *, is_probe: bool = False, troubles: int = 0
    ) -> None:
        """Search a batch. A probe is a batch of one delivery.

        `troubles` is `BatchSender.troubles` before the request to the gate: after a later trouble, no event is sent.
        """
        self._evidence = evidence
        self.is_probe = is_probe
        self.troubles = troubles
        #: The deliveries without a settlement, by delivery id.
        self.left = {claimed.delivery_id: claimed for claimed in batch}
        self._halving = Bisection(list(self.left), evidence)
        #: The messages of Pinterest, by the delivery ids of the events that were refused alone.
        self._refused_alone: dict[str, Rejected] = {}
        self._refusals = 0
        #: Sets of events to send in separate calls: the halves of failed sets.
        self._halves: list[Sequence[Claimed]] = []
        #: The first events of failed calls without recorded results: the set is halved, or the event is a dead letter.
        self._decided: set[str] = set()
        #: Whether the rest of the batch must wait.
        self.is_stopped = False

    def next(self) -> BatchPart | None:
        """Return the next part to send; `None` if there is none now."""
        return None if self.is_stopped else self._halving.next()

    @property
    def is_in_doubt(self) -> bool:
        """Whether events were refused and none was accepted yet."""
        return self._halving.is_in_doubt

    def note(
        self, part: BatchPart, begun: Begun, answered: CallReport, *, now: float, may_repeat: bool
    ) -> list[Settlement]:
        """Note the response to a part; return the dead letters that it proves.

        `now` is the monotonic clock, `may_repeat` is whether all events of a failed call may be sent again.
        """
        if isinstance(answered.result, Rejected):
            self._refusals += 1
            self._evidence.refused(part.events, begun)
            self._halving.refused(part)
            if len(part.events) == 1:
                self._refused_alone[part.events[0]] = answered.result
        elif answered.has_verdict:
            self._evidence.accepted(part.events, begun)
            self._halving.accepted(part)
        else:
            self._halving.unanswered(part)
            if failure := answered.failure:
                self._evidence.failed(part.events, begun, now=now)
                return self._judge_failure(part.events, failure, now, may_repeat=may_repeat)
        return [
            Settlement(claimed=self.left[event], result=self._refused_alone[event], state=State.DEAD)
            for event in self._halving.take_bad()
        ]

    def _judge_failure(
        self, events: tuple[str, ...], failure: Blocked | Retry, now: float, *, may_repeat: bool
    ) -> list[Settlement]:
        """Halve a suspected set; return an event that is proven to be the cause as a dead letter.

        After a 403 the set is halved at once: calls with other events show whether the account is blocked.
        """
        failures = self._evidence.failures
        if len(events) > 1:
            if not may_repeat or not (failures.is_suspected(events) or isinstance(failure, Blocked)):
                return []
            self._halves += [[self.left[event] for event in half] for half in halves(events)]
            self._decided.add(events[0])
        elif failures.is_trusted(events[0], now=now):
            failures.forget(events[0])
            self._decided.add(events[0])
            dead = Rejected(reason=failure.reason, status=failure.status)
            return [Settlement(claimed=self.left[events[0]], result=dead, state=State.DEAD)]
        return []

    def is_decided(self, answered: CallReport) -> bool:
        """Return whether the results of a call are not recorded: its set is halved, or its event is a dead letter."""
        return answered.claimed[0].delivery_id in self._decided

    def take_halves(self) -> list[Sequence[Claimed]]:
        """Return the sets to send in separate calls, and remove them from this search."""
        for half in self._halves:
            for claimed in half:
                self.left.pop(claimed.delivery_id)
        taken, self._halves = self._halves, []
        return taken

    def sign(self, answered: CallReport, *, now: float) -> CallSignal | None:
        """Return the signal of a response; `None` if Pinterest judged an event, or the search continues."""
        if isinstance(answered.result, Rejected):
            return signal_of(answered.result, now=now) if self._halving.all_refused else None
        first = answered.result[0]
        return None if answered.has_verdict or isinstance(first, Delivered) else signal_of(first, now=now)

    @property
    def calls_in_a_row(self) -> int:
        """The number of calls that a call without a verdict counts for: all refused calls if there were no others."""
        return self._refusals if self._halving.all_refused else 1

    def untrusted(self) -> list[tuple[Claimed, Retry]]:
        """Return the events that were refused alone without proof against them, with the reason to record."""
        return [
            (self.left[event], Retry(reason=words.reason, status=words.status))
            for event, words in self._refused_alone.items()
            if event in self.left
        ]

    @property
    def why_left(self) -> str:
        """The reason why the rest was not settled."""
        if self._halving.all_refused and self._refused_alone:
            return f"Pinterest refused all that was sent: {next(iter(self._refused_alone.values())).reason}"
        return "not sent yet"

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Remove settled and delayed deliveries from the search."""
        for settlement in settlements:
            self.left.pop(settlement.claimed.delivery_id, None)


_CUT_OFF = Failure(reason="shut down while waiting for Pinterest's answer", ambiguous=True)


class BatchSender:
    """Send batches of an ad account, several at a time."""

    def __init__(
        self,
        client: PinterestClient,
        policy: DeliverySettings,
        surroundings: Dependencies,
        *,
        gate: CircuitBreaker,
        calls: Calls,
        leases: Leases,
        recording: Recording,
        shutdown: Shutdown,
    ) -> None:
        self._client = client
        self._policy = policy
        self._surroundings = surroundings
        self._gate = gate
        self._calls = calls
        self._leases = leases
        self._recording = recording
        self._shutdown = shutdown
        self._evidence = BisectionEvidence()
        self._doubt = BisectionLock()
        self._row = CallsInARow()
        #: The number of signals that stopped sending. Batches that passed the gate before the latest signal must wait.
        self.troubles = 0

    async def deliver(self, batch: Sequence[Claimed], *, is_probe: bool = False, troubles: int) -> None:
        """Settle every delivery of the batch; after an error, leave the deliveries to the end of their leases."""
        try:
            recording = self._recording
            batch = await recording.without_what_may_have_arrived(batch)
            off = self._surroundings.switches().presets_off  # again after the claim, which skips disabled presets
            await recording.give_back([claimed for claimed in batch if claimed.preset in off], HELD)
            left = [claimed for claimed in batch if claimed.preset not in off]
            await self._send_sets(left, is_probe=is_probe, troubles=troubles)
        finally:
            self._leases.release(batch)

    async def _send_sets(self, batch: Sequence[Claimed], *, is_probe: bool, troubles: int) -> None:
        """Send events that failed before apart from the rest, and the halves of suspected sets in turn.

        The call with one half follows the call with the other half. So an event among good events never fails three
        calls in a row, which would count as an outage.
        """
        by_id = {claimed.delivery_id: claimed for claimed in batch}
        sets: deque[Sequence[Claimed]] = deque(
            [by_id[event] for event in part] for part in self._evidence.failures.sets(by_id)
        )
        alone = 0
        while sets:
            part = sets.popleft()
            alone += self._evidence.failures.is_alone([claimed.delivery_id for claimed in part])
            if alone > ALONE_PER_BATCH:
                await self._recording.give_back([*part, *chain.from_iterable(sets)], "not sent yet")
                return
            search = BatchSearch(part, self._evidence, is_probe=is_probe, troubles=troubles)
            try:
                await self._send_all(search)
            finally:
                self._doubt.update(search, is_in_doubt=False)
            sets.extend(search.take_halves())
            await self._finish(search)

    async def give_up(self, batch: Sequence[Claimed], trouble: Trouble) -> bool:
        """Settle deliveries that waited too long, and return the rest to the queue.

        Return whether the rest was empty.
        """
        recording = self._recording
        try:
            batch = await recording.without_what_may_have_arrived(batch)
            ages = ((claimed, recording.age_s(claimed)) for claimed in batch)
            old = [too_old(claimed, self._policy, trouble.reason, age_s=age_s) for claimed, age_s in ages]
            await recording.settle_unsent([settlement for settlement in old if settlement])
            young = [claimed for claimed, settlement in zip(batch, old, strict=True) if not settlement]
            await recording.give_back(young, trouble.reason, after_s=0)
        finally:
            self._leases.release(batch)
        return not young

    def has_failed(self, claimed: Claimed) -> bool:
        """Return whether the latest call with the delivery failed in this process."""
        return self._evidence.failures.has_failed(claimed.delivery_id)

    def note_recovery(self) -> None:
        """Note that a call of another process was accepted."""
        self._evidence.accepted((), self._evidence.begin())

    async def put_back(self, batch: Sequence[Claimed], reason: str, *, after_s: float = 0) -> None:
        """Return an unsent batch to the queue for at least `after_s` seconds."""
        try:
            await self._recording.give_back(
                await self._recording.without_what_may_have_arrived(batch), reason, after_s=after_s
            )
        finally:
            self._leases.release(batch)

    async def _send_all(self, search: BatchSearch) -> None:
        """Send all parts that can be sent now, in parallel if possible."""
        sends: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(sends) < self._policy.max_calls_in_flight and (part := search.next()):
                    sends.add(asyncio.create_task(self._send(search, part)))
                if not sends:
                    return
                done, sends = await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
                for send in done:
                    send.result()
        finally:
            for send in sends:
                send.cancel()
            await asyncio.gather(*sends, return_exceptions=True)

    async def _send(self, search: BatchSearch, part: BatchPart) -> None:
        """Send one part, record its results and update the state of the destination."""
        if not await self._take_call(search):
            search.is_stopped = True
            return
        token, begun = self._client.fingerprint(), self._evidence.begin()
        try:
            claimed = [search.left[event] for event in part.events]
            answered = await self._call(claimed)
            may_repeat = all(may_be_repeated(each, answered.failure, self._policy) for each in claimed)
            now = self._surroundings.clocks.monotonic()
            bad = search.note(part, begun, answered, now=now, may_repeat=may_repeat)
            self._doubt.update(search, is_in_doubt=search.is_in_doubt)
            answered = await self._conclude(search, answered, token)  # before the call is free for the next batch
        finally:
            self._calls.release()
        await self._record(search, answered, bad)
        if search.is_probe and answered.has_verdict:
            await self._gate.open()

    async def _take_call(self, search: BatchSearch) -> bool:
        """Wait for a free call; return `False` if the batch must wait for another time."""
        is_pointless = partial(self._is_pointless, search)
        while not search.is_stopped:
            await self._shutdown.unless_requested(self._doubt.over_for(search))
            if not await self._calls.take(is_pointless=is_pointless):
                return False
            if not self._doubt.is_about_another(search):
                self._doubt.update(search, is_in_doubt=search.is_in_doubt)
                return True
            self._calls.release()
        return False

    def _is_pointless(self, search: BatchSearch) -> bool:
        """Return whether the batch must wait: after new trouble, for a disabled destination or for stale leases.

        A probe that passed the gate is sent: no other process probes before the end of the longest call.
        """
        is_late = not search.is_probe and self.troubles > search.troubles
        is_off = self._surroundings.switches().destination_off
        return is_late or is_off or self._leases.are_stale(search.left.values())

    async def _call(self, claimed: Sequence[Claimed]) -> CallReport:
        clocks = self._surroundings.clocks
        at, begun_at = clocks.now(), clocks.monotonic()
        call = self._client.send([each.payload for each in claimed])
        answer = await self._shutdown.unless_forced(call) or _CUT_OFF
        return CallReport(
            claimed=claimed,
            at=at,
            duration_s=clocks.monotonic() - begun_at,
            status=answer.status if isinstance(answer, Answer) else None,
            result=read_results(answer, len(claimed), now=clocks.now(), redact=self._surroundings.redact),
        )

    async def _conclude(self, search: BatchSearch, answered: CallReport, token: str) -> CallReport:
        """Note for later batches whether Pinterest accepts calls; return the call with the results to record."""
        now = self._surroundings.clocks.now()
        if answered.has_verdict:
            self._row = CallsInARow()
        if (sign := search.sign(answered, now=now)) is None:
            return answered
        events = [claimed.delivery_id for claimed in answered.claimed]
        if search.is_probe or not (answered.failure and self._evidence.failures.is_alone(events)):
            self._row = self._row.longer(sign, events, calls=search.calls_in_a_row)
            if search.is_probe or await self._is_trouble(sign, answered.claimed):
                await self._stop_sending(sign, token, now, is_probe=search.is_probe)
                return answered
        if isinstance(failure := answered.failure, Blocked):  # the account is not blocked: the events are sent again
            retry = Retry(reason=failure.reason, status=failure.status)
            return replace(answered, result=[retry] * len(events))
        return answered

    async def _is_trouble(self, sign: CallSignal, claimed: Sequence[Claimed]) -> bool:
        has_others = sign.status == FORBIDDEN and (len(claimed) > 1 or await self._recording.has_others(claimed[0]))
        return self._row.is_trouble(sign, has_others=has_others)

    async def _stop_sending(self, sign: CallSignal, token: str, now: float, *, is_probe: bool) -> None:
        may_be_of_event = sign.state != "rate limited" and not sign.retry_after_s
        sign = replace(sign, since=self._row.since, only=self._row.event if may_be_of_event else "")
        try:
            await self._gate.worsen(sign, token=token, now=now, probe=is_probe)
        except OutboxUnavailable as exc:
            self._surroundings.on_error(exc)
        self.troubles += 1  # after the update of the gate: a batch with an older count passed the gate too early

    async def _record(self, search: BatchSearch, answered: CallReport, bad: Sequence[Settlement]) -> None:
        """Record the results of the call, and the dead letters that it proved."""
        settlements = list(bad)
        if not (isinstance(answered.result, Rejected) or search.is_decided(answered)):
            settlements += self._recording.settlements(answered.claimed, answered.result, judged=answered.has_verdict)
        account = answered.claimed[0].ad_account_id
        call = CounterRow(name="calls", label=status_label(answered.status), ad_account_id=account)
        counts = [*counters(settlements), call]
        await self._recording.record(settlements, counts)
        search.settle(settlements)
        self._surroundings.on_call(replace(answered, settlements=settlements, counters=counts))

    async def _finish(self, search: BatchSearch) -> None:
        """Return the rest of the search to the queue: no more of the batch is sent now."""
        recording = self._recording
        untrusted = search.untrusted()
        claimed, results = [each for each, _ in untrusted], [retry for _, retry in untrusted]
        waiting = recording.settlements(claimed, results, judged=False)
        await recording.settle_unsent(waiting)
        search.settle(waiting)
        await recording.give_back(list(search.left.values()), search.why_left, after_s=0)
