"""Backups are whole, of one moment, and readable by their owner; what is restored is what was backed up."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import OutboxUnavailable, OutboxVersionError, SettingsError
from app.outbox import back_up, open_outbox, restore_backup
from app.outbox.sqlite.database import IDENTITY, SCHEMA_VERSION, open_writable
from tests.outbox.build import ACCOUNT, NOW, At, new, rules
from tests.outbox.sqlite.damage import damage_pages_of


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Where a backup goes."""
    return tmp_path / "copy.db"


async def _pending(url: str) -> int:
    outbox = open_outbox(url, rules())
    backlog = await outbox.backlog(ACCOUNT, now=NOW)
    await outbox.close()
    return backlog.pending


async def test_a_backup_holds_all_that_was_committed_while_others_go_on_writing(at: At, url: str, copy: Path) -> None:
    await at.enqueue(*(new() for _ in range(50)))
    size, *_ = await asyncio.gather(asyncio.to_thread(back_up, url, copy), *(at.enqueue(new()) for _ in range(20)))
    assert _size_and_mode(copy) == (size, 0o600)
    assert 50 <= await _pending(f"sqlite:///{copy}") <= 70
    assert await _pending(url) == 70


def _size_and_mode(path: Path) -> tuple[int, int]:
    return path.stat().st_size, stat.S_IMODE(path.stat().st_mode)


async def test_what_is_restored_is_as_it_was_and_what_was_there_lies_beside_it(
    url: str, path: Path, copy: Path
) -> None:
    at = At(open_outbox(url, rules()))
    await at.enqueue(*(new() for _ in range(5)))
    await asyncio.to_thread(back_up, url, copy)
    await at.enqueue(*(new() for _ in range(3)))
    await at.outbox.close()

    aside = restore_backup(url, copy)

    assert aside is not None
    assert await _pending(url) == 5
    assert await _pending(f"sqlite:///{aside}") == 8
    assert _size_and_mode(path)[1] == 0o600
    assert restore_backup(url, copy) != aside


async def test_a_backup_is_restored_where_nothing_is_or_what_is_there_cannot_be_read(
    at: At, url: str, copy: Path, tmp_path: Path
) -> None:
    await at.enqueue(new())
    await asyncio.to_thread(back_up, url, copy)
    nowhere = f"sqlite:///{tmp_path}/folder/new.db"
    assert restore_backup(nowhere, copy) is None
    assert await _pending(nowhere) == 1
    broken = _broken(tmp_path)
    assert restore_backup(f"sqlite:///{broken}", copy) == broken.with_name("broken.db.replaced-1")
    assert await _pending(f"sqlite:///{broken}") == 1


def _broken(folder: Path) -> Path:
    broken = folder / "broken.db"
    broken.write_bytes(b"noise" * 1_000)
    return broken


async def test_an_outbox_that_is_in_use_is_not_replaced(at: At, url: str, copy: Path) -> None:
    await at.enqueue(new())
    await asyncio.to_thread(back_up, url, copy)
    with pytest.raises(OutboxUnavailable, match="Stop its servers first"):
        restore_backup(url, copy)
    await at.enqueue(new())
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).pending == 2


async def test_a_damaged_outbox_gives_no_backup(url: str, path: Path, copy: Path) -> None:
    at = At(open_outbox(url, rules()))
    await at.enqueue(*(new() for _ in range(300)))
    await at.outbox.close()
    damage_pages_of(path, "payload", count=1)
    with pytest.raises(OutboxUnavailable) as told:
        back_up(url, copy)
    assert told.value.why == "damaged"
    assert _names(copy) == []


def _names(copy: Path) -> list[str]:
    return [each.name for each in copy.parent.iterdir() if each.name.startswith(copy.name)]


def test_a_backup_is_not_written_over_and_there_must_be_something_to_back_up(url: str, copy: Path) -> None:
    with pytest.raises(OutboxUnavailable, match="No outbox at"):
        back_up(url, copy)
    asyncio.run(_pending(url))
    copy.write_bytes(b"precious")
    with pytest.raises(OutboxUnavailable, match="already exists"):
        back_up(url, copy)
    assert copy.read_bytes() == b"precious"


def test_where_it_cannot_be_written_nothing_is_left(url: str, path: Path, tmp_path: Path) -> None:
    asyncio.run(_pending(url))
    with pytest.raises(OutboxUnavailable, match="cannot be written"):
        back_up(url, tmp_path / "no folder" / "copy.db")
    back_up(url, tmp_path / "copy.db")
    with pytest.raises(OutboxUnavailable, match="cannot be written"):
        restore_backup(f"sqlite:///{path}/below/a/file.db", tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"No backup at .*/copy\.db"),
        (b"", r"/copy\.db is not an outbox\. Name a file that `pinrelay backup` wrote"),
        (b"noise" * 1_000, r"/copy\.db is not an outbox"),
        (b"id,total\n1,9.99\n", r"/copy\.db is not an outbox"),
    ],
)
def test_what_is_no_backup_is_not_restored(url: str, path: Path, copy: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(OutboxUnavailable, match=words):
        restore_backup(url, copy)
    assert not path.exists()


def test_a_damaged_backup_and_one_of_a_newer_version_are_not_restored(url: str, path: Path, copy: Path) -> None:
    async def fill() -> None:
        at = At(open_outbox(url, rules()))
        await at.enqueue(*(new() for _ in range(300)))
        await at.outbox.close()

    asyncio.run(fill())
    back_up(url, copy)
    newer = copy.with_name("newer.db")
    newer.write_bytes(copy.read_bytes())
    connection = sqlite3.connect(newer)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(OutboxVersionError):
        restore_backup(url, newer)
    damage_pages_of(copy, "payload", count=1)
    with pytest.raises(OutboxUnavailable, match="damaged"):
        restore_backup(url, copy)
    assert path.exists()


@pytest.mark.parametrize(("identity", "version"), [(0, 15), (IDENTITY ^ 1, 1), (1, 0)])
def test_a_backup_of_another_schema_names_its_version_and_writes_nothing(
    url: str, path: Path, copy: Path, identity: int, version: int
) -> None:
    open_writable(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA application_id={identity}; PRAGMA user_version={version};")
    with pytest.raises(OutboxVersionError, match=f"The outbox {path} has schema version {version} of another") as told:
        back_up(url, copy)
    assert "Back it up with the Pinrelay that wrote it." in str(told.value)
    assert "salvage" not in str(told.value)
    assert list(copy.parent.glob(f"{copy.name}*")) == []


def test_postgresql_has_programs_of_its_own(copy: Path) -> None:
    with pytest.raises(SettingsError, match="pg_dump"):
        back_up("postgresql://db/pinrelay", copy)
