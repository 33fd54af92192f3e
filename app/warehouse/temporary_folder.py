"""Folders for data that exceeds memory; the next start removes the folders of killed processes."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final

_PREFIX: Final = "pinrelay-rows-"
#: Locked by the process that works in the folder, during its lifetime.
_LOCK: Final = "in-use"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, and remove it with its content."""
    with (
        TemporaryDirectory(prefix=_PREFIX, dir=_parent()) as folder,
        Path(folder, _LOCK).open("w", encoding="utf-8") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder)


def clear_leftovers() -> int:
    """Remove the folders of killed processes, and return their number; those in use stay."""
    found = 0
    with suppress(OSError):  # without a temporary folder, its users report the error
        for folder in _parent().glob(f"{_PREFIX}*"):
            found += _is_left(folder) and not shutil.rmtree(folder, ignore_errors=True)
    return found


def _parent() -> Path:
    """Return this user's private folder in TMPDIR; TMPDIR itself if another user owns that name."""
    user, everyones = os.geteuid(), Path(gettempdir())
    folder = everyones / f"pinrelay-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    return folder if stat.S_ISDIR(status.st_mode) and status.st_uid == user else everyones


def _is_left(folder: Path) -> bool:
    """Return whether a folder is ours and not in use; a folder without a lock is new and empty."""
    with suppress(OSError):
        if folder.lstat().st_uid == os.geteuid():
            with (folder / _LOCK).open("r", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
