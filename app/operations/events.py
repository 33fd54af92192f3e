"""Operations on received events: list, show their properties, list those that were not sent, count."""

import re
from datetime import date
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from app.access.users import UserRole
from app.core.events import CounterRow, Outcome
from app.core.pages import Query
from app.core.values.times import HOUR_S, day_number
from app.errors import UnknownName
from app.insights.inventory.figures import DAYS
from app.insights.inventory.view import InventoryView, NameView
from app.operations.declaration import Call, Column, Params, TextFilter, member, operation
from app.operations.deliveries import ListParams
from app.pipeline.search import dropped_json

# ---------------------------------------------------------------------------------------------------------------------
# Kinds of events.


class NearestPreset(BaseModel, from_attributes=True):
    """The preset nearest to a kind of event."""

    preset: str | None = Field(description="Null if no preset is near.")
    is_named: bool = Field(description="Whether the preset's trigger names this event.")
    why: str = Field(description="Why it does not take the event; empty if it does.")


class EventSums(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """A kind of event in the requested days."""

    source: str = member("figures", "key", "source")
    type: str = member("figures", "key", "type")
    name: str = member("figures", "key", "name")
    title: str = member("figures", "title")
    first_at: float = member("figures", "first_at")
    last_at: float = member("figures", "last_at")
    received: int = member("figures", "received")
    public: int = member("figures", "public", description="Events that anyone could have sent.")
    outcomes: dict[str, int] = member("figures", "outcomes")
    states: dict[str, int] = member("figures", "states")
    presets: dict[str, int] = member("figures", "presets")
    sampled: int = member("figures", "sampled", description="How many events were sampled.")
    shares: dict[str, Annotated[float, AfterValidator(lambda share: round(share, 4))]] = member(
        "figures", "shares", description="Share of the sampled events in which each of these was found."
    )
    nearest: NearestPreset


class EventFigures(EventSums):
    """A kind of event in the requested days, also by day."""

    days: dict[str, int] = member("figures", "days", description="Received, by the start of the day in Unix seconds.")


class EventChange(BaseModel, from_attributes=True):
    """A kind of event that is new, or has vanished, since yesterday."""

    source: str = member("key", "source")
    type: str = member("key", "type")
    name: str = member("key", "name")
    what: str
    label: str
    text: str


class DayFigures(BaseModel):
    """A kind of event on a single day."""

    at: int = Field(description="The start of the day in Unix seconds.")
    received: int
    outcomes: dict[str, int]
    states: dict[str, int]


class PropertyShare(BaseModel, from_attributes=True):
    """A property of a kind of event, with a type of value."""

    path: str
    kind: str
    number: int = Field(description="How many sampled events had it.")
    share: float
    first_at: int
    last_at: int
    is_read: bool | None = Field(
        description="Whether a preset that took these events, a trigger or Pinrelay reads it; null if no preset did."
    )


class EventDetails(EventSums):
    """A kind of event, also by day, with its properties."""

    by_day: list[DayFigures] = member("figures", "by_day", description="The latest day first.")
    properties: list[PropertyShare]


def _read_day(given: Any) -> Any:
    """Refuse other forms than YYYY-MM-DD: pydantic reads numbers as Unix seconds."""
    if isinstance(given, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", given, re.ASCII):
        raise ValueError("a day is written YYYY-MM-DD")
    return given


_Day: TypeAlias = Annotated[date, BeforeValidator(_read_day)]


class DaysParams(Params):
    """A period, and a source."""

    source: TextFilter = Field(default=None, json_schema_extra={"x-complete": "sources"})
    days: int = Field(default=DAYS, ge=1, le=366, description="Number of days.")
    last_day: _Day | None = Field(default=None, description="The last day (UTC); without it, today.")

    @property
    def span(self) -> dict[str, Any]:
        """The period, as the inventory takes it."""
        return {"days": self.days, "last_day": None if self.last_day is None else day_number(self.last_day)}


class EventFiguresList(BaseModel):
    """All kinds of events, the most frequent first."""

    days: int
    events: list[EventFigures]
    changes: list[EventChange]


def _view(call: Call) -> InventoryView:
    services = call.services
    return InventoryView(inventory=services.outbox.inventory, catalog=services.catalog, clock=services.audit.clock)


async def _names(call: Call, params: DaysParams) -> list[NameView]:
    """Return the kinds of events of a source, or of all. Raises UnknownName if there is no such source."""
    names = await _view(call).names(**params.span)
    found = [each for each in names if params.source in (None, each.figures.key.source)]
    if not found:
        await call.services.finder.check(Query(source=params.source))
    return found


@operation(
    "events list",
    role=UserRole.VIEWER,
    rows="events",
    columns=(
        Column(name="title", title="Event"),
        Column(name="source", title="Source", group="source"),
        Column(name="received", title="Received", kind="number"),
        Column(name="public", title="Public", kind="number"),
        Column(name="outcomes", title="Outcomes"),
        Column(name="states", title="Deliveries"),
        Column(name="nearest.preset", title="Preset"),
        Column(name="nearest.why", title="Why none"),
        Column(name="last_at", title="Last", kind="time"),
    ),
    example={"days": 30},
)
async def list_events(call: Call, params: DaysParams) -> EventFiguresList:
    """List received events by name, with their outcomes and the preset that matches them or the nearest preset.

    `changes` lists the names that are new or have vanished since yesterday.
    """
    changes = [each for each in await _view(call).changes() if params.source in (None, each.key.source)]
    found = {"days": params.days, "events": await _names(call, params), "changes": changes}
    return EventFiguresList.model_validate(found)


class PropertiesParams(DaysParams):
    """Which event."""

    name: str = Field(
        description="Name of the event; empty: events without a name.", json_schema_extra={"x-argument": True}
    )
    type: TextFilter = Field(default=None, description="`track`, `page` and so on; without it, any.")


class EventDetailsList(BaseModel):
    """The kinds of events with a name, the most frequent first."""

    events: list[EventDetails]


@operation("events properties", role=UserRole.VIEWER, rows="events", example={"name": "Order Completed"})
async def show_properties(call: Call, params: PropertiesParams) -> EventDetailsList:
    """Show an event's outcomes by day and its properties, from each source. Raises UnknownName."""
    names = [each for each in await _names(call, params) if params.type in (None, each.figures.key.type)]
    found = [each for each in names if params.name in (each.figures.key.name, each.figures.title)]
    if not found:
        raise UnknownName("event", params.name, [each.figures.key.name for each in names])
    details = [await _view(call).with_properties(each, **params.span) for each in found]
    return EventDetailsList.model_validate({"events": details})


# ---------------------------------------------------------------------------------------------------------------------
# Events that were not sent.


class EventNotSent(BaseModel, from_attributes=True):
    """An event that was not sent, and why."""

    at: float = Field(description="Unix seconds.")
    message_id: str
    ad_account_id: str | None = Field(description="Null if it was for no ad account.")
    preset: str | None = Field(description="Null if no preset took it.")
    outcome: Outcome
    reason: str
    warnings: list[str]
    event_name: str | None = Field(description="Pinterest's name; null if it was not mapped.")
    order_id: str | None
    amount: str | None
    currency: str | None
    source: str
    name: str = Field(description="The name as received.")
    channel: str = Field(description="How the order was placed, such as `pos`; empty if no trusted event states it.")
    is_trusted: bool = Field(description="Whether its author is trusted by a secret.")
    was_enqueued: bool = Field(description="Whether it was a waiting delivery that was withdrawn.")


class EventsNotSent(BaseModel):
    """A page of events that were not sent."""

    dropped_events: list[EventNotSent]
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    prev_cursor: str | None = Field(description="For the page before; null on the first.")
    scanned: int | None = Field(description="Set if only so many of the newest were searched.")


@operation(
    "events not-sent",
    role=UserRole.VIEWER,
    rows="dropped_events",
    columns=(
        Column(name="at", title="Received", kind="time", group="hour"),
        Column(name="outcome", title="Outcome", kind="state", group="outcome"),
        Column(name="preset", title="Preset", group="preset"),
        Column(name="name", title="Name", group="name"),
        Column(name="order_id", title="Order", kind="id"),
        Column(name="amount", title="Value", kind="money"),
        Column(name="reason", title="Reason", group="reason"),
        Column(name="source", title="Source", group="source"),
        Column(name="message_id", title="Message id", kind="id"),
    ),
    example={"outcome": "invalid"},
)
async def list_not_sent(call: Call, params: ListParams) -> EventsNotSent:
    """List events that were not sent, with the reason, newest first."""
    query, is_oldest = params.query, params.sort == "oldest"
    page = await call.services.outbox.search_dropped(
        query, limit=params.limit, cursor=params.cursor, oldest_first=is_oldest
    )
    if not page.events and params.cursor is None:
        await call.services.finder.check(query)
    found = {"dropped_events": dropped_json(page), "next_cursor": page.next_cursor}
    return EventsNotSent.model_validate({**found, "prev_cursor": page.prev_cursor, "scanned": page.scanned})


# ---------------------------------------------------------------------------------------------------------------------
# Counts.


_MAX_HOURS: Final = 24 * 366


class PartParams(Params):
    """A part of all events."""

    ad_account_id: TextFilter = Field(default=None, json_schema_extra={"x-complete": "accounts"})
    source: TextFilter = Field(default=None, json_schema_extra={"x-complete": "sources"})
    preset: TextFilter = Field(default=None, json_schema_extra={"x-complete": "presets"})


class CountsParams(PartParams):
    """Which counts."""

    hours: int = Field(default=24, ge=1, le=_MAX_HOURS, description="Number of hours, up to now.")


class Counts(BaseModel):
    """Counts since a moment."""

    since: float = Field(description="Unix seconds.")
    counts: list[CounterRow]


@operation(
    "events counts",
    role=UserRole.VIEWER,
    rows="counts",
    columns=(
        Column(name="name", title="Counted"),
        Column(name="label", title="Reason"),
        Column(name="preset", title="Preset", group="preset"),
        Column(name="ad_account_id", title="Ad account", group="ad_account_id"),
        Column(name="source", title="Source", group="source"),
        Column(name="count", title="Count", kind="number"),
    ),
    example={"hours": 1},
)
async def count_events(call: Call, params: CountsParams) -> Counts:
    """Count outcomes, warnings and Pinterest's answers of the last hours, by ad account, source and preset."""
    wanted = params.model_dump(exclude={"hours"}, exclude_none=True)
    since = call.services.audit.clock() - params.hours * HOUR_S
    found = [counter for _, counter in await call.services.outbox.counters(since=since, step_s=0)]
    counts = [each for each in found if all(getattr(each, name) == value for name, value in wanted.items())]
    return Counts(since=since, counts=counts)
