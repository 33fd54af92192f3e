"""A file that cannot be trusted takes nothing in, says why and what helps, and lets what it holds be sent."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import OutboxSettings
from app.core.events import DroppedEvent, Outcome
from app.errors import OutboxUnavailable
from app.outbox.sqlite import SqliteOutbox, guard
from app.outbox.sqlite.database import open_writable
from tests.disks import small_disk_at
from tests.outbox.build import ACCOUNT, NOW, At, new, payload, rules
from tests.outbox.sqlite.damage import damage_pages_of
from tests.waiting import until_async

#: As much as a log that is full, and what it adds to the file.
RESERVE_BYTES = 40_000_000


async def why_not(at: At) -> str:
    """Why the outbox takes nothing in, as both of its answers say."""
    with pytest.raises(OutboxUnavailable) as told:
        await at.enqueue(new())
    with pytest.raises(OutboxUnavailable) as checked:
        await at.outbox.check()
    assert checked.value.why == told.value.why
    return told.value.why


# ---------------------------------------------------------------------------------------------------------------------
# Gone


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    other = path.with_name("other.db")
    open_writable(other).close()
    other.replace(path)


def _move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def _put_back(path: Path) -> None:
    path.with_name("moved.db").rename(path)


def _delete_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _delete_the_index_of_the_log(path: Path) -> None:
    Path(f"{path}-shm").unlink()


@pytest.mark.parametrize("lose", [_delete, _replace, _move, _delete_the_log, _delete_the_index_of_the_log])
async def test_a_file_that_is_lost_is_noticed_before_the_next_answer(
    at: At, path: Path, lose: Callable[[Path], None]
) -> None:
    await at.enqueue(new())
    lose(path)
    with pytest.raises(OutboxUnavailable, match="deleted or replaced while it was open") as told:
        await at.enqueue(new())
    assert told.value.why == "gone"
    assert await why_not(at) == "gone"


async def test_what_was_taken_in_before_the_file_was_lost_can_still_be_sent(at: At, path: Path) -> None:
    await at.enqueue(new(), new())
    _delete(path)
    claimed = await at.claim()
    await at.deliver(*claimed)
    assert len(claimed) == 2
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 0
    assert await why_not(at) == "gone"


async def test_a_file_that_is_put_back_is_good_again(at: At, path: Path) -> None:
    _move(path)
    assert await why_not(at) == "gone"
    _put_back(path)
    await at.enqueue(new())
    await at.outbox.check()


async def test_a_group_of_which_the_file_is_lost_is_answered_by_nobody(at: At, path: Path) -> None:
    """The loss may come while a group is being committed: it is looked at after the commit, too."""
    _delete(path)
    answers = await asyncio.gather(*(at.enqueue(new()) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {OutboxUnavailable}


# ---------------------------------------------------------------------------------------------------------------------
# Damaged


@pytest.fixture
async def damaged(path: Path) -> AsyncIterator[SqliteOutbox]:
    """An outbox of 300 deliveries of which some pages of payloads are damaged; nobody has met them yet."""
    outbox = SqliteOutbox(path, rules(), clock=lambda: NOW)
    await At(outbox).enqueue(*(new() for _ in range(300)))
    await outbox.close()
    assert damage_pages_of(path, "payload", count=2)
    outbox = SqliteOutbox(path, rules(), clock=lambda: NOW)
    yield outbox
    await outbox.close()


@pytest.mark.slow
async def test_a_damaged_page_that_is_met_anywhere_keeps_the_outbox_from_taking_more(damaged: SqliteOutbox) -> None:
    at = At(damaged)
    await at.enqueue(new())
    answers = await asyncio.gather(*(at.outbox.delivery(str(n)) for n in range(1, 301)), return_exceptions=True)
    met = [each for each in answers if isinstance(each, OutboxUnavailable)]
    assert 0 < len(met) < 300
    assert {each.why for each in met} == {"damaged"}
    assert await why_not(at) == "damaged"
    with pytest.raises(OutboxUnavailable, match="pinrelay outbox-salvage"):
        await at.outbox.check()


async def test_damage_is_found_at_the_start_and_told_by_all_that_would_take_something_in(damaged: SqliteOutbox) -> None:
    await damaged.start_disk_checks(rules(outbox_quick_check_s=60, outbox_reserve_bytes=0))
    assert await why_not(At(damaged)) == "damaged"


async def test_what_one_process_met_the_others_know_and_those_to_come(damaged: SqliteOutbox, path: Path) -> None:
    other = SqliteOutbox(path, rules(), clock=lambda: NOW)
    await At(other).enqueue(new())
    await damaged.start_disk_checks(rules(outbox_quick_check_s=60, outbox_reserve_bytes=0))
    assert await why_not(At(other)) == "damaged"
    await other.close()
    later = SqliteOutbox(path, rules(), clock=lambda: NOW)
    assert await why_not(At(later)) == "damaged"
    await later.close()


async def test_a_file_that_is_found_good_as_a_whole_is_trusted_again(at: At, path: Path) -> None:
    _mark(path)
    assert await why_not(at) == "damaged"
    mended = SqliteOutbox(path, rules(), clock=lambda: NOW)
    await mended.start_disk_checks(rules(outbox_quick_check_s=60, outbox_reserve_bytes=0))
    await At(mended).enqueue(new())
    await mended.close()


def _mark(path: Path) -> None:
    Path(f"{path}-damaged").touch()


@pytest.mark.parametrize("for_s", [0, 1e-9])
async def test_a_check_that_is_switched_off_or_has_no_time_says_nothing(
    damaged: SqliteOutbox, for_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_STEPS_A_LOOK", 1)
    await damaged.start_disk_checks(rules(outbox_quick_check_s=for_s, outbox_reserve_bytes=0))
    await damaged.check()


async def test_a_good_file_passes_the_check(at: At) -> None:
    await at.enqueue(*(new() for _ in range(100)))
    await at.outbox.start_disk_checks(rules(outbox_quick_check_s=60, outbox_reserve_bytes=0))
    await at.enqueue(new())


# ---------------------------------------------------------------------------------------------------------------------
# Full


def _has_reserve(path: Path) -> bool:
    return Path(f"{path}-reserve").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for little more than a reserve and what else it needs to be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk_at(folder, size_bytes=3 * RESERVE_BYTES):
        yield folder


@pytest.fixture
async def on_small_disk(small_disk: Path) -> AsyncIterator[SqliteOutbox]:
    """An outbox on a disk with a reserve and room for 8 MB more."""
    outbox = SqliteOutbox(small_disk / "pinrelay.db", rules(), clock=lambda: NOW)
    await outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=RESERVE_BYTES))
    _occupy(small_disk)
    yield outbox
    await outbox.close()


def _occupy(disk: Path, but_bytes: int = 8_000_000) -> None:
    free = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - but_bytes))


async def _fill(at: At, **changes: Any) -> tuple[int, OutboxUnavailable]:
    """Enqueue until the outbox refuses; return how many it took, and what it says."""
    taken = 0
    while True:
        try:
            await at.enqueue(*(new(**changes) for _ in range(500)))
        except OutboxUnavailable as exc:
            return taken, exc
        taken += 500


@pytest.mark.slow
async def test_on_a_full_disk_the_reserve_lets_the_backlog_drain(on_small_disk: SqliteOutbox, small_disk: Path) -> None:
    at, reserve = At(on_small_disk), small_disk / "pinrelay.db-reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    taken, told = await _fill(at)
    assert (taken > 0, told.why) == (True, "disk full")
    delivered = 0
    while claimed := await at.claim(limit=100):
        await at.deliver(*claimed)
        delivered += len(claimed)
    assert delivered == taken
    assert not reserve.exists()
    assert await why_not(at) == "disk full"


@pytest.mark.slow
async def test_on_a_disk_without_a_free_byte_an_outbox_is_opened_by_its_reserve(small_disk: Path) -> None:
    """A process that ends and begins again on a full disk sends what waits."""
    path = small_disk / "pinrelay.db"
    outbox = SqliteOutbox(path, rules(), clock=lambda: NOW)
    await outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=RESERVE_BYTES))
    await At(outbox).enqueue(*(new() for _ in range(100)))
    await outbox.close()
    _occupy(small_disk, but_bytes=0)
    outbox = SqliteOutbox(path, rules(), clock=lambda: NOW)
    await outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=RESERVE_BYTES))
    at = At(outbox)
    await at.deliver(*await at.claim())
    assert (await outbox.backlog(ACCOUNT, now=NOW)).claimed == 0
    assert await why_not(at) == "disk full"
    await outbox.close()


@pytest.mark.slow
async def test_the_last_of_the_disk_is_for_trusted_events(small_disk: Path) -> None:
    outbox = SqliteOutbox(small_disk / "pinrelay.db", rules(), clock=lambda: NOW)
    await outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=4_000_000))
    at = At(outbox)
    _occupy(small_disk, but_bytes=15_000_000)
    note = DroppedEvent(message_id="m", preset=None, outcome=Outcome.INVALID, reason="x")
    for events in ([new(leaves_room=True)], []):
        with pytest.raises(OutboxUnavailable, match="trusted events only: free space until 16,000,000 bytes") as told:
            await outbox.enqueue(events, [note], [], now=NOW)
        assert told.value.why == "disk full"
    await outbox.enqueue([new()], [note], [], now=NOW)
    await outbox.enqueue([], [replace(note, is_trusted=True)], [], now=NOW)
    await outbox.check()  # it can keep events
    (small_disk / "ballast").unlink()
    await until_async(lambda: _takes_in(at, leaves_room=True), 10, "public events to be taken in again")
    await outbox.close()


@pytest.mark.slow
async def test_nothing_is_taken_in_until_the_disk_has_room_for_a_new_reserve(
    on_small_disk: SqliteOutbox, small_disk: Path
) -> None:
    at = At(on_small_disk)
    await _fill(at)
    await at.claim(limit=100)
    assert await why_not(at) == "disk full"
    (small_disk / "ballast").unlink()
    await until_async(lambda: _takes_in(at), 10, "events to be taken in again")
    assert (small_disk / "pinrelay.db-reserve").stat().st_size == RESERVE_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("reserve_bytes", "leaves_room"), [(64_000_000, False), (RESERVE_BYTES, True)])
async def test_after_an_outage_that_filled_the_disk_events_are_taken_in_again(
    tmp_path: Path, reserve_bytes: int, *, restarts: bool, leaves_room: bool
) -> None:
    """Delivered events leave free pages in the file, and the file keeps its size."""
    settings = rules(outbox_quick_check_s=0, outbox_reserve_bytes=reserve_bytes)
    with small_disk_at(tmp_path, size_bytes=260_000_000):
        async with AsyncExitStack() as opened:
            at = await _started(tmp_path, settings, opened)
            for _ in range(2):
                taken, told = await _fill(at, payload=payload(em=["0" * 20_000]))
                assert (taken > 1_000, told.why) == (True, "disk full")
                while claimed := await at.claim():
                    await at.deliver(*claimed)
                await at.retain_all()
                if restarts:
                    await opened.aclose()
                    at = await _started(tmp_path, settings, opened)
                await until_async(partial(_takes_in, at, leaves_room=leaves_room), 10, "events to be taken in again")
                assert (tmp_path / "pinrelay.db-reserve").exists()
                await at.outbox.check()


async def _started(folder: Path, settings: OutboxSettings, opened: AsyncExitStack) -> At:
    outbox = SqliteOutbox(folder / "pinrelay.db", settings, clock=lambda: NOW)
    opened.push_async_callback(outbox.close)
    await outbox.start_disk_checks(settings)
    return At(outbox)


async def _takes_in(at: At, *, leaves_room: bool = False) -> bool:
    try:
        await at.enqueue(new(leaves_room=leaves_room))
    except OutboxUnavailable:
        return False
    return True


async def test_a_reserve_that_another_process_freed_is_respected(at: At, path: Path, tmp_path: Path) -> None:
    await at.outbox.start_disk_checks(
        rules(outbox_quick_check_s=0, outbox_reserve_bytes=10**15)
    )  # more than any disk has room for
    assert not _has_reserve(path)
    assert await why_not(at) == "disk full"
    with pytest.raises(OutboxUnavailable, match="until 2,000,000,000,000,000 bytes are free, twice the reserve"):
        await at.enqueue(new())


async def test_without_a_setting_there_is_no_reserve_and_an_old_one_goes(at: At, path: Path) -> None:
    await at.outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=4_096))
    assert _has_reserve(path)
    await at.outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=0))
    assert not _has_reserve(path)
    await at.enqueue(new())


async def test_a_disk_that_is_full_by_a_limit_and_not_by_files_is_told(
    at: At, path: Path, execute: Callable[..., Any]
) -> None:
    await at.outbox.start_disk_checks(rules(outbox_quick_check_s=0, outbox_reserve_bytes=4_096))
    ((pages,),) = await execute("PRAGMA page_count")
    await execute(f"PRAGMA max_page_count={pages}")
    _, told = await _fill(at)
    assert told.why == "disk full"
    assert isinstance(told.__cause__, sqlite3.OperationalError)
