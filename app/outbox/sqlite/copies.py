"""Backups: a consistent copy of the file during use, and its restoration."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from app.errors import OutboxUnavailable, OutboxVersionError
from app.outbox.sqlite.database import (
    BUSY_TIMEOUT_S,
    IDENTITY,
    OWNER_ONLY,
    SCHEMA_VERSION,
    SQL,
    open_untouched,
    read_version,
    translated_errors,
)
from app.outbox.sqlite.guard import BESIDE


def back_up(path: Path, copy: Path) -> int:
    """Write all committed data to the new file `copy`, which only its owner can read; return its size in bytes.

    The outbox may be in use: the copy has the state of a single time. The copy is checked before it is renamed, so that
    no damaged or partial copy remains. Raises OutboxUnavailable if a file cannot be used.
    """
    if not path.exists():
        raise OutboxUnavailable(f"No outbox at {path}. Check OUTBOX_URL.", why="gone")
    if copy.exists():
        raise OutboxUnavailable(f"{copy} already exists. Name a new file.")
    with _part_of(copy) as part:
        with (
            translated_errors(),
            closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection,
        ):
            _check_schema(path, connection)
            connection.execute("VACUUM INTO ?", (str(part),))
        _check(part)
        _sync(part)
        part.replace(copy)
        _sync(copy.parent)
    return copy.stat().st_size


def restore(copy: Path, path: Path) -> Path | None:
    """Replace the outbox at `path` by a copy of `copy`; return the new path of the previous file.

    Returns `None` without a previous file.

    The outbox must be unused: stop its servers first. Raises OutboxUnavailable if it is in use, or if the copy is
    damaged or no copy of an outbox; then nothing has changed.
    """
    if not copy.is_file():
        raise OutboxUnavailable(f"No backup at {copy}. Name a file that `pinrelay backup` wrote.", why="gone")
    _check(copy)
    aside = _free_name(path)
    with _part_of(path, makes_folder=True) as part:
        shutil.copyfile(copy, part)
        _sync(part)
        if path.exists():
            _check_unused(path)
            path.rename(aside)
        for name in BESIDE:
            beside = Path(f"{path}{name}")
            if beside.exists():
                beside.rename(f"{aside}{name}")
        part.rename(path)
        _sync(path.parent)
    return aside if aside.exists() else None


@contextmanager
def _part_of(path: Path, *, makes_folder: bool = False) -> Iterator[Path]:
    """Create a file that is renamed to `path` when complete; only its owner can read it.

    After an error, no part remains. Raises OutboxUnavailable if it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
        yield part
    except OSError as exc:
        message = f"{path} cannot be written: {exc.strerror}. Look at its folder, its owner and its space."
        raise OutboxUnavailable(message, why="not writable") from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _free_name(path: Path) -> Path:
    """Return a free name next to `path` for its current file."""
    number = 1
    while (aside := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    return aside


def _check(path: Path) -> None:
    """Raise OutboxUnavailable unless the file is a valid outbox of this version, or of an older one."""
    try:
        with closing(open_untouched(path)) as connection:
            is_outbox = read_version(connection) != 0
            if is_outbox:
                ((found, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.DatabaseError as exc:
        is_outbox, found = exc.sqlite_errorcode != sqlite3.SQLITE_NOTADB, f"{exc}"
    if not is_outbox:
        raise OutboxUnavailable(f"{path} is not an outbox. Name a file that `pinrelay backup` wrote.")
    if found != "ok":
        raise OutboxUnavailable(f"{path} is damaged or unreadable: {found}. Name another backup.", why="damaged")


def _check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """Raise OutboxVersionError, with the version, if the outbox has another schema than those of this Pinrelay."""
    identity, version, *_ = connection.execute(SQL["version"]).fetchone()
    if identity != IDENTITY:
        message = (
            f"The outbox {path} has schema version {version} of another Pinrelay or program, and this Pinrelay has "
            f"schema version {SCHEMA_VERSION}. Back it up with the Pinrelay that wrote it."
        )
        raise OutboxVersionError(message)


def _check_unused(path: Path) -> None:
    """Raise OutboxUnavailable if the outbox is open elsewhere; an unreadable one counts as unused."""
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # SQLite does this only for a single connection
    except sqlite3.DatabaseError as exc:
        if exc.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            message = f"Somebody uses the outbox {path}. Stop its servers first: nothing was restored."
            raise OutboxUnavailable(message, why="locked") from exc


def _sync(path: Path) -> None:
    """Sync a file, or the names of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
