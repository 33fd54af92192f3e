"""When the backlog will be full, at the rate of the last hour. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from app.core.events import Exit, Tally
from app.core.pages import Backlog
from app.core.values.times import HOUR_S

#: The rate is that of so long.
RATE_S: Final = HOUR_S
#: What has waited for less is on its way, and asks for no rate.
ON_ITS_WAY_S: Final = 60.0
#: What a delivery that waits takes of the disk beside its payload: rows, keys, indexes (docs/capacity.md).
ROW_BYTES: Final = 800

_WAYS: Final[Mapping[str, int]] = {Exit.ENQUEUED: 1, Exit.DELIVERED: -1, Exit.REJECTED: -1, Exit.WITHDRAWN: -1}
#: The names of all counts that tell of a rate.
RATE_NAMES: Final = frozenset(map(str, _WAYS))


def waits_long(backlog: Backlog, now: float) -> bool:
    """Return whether something has waited for so long that the backlog may be growing."""
    return backlog.oldest_at is not None and now - backlog.oldest_at > ON_ITS_WAY_S


def full_in_s(backlogs: Mapping[str, Backlog], tallies: Iterable[Tally]) -> dict[str, float]:
    """Return in how many seconds each ad account's backlog is full; those that do not grow are left out.

    `tallies` are the counts of the last `RATE_S`: what was enqueued less what was settled is the growth, at the mean
    size of what waits. The disk is everyone's, so all growth together fills it; limits are each ad account's own.
    """
    grown: Counter[str] = Counter()
    for tally in tallies:
        grown[tally.ad_account_id] += _WAYS.get(tally.name, 0) * tally.count
    growing = {which: each for which, each in backlogs.items() if grown[which] > 0 and each.size_bytes}
    payloads = {which: grown[which] / RATE_S * _mean_bytes(each) for which, each in growing.items()}
    on_disk = sum(rate + grown[which] / RATE_S * ROW_BYTES for which, rate in payloads.items())
    found = {
        which: min(
            (
                max(0.0, room / rate)
                for room, rate in ((each.room_bytes, payloads[which]), (each.disk_bytes, on_disk))
                if room is not None
            ),
            default=None,
        )
        for which, each in growing.items()
    }
    return {which: seconds for which, seconds in found.items() if seconds is not None}


def _mean_bytes(backlog: Backlog) -> float:
    return backlog.size_bytes / max(1, backlog.pending + backlog.claimed)
