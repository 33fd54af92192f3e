"""`pinrelay events`, over a real store."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.events import EventKey, InventoryCount, Measure
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.insights.inventory.build import counts_of
from tests.outbox.build import new

ORDER = EventKey("shop", "track", "Order Completed")
ODD = EventKey("default", "track", "order completed")


@pytest.fixture
def _arrived(tmp_path: Path) -> None:
    counts = counts_of(
        ORDER,
        1_200,
        outcomes={"enqueued": 1_199, "duplicate": 1},
        presets={"Order Completed": 1_200},
        sampled=4,
        found={"value": 3},
        properties={"properties.total number": 3, "properties.shade text": 2},
    ) + counts_of(ODD, 7, outcomes={"unmatched": 7})
    public = [InventoryCount(ORDER, Measure.PUBLIC, "", 200), InventoryCount(ODD, Measure.PUBLIC, "", 7)]

    async def fill(outbox: Outbox) -> None:
        await outbox.inventory.add([*counts, *public], now=time.time(), max_names=9)
        await outbox.enqueue([new(name="Order Completed", source="shop")], [], [], now=time.time())

    in_outbox(tmp_path, fill)


@pytest.mark.usefixtures("_arrived")
def test_all_names_are_listed(run: Run) -> None:
    found = run("events", "list", "--json")
    assert found.exit_code == 0
    order, odd = map(json.loads, found.stdout.splitlines())
    assert (order["source"], order["received"], order["shares"]["value"]) == ("shop", 1_200, 0.75)
    assert order["public"] == 200
    assert order["nearest"] == {"preset": "Order Completed", "is_named": True, "why": ""}
    assert odd["outcomes"] == {"unmatched": 7}
    assert "upper and lower case" in odd["nearest"]["why"]


@pytest.mark.usefixtures("_arrived")
def test_people_see_a_table(run: Run) -> None:
    shown = " ".join(run("events", "list").stdout.split())
    for text in (
        "Order Completed",
        "shop │ 1200 │ 200",
        "default │ 7 │ 7",
        "enqueued: 1199",
        "│ waiting: 1",
        "unmatched: 7",
        "upper and lower case",
    ):
        assert text in shown


@pytest.mark.usefixtures("_arrived")
def test_names_of_one_source(run: Run) -> None:
    (line,) = run("events", "list", "--source", "default", "--json").stdout.splitlines()
    assert json.loads(line)["name"] == "order completed"


@pytest.mark.usefixtures("_arrived")
def test_one_name_is_shown_with_its_properties(run: Run) -> None:
    (line,) = run("events", "properties", "Order Completed", "--json").stdout.splitlines()
    told = json.loads(line)
    carried = [(each["path"], each["share"], each["is_read"]) for each in told["properties"]]
    assert carried == [("properties.total", 0.75, True), ("properties.shade", 0.5, False)]
    outcomes = {"enqueued": 1_199, "duplicate": 1}
    (day,) = told["by_day"]
    assert (day["received"], day["outcomes"], day["states"]) == (1_200, outcomes, {"waiting": 1})
    shown = run("events", "properties", "Order Completed").stdout
    assert re.search(r"properties\.shade\W+text\W+2\W+0\.5\W+20.* False", shown)
    for text in ("properties.total", "currency: 0.0", "waiting: 1", "Order Completed: 1200"):
        assert text in shown


@pytest.mark.usefixtures("_arrived")
def test_the_last_of_the_days_may_be_another_than_today(run: Run) -> None:
    today = datetime.now(UTC)
    for last_day, expected in ((today, 2), (today - timedelta(days=1), 0)):
        shown = run("events", "list", "--days", "1", "--last-day", f"{last_day:%Y-%m-%d}", "--json").stdout
        assert len(shown.splitlines()) == expected


@pytest.mark.usefixtures("_arrived")
def test_a_name_that_has_not_arrived_is_answered_with_the_nearest(run: Run) -> None:
    result = run("events", "properties", "Order Complete")
    assert result.exit_code == 1
    assert 'the nearest is "Order Completed"' in str(result.exception)


@pytest.mark.usefixtures("_arrived")
def test_of_an_unknown_source_the_nearest_is_named(run: Run) -> None:
    result = run("events", "list", "--source", "defualt")
    assert (result.exit_code, str(result.exception)) == (
        1,
        'unknown source; the nearest is "default"',
    )
    assert run("events", "list", "--source", "shopify", SOURCES="shopify").exit_code == 0


def test_where_nothing_has_arrived_it_says_so(run: Run) -> None:
    assert "No events." in run("events", "list").stdout
