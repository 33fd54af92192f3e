"""A store of every version that was released, and of a day before the first, is upgraded and loses nothing.

`make release` adds one: tests/outbox/keep_store.py.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.outbox import open_outbox
from app.outbox.sqlite.database import SCHEMA_VERSION
from app.types import Exit, Query
from tests.outbox.build import new, rules
from tests.outbox.keep_store import dump

STORES = {path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "stores").glob("*.sql")}
assert STORES


@pytest.mark.parametrize("version", sorted(STORES))
async def test_a_store_of_before_is_upgraded_and_loses_nothing(version: str, tmp_path: Path) -> None:
    file = tmp_path / "pinrelay.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(STORES[version])
        account, now = connection.execute("SELECT ad_account_id, max(due_at) FROM delivery").fetchone()
    outbox = open_outbox(f"sqlite:///{file}", rules(), clock=lambda: now)
    try:
        kept = (await outbox.search(Query(), limit=9)).deliveries
        names = sorted({(each.name, each.source) for each in kept})
        named = await outbox.inventory.name_counts(names, first_day=0, last_day=10**6)
        assert sum(each.number for each in named if each.state == "waiting") == 2
        claimed = await outbox.claim(account, limit=9, max_bytes=10**6, max_wait_s=0, lease_s=60, now=now)
        sent = {each.message_id: json.loads(each.payload) for each in claimed}
        assert {key: each["event_name"] for key, each in sent.items()} == {"old-1": "checkout", "old-2": "signup"}
        assert sent["old-1"]["custom_data"]["order_id"] == "SO-1"
        again = new(ad_account_id=account, preset="Order Completed", event_name="checkout", event_id="old-1")
        (judged,) = await outbox.enqueue([again], [], [], now=now)
        assert judged.exit is Exit.DUPLICATE
        assert {note.exit for _, note in (await outbox.message("old-3")).notes} == {Exit.INVALID}
        assert (await outbox.backlog(account, now=now)).claimed == 2
    finally:
        await outbox.close()
    assert dump(file).startswith(f"PRAGMA user_version={SCHEMA_VERSION};")
