"""`pinrelay import` of rows: what is new since the last run, each once, whatever interrupts it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.access.audit import Audit
from app.catalog.sources import load_source
from app.core.receipts import Receipt
from app.operations.import_events import ImportActs, RowSelection
from app.outbox import open_outbox
from app.outbox.sqlite.database import connect
from app.source import Intake
from tests import assembled
from tests.commands.conftest import Run
from tests.commands.places import SOURCE
from tests.outbox.build import NOW, rules
from tests.process import COMMAND, ROOT, clean_environment
from tests.waiting import until

#: When all orders of these tests were made.
NOON = datetime.now(UTC) - timedelta(hours=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/crm.yaml").write_text(SOURCE)
    return tmp_path


def written(folder: Path, *rows: tuple[int, int], hours: int = 0) -> Path:
    """A file of orders, each with its id and the number that it is found by."""
    file = folder / "rows.csv"
    made = (NOON - timedelta(hours=hours)).isoformat()
    lines = [f"{id_},{at},{id_ % 5},b{id_}@shop.example,{made}" for id_, at in rows]
    file.write_text("\n".join(("id,at,total,email,made", *lines)) + "\n")
    return file


def imported(run: Run, folder: Path, *options: str) -> dict[str, Any]:
    file = f"read_csv('{folder}/rows.csv', all_varchar = true)"
    query = f'SELECT id, CAST("at" AS INTEGER) AS seen, total, email, made FROM {file}'
    rows = ("--query", query, "--cursor", "seen", "--source", "crm", "--json")
    done = run("import", *rows, *options, SOURCES_DIR=str(folder / "sources"))
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["outcomes"]
    return told


def test_a_nightly_job_sends_what_is_new_once(run: Run, folder: Path) -> None:
    written(folder, (1, 7), (2, 9), (5, 9))
    assert imported(run, folder, "--dry-run") == {"enqueued": 2, "unmatched": 1}
    assert imported(run, folder) == {"enqueued": 2, "unmatched": 1}
    assert imported(run, folder) == {}
    written(folder, (1, 7), (2, 9), (5, 9), (3, 9), (4, 10))
    assert imported(run, folder) == {"enqueued": 2}
    assert imported(run, folder) == {}


async def test_what_is_kept_of_a_batch_does_not_grow_with_what_was_imported(folder: Path) -> None:
    """Of rows that have one cursor each batch writes its own; when the cursor moves on, they go."""
    outbox = open_outbox(f"sqlite:///{folder}/o.db", rules(), clock=lambda: NOW)
    source = load_source((folder / "sources",), "crm")
    asked = RowSelection(where=str(folder / "rows.csv"), query=None, cursor="at", source="crm")
    written_bytes: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(outbox, name)

        async def put_shared(self, key: str, value: object, *, revision: int | None = None) -> object:
            written_bytes.append(len(json.dumps(value)))
            return await outbox.put_shared(key, value, revision=revision)

    shared: Any = Counting()

    async def imported_now() -> int:
        written_bytes.clear()
        accept = assembled.pipeline(outbox=outbox).accept
        acts = ImportActs(shared, accept, Audit(outbox, lambda: NOW), is_dry=False)
        receipts = await _all(acts.new_rows(asked, source))
        return sum(len(receipt.events) for receipt in receipts)

    try:
        written(folder, *((number, 7) for number in range(3_000)))
        assert await imported_now() == 3_000
        assert max(written_bytes) < 25_000
        assert len(written_bytes) == 7
        written(folder, *((number, 7) for number in range(3_001)))
        assert await imported_now() == 1
        assert sum(written_bytes) < 1_000
        await outbox.put_shared(f"import-digests/{asked.identity}/99", ["left by a crash"])
        assert await imported_now() == 0
        written(folder, (1, 7), (9_999, 8))
        assert await imported_now() == 1
        kept = {key: each.value for key, each in (await outbox.list_shared("import")).items() if each.value}
        assert [key.rsplit("/")[-1] for key in kept] == ["4", asked.identity]
    finally:
        await outbox.close()


def test_a_row_whose_file_has_changed_is_known_by_its_id(run: Run, folder: Path) -> None:
    written(folder, (1, 7))
    assert imported(run, folder) == {"enqueued": 1}
    written(folder, (1, 7), hours=1)
    assert imported(run, folder) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "give files, or rows"),
        (("ROWS",), "rows.CSV has rows, not events: import it with --from"),
        (("--cursor", "at"), "rows need --from or --query, and both --cursor and --source"),
        (
            ("--from", "rows.csv", "--cursor", "at", "--source", "crm", "--since", "7d"),
            "leave out files, --since, --again and --authors",
        ),
        (
            ("--from", "rows.csv", "--cursor", "at", "--source", "crm", "--again"),
            "leave out files, --since, --again and --authors",
        ),
        (
            ("--from", "rows.csv", "--cursor", "at", "--source", "crm", "--authors", "server"),
            "leave out files, --since, --again and --authors",
        ),
        (
            ("--from", "rows.csv", "--cursor", "at", "--source", "plain"),
            "has the kind `segment`: name a source of the kind `mapped`",
        ),
    ],
)
def test_what_is_missing_is_told(run: Run, folder: Path, options: tuple[str, ...], told: str) -> None:
    (folder / "sources/plain.yaml").write_text("name: plain\nkind: segment\nproofs: [{kind: anyone}]\n")
    table = folder / "rows.CSV"
    table.write_text("id,total\n1,5\n")
    options = tuple(str(table) if each == "ROWS" else each for each in options)
    done = run("import", *options, SOURCES_DIR=str(folder / "sources"))
    assert done.exit_code == (1 if "plain" in options else 2)
    assert told in " ".join(f"{done.stderr} {done.exception}".replace("│", " ").split())


async def test_a_crash_behind_the_commit_sends_nothing_twice(folder: Path) -> None:
    """The state is written after the commit: what was committed in between is read again, and known."""
    file = written(folder, *((number, number) for number in range(1, 4) if number % 5))
    outbox = open_outbox(f"sqlite:///{folder}/o.db", rules(), clock=lambda: NOW)
    pipeline = assembled.pipeline(outbox=outbox)
    source = load_source((folder / "sources",), "crm")
    asked = RowSelection(where=str(file), query=None, cursor="at", source="crm")

    async def and_crash(intake: Intake) -> Receipt:
        await pipeline.accept(intake)
        raise KeyboardInterrupt

    def new_rows(take: Any) -> AsyncIterator[Receipt]:
        return ImportActs(outbox, take, Audit(outbox, time.time), is_dry=False).new_rows(asked, source)

    try:
        with pytest.raises(KeyboardInterrupt):
            await _all(new_rows(and_crash))
        (receipt,) = await _all(new_rows(pipeline.accept))
        assert {outcome.value: count for outcome, count in receipt.counts.items()} == {"accepted": 3, "duplicate": 3}
        (last,) = await _all(new_rows(pipeline.accept))
        assert last.events == ()
    finally:
        await outbox.close()


async def _all(receipts: AsyncIterator[Receipt]) -> list[Receipt]:
    return [receipt async for receipt in receipts]


@pytest.mark.whole
def test_killed_and_begun_again_it_enqueues_each_row_once(folder: Path) -> None:
    rows = 12_000
    file = written(folder, *((number, number) for number in range(rows)))
    store = folder / "o.db"
    environment = clean_environment(outbox_url=f"sqlite:///{store}", sources_dir=folder / "sources", tmpdir=folder)
    command = [str(COMMAND), "import", "--from", str(file), "--cursor", "at", "--source", "crm", "--json"]

    def enqueued() -> int:
        if not store.exists():
            return 0
        with closing(connect(store, timeout_s=5)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'delivery'").fetchone()
            return int(connection.execute("SELECT count(*) FROM delivery").fetchone()[0]) if tables[0] else 0

    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    until(lambda: enqueued() >= 1_000, 60, "the first rows to be enqueued")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert enqueued() < rows * 4 / 5
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert enqueued() == rows * 4 // 5
    with closing(connect(store, timeout_s=5)) as connection:
        assert connection.execute("SELECT count(DISTINCT order_id) FROM delivery").fetchone() == (rows * 4 // 5,)
