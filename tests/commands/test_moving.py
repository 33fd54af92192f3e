"""`pinrelay outbox-move`: what waits goes over once, also when it is called again."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]
PAGE = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def test_what_waits_goes_over_and_is_left_behind_settled(run: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text("".join(json.dumps({**PAGE, "messageId": f"m-{n}"}) + "\n" for n in range(3)), encoding="utf-8")
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    run("import", events, OUTBOX_URL=old)

    assert "3 moved, 0 were there already" in run("outbox-move", old, new).stdout
    assert "0 moved" in run("outbox-move", old, new).stdout

    left, taken = (json.loads(run("status", "--json", OUTBOX_URL=url).stdout) for url in (old, new))
    assert (left["pending"], taken["pending"]) == (0, 3)
    assert "moved to another outbox" in run("message", "m-1", OUTBOX_URL=old).stdout
