"""What orders were worth, for operators' programs: /api/revenue."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from app.api.answers import api_answer
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
        responses={404: {"description": "A filter names nothing known."}},
    )
    async def revenue(
        days: Annotated[int, Field(ge=1, le=366, description="So many days (UTC), today being the last.")] = 7,
        ad_account_id: str | None = None,
        source: str | None = None,
        preset: str | None = None,
    ) -> Response:
        asked = {"ad_account_id": ad_account_id, "source": source, "preset": preset}

        async def told() -> dict[str, Any]:
            await finder.check(Query(ad_account_id=ad_account_id, source=source, preset=preset))
            return await revenue_as_json(outbox, int(clock() // DAY_S), days, asked)

        return await api_answer(told())


async def revenue_as_json(outbox: Outbox, today: int, days: int, asked: dict[str, str | None]) -> dict[str, Any]:
    """Return the figures of the last days of what has these members; None means any."""
    first = today - days + 1
    currencies = await read_revenue(outbox, asked, first_day=first, last_day=today)
    return {"first_day": first, "last_day": today, "currencies": [each.as_json() for each in currencies]}
