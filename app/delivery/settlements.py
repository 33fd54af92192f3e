"""From what became of a send to what is recorded of it."""

from collections import Counter
from collections.abc import Callable, Iterable

from app.core.deliveries import (
    EXIT_OF,
    LEASE_LOST,
    Blocked,
    Claimed,
    Delivered,
    Outcome,
    Rejected,
    Retry,
    Settlement,
    State,
)
from app.core.events import MAX_LABEL_CHARACTERS, Tally
from app.delivery.policy import DeliveryPolicy
from app.delivery.retry import Dead, Due, Moment, clamped, decide, given_up_for_age


def settle(
    claimed: Claimed, outcome: Outcome, policy: DeliveryPolicy, moment_of: Callable[[Claimed], Moment]
) -> Settlement:
    """Decide the next state. A Retry that is not worth another attempt becomes a Rejected that says why.

    `moment_of` returns what the decision depends on beside these; it is asked only of what waits for another time.
    The attempt is given back where nothing was tried or no event was judged.
    """
    match outcome:
        case Delivered():
            return Settlement(claimed=claimed, outcome=outcome, state=State.DELIVERED)
        case Rejected():
            return Settlement(claimed=claimed, outcome=outcome, state=State.DEAD)
        case Blocked():
            return Settlement(
                claimed=claimed, outcome=outcome, state=State.PENDING, due_at=moment_of(claimed).now, give_back=True
            )
        case Retry(tried=False):
            due_at = moment_of(claimed).now + clamped(outcome.retry_after_s or 0, policy)
            return Settlement(claimed=claimed, outcome=outcome, state=State.PENDING, due_at=due_at, give_back=True)
        case _:  # a Retry that was tried
            moment = moment_of(claimed)
            decision = decide(claimed, outcome, policy, moment)
            if isinstance(decision, Dead):
                dead = Rejected(reason=decision.reason, status=outcome.status)
                return Settlement(claimed=claimed, outcome=dead, state=State.DEAD)
            return Settlement(
                claimed=claimed,
                outcome=outcome,
                state=State.PENDING,
                due_at=decision.at,
                give_back=not moment.judged,
            )


def after_loss(claimed: Claimed, policy: DeliveryPolicy, *, now: float, age_s: float) -> Settlement | None:
    """Decide on a delivery that the sender before may have sent: dead, or None where it is sent again now.

    What was lost is judged as any other call that had no answer.
    """
    lost = Retry(reason=LEASE_LOST, ambiguous=True)
    decision = decide(claimed, lost, policy, Moment(now=now, age_s=age_s, chance=0, judged=False))
    return None if isinstance(decision, Due) else _dead(claimed, decision.reason)


def too_old(claimed: Claimed, policy: DeliveryPolicy, reason: str, *, age_s: float) -> Settlement | None:
    """Return the settlement of a delivery that waited too long, for a `reason`; None where it may wait on."""
    return _dead(claimed, given_up_for_age(reason, policy)) if age_s >= policy.retry_max_age_s else None


def _dead(claimed: Claimed, reason: str) -> Settlement:
    return Settlement(claimed=claimed, outcome=Rejected(reason=reason), state=State.DEAD)


def tallies(settlements: Iterable[Settlement]) -> list[Tally]:
    """Return the counts of exits by preset, ad account and status, and of Pinterest's warnings by their text.

    What was not tried is no exit.
    """
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for settlement in settlements:
        outcome, claimed = settlement.outcome, settlement.claimed
        if not (isinstance(outcome, Retry) and not outcome.tried):
            counts[EXIT_OF[type(outcome)], claimed.preset, claimed.ad_account_id, status_label(outcome.status)] += 1
        if isinstance(outcome, Delivered) and outcome.warning:
            label = outcome.warning[:MAX_LABEL_CHARACTERS]
            counts["warning", claimed.preset, claimed.ad_account_id, label] += 1
    return [
        Tally(name=name, preset=preset, ad_account_id=account, label=label, count=count)
        for (name, preset, account, label), count in counts.items()
    ]


def status_label(status: int | None) -> str:
    """Return what an answer is called in counts: its status, or that none came."""
    return "failure" if status is None else str(status)
