"""What Pinterest makes of one event."""

from typing import Any

import pytest

from app.sandbox import judge
from app.sandbox.judge import MAX_AGE_S, MAX_AHEAD_S, call_problem, verdict
from tests.rows import every_row
from tests.sandbox.events import DIGEST, pinterest_event

NOW = 1_790_000_000.0
OLDEST = int(NOW - MAX_AGE_S)
LATEST = int(NOW + MAX_AHEAD_S)


def event(**changes: Any) -> dict[str, Any]:
    return pinterest_event(**({"event_time": int(NOW)} | changes))


def test_a_good_event_has_no_problem() -> None:
    assert judge(event(), NOW) == []


@every_row(
    ("changes", "problem"),
    [
        ({"surprise": 1}, "Additional properties are not allowed ('surprise' was unexpected)"),
        ({"a": 1, "b": 2}, "Additional properties are not allowed ('a', 'b' were unexpected)"),
        ({"event_id": None}, "'event_id' is a required property"),
        ({"event_id": 7}, "event_id: integer is not of type 'string'"),
        ({"event_time": 1.5}, "event_time: number is not of type 'integer'"),
        ({"event_time": 2**63}, "event_time: integer is greater than the maximum of 9223372036854775807"),
        ({"wifi": "yes"}, "wifi: string is not of type 'boolean'"),
        ({"custom_data": []}, "custom_data: array is not of type 'object'"),
        ({"custom_data": {"value": 9.5}}, "custom_data.value: number is not of type 'string'"),
        ({"custom_data": {"contents": {}}}, "custom_data.contents: object is not of type 'array'"),
        ({"custom_data": {"contents": [{"id": 7}]}}, "custom_data.contents.id: integer is not of type 'string'"),
        ({"device_info": {"battery_level": -1}}, "device_info.battery_level: integer is less than the minimum of 0"),
        (
            {"device_info": {"timezone_abbr": "CESTXX"}},
            "device_info.timezone_abbr: string of 6 characters is too long, at most 5",
        ),
        (
            {"device_info": {"languages": ["x"] * 101}},
            "device_info.languages: array of 101 items is too long, at most 100",
        ),
        (
            {"device_info": {"os_family": "beos"}},
            (
                "device_info.os_family: string is not one of ['android', 'bsd', 'ios', 'linux', 'macos', "
                "'other', 'windows']"
            ),
        ),
        (
            {"user_data": {"ph": [DIGEST]}},
            "user_data: none of em, hashed_maids, client_ip_address with client_user_agent is given",
        ),
        ({"user_data": 7}, "user_data: integer is not of type 'object'"),
    ],
)
def test_a_break_of_the_schema_is_named_with_its_place_and_without_the_value(
    changes: dict[str, Any], problem: str
) -> None:
    assert judge(event(**changes), NOW) == [problem]


def test_every_break_is_named() -> None:
    problems = judge(event(event_id=None, wifi=1, custom_data={"value": 1, "np": 2}), NOW)

    assert sorted(problems) == [
        "'event_id' is a required property",
        "custom_data.np: integer is not of type 'string'",
        "custom_data.value: integer is not of type 'string'",
        "wifi: integer is not of type 'boolean'",
    ]


def test_a_switch_that_pinterest_does_not_describe_is_refused() -> None:
    """Rule 15: the event object is closed."""
    told = "Additional properties are not allowed ('advertiser_tracking_enabled' was unexpected)"
    assert judge(event(advertiser_tracking_enabled=False), NOW) == [told]


@pytest.mark.parametrize("key", ["wifi", "opt_out"])
def test_switches_are_booleans(key: str) -> None:
    assert judge(event(**{key: False}), NOW) == []


def test_a_brand_id_of_a_product_is_taken() -> None:
    assert judge(event(custom_data={"contents": [{"item_brand_id": "b" * 64}]}), NOW) == []


@every_row(
    ("changes", "problem"),
    [
        ({"event_time": OLDEST}, ""),
        (
            {"event_time": OLDEST - 1},
            (
                "Invalid event_timestamp parameter. Given timestamp is in the past. Current timestamp: "
                "1790000000, Given event_timestamp: 1789395199"
            ),
        ),
        ({"event_time": LATEST}, ""),
        (
            {"event_time": LATEST + 1},
            (
                "Invalid event_timestamp parameter. Given timestamp is in the future. Current timestamp: "
                "1790000000, Given event_timestamp: 1790000301"
            ),
        ),
        ({"event_name": "start_trial"}, ""),
        ({"event_name": "quiz_done"}, ""),
        (
            {"event_name": "Checkout"},
            "Invalid event_name parameter. It is neither a standard event nor defined by the advertiser",
        ),
        ({"action_source": "offline"}, ""),
        (
            {"action_source": "website"},
            "Invalid action_source parameter. It must be one of app_android, app_ios, web, offline",
        ),
    ],
)
def test_a_refusal_of_one_event_gives_the_reason(changes: dict[str, Any], problem: str) -> None:
    assert judge(event(**changes), NOW, event_names=["quiz_done"]) == [problem][: bool(problem)]


@pytest.mark.parametrize(
    ("user_data", "warning"),
    [
        ({"em": [DIGEST]}, ""),
        ({"em": ["jane@example.com"]}, "'em' is not in sha256 hashed format"),
        ({"em": [DIGEST, DIGEST.upper()]}, "'em' is not in sha256 hashed format"),
        (
            {"em": ["x"], "external_id": ["42"]},
            "'em' is not in sha256 hashed format; 'external_id' is not in sha256 hashed format",
        ),
    ],
)
def test_what_is_not_hashed_is_a_warning_only(user_data: dict[str, Any], warning: str) -> None:
    judged = verdict(event(user_data=user_data), NOW)

    assert (judged.error, judged.warning) == ("", warning)


def test_a_call_is_refused_for_its_first_bad_event_which_is_not_named() -> None:
    body = {"data": [event(), event(surprise=1), event(event_id=None)]}

    assert call_problem(body) == "Additional properties are not allowed ('surprise' was unexpected)"


@every_row(
    ("body", "problem"),
    [
        ([], "array is not of type 'object'"),
        ({}, "'data' is a required property"),
        ({"data": []}, "data: array is too short, at least 1"),
        ({"data": [event()] * 1_001}, "data: array of 1001 items is too long, at most 1000"),
        ({"data": [event()] * 1_000}, None),
    ],
    ids=["array", "empty", "no events", "1001 events", "1000 events"],
)
def test_a_call_of_the_wrong_shape_is_refused(body: Any, problem: str | None) -> None:
    assert call_problem(body) == problem
