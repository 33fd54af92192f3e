"""Whether an event comes from an app."""

from typing import Any

from app.source import app_platform
from tests.rows import every_row


@every_row(
    ("context", "platform"),
    [
        ({"device": {"type": "ios"}}, "app_ios"),
        ({"device": {"type": "iOS"}}, "app_ios"),
        ({"device": {"type": "Android"}}, "app_android"),
        ({"library": {"name": "analytics-swift"}}, "app_ios"),
        ({"library": {"name": "analytics-ios"}}, "app_ios"),
        ({"library": {"name": "analytics-kotlin"}}, "app_android"),
        ({"library": {"name": "com.rudderstack.android.sdk.core"}}, "app_android"),
        ({"library": {"name": "rudder-ios-library"}}, "app_ios"),
        ({"library": {"name": "analytics-react-native"}, "os": {"name": "iOS"}}, "app_ios"),
        ({"library": {"name": "analytics-react-native"}, "device": {"type": "android"}}, "app_android"),
        ({"library": {"name": "analytics_flutter"}, "os": {"name": "Android"}}, "app_android"),
        ({"library": {"name": "analytics-react-native"}}, None),
        ({"library": {"name": "analytics-react-native"}, "os": {"name": "Windows"}}, None),
        # A browser on a phone is no app, nor is what only looks like an app's context.
        ({"library": {"name": "analytics.js"}, "os": {"name": "iOS"}}, None),
        ({"device": {"type": "mobile"}}, None),
        ({"device": False, "library": None}, None),
        ({"device": {"type": 5}, "library": {"name": ["analytics-ios"]}}, None),
        (None, None),
        ([], None),
    ],
)
def test_device_and_library_tell_an_app(context: Any, platform: str | None) -> None:
    assert app_platform({"context": context}) == platform
