"""`advertiser_tracking_enabled` is in no schema of Pinterest, so it is never sent."""

import pytest

from app.destination import report_conversion_event

FIELDS = {
    "event_name": "app_open",
    "action_source": "app_ios",
    "event_time": 1_795_601_400,
    "event_id": "m-1",
    "app_name": "Oak",
    "user_data": {"email": "ann@lumen.example"},
}


@pytest.mark.parametrize("given", [True, False, "denied"])
def test_it_is_never_sent_and_no_warning_names_it(given: object) -> None:
    event, warnings = report_conversion_event(FIELDS | {"advertiser_tracking_enabled": given}, now=None)
    assert ("advertiser_tracking_enabled" in event, warnings) == (False, [])
