"""When the backlog will be full, at the rate of the last hour: rows with the arithmetic."""

from typing import Any

import pytest

from app.core.events import CounterRow, Outcome
from app.core.pages import Backlog
from app.sender.status import RATE_NAMES, full_in_s
from tests.rows import every_row

HOUR = 3_600


def counts(**of: int) -> list[CounterRow]:
    """Counts of the last hour of ad account "1"."""
    return [CounterRow(name=name, preset="P", ad_account_id="1", count=count) for name, count in of.items()]


@every_row(
    ("backlog", "happened", "hours"),
    [
        pytest.param({"room_bytes": 1e6}, counts(enqueued=1_000), 10, id="1e6 bytes / 1,000 of 100 an hour"),
        pytest.param({"room_bytes": 1e6}, counts(enqueued=1_000, retry=9, accepted=9), 10, id="no retry is a change"),
        pytest.param(
            {"room_bytes": 1e6}, counts(enqueued=1_000, delivered=400, rejected=50, withdrawn=50), 20, id="net"
        ),
        pytest.param({"disk_bytes": 900_000}, counts(enqueued=100), 10, id="100 of 100 bytes and a row of 800"),
        pytest.param({"disk_bytes": 900_000, "room_bytes": 1e6}, counts(enqueued=100), 10, id="the disk is first"),
        pytest.param({"disk_bytes": 10**9, "room_bytes": 1e5}, counts(enqueued=100), 10, id="the limit is first"),
        pytest.param({"room_bytes": -5.0}, counts(enqueued=1), 0, id="over the limit"),
        pytest.param({"room_bytes": 1e6}, counts(enqueued=10, delivered=10), None, id="it stands"),
        pytest.param({"room_bytes": 1e6}, counts(delivered=10), None, id="it drains"),
        pytest.param({}, counts(enqueued=10), None, id="nothing is known of the room"),
        pytest.param({"room_bytes": 1e6, "pending": 0, "size_bytes": 0}, counts(enqueued=10), None, id="nothing waits"),
    ],
)
def test_the_backlog_is_full_at_the_rate_of_the_last_hour(
    backlog: dict[str, Any], happened: list[CounterRow], hours: float | None
) -> None:
    found = full_in_s({"1": Backlog(**({"pending": 3, "claimed": 2, "size_bytes": 500} | backlog))}, happened)
    assert found == ({} if hours is None else {"1": pytest.approx(hours * HOUR)})


def test_all_ad_accounts_together_fill_the_disk_and_each_its_own_limit() -> None:
    waits: dict[str, Any] = {"pending": 5, "size_bytes": 500, "disk_bytes": 1_800_000}
    backlogs = {"1": Backlog(**waits), "2": Backlog(**waits, room_bytes=1e4), "3": Backlog(**waits)}
    happened = [CounterRow(name="enqueued", preset="P", ad_account_id=which, count=100) for which in "12"]
    happened.append(CounterRow(name="delivered", preset="P", ad_account_id="3", count=100))
    assert full_in_s(backlogs, happened) == pytest.approx({"1": 10 * HOUR, "2": HOUR})


@every_row("name", [*Outcome, "accepted", "refused", "calls"])
def test_no_count_that_tells_of_a_rate_is_left_out_where_only_those_are_asked_for(name: str) -> None:
    waits = {"1": Backlog(pending=5, size_bytes=500, room_bytes=1e6)}
    alone, beside = full_in_s(waits, counts(enqueued=1_000)), [*counts(enqueued=1_000), *counts(**{name: 10})]
    assert (full_in_s(waits, beside) != alone) == (name in RATE_NAMES)
