"""Settings become the rules of the rooms."""

from typing import Any

import pytest

from app.policies import outbox_rules
from tests.assembled import settings

DAY_S = 86_400


@pytest.mark.parametrize(
    ("given", "window_s"),
    [
        ({}, 7 * DAY_S),
        ({"max_event_age_days": 14}, 14 * DAY_S),
        ({"dedup_window_hours": 24}, DAY_S),
        ({"dedup_window_hours": 24, "max_event_age_days": 14}, DAY_S),
    ],
)
def test_events_are_remembered_as_long_as_they_may_be_old_unless_it_is_set(
    given: dict[str, Any], window_s: float
) -> None:
    assert outbox_rules(settings(**given)).dedup_window_s == window_s


@pytest.mark.parametrize(("given", "by_source"), [({}, False), ({"order_scope": "source"}, True)])
def test_an_order_id_is_one_order_of_the_account_unless_each_source_has_its_own(
    given: dict[str, Any],
    by_source: bool,  # noqa: FBT001 - a column
) -> None:
    assert outbox_rules(settings(**given)).orders_by_source is by_source


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, None),
        ({"outbox_url": "postgresql://db/pinrelay"}, 10**10),
        ({"destinations_dir": ("there",)}, 10**10),
        ({"outbox_max_backlog_bytes": 5}, 5),
    ],
)
def test_the_backlog_is_bounded_by_the_disk_where_that_is_known_and_one_ad_accounts(
    changes: dict[str, Any], most: int | None
) -> None:
    assert outbox_rules(settings(**changes)).max_backlog_bytes == most
