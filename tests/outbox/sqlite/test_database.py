"""The file: made, migrated, refused, and what is said where it cannot be used."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import OutboxUnavailable, OutboxVersionError
from app.outbox import open_outbox, open_store, restore_backup
from app.outbox.rows import as_json, named_queries
from app.outbox.sqlite import database
from app.outbox.sqlite.database import (
    IDENTITY,
    SCHEMA_VERSION,
    SQL,
    migrate,
    open_writable,
    schema,
    statements,
    unavailable,
)
from tests.outbox.build import At, new, rules
from tests.process import ROOT
from tests.rows import every_row


@given(st.lists(st.sampled_from(["\0", "\\", "u0000", '"', "x"])).map("".join))
def test_u_0000_is_replaced_and_nothing_that_looks_like_it(text: str) -> None:
    assert orjson.loads(as_json([text])) == [text.replace("\0", "\ufffd")]


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_a_new_file_has_the_newest_schema_and_is_its_owners(path: Path) -> None:
    open_writable(path).close()
    assert _version(path) == SCHEMA_VERSION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_commit_is_on_the_disk_before_it_is_answered_on_macos_too(path: Path) -> None:
    connection = open_writable(path)
    asked = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "fullfsync")]
    connection.close()
    assert asked == [2, 1]


async def test_a_file_of_the_same_version_is_opened_as_it_is(at: At, path: Path) -> None:
    await at.enqueue(new(message_id="m"))
    open_writable(path).close()
    assert len((await at.outbox.message("m")).deliveries) == 1


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writable(path).close()
    monkeypatch.setattr(database, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(database, "schema", {2: "CREATE TABLE new (x);", 3: "CREATE TABLE counter (x);"}.__getitem__)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="counter"):
            migrate(connection)
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'new'").fetchall() == [(0,)]
    assert _version(path) == SCHEMA_VERSION


OLD = "CREATE TABLE delivery (id INTEGER); INSERT INTO delivery VALUES (1);"


@pytest.mark.parametrize(
    "script",
    [
        f"{OLD} PRAGMA user_version=1;",
        f"{OLD} PRAGMA user_version=16;",
        f"PRAGMA journal_mode=WAL; {OLD} PRAGMA user_version=16;",
        f"{OLD} PRAGMA user_version={SCHEMA_VERSION}; PRAGMA application_id={IDENTITY ^ 1};",
        "CREATE TABLE notes_of_another_program (x);",
        "PRAGMA application_id=1;",
    ],
)
@pytest.mark.parametrize("is_in_use", [False, True])
def test_a_file_without_the_identity_is_refused_and_left_as_it_is(path: Path, script: str, *, is_in_use: bool) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(script)
    copy = path.with_name("copy.db")
    connection.execute("VACUUM INTO ?", [str(copy)])
    if not is_in_use:
        connection.close()
    before = {file: file.read_bytes() for file in (path, Path(f"{path}-wal")) if file.exists()}
    for refused in (
        lambda: open_outbox(f"sqlite:///{path}", rules()),
        lambda: open_store(f"sqlite:///{path}"),
        lambda: restore_backup(f"sqlite:///{path}", copy),
    ):
        with pytest.raises(OutboxVersionError, match=r"`pinrelay outbox-salvage .*\.db sqlite:///.*new\.db`") as told:
            refused()
        assert "again later" not in str(told.value)
    assert {file: file.read_bytes() for file in before} == before
    connection.close()


def test_a_file_that_a_crash_left_half_made_is_made(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    assert path.stat().st_size
    open_writable(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (IDENTITY,)
    assert hex(IDENTITY).startswith("0x5052")


def test_what_must_be_rolled_back_first_is_no_reason_to_refuse_a_file(path: Path) -> None:
    """A file that is not in WAL mode, after a crash in the middle of a write."""
    open_writable(path).close()
    left = path.with_name("left.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute(
            "WITH RECURSIVE n (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 9999) "
            "INSERT INTO delivery_owner (message_id, is_trusted, at) SELECT x, 0, 1 FROM n"
        )
        for end in ("", "-journal"):
            Path(f"{left}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    with closing(open_writable(left)) as connection:
        assert connection.execute("SELECT count(*) FROM delivery_owner").fetchone() == (0,)


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    connection = open_writable(path)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(OutboxVersionError, match=f"version {SCHEMA_VERSION + 1}"):
        open_outbox(f"sqlite:///{path}", rules())
    assert _version(path) == SCHEMA_VERSION + 1


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(OutboxUnavailable, match="not an outbox"):
        open_outbox(f"sqlite:///{path}", rules())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxUnavailable, match="cannot be opened"):
        open_outbox(f"sqlite:///{tmp_path}/file/outbox.db", rules())


def test_an_sqlite_that_is_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(OutboxUnavailable, match="too old"):
        open_writable(path)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_that_stays_locked_while_it_is_opened_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute(f"BEGIN {lock}")
    with pytest.raises(OutboxUnavailable, match="locked"):
        open_writable(path)
    holder.close()


@pytest.mark.whole
def test_processes_that_start_together_on_a_new_file_agree(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from app.outbox.sqlite.database import open_writable;"
        "open_writable(Path(sys.argv[1])).close()"
    )
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors


@every_row(
    ("name", "words"),
    [
        ("SQLITE_FULL", "disk is full"),
        ("SQLITE_BUSY_SNAPSHOT", "locked"),
        ("SQLITE_IOERR_WRITE", "disk refuses writes"),
        ("SQLITE_READONLY", "owner"),
        ("SQLITE_READONLY_DBMOVED", "moved or deleted"),
        ("SQLITE_CORRUPT", "damaged"),
        ("SQLITE_MISMATCH", "see the log"),
    ],
)
def test_every_error_of_sqlite_is_told_with_its_remedy(name: str, words: str) -> None:
    error = sqlite3.OperationalError("secret")
    error.sqlite_errorname = name
    told = unavailable(error)
    assert words in str(told)
    assert "secret" not in str(told)
    assert told.__cause__ is error


def test_every_query_has_one_name_one_sentence_and_one_statement() -> None:
    for text in SQL.values():
        sentence, sql = text.strip().split("\n", 1)
        assert sentence.startswith("-- ")
        assert sentence.endswith(".")
        assert len(list(statements(sql))) == 1


def test_a_script_is_split_into_statements_and_a_trigger_is_one() -> None:
    made = list(statements(schema(1)))
    assert len([statement for statement in made if "CREATE TRIGGER" in statement]) > 3
    assert named_queries("-- a --\n-- A.\nSELECT 1;\n-- b --\n-- B.\nSELECT 2;\n") == {
        "a": "\n-- A.\nSELECT 1;\n",
        "b": "\n-- B.\nSELECT 2;\n",
    }
