"""The calls to Pinterest that all processes together may make, and those that one process has in flight."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from app.core.shared_values import RATE, Bucket, SharedValues
from app.errors import OutboxUnavailable
from app.sender.shutdown import Shutdown

#: The bucket holds what may be called within so long.
BURST_S = 1.0
#: A clock that ran ahead is believed up to here; beyond, the bucket starts anew and empty.
_MAX_CLOCK_ERROR_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """How many calls a process may make now, and the bucket without them."""

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
    return Bucket(calls=0, at=now) if _is_far_ahead(bucket, now) else bucket


def _is_far_ahead(bucket: Bucket | None, now: float) -> bool:
    return bucket is not None and bucket.at - now > _MAX_CLOCK_ERROR_S


#: A process takes up to so many calls at once, to write the shared value less often, and uses them within so long.
_RESERVED_CALLS = 8
_RESERVED_S = 1.0
#: After somebody else wrote first.
_CONTENTION_S = 0.02


class Limiter:
    """Grants calls to one ad account, out of a bucket in the outbox."""

    def __init__(self, shared: SharedValues, *, ad_account_id: str, max_calls_per_minute: int) -> None:
        self._shared = shared
        self._bucket = RATE.of(ad_account_id)
        self._max_calls_per_minute = max_calls_per_minute
        self._reserved = 0
        self._reserved_until = 0.0

    async def take(self, *, now: float) -> float:
        """Return 0 where one call may be made now, else how many seconds to wait before asking again."""
        if self._reserved > 0 and now < self._reserved_until:
            self._reserved -= 1
            return 0.0
        stored = await self._bucket.read_revised(self._shared)
        grant = take(stored.value, _RESERVED_CALLS, max_calls_per_minute=self._max_calls_per_minute, now=now)
        if not grant.calls and not _is_far_ahead(stored.value, now):
            return grant.wait_s
        if await self._bucket.write(self._shared, grant.bucket, revision=stored.revision) is None:
            return _CONTENTION_S
        if not grant.calls:  # the clock was set back: the bucket that was written anew fills from now on
            return grant.wait_s
        self._reserved, self._reserved_until = grant.calls - 1, now + _RESERVED_S
        return 0.0


#: Before the outbox is asked again.
ASK_AGAIN_S = 1.0


class Calls:
    """Hands out calls: each is taken before it is made, and released as soon as its answer is in."""

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

        False, and nothing taken, where the end is requested meanwhile or the call has become pointless. An outbox that
        is unavailable is reported and asked again: what waits for its call is not lost, and must not look so.
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
        """Hand a call back that was taken: its answer is in."""
        self._free.release()
