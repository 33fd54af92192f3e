"""What stands before every page: who asks, from where, and what to show where the outbox does not answer."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.access.admission import Admission
from app.console.forms import check_form
from app.console.pages import SECURITY_HEADERS, Pages, base_of
from app.console.services import ConsoleServices
from app.errors import OutboxUnavailable, UnknownPreset

PageHandler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Guard:
    """Wraps pages."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    def __call__(self, page: PageHandler, *, public: bool = False) -> PageHandler:
        """Return the page with the guard before it; a `public` page is shown to anybody."""

        async def guarded(request: Request) -> Response:
            response = self._refuse_form(request) or (None if public else self._refuse_visitor(request))
            if response is None:
                response = await self._show(page, request)
            response.headers.update(SECURITY_HEADERS)
            return response

        return guarded

    def _refuse_visitor(self, request: Request) -> Response | None:
        access = self._services.access
        admission = access.judge(access.visitor(request), now=self._services.clock())
        if admission is Admission.ADMITTED:
            return None
        if admission is Admission.LOGIN_NEEDED:
            here = request.url.path if request.method == "GET" else base_of(request)
            wanted = f"{here}?{request.url.query}" if request.method == "GET" and request.url.query else here
            return RedirectResponse(f"{base_of(request)}/login?{urlencode({'next': wanted})}", status_code=303)
        return self._pages.problem(
            request,
            403,
            "The console is closed to other machines",
            "No password is set, so it opens in a browser on the machine that runs Pinrelay only, "
            "at a localhost address. To open it from elsewhere set CONSOLE_PASSWORD and start again. "
            "Where the port of a container is published on loopback only, set PUBLISHED_ON_LOOPBACK=true.",
        )

    def _refuse_form(self, request: Request) -> Response | None:
        refused = check_form(request) if request.method == "POST" else None
        return self._pages.problem(request, refused.status, refused.title, refused.text) if refused else None

    async def _show(self, page: PageHandler, request: Request) -> Response:
        try:
            return await page(request)
        except UnknownPreset as exc:
            text = f"{exc}. It may have been removed by a reload."
            return self._pages.problem(request, 404, "No such preset", text[0].upper() + text[1:])
        except OutboxUnavailable:
            return self._pages.problem(
                request,
                503,
                "The store does not answer",
                "Events cannot be kept now, so their senders are asked to come again. "
                "Look at the disk or the server behind OUTBOX_URL and at the log; then load this page again.",
            )


def is_secure(request: Request) -> bool:
    """Return whether the browser speaks TLS, to us or to a proxy; who lies about it spoils his own cookie only."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
