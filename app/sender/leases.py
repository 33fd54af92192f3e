"""Renew the leases of claims during the work, and decide when expired leases of others may be taken over.

An expired lease means that its sender is gone, unless renewals were impossible: the store was locked or unavailable, or
the clock was set forward. After such a disturbance every holder has one lease time to renew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from app.core.deliveries import Claimed

#: The number of renewals per lease.
_RENEWALS_PER_LEASE = 3


class Leases:
    """The claims of this process without recorded results."""

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
        #: Claims during a stop of the process for a whole lease: another process may have sent their events.
        self._stale: set[str] = set()
        self._awake_at = monotonic()
        #: A new process knows of no earlier disturbance; every live process renews within a third of a lease.
        self._calm_at = monotonic() + lease_s / 2

    def disturbed(self) -> None:
        """Note that the leases of live holders may have expired."""
        self._calm_at = self._monotonic() + self._lease_s

    @property
    def may_take_over(self) -> bool:
        """Whether an expired lease means that its sender is gone."""
        return self._monotonic() >= self._calm_at

    def are_stale(self, claimed: Iterable[Claimed]) -> bool:
        """Return whether a lease may have expired unnoticed, during a stop of the process, and have a new owner."""
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
        """Stop the renewal: the results are recorded, or the next claim follows after the lease."""
        for each in claimed:
            held = self._held.get(each.delivery_id)
            if held is not None and held.claim == each.claim:  # the delivery may have a newer claim
                del self._held[each.delivery_id]

    @contextmanager
    def released_on_error(self, claimed: Sequence[Claimed]) -> Iterator[None]:
        """Release the leases if the work fails: an endless renewal would block the deliveries."""
        try:
            yield
        except BaseException:
            self.release(claimed)
            raise

    async def run(self) -> None:
        """Renew until cancelled, also without claims. Report errors and continue."""
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS_PER_LEASE)
            self._note_freeze()
            try:
                await self._renew(list(self._held.values()), lease_s=self._lease_s, now=self._clock())
            except Exception as exc:  # noqa: BLE001 - whatever it is: without renewals all would be sent twice
                self._on_error(exc)
