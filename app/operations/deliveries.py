"""Operations on deliveries: list, show, count dead ones by cause, redrive, dismiss."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from app.access.users import UserRole
from app.core.deliveries import Delivery, State
from app.core.events import Outcome
from app.core.pages import AuditAction, DeadCause, Page, Query
from app.core.values.hidden_emails import unpersonal_id
from app.destination import redact
from app.errors import FilterError, NoDelivery
from app.operations.declaration import (
    Call,
    Column,
    Paged,
    Params,
    Result,
    Selection,
    Services,
    TextFilter,
    operation,
)
from app.outbox import SEARCH_FILTERS, read_filters

_DAY_OF_YEAR = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
#: The times that the OpenAPI document describes; `read_filters` reads other forms of ISO 8601 too.
_TIMES: tuple[dict[str, Any], ...] = (
    {"type": "string", "pattern": f"^20[0-9]{{2}}-({_DAY_OF_YEAR})(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?$"},
    {"type": "string", "pattern": "^1[0-9]{9}$"},
    {"type": "null"},
)
TimeFilter: TypeAlias = Annotated[str | None, WithJsonSchema({"anyOf": list(_TIMES)})]


YesOrNo: TypeAlias = Literal["yes", "no"] | None
#: Characters of the reason for a dismissal.
MAX_WHY: Final = 200


def _read_reason(text: Any) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_WHY:
        raise ValueError(
            f"Give a reason of 1 to {MAX_WHY} characters. It is stored with the events and in the audit log."
        )
    return text.strip()


#: The reason for a change, stored without e-mail addresses and phone numbers.
Because: TypeAlias = Annotated[
    str,
    BeforeValidator(_read_reason),
    AfterValidator(redact),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_WHY}),
]


class DeliveryFilters(Params):
    """Filters of deliveries. A delivery must match all filters that are given."""

    delivery_id: TextFilter = None
    message_id: TextFilter = None
    event_id: TextFilter = None
    order_id: TextFilter = Field(default=None, description="Order id, as sent.")
    ad_account_id: TextFilter = Field(default=None, json_schema_extra={"x-complete": "accounts"})
    preset: TextFilter = Field(default=None, json_schema_extra={"x-complete": "presets"})
    event_name: TextFilter = Field(default=None, description="Pinterest's name of the event.")
    name: TextFilter = Field(default=None, description="Name of the event as received.")
    source: TextFilter = Field(default=None, json_schema_extra={"x-complete": "sources"})
    channel: TextFilter = Field(
        default=None, description="Order channel, such as `pos`; `none`: events without a channel."
    )
    currency: TextFilter = Field(default=None, description="ISO 4217, in any case; `none`: orders without a currency.")
    is_order: YesOrNo = Field(default=None, description="Whether the event is an order, as revenue counts orders.")
    outcome: Outcome | None = Field(default=None, description="Result of an attempt, as receipts and counts name it.")
    taken: YesOrNo = Field(default=None, description="Whether a preset took the event; true for each dead delivery.")
    status: int | None = Field(default=None, ge=100, le=599, description="Pinterest's HTTP status of an attempt.")
    reason: TextFilter = Field(default=None, description="Part of the reason, in any case.")
    cause: TextFilter = Field(default=None, description="The whole reason, as `deliveries causes` lists it.")
    warning: TextFilter = Field(default=None, description="Part of a warning, in any case.")
    since: TimeFilter = Field(default=None, description="ISO 8601 or Unix seconds, inclusive.")
    until: TimeFilter = Field(default=None, description="ISO 8601 or Unix seconds, exclusive.")

    @field_validator("*")
    @classmethod
    def _check_filter(cls, value: Any, field: ValidationInfo) -> Any:
        if value is not None and field.field_name in SEARCH_FILTERS:
            try:
                read_filters({str(field.field_name): str(value)})
            except FilterError as exc:
                raise ValueError(str(exc)) from exc
        return value

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are given, as texts."""
        given = self.model_dump(mode="json", exclude_none=True, include=set(SEARCH_FILTERS))
        return {name: str(value) for name, value in given.items()}

    @property
    def query(self) -> Query:
        return read_filters(self.filters)


class ListParams(DeliveryFilters, Paged):
    """Filters, order and page of a list."""

    state: Literal["pending", "claimed", "delivered", "dead", "dismissed", "waiting"] | None = Field(
        default=None, description="`waiting`: pending or claimed."
    )
    sort: Literal["newest", "oldest"] = Field(default="newest", description="Which deliveries come first.")


#: The columns of a list of deliveries.
COLUMNS: Final = (
    Column(name="enqueued_at", title="Received", kind="time", group="hour"),
    Column(name="state", title="State", kind="state", group="state"),
    Column(name="preset", title="Preset", group="preset"),
    Column(name="name", title="Name", group="name"),
    Column(name="event_name", title="Sent as", group="event_name"),
    Column(name="order_id", title="Order", kind="id"),
    Column(name="amount", title="Value", kind="money"),
    Column(name="settled_at", title="Settled", kind="time"),
    Column(name="reason", title="Reason", group="reason"),
    Column(name="attempts", title="Attempts", kind="number"),
    Column(name="message_id", title="Message id", kind="id"),
    Column(name="delivery_id", title="Delivery", kind="id"),
)


@operation(
    "deliveries list",
    role=UserRole.VIEWER,
    rows="deliveries",
    columns=COLUMNS,
    example={"state": "dead", "reason": "currency"},
)
async def list_deliveries(call: Call, params: ListParams) -> Page:
    """List deliveries, newest first."""
    query = params.query
    page = await call.services.outbox.search(
        query, limit=params.limit, cursor=params.cursor, oldest_first=params.sort == "oldest"
    )
    if not page.deliveries and params.cursor is None:
        await call.services.finder.check(query)
    return page


class ShowParams(Params):
    """Which delivery."""

    id: str = Field(description="Delivery id.", json_schema_extra={"x-argument": True})


@operation("deliveries show", role=UserRole.VIEWER, example={"id": "1"})
async def show_delivery(call: Call, params: ShowParams) -> Delivery:
    """Show one delivery with its attempts. Raises NoDelivery."""
    if (found := await call.services.outbox.delivery(params.id)) is None:
        raise NoDelivery(unpersonal_id(params.id))
    return found


class CausesParams(Params):
    """Which causes."""

    ad_account_id: TextFilter = Field(default=None, json_schema_extra={"x-complete": "accounts"})
    limit: int = Field(default=100, ge=1, le=500, description="Maximum number of rows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Why deliveries are dead, the most frequent cause first."""

    causes: tuple[DeadCause, ...]


@operation(
    "deliveries causes",
    role=UserRole.VIEWER,
    rows="causes",
    columns=(
        Column(name="count", title="Dead", kind="number"),
        Column(name="reason", title="Reason"),
        Column(name="preset", title="Preset"),
        Column(name="ad_account_id", title="Ad account"),
        Column(name="last_at", title="Newest", kind="time"),
    ),
)
async def list_causes(call: Call, params: CausesParams) -> Causes:
    """Count dead deliveries by reason, preset and ad account, the most frequent first."""
    account = params.ad_account_id
    every = await call.services.outbox.dead_letters.causes(limit=500 if account else params.limit)
    return Causes(causes=tuple(each for each in every if account in (None, each.ad_account_id))[: params.limit])


# ---------------------------------------------------------------------------------------------------------------------
# Changes of dead deliveries.


class DeadParams(DeliveryFilters, Selection):
    """At least one filter of dead deliveries, or `all`."""

    dry_run: bool = Field(default=False, strict=True, description="Count, and change nothing.")

    @property
    def query(self) -> Query:
        return replace(read_filters(self.filters), state=State.DEAD)


class DismissParams(DeadParams):
    """Which dead deliveries, and why."""

    because: Because = Field(description="The reason, which the delivery and the audit log store.")


class Redriven(Result):
    """How many dead deliveries were redriven; in a dry run, how many would be."""

    redriven: int = Field(description="Sent again, with their attempts counted from 0.")
    overtaken: int = Field(description="Dismissed, because the same event was delivered as another delivery.")
    waiting: int = Field(description="Still dead, because the same event waits as another delivery; see the reason.")
    too_old: int = Field(description="Still dead, because Pinterest rejects events of this age.")
    is_complete: bool = Field(default=True, description="False: the counts without a change stopped at 20,000 rows.")


class Dismissed(Result):
    """How many dead deliveries were dismissed; in a dry run, how many would be."""

    dismissed: int = Field(description="Never sent; their payloads are erased.")
    is_complete: bool = Field(default=True, description="False: the dry run stopped at 20,000 rows.")


#: Maximum number of dead deliveries that a dry run counts.
COUNTED_AT_MOST: Final = 20_000
_COUNTED_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCount:
    """How many dead deliveries match."""

    count: int
    #: Those that Pinterest still accepts, according to their age.
    recent: int
    is_complete: bool


def oldest_event(services: Services) -> float:
    """Return the time before which Pinterest rejects events, in Unix seconds."""
    return services.audit.clock() - services.settings.max_event_age_s


async def count_dead(services: Services, query: Query) -> DeadCount:
    """Count the dead deliveries of a query, at most COUNTED_AT_MOST, the newest first."""
    oldest, count, recent, cursor = oldest_event(services), 0, 0, None
    while count < COUNTED_AT_MOST:
        page = await services.outbox.search(query, limit=_COUNTED_AT_ONCE, cursor=cursor)
        count += len(page.deliveries)
        recent += sum(each.event_time >= oldest for each in page.deliveries)
        cursor = page.next_cursor
        if cursor is None:
            return DeadCount(count=count, recent=recent, is_complete=True)
    return DeadCount(count=count, recent=recent, is_complete=False)


async def _check(services: Services, query: Query) -> None:
    """Raise UnknownName if a filter has an unknown name, NoDelivery if the delivery does not exist."""
    await services.finder.check(query)
    if query.delivery_id is not None and await services.outbox.delivery(query.delivery_id) is None:
        raise NoDelivery(query.delivery_id)


@operation(
    "deliveries redrive",
    role=UserRole.OPERATOR,
    audit=AuditAction.REDRIVE,
    example={"reason": "currency", "since": "2026-11-26T08:00:00Z"},
)
async def redrive(call: Call, params: DeadParams) -> Redriven:
    """Send dead deliveries again: one, those that match the filters, or all. Safe to repeat; the history is kept.

    Fix the cause first. A delivery whose event is too old for Pinterest stays dead. A delivery also stays dead while
    another delivery of the same event waits, and is dismissed if another delivery of the same event was delivered.
    """
    services, query = call.services, params.query
    await _check(services, query)
    found = await count_dead(services, query)
    too_old = found.count - found.recent
    if params.dry_run:
        return Redriven(redriven=found.recent, overtaken=0, waiting=0, too_old=too_old, is_complete=found.is_complete)
    recent = replace(query, happened_since=oldest_event(services))
    done = await services.outbox.dead_letters.redrive(recent, now=services.audit.clock())
    return Redriven(
        redriven=done.redriven,
        overtaken=done.overtaken,
        waiting=done.waiting,
        too_old=too_old,
        is_complete=found.is_complete,
    )


@operation(
    "deliveries dismiss",
    role=UserRole.OPERATOR,
    audit=AuditAction.DISMISS,
    example={"event_name": "lead", "because": "sent by hand"},
)
async def dismiss(call: Call, params: DismissParams) -> Dismissed:
    """Dismiss dead deliveries: one, those that match the filters, or all. They are never sent.

    Their payloads are erased. They stay in the ledger with the reason, without e-mail addresses and phone numbers.
    """
    services, query = call.services, params.query
    await _check(services, query)
    if params.dry_run:
        found = await count_dead(services, query)
        return Dismissed(dismissed=found.count, is_complete=found.is_complete)
    because = f"dismissed by {call.person.name}: {params.because}"
    return Dismissed(dismissed=await services.outbox.dead_letters.dismiss(query, because=because))
