"""Access to pages: the guard of each page, log-in and log-out."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from app.access.admission import CHECKS, COOKIE, RETRY_AFTER_S, Denial, LoggedIn
from app.access.sessions import SESSION_S
from app.access.users import Person
from app.console.filter import read_page_filter
from app.console.pages import (
    MAX_FORM_BYTES,
    PASTED,
    SECURITY_HEADERS,
    PageGroup,
    Pages,
    base_of,
    person_of,
    read_form,
    why_not_read,
)
from app.console.services import ConsoleServices
from app.core.refusals import FailedCheck
from app.errors import FeatureOff, FilterError, Forbidden, OutboxUnavailable, UnknownName

PageHandler: TypeAlias = Callable[[Request], Awaitable[Response]]


#: Why a visitor is not admitted, with the remedy.
_CLOSED = (
    "No password is set, so it opens in a browser on the machine that runs Pinrelay only, at a localhost address. "
    "To open it from elsewhere set CONSOLE_PASSWORD or CONSOLE_USERS and start again. "
    "In a container whose port is published on loopback only, set PUBLISHED_ON_LOOPBACK=true: "
    "then the gateway of the container opens it too."
)
_FORGED = (
    "A header names a user, but its sender is not a proxy of TRUSTED_PROXIES, or the request has the header twice. "
    "Name the proxy that authenticates people there, and let it take the header off what it passes on."
)
_DENIED = {
    Denial.FAR: (403, "The console is closed to other machines", _CLOSED),
    Denial.NOT_BELIEVED: (403, "Who you are is not believed", _FORGED),
    Denial.WRONG: (
        401,
        "No user has this token",
        "Send a token of the console as a bearer token, or none, and log in.",
    ),
    Denial.TOO_MANY: (429, "Too many wrong tokens", "Try again in a second."),
}


#: Shorter responses, in bytes, are not compressed. The level compresses 70 kB in 2 ms.
_PACKED_FROM: Final = 1_000
_LEVEL: Final = 5
#: A thread compresses longer ones.
_LARGE_BYTES: Final = 200_000


class Guard:
    """Shows a page only to permitted visitors, and shows errors of a page."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def __call__(
        self,
        page: PageHandler,
        *,
        public: bool = False,
        changes: bool = False,
        max_bytes: int = MAX_FORM_BYTES,
        remedy: str = PASTED,
    ) -> PageHandler:
        """Return the page with the guard.

        A `public` page needs no log-in; pages with `changes` require operators. Forms of more than `max_bytes` are not
        read; `remedy` is part of the message.
        """

        async def guarded(request: Request) -> Response:
            if request.method == "POST" and (why_not := why_not_read(request, max_bytes, remedy)):
                FailedCheck(why_not[1].lower()).note(request.scope)
                response: Response = self._pages.problem(request, *why_not)
            else:
                try:
                    response = await self._show(page, request, public=public, changes=changes)
                except Forbidden:
                    response = self._pages.only_operators(request)
            response.headers.update(SECURITY_HEADERS)
            if isinstance(response, StreamingResponse):
                return response
            if len(response.body) > _LARGE_BYTES:  # other requests continue meanwhile
                return await asyncio.to_thread(_shortened, request, response)
            return _shortened(request, response)

        return guarded

    async def _refuse_visitor(self, request: Request, *, changes: bool) -> Response | None:
        """Return the response to a visitor without access.

        `None` if the visitor is admitted, as `request.state.person`.
        """
        access = self._services.access
        person = await access.admit(access.visitor(request), now=self._services.clock())
        if isinstance(person, Person):
            request.state.person = person
            return None if person.may_operate or not changes else self._pages.only_operators(request)
        if person is Denial.LOGIN_NEEDED:
            here = request.url.path if request.method == "GET" else base_of(request)
            wanted = f"{here}?{request.url.query}" if request.method == "GET" and request.url.query else here
            return RedirectResponse(f"{base_of(request)}/login?{urlencode({'next': wanted})}", status_code=303)
        CHECKS[person].note(request.scope)
        return self._pages.problem(request, *_DENIED[person])

    async def _show(self, page: PageHandler, request: Request, *, public: bool, changes: bool) -> Response:
        try:
            if not public:
                if refused := await self._refuse_visitor(request, changes=changes):
                    return refused
                request.state.page_filter = await read_page_filter(request, self._services)
            return await page(request)
        except UnknownName as exc:
            text = f"{exc}. {exc.why_gone}"
            return self._pages.problem(request, 404, f"No such {exc.kind}", text[0].upper() + text[1:])
        except FeatureOff as exc:
            return self._pages.problem(request, 404, "This is switched off", f"{exc}.")
        except FilterError as exc:
            return self._pages.problem(request, 400, "This value cannot be used", str(exc))
        except OutboxUnavailable as exc:
            return self._pages.problem(request, 503, "The store does not answer", f"{exc} Then load this page again.")


def _shortened(request: Request, response: Response) -> Response:
    """Return a response as short as the browser supports: compressed, and 304 for an unchanged part."""
    body = bytes(response.body)
    if request.query_params.get("part") == "live":
        response.headers["ETag"] = tag = f'"{sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
    if len(body) >= _PACKED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(body, _LEVEL, mtime=0)
        packed = {"Content-Encoding": "gzip", "Content-Length": str(len(response.body)), "Vary": "Accept-Encoding"}
        response.headers.update(packed)
    return response


def is_secure(request: Request) -> bool:
    """Return whether the browser uses TLS, directly or to a proxy; a false header only affects its sender's cookie."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


class LoginPages(PageGroup):
    """The only page without a log-in."""

    async def show(self, request: Request) -> Response:
        """Show the form for the password."""
        if not self._services.access.has_logins:
            return RedirectResponse(base_of(request), status_code=303)
        return self._ask(request, request.query_params.get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Check the password; on success set a cookie and redirect to the requested page."""
        form = await read_form(request)
        access = self._services.access
        login = await access.login(form.get("password", ""), access.visitor(request), now=self._services.clock())
        if isinstance(login, LoggedIn):
            return self._enter(request, form.get("next", ""), login.session)
        CHECKS[login].note(request.scope)
        if login is Denial.TOO_MANY:
            response = self._ask(request, form.get("next", ""), "Too many wrong passwords. Try again in a second.", 429)
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            return response
        return self._ask(request, form.get("next", ""), "That is not the password.", 401)

    async def log_out(self, request: Request) -> Response:
        """End the session, and delete the cookie."""
        access = self._services.access
        await access.logout(person_of(request), access.visitor(request))
        response = RedirectResponse(f"{base_of(request)}/login", status_code=303)
        response.delete_cookie(COOKIE, path=_cookie_path(request))
        return response

    def _ask(self, request: Request, wanted: str, fault: str = "", status: int = 200) -> Response:
        return self._pages.render(request, "login.html", status=status, wanted=wanted, fault=fault)

    def _enter(self, request: Request, wanted: str, session: str) -> Response:
        base = base_of(request)
        response = RedirectResponse(wanted if _is_ours(wanted, base) else base, status_code=303)
        response.set_cookie(
            COOKIE,
            session,
            max_age=SESSION_S,
            path=_cookie_path(request),
            secure=is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return response


def _cookie_path(request: Request) -> str:
    """Return the path of the cookie: all paths of Pinrelay, because figures are also outside the console."""
    return request.scope.get("root_path", "") or "/"


def _is_ours(wanted: str, base: str) -> bool:
    """Return whether an address from the form is within the console."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and parts.path.startswith(f"{base}/") and "\\" not in wanted
