"""Where runs have their files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def ram_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where this machine has one: a run's processes die, its disk does not."""
    if not _MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="pinrelay-simulation-", dir=_MEMORY))
    yield folder
    shutil.rmtree(folder)
