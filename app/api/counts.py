"""What was counted, by ad account, source and preset, for operators' programs: /api/counts."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.api.answers import CountsAnswer
from app.core.values.times import HOUR_S
from app.outbox import Outbox


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
