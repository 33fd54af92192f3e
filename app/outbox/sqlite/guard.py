"""Decide whether the file may accept data: it has not been replaced, has no damaged page, and its disk has space.

Otherwise no new event is accepted, so that no response 200 confirms an event that may be lost. Stored deliveries are
still sent from the open file, as far as they are readable.
"""

import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from app.core.log import log_error
from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import CACHE_KB, LOG_PAGES, OWNER_ONLY, open_readable, unavailable

#: Files next to the outbox, by the suffix of their name: those that SQLite opens, and those of Pinrelay.
_OPEN: Final = ("-wal", "-shm")
_RESERVE: Final = "-reserve"
_DAMAGED: Final = "-damaged"
BESIDE: Final = (*_OPEN, _RESERVE, _DAMAGED)
#: The interval between checks of a full disk.
_LOOK_AGAIN_S: Final = 1.0
#: The reserve is created again if this multiple of its size is free: otherwise the next events would fill the disk at
#: once.
_ROOM: Final = 2
#: If most of this space is inside the file, half of the free disk becomes the reserve, at least this part of its size.
_LEAST_PART: Final = 4
#: Public events are accepted if this multiple of its size is free: the rest of the disk is for trusted ones.
_ROOM_OF_PUBLIC: Final = 4
#: The write-ahead log reaches this size before SQLite copies the log into the file.
_LOG_BYTES: Final = LOG_PAGES * 4_096
#: The maximum size of a commit.
_COMMIT_BYTES: Final = CACHE_KB * 1_024
#: The number of steps of SQLite's machine between checks of the time limit.
_STEPS_A_LOOK: Final = 10_000

#: The identity of a file: device and inode.
_Identity: TypeAlias = tuple[int, int]


class Guard:
    """The check before and after each write of new data, informed of every error of SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path
        files = [path, *(Path(f"{path}{suffix}") for suffix in _OPEN)]
        self._files = {file: _identity(file) for file in files}
        self._damage: OutboxUnavailable | None = None
        #: Whether a write failed because of the limit on file sizes.
        self._is_limited = False
        #: A file next to the damaged outbox, so that all processes, now and later, know of the damage.
        self._mark = Path(f"{path}{_DAMAGED}")
        self._reserve = Path(f"{path}{_RESERVE}")
        self._reserve_bytes = 0
        self._looked_at = float("-inf")
        self._no_room: OutboxUnavailable | None = None
        self._measured_at = float("-inf")

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise OutboxUnavailable from the errors of SQLite inside."""
        try:
            yield
        except sqlite3.Error as exc:
            raise self.unavailable(exc) from exc

    def unavailable(self, exc: sqlite3.Error) -> OutboxUnavailable:
        """Return the meaning of an SQLite error and its remedy, and note the state of the file.

        A damaged page makes the file untrusted until a complete check at the start finds no damage.
        """
        error = unavailable(exc)
        if error.why == "damaged":
            self._damage = self._damage or error
            with suppress(OSError):
                self._mark.touch(OWNER_ONLY)
        if getattr(exc, "sqlite_errorname", "").startswith("SQLITE_IOERR"):
            was_limited, limited = self._is_limited, self._limit_refusal()
            if limited and not was_limited:
                log_error(limited)
            return limited or error
        return error

    def refusal(self) -> OutboxUnavailable | None:
        """Return the reason to refuse new data; `None` without one."""
        if self._damage is None and self._mark.exists():
            self.unavailable(_corrupt("another process met it"))
        if self._damage:
            return self._damage
        for path, identity in self._files.items():
            if _identity(path) != identity:
                return _gone(path)
        if self._reserve_bytes and not self._reserve.exists() and not self._refill():
            return _full(self._path, _ROOM * self._reserve_bytes)
        return self._limit_refusal() if self._is_limited else None

    def _limit_refusal(self) -> OutboxUnavailable | None:
        """Return the error if this process may not write files as large as the next commits need.

        Only called after a failed write: until then, a small limit may leave enough space.
        """
        limit_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        used_bytes = 0
        with suppress(OSError, sqlite3.Error), closing(open_readable(self._path)) as connection:
            used_bytes = self._path.stat().st_size - unused_bytes(connection)
        needed_bytes = max(_LOG_BYTES, used_bytes) + _COMMIT_BYTES
        self._is_limited = limit_bytes != resource.RLIM_INFINITY and limit_bytes < needed_bytes
        return _limited(self._path, limit_bytes, needed_bytes) if self._is_limited else None

    def refusal_of_public(self) -> OutboxUnavailable | None:
        """Return the reason to refuse public data, so that space for trusted events remains; `None` without one."""
        if time.monotonic() - self._measured_at >= _LOOK_AGAIN_S:
            self._measured_at = time.monotonic()
            needed = _ROOM_OF_PUBLIC * self._reserve_bytes
            with suppress(OSError):  # if the free space is unknown, the previous result stays
                has_room = free_bytes(self._path) >= needed or self._room_bytes() >= needed
                self._no_room = None if has_room else _no_room_of_public(self._path, needed)
        return self._no_room

    def release(self) -> bool:
        """Free the reserve, so that stored deliveries can be sent and settled; return `False` without a reserve."""
        if not self._reserve_bytes or not free_reserve(self._path):
            return False
        self._looked_at = time.monotonic()
        return True

    def keep_reserve(self, size_bytes: int) -> None:
        """Reserve this number of bytes of the disk; 0 removes the reserve.

        If the disk is too full, no new data is accepted.
        """
        self._reserve_bytes = size_bytes
        if not size_bytes:
            self._reserve.unlink(missing_ok=True)
        elif not self._reserve.exists():
            self._refill()

    def _refill(self) -> bool:
        """Create the reserve, unless the disk was too full a moment ago."""
        if time.monotonic() - self._looked_at < _LOOK_AGAIN_S:
            return False
        self._looked_at = time.monotonic()
        part = Path(f"{self._reserve}-{os.getpid()}")
        try:
            size_bytes = min(self._reserve_bytes, free_bytes(self._path) // _ROOM)
            if size_bytes < self._reserve_bytes / _LEAST_PART or self._room_bytes() < _ROOM * self._reserve_bytes:
                return False
            with part.open("wb") as file:
                _allocate(file, size_bytes)
            part.replace(self._reserve)
        except OSError:
            with suppress(OSError):
                part.unlink()
            return False
        return True

    def _room_bytes(self) -> int:
        """Return the free bytes of the disk and of the file. Raises OSError if those of the disk are unknown."""
        room_bytes = free_bytes(self._path)
        with suppress(OutboxUnavailable), self.translated_errors(), closing(open_readable(self._path)) as connection:
            room_bytes += unused_bytes(connection)
        return room_bytes

    def look_through(self, *, for_s: float) -> None:
        """Check the file for damage, for at most `for_s` seconds. Blocks; the result is stored for `refusal`."""
        ends_at = time.monotonic() + for_s
        with suppress(OutboxUnavailable), self.translated_errors():
            connection = open_readable(self._path)
            try:
                connection.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS_A_LOOK)
                ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.OperationalError as exc:
                if exc.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                return  # the time is over
            finally:
                connection.close()
            if found != "ok":
                self.unavailable(_corrupt(found))
            elif self._damage is None:  # repaired, or replaced by a valid one
                self._mark.unlink(missing_ok=True)


def free_reserve(path: Path) -> bool:
    """Free the reserve of the outbox at `path`; return `False` without one, or after an error."""
    try:
        Path(f"{path}{_RESERVE}").unlink()
    except OSError:
        return False
    return True


def free_bytes(path: Path) -> int:
    """Return the free bytes of the disk of a file. Raises OSError if they are unknown."""
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


def unused_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the pages of the file that are free for other rows."""
    ((pages, page_size),) = connection.execute("SELECT * FROM pragma_freelist_count, pragma_page_size").fetchall()
    return int(pages * page_size)


def _corrupt(words: str) -> sqlite3.DatabaseError:
    damage = sqlite3.DatabaseError(words)
    damage.sqlite_errorname = "SQLITE_CORRUPT"
    return damage


def _identity(path: Path) -> _Identity | None:
    """Return the identity of the current file; `None` if it is missing or unreadable."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _allocate(file: BinaryIO, size_bytes: int) -> None:
    """Allocate this number of bytes on the disk. Raises OSError if there are too few."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size_bytes)
    else:  # missing on macOS
        file.write(bytes(size_bytes))


def _gone(path: Path) -> OutboxUnavailable:
    message = (
        f"The outbox {path} was deleted or replaced while it was open. No more events are stored. While this "
        "process runs, it sends its stored events. Wait until the backlog is empty, then restart."
    )
    return OutboxUnavailable(message, why="gone", retry_after_s=60)


def _limited(path: Path, limit_bytes: int, needed_bytes: int) -> OutboxUnavailable:
    message = (
        f"This process may write files of at most {limit_bytes:,} bytes, and the outbox {path} needs "
        f"{needed_bytes:,}: raise the limit (`ulimit -f`, LimitFSIZE= of systemd, `ulimits: fsize` of Compose)."
    )
    return OutboxUnavailable(message, why="not writable", retry_after_s=60)


def _no_room_of_public(path: Path, needed_bytes: int) -> OutboxUnavailable:
    message = (
        f"The disk of the outbox {path} has room for trusted events only: free space until {needed_bytes:,} bytes are "
        f"free, {_ROOM_OF_PUBLIC} times the reserve."
    )
    return OutboxUnavailable(message, why="disk full", retry_after_s=60)


def _full(path: Path, needed_bytes: int) -> OutboxUnavailable:
    message = (
        f"The disk of the outbox {path} is full: free space until {needed_bytes:,} bytes are free, "
        "twice the reserve. Free pages of the file count, but a quarter must be free on the disk. Stored "
        "events are still sent, in the reserved space."
    )
    return OutboxUnavailable(message, why="disk full", retry_after_s=60)
