"""Data of a request about the person, and whether an event comes from an app."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Self

from fastapi import Request

from app.core.events import Event
from app.core.values.addresses import Network, client_ip, is_server_library, public_address
from app.core.values.placeholders import says_nothing
from app.errors import EventRefused

#: Values of `channel` from browser and mobile SDKs (Segment: client; RudderStack: web, mobile).
_CLIENT_CHANNELS = frozenset({"client", "browser", "web", "mobile"})
#: Values of `context.library.name` from Segment's SDKs, which set no channel; in lower case, `_` as `-`, without a
#: scope such as `@segment/`.
_CLIENT_LIBRARIES = frozenset(
    {
        "analytics.js",
        "analytics-next",
        "analytics-ios",
        "analytics-android",
        "analytics-swift",
        "analytics-kotlin",
        "analytics-react-native",
        "analytics-flutter",
    }
)
#: `context.library.env` of `@jitsu/js`, which has the same name in pages and on servers.
_BROWSER_OF_JITSU = "browser"
_SCOPE = re.compile(r"@[\w.-]+/")
#: Maximum length of a library's name for the check.
_MAX_LIBRARY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The sender of a request; its data applies to each event of the request."""

    #: A public address; `None` if unknown.
    ip: str | None
    #: Of a browser or an app; `None` if there is none.
    user_agent: str | None
    #: The header Sec-GPC as sent; `None` if there is none.
    gpc: str | None

    @classmethod
    def of(cls, request: Request, trusted: tuple[Network, ...] = ()) -> Self:
        """Describe the sender of a request by its peer, its headers and those of trusted proxies."""
        peer = request.client.host if request.client else None
        headers = request.headers
        ip = client_ip(peer, headers.get("x-forwarded-for"), trusted)
        user_agent = headers.get("user-agent")
        return cls(
            ip=public_address(ip)[0] if ip else None,
            user_agent=user_agent if _is_persons(user_agent) else None,
            gpc=headers.get("sec-gpc"),
        )

    def complete(self, event: Event) -> None:
        """Add the sender's data to the event, in place, if the event has no usable value of its own.

        The members are `context.ip` and `context.userAgent` of events from browsers and apps, and `context.gpc` of all
        events. The event's own `gpc` is stored beside the header's, so that each of them can opt out.
        """
        given = event.get("context")
        context = {} if given in (None, []) else given
        if not isinstance(context, dict):
            if self.gpc is not None:  # the value stays as it is: consent may depend on its being unreadable
                event["gpc"] = self.gpc
            return
        found = self._of_client(event, context) if _is_client_side(event, context) else {}
        if self.gpc is not None:
            own = context.get("gpc")
            found["gpc"] = self.gpc if own is None else [own, self.gpc]
        if found:
            event["context"] = {**context, **found}

    def complete_all(self, events: Iterable[Event | EventRefused]) -> Iterator[Event | EventRefused]:
        """Yield the events, each completed on demand."""
        for event in events:
            if not isinstance(event, EventRefused):
                self.complete(event)
            yield event

    def _of_client(self, event: Event, context: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not _is_public(context.get("ip")):
            noted = event.get("request_ip")  # set by RudderStack's server
            ip = noted if _is_public(noted) else self.ip
            if ip is not None:
                found["ip"] = ip
        if self.user_agent is not None and not _is_persons(context.get("userAgent")):
            found["userAgent"] = self.user_agent
        return found


def with_gpc(events: Iterable[Event | EventRefused], request: Request) -> Iterable[Event | EventRefused]:
    """Return the events, with the request's Sec-GPC if it has that header, and no other data of the request."""
    for name, value in request.scope["headers"]:
        if name == b"sec-gpc":
            return Requester(ip=None, user_agent=None, gpc=value.decode("latin-1")).complete_all(events)
    return events


def _is_public(value: Any) -> bool:
    return isinstance(value, str) and public_address(value)[0] is not None


def _is_persons(value: Any) -> bool:
    """Return whether the value is the user agent of a browser or an app."""
    return isinstance(value, str) and not says_nothing(value) and not is_server_library(value)


def _is_client_side(event: Event, context: Mapping[str, Any]) -> bool:
    """Return whether a browser or an app sent the event; `context.direct` decides for an unknown library."""
    channel = event.get("channel") or context.get("channel")
    if channel is not None:
        return isinstance(channel, str) and channel in _CLIENT_CHANNELS
    if context.get("direct") is True:
        return True
    library = context.get("library")
    if not isinstance(library, dict):
        return False
    name = library.get("name")
    return library.get("env") == _BROWSER_OF_JITSU or (isinstance(name, str) and _is_client_library(name))


def _is_client_library(name: str) -> bool:
    return name in _CLIENT_LIBRARIES or (
        len(name) <= _MAX_LIBRARY and _SCOPE.sub("", name.strip().lower()).replace("_", "-") in _CLIENT_LIBRARIES
    )


IOS: Final = "app_ios"
ANDROID: Final = "app_android"

#: `context.device.type`, and `context.os.name` of libraries that run on both systems; in lower case.
_SYSTEMS: Final[Mapping[str, str]] = MappingProxyType({"ios": IOS, "ipados": IOS, "iphone os": IOS, "android": ANDROID})
#: A part of `context.library.name` of SDKs for apps, and their system; `None` for SDKs of both systems. Sources: the
#: SDKs of segmentio and rudderlabs on GitHub.
_LIBRARIES: Final[Mapping[str, str | None]] = MappingProxyType(
    {"analytics-ios": IOS, "analytics-swift": IOS, "analytics-android": ANDROID, "analytics-kotlin": ANDROID}
    | {"rudder-ios-library": IOS, "rudderstack.android": ANDROID, "rudder-android": ANDROID, "rudder-swift": IOS}
    | {"analytics-react-native": None, "analytics-flutter": None, "analytics_flutter": None}
    | {"rudder-react-native": None, "rudder-flutter": None}
)
#: Maximum length of a library's name for the check.
_MAX_NAME: Final = 200


def app_platform(event: Event) -> str | None:
    """Return `app_ios` or `app_android` for an event from an app; otherwise `None`.

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
    """Return the system of a library, "" for a library of both systems; `None` if it is not for apps."""
    return next((system or "" for part, system in _LIBRARIES.items() if part in library), None)


def _word(holder: Any, name: str) -> str:
    """Return a member in lower case; "" if it is not a text."""
    given = holder.get(name) if type(holder) is dict else None
    return given.strip().lower() if type(given) is str else ""
