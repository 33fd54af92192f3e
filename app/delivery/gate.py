"""Keeps the trouble of one ad account in the outbox, so that all processes together send one probe at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from app.core.shared_values import TROUBLE, Revised, SharedValues, Trouble
from app.delivery.policy import DeliveryPolicy
from app.delivery.trouble import Sign, probing, wait_s, worsened

#: Where another process took the probe.
NOT_MINE_S = 1.0


@dataclass(frozen=True, slots=True)
class Open:
    """The gate's answer that any delivery may be sent."""


@dataclass(frozen=True, slots=True)
class MayProbe:
    """One delivery may be sent, alone, by whoever takes the probe first."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing may be sent for `wait_s` seconds."""

    wait_s: float


Passage: TypeAlias = Open | MayProbe | Closed

#: Takes the trouble before and after a change of its state; None where there is none.
OnChange: TypeAlias = Callable[[Trouble | None, Trouble | None], None]


class Gate:
    """Says what may be sent, and takes note of how Pinterest fares.

    A pause that was read once runs by the monotonic clock, whatever becomes of the clock that other processes go by.
    """

    def __init__(
        self,
        shared: SharedValues,
        policy: DeliveryPolicy,
        *,
        ad_account_id: str,
        fingerprint: Callable[[], str],
        monotonic: Callable[[], float],
        on_change: OnChange,
    ) -> None:
        self._shared = shared
        self._policy = policy
        self._key = TROUBLE.of(ad_account_id)
        self._fingerprint = fingerprint
        self._monotonic = monotonic
        self._on_change = on_change
        self._seen: Revised[Trouble] = Revised(None, 0)
        #: When, by the monotonic clock, the pause of what was seen is over.
        self._over_at = 0.0

    async def ask(self, *, now: float) -> Passage:
        """Return what may be sent now."""
        asked_at = self._monotonic()  # with `now`: reading may take its time
        seen = await self._key.read_revised(self._shared)
        if seen.value is None:
            return Open()
        token = self._fingerprint()
        if seen != self._seen:
            self._seen = seen
            self._over_at = asked_at + wait_s(seen.value, self._policy, token=token, now=now)
        left_s = self._over_at - self._monotonic()
        if left_s > 0 and not (seen.value.state == "blocked" and token != seen.value.token):
            return Closed(left_s)
        return MayProbe(seen.value)

    async def take_probe(self, *, now: float) -> bool:
        """Take the probe that `ask` said may be sent; False where another process was faster or all is well again."""
        if self._seen.value is None:
            return False
        after = probing(self._seen.value, self._policy, token=self._fingerprint(), now=now)
        return await self._key.write(self._shared, after, revision=self._seen.revision) is not None

    async def worsen(self, sign: Sign, *, token: str, now: float, probe: bool) -> None:
        """Note a sign of trouble. Where another process writes at once, its note is as good.

        `token` is the fingerprint of the one that the call was made with.
        """
        seen = await self._key.read_revised(self._shared)
        after = worsened(seen.value, sign, self._policy, token=token, now=now, probe=probe)
        if after == seen.value or await self._key.write(self._shared, after, revision=seen.revision) is None:
            return
        if seen.value is None or seen.value.state != after.state:
            self._on_change(seen.value, after)

    async def open(self) -> None:
        """Note that a probe got a verdict."""
        seen = await self._key.read_revised(self._shared)
        if seen.value is not None and await self._key.write(self._shared, None, revision=seen.revision):
            self._on_change(seen.value, None)
