"""The blocked destination: Pinterest refuses the token or the account (401, 403), so nothing is sent but probes.

open --401, 403--> blocked --pause over, or another token--> one probe --taken--> open
                      ^------------------401, 403: pause doubled---|
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from app.shared_values import BLOCKED, Block, SharedValues
from app.types import Blocked

MIN_PAUSE_S = 60.0
MAX_PAUSE_S = 3_600.0


def block(before: Block | None, outcome: Blocked, *, token: str, now: float, probe: bool) -> Block:
    """Note a refusal. Only a refused probe lengthens the pause: calls that were under way with it say nothing new."""
    if before is None or before.token != token:
        since = before.since if before else now
        pause_s = MIN_PAUSE_S
    elif probe:
        since, pause_s = before.since, min(2 * before.pause_s, MAX_PAUSE_S)
    else:
        return before
    return Block(
        reason=outcome.reason,
        status=outcome.status,
        since=since,
        next_probe_at=now + pause_s,
        pause_s=pause_s,
        token=token,
    )


def wait_s(current: Block, *, token: str, now: float) -> float:
    """Return how many seconds no probe may be sent; 0 where one may: the pause is over, or the token is another."""
    return 0.0 if token != current.token else max(0.0, current.next_probe_at - now)


def probing(current: Block, *, token: str, now: float) -> Block:
    """Note that a probe is under way, so that no other process sends one before the next pause is over."""
    pause_s = current.pause_s if token == current.token else MIN_PAUSE_S
    return replace(current, token=token, pause_s=pause_s, next_probe_at=now + pause_s)


#: Where another process took the probe.
_NOT_MINE_S = 1.0


@dataclass(frozen=True, slots=True)
class Open:
    """Send."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Send one delivery, alone."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Send nothing for so long."""

    wait_s: float


Passage: TypeAlias = Open | Probe | Closed


class Gate:
    """Keeps the blocked state of one ad account in the outbox."""

    def __init__(self, shared: SharedValues, *, ad_account_id: str, fingerprint: Callable[[], str]) -> None:
        self._shared = shared
        self._block = BLOCKED.of(ad_account_id)
        self._fingerprint = fingerprint

    async def ask(self, *, now: float) -> Passage:
        """Return what may be sent now."""
        stored = await self._block.read_revised(self._shared)
        if stored.value is None:
            return Open()
        token = self._fingerprint()
        pause_s = wait_s(stored.value, token=token, now=now)
        if pause_s > 0:
            return Closed(pause_s)
        probe = probing(stored.value, token=token, now=now)
        taken = await self._block.write(self._shared, probe, revision=stored.revision)
        return Probe() if taken else Closed(_NOT_MINE_S)

    async def refuse(self, outcome: Blocked, *, now: float, probe: bool) -> None:
        """Note that Pinterest refused. Where another process writes at the same time, its note is as good."""
        stored = await self._block.read_revised(self._shared)
        after = block(stored.value, outcome, token=self._fingerprint(), now=now, probe=probe)
        if after != stored.value:
            await self._block.write(self._shared, after, revision=stored.revision)

    async def open(self) -> None:
        """Note that a probe was taken."""
        await self._block.write(self._shared, None)
