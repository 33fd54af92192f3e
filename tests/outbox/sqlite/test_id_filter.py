"""An id is looked for on the shelves that may hold it, and found wherever it lies."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.deliveries import NewDelivery
from app.core.pages import Query
from app.outbox import open_store
from app.outbox.sqlite import SqliteOutbox
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.filters import looked_for, place_of
from app.outbox.transfer import TransferKind
from tests.outbox.build import DAY_S, At, new

#: Deliveries of a part, and of a shelf.
PART, SHELF = 1 << 15, 1 << 11
Execute = Callable[[str], Awaitable[list[Any]]]


@pytest.fixture
def put(at: At, outbox: SqliteOutbox) -> Callable[..., Awaitable[NewDelivery]]:
    """`await put(id, ...)` enqueues a delivery under this id."""

    async def enqueue(id_: int, **changes: Any) -> NewDelivery:
        ids = {"message_id": f"m-{id_}", "event_id": f"e-{id_}", "order_id": f"o-{id_}"}
        delivery = new(**(ids | changes))
        above = {"delivery": id_ - 1}
        await outbox._writer.do(lambda connection: connection.execute(SQL["begin_ids_above"], above))
        await at.enqueue(delivery)
        return delivery

    return enqueue


async def found(at: At, **query: Any) -> list[int]:
    return [int(each.delivery_id) for each in (await at.outbox.search(Query(**query), limit=9)).deliveries]


async def parts(execute: Execute) -> list[int]:
    return [part for (part,) in await execute("SELECT id_range FROM id_filter WHERE bucket = 511 ORDER BY id_range")]


async def shelves(execute: Execute, message_id: str) -> list[int]:
    """Return on which shelves a message is looked for."""
    asked = looked_for(Query(message_id=message_id))
    text = SQL["search"].partition("SELECT id,")[0].replace(":bucket", str(asked["bucket"]))
    fingerprint = f"x'{asked['fingerprint'].hex()}'"
    return sorted(n for (n,) in await execute(f"{text.replace(':fingerprint', fingerprint)} SELECT n FROM shelf"))


async def all_found(at: At, *ids: int) -> bool:
    return [
        await found(at, **{f"{kind}_id": f"{kind[0]}-{id_}"}) for id_ in ids for kind in ("message", "event", "order")
    ] == [[id_] for id_ in ids for _ in range(3)]


async def test_what_lies_in_any_part_is_found_by_each_id_before_and_after_its_filter_is_made(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]]
) -> None:
    ids = (1, SHELF, PART - 1, PART, 3 * PART + 5, 4 * PART, 4 * PART + SHELF)
    for id_ in ids:
        await put(id_)
    assert await all_found(at, *ids)
    assert await parts(execute) == []
    await at.retain_all(500)
    assert await parts(execute) == [0, 1, 3]
    assert await all_found(at, *ids)
    assert await found(at, message_id="m-0") == []
    assert await found(at, message_id="m-1", order_id="o-2") == []


@pytest.mark.parametrize("text", ["", "ü\N{GRINNING FACE}", '"\\"', "\n\t", "0", "m" * 200])
async def test_any_text_is_an_id_that_is_found(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]], text: str
) -> None:
    await put(1, message_id=text)
    await put(2, event_id=text)
    await put(3, order_id=text)
    await put(PART)
    await at.retain_all(500)
    assert await parts(execute) == [0]
    assert await found(at, message_id=text) == [1]
    assert await found(at, event_id=text) == [2]
    assert await found(at, order_id=text) == [3]


async def test_only_the_part_that_knows_an_id_is_searched_and_what_still_grows(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]]
) -> None:
    for id_ in (1, PART, 2 * PART, 3 * PART + SHELF):
        await put(id_)
    assert await shelves(execute, "m-1") == list(range(50))
    await at.retain_all(500)
    assert await shelves(execute, f"m-{PART}") == [*range(16, 32), 48, 49]
    assert await shelves(execute, "m-0") == [48, 49]


async def test_what_lies_in_a_part_whose_filter_a_process_of_version_15_makes_is_found_by_its_time(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]]
) -> None:
    """Where processes are replaced one after the other, it goes on until it is stopped."""
    for id_ in (1, PART):
        await put(id_)
    buckets = "WITH RECURSIVE bucket (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM bucket WHERE n < 511)"
    await execute(f"INSERT INTO id_filter (bucket, id_range, fingerprints) {buckets} SELECT n, 0, x'' FROM bucket")
    assert await found(at, since=at.now) == [PART, 1]


async def test_the_filter_of_a_part_that_holds_nothing_is_dropped_but_for_the_last(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]]
) -> None:
    for id_ in (1, PART, 2 * PART):
        await put(id_)
    await at.deliver(*await at.claim())
    await put(3 * PART)
    await at.retain_all(500)
    assert await parts(execute) == [0, 1, 2]
    later = at.later(31 * DAY_S)
    await later.retain_all(500)
    assert await parts(execute) == [2]
    assert await all_found(at, 3 * PART)
    await put(4 * PART)
    await later.retain_all(500)
    assert await parts(execute) == [3]
    assert await all_found(at, 3 * PART, 4 * PART)


@pytest.mark.slow
async def test_what_is_carried_in_behind_time_is_found(
    at: At, execute: Execute, put: Callable[..., Awaitable[NewDelivery]], path: Path, tmp_path: Path
) -> None:
    for id_ in (1, 2, PART, 2 * PART):
        await put(id_)
    await at.retain_all(500)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path / 'before.db'}'")
    await execute("DELETE FROM delivery WHERE id = 2")
    await execute("DELETE FROM id_filter")
    await at.retain_all(500)
    assert await found(at, message_id="m-2") == []
    before, here = open_store(f"sqlite:///{tmp_path / 'before.db'}"), open_store(f"sqlite:///{path}")
    try:
        rows = await before.read(TransferKind.WAITING, after=(0,), limit=9)
        assert await here.write(TransferKind.WAITING, rows) == 1
    finally:
        await before.close()
        await here.close()
    assert await all_found(at, 1, 2, PART, 2 * PART)
    await at.retain_all(500)
    assert await parts(execute) == [0, 1]
    assert await all_found(at, 1, 2, PART, 2 * PART)


@given(st.text())
def test_every_id_has_a_place_that_the_schema_knows(text: str) -> None:
    bucket, fingerprint = place_of(text)
    assert bucket in range(512)
    assert len(fingerprint) == 3
