"""Disks that are small enough to be filled."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


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
