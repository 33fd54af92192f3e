"""How much each source may send a minute: a write key is public in every browser, so anybody may use one."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from app.core.values.times import MINUTE_S
from app.errors import SettingsError
from app.source.responses import OVER_QUOTA, RequestRefused

_HOW = "WRITE_KEY_LIMITS: write each as `name:events:bytes` a minute, both at least 1, separated by commas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one source may bring a minute, at once or bit by bit."""

    events: int
    #: With gzip undone.
    bytes: int


def read_quotas(texts: Iterable[str], known: Iterable[str]) -> Mapping[str, Quota]:
    """Read several `name:events:bytes`, by name, which must be that of a write key. Raises SettingsError."""
    quotas: dict[str, Quota] = {}
    names = set(known)
    for text in texts:
        name, *figures = text.rsplit(":", 2)
        if len(figures) != len(Quota.__slots__) or not all(each.strip().isdecimal() for each in figures):
            raise SettingsError(_HOW)
        events, size = map(int, figures)
        if not events or not size:
            raise SettingsError(_HOW)
        if name.strip() not in names:
            raise SettingsError(f"WRITE_KEY_LIMITS: no write key is named {name.strip()}; see WRITE_KEYS")
        quotas[name.strip()] = Quota(events=events, bytes=size)
    return MappingProxyType(quotas)


@dataclass(slots=True)
class _Allowance:
    """What is left of a quota's events or bytes: a token bucket, which requests under way may overdraw."""

    a_minute: int
    left: float
    at: float

    @classmethod
    def full(cls, a_minute: int, now: float) -> Self:
        return cls(a_minute, a_minute, now)

    def wait_s(self, now: float) -> float:
        """Return how long it takes until something is left; 0 where something is."""
        self.left = min(self.a_minute, self.left + (now - self.at) * self.a_minute / MINUTE_S)
        self.at = now
        return 0 if self.left > 0 else (1 - self.left) * MINUTE_S / self.a_minute


class Quotas:
    """Keeps the books of one process; `monotonic` is a clock in seconds that never goes back."""

    def __init__(self, quotas: Mapping[str, Quota], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        now = monotonic()
        self._left = {
            name: (_Allowance.full(quota.events, now), _Allowance.full(quota.bytes, now))
            for name, quota in quotas.items()
        }

    def check(self, source: str | None) -> None:
        """Raise RequestRefused, which says when to come again, where a source has used up its quota."""
        if source in self._left:
            now = self._monotonic()
            wait_s = max(allowance.wait_s(now) for allowance in self._left[source])
            if wait_s > 0:
                raise RequestRefused(replace(OVER_QUOTA, retry_after_s=math.ceil(wait_s)))

    def charge(self, source: str | None, *, events: int = 0, size: int = 0) -> None:
        """Take events and bytes off what a source has left."""
        if source in self._left:
            of_events, of_bytes = self._left[source]
            of_events.left -= events
            of_bytes.left -= size
