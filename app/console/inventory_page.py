"""Received events by name, their outcomes and contents; and the quarantine of events without a delivery."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from app.console.charts import Bars, draw
from app.console.filter import WholeDays, days_of, filter_of
from app.console.pages import PageGroup, given_number, go, read_form, read_params
from app.core.events import EventKey, Outcome
from app.core.values.times import DAY_S
from app.insights.inventory.counting import LOOKED_FOR
from app.insights.inventory.figures import BECAME, DAYS, SHOWN, STANDS
from app.insights.inventory.view import NameView
from app.operations.quarantine import QuarantineFilters, discard, list_groups, preview, replay
from app.pipeline.received_names import title_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedName:
    """A kind of event, as a row of the list."""

    view: NameView
    bars: Bars
    #: The outcomes in the order of the stages: outcome, label, count.
    outcomes: tuple[tuple[str, str, int], ...]
    #: The states of the deliveries: state, label, count.
    stands: tuple[tuple[str, str, int], ...]
    #: The query of this name's page.
    query: str
    #: The filters of the list of these events in the ledger; empty for a group of several names.
    filters: Mapping[str, str | int]

    def of_day(self, at: int) -> Mapping[str, str | int]:
        """Return the filters of the day that started then."""
        return {**self.filters, "since": at, "until": at + DAY_S} if self.filters else {}


class InventoryPages(PageGroup):
    """The list of names, and a page for each."""

    async def show(self, request: Request) -> Response:
        """List all kinds of events, the most frequent first, of all sources or a selected one."""
        chosen = filter_of(request)
        days, source = days_of(chosen.period, usual=DAYS, now=self._services.clock()), chosen.source
        views = await self._services.inventory.names(days=days.length, last_day=days.last)
        listed = [self._listed(view, days) for view in views if source in ("", view.figures.key.source)]
        return self._pages.render(
            request,
            "inventory.html",
            obeys=("from", "period"),
            usual=f"{DAYS} days",
            nav="inventory",
            names=listed,
            changes=await self._services.inventory.changes(),
            sources=sorted({view.figures.key.source for view in views}),
            days=days,
            shown=SHOWN,
        )

    async def name(self, request: Request) -> Response:
        """Show a kind of event: its outcomes by day, its contents, and its preset."""
        days = days_of(filter_of(request).period, usual=DAYS, now=self._services.clock())
        key, span = key_of(request.query_params), {"days": days.length, "last_day": days.last}
        view = await self._services.inventory.name(key, **span)
        if view is None:
            text = f"No such event has arrived {days.words}. Look back further, or go on from the inventory."
            return self._pages.problem(request, 404, "There is no such event", text)
        return self._pages.render(
            request,
            "inventory_name.html",
            obeys=("period",),
            usual=f"{DAYS} days",
            nav="inventory",
            one=self._listed(view, days),
            properties=await self._services.inventory.properties(key, **span),
            looked_for=LOOKED_FOR,
            days=days,
            key_query=urlencode(key._asdict()),
            outcome_words=BECAME,
            state_words=STANDS,
        )

    def _listed(self, view: NameView, days: WholeDays) -> ListedName:
        figures = view.figures
        by_day = [figures.days.get(day * DAY_S, 0) for day in range(days.first, days.last + 1)]
        return ListedName(
            view=view,
            bars=draw(by_day),
            outcomes=_told(figures.outcomes, BECAME),
            stands=_told(figures.states, STANDS),
            query=urlencode(figures.key._asdict()),
            filters=_filters(figures.key, days),
        )


def _told(counts: Mapping[str, int], words: Mapping[str, str]) -> tuple[tuple[str, str, int], ...]:
    return tuple((name, told, counts[name]) for name, told in words.items() if counts[name])


def _filters(key: EventKey, days: WholeDays) -> dict[str, str | int]:
    is_several = not key.type and key.name
    span = {"since": days.first * DAY_S, "until": (days.last + 1) * DAY_S}
    return {} if is_several else {"name": title_of(key), "source": key.source, **span}


def key_of(parameters: QueryParams) -> EventKey:
    """Return the kind of event in an address."""
    return EventKey(parameters.get("source", ""), parameters.get("type", ""), parameters.get("name", ""))


class QuarantinePages(PageGroup):
    """The pages of the quarantine: the groups of events, the preview of a replay, and its buttons."""

    async def show(self, request: Request) -> Response:
        """List the groups of events; if the quarantine is off, count the events of a day that it would have stored."""
        is_on, source = self._services.settings.quarantine_hours > 0, filter_of(request).source
        params = read_params(list_groups, {"source": source} if source else {})
        return self._pages.render(
            request,
            "quarantine.html",
            obeys=("from",),
            usual="all that is kept",
            nav="quarantine",
            is_on=is_on,
            groups=(await list_groups(self.call(request), params)).groups if is_on else (),
            source=source,
            missed=None if is_on else await self._missed(),
            left=given_number(request.query_params.get("left")),
            discarded=given_number(request.query_params.get("discarded")),
        )

    async def preview(self, request: Request) -> Response:
        """Show the result that a replay of the events would have."""
        given = {name: text for name, text in request.query_params.items() if name in preview.params.model_fields}
        params: QuarantineFilters = read_params(preview, given)
        return self._pages.render(
            request,
            "quarantine_preview.html",
            nav="quarantine",
            wanted=params.wanted.given,
            replay=await preview(self.call(request), params),
        )

    async def replay(self, request: Request) -> Response:
        """Replay the events."""
        done = await replay(self.call(request), read_params(replay, await read_form(request)))
        return go(request, "quarantine", {"left": done.leaving})

    async def discard(self, request: Request) -> Response:
        """Erase the events."""
        done = await discard(self.call(request), read_params(discard, await read_form(request)))
        return go(request, "quarantine", {"discarded": done.discarded})

    async def _missed(self) -> Counter[str]:
        """Return how many deliveries of the last day were invalid, and how many events matched no preset."""
        missed: Counter[str] = Counter()
        for _, counter in await self._services.outbox.counters(since=self._services.clock() - DAY_S, step_s=0):
            if counter.name in (Outcome.INVALID, Outcome.UNMATCHED):
                missed[counter.name] += counter.count
        return missed
