"""Backup, restore and salvage as commands: what they say, and that what they brought is there."""

import json
import time
from pathlib import Path

import pytest

from app.commands import backup
from tests.commands.conftest import Run
from tests.outbox.other_connection import execute
from tests.outbox.sqlite.damage import damage_pages_of


def fill(run: Run, folder: Path, *, prefix: str = "m-") -> Path:
    """Import 400 events that wait then; return the outbox."""
    page = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}, "timestamp": time.time()}
    events = folder / "events"
    lines = [json.dumps({**page, "messageId": f"{prefix}{n}"}) + "\n" for n in range(1, 401)]
    events.write_text("".join(lines), encoding="utf-8")
    run("import", events)
    return folder / "o.db"


@pytest.fixture
def filled(run: Run, tmp_path: Path) -> Path:
    """An outbox of 400 deliveries that wait."""
    return fill(run, tmp_path)


def pending(run: Run, **settings: str) -> int:
    return int(json.loads(run("status", "--json", **settings).stdout)["pending"])


def test_a_backup_is_restored(run: Run, filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert f"{copy}: " in run("backup", copy).stdout
    filled.unlink()
    assert run("restore", copy).stdout == f"Restored {copy}.\n"
    assert pending(run) == 400
    before = f"{filled}.replaced-1"
    assert f"The replaced outbox is now {before}." in run("restore", copy).stdout
    assert json.loads(run("restore", copy, "--json").stdout) == {"restored": str(copy), "before": before[:-1] + "2"}


def test_a_backup_says_its_size_as_json(run: Run, filled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert json.loads(run("backup", copy, "--json").stdout) == {"file": str(copy), "bytes": copy.stat().st_size}


def test_a_salvage_names_what_is_lost(run: Run, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage_pages_of(filled, "payload", count=2)
    damage_pages_of(filled, "dedup_key", count=1)
    target = f"sqlite:///{tmp_path}/new.db"
    monkeypatch.setattr(backup, "_NAMED", 2)

    told = run("outbox-salvage", filled, target).stdout

    waiting = pending(run, OUTBOX_URL=target)
    assert f"salvaged: {told.split(' keys')[0].split()[-1]} keys, 0 owners, {waiting} waiting, 0 delivered" in told
    assert told.count("lost: delivery ") == 2
    assert f"lost: {400 - waiting - 2:,} more; --json lists all" in told
    assert "ranges of keys" in told
    as_json = json.loads(run("outbox-salvage", filled, f"sqlite:///{tmp_path}/newer.db", "--json").stdout)
    assert len(as_json["lost"]) == 400 - waiting
    assert all(each["message_id"] == f"m-{each['delivery_id']}" for each in as_json["lost"])


def test_a_salvage_names_each_damaged_shared_value(run: Run, filled: Path, tmp_path: Path) -> None:
    execute(f"sqlite:///{filled}", "INSERT INTO shared VALUES ('feed/state', '{', 1)")
    told = run("outbox-salvage", filled, f"sqlite:///{tmp_path}/new.db").stdout
    assert "lost: shared value feed/state\n" in told
    as_json = json.loads(run("outbox-salvage", filled, f"sqlite:///{tmp_path}/newer.db", "--json").stdout)
    assert as_json["lost_shared"] == ["feed/state"]


def test_no_message_id_moves_the_cursor(run: Run, tmp_path: Path) -> None:
    damage_pages_of(fill(run, tmp_path, prefix="\x1b[2J"), "payload", count=2)
    told = run("outbox-salvage", tmp_path / "o.db", f"sqlite:///{tmp_path}/new.db").stdout
    assert "message \\x1b[2J" in told
    assert "\x1b" not in told


def test_lost_notes_are_counted(run: Run, filled: Path, tmp_path: Path) -> None:
    refused = tmp_path / "refused"
    refused.write_text("".join(json.dumps({"messageId": f"r-{n}"}) + "\n" for n in range(400)), encoding="utf-8")
    run("import", refused)
    damage_pages_of(filled, "dropped_event", count=1)
    assert (
        " dropped events\n" in run("outbox-salvage", filled, f"sqlite:///{tmp_path}/new.db").stdout.split("lost: ")[-1]
    )
