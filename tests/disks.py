"""Disks that are small enough to be filled, and one that takes no time."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOM_BYTES = 2_000_000_000


def fast_folder() -> str:
    """Return a folder in memory where there is room, else the usual one for what is temporary. No test cuts the power.

    Outboxes sync each commit, for which a disk takes longer than most tests for all the rest.
    """
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES
    return str(memory) if has_room else tempfile.gettempdir()


def bytes_of(path: Path) -> bytes:
    """Return what a file holds, without the zeros at its ends: an outbox keeps 64 MB of nothing else in reserve."""
    return path.read_bytes().strip(b"\0")


@contextmanager
def small_disk_at(folder: Path, *, size_bytes: int, mode: str = "755") -> Iterator[None]:
    """Mount an empty disk of so many bytes at a folder; skip the test where that is not permitted: only root may."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode={mode}", "pinrelay-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk, or nobody but root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
