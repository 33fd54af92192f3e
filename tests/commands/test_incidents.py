"""`pinrelay incidents list`, over a real outbox."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

from app.core.shared_values import INCIDENTS, OPEN_INCIDENTS, Incident
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox

DAY_S = 86_400


def test_incidents_are_listed_by_days_and_state(run: Run, tmp_path: Path) -> None:
    now = time.time()
    over = Incident(
        id="0a1b",
        key="blocked",
        kind="blocked",
        severity="critical",
        text="Pinterest refuses our calls.",
        ad_account_id="42",
        since=now - 9 * DAY_S,
        until=now - 8 * DAY_S,
        events=3,
        money={"EUR": "37.5", "": "1"},
    )

    async def fill(outbox: Outbox) -> None:
        await INCIDENTS.of(over.id).write(outbox, over)
        await OPEN_INCIDENTS.write(outbox, {"2c3d": replace(over, id="2c3d", since=now, until=None)})

    in_outbox(tmp_path, fill)
    listed = run("incidents", "list").stdout
    assert re.search(r"blocked .* critical .* 42 .* 3 .* 37\.5 EUR, 1 .* Pinterest refuses our calls", listed)
    for words, ids in (
        ((), ["2c3d", "0a1b"]),
        (("--days", "7"), ["2c3d"]),
        (("--state", "resolved"), ["0a1b"]),
        (("--state", "firing"), ["2c3d"]),
    ):
        lines = run("incidents", "list", "--json", *words).stdout.splitlines()
        assert [json.loads(line)["id"] for line in lines] == ids
