"""The memory of people: read before the decision about a call of enqueue, written with the call."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from app.config.settings import OutboxSettings
from app.core.consent import Answer, Lifted
from app.core.deliveries import StoredDelivery
from app.core.people import PeopleChanges, PeopleFound, PersonRow, Remembered
from app.core.values.times import HOUR_S
from app.outbox import people as memory
from app.outbox.dedup import erased_text
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import UsesDatabase, until_done
from app.outbox.postgres.settle import release_keys
from app.outbox.redrive import erased_key_rows
from app.outbox.rows import as_json
from app.outbox.statements import read_deliveries, reads, writes

_read: Final = msgspec.json.Decoder(Remembered).decode


def joined_changes(calls: Sequence[PeopleChanges]) -> PeopleChanges | None:
    """Join the changes of calls, in the order of ids that every process uses.

    `None` if a call writes an id that another has read.
    """
    people = sorted((each for changes in calls for each in changes.people), key=attrgetter("key"))
    suppressions = [each for changes in calls for each in changes.suppressions]
    looks = Counter(each.key for each in suppressions)
    is_read_twice = any(looks[each.key] > 1 for each in suppressions if each.was != each.now)
    if len(calls) > 1 and (is_read_twice or len({each.key for each in people}) < len(people)):
        return None
    return PeopleChanges(people=people, suppressions=suppressions)


def joined_additions(calls: Sequence[tuple[PeopleChanges, float]]) -> list[list[Any]]:
    """Return the additions of calls by public key and hour, in the order that every process uses."""
    sums: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for changes, now in calls:
        if row := memory.additions(changes, now):
            key, hour, people, suppressions = row
            sums[key, hour][0] += people
            sums[key, hour][1] += suppressions
    return [[*each, *counts] for each, counts in sorted(sums.items())]


async def lock_suppressions(connection: Connection, changes: PeopleChanges) -> None:
    """Lock the suppressions in their state as read, until the transaction ends."""
    if suppressions := memory.suppression_rows(changes):
        await connection.rows("lock_suppressions", suppressions=as_json(suppressions))


async def write_people(
    connection: Connection, changes: PeopleChanges, rules: OutboxSettings, added_by_keys: Sequence[Sequence[Any]]
) -> bool:
    """Write changes within a transaction; return `False` if others have changed the rows since the read.

    Then the caller must roll back. `added_by_keys` are `joined_additions`.
    """
    rows = as_json(memory.people_rows(changes))
    if await connection.rows("people_changed", rows=rows, suppressions=as_json(memory.suppression_rows(changes))):
        return False
    kept = [each for each in changes.people if each.record is not None]
    forgotten = [each for each in changes.people if each.record is None and each.revision]
    gone = await connection.count("forget_people", rows=rows)
    ((updated, added),) = await connection.rows("write_people", rows=rows)
    if gone != len(forgotten) or updated + added != len(kept):
        return False
    targets = memory.targets_of(changes)
    if targets:
        gone += await connection.count("forget_oldest_linked", keys=targets, max_linked=memory.MAX_LINKED)
    suppressions = public = 0
    if set_suppressions := memory.suppression_rows(changes, changed_only=True):
        ((_, count, public_count, _),) = await connection.rows("memory_size", key=None, hour=0)
        public_room = memory.max_public_suppressions(rules) - public_count
        room = {"room": rules.remember_max_people - count, "public_room": public_room}
        ((suppressions, public),) = await connection.rows("write_suppressions", rows=as_json(set_suppressions), **room)
    await _count(connection, people=added - gone, suppressions=suppressions, public_suppressions=public)
    if added_by_keys:
        await connection.count("count_hour", rows=as_json(added_by_keys))
    return True


async def forget_stale(connection: Connection, now: float, rules: OutboxSettings, limit: int, skip: int) -> int:
    starts = {"now": now, "lasts_s": rules.remember_s, "click_s": rules.click_s}
    async with connection.transaction():
        touched = await connection.count("stale_people", **starts, limit=limit, skip=skip)
        await _count(connection, people=-await connection.count("forget_stale"))
    return touched


async def forget_ended_suppressions(connection: Connection, now: float, limit: int, skip: int) -> int:
    async with connection.transaction():
        ((gone, public),) = await connection.rows("retain_suppressions", now=now, limit=limit, skip=skip)
        await _count(connection, suppressions=-gone, public_suppressions=-public)
    return int(gone)


async def forget_unseen(connection: Connection, rules: OutboxSettings, limit: int, skip: int) -> int:
    async with connection.transaction():
        ((people, *_),) = await connection.rows("memory_size", key=None, hour=0)
        if (too_many := min(limit, people - rules.remember_max_people)) <= 0:
            return 0
        gone = await connection.count("forget_unseen", limit=too_many, skip=skip)
        await _count(connection, people=-gone)
    return gone


async def _count(
    connection: Connection, *, people: int = 0, suppressions: int = 0, public_suppressions: int = 0
) -> None:
    """Update the counts by additions (above 0) or removals (below 0)."""
    if people or suppressions or public_suppressions:
        counts = {"people": people, "suppressions": suppressions, "public_suppressions": public_suppressions}
        await connection.count("count_memory", **counts)


async def _deliveries_of(connection: Connection, messages: Collection[str]) -> list[StoredDelivery]:
    ids = await connection.rows("deliveries_of", keys=list(messages))
    return await read_deliveries(connection, [id_ for (id_,) in ids])


class KeepsPeople(UsesDatabase, memory.KeepsPeople):
    """The part of the `Outbox` for the memory of people."""

    def _owner_keys(self, keys: Iterable[str]) -> list[str]:
        return [f"{key:{memory.OWNER_KEY_DIGITS}}" for key in memory.key_prefixes(keys)]

    @reads
    async def people(
        self,
        connection: Connection,
        keys: Sequence[str],
        *,
        browsers: Collection[str] = (),
        public_key: str | None = None,
        now: float | None = None,
    ) -> PeopleFound:
        bounds = {"steps": memory.MAX_LOADED_STEPS, "limit": memory.max_found(keys)}
        rows = await connection.rows("people", keys=list(keys), browsers=list(browsers), **bounds)
        people = [PersonRow(key=row[0], revision=row[1], record=_read(row[2])) for row in rows if row[1] is not None]
        suppressions = {row[0]: row[3] for row in rows if row[3] is not None}
        by_key = {"key": public_key, "hour": int((now or 0) // HOUR_S)}
        ((_, count, public, added),) = await connection.rows("memory_size", **by_key)
        full = memory.is_full(self._rules, public_key, suppressions=count, public=public, added=added)
        return PeopleFound(people=people, suppressions=suppressions, is_full=full)

    @reads
    async def kept_copies(self, connection: Connection, *, now: float) -> tuple[str, ...]:  # noqa: ARG002 - its files'
        ((may_ask,),) = await connection.rows("may_list_log")
        ((age_s,),) = await connection.rows("age_of_log") if may_ask else ((None,),)
        age = "as old as its settings keep it" if age_s is None else f"up to {age_s / HOUR_S:.0f} hours old"
        return (
            f"PostgreSQL's write-ahead log, {age}, and its archive: they end by your settings of them.",
            "Old versions of rows in files of tables: `VACUUM FULL` removes them at once.",
            "Backups that you made before, as old as they are: delete them in their turn.",
        )

    @reads
    async def consent_keys(self, connection: Connection, after: str) -> tuple[list[tuple[str, int]], str]:
        ((kept, now),) = await connection.rows("consent_keys", after=after)
        return list(map(tuple, kept)), now

    @writes
    async def write_consents(self, connection: Connection, answers: Sequence[Answer]) -> list[Lifted]:
        groups = as_json([memory.consent_rows(group) for group in memory.in_turns(answers)])
        lifted = await until_done(connection, lambda store: store.rows("write_consents", groups=groups))
        return [Lifted(*row) for row in lifted]

    @writes
    async def forget(
        self,
        connection: Connection,
        keys: Sequence[str],
        *,
        again: Collection[str] = (),
        messages: Collection[str] = (),
        digests: Collection[str] = (),
        now: float = 0,
    ) -> int:
        now = await self._by_server(now) if now else now
        async with connection.transaction():
            asked = {"keys": self._owner_keys(keys)}
            found = await connection.rows("messages_of_deliveries", **asked)
            found += await connection.rows("forget_owners", **asked, messages=list(messages))
            forgotten = sorted({message_id for (message_id,) in found} | {*messages})
            if digests:
                await connection.count("erase_keys_with", digests=list(digests), erased=erased_text(now))
            if forgotten:
                await _forget_deliveries(connection, forgotten, again, now, self._rules)
                await connection.count("forget_reasons", keys=forgotten, reason=memory.DROPPED_ERASED)
        return len(forgotten)

    async def scrub(self, texts: Collection[str]) -> None:
        """Do nothing: the server writes the files, and only its administrator can run `VACUUM FULL`."""


async def _forget_deliveries(
    connection: Connection, messages: Sequence[str], again: Collection[str], now: float, rules: OutboxSettings
) -> None:
    for lock in ("lock_waiting", "lock_dead", "lock_waiting"):  # again, for deliveries that were redriven between
        await connection.rows(lock, keys=messages)
    held, returning = [await _deliveries_of(connection, some) for some in (messages, {*messages} & {*again})]
    ids = [each.delivery_id for each in held]
    erased = erased_text(now)
    await connection.count("erase_keys", ids=ids, erased=erased)
    rows = as_json(erased_key_rows(held, now, rules))
    await connection.count("keep_erased_keys", rows=rows, erased=erased)
    await connection.count("forget_payloads", keys=messages)
    await connection.count("forget_deliveries", keys=messages)
    there = {id_ for id_, _ in await connection.rows("states", ids=ids)}
    await release_keys(connection, [each for each in returning if each.delivery_id not in there])
