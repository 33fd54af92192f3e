"""What shares a commit, and in which order: small ones together, large ones alone, and neither waits for ever."""

import asyncio
from collections.abc import Iterator

import pytest

from app.errors import OutboxUnavailable
from app.outbox.rows import LARGE_ROWS
from app.outbox.sqlite.writer import MAX_ROWS, Job, JobQueue

LARGE = LARGE_ROWS + 1


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def job(loop: asyncio.AbstractEventLoop, rows: int, *, takes_in: bool = True) -> Job:
    return Job(lambda _: None, rows, None, takes_in, loop.create_future(), loop)


def groups(queue: JobQueue) -> list[list[int]]:
    """Return the rows of what is handed out, group by group, until the end."""
    return [[each.rows for each in group] for group in iter(queue.next_group, [])]


@pytest.mark.parametrize(
    ("rows", "handed_out"),
    [
        pytest.param([1, 2, 3], [[1, 2, 3]], id="small ones go together, in their order"),
        pytest.param([LARGE, 1, 2], [[1, 2], [LARGE]], id="small ones that came later go first"),
        pytest.param([LARGE, LARGE + 1, 1], [[1], [LARGE], [LARGE + 1]], id="large ones go one by one, in order"),
        pytest.param([LARGE_ROWS] * 9, [[LARGE_ROWS] * 8, [LARGE_ROWS]], id="a group is closed at so many rows"),
        pytest.param(
            [LARGE, *[LARGE_ROWS] * 9],
            [[LARGE_ROWS] * 8, [LARGE], [LARGE_ROWS]],
            id="a large one waits for one group of the others",
        ),
    ],
)
def test_a_large_job_commits_alone_after_one_group_of_the_others(
    loop: asyncio.AbstractEventLoop, rows: list[int], handed_out: list[list[int]]
) -> None:
    assert MAX_ROWS == 8 * LARGE_ROWS
    queue = JobQueue()
    for each in rows:
        queue.put(job(loop, each))
    queue.close()
    assert groups(queue) == handed_out


def test_a_small_job_that_comes_during_a_large_commit_is_next(loop: asyncio.AbstractEventLoop) -> None:
    queue = JobQueue()
    for rows in (LARGE, LARGE + 1, LARGE + 2):
        queue.put(job(loop, rows))
    assert [each.rows for each in queue.next_group()] == [LARGE]
    queue.put(job(loop, 1))
    queue.close()
    assert groups(queue) == [[1], [LARGE + 1], [LARGE + 2]]


def test_what_takes_nothing_in_is_never_large(loop: asyncio.AbstractEventLoop) -> None:
    queue = JobQueue()
    queue.put(job(loop, LARGE, takes_in=False))
    queue.put(job(loop, 1))
    queue.close()
    assert groups(queue) == [[LARGE, 1]]


def test_a_closed_queue_takes_nothing(loop: asyncio.AbstractEventLoop) -> None:
    queue = JobQueue()
    queue.close()
    queue.close()
    with pytest.raises(OutboxUnavailable, match="closed"):
        queue.put(job(loop, 1))
    assert queue.next_group() == []
