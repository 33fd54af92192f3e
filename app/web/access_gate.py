"""Access control: the outermost layer, before all routes.

    on loopback     requests without a proof are only for this machine, and not for foreign pages
    elsewhere       senders of events authenticate at their routes; figures, the sandbox and the description of the
                    interface require access to the console; the liveness check is public

A request with the console's session or token is always accepted.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.admission import CHECKS, NOT_OPERATOR, RETRY_AFTER_S, Access, Denial, sent_from_console
from app.access.users import Person
from app.config.settings import SenderSettings
from app.core.refusals import NO_SOURCE, FailedCheck
from app.errors import OutboxUnavailable
from app.source.browser import OpenToPages
from app.source.responses import answer, answer_unavailable, refusal_json

#: Routes for events, and for the settings of SDKs: they require a secret or a write key, if configured.
_OF_SENDERS = ("/webhook", "/v1/", "/beacon/v1/", "/projects/", "/sourceConfig", "/api/s/")
#: Routes with their own authentication.
_OWN_GUARD = ("/console", "/api/")
#: Scripts without secrets that any page may load.
_PUBLIC = ("/pinrelay.js", "/analytics.js/", "/analytics-next/")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SHOWN = ("/metrics", "/sandbox", "/openapi.json")

_FOREIGN = refusal_json(
    "not_from_this_machine",
    "This machine alone may ask, by a localhost address, and no page of another site. See docs/operating.md.",
)
_SENDER_FAR = FailedCheck("not from this machine", "WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER, WRITE_KEYS or SOURCES")
_WRONG = refusal_json("wrong_token", "This token is unknown. Send one of the console's as a bearer token.")
_NOT_BELIEVED = refusal_json(
    "not_believed",
    "A header names a user, but it is sent twice, or its sender is no proxy of TRUSTED_PROXIES.",
)
_VIEWER = refusal_json("viewer", "This needs the role operator; yours is viewer.")
_LOCKED = refusal_json("unauthenticated", "Send a token of the console as a bearer token, or log in at /console.")
_CLOSED = refusal_json("closed", "This is for the console's people: set CONSOLE_PASSWORD or CONSOLE_USERS.")
_TOO_MANY = refusal_json("too_many_tries", "Too many wrong tokens were sent. Try again later.")


def access_middleware(
    settings: SenderSettings,
    access: Access,
    *,
    clock: Callable[[], float],
    is_for_any_page: Callable[[str], bool],
) -> Callable[[ASGIApp], ASGIApp]:
    """Return the middleware that decides who may call which path, and from pages of which sites."""
    origins = settings.page_origins
    return lambda app: OpenToPages(_Doorway(app, settings, access, clock), origins, is_for_any_page=is_for_any_page)


class _Doorway:
    """Passes permitted requests to `app`."""

    def __init__(self, app: ASGIApp, settings: SenderSettings, access: Access, clock: Callable[[], float]) -> None:
        self._app = app
        self._settings = settings
        self._access = access
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to an HTTP request, or pass it on."""
        refused = None
        if scope["type"] == "http":
            path: str = scope["path"].removeprefix(scope.get("root_path", ""))
            is_of_sender = path.startswith(_OF_SENDERS)
            refused = self._refuse_sender(scope) if is_of_sender else await self._refuse(scope, path)
        await (refused or self._app)(scope, receive, send)

    def _refuse_sender(self, scope: Scope) -> Response | None:
        """Refuse a sender of events on another machine if no route requires a proof."""
        settings = self._settings
        if settings.authenticated or settings.reachable or self._access.is_near(scope, settings.page_origins):
            return None
        _SENDER_FAR.note(scope, NO_SOURCE)
        return answer(_FOREIGN, 403)

    async def _refuse(self, scope: Scope, path: str) -> Response | None:
        if path.startswith((*_OWN_GUARD, *_PUBLIC)):
            return None
        if self._settings.reachable:
            return await self._refuse_stranger(scope) if path.startswith(_SHOWN) else None
        if self._access.is_near(scope) or await self._refuse_stranger(scope) is None:
            return None
        CHECKS[Denial.FAR].note(scope)
        return answer(_FOREIGN, 403)

    async def _refuse_stranger(self, scope: Scope) -> Response | None:
        """Return the response to a client without access to the console; `None` if the client has access.

        A viewer may read, but not change anything; nor may a foreign page use the session of a user.
        """
        request = Request(scope)
        visitor = self._access.visitor(request)
        try:
            person = await self._access.admit(visitor, now=self._clock())
        except OutboxUnavailable as exc:
            return answer_unavailable(request, exc)
        if not isinstance(person, Person):
            CHECKS[person].note(scope)
            return _denied(person)
        if scope["method"] in _READS:
            return None
        is_own = visitor.bearer is not None or visitor.is_near or sent_from_console(request.headers)
        if is_own and person.may_operate:
            return None
        (NOT_OPERATOR if is_own else CHECKS[Denial.FAR]).note(scope)
        return answer(_VIEWER if is_own else _FOREIGN, 403)


def _denied(why: Denial) -> Response:
    if why is Denial.TOO_MANY:
        return answer(_TOO_MANY, 429, {"Retry-After": str(RETRY_AFTER_S)})
    if why in {Denial.LOGIN_NEEDED, Denial.WRONG}:
        return answer(_LOCKED if why is Denial.LOGIN_NEEDED else _WRONG, 401, {"WWW-Authenticate": "Bearer"})
    return answer(_CLOSED if why is Denial.FAR else _NOT_BELIEVED, 403)
