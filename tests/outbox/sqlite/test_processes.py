"""Several processes on one file, and processes that die."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.outbox import open_outbox
from tests.outbox.build import At, new, rules
from tests.process import ROOT

pytestmark = pytest.mark.whole

FOLDER = ROOT / "tests" / "outbox" / "sqlite"
ANSWERED_BEFORE_KILL = 500
ROUNDS = 60


def _start(script: str, path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, FOLDER / script, path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_what_was_answered_before_a_kill_is_there(path: Path) -> None:
    process = _start("enqueueing_process.py", path)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(ANSWERED_BEFORE_KILL)]
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    answered += rest.split("\n")[:-1]  # what follows the last line's end may be half an id
    at = At(open_outbox(f"sqlite:///{path}", rules()))
    stored = {claimed.message_id for claimed in await at.claim(limit=1_000_000)}
    assert set(answered) - stored == set()
    await at.outbox.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def test_processes_claim_each_delivery_once(path: Path) -> None:
    at = At(open_outbox(f"sqlite:///{path}", rules()))
    for _ in range(5):
        await at.enqueue(*(new() for _ in range(400)))
    processes = [_start("claiming_process.py", path) for _ in range(2)]
    outputs = await asyncio.gather(*(asyncio.to_thread(process.communicate) for process in processes))
    ids = [delivery_id for output, _ in outputs for delivery_id in output.split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(ids) == len(set(ids)) == 2_000
    backlog = await at.outbox.backlog(new().ad_account_id, now=at.now)
    assert (backlog.pending, backlog.claimed) == (0, 0)
    await at.outbox.close()


async def test_an_event_whose_first_transaction_was_rolled_back_is_claimed_once(path: Path) -> None:
    at = At(open_outbox(f"sqlite:///{path}", rules()))
    processes = [_start("arriving_process.py", path) for _ in range(2)]
    claims = 0
    for number in range(ROUNDS):
        counts = [_answer(process, f"m{number}") for process in processes]
        claimed = sum(await asyncio.gather(*counts))
        claims += claimed
        assert claimed + len(await at.claim()) == 1, number
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert claims > 0
    await at.outbox.close()


async def _answer(process: "subprocess.Popen[str]", line: str) -> int:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return int(await asyncio.to_thread(process.stdout.readline))
