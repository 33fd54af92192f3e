"""CORS: what browsers must be told before they let a page's SDK call another host. Starlette's middleware says it."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.values.times import DAY_S

#: The Tracking API, Jitsu's too, and what SDKs ask for their settings. Nowhere else: the rest of `/api` and the console
#: are for this host alone.
_FOR_PAGES = ("/pinrelay.js", "/v1/", "/beacon/v1/", "/projects/", "/sourceConfig", "/api/s/")


class OpenToPages:
    """Lets pages of `origins` (`*`: of any site) call the Tracking API of `app`, and read all its answers, errors too.

    No cookie is ever used: the write key says whose events they are. Hence any header may come along:
    each SDK has its own (`authorization`, `x-retry-count`, `anonymousid`), and new ones with each version.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str] = ("*",)) -> None:
        self._app = app
        self._for_pages = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=["retry-after"],
            max_age=DAY_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, where pages may call through the middleware."""
        is_for_pages = scope["type"] == "http" and scope["path"].startswith(_FOR_PAGES)
        await (self._for_pages if is_for_pages else self._app)(scope, receive, send)
