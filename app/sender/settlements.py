"""Convert the results of a send to records."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from app.config.settings import DeliverySettings
from app.core.deliveries import (
    LEASE_LOST,
    RESULT_NAMES,
    Blocked,
    CallResult,
    Claimed,
    Delivered,
    Rejected,
    Retry,
    Settlement,
    State,
)
from app.core.events import MAX_LABEL_CHARACTERS, CounterRow
from app.errors import OutboxUnavailable
from app.outbox import Outbox
from app.sender.context import Dependencies
from app.sender.leases import Leases
from app.sender.retry import RetryContext, clamped, decide, given_up_for_age
from app.sender.shutdown import Shutdown


def settle(
    claimed: Claimed, result: CallResult, policy: DeliverySettings, moment_of: Callable[[Claimed], RetryContext]
) -> Settlement:
    """Decide the next state. A Retry without a further attempt becomes a Rejected with the reason.

    `moment_of` returns the other inputs of the decision, and is called only for retries. Without a try or a verdict, no
    attempt is counted.
    """
    match result:
        case Delivered():
            return Settlement(claimed=claimed, result=result, state=State.DELIVERED)
        case Rejected():
            return Settlement(claimed=claimed, result=result, state=State.DEAD)
        case Blocked():
            return Settlement(
                claimed=claimed, result=result, state=State.PENDING, due_at=moment_of(claimed).now, give_back=True
            )
        case Retry(tried=False):
            due_at = moment_of(claimed).now + clamped(result.retry_after_s or 0, policy)
            return Settlement(claimed=claimed, result=result, state=State.PENDING, due_at=due_at, give_back=True)
        case _:  # a Retry after a try
            moment = moment_of(claimed)
            decision = decide(claimed, result, policy, moment)
            if isinstance(decision, Rejected):
                return Settlement(claimed=claimed, result=decision, state=State.DEAD)
            return Settlement(
                claimed=claimed,
                result=result,
                state=State.PENDING,
                due_at=decision,
                give_back=not (moment.judged and result.uses_attempt),
            )


def after_loss(claimed: Claimed, policy: DeliverySettings, *, now: float, age_s: float) -> Settlement | None:
    """Decide on a delivery that an earlier sender may have sent: dead, or `None` to send now.

    A lost lease counts as a call without a response.
    """
    lost = Retry(reason=LEASE_LOST, ambiguous=True)
    decision = decide(claimed, lost, policy, RetryContext(now=now, age_s=age_s, chance=0, judged=False))
    return _dead(claimed, decision.reason) if isinstance(decision, Rejected) else None


def too_old(claimed: Claimed, policy: DeliverySettings, reason: str, *, age_s: float) -> Settlement | None:
    """Return the settlement of a delivery that waited too long for `reason`; `None` if the delivery may wait longer."""
    return _dead(claimed, given_up_for_age(reason, policy)) if age_s >= policy.retry_max_age_s else None


def _dead(claimed: Claimed, reason: str) -> Settlement:
    return Settlement(claimed=claimed, result=Rejected(reason=reason), state=State.DEAD)


def counters(settlements: Iterable[Settlement]) -> list[CounterRow]:
    """Return the counts of outcomes by preset, ad account and status, and of warnings by their text.

    An untried delivery has no outcome.
    """
    alike = Counter((each.result, each.claimed.preset, each.claimed.ad_account_id) for each in settlements)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for (result, preset, account), count in alike.items():
        if not (isinstance(result, Retry) and not result.tried):
            counts[RESULT_NAMES[type(result)], preset, account, status_label(result.status)] += count
        if isinstance(result, Delivered) and result.warning:
            counts["warning", preset, account, result.warning[:MAX_LABEL_CHARACTERS]] += count
    return [
        CounterRow(name=name, preset=preset, ad_account_id=account, label=label, count=count)
        for (name, preset, account, label), count in counts.items()
    ]


def status_label(status: int | None) -> str:
    """Return the label of a response in counts: its status, or `failure` without a response."""
    return "failure" if status is None else str(status)


#: The pause before another attempt to record, and before unsent deliveries may be claimed again.
RECORD_AGAIN_S = 1.0


class Recording:
    """Decide on deliveries by their results, settle them in the outbox and release their claims."""

    def __init__(
        self,
        outbox: Outbox,
        policy: DeliverySettings,
        leases: Leases,
        shutdown: Shutdown,
        surroundings: Dependencies,
        *,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._outbox = outbox
        self._policy = policy
        self._leases = leases
        self._shutdown = shutdown
        self._surroundings = surroundings
        self._on_error = on_error

    async def record(self, settlements: Sequence[Settlement], counts: Sequence[CounterRow]) -> None:
        """Record. Raises OutboxUnavailable only after a forced shutdown before the commit."""
        while True:
            try:
                await self._outbox.settle(settlements, counts, now=self._surroundings.clocks.now())
            except OutboxUnavailable as exc:
                if self._shutdown.forced:
                    raise
                self._on_error(exc)
                await self._shutdown.rest_while_finishing(RECORD_AGAIN_S)
            else:
                self._leases.release(settlement.claimed for settlement in settlements)
                return

    async def settle_unsent(self, settlements: Sequence[Settlement]) -> None:
        """Record and report settlements without a call."""
        if settlements:
            counts = counters(settlements)
            await self.record(settlements, counts)
            self._surroundings.on_settled_unsent(settlements, counts)

    async def give_back(self, claimed: Sequence[Claimed], reason: str, *, after_s: float = RECORD_AGAIN_S) -> None:
        """Return deliveries without a call to the queue, without counting an attempt."""
        if claimed:
            untried = Retry(reason=reason, tried=False, retry_after_s=after_s)
            await self.record(self.settlements(claimed, [untried] * len(claimed), judged=False), [])

    async def without_what_may_have_arrived(self, batch: Sequence[Claimed]) -> Sequence[Claimed]:
        """Settle deliveries that an earlier sender may have sent and that must not be sent again; return the rest."""
        now = self._surroundings.clocks.now()
        lost = (each for each in batch if each.lease_was_lost)
        judged = (after_loss(each, self._policy, now=now, age_s=self.age_s(each)) for each in lost)
        dead = {each.claimed.delivery_id: each for each in judged if each}
        await self.settle_unsent(list(dead.values()))
        return [each for each in batch if each.delivery_id not in dead]

    def settlements(
        self, claimed: Sequence[Claimed], results: Sequence[CallResult], *, judged: bool
    ) -> list[Settlement]:
        """Decide on deliveries by their results; `judged` is whether the call judged any event."""
        now = self._surroundings.clocks.now()
        chance = self._surroundings.rng.random()  # one for all: events that failed together are retried together

        def moment_of(each: Claimed) -> RetryContext:
            return RetryContext(now=now, age_s=self.age_s(each), chance=chance, judged=judged)

        pairs = zip(claimed, results, strict=True)
        return [settle(each, result, self._policy, moment_of) for each, result in pairs]

    async def has_others(self, claimed: Claimed) -> bool:
        """Return whether other deliveries of the ad account wait.

        An unavailable outbox is reported: the result is `False`.
        """
        try:
            backlog = await self._outbox.backlog(claimed.ad_account_id, now=self._surroundings.clocks.now())
        except OutboxUnavailable as exc:
            self._on_error(exc)
            return False
        return backlog.pending + backlog.claimed > 1

    def age_s(self, claimed: Claimed) -> float:
        """Return how many seconds have passed since the delivery was enqueued."""
        return self._surroundings.clocks.age_s(claimed.enqueued_at)
