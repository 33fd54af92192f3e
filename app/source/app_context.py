"""Whether an event comes from an app, by what its SDK says of the device and of itself."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from app.core.events import Event

IOS: Final = "app_ios"
ANDROID: Final = "app_android"

#: `context.device.type`, and `context.os.name` of libraries that run on both; in lower case.
_SYSTEMS: Final[Mapping[str, str]] = MappingProxyType({"ios": IOS, "ipados": IOS, "iphone os": IOS, "android": ANDROID})
#: A part of `context.library.name` of SDKs for apps, and their system; None where they run on both.
#: Sources: the SDKs of segmentio and rudderlabs on GitHub.
_LIBRARIES: Final[Mapping[str, str | None]] = MappingProxyType(
    {"analytics-ios": IOS, "analytics-swift": IOS, "analytics-android": ANDROID, "analytics-kotlin": ANDROID}
    | {"rudder-ios-library": IOS, "rudderstack.android": ANDROID, "rudder-android": ANDROID, "rudder-swift": IOS}
    | {"analytics-react-native": None, "analytics-flutter": None, "analytics_flutter": None}
    | {"rudder-react-native": None, "rudder-flutter": None}
)
#: Of the name of a library that is looked at.
_MAX_NAME: Final = 200


def app_platform(event: Event) -> str | None:
    """Return `app_ios` or `app_android` for an event from an app; None for all others.

    >>> app_platform({"context": {"device": {"type": "iOS"}}}), app_platform({"context": {"os": {"name": "iOS"}}})
    ('app_ios', None)
    """
    context = event.get("context")
    if type(context) is not dict:
        return None
    system = _SYSTEMS.get(_word(context.get("device"), "type")) if "device" in context else None
    return system or (_of_library(context) if "library" in context else None)


def _of_library(context: Mapping[str, Any]) -> str | None:
    system = _system_of(_word(context["library"], "name")[:_MAX_NAME])
    if system == "":
        return _SYSTEMS.get(_word(context.get("os"), "name"))
    return system


@lru_cache(maxsize=1_024)
def _system_of(library: str) -> str | None:
    """Return the system of a library, "" of one that runs on both; None where it is not for apps."""
    return next((system or "" for part, system in _LIBRARIES.items() if part in library), None)


def _word(holder: Any, name: str) -> str:
    """Return a member in lower case; "" where it is no text."""
    given = holder.get(name) if type(holder) is dict else None
    return given.strip().lower() if type(given) is str else ""
