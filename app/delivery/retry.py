"""When a delivery is tried again, or why it is not.

Exponential back-off with full jitter: the pause after attempt n is drawn evenly from
0 to min(retry_max_pause_s, retry_base_s * 2^(n-1)).
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from dataclasses import dataclass
from typing import TypeAlias

from app.delivery.policy import DeliveryPolicy
from app.types import Claimed, Retry

#: Doubling ends here: no pause is longer than 2^60 s, and powers stay small.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """It is tried again, then."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """It is not tried again."""

    reason: str


RetryDecision: TypeAlias = Due | Dead


def decide(claimed: Claimed, retry: Retry, policy: DeliveryPolicy, *, now: float, chance: float) -> RetryDecision:
    """Decide after a failed attempt. `chance` is drawn from [0, 1); one for a whole call keeps its events together."""
    if retry.ambiguous and claimed.action_source == "offline" and not policy.retry_offline_ambiguous:
        return Dead(
            reason="may have arrived, and Pinterest cannot de-duplicate offline events "
            f"(RETRY_OFFLINE_AMBIGUOUS sends them again): {retry.reason}"
        )
    if claimed.attempt >= policy.retry_max_attempts:
        return Dead(reason=f"given up after {claimed.attempt} attempts: {retry.reason}")
    if now - claimed.enqueued_at >= policy.retry_max_age_s:
        return Dead(reason=f"given up after {policy.retry_max_age_s / 3600:g} hours: {retry.reason}")
    if retry.retry_after_s is not None:
        return Due(at=now + clamped(retry.retry_after_s, policy))
    return Due(at=now + pause_s(claimed.attempt, policy, chance=chance))


def pause_s(attempt: int, policy: DeliveryPolicy, *, chance: float) -> float:
    """Return the seconds to wait after this attempt, counted from 1."""
    ceiling = policy.retry_base_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
    return chance * min(ceiling, policy.retry_max_pause_s)


def clamped(retry_after_s: float, policy: DeliveryPolicy) -> float:
    """Bound what Pinterest asked for."""
    return min(max(retry_after_s, 0.0), policy.retry_max_pause_s)
