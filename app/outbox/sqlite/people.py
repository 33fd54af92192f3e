"""What is remembered of people: read before a call of enqueue is decided, written with it."""

import sqlite3
from collections.abc import Sequence

from app.outbox.outbox_rules import OutboxRules
from app.outbox.people_rows import (
    MAX_LINKED,
    MAX_LOADED_STEPS,
    STRETCH,
    found_of,
    mark_rows,
    max_found,
    people_rows,
    targets_of,
)
from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.sql import SQL
from app.types import PeopleChanges, PeopleFound


def read_people(connection: sqlite3.Connection, keys: Sequence[str], rules: OutboxRules) -> PeopleFound:
    """Do `Outbox.people`."""
    limit = max_found(keys)
    people, marks, count = one_json(connection, "people", keys=as_rows(keys), steps=MAX_LOADED_STEPS, limit=limit)
    return found_of(people, marks, count, rules)


def people_with(connection: sqlite3.Connection, digests: Sequence[str], after: str) -> tuple[list[str], str | None]:
    """Do `Outbox.people_with`."""
    keys, last, count = one_json(connection, "people_with", digests=as_rows(digests), after=after, limit=STRETCH)
    return keys, last if count == STRETCH else None


def are_changed(connection: sqlite3.Connection, changes: PeopleChanges) -> bool:
    """Return whether others have changed what was read."""
    rows = {"people": as_rows(people_rows(changes)), "marks": as_rows(mark_rows(changes))}
    return connection.execute(SQL["people_changed"], rows).fetchone() is not None


def write_people(connection: sqlite3.Connection, changes: PeopleChanges, rules: OutboxRules) -> None:
    """Write what changes, within a transaction."""
    if changes.people:
        people = {"rows": as_rows(people_rows(changes))}
        connection.execute(SQL["forget_people"], people)
        connection.execute(SQL["write_people"], people)
    if changed := mark_rows(changes, changed_only=True):
        marks = {"rows": as_rows(changed)}
        connection.execute(SQL["lift_marks"], marks)
        connection.execute(SQL["write_marks"], {**marks, "max_marks": rules.max_people})
    if targets := targets_of(changes):
        connection.execute(SQL["forget_oldest_linked"], {"keys": as_rows(targets), "max_linked": MAX_LINKED})


def forget_people(connection: sqlite3.Connection, now: float, limit: int, rules: OutboxRules) -> int:
    """Forget what is too old of people, and the longest unseen where they are too many. Returns how many ids."""
    starts = {
        "now": now,
        "start": now - rules.remember_s,
        "click_start": now - rules.click_lasts_s,
    }
    touched = connection.execute(SQL["stale_people"], {**starts, "limit": limit}).rowcount
    connection.execute(SQL["forget_stale"])
    unseen = {"now": now, "max_people": rules.max_people, "limit": limit - touched}
    return touched + connection.execute(SQL["forget_unseen"], unseen).rowcount


def forget(connection: sqlite3.Connection, keys: Sequence[str]) -> int:
    """Do `Outbox.forget`, within a transaction."""
    found = connection.execute(SQL["forget_whose"], {"keys": as_rows(keys)}).fetchall()
    messages = sorted({message_id for (message_id,) in found})
    if messages:
        connection.execute(SQL["forget_payloads"], {"rows": as_rows(messages)})
        connection.execute(SQL["forget_deliveries"], {"rows": as_rows(messages)})
    return len(messages)
