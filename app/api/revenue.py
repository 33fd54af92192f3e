"""What orders were worth, for operators' programs: /api/revenue."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.api.answers import RevenueAnswer
from app.api.problems import not_found
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.insights.orders.revenue import read_revenue
from app.outbox import Outbox
from app.pipeline.search import Finder


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
