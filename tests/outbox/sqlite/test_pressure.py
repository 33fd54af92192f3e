"""Full disks, locks and limits: told at once, and over as soon as their cause is."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import OutboxUnavailable
from app.outbox import open_outbox
from app.outbox.sqlite import database
from tests.disks import small_disk_at
from tests.outbox.build import ACCOUNT, NOW, At, new, rules
from tests.process import ROOT

Execute = Callable[[str], Awaitable[list[Any]]]


async def _fill(at: At) -> int:
    """Enqueue by 20 until the outbox refuses; how many it took."""
    taken = 0
    while True:
        answers = await asyncio.gather(*(at.enqueue(new()) for _ in range(20)), return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        taken += len(answers) - len(failed)
        if failed:
            assert all(isinstance(answer, OutboxUnavailable) for answer in failed), failed
            return taken


@pytest.mark.slow
async def test_at_the_page_limit_calls_fail_and_nothing_answered_is_lost(at: At, execute: Execute) -> None:
    ((pages,),) = await execute("PRAGMA page_count")
    await execute(f"PRAGMA max_page_count={pages + 60}")
    taken = await _fill(at)
    with pytest.raises(OutboxUnavailable, match="the disk is full"):
        await at.enqueue(*(new() for _ in range(200)))
    await execute(f"PRAGMA max_page_count={pages + 10_000}")
    await at.enqueue(new())
    await at.outbox.check()
    assert len(await at.claim(limit=100_000)) == taken + 1


@pytest.mark.slow
async def test_a_lock_of_another_process_is_waited_for_then_told_then_over(
    at: At, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxUnavailable, match="locked"):
        await at.enqueue(new(event_id="e"))
    with pytest.raises(OutboxUnavailable, match="locked"):
        await at.outbox.check()
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 0  # reading goes on
    holder.execute("ROLLBACK")
    holder.close()
    await at.enqueue(new(event_id="e"))


async def test_what_another_process_holds_locked_for_long_can_be_opened_and_read(
    at: At, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pinrelay status` does: it waited as for a migration, two minutes, and failed."""
    monkeypatch.setattr(database, "_MIGRATION_S", 0.1)
    await at.enqueue(new())
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        outbox = open_outbox(f"sqlite:///{path}", rules())
        assert (await outbox.backlog(ACCOUNT, now=NOW)).pending == 1
        await outbox.close()


def test_a_migration_that_finds_the_disk_full_says_so_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk_at(tmp_path, size_bytes=1_000_000):
        with closing(sqlite3.connect(tmp_path / "pinrelay.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            database.migrate(connection)
        version = database.SCHEMA_VERSION
        monkeypatch.setattr(database, "SCHEMA_VERSION", version + 1)
        monkeypatch.setattr(database, "schema", lambda _: "CREATE TABLE new AS SELECT zeroblob(2000000);")
        (tmp_path / "ballast").write_bytes(bytes(shutil.disk_usage(tmp_path).free - 100_000))
        with pytest.raises(OutboxUnavailable, match="the disk is full"):
            database.open_writable(tmp_path / "pinrelay.db")
        with closing(sqlite3.connect(tmp_path / "pinrelay.db")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (version,)


@pytest.mark.whole
def test_a_process_whose_files_may_not_grow_resumes_when_they_may(path: Path) -> None:
    script = ROOT / "tests" / "outbox" / "sqlite" / "limited_process.py"
    done = subprocess.run(
        [sys.executable, script, path], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    taken, after = map(int, done.stdout.splitlines()[-1].split())  # log lines come before
    assert (taken > 0, after) == (True, 1)
    assert asyncio.run(_waiting(path)) == taken + after


async def _waiting(path: Path) -> int:
    at = At(open_outbox(f"sqlite:///{path}", rules()))
    claimed = await at.claim(limit=100_000)
    await at.outbox.close()
    return len(claimed)
