"""A real outbox, and what goes wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store

RULES = outbox_rules(max_backlog=1_000_000)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """An empty SQLite outbox."""
    opened = open_outbox(new_store(tmp_path), RULES)
    yield opened
    await opened.close()


@pytest.fixture
def errors() -> list[Exception]:
    """What was reported: its `append` is an `on_error`."""
    return []
