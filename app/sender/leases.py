"""Keeps claims ours while they are worked on, however long that takes, and says when those of others may be taken.

A lease that ended is the sign of a sender that is gone, unless nobody could renew it: the store was locked or away, or
the clock was set forward. After such a disturbance every holder has the time of one lease to come forward.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from app.core.deliveries import Claimed

#: A lease is renewed so many times before it would end.
_RENEWALS_PER_LEASE = 3


class Leases:
    """The claims of this process that are not recorded yet."""

    def __init__(
        self,
        renew: Callable[..., Awaitable[None]],
        *,
        lease_s: float,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._clock = clock
        self._monotonic = monotonic
        self._on_error = on_error
        self._held: dict[str, Claimed] = {}
        #: Claims that were held while the process stood still for a whole lease: others may have sent their events.
        self._stale: set[str] = set()
        self._awake_at = monotonic()
        #: A process that has just begun knows of no disturbance; whoever lives renews within a third of a lease.
        self._calm_at = monotonic() + lease_s / 2

    def disturbed(self) -> None:
        """Note that leases may have ended whose holders live."""
        self._calm_at = self._monotonic() + self._lease_s

    @property
    def may_take_over(self) -> bool:
        """Whether a lease that has ended is the sign of a sender that is gone."""
        return self._monotonic() >= self._calm_at

    def are_stale(self, claimed: Iterable[Claimed]) -> bool:
        """Return whether a lease may have ended unnoticed, because the process stood still, and belong to another."""
        self._note_freeze()
        return bool(self._stale) and any(each.claim in self._stale for each in claimed)

    def _note_freeze(self) -> None:
        now = self._monotonic()
        if now - self._awake_at >= self._lease_s:
            self._stale = {each.claim for each in self._held.values()}
        self._awake_at = now

    def hold(self, claimed: Iterable[Claimed]) -> None:
        """Renew the leases of these deliveries from now on."""
        self._note_freeze()
        self._held |= {each.delivery_id: each for each in claimed}

    def release(self, claimed: Iterable[Claimed]) -> None:
        """Renew these no longer: they are recorded, or left to whoever claims them when the lease ends."""
        for each in claimed:
            held = self._held.get(each.delivery_id)
            if held is not None and held.claim == each.claim:  # it may have been claimed anew meanwhile
                del self._held[each.delivery_id]

    @contextmanager
    def released_on_error(self, claimed: Sequence[Claimed]) -> Iterator[None]:
        """Release these where the work within fails: nobody would send what is renewed without end."""
        try:
            yield
        except BaseException:
            self.release(claimed)
            raise

    async def run(self) -> None:
        """Renew until cancelled, also where nothing is claimed. Errors are reported and survived."""
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS_PER_LEASE)
            self._note_freeze()
            try:
                await self._renew(list(self._held.values()), lease_s=self._lease_s, now=self._clock())
            except Exception as exc:  # noqa: BLE001 - whatever it is: without renewals all would be sent twice
                self._on_error(exc)
