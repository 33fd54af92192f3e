"""Pausing all calls while Pinterest judges none of them, so that its outage does not use up everybody's attempts."""

from dataclasses import dataclass

from app.delivery.policy import DeliveryPolicy
from app.delivery.retry import clamped, pause_s
from app.types import Retry

#: A few failures in a row are chance; from this one on it is an outage, and each further one doubles the pause.
CALLS_BEFORE_PAUSE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """How Pinterest has failed us of late."""

    #: Calls in a row that ended without a verdict on any event.
    calls: int = 0
    #: No call before.
    resume_at: float = 0


def after_failure(before: Outage, retry: Retry, policy: DeliveryPolicy, *, now: float) -> Outage:
    """Note a call without a verdict. What Pinterest asked for (Retry-After) holds for all calls, from the first."""
    calls = before.calls + 1
    wanted_s = clamped(retry.retry_after_s or 0, policy)
    if calls >= CALLS_BEFORE_PAUSE:
        wanted_s = max(wanted_s, pause_s(calls - CALLS_BEFORE_PAUSE + 1, policy, chance=1))
    return Outage(calls=calls, resume_at=max(before.resume_at, now + wanted_s))
