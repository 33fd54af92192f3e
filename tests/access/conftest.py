"""What the tests of access share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import rules


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Outbox]:
    outbox = open_outbox(f"sqlite:///{tmp_path}/o.db", rules())
    yield outbox
    await outbox.close()
