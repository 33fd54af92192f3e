"""Rate limits of sources: a write key is public in every browser, so anyone can use it."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Self, TypeAlias

from app.core.values.times import MINUTE_S
from app.errors import SettingsError
from app.source.responses import OVER_QUOTA, RequestRefused

_HOW = (
    "WRITE_KEY_LIMITS: write each as `name:events:bytes` a minute, or as `name@address:events:bytes` for each address, "
    "both numbers at least 1, separated by commas"
)
#: Suffix of a key's name for the limit of each address.
OF_EACH: Final = "@address"
#: Maximum number of tracked addresses. An address that is dropped has its whole quota again.
MAX_ADDRESSES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The limit of a source for a minute, with bursts up to the whole limit."""

    events: int
    #: After decompression.
    bytes: int


def read_quotas(texts: Iterable[str], known: Iterable[str]) -> Mapping[str, Quota]:
    """Parse `name:events:bytes` quotas, by name of a write key. Raises SettingsError.

    The quota of each address has the name with the suffix `@address`.
    """
    quotas: dict[str, Quota] = {}
    names = set(known)
    for text in texts:
        name, *figures = text.rsplit(":", 2)
        if len(figures) != len(Quota.__slots__) or not all(each.strip().isdecimal() for each in figures):
            raise SettingsError(_HOW)
        events, size = map(int, figures)
        if not events or not size:
            raise SettingsError(_HOW)
        key = name.strip().removesuffix(OF_EACH)
        if key not in names:
            raise SettingsError(f"WRITE_KEY_LIMITS: no write key is named {key}; see WRITE_KEYS")
        quotas[name.strip()] = Quota(events=events, bytes=size)
    return MappingProxyType(quotas)


@dataclass(slots=True)
class _Allowance:
    """The rest of a quota's events or bytes: a token bucket, which active requests may overdraw."""

    a_minute: int
    left: float
    at: float

    @classmethod
    def full(cls, a_minute: int, now: float) -> Self:
        return cls(a_minute, a_minute, now)

    def wait_s(self, now: float) -> float:
        """Return the time until the bucket is positive again, in seconds; 0 if it is positive."""
        self.left = min(self.a_minute, self.left + (now - self.at) * self.a_minute / MINUTE_S)
        self.at = now
        return 0 if self.left > 0 else (1 - self.left) * MINUTE_S / self.a_minute


#: For events and for bytes.
_Allowances: TypeAlias = tuple[_Allowance, _Allowance]


class Quotas:
    """The quotas of a process; `monotonic` is a clock in seconds that never goes back."""

    def __init__(self, quotas: Mapping[str, Quota], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._left = {name: _full(quota, monotonic()) for name, quota in quotas.items() if not name.endswith(OF_EACH)}
        self._of_each = {name.removesuffix(OF_EACH): quota for name, quota in quotas.items() if name.endswith(OF_EACH)}
        #: The rest for each source and address, the least recently used first.
        self._left_of_each = OrderedDict[tuple[str, str], _Allowances]()

    def check(self, source: str | None, address: str | None = None) -> None:
        """Raise RequestRefused, with the time to wait, if a source or its address has used up its quota.

        `address` is `None` if unknown.
        """
        now = self._monotonic()
        waits = (each.wait_s(now) for both in self._allowances(source, address) for each in both)
        if (wait_s := max(waits, default=0)) > 0:
            raise RequestRefused(replace(OVER_QUOTA, retry_after_s=math.ceil(wait_s)))

    def charge(self, source: str | None, address: str | None = None, *, events: int = 0, size: int = 0) -> None:
        """Subtract events and bytes from the quota of a source and its address."""
        for of_events, of_bytes in self._allowances(source, address):
            of_events.left -= events
            of_bytes.left -= size

    def _allowances(self, source: str | None, address: str | None) -> list[_Allowances]:
        found = [self._left[source]] if source in self._left else []
        if address is not None and source in self._of_each:
            known = self._left_of_each
            if (source, address) not in known:
                known[source, address] = _full(self._of_each[source], self._monotonic())
            known.move_to_end((source, address))
            found.append(known[source, address])
            if len(known) > MAX_ADDRESSES:
                known.popitem(last=False)
        return found


def _full(quota: Quota, now: float) -> _Allowances:
    return _Allowance.full(quota.events, now), _Allowance.full(quota.bytes, now)
