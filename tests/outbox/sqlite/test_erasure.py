"""What is erased has left the files, not only the tables."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.deliveries import Withdrawal
from app.outbox import open_outbox
from app.outbox.sqlite import scrub
from tests.outbox.build import ACCOUNT, DAY_S, At, new, payload, rules


def _found(path: Path) -> set[str]:
    """Which user agents stand anywhere in the file or in its write-ahead log, as they stand in the payload."""
    text = b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
    return {agent.decode() for agent in re.findall(rb'"client_user_agent": "(Agent-\d{5}-mark)', text)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "size", "seed"),
    [({}, 3_000, 7), ({"payload_s": DAY_S}, 3_000, 7), ({}, 1_000, 0), ({}, 300, 0)],
    ids=["erased at once", "kept without the address", "of pages that are joined", "of many on a page"],
)
async def test_addresses_of_delivered_events_leave_the_files(
    path: Path, changes: dict[str, Any], size: int, seed: int
) -> None:
    """Also where others on their page still wait: SQLite moves those, and leaves a copy of them that nothing names."""
    chance = random.Random(seed)
    at = At(open_outbox(f"sqlite:///{path}", rules(**changes)))
    marks = [f"Agent-{number:05}-mark" for number in range(2_000)]
    for start in range(0, len(marks), 100):
        await at.enqueue(
            *(
                new(message_id=mark, payload=payload(client_user_agent=mark, ct="c" * chance.randrange(size)))
                for mark in marks[start : start + 100]
            )
        )
    assert len(_found(path)) == len(marks)
    claimed = await at.claim(limit=len(marks))
    chance.shuffle(claimed)
    settled, waiting = claimed[:1_500], claimed[1_500:]
    for start in range(0, len(settled), 50):
        await at.deliver(*settled[start : start + 50])
    assert await at.outbox.retain(now=at.now, limit=100) == 0
    assert _found(path) == {each.message_id for each in waiting}
    await at.deliver(*waiting)
    await at.outbox.retain(now=at.now, limit=100)
    assert _found(path) == set()
    await at.outbox.close()


@pytest.mark.parametrize("reads_pages", [True, False])
async def test_the_log_is_cut_though_others_have_the_file_open(
    path: Path, execute: Callable[..., Any], at: At, monkeypatch: pytest.MonkeyPatch, *, reads_pages: bool
) -> None:
    monkeypatch.setattr(scrub, "reads_pages", lambda _: reads_pages)
    await at.enqueue(*(new() for _ in range(100)))
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size > 0
    await at.outbox.retain(now=at.now, limit=100)
    assert log.stat().st_size == 0


async def test_a_delivery_that_is_withdrawn_takes_its_payload_along(execute: Callable[..., Any], at: At) -> None:
    await at.enqueue(new(order_id="SO-1"), new())
    asked = Withdrawal(ad_account_id=ACCOUNT, preset="checkout", order_id="SO-1", message_id="cancel-1")
    assert await at.outbox.withdraw([asked], now=at.now) == [1]
    assert await execute("SELECT count(*) FROM payload") == [(1,)]
