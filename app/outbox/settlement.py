"""Claims and settlements as both engines read them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from app.config.settings import OutboxSettings
from app.core.deliveries import EXIT_OF, Claimed, Delivered, Outcome, Retry, Settlement
from app.core.events import Exit
from app.core.values.times import DAY_S
from app.outbox.hold_clock import EndedHolds, HoldClock

#: So many due deliveries of either kind are looked at in one claim: a million that are switched off at once leave the
#: line in a hundred claims, each of which takes the others besides.
HOLD_ROWS: Final = 10_000
#: Ends the token of a claim that took over from one whose lease was lost.
AFTER_LOSS: Final = "-after-loss"
#: More than any batch has.
_ANY_BYTES: Final = 2**50


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimQuery:
    """Which deliveries a claim takes. Every statement of a claim reads it."""

    ad_account_id: str
    limit: int
    max_bytes: int
    max_wait_s: float
    lease_s: float
    without_presets: frozenset[str]
    #: Whether claims whose leases have ended may be taken.
    take_over: bool
    now: float
    #: Which holds are over; None: those that are were ended just now.
    holds: EndedHolds | None
    #: Pinterest takes no older event.
    max_event_age_s: float = 7 * DAY_S
    #: None but these is looked at, to find out which of them the store refuses; None: all.
    only: Sequence[int] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What statements take of it, by name."""
        return asdict(self) | {"without_presets": sorted(self.without_presets)}

    def of(self, ids: Sequence[int]) -> "ClaimQuery":
        return replace(self, only=ids, limit=max(1, len(ids)), max_bytes=_ANY_BYTES, max_wait_s=0)


class ClaimsByQuery(ABC):
    """Makes of a claim what the statements of an engine read."""

    hold_clock: HoldClock
    _rules: OutboxSettings

    async def _by_server(self, now: float) -> float:
        """Return the time of the store: without a server that of the call."""
        return now

    @abstractmethod
    async def _claim(self, asked: ClaimQuery) -> list[Claimed]:
        """Claim what is asked for."""

    async def claim(
        self,
        ad_account_id: str,
        *,
        limit: int,
        max_bytes: int,
        max_wait_s: float,
        lease_s: float,
        now: float,
        without_presets: frozenset[str] = frozenset(),
        take_over: bool = True,
    ) -> list[Claimed]:
        await self.hold_clock.keep()
        at = await self._by_server(now)
        asked = ClaimQuery(
            ad_account_id=ad_account_id,
            limit=limit,
            max_bytes=max_bytes,
            max_wait_s=max_wait_s,
            lease_s=lease_s,
            without_presets=without_presets,
            take_over=take_over,
            now=at,
            holds=self.hold_clock.over(ad_account_id, at),
            max_event_age_s=self._rules.max_event_age_s,
        )
        return await self._claim(asked)


def last_of_each(settlements: Sequence[Settlement]) -> list[Settlement]:
    """Return the settlements, of two for one claim the last."""
    return list({(each.claimed.delivery_id, each.claimed.claim): each for each in settlements}.values())


def reason_of(outcome: Outcome) -> str:
    """Return why the delivery waits or is dead; "" where it was delivered."""
    return "" if isinstance(outcome, Delivered) else outcome.reason


def was_tried(outcome: Outcome) -> bool:
    """Return whether the outcome is of an attempt that the history keeps."""
    return not isinstance(outcome, Retry) or outcome.tried


def attempt_row(outcome: Outcome) -> tuple[Exit, int | None, str]:
    """Return what the history keeps: exit, status, message."""
    message = outcome.warning if isinstance(outcome, Delivered) else outcome.reason
    return EXIT_OF[type(outcome)], outcome.status, message
