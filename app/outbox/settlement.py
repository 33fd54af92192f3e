"""Claims and settlements as both engines read them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from app.core.deliveries import EXIT_OF, HELD, Claimed, Delivered, Outcome, Retry, Settlement
from app.core.events import Exit
from app.core.values.times import DAY_S
from app.outbox.hold_clock import EndedHolds
from app.outbox.pairing import LOOK_S, Waiting, WaitsOver, waits_over
from app.outbox.rows import as_json
from app.outbox.statements import Statements

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
    only: list[int] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What statements take of it, by name."""
        return asdict(self) | {"without_presets": sorted(self.without_presets)}

    def of(self, ids: Sequence[int]) -> "ClaimQuery":
        return replace(self, only=list(ids), limit=max(1, len(ids)), max_bytes=_ANY_BYTES, max_wait_s=0)


async def hold(store: Statements, asked: ClaimQuery) -> None:
    """Take what is pending for presets that are switched off out of the queue."""
    await store.count("hold", **asked.parameters | {"reason": HELD, "limit": HOLD_ROWS})


async def end_holds(store: Statements, asked: ClaimQuery, over: EndedHolds) -> None:
    """Put what is no longer held by its preset into the queue."""
    which = asked.parameters | {"by": over.by, "ahead_s": over.ahead_s, "limit": HOLD_ROWS}
    await store.count("end_holds", **which)
    if over.ahead_s is not None:
        await store.count("tell_holds", **which)


async def end_waits(store: Statements, asked: ClaimQuery, over: EndedHolds) -> WaitsOver:
    """Decide about deliveries that wait for what becomes of others; return what is to be dropped, and what else."""
    which = {"ad_account_id": asked.ad_account_id, "by": over.by, "limit": HOLD_ROWS}
    found = [Waiting.of(row) for row in await store.rows("followers", **which)]
    ended = waits_over(found, now=asked.now, max_event_age_s=asked.max_event_age_s)
    await store.count("let_go", ids=ended.sent, now=asked.now)
    for gone, next_id in ended.first.items():
        await store.count("follow", ad_account_id=asked.ad_account_id, gone=gone, next_id=next_id)
    await store.count("wait_on", ids=ended.waiting, until=over.by + LOOK_S)
    return ended


async def release(store: Statements, asked: ClaimQuery, presets: Iterable[str]) -> None:
    """Put deliveries of each of these presets back in the queue, as many as a claim takes."""
    for preset in presets:
        await store.count("release", **asked.parameters, preset=preset)


async def renew(store: Statements, claimed: Sequence[Claimed], until: float) -> None:
    """Lengthen the leases that are still ours."""
    rows = as_json([(int(each.delivery_id), each.claim) for each in claimed])
    await store.count("renew", rows=rows, until=until)


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
