"""A search that no index serves looks at a bounded part of the ledger, and says so."""

from collections.abc import Awaitable, Callable
from typing import Any

from app.core.pages import Query
from app.outbox.search import SCAN_ROWS
from tests.outbox.build import At, new


async def test_a_page_says_how_far_it_looked_and_where_to_go_on(
    at: At, execute: Callable[[str], Awaitable[list[Any]]]
) -> None:
    await at.enqueue(new(message_id="old", preset="rare"))
    await execute(f"UPDATE sqlite_sequence SET seq = {SCAN_ROWS + 500}")  # as if so many lay in between
    await at.enqueue(new(message_id="young", preset="rare"))
    first = await at.outbox.search(Query(preset="rare"), limit=10)
    second = await at.outbox.search(Query(preset="rare"), limit=10, cursor=first.next_cursor)
    assert [delivery.message_id for delivery in first.deliveries] == ["young"]
    assert (first.scanned, first.next_cursor is None) == (SCAN_ROWS, False)
    assert [delivery.message_id for delivery in second.deliveries] == ["old"]
    assert (second.scanned, second.next_cursor) == (None, None)


async def test_a_message_is_found_on_any_shelf(at: At, execute: Callable[[str], Awaitable[list[Any]]]) -> None:
    for shelf in range(4):
        await execute(f"INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('delivery', {shelf * 8_192})")
        await at.enqueue(new(message_id="m"))
    assert len((await at.outbox.message("m")).deliveries) == 4
    assert (await at.outbox.search(Query(message_id="m"), limit=2)).scanned is None
