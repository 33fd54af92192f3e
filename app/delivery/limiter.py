"""Keeps all processes together under the calls that Pinterest allows a minute."""

from dataclasses import asdict

from app.delivery.rate import Bucket, take
from app.delivery.shared import SharedValues

#: A process takes up to so many calls at once, to write the shared value less often, and uses them within so long.
_RESERVED_CALLS = 8
_RESERVED_S = 1.0
#: After somebody else wrote first.
_CONTENTION_S = 0.02


class Limiter:
    """Grants calls to one ad account, out of a bucket in the outbox (`rate/AD_ACCOUNT`)."""

    def __init__(self, shared: SharedValues, *, ad_account_id: str, max_calls_per_minute: int) -> None:
        self._shared = shared
        self._key = f"rate/{ad_account_id}"
        self._max_calls_per_minute = max_calls_per_minute
        self._reserved = 0
        self._reserved_until = 0.0

    async def take(self, *, now: float) -> float:
        """Answer 0 where one call may be made now, else how many seconds to wait before asking again."""
        if self._reserved > 0 and now < self._reserved_until:
            self._reserved -= 1
            return 0.0
        stored = await self._shared.get_shared(self._key)
        bucket = Bucket(**stored.value) if stored else None
        grant = take(bucket, _RESERVED_CALLS, max_calls_per_minute=self._max_calls_per_minute, now=now)
        if not grant.calls:
            return grant.wait_s
        revision = stored.revision if stored else 0
        if await self._shared.put_shared(self._key, asdict(grant.bucket), revision=revision) is None:
            return _CONTENTION_S
        self._reserved, self._reserved_until = grant.calls - 1, now + _RESERVED_S
        return 0.0
