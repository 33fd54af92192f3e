"""The rate limit of calls for all processes together, and the calls in flight of each process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from app.core.shared_values import RATE, Bucket, SharedValues
from app.errors import OutboxUnavailable
from app.sender.shutdown import Shutdown

#: The duration of calls that the bucket contains.
BURST_S = 1.0
#: The accepted error of a clock ahead; beyond, the bucket is reset and empty.
_MAX_CLOCK_ERROR_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The number of calls that a process may make now, and the bucket without these calls."""

    bucket: Bucket
    calls: int
    #: Seconds until the next call can be granted; 0 if calls were granted.
    wait_s: float


def take(bucket: Bucket | None, wanted: int, *, max_calls_per_minute: int, now: float) -> Grant:
    """Take up to `wanted` calls. `None` is an unused, full bucket.

    At most `max_calls_per_minute` are granted within any minute: the full bucket and the inflow of the minute.
    """
    capacity = max(1.0, max_calls_per_minute * BURST_S / 60)
    per_second = max(max_calls_per_minute - capacity, max_calls_per_minute / 2) / 60
    before = _current(bucket or Bucket(calls=capacity, at=now), now)
    calls = min(capacity, before.calls + max(0.0, now - before.at) * per_second)
    granted = min(wanted, int(calls))
    after = Bucket(calls=calls - granted, at=max(now, before.at))
    return Grant(bucket=after, calls=granted, wait_s=0.0 if granted else (1 - calls) / per_second)


def _current(bucket: Bucket, now: float) -> Bucket:
    """Reset a time that is too far ahead: the clock was set back."""
    return Bucket(calls=0, at=now) if _is_far_ahead(bucket, now) else bucket


def _is_far_ahead(bucket: Bucket | None, now: float) -> bool:
    return bucket is not None and bucket.at - now > _MAX_CLOCK_ERROR_S


#: The number of calls that a process reserves at once, and the time to use them; this reduces writes of the shared
#: value.
_RESERVED_CALLS = 8
_RESERVED_S = 1.0
#: The pause after a concurrent write.
_CONTENTION_S = 0.02


class Limiter:
    """Grant calls to an ad account from a shared bucket in the outbox."""

    def __init__(self, shared: SharedValues, *, ad_account_id: str, max_calls_per_minute: int) -> None:
        self._shared = shared
        self._bucket = RATE.of(ad_account_id)
        self._max_calls_per_minute = max_calls_per_minute
        self._reserved = 0
        self._reserved_until = 0.0

    async def take(self, *, now: float) -> float:
        """Return 0 if a call is allowed now, else the seconds to wait before the next request."""
        if self._reserved > 0 and now < self._reserved_until:
            self._reserved -= 1
            return 0.0
        stored = await self._bucket.read_revised(self._shared)
        grant = take(stored.value, _RESERVED_CALLS, max_calls_per_minute=self._max_calls_per_minute, now=now)
        if not grant.calls and not _is_far_ahead(stored.value, now):
            return grant.wait_s
        if await self._bucket.write(self._shared, grant.bucket, revision=stored.revision) is None:
            return _CONTENTION_S
        if not grant.calls:  # the clock was set back: the new bucket fills from now on
            return grant.wait_s
        self._reserved, self._reserved_until = grant.calls - 1, now + _RESERVED_S
        return 0.0


#: Seconds before another call of the outbox.
ASK_AGAIN_S = 1.0


class Calls:
    """Grant calls: take one before each call, and release the call after the response."""

    def __init__(
        self,
        limiter: Limiter,
        shutdown: Shutdown,
        *,
        at_once: int,
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._limiter = limiter
        self._shutdown = shutdown
        self._free = asyncio.Semaphore(at_once)
        self._clock = clock
        self._on_error = on_error

    async def take(self, *, is_pointless: Callable[[], bool]) -> bool:
        """Wait for a free call and for the rate limit, and take the call.

        Return `False` without a call if the shutdown is requested or the call loses its purpose. An unavailable outbox
        is reported and retried, so that no waiting delivery is lost.
        """
        if not await self._shutdown.unless_requested(self._free.acquire()):
            return False
        granted = False
        try:
            granted = await self._is_granted(is_pointless)
        finally:
            if not granted:
                self._free.release()
        return granted

    async def _is_granted(self, is_pointless: Callable[[], bool]) -> bool:
        while not (self._shutdown.requested or is_pointless()):
            try:
                wait_s = await self._limiter.take(now=self._clock())
            except OutboxUnavailable as exc:
                self._on_error(exc)
                wait_s = ASK_AGAIN_S
            if wait_s == 0:
                return True
            await self._shutdown.rest(wait_s)
        return False

    def release(self) -> None:
        """Release a call after its response."""
        self._free.release()
