"""`pinrelay outbox-move`: what waits goes over once, also when it is called again."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from app.assemble import SANDBOX_AD_ACCOUNT_ID
from app.outbox import open_outbox
from app.types import Claimed
from tests.outbox.build import NOW, new, rules

Run = Callable[..., Result]
PAGE = {"type": "page", "context": {"ip": "203.0.113.9", "userAgent": "x"}}


def test_what_waits_goes_over_and_is_left_behind_settled(run: Run, tmp_path: Path) -> None:
    events = tmp_path / "events"
    page = PAGE | {"timestamp": time.time()}
    events.write_text("".join(json.dumps({**page, "messageId": f"m-{n}"}) + "\n" for n in range(3)), encoding="utf-8")
    old, new = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    run("import", events, OUTBOX_URL=old)

    assert "3 moved, 0 were there already" in run("outbox-move", old, new).stdout
    assert "0 moved" in run("outbox-move", old, new).stdout

    left, taken = (json.loads(run("status", "--json", OUTBOX_URL=url).stdout) for url in (old, new))
    assert (left["pending"], taken["pending"]) == (0, 3)
    assert "moved to another outbox" in run("message", "m-1", OUTBOX_URL=old).stdout


def test_what_goes_over_keeps_its_trace(run: Run, tmp_path: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    old, target = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"

    async def fill() -> None:
        outbox = open_outbox(old, rules())
        payload = b'{"event_time": 1, "user_data": {}}'
        traced = new(ad_account_id=SANDBOX_AD_ACCOUNT_ID, payload=payload, traceparent=trace)
        await outbox.enqueue([traced], [], [], now=0)
        await outbox.close()

    async def look() -> list[Claimed]:
        outbox = open_outbox(target, rules())
        claimed = await outbox.claim(
            SANDBOX_AD_ACCOUNT_ID, limit=9, max_bytes=10_000, max_wait_s=0, lease_s=60, now=NOW * 2
        )
        await outbox.close()
        return claimed

    asyncio.run(fill())
    run("outbox-move", old, target)
    assert [each.traceparent for each in asyncio.run(look())] == [trace]
