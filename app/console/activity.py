"""Activity: who did what, newest first."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import Pages
from app.console.services import ConsoleServices

ACTIVITY_PAGE_SIZE = 50


class ActivityPages:
    """The audit log."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        self._services = services
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """List what people did, page by page."""
        cursor = request.query_params.get("cursor") or None
        page = await self._services.outbox.audit(limit=ACTIVITY_PAGE_SIZE, cursor=cursor)
        older = urlencode({"cursor": page.next_cursor}) if page.next_cursor else ""
        return self._pages.render(
            request, "activity.html", nav="activity", entries=page.entries, cursor=cursor, older=older
        )
