"""Log in and out."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.access.admission import COOKIE, LoggedIn, TooManyTries
from app.access.sessions import SESSION_S
from app.console.guard import is_secure
from app.console.pages import PageGroup, base_of, person_of, read_form
from app.core.values.texts import count_of


class LoginPages(PageGroup):
    """The one page that is shown to strangers."""

    async def show(self, request: Request) -> Response:
        """Show the form that asks for the password."""
        if not self._services.access.has_logins:
            return RedirectResponse(base_of(request), status_code=303)
        return self._ask(request, request.query_params.get("next", ""))

    async def log_in(self, request: Request) -> Response:
        """Compare the password; right: a cookie and the page that was wanted."""
        form = await read_form(request)
        access = self._services.access
        login = await access.login(form.get("password", ""), access.visitor(request), now=self._services.clock())
        if isinstance(login, TooManyTries):
            wait = count_of(login.retry_after_s, "second")
            response = self._ask(request, form.get("next", ""), f"Too many wrong passwords. Try again in {wait}.", 429)
            response.headers["Retry-After"] = str(login.retry_after_s)
            return response
        if isinstance(login, LoggedIn):
            return self._enter(request, form.get("next", ""), login.session)
        return self._ask(request, form.get("next", ""), "That is not the password.", 401)

    async def log_out(self, request: Request) -> Response:
        """End the session, and take the cookie back."""
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
    """Return for which paths the browser sends the cookie: all of ours, since figures are shown outside the console."""
    return request.scope.get("root_path", "") or "/"


def _is_ours(wanted: str, base: str) -> bool:
    """Return whether an address that came with the form stays within the console."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and parts.path.startswith(f"{base}/") and "\\" not in wanted
