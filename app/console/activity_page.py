"""Activity: the audit log, newest first."""

from collections.abc import Iterable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import PageGroup, csv_download, go, person_of
from app.core.pages import AuditEntry
from app.core.shared_values import OPEN_INCIDENTS
from app.operations.audit import list_entries

ACTIVITY_PAGE_SIZE = 50


class ActivityPages(PageGroup):
    """The page of the audit log, and the button for a test alert."""

    async def show(self, request: Request) -> Response:
        """List the audit log, page by page."""
        cursor = request.query_params.get("cursor") or None
        target = request.query_params.get("target") or None
        page = await self._services.outbox.audit(limit=ACTIVITY_PAGE_SIZE, cursor=cursor, target=target)
        incidents = await OPEN_INCIDENTS.read(self._services.outbox) or {}
        of = {"target": target} if target else {}
        older = urlencode({**of, "cursor": page.next_cursor}) if page.next_cursor else ""
        return self._pages.render(
            request,
            "activity.html",
            nav="activity",
            entries=page.entries,
            target=target,
            cursor=cursor,
            older=older,
            has_alerts=self._services.acts.tests.has_webhook,
            open_alerts=[each.text for each in incidents.values() if each.until is None],
            tested=request.query_params.get("tested"),
        )

    async def export(self, request: Request) -> Response:
        """Return the whole audit log, or the entries of a target, as CSV."""
        target = request.query_params.get("target") or None

        async def read(limit: int, cursor: str | None) -> tuple[Iterable[AuditEntry], str | None]:
            page = await self._services.outbox.audit(limit=limit, cursor=cursor, target=target)
            return page.entries, page.next_cursor

        return csv_download("activity", list_entries.columns, read)

    async def test_alert(self, request: Request) -> Response:
        """Send a test alert, and show whether it was accepted."""
        why = await self._services.acts.tests.send_alert(person_of(request))
        return go(request, "activity", {"tested": why})
