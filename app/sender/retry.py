"""The time of the next attempt, or the reason for none.

Exponential backoff with full jitter: the pause after the n-th call without a verdict on this event is uniformly random
between 0 and min(retry_max_pause_s, retry_base_s * 2^(n-1)).
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

A call without a verdict on any event uses no attempt. Then the age of the delivery decides: the pause is random between
0 and the age, which at most doubles the age, until the age limit.
"""

from dataclasses import dataclass

from app.config.settings import DeliverySettings
from app.core.deliveries import CallResult, Claimed, Rejected, Retry

#: The maximum of doublings: pauses are at most 2^60 s, and powers stay small.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """Inputs of a decision in addition to the delivery and its result."""

    #: Unix seconds.
    now: float
    #: Seconds that passed since the delivery was enqueued.
    age_s: float
    #: A random number in [0, 1); the same number for all events of a call.
    chance: float
    #: Whether the call judged any event.
    judged: bool = True


def decide(claimed: Claimed, retry: Retry, policy: DeliverySettings, moment: RetryContext) -> float | Rejected:
    """Decide after a call without a verdict on this event.

    Return the time of the next attempt in Unix seconds, or a Rejected for no further attempt.
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
    """Return the text for a delivery that waited too long; `reason` is the cause of the wait."""
    return f"given up after {policy.retry_max_age_s / 3600:g} hours: {reason}"


def pause_s(attempt: int, policy: DeliverySettings, *, chance: float) -> float:
    """Return the seconds to wait after this attempt, counted from 1."""
    ceiling = policy.retry_base_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
    return chance * min(ceiling, policy.retry_max_pause_s)


def clamped(retry_after_s: float, policy: DeliverySettings) -> float:
    """Return the pause that Pinterest requested, within the limits of the policy."""
    return min(max(retry_after_s, 0.0), policy.retry_max_pause_s)
