"""Look-ups for operators' programs: deliveries and other events; counts, inventory and revenue."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final, TypeAlias

import fastapi
from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.access.admission import NOT_OPERATOR
from app.api.answers import (
    CountsAnswer,
    DroppedEventAnswer,
    DroppedEventsAnswer,
    EventDetails,
    FoundAnswer,
    InventoryAnswer,
    RevenueAnswer,
)
from app.api.problems import Refused, refusal
from app.core.events import DEFAULT_SOURCE, EventKey
from app.core.pages import Query
from app.core.values.times import DAY_S, HOUR_S, day_number
from app.insights.inventory.figures import DAYS
from app.insights.inventory.view import InventoryView
from app.insights.orders.revenue import read_revenue
from app.operations.deliveries import ListParams
from app.outbox import Outbox
from app.pipeline.search import MAX_FOUND_BY, Finder, dropped_json

_UNKNOWN: Final = refusal(404, "A filter names nothing known.")
_Limit = Annotated[int, Field(ge=1, le=500)]


def _integer(value: Any) -> Any:
    """Return a float without a fraction as an integer: JSON Schema accepts `2.0` as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class FindRequest(BaseModel):
    """A text to find an event or a person by."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1,
        max_length=MAX_FOUND_BY,
        description="An id, a name, part of a reason, an e-mail address or a phone number (these two are not stored).",
    )
    limit: Annotated[_Limit, BeforeValidator(_integer)] = 50


def add_searches(router: APIRouter, outbox: Outbox, finder: Finder) -> None:
    """Add the routes."""

    @router.get(
        "/dropped-events", summary="Events that were not sent, with the reason, newest first", responses=_UNKNOWN
    )
    async def dropped_events(asked: Annotated[ListParams, fastapi.Query()]) -> DroppedEventsAnswer:
        query = asked.query
        page = await outbox.search_dropped(
            query, limit=asked.limit, cursor=asked.cursor, oldest_first=asked.sort == "oldest"
        )
        if not page.events and asked.cursor is None:
            await finder.check(query)
        found = {"dropped_events": dropped_json(page), "next_cursor": page.next_cursor}
        more = {"prev_cursor": page.prev_cursor, "scanned": page.scanned}
        return DroppedEventsAnswer.model_validate(found | more)

    @router.post("/find", summary="Deliveries and dropped events by whatever is at hand; a person, for operators only")
    async def find(request: Request, wanted: FindRequest) -> FoundAnswer:
        may_find_people = request.state.person.may_operate
        found = await finder.look_up(wanted.text, limit=wanted.limit, people=may_find_people)
        if found is None and not may_find_people and finder.digest(wanted.text) is not None:
            NOT_OPERATOR.note(request.scope)
            raise Refused(403, "only operators can find events of a person; your role is viewer")
        if found is None:
            return FoundAnswer(looked_for=None, deliveries=[], dropped_events=[])
        dropped = [DroppedEventAnswer.model_validate(each) for each in dropped_json(found.dropped)]
        return FoundAnswer(
            looked_for=found.query.given, deliveries=list(found.deliveries.deliveries), dropped_events=dropped
        )


_MISSING: Final = "no such event has arrived in these days"
_NOT_MET: Final = refusal(404, "No such event has arrived.")


def add_counts(router: APIRouter, outbox: Outbox, clock: Callable[[], float]) -> None:
    """Add the route; `clock` determines the last hours."""

    @router.get("/counts", summary="Counts of the last hours, by ad account, source and preset")
    async def counts(
        hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24,
        ad_account_id: str | None = None,
        source: str | None = None,
        preset: str | None = None,
    ) -> CountsAnswer:
        asked = {"ad_account_id": ad_account_id, "source": source, "preset": preset}
        wanted = {name: value for name, value in asked.items() if value is not None}
        since = clock() - hours * HOUR_S
        found = [counter for _, counter in await outbox.counters(since=since, step_s=0)]
        counts = [each for each in found if all(getattr(each, name) == value for name, value in wanted.items())]
        return CountsAnswer(since=since, counts=counts)


def _iso_day(given: Any) -> Any:
    """Reject other formats than YYYY-MM-DD: pydantic would read numbers as Unix seconds."""
    if isinstance(given, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return given


_Day: TypeAlias = Annotated[date, BeforeValidator(_iso_day)]


def add_inventory(router: APIRouter, inventory: InventoryView) -> None:
    """Add the route /api/v1/inventory."""

    @router.get("/inventory", summary="What arrives by name, or one name with its properties", responses=_NOT_MET)
    async def names(
        days: Annotated[int, Field(ge=1, le=366)] = DAYS,
        last_day: Annotated[_Day | None, Field(description="The last of them (UTC); none is today.")] = None,
        source: Annotated[str | None, Field(description="Of one name, none is `default`; of all, any.")] = None,
        type: Annotated[  # noqa: A002 - Segment's word
            str, Field(description="Of one name: `track`, `page` ...")
        ] = "track",
        name: Annotated[str | None, Field(description="One name; empty: what has none. Without it, all names.")] = None,
    ) -> InventoryAnswer | EventDetails:
        last = None if last_day is None else day_number(last_day)
        if name is None:
            every, changes = await inventory.names(days=days, last_day=last), await inventory.changes()
            events = [one for one in every if source in (None, one.figures.key.source)]
            changed = [each for each in changes if source in (None, each.key.source)]
            return InventoryAnswer.model_validate({"days": days, "events": events, "changes": changed})
        one = await inventory.name(EventKey(source or DEFAULT_SOURCE, type, name), days=days, last_day=last)
        if one is None:
            raise Refused(404, _MISSING)
        return EventDetails.model_validate(await inventory.with_properties(one, days=days, last_day=last))


def add_revenue(router: APIRouter, outbox: Outbox, finder: Finder, clock: Callable[[], float]) -> None:
    """Add the route; `clock` determines the last day."""

    @router.get(
        "/revenue",
        summary="What the orders of the last days were worth, by currency, and what became of them",
        responses=_UNKNOWN,
    )
    async def revenue(
        days: Annotated[int, Field(ge=1, le=366, description="So many days (UTC), today being the last.")] = 7,
        ad_account_id: str | None = None,
        source: str | None = None,
        preset: str | None = None,
    ) -> RevenueAnswer:
        asked = {"ad_account_id": ad_account_id, "source": source, "preset": preset}
        await finder.check(Query(ad_account_id=ad_account_id, source=source, preset=preset))
        today = int(clock() // DAY_S)
        found = await read_revenue(outbox, asked, first_day=today - days + 1, last_day=today)
        return RevenueAnswer.model_validate({"first_day": today - days + 1, "last_day": today, "currencies": found})
