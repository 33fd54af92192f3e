"""What was counted, by ad account, source and preset, for operators' programs: /api/counts."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from app.api.answers import api_answer
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
    ) -> Response:
        asked = {"ad_account_id": ad_account_id, "source": source, "preset": preset}
        return await api_answer(_counts(outbox, clock() - hours * HOUR_S, asked))


async def _counts(outbox: Outbox, since: float, asked: dict[str, str | None]) -> dict[str, Any]:
    """Return the sums since then (Unix seconds) of what has these members; None means any."""
    wanted = {name: value for name, value in asked.items() if value is not None}
    found = [asdict(tally) for _, tally in await outbox.tallies(since=since, step_s=0)]
    return {"since": since, "counts": [each for each in found if wanted.items() <= each.items()]}
