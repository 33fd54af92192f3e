"""`pinrelay outbox-move`: what waits goes over once, also when it is called again."""

import json
import time
from pathlib import Path

import pytest

from app.errors import OutboxUnavailable
from tests.commands.conftest import Run

PAGE = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def test_what_waits_goes_over_and_is_left_behind_by_nobody(run: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    page = PAGE | {"timestamp": time.time()}
    events.write_text("".join(json.dumps({**page, "messageId": f"m-{n}"}) + "\n" for n in range(3)), encoding="utf-8")
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    run("import", events, OUTBOX_URL=old)

    assert "moved: 3 waiting or dead, 0 delivered, 0 dropped events, 3 keys" in run("outbox-move", old, new).stdout
    assert "moved: 0 waiting or dead" in run("outbox-move", old, new).stdout

    left, taken = (json.loads(run("status", "--json", OUTBOX_URL=url).stdout) for url in (old, new))
    assert (left["pending"], taken["pending"]) == (0, 3)


def test_an_outbox_that_holds_something_is_not_moved_into(run: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text(json.dumps({**PAGE, "timestamp": time.time(), "messageId": "m"}), encoding="utf-8")
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    for url in (old, new):
        run("import", events, OUTBOX_URL=url)

    assert "Name an empty one" in str(run("outbox-move", old, new).exception)


@pytest.mark.parametrize("source", ["{}/typo.db", "{}/no/folder/o.db"])
def test_an_outbox_that_is_not_there_is_named_and_none_is_made(run: Run, tmp_path: Path, source: str) -> None:
    old = f"sqlite:///{source.format(tmp_path)}"
    told = run("outbox-move", old, f"sqlite:///{tmp_path}/new.db")
    assert isinstance(told.exception, OutboxUnavailable)
    assert f"No outbox at {old}." in str(told.exception)
    assert list(tmp_path.iterdir()) == [tmp_path / "o.db"]
