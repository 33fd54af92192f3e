"""What a call of `Outbox.claim` asks, whichever engine answers."""

from dataclasses import dataclass
from typing import Final

#: So many due deliveries of either kind are looked at in one claim: a million that are switched off at once leave the
#: line in a hundred claims, each of which takes the others besides.
HOLD_ROWS: Final = 10_000
#: Ends the token of a claim that took over from one whose lease was lost.
AFTER_LOSS: Final = "-after-loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCall:
    """The arguments of one `Outbox.claim`."""

    ad_account_id: str
    limit: int
    max_bytes: int
    max_wait_s: float
    lease_s: float
    without_presets: frozenset[str]
    #: Whether claims whose leases have ended may be taken.
    take_over: bool
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HastenCall:
    """The arguments of one `Outbox.hasten`."""

    ad_account_id: str
    pending_by: float
    claimed_by: float
    limit: int
