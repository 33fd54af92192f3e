"""A real outbox, and what goes wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outbox import Outbox, OutboxRules, open_outbox

RULES = OutboxRules(dedup_window_s=86_400, dedup_orders=True, ledger_s=30 * 86_400, payload_s=0, max_backlog=1_000_000)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """An empty SQLite outbox."""
    opened = open_outbox(f"sqlite:///{tmp_path}/outbox.db", RULES)
    yield opened
    await opened.close()


@pytest.fixture
def errors() -> list[Exception]:
    """What was reported: its `append` is an `on_error`."""
    return []
