"""When a delivery is tried again, or why it is not.

Exponential back-off with full jitter: the pause after the n-th call that brought no verdict on this event is drawn
evenly from 0 to min(retry_max_pause_s, retry_base_s * 2^(n-1)).
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

A call that judged none of its events says nothing of any of them and uses up no attempt. Time decides then: the pause
is drawn from 0 to the time that the event has waited, which doubles that time at most, and age ends it.
"""

from dataclasses import dataclass

from app.config.settings import DeliverySettings
from app.core.deliveries import CallResult, Claimed, Rejected, Retry

#: Doubling ends here: no pause is longer than 2^60 s, and powers stay small.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What a decision depends on beside the delivery and its result."""

    #: Unix seconds.
    now: float
    #: Seconds that passed since the delivery was enqueued.
    age_s: float
    #: Drawn from [0, 1); one for a whole call keeps its events together.
    chance: float
    #: Whether the call judged any event.
    judged: bool = True


def decide(claimed: Claimed, retry: Retry, policy: DeliverySettings, moment: RetryContext) -> float | Rejected:
    """Decide after a call that brought no verdict on this event.

    Return when the delivery is tried again, in Unix seconds, or a Rejected if it is not.
    """
    if not may_be_repeated(claimed, retry, policy):
        return Rejected(
            status=retry.status,
            reason="may have arrived, and Pinterest cannot de-duplicate offline events "
            f"(RETRY_OFFLINE_AMBIGUOUS sends them again): {retry.reason}",
        )
    judged = moment.judged and retry.uses_attempt
    if judged and claimed.attempt >= policy.limits.retry_max_attempts:
        return Rejected(reason=f"given up after {claimed.attempt} attempts: {retry.reason}", status=retry.status)
    if moment.age_s >= policy.retry_max_age_s:
        return Rejected(reason=given_up_for_age(retry.reason, policy), status=retry.status)
    if retry.retry_after_s is not None:
        return moment.now + clamped(retry.retry_after_s, policy)
    if judged:
        return moment.now + pause_s(claimed.attempt, policy, chance=moment.chance)
    longest_s = min(max(moment.age_s, policy.retry_base_s), policy.retry_max_pause_s)
    return moment.now + moment.chance * longest_s


def may_be_repeated(claimed: Claimed, result: CallResult | None, policy: DeliverySettings) -> bool:
    """Return whether the event may be sent again. An offline event that may have arrived may not."""
    may_have_arrived = isinstance(result, Retry) and result.ambiguous
    return not may_have_arrived or claimed.action_source != "offline" or policy.retry_offline_ambiguous


def given_up_for_age(reason: str, policy: DeliverySettings) -> str:
    """Return what is said of a delivery that waited too long; `reason` is why it did."""
    return f"given up after {policy.retry_max_age_s / 3600:g} hours: {reason}"


def pause_s(attempt: int, policy: DeliverySettings, *, chance: float) -> float:
    """Return the seconds to wait after this attempt, counted from 1."""
    ceiling = policy.retry_base_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
    return chance * min(ceiling, policy.retry_max_pause_s)


def clamped(retry_after_s: float, policy: DeliverySettings) -> float:
    """Return the pause that Pinterest asked for, within the bounds of the policy."""
    return min(max(retry_after_s, 0.0), policy.retry_max_pause_s)
