"""Dead letters: sent again or put away, one or many; many are asked about first."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from app.console.filter import PARTS
from app.console.pages import PageGroup, go, person_of, read_form
from app.core.values.times import DAY_S
from app.errors import WhyMissing
from app.operations.dead_letters import dead_query
from app.outbox import SEARCH_FILTERS

#: Does something to the dead letters that some filters mean; returns how many by what became of them.
_Work: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Mapping[str, int]]]
#: So many of those that are meant are shown before one decides.
_SHOWN = 10


class DeadLetterPages(PageGroup):
    """Redrive and dismiss.

    What cannot be searched by raises FilterError, as does a filter that is empty: it would mean every dead letter.
    """

    async def confirm_redrive(self, request: Request) -> Response:
        """Ask before many are sent again, and show some of them."""
        return await self._confirm(request, "redrive", request.query_params)

    async def confirm_dismissal(self, request: Request) -> Response:
        """Ask before many are put away, and why."""
        return await self._confirm(request, "dismiss", request.query_params)

    async def redrive(self, request: Request) -> Response:
        """Make dead deliveries pending again: one, those that a filter finds, or all."""
        form = await read_form(request)

        async def work(filters: Mapping[str, str]) -> Mapping[str, int]:
            query = dead_query(filters)
            return asdict(await self._services.acts.dead_letters.redrive(person_of(request), query))

        return await self._do(request, form, work)

    async def dismiss(self, request: Request) -> Response:
        """Put dead deliveries away for good, likewise; the form says why, or is shown again."""
        form = await read_form(request)
        why = form.pop("because", "")

        async def work(filters: Mapping[str, str]) -> Mapping[str, int]:
            query = dead_query(filters)
            return {"dismissed": await self._services.acts.dead_letters.dismiss(person_of(request), query, why)}

        try:
            return await self._do(request, form, work)
        except WhyMissing as exc:
            return await self._confirm(request, "dismiss", form, fault=str(exc))

    async def _do(self, request: Request, form: Mapping[str, str], work: _Work) -> Response:
        """Redrive or dismiss, and redirect to the page that shows what was done."""
        filters = {name: text for name, text in form.items() if name != "state"}
        done = await work(filters)
        if filters.keys() == {"delivery_id"}:
            return go(request, "delivery", {"id": filters["delivery_id"], **done})
        return go(request, "deliveries", {**filters, **done})

    async def _confirm(self, request: Request, way: str, given: Mapping[str, str], *, fault: str = "") -> Response:
        """Ask about the dead letters that are meant; `fault` is what was wrong with the answer, "" before it."""
        filters = {name: text for name, text in given.items() if name not in {*PARTS, "state"}}
        query = dead_query(filters)
        await self._services.acts.dead_letters.check(query)
        page = await self._services.outbox.search(query, limit=_SHOWN)
        return self._pages.render(
            request,
            "dead_letters.html",
            status=400 if fault else 200,
            fault=fault,
            kept=filters,
            nav="deliveries",
            way=way,
            filters=filters,
            words=SEARCH_FILTERS,
            page=page,
            dead=None if filters else await self._count(),
            counted=await self._services.acts.dead_letters.count(query),
            oldest_days=self._services.outbox_rules.max_event_age_s / DAY_S,
        )

    async def _count(self) -> int:
        """Return how many dead deliveries there are, of all ad accounts."""
        outbox, now = self._services.outbox, self._services.clock()
        accounts = self._services.destination.accounts
        return sum([(await outbox.backlog(each.ad_account_id, now=now)).dead for each in accounts])
