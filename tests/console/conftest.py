"""What the console's tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.console.world import PASSWORD, World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A console without a password, seen from this machine."""
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[World]:
    """A console with a password."""
    async with open_world(tmp_path, password=PASSWORD) as world:
        yield world
