"""Which of the deliveries at hand make a batch. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from app.outbox.jetstream.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCall:
    """The arguments of one `Outbox.claim`."""

    ad_account_id: str
    limit: int
    max_bytes: int
    max_wait_s: float
    lease_s: float
    without_presets: frozenset[str]
    now: float


def batch(records: Sequence[Record], call: ClaimCall) -> list[Record]:
    """Take fresh deliveries and retries by turns; [] where the batch is neither full nor old enough."""
    fresh = [each for each in records if each.delivery.attempts == 0]
    retries = [each for each in records if each.delivery.attempts > 0]
    line = [each for each in chain.from_iterable(zip_longest(fresh, retries)) if each is not None]
    taken: list[Record] = []
    total_bytes = 0
    for each in line[: call.limit]:
        total_bytes += len(each.delivery.payload or b"")
        if taken and total_bytes > call.max_bytes:
            break
        taken.append(each)
    is_full = len(line) >= call.limit or total_bytes >= call.max_bytes
    is_old = any((each.delivery.due_at or 0) <= call.now - call.max_wait_s for each in line)
    return taken if is_full or is_old else []
