"""Lets calls pass while the destination is open, and single probes while it is blocked, across all processes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeAlias

from app.delivery.blocked import Block, block, probing, wait_s
from app.delivery.shared import SharedValues
from app.types import Blocked

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


def blocked_key(ad_account_id: str) -> str:
    """Name the shared value that holds the Block, or null while the destination is open."""
    return f"blocked/{ad_account_id}"


class Gate:
    """Keeps the blocked state of one ad account in the outbox."""

    def __init__(self, shared: SharedValues, *, ad_account_id: str, fingerprint: Callable[[], str]) -> None:
        self._shared = shared
        self._key = blocked_key(ad_account_id)
        self._fingerprint = fingerprint

    async def ask(self, *, now: float) -> Passage:
        """Say what may be sent now."""
        current, revision = await self._read()
        if current is None:
            return Open()
        token = self._fingerprint()
        pause_s = wait_s(current, token=token, now=now)
        if pause_s > 0:
            return Closed(pause_s)
        taken = await self._shared.put_shared(
            self._key, asdict(probing(current, token=token, now=now)), revision=revision
        )
        return Probe() if taken else Closed(_NOT_MINE_S)

    async def refuse(self, outcome: Blocked, *, now: float, probe: bool) -> None:
        """Note that Pinterest refused. Where another process writes at the same time, its note is as good."""
        current, revision = await self._read()
        after = block(current, outcome, token=self._fingerprint(), now=now, probe=probe)
        if after != current:
            await self._shared.put_shared(self._key, asdict(after), revision=revision)

    async def open(self) -> None:
        """Note that a probe was taken."""
        await self._shared.put_shared(self._key, None)

    async def _read(self) -> tuple[Block | None, int]:
        stored = await self._shared.get_shared(self._key)
        if stored is None or stored.value is None:
            return None, stored.revision if stored else 0
        return Block(**stored.value), stored.revision
