"""Rule 15: `advertiser_tracking_enabled` is in no schema of Pinterest's, and is sent only where the owner says so."""

import pytest

from app.destination import ReportConversionEvent
from tests.assembled import settings

FIELDS = {
    "event_name": "app_open",
    "action_source": "app_ios",
    "event_time": 1_795_601_400,
    "event_id": "m-1",
    "app_name": "Oak",
    "user_data": {"email": "ann@lumen.example"},
}


@pytest.mark.parametrize(("given", "said"), [(True, []), ("denied", ["advertiser_tracking_enabled"])])
@pytest.mark.parametrize("sends", [False, True])
def test_it_is_sent_by_its_setting_only(given: object, said: list[str], sends: bool) -> None:  # noqa: FBT001
    rules = settings(send_advertiser_tracking=sends)
    event, warnings = ReportConversionEvent(rules)(FIELDS | {"advertiser_tracking_enabled": given}, now=None)
    assert event.get("advertiser_tracking_enabled") == ((given is True) if sends else None)
    assert [each.partition(":")[0] for each in warnings] == (said if sends else [])
