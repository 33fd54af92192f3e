"""A store for what is kept of feeds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import rules
from tests.outbox.new_store import new_store


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    outbox = open_outbox(new_store(tmp_path), rules())
    yield outbox
    await outbox.close()
