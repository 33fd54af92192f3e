"""Quarantine: what made no delivery and is kept as received; judged anew, replayed, discarded."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from app.console.filter import filter_of
from app.console.pages import Form, PageGroup, given_number, go, person_of, read_form
from app.core.events import Exit
from app.core.pages import QuarantineFilter
from app.core.values.times import DAY_S
from app.errors import FilterError


class QuarantinePages(PageGroup):
    """The pages of the quarantine: what is kept, what would become of it, and the buttons for that."""

    async def show(self, request: Request) -> Response:
        """List what is kept by source, name and reason; where nothing is, say what a day's would have been."""
        acts, source = self._services.acts.quarantine, filter_of(request).source
        groups = await acts.replaying.groups() if acts.is_on else []
        return self._pages.render(
            request,
            "quarantine.html",
            obeys=("from",),
            usual="all that is kept",
            nav="quarantine",
            is_on=acts.is_on,
            groups=[each for each in groups if source in ("", each.source)],
            source=source,
            missed=None if acts.is_on else await self._missed(),
            left=given_number(request.query_params.get("left")),
            discarded=given_number(request.query_params.get("discarded")),
        )

    async def preview(self, request: Request) -> Response:
        """Show what would become of the events that a filter means, before anybody replays them."""
        wanted = wanted_of(dict(request.query_params))
        replay = await self._services.acts.quarantine.replaying.preview(wanted)
        return self._pages.render(
            request, "quarantine_preview.html", nav="quarantine", wanted=wanted.given, replay=replay
        )

    async def replay(self, request: Request) -> Response:
        """Accept the events that a filter means, as far as they make deliveries now."""
        done = await self._services.acts.quarantine.replay(person_of(request), wanted_of(await read_form(request)))
        return go(request, "quarantine", {"left": done.leaving})

    async def discard(self, request: Request) -> Response:
        """Erase the events that a filter means."""
        count = await self._services.acts.quarantine.discard(person_of(request), wanted_of(await read_form(request)))
        return go(request, "quarantine", {"discarded": count})

    async def _missed(self) -> Counter[str]:
        """Return how many deliveries of the last day were invalid, and how many events matched no preset."""
        missed: Counter[str] = Counter()
        for _, counter in await self._services.outbox.counters(since=self._services.clock() - DAY_S, step_s=0):
            if counter.name in (Exit.INVALID, Exit.UNMATCHED):
                missed[counter.name] += counter.count
        return missed


def wanted_of(values: Form) -> QuarantineFilter:
    """Return the filter of a form or an address; what is not given is no filter, what is empty is one.

    Raises FilterError for an exit that nothing is kept of: without it the filter would mean all.
    """
    exit_ = values.get("exit")
    if exit_ not in (None, Exit.INVALID, Exit.UNMATCHED):
        raise FilterError(f'The filter "exit" must be one of {Exit.INVALID}, {Exit.UNMATCHED}.')
    return QuarantineFilter(
        name=values.get("name"),
        exit=None if exit_ is None else Exit(exit_),
        source=values.get("source"),
        reason=values.get("reason"),
    )
