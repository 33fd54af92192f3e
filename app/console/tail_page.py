"""The live tail: what arrives now, for operators, for some minutes."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.console.filter import filter_of
from app.console.labels import EXIT_LABELS
from app.console.pages import PageGroup, Pages, go, person_of, read_form
from app.console.services import ConsoleServices
from app.console.tester_page import TesterPages

#: For how many minutes it may be switched on.
MINUTES: Final = (5, 10, 15)
#: So many of the newest events are listed.
LISTED: Final = 50


class TailPages(PageGroup):
    """The list of what arrives, its switch, and the way of one event into the tester. All are for operators."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._tester = TesterPages(services, pages)

    async def show(self, request: Request) -> Response:
        """List the newest events, as far as the page's filter asks for them; `?part=live` only what changes."""
        services, now, chosen = self._services, self._services.clock(), filter_of(request)
        tail = services.acts.tail.tail
        events = [
            each
            for each in tail.events(now=now)
            if chosen.source in ("", each.source)
            and (not chosen.account_id or any(line.ad_account_id == chosen.account_id for line in each.lines))
        ]
        return self._pages.render(
            request,
            "tail_live.html" if request.query_params.get("part") == "live" else "tail.html",
            obeys=("account", "from"),
            usual="since it is on",
            nav="tail",
            tail=tail,
            events=events[:LISTED],
            more=len(events[LISTED:]),
            minutes=MINUTES,
            became=EXIT_LABELS,
            process=services.coordination.process,
            others=len(await services.coordination.processes(now=now)) - 1,
        )

    async def switch(self, request: Request) -> Response:
        """Switch the live tail on for some minutes, or off."""
        wanted = (await read_form(request)).get("minutes", "")
        minutes = next((each for each in MINUTES if str(each) == wanted), 0)
        await self._services.acts.tail.watch(person_of(request), for_s=minutes * 60)
        return go(request, "tail")

    async def open(self, request: Request) -> Response:
        """Put one event into the tester."""
        number = (await read_form(request)).get("number", "")
        found = self._services.acts.tail.tail.events(now=self._services.clock())
        event = next((each for each in found if str(each.number) == number), None)
        if event is None:
            text = (
                "It has left the tail, or the tail has ended, or another process answers than the one that holds it. "
                "Go back, load the page again, and open a newer event."
            )
            return self._pages.problem(request, 404, "The event is not held any more", text)
        return await self._tester.open(request, event.text.decode(), event.source)
