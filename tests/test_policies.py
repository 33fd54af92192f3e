"""Settings become the rules of the rooms."""

from typing import Any

import pytest

from app.access.proxy_auth import UserHeaders
from app.errors import SettingsError
from app.policies import access_rules, outbox_rules, posture
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
    ("given", "told"),
    [
        ({"console_user_header": "X-Webauth-User"}, "TRUSTED_PROXIES"),
        ({"console_role_header": "X-Webauth-Role"}, "CONSOLE_USER_HEADER"),
        ({"console_user_header": "X-Webauth-User", "trusted_proxies": "caddy"}, "caddy is not an IP address"),
    ],
)
def test_an_authenticating_proxy_has_to_be_named_whole(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        access_rules(settings(**given))


@pytest.mark.parametrize("role", [None, "X-Webauth-Role"])
def test_an_authenticating_proxy_names_people_by_its_headers(role: str | None) -> None:
    rules = access_rules(
        settings(console_user_header="X-Webauth-User", console_role_header=role, trusted_proxies="10.0.0.1")
    )
    assert rules.user_headers == UserHeaders(name="X-Webauth-User", role=role)


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, ()),
        ({"write_keys": "shop:k"}, ("*",)),
        ({"write_keys": "shop:k", "sdk_origins": "https://a.example"}, ("https://a.example",)),
        ({"sdk_origins": "*"}, ("*",)),
    ],
)
def test_pages_of_any_site_may_send_where_a_write_key_is_asked_for(
    given: dict[str, Any], origins: tuple[str, ...]
) -> None:
    assert posture(settings(**given)).sdk_origins == origins


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
