"""One claimed batch: send it, halve it where it is refused whole, record every answer as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from app.coordination import Switches
from app.delivery import (
    Calls,
    DeliveryPolicy,
    Gate,
    Leases,
    Outage,
    Shutdown,
    after_failure,
    after_loss,
    halving,
    settle,
    status_label,
    tallies,
)
from app.destination.client import Answer, Failure, PinterestClient
from app.destination.outcomes import Halve, outcomes
from app.errors import OutboxUnavailable
from app.outbox.protocol import Outbox
from app.types import HELD, Blocked, Claimed, Outcome, Retry, Settlement, Tally

#: Before the outbox is asked again to record, and before what was not sent may be claimed again.
PAUSE_S = 1.0

_CUT_OFF = Failure(reason="shut down while waiting for Pinterest's answer", ambiguous=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """One call to Pinterest and what became of its deliveries: for logs and metrics."""

    ad_account_id: str
    at: float
    duration_s: float
    #: None where no answer came.
    status: int | None
    #: What it carried.
    claimed: Sequence[Claimed]
    #: Empty where the call was refused whole and its halves are sent next.
    settlements: tuple[Settlement, ...]
    #: The counts that were recorded in the outbox with it.
    tallies: tuple[Tally, ...]

    @property
    def deliveries(self) -> int:
        """How many it carried."""
        return len(self.claimed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What sending reads and tells."""

    clock: Callable[[], float]
    rng: Random
    #: Returns what is switched off now.
    switches: Callable[[], Switches]
    #: Takes personal data out of Pinterest's words before they are stored.
    redact: Callable[[str], str]
    on_call: Callable[[CallReport], None]
    on_settled_unsent: Callable[[Sequence[Settlement], Sequence[Tally]], None]
    on_error: Callable[[Exception], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What all sends of one ad account obey."""

    gate: Gate
    calls: Calls
    leases: Leases
    shutdown: Shutdown


class Sending:
    """Sends batches of one ad account, several at a time."""

    def __init__(
        self,
        outbox: Outbox,
        client: PinterestClient,
        policy: DeliveryPolicy,
        controls: Controls,
        surroundings: Surroundings,
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._policy = policy
        self._controls = controls
        self._surroundings = surroundings
        #: How Pinterest has failed us of late.
        self.outage = Outage()
        #: How often Pinterest has refused us.
        self.refusals = 0

    async def deliver(self, batch: Sequence[Claimed], *, probe: bool, refusals: int) -> None:
        """Bring every delivery of the batch to a Settlement, or leave it to the end of its lease where this raises.

        `refusals` is what `self.refusals` was before the gate was asked: nothing is sent after a later one.
        """
        try:
            batch = await self._without_what_may_have_arrived(batch)
            off = self._surroundings.switches().presets_off
            held = [claimed for claimed in batch if claimed.preset in off]
            await self._give_back(held, HELD, PAUSE_S)  # switched off since the claim, which leaves out the others
            wanted = [claimed for claimed in batch if claimed.preset not in off]
            left = await self._send_all(wanted, probe=probe, refusals=refusals)
            await self._give_back(left, "not sent yet", PAUSE_S)
        finally:
            self._controls.leases.release(batch)

    async def _without_what_may_have_arrived(self, batch: Sequence[Claimed]) -> Sequence[Claimed]:
        """Settle what the sender before may have sent and must not be sent again; return the rest."""
        now = self._surroundings.clock()
        judged = (after_loss(each, self._policy, now=now) for each in batch if each.lease_was_lost)
        if dead := [each for each in judged if each]:
            counts = tallies(dead)
            await self._record(dead, counts)
            self._surroundings.on_settled_unsent(dead, counts)
        settled = {each.claimed.delivery_id for each in dead}
        return [each for each in batch if each.delivery_id not in settled]

    async def _send_all(self, batch: Sequence[Claimed], *, probe: bool, refusals: int) -> Sequence[Claimed]:
        """Send what can be sent now, and return what is left."""
        left = {claimed.delivery_id: claimed for claimed in batch}
        parts = halving(batch)
        part = next(parts)
        while part and await self._controls.calls.take(is_pointless=partial(self._is_pointless, refusals)):
            result = await self._send(part, probe=probe)
            if not isinstance(result, Halve):
                for claimed in part:
                    del left[claimed.delivery_id]
            if _without_verdict(result):
                break
            try:
                part = parts.send(isinstance(result, Halve))
            except StopIteration:
                break
        return list(left.values())

    def _is_pointless(self, refusals: int) -> bool:
        """Return whether what was claimed before must wait: refused since, in an outage, or switched off."""
        in_outage = self.outage.resume_at > self._surroundings.clock()
        return self.refusals > refusals or in_outage or self._surroundings.switches().destination_off

    async def _send(self, part: Sequence[Claimed], *, probe: bool) -> list[Outcome] | Halve:
        """Make the call that was taken, record what it settles and draw the conclusions for the destination."""
        at = self._surroundings.clock()
        try:
            call = self._client.send([claimed.payload for claimed in part])
            answer = await self._controls.shutdown.unless_forced(call) or _CUT_OFF
            now = self._surroundings.clock()
            result = outcomes(answer, len(part), now=now, redact=self._surroundings.redact)
            await self._conclude(result, now, probe=probe)  # before the call is free for a batch that waits
        finally:
            self._controls.calls.release()
        settlements = [] if isinstance(result, Halve) else self._settlements(part, result, now)
        status = answer.status if isinstance(answer, Answer) else None
        counts = [*tallies(settlements), Tally(name="calls", label=status_label(status))]
        await self._record(settlements, counts)
        self._surroundings.on_call(
            CallReport(
                ad_account_id=part[0].ad_account_id,
                at=at,
                duration_s=now - at,
                status=status,
                claimed=part,
                settlements=tuple(settlements),
                tallies=tuple(counts),
            )
        )
        if probe and not _without_verdict(result):
            await self._controls.gate.open()
        return result

    def _settlements(self, part: Sequence[Claimed], result: Sequence[Outcome], now: float) -> list[Settlement]:
        chance = self._surroundings.rng.random()  # one for all, so that what failed together is sent together again
        return [
            settle(claimed, outcome, self._policy, now=now, chance=chance)
            for claimed, outcome in zip(part, result, strict=True)
        ]

    async def _conclude(self, result: list[Outcome] | Halve, now: float, *, probe: bool) -> None:
        """Note for the batches to come how Pinterest fares."""
        first = None if isinstance(result, Halve) else result[0]
        if isinstance(first, Blocked):
            try:
                await self._controls.gate.refuse(first, now=now, probe=probe)
            except OutboxUnavailable as exc:
                self._surroundings.on_error(exc)
            self.refusals += 1  # after the gate: whoever read this first has asked the gate in vain
        elif isinstance(first, Retry) and _without_verdict(result):
            self.outage = after_failure(self.outage, first, self._policy, now=now)
        else:
            self.outage = Outage()

    async def _give_back(self, claimed: Sequence[Claimed], reason: str, after_s: float) -> None:
        """Make deliveries pending again whose attempt was none."""
        if claimed:
            untried = Retry(reason=reason, tried=False, retry_after_s=after_s)
            await self._record(self._settlements(claimed, [untried] * len(claimed), self._surroundings.clock()), [])

    async def _record(self, settlements: Sequence[Settlement], counts: Sequence[Tally]) -> None:
        """Record in the outbox, however long it cannot commit: what was sent must not be sent again."""
        while True:
            try:
                await self._outbox.settle(settlements, counts, now=self._surroundings.clock())
            except OutboxUnavailable as exc:
                if self._controls.shutdown.forced:
                    raise
                self._surroundings.on_error(exc)
                await self._controls.shutdown.rest_while_finishing(PAUSE_S)
            else:
                self._controls.leases.release(settlement.claimed for settlement in settlements)
                return


def _without_verdict(result: list[Outcome] | Halve) -> bool:
    """Whether Pinterest judged none of the events."""
    return not isinstance(result, Halve) and all(isinstance(outcome, Retry | Blocked) for outcome in result)
