"""Whether the file may be trusted with more: it is where it was, no page of it is damaged, its disk has room.

Where it may not, nothing new is taken in, so that no answer of 200 promises what cannot be kept. What was taken before
is sent on from the file as it is open, as far as that can be read.
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

#: Files beside the outbox, by what is added to its name: those that SQLite keeps open, and ours.
_OPEN: Final = ("-wal", "-shm")
_RESERVE: Final = "-reserve"
_DAMAGED: Final = "-damaged"
BESIDE: Final = (*_OPEN, _RESERVE, _DAMAGED)
#: A full disk is looked at again after so long.
_LOOK_AGAIN_S: Final = 1.0
#: The reserve is made again if so many times its size is free: otherwise the next events would fill the disk at once.
_ROOM: Final = 2
#: If most of this room is inside the file, half of the free disk becomes the reserve, at least this part of its size.
_LEAST_PART: Final = 4
#: Public events are taken in where so many times its size is free: the rest of the disk is for trusted ones.
_ROOM_OF_PUBLIC: Final = 4
#: The write-ahead log reaches this size before SQLite copies the log into the file.
_LOG_BYTES: Final = LOG_PAGES * 4_096
#: The largest commit writes at most so much.
_COMMIT_BYTES: Final = CACHE_KB * 1_024
#: After so many steps of SQLite's machine it is looked whether the time for the check is over.
_STEPS_A_LOOK: Final = 10_000

#: Tells a file from all others: device and inode.
_Identity: TypeAlias = tuple[int, int]


class Guard:
    """Asked by the thread that writes before and after whatever takes something in; told of every error of SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path
        files = [path, *(Path(f"{path}{suffix}") for suffix in _OPEN)]
        self._files = {file: _identity(file) for file in files}
        self._damage: OutboxUnavailable | None = None
        #: A write failed because of the limit on file sizes.
        self._is_limited = False
        #: Beside the file while it is known to be damaged, so that all processes know, and those to come.
        self._mark = Path(f"{path}{_DAMAGED}")
        self._reserve = Path(f"{path}{_RESERVE}")
        self._reserve_bytes = 0
        self._looked_at = float("-inf")
        self._no_room: OutboxUnavailable | None = None
        self._measured_at = float("-inf")

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate the errors of SQLite inside: what it raises becomes OutboxUnavailable, raised from it."""
        try:
            yield
        except sqlite3.Error as exc:
            raise self.unavailable(exc) from exc

    def unavailable(self, exc: sqlite3.Error) -> OutboxUnavailable:
        """Return what an error of SQLite means and what helps, and note what it says of the file.

        A damaged page makes it untrusted until a whole look at the start finds it good.
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
        """Return why nothing new may be taken in; None where it may."""
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

        Only called after a failed write: until then, a small limit may leave enough room.
        """
        limit_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        used_bytes = 0
        with suppress(OSError, sqlite3.Error), closing(open_readable(self._path)) as connection:
            used_bytes = self._path.stat().st_size - unused_bytes(connection)
        needed_bytes = max(_LOG_BYTES, used_bytes) + _COMMIT_BYTES
        self._is_limited = limit_bytes != resource.RLIM_INFINITY and limit_bytes < needed_bytes
        return _limited(self._path, limit_bytes, needed_bytes) if self._is_limited else None

    def refusal_of_public(self) -> OutboxUnavailable | None:
        """Return why nothing public may be taken in, so that trusted events still find room; None where it may."""
        if time.monotonic() - self._measured_at >= _LOOK_AGAIN_S:
            self._measured_at = time.monotonic()
            needed = _ROOM_OF_PUBLIC * self._reserve_bytes
            with suppress(OSError):  # where it cannot be asked, as before
                has_room = free_bytes(self._path) >= needed or self._room_bytes() >= needed
                self._no_room = None if has_room else _no_room_of_public(self._path, needed)
        return self._no_room

    def release(self) -> bool:
        """Free the reserve, so that what was taken in can be sent and settled; False where there is none to free."""
        if not self._reserve_bytes or not free_reserve(self._path):
            return False
        self._looked_at = time.monotonic()
        return True

    def keep_reserve(self, size_bytes: int) -> None:
        """Keep so many bytes of the disk; 0 keeps none. Where the disk has no room for it, nothing new is taken in."""
        self._reserve_bytes = size_bytes
        if not size_bytes:
            self._reserve.unlink(missing_ok=True)
        elif not self._reserve.exists():
            self._refill()

    def _refill(self) -> bool:
        """Make the reserve, unless the disk was too full a moment ago."""
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
        """Return the free bytes of the disk and of the file. Raises OSError if the disk cannot be asked."""
        room_bytes = free_bytes(self._path)
        with suppress(OutboxUnavailable), self.translated_errors(), closing(open_readable(self._path)) as connection:
            room_bytes += unused_bytes(connection)
        return room_bytes

    def look_through(self, *, for_s: float) -> None:
        """Look for damage in the file, for so many seconds at most. Blocks; what is found is kept for `refusal`."""
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
            elif self._damage is None:  # mended, or replaced by a good one
                self._mark.unlink(missing_ok=True)


def free_reserve(path: Path) -> bool:
    """Free the reserve of the outbox at `path`; return False where there is none, or it cannot be."""
    try:
        Path(f"{path}{_RESERVE}").unlink()
    except OSError:
        return False
    return True


def free_bytes(path: Path) -> int:
    """Return the free bytes of the disk of a file. Raises OSError where it cannot be asked."""
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
    """Return which file is there; None where none is, or it cannot be asked."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _allocate(file: BinaryIO, size_bytes: int) -> None:
    """Take so many bytes of the disk. Raises OSError where it has not so many."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size_bytes)
    else:  # macOS has none
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
