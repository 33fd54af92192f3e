"""What arrives by name, for operators' programs: /api/inventory."""

import re
from datetime import date
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter
from pydantic import BeforeValidator, Field

from app.api.answers import EventDetails, InventoryAnswer
from app.api.problems import Refused, not_found
from app.core.events import DEFAULT_SOURCE, EventKey
from app.core.values.times import day_number
from app.insights.inventory.figures import DAYS
from app.insights.inventory.view import InventoryView

_MISSING: Final = "no such event has arrived in these days"
_NOT_MET: Final = not_found("No such event has arrived.")


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
