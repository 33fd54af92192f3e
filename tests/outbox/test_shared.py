"""Shared values: what every process must know."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from app.core.shared_values import FEED, IMPORTED, NEEDED, OPEN_INCIDENTS, PROCESSES, Shared
from app.errors import OutboxUnavailable
from app.outbox import open_outbox
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.other_connection import execute


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "é", [], {"a": [1, None]}], ids=repr)
async def test_any_json_value_comes_back(at: At, value: Any) -> None:
    assert await at.outbox.put_shared("k", value) == Shared(value=value, revision=1)
    assert await at.outbox.get_shared("k") == Shared(value=value, revision=1)


async def test_what_was_never_written_is_none(at: At) -> None:
    assert await at.outbox.get_shared("k") is None


async def test_a_revision_grows_with_every_write(at: At) -> None:
    await at.outbox.put_shared("k", 1)
    assert await at.outbox.put_shared("k", 2) == Shared(value=2, revision=2)


async def test_a_write_with_a_revision_succeeds_only_if_nobody_else_wrote(at: At) -> None:
    await at.outbox.put_shared("k", "first")
    assert await at.outbox.put_shared("k", "second", revision=1) == Shared(value="second", revision=2)
    assert await at.outbox.put_shared("k", "third", revision=1) is None
    assert await at.outbox.get_shared("k") == Shared(value="second", revision=2)


async def test_revision_zero_means_that_it_must_not_exist(at: At) -> None:
    assert await at.outbox.put_shared("k", "first", revision=0) == Shared(value="first", revision=1)
    assert await at.outbox.put_shared("k", "second", revision=0) is None


async def test_a_revision_of_what_does_not_exist_writes_nothing(at: At) -> None:
    assert await at.outbox.put_shared("k", "first", revision=1) is None
    assert await at.outbox.get_shared("k") is None


async def test_of_many_that_write_at_once_one_wins(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    answers = await asyncio.gather(
        *(side.outbox.put_shared("k", n, revision=0) for n in range(10) for side in (at, other))
    )
    assert len([answer for answer in answers if answer]) == 1


async def test_values_are_listed_by_the_start_of_their_key(at: At) -> None:
    for key in ("switch/a", "switch/b", "switc", "switch%", "other"):
        await at.outbox.put_shared(key, key)
    assert set(await at.outbox.list_shared("switch/")) == {"switch/a", "switch/b"}
    assert set(await at.outbox.list_shared("switch%")) == {"switch%"}
    assert len(await at.outbox.list_shared("")) == 5


@pytest.mark.parametrize("value", ["", "{", "17e"])
async def test_a_damaged_value_makes_a_store_refuse_if_receiving_or_sending_needs_it(
    at: At, outbox_url: str, value: str
) -> None:
    needed = [*NEEDED, *(f"{prefix}it's" for prefix in NEEDED if prefix.endswith("/"))]
    for key in (*needed, PROCESSES.of("a").name, OPEN_INCIDENTS.name, FEED.name, IMPORTED.of("a").name):
        await at.outbox.put_shared(key, 1)
        execute(outbox_url, "UPDATE shared SET value = ? WHERE key = ?", value, key)
        words = f"The shared value {key} in the outbox is damaged"
        for reading in (at.outbox.get_shared(key), at.outbox.list_shared(key)):
            with pytest.raises(OutboxUnavailable, match=words) as told:
                await reading
            assert told.value.why == "damaged"
        with pytest.raises(OutboxUnavailable, match=words) if key in needed else nullcontext():
            await at.outbox.check()
        await at.outbox.put_shared(key, 2)
        await at.outbox.check()


async def test_no_hold_begins_or_ends_while_the_time_of_holds_is_damaged(
    empty_store: Callable[[], AbstractContextManager[str]],
) -> None:
    with empty_store() as url:
        at = At(open_outbox(url, rules(), clock=lambda: NOW, steady=lambda: 0.0))
        await at.outbox.put_shared("clock/holds", 1)
        execute(url, "UPDATE shared SET value = '{'")
        for _ in range(3):
            with pytest.raises(OutboxUnavailable, match="clock/holds"):
                await at.enqueue(new(hold_s=60))
            with pytest.raises(OutboxUnavailable, match="clock/holds"):
                await at.claim()
        await at.enqueue(new())  # an event without hold
        execute(url, "DELETE FROM shared")
        await at.enqueue(new(hold_s=60))
        assert len(await at.claim()) == 1
        await at.outbox.close()


async def test_every_process_sees_the_newest_value(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    await at.outbox.put_shared("k", 1)
    assert await other.outbox.get_shared("k") == Shared(value=1, revision=1)
