"""The token bucket that bounds calls to Pinterest, as a value that all processes share."""

from dataclasses import dataclass

#: The bucket holds what may be called within so long.
BURST_S = 1.0
#: A clock that ran ahead is believed up to here; beyond, the bucket starts anew and empty.
_MAX_CLOCK_ERROR_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How many calls may be made."""

    calls: float
    #: When that was so.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a process got."""

    bucket: Bucket
    calls: int
    #: Until the next call can be granted; 0 where some were.
    wait_s: float


def take(bucket: Bucket | None, wanted: int, *, max_calls_per_minute: int, now: float) -> Grant:
    """Take up to `wanted` calls. None is a bucket that was never used: a full one.

    Within any minute at most `max_calls_per_minute` are granted: a full bucket and what flows in during the minute.
    """
    capacity = max(1.0, max_calls_per_minute * BURST_S / 60)
    per_second = max(max_calls_per_minute - capacity, max_calls_per_minute / 2) / 60
    before = _current(bucket or Bucket(calls=capacity, at=now), now)
    calls = min(capacity, before.calls + max(0.0, now - before.at) * per_second)
    granted = min(wanted, int(calls))
    after = Bucket(calls=calls - granted, at=max(now, before.at))
    return Grant(bucket=after, calls=granted, wait_s=0.0 if granted else (1 - calls) / per_second)


def _current(bucket: Bucket, now: float) -> Bucket:
    """Forget a time that lies too far ahead: the clock was set back."""
    return bucket if bucket.at - now <= _MAX_CLOCK_ERROR_S else Bucket(calls=0, at=now)
