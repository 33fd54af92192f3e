"""Figures for operators' programs: /api/counts, /api/inventory and /api/revenue."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.answers import CountsAnswer, EventDetails, InventoryAnswer, RevenueAnswer
from app.api.problems import Refused, not_found
from app.core.events import DEFAULT_SOURCE, EventKey
from app.core.pages import Query
from app.core.values.times import DAY_S, HOUR_S, day_number
from app.insights.inventory.figures import DAYS
from app.insights.inventory.view import InventoryView
from app.insights.orders.revenue import read_revenue
from app.outbox import Outbox
from app.pipeline.search import Finder

_MISSING: Final = "no such event has arrived in these days"
_NOT_MET: Final = not_found("No such event has arrived.")


def add_counts(router: APIRouter, outbox: Outbox, clock: Callable[[], float]) -> None:
    """Add the route; `clock` says what hours are the last ones."""

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
    """Refuse what is no YYYY-MM-DD: pydantic takes numbers as Unix seconds."""
    if isinstance(given, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return given


_Day: TypeAlias = Annotated[date, BeforeValidator(_iso_day)]


def add_inventory(router: APIRouter, inventory: InventoryView) -> None:
    """Add the route /api/inventory."""

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
            found = await inventory.all_as_json(days=days, last_day=last, source=source)
            return InventoryAnswer.model_validate(found)
        one = await inventory.one_as_json(EventKey(source or DEFAULT_SOURCE, type, name), days=days, last_day=last)
        if one is None:
            raise Refused(404, _MISSING)
        return EventDetails.model_validate(one)


def add_revenue(router: APIRouter, outbox: Outbox, finder: Finder, clock: Callable[[], float]) -> None:
    """Add the route; `clock` says which day is the last one."""

    @router.get(
        "/revenue",
        summary="What the orders of the last days were worth, by currency, and what became of them",
        responses=not_found("A filter names nothing known."),
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
        currencies = await read_revenue(outbox, asked, first_day=today - days + 1, last_day=today)
        found = [each.as_json() for each in currencies]
        return RevenueAnswer.model_validate({"first_day": today - days + 1, "last_day": today, "currencies": found})
