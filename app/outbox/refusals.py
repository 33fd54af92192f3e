"""What either engine tells in the same words: why a delivery or a request is not stored, and why a store is refused."""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple, TypeAlias

from app.config.settings import OutboxSettings
from app.core.deliveries import NewDelivery, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Backlog
from app.core.trust import kept_for_trusted
from app.errors import BacklogFull, OutboxUnavailable, OutboxVersionError, RowRefused, WhyUnavailable


def seen_before(kind: str, holder: object, differences: Sequence[str]) -> str:
    """Return which kind of key was seen before, which delivery holds it, and what differs nevertheless."""
    return "; ".join((f"the same {kind} was taken before, as delivery {holder}", *differences))


def another_order(holder: object, totals: str) -> str:
    """Return the warning about an order that has the id of another; `totals` of both, as a person reads them."""
    told = f"its order_id came before, as delivery {holder}, of another buyer and another total ({totals})"
    return f"another order: {told}; both are sent"


#: What a dropped event has of its delivery.
_SHARED: Final = [each.name for each in fields(DroppedEvent) if each.name in NewDelivery.__struct_fields__]


def dropped_duplicate(delivery: NewDelivery, reason: str, *, outcome: Outcome) -> DroppedEvent:
    """Write what the ledger keeps of a duplicate, or of what is merged into another delivery."""
    return DroppedEvent(outcome=outcome, reason=reason, **{name: getattr(delivery, name) for name in _SHARED})


#: The beginning of the name of an engine's error -> what it means and what helps. The first that fits.
Remedies: TypeAlias = Mapping[str, tuple[WhyUnavailable, str]]
_UNKNOWN: Final[tuple[WhyUnavailable, str]] = ("unusable", "the store reports an error, see the log")


def cannot_be_used(exc: Exception, name: str, remedies: Remedies) -> OutboxUnavailable:
    """Return what an engine's error means and what helps; `name` is what the engine calls the error."""
    why, remedy = next((told for start, told in remedies.items() if name.startswith(start)), _UNKNOWN)
    message = f"The outbox cannot be used now: {remedy} ({name})."
    error = OutboxUnavailable(message, why=why)
    error.__cause__ = exc
    return error


def row_refused(exc: Exception, name: str, words: str, remedies: Remedies) -> RowRefused:
    """Return an engine's error that is about a row; `words` are the store's, and may be long."""
    told = cannot_be_used(exc, name, remedies)
    error = RowRefused(str(told), words=" ".join(words.split())[:_MAX_WORDS], why=told.why)
    error.__cause__ = exc
    return error


class Load(NamedTuple):
    """What waits, or is to be stored."""

    deliveries: int
    #: Of their payloads.
    size_bytes: int


#: Of what a store says of a row so much is shown.
_MAX_WORDS: Final = 200

#: By ad account.
Loads: TypeAlias = Mapping[str, Load]

_NOTHING: Final = Load(0, 0)
#: What must still fit where nothing in particular is to be stored.
_ANYTHING: Final = Load(1, 1)


def loads_of(rows: Iterable[Sequence[Any]]) -> Loads:
    """Return how much waits by rows of ad account, deliveries and bytes, of which an ad account may have several."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for account, deliveries, size_bytes in rows:
        load = sums[account]
        load[0] += deliveries
        load[1] += size_bytes
    return {account: Load(*load) for account, load in sums.items()}


def added(one: Loads, other: Loads) -> Loads:
    """Return the sum of two, by ad account."""
    return loads_of((account, *load) for loads in (one, other) for account, load in loads.items())


def with_room_for_trusted(rules: OutboxSettings, more: Loads) -> Loads:
    """Return what must fit where `more` is public, and some of the room is kept for trusted events."""
    size_bytes = kept_for_trusted(rules.max_backlog_bytes or 0)
    return {account: Load(load.deliveries, load.size_bytes + size_bytes) for account, load in more.items()}


def why_full(rules: OutboxSettings, waiting: Load, more: Load = _ANYTHING) -> str:
    """Return that the limit of an ad account is reached, and how much waits. Empty if there is room for `more`.

    `more` may have the room in it that is kept for trusted events.
    """
    if rules.max_backlog_bytes is not None and waiting.size_bytes + more.size_bytes > rules.max_backlog_bytes:
        return f"{waiting.size_bytes:,} bytes wait, of {rules.max_backlog_bytes:,} that may (OUTBOX_MAX_BACKLOG_BYTES)"
    return ""


def remaining_bytes(rules: OutboxSettings, waiting: Load) -> float | None:
    """Return how many bytes of payloads the limit of an ad account leaves; `None` without a limit."""
    return None if rules.max_backlog_bytes is None else float(rules.max_backlog_bytes - waiting.size_bytes)


def backlog_full(rules: OutboxSettings, waiting: Loads, more: Loads) -> BacklogFull | None:
    """Return the error that names the ad accounts for which `more` does not fit; None where all of it does."""
    told = {account: why_full(rules, waiting.get(account, _NOTHING), load) for account, load in more.items()}
    full = {account: why for account, why in told.items() if why}
    return BacklogFull(full) if full else None


def no_room_error(rules: OutboxSettings, waiting: Loads, ad_account_ids: Collection[str]) -> BacklogFull | None:
    """Return the error where none of these ad accounts has room for one delivery; None where one has, or none is given.

    What becomes of events that several of them take is told by `backlog_full`.
    """
    full = backlog_full(rules, waiting, dict.fromkeys(ad_account_ids, _ANYTHING))
    return full if full and len(full.full) == len(set(ad_account_ids)) else None


def backlog_of(
    counts: Mapping[str, int],
    size_bytes: int,
    oldest_at: float | None,
    rules: OutboxSettings,
    *,
    disk_bytes: int | None = None,
) -> Backlog:
    """Return how much waits for an ad account, by its counts of states; what is delivered is not among them.

    `disk_bytes` is the room on the disk, None where it cannot be asked.
    """
    load = Load(counts.get(State.PENDING, 0) + counts.get(State.CLAIMED, 0), size_bytes)
    return Backlog(
        **counts,
        size_bytes=size_bytes,
        oldest_at=oldest_at,
        full=why_full(rules, load),
        room_bytes=remaining_bytes(rules, load) if size_bytes else None,
        disk_bytes=disk_bytes,
    )


#: How the identity of every store begins: "PR", before 16 bits.
_OURS: Final = 0x5052_0000


def identity_of(baseline: bytes) -> int:
    """Return what marks the stores that begin with a baseline, the file of version 1 of a schema.

    Until it is released the baseline may change: a store that began with another one is refused, too.
    """
    return _OURS | zlib.crc32(baseline) & 0xFFFF


def is_ours(identity: int) -> bool:
    """Return whether some Pinrelay marked a store, whatever its baseline."""
    return identity & ~0xFFFF == _OURS


def without_identity(what: str, remedy: str) -> OutboxVersionError:
    """Return why a store is refused that holds something, but not the mark of this baseline."""
    return OutboxVersionError(
        f"{what} was made by another program, or by a Pinrelay from before this schema. Nothing in it was changed. "
        f"{remedy} If another program made it, point OUTBOX_URL elsewhere."
    )


def check_schema_version(version: int, *, newest: int) -> None:
    """Raise OutboxVersionError where a newer Pinrelay wrote the schema."""
    if version > newest:
        message = (
            f"The outbox has schema version {version}, and this Pinrelay knows {newest}: a newer one wrote it. "
            "Start that version, or point OUTBOX_URL elsewhere."
        )
        raise OutboxVersionError(message)
