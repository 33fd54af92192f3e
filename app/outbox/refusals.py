"""Messages of both engines: the reasons why a delivery or a request is not stored, or a store is refused."""

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
    """Return the reason for a duplicate: the kind of the equal key, its owner, and the differences."""
    return "; ".join((f"the same {kind} was taken before, as delivery {holder}", *differences))


def another_order(holder: object, totals: str) -> str:
    """Return the warning about an order with the id of another; `totals` of both, as text for people."""
    told = f"its order_id came before, as delivery {holder}, of another buyer and another total ({totals})"
    return f"another order: {told}; both are sent"


#: The fields that a dropped event shares with its delivery.
_SHARED: Final = [each.name for each in fields(DroppedEvent) if each.name in NewDelivery.__struct_fields__]


def dropped_duplicate(delivery: NewDelivery, reason: str, *, outcome: Outcome) -> DroppedEvent:
    """Return the ledger entry of a duplicate, or of a delivery that is merged into another."""
    return DroppedEvent(outcome=outcome, reason=reason, **{name: getattr(delivery, name) for name in _SHARED})


#: The prefix of the name of an engine's error -> its meaning and remedy. The first match counts.
Remedies: TypeAlias = Mapping[str, tuple[WhyUnavailable, str]]
_UNKNOWN: Final[tuple[WhyUnavailable, str]] = ("unusable", "the store reports an error, see the log")


def cannot_be_used(exc: Exception, name: str, remedies: Remedies) -> OutboxUnavailable:
    """Return the meaning of an engine's error and its remedy; `name` is the engine's name of the error."""
    why, remedy = next((told for start, told in remedies.items() if name.startswith(start)), _UNKNOWN)
    message = f"The outbox cannot be used now: {remedy} ({name})."
    error = OutboxUnavailable(message, why=why)
    error.__cause__ = exc
    return error


def row_refused(exc: Exception, name: str, words: str, remedies: Remedies) -> RowRefused:
    """Return an engine's error about a row; `words` is the store's message, and may be long."""
    told = cannot_be_used(exc, name, remedies)
    error = RowRefused(str(told), words=" ".join(words.split())[:_MAX_WORDS], why=told.why)
    error.__cause__ = exc
    return error


class Load(NamedTuple):
    """A waiting load, or the load of a call."""

    deliveries: int
    #: Of their payloads.
    size_bytes: int


#: The maximum length of a message of the store about a row.
_MAX_WORDS: Final = 200

#: By ad account.
Loads: TypeAlias = Mapping[str, Load]

_NOTHING: Final = Load(0, 0)
#: The required room without a particular delivery.
_ANYTHING: Final = Load(1, 1)


def loads_of(rows: Iterable[Sequence[Any]]) -> Loads:
    """Return the waiting load from rows of ad account, deliveries and bytes; an ad account may have several rows."""
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
    """Return the required room if `more` is public, and part of the room is reserved for trusted events."""
    size_bytes = kept_for_trusted(rules.max_backlog_bytes or 0)
    return {account: Load(load.deliveries, load.size_bytes + size_bytes) for account, load in more.items()}


def why_full(rules: OutboxSettings, waiting: Load, more: Load = _ANYTHING) -> str:
    """Return that the limit of an ad account is reached, and the waiting load. Empty if there is room for `more`.

    `more` may include the room that is reserved for trusted events.
    """
    if rules.max_backlog_bytes is not None and waiting.size_bytes + more.size_bytes > rules.max_backlog_bytes:
        return f"{waiting.size_bytes:,} bytes wait, of {rules.max_backlog_bytes:,} that may (OUTBOX_MAX_BACKLOG_BYTES)"
    return ""


def remaining_bytes(rules: OutboxSettings, waiting: Load) -> float | None:
    """Return how many bytes of payloads the limit of an ad account leaves; `None` without a limit."""
    return None if rules.max_backlog_bytes is None else float(rules.max_backlog_bytes - waiting.size_bytes)


def backlog_full(rules: OutboxSettings, waiting: Loads, more: Loads) -> BacklogFull | None:
    """Return the error with the ad accounts without room for `more`; `None` if there is room."""
    told = {account: why_full(rules, waiting.get(account, _NOTHING), load) for account, load in more.items()}
    full = {account: why for account, why in told.items() if why}
    return BacklogFull(full) if full else None


def no_room_error(rules: OutboxSettings, waiting: Loads, ad_account_ids: Collection[str]) -> BacklogFull | None:
    """Return the error if none of these ad accounts has room for one delivery; `None` otherwise, or for no ad account.

    `backlog_full` decides about events for several of them.
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
    """Return the backlog of an ad account, from its counts of states without delivered ones.

    `disk_bytes` is the free space on the disk, `None` if unknown.
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


#: The beginning of the identity of every store: "PR", before 16 bits.
_OURS: Final = 0x5052_0000


def identity_of(baseline: bytes) -> int:
    """Return the mark of stores with a baseline, the file of version 1 of a schema.

    Before its release the baseline may change: a store with another baseline is refused, too.
    """
    return _OURS | zlib.crc32(baseline) & 0xFFFF


def is_ours(identity: int) -> bool:
    """Return whether any Pinrelay marked a store, for any baseline."""
    return identity & ~0xFFFF == _OURS


def without_identity(what: str, remedy: str) -> OutboxVersionError:
    """Return the error for a store with data but without the mark of this baseline."""
    return OutboxVersionError(
        f"{what} was made by another program, or by a Pinrelay from before this schema. Nothing in it was changed. "
        f"{remedy} If another program made it, point OUTBOX_URL elsewhere."
    )


def check_schema_version(version: int, *, newest: int) -> None:
    """Raise OutboxVersionError for the schema of a newer Pinrelay."""
    if version > newest:
        message = (
            f"The outbox has schema version {version}, and this Pinrelay knows {newest}: a newer one wrote it. "
            "Start that version, or point OUTBOX_URL elsewhere."
        )
        raise OutboxVersionError(message)
