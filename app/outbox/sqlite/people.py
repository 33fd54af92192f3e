"""The memory of people: read before the decision about a call of enqueue, written with the call."""

import asyncio
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import orjson

from app.config.settings import OutboxSettings
from app.core.consent import Answer, Lifted
from app.core.deliveries import StoredDelivery
from app.core.people import PeopleChanges, PeopleFound, PersonRow
from app.core.values.times import DAY_S, HOUR_S
from app.outbox import people as memory
from app.outbox.dedup import erased_text
from app.outbox.redrive import erased_key_rows
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL, Connection, at_once, number_of, numbers_of, one_json, person_id
from app.outbox.sqlite.readers import Readers, UsesFile
from app.outbox.sqlite.scrub import personal_texts, scrub
from app.outbox.sqlite.settle import release_keys
from app.outbox.sqlite.writer import Writer
from app.outbox.statements import read_deliveries, reads

_read_rows: Final = msgspec.json.Decoder(list[PersonRow]).decode


def _people_linked(connection: sqlite3.Connection, keys: Sequence[str], browsers: Collection[str]) -> list[PersonRow]:
    """Read people by ids, their users, and all ids of these users, step by step.

    A recursive statement takes up to twice as long.
    """
    people: list[PersonRow] = []
    waiting = numbers = numbers_of(keys)
    for step in range(memory.MAX_LOADED_STEPS + 1):
        people += (found := _people_of(connection, waiting))
        waiting = numbers_of([row.record.link.to for row in found if row.record.link]) - numbers
        if not waiting or step == memory.MAX_LOADED_STEPS:
            break
        numbers = numbers | waiting
    waiting = numbers - numbers_of(browsers)
    for _ in range(memory.MAX_LOADED_STEPS):
        if not waiting:
            break
        left = max(0, memory.max_found(keys) - len(numbers))
        waiting = set(sorted(_linked_to(connection, waiting, memory.max_found(keys)) - numbers)[:left])
        numbers = numbers | waiting
        people += _people_of(connection, waiting)
    return people


def _people_of(connection: sqlite3.Connection, numbers: Collection[int]) -> list[PersonRow]:
    if not numbers:
        return []
    rows = as_json(sorted(numbers))  # so that each page is read once
    return _read_rows(connection.execute(SQL["people"], {"rows": rows}).fetchone()[0])


def _linked_to(connection: sqlite3.Connection, numbers: Collection[int], limit: int) -> set[int]:
    return set(one_json(connection, "linked_people", rows=as_json(sorted(numbers)), limit=limit) if numbers else ())


def _suppressions_of(connection: sqlite3.Connection, keys: Collection[str]) -> dict[str, str]:
    return dict(connection.execute(SQL["suppressions"], {"keys": as_json(list(keys))}).fetchall())


def _keys_in(people: Iterable[PersonRow]) -> Iterator[str]:
    for row in people:
        yield row.key
        if row.record.link:
            yield row.record.link.to


def are_changed(connection: sqlite3.Connection, changes: PeopleChanges) -> bool:
    rows = {"people": _numbered_rows(changes), "suppressions": as_json(memory.suppression_rows(changes))}
    return connection.execute(SQL["people_changed"], rows).fetchone() is not None


def write_people(connection: sqlite3.Connection, changes: PeopleChanges, rules: OutboxSettings, now: float) -> None:
    if row := memory.additions(changes, now):
        key, hour, people_added, suppressions_added = row
        added = {"key": key, "hour": hour, "people": people_added, "suppressions": suppressions_added}
        connection.execute(SQL["count_hour"], added)
    if changes.people:
        people = {"rows": _numbered_rows(changes)}
        connection.execute(SQL["forget_people"], people)
        connection.execute(SQL["write_people"], people)
    if changed := memory.suppression_rows(changes, changed_only=True):
        suppressions = {"rows": as_json(changed)}
        connection.execute(SQL["lift_suppressions"], suppressions)
        bounds = {"max_suppressions": rules.remember_max_people, "max_public": memory.max_public_suppressions(rules)}
        connection.execute(SQL["write_suppressions"], {**suppressions, **bounds})
    if targets := memory.targets_of(changes):
        users = as_json(list(map(number_of, targets)))
        connection.execute(SQL["forget_oldest_linked"], {"rows": users, "max_linked": memory.MAX_LINKED})


def _numbered_rows(changes: PeopleChanges) -> str:
    """Return rows of people as JSON, each followed by the numbers of its key and of the key of its user."""
    return as_json([[*row, person_id(row[0]), person_id(row[2])] for row in memory.people_rows(changes)])


async def forget_stale(connection: Connection, now: float, rules: OutboxSettings, limit: int, skip: int) -> int:
    """Delete expired data of people. Return the number of ids that were read."""
    starts = {"now": now, "start": now - rules.remember_s, "click_start": now - rules.click_s}
    touched = await connection.count("stale_people", **starts, limit=limit, skip=skip)
    await connection.count("forget_stale")
    return touched


async def forget_unseen(connection: Connection, rules: OutboxSettings, limit: int, skip: int) -> int:
    return await connection.count("forget_unseen", max_people=rules.remember_max_people, limit=limit, skip=skip)


def _deliveries_of(connection: Connection, messages: Collection[str]) -> list[StoredDelivery]:
    ids = connection.execute(SQL["deliveries_of"], {"keys": as_json(sorted(messages))}) if messages else ()
    return at_once(read_deliveries(connection, [id_ for (id_,) in ids]))


class KeepsPeople(UsesFile, memory.KeepsPeople):
    """The part of the `Outbox` for the memory of people."""

    def __init__(self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings) -> None:
        super().__init__(path, writer, readers, rules)
        #: Erased texts that may remain in the file.
        self._traces: set[str] = set()
        self._scrubbing = asyncio.Lock()

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
        people = _people_linked(connection, keys, browsers)
        asked = {"key": public_key, "hour": (now or 0) // HOUR_S}
        count, public, added = connection.execute(SQL["suppression_count"], asked).fetchone()
        suppressions = _suppressions_of(connection, {*keys, *_keys_in(people)}) if count else {}
        full = memory.is_full(self._rules, public_key, suppressions=count, public=public, added=added)
        return PeopleFound(people=people, suppressions=suppressions, is_full=full)

    async def kept_copies(self, *, now: float) -> tuple[str, ...]:
        return await asyncio.to_thread(_copies_beside, self._path, now)

    @reads
    async def consent_keys(self, connection: Connection, after: str) -> tuple[list[tuple[str, int]], str]:
        keys, turn = connection.execute(SQL["consent_keys"], {"after": int(after)}).fetchone()
        return msgspec.json.decode(keys, type=list[tuple[str, int]]), str(turn)

    async def write_consents(self, answers: Sequence[Answer]) -> list[Lifted]:
        return await self._writer.do(partial(_write_consents, answers=answers), rows=len(answers), takes_in=True)

    async def forget(
        self,
        keys: Sequence[str],
        *,
        again: Collection[str] = (),
        messages: Collection[str] = (),
        digests: Collection[str] = (),
        now: float = 0,
    ) -> int:
        # all deliveries are searched, outside the commit
        last, found = await self._found_before(keys)
        work = partial(
            _forget,
            keys=keys,
            again=again,
            messages={*messages, *found},
            digests=digests,
            after=last,
            now=now,
            rules=self._rules,
        )
        count, traces = await self._writer.do(work)
        self._traces |= traces  # after the commit: before it, another `scrub` would search for these texts in vain
        return count

    @reads
    async def _found_before(self, connection: Connection, keys: Sequence[str]) -> tuple[int, set[str]]:
        return _messages_of_deliveries(connection, keys, after=0)

    async def scrub(self, texts: Collection[str]) -> None:
        self._traces |= set(texts)
        async with self._scrubbing:  # a waiting call may find the work done
            if traces := set(self._traces):
                await asyncio.to_thread(scrub, self._path, traces)
                self._traces -= traces  # only now: a locked file is searched by the next call


def _copies_beside(path: Path, now: float) -> tuple[str, ...]:
    found = []
    for copy in sorted(path.parent.glob(f"{path.name}.replaced-*")):
        days = (now - copy.stat().st_mtime) / DAY_S
        found.append(f"{copy}: the store that a restore replaced, {days:.0f} days old. Delete the file.")
    return (*found, "Backups that you made before, as old as they are: delete them in their turn.")


def _write_consents(connection: sqlite3.Connection, answers: Sequence[Answer]) -> list[Lifted]:
    told: list[Lifted] = []
    for group in memory.in_turns(answers):
        yes, lifted = group[0], []
        if not yes.is_opt_out:
            lifting = {"at": yes.at, "is_trusted": yes.is_trusted, "author": yes.author, "user": yes.user}
            lifted = connection.execute(SQL["lifted_consents"], lifting).fetchall()
        connection.execute(SQL["write_consents"], {"rows": as_json(memory.consent_rows(group))})
        if lifted:
            connection.execute(SQL["lift_consents"], {"at": yes.at, "rows": as_json(lifted)})
            told += [Lifted(key, author) for key, author, _ in lifted]
    return told


def _messages_of_deliveries(connection: sqlite3.Connection, keys: Sequence[str], after: int) -> tuple[int, set[str]]:
    """Return the highest id of a delivery, and the messages of some ids among deliveries after `after`."""
    asked = {"keys": as_json(memory.key_prefixes(keys)), "after": after}
    last, messages = connection.execute(SQL["messages_of_deliveries"], asked).fetchone()
    return last, {*orjson.loads(messages)}


def _forget(
    connection: Connection,
    keys: Sequence[str],
    again: Collection[str],
    messages: Collection[str],
    digests: Collection[str],
    after: int,
    now: float,
    rules: OutboxSettings,
) -> tuple[int, set[str]]:
    asked = {"keys": as_json(memory.key_prefixes(keys)), "messages": as_json(list(messages))}
    gone = connection.execute(SQL["forget_owners"], asked).fetchall()
    _, later = _messages_of_deliveries(connection, keys, after)
    forgotten = sorted({message_id for (message_id,) in gone} | {*messages} | later)
    if digests:
        connection.execute(SQL["erase_keys_with"], {"digests": as_json(list(digests)), "erased": erased_text(now)})
    traces = set()
    if forgotten:
        traces = _forget_deliveries(connection, forgotten, again, now, rules)
        connection.execute(SQL["forget_reasons"], {"rows": as_json(forgotten), "reason": memory.DROPPED_ERASED})
    return len(forgotten), traces | {*digests}


def _forget_deliveries(
    connection: Connection, messages: Sequence[str], again: Collection[str], now: float, rules: OutboxSettings
) -> set[str]:
    held, returning = (_deliveries_of(connection, some) for some in (messages, {*messages} & {*again}))
    traces = {digest for each in held for digest in each.buyer}
    ids = {"rows": as_json([each.delivery_id for each in held])}
    for (payload,) in connection.execute(SQL["payloads_of"], ids):
        traces.update(personal_texts(payload))
    erased = {"erased": erased_text(now)}
    connection.execute(SQL["erase_keys"], {"ids": ids["rows"], **erased})
    connection.execute(SQL["keep_erased_keys"], {**erased, "rows": as_json(erased_key_rows(held, now, rules))})
    connection.execute(SQL["erase_payloads"], {"ids": ids["rows"]})
    for name in ("forget_buyers", "forget_waiting_orders", "forget_deliveries"):
        connection.execute(SQL[name], ids)
    there = {id_ for id_, _ in connection.execute(SQL["states"], {"ids": ids["rows"]})}
    release_keys(connection, [each for each in returning if each.delivery_id not in there])
    return traces
