"""Pinterest's tag beside Pinrelay: which events count once, which twice, and what to change."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import PageGroup
from app.insights.tag_check import MESSAGE_IDS, read_report

_DAYS: Final = 7


class TagCheckPages(PageGroup):
    """The page that compares the tag's events with ours."""

    async def show(self, request: Request) -> Response:
        """Show by event name what the tag and Pinrelay send."""
        services = self._services
        report = await read_report(services.outbox, services.running.catalog, now=services.clock(), days=_DAYS)
        return self._pages.render(
            request,
            "tag_check.html",
            obeys=(),
            nav="tag",
            report=report,
            days=_DAYS,
            message_ids=MESSAGE_IDS if report.is_fed_message_ids else "",
        )
