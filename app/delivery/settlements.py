"""From what became of a send to what is recorded of it."""

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from app.delivery.policy import DeliveryPolicy
from app.delivery.retry import Dead, clamped, decide
from app.types import (
    LEASE_LOST,
    MAX_LABEL_CHARACTERS,
    Blocked,
    Claimed,
    Delivered,
    Exit,
    Outcome,
    Rejected,
    Retry,
    Settlement,
    State,
    Tally,
)

_EXITS = {Delivered: Exit.DELIVERED, Retry: Exit.RETRY, Rejected: Exit.REJECTED, Blocked: Exit.BLOCKED}


def settle(claimed: Claimed, outcome: Outcome, policy: DeliveryPolicy, *, now: float, chance: float) -> Settlement:
    """Decide the next state. A Retry that is not worth another attempt becomes a Rejected that says why."""
    match outcome:
        case Delivered():
            return Settlement(claimed=claimed, outcome=outcome, state=State.DELIVERED)
        case Rejected():
            return Settlement(claimed=claimed, outcome=outcome, state=State.DEAD)
        case Blocked():
            return Settlement(claimed=claimed, outcome=outcome, state=State.PENDING, due_at=now, give_back=True)
        case Retry(tried=False):
            due_at = now + clamped(outcome.retry_after_s or 0, policy)
            return Settlement(claimed=claimed, outcome=outcome, state=State.PENDING, due_at=due_at, give_back=True)
        case _:  # a Retry that was tried
            decision = decide(claimed, outcome, policy, now=now, chance=chance)
            if isinstance(decision, Dead):
                dead = Rejected(reason=decision.reason, status=outcome.status)
                return Settlement(claimed=claimed, outcome=dead, state=State.DEAD)
            return Settlement(claimed=claimed, outcome=outcome, state=State.PENDING, due_at=decision.at)


def after_loss(claimed: Claimed, policy: DeliveryPolicy, *, now: float) -> Settlement | None:
    """Decide on a delivery that the sender before may have sent: dead, or None where it is sent again now.

    The attempt that was lost is judged as any other that had no answer.
    """
    lost = Retry(reason=LEASE_LOST, ambiguous=True)
    decision = decide(replace(claimed, attempt=claimed.attempt - 1), lost, policy, now=now, chance=0)
    if not isinstance(decision, Dead):
        return None
    return Settlement(claimed=claimed, outcome=Rejected(reason=decision.reason), state=State.DEAD)


def tallies(settlements: Iterable[Settlement]) -> list[Tally]:
    """Return the counts of exits by preset and status, and of Pinterest's warnings by their text.

    What was not tried is no exit.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    for settlement in settlements:
        outcome, preset = settlement.outcome, settlement.claimed.preset
        if not (isinstance(outcome, Retry) and not outcome.tried):
            counts[_EXITS[type(outcome)], preset, status_label(outcome.status)] += 1
        if isinstance(outcome, Delivered) and outcome.warning:
            counts["warning", preset, outcome.warning[:MAX_LABEL_CHARACTERS]] += 1
    return [
        Tally(name=name, preset=preset, label=label, count=count) for (name, preset, label), count in counts.items()
    ]


def status_label(status: int | None) -> str:
    """Return what an answer is called in counts: its status, or that none came."""
    return "failure" if status is None else str(status)
