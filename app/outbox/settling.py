"""What a settlement comes to, whichever engine records it."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.deliveries import EXIT_OF, Delivered, Outcome, Retry, Settlement
from app.core.events import Exit, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleCall:
    """The arguments of one `Outbox.settle`."""

    settlements: Sequence[Settlement]
    tallies: Sequence[Tally]
    now: float


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
