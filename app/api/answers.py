"""What the interface for operators answers, and the filters that it takes.

What is answered as the store has it is a record of app/core; the models here are of what is put together for programs.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, WithJsonSchema

from app.core.deliveries import Delivery
from app.core.events import CounterRow, Exit
from app.core.pages import DeadCause, QuarantineGroup

_DAY_OF_YEAR = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
#: How the OpenAPI document says what a time may be; `read_filters` takes ISO 8601 in other forms too.
_TIMES: tuple[dict[str, Any], ...] = (
    {"type": "string", "pattern": f"^20[0-9]{{2}}-({_DAY_OF_YEAR})(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?$"},
    {"type": "string", "pattern": "^1[0-9]{9}$"},
    {"type": "null"},
)
#: A time by which a search is narrowed; None where it is not.
TimeFilter: TypeAlias = Annotated[str | None, WithJsonSchema({"anyOf": list(_TIMES)})]
#: Any other text by which a search is narrowed; None where it is not. An empty one is refused: it would mean all.
TextFilter: TypeAlias = Annotated[str, Field(pattern=r"\S")] | None
#: Whether something holds of what is searched for; None where that is not asked.
YesOrNo: TypeAlias = Literal["yes", "no"] | None
#: What is answered where a request has no filter, and does not mean all.
NOTHING_ASKED_FOR: Final = 'give a filter, or {"all": true}'


def a_filter_or_all(names: Iterable[str]) -> dict[str, Any]:
    """Return how the OpenAPI document says that a request with none of these filters, and without `all`, is refused."""
    return {
        "anyOf": [
            *({"required": [name], "properties": {name: {"type": "string"}}} for name in names),
            {"required": ["all"], "properties": {"all": {"const": True}}},
        ]
    }


# ---------------------------------------------------------------------------------------------------------------------
# How delivery is.


class Reason(BaseModel):
    """One thing that keeps delivery from being well. What is not known is left out."""

    state: str
    sentence: str = Field(description="What is the matter, with Pinterest's words.")
    detail: str = Field(description="With which answer, since when; empty where neither is known.")
    remedy: str = Field(description="What becomes of events, and what to do.")
    words: str = Field(description="Pinterest's words; empty where it said nothing.")
    since: float | None = Field(None, description="Unix seconds.")
    status: int | None = Field(None, description="Pinterest's HTTP status.")
    next_try_at: float | None = Field(None, description="Unix seconds.")


class DeliveryStatus(BaseModel):
    """How sending goes."""

    state: str = Field(description="The most pressing state; `sending` where all is well.")
    reason: str = Field(description="Pinterest's words of it; empty where it said nothing.")
    problems: list[Reason] = Field(description="The most pressing first.")
    pending: int
    claimed: int
    dead: int
    waiting_bytes: int
    oldest_age_s: float = Field(description="Of the oldest delivery that waits; 0 where none does.")
    full_in_s: int | None = Field(description="When no more fits; null while the backlog does not grow.")


class DestinationStatus(DeliveryStatus):
    """How sending to one ad account goes."""

    name: str
    ad_account_id: str
    mode: Literal["live", "sandbox"]


class StatusAnswer(DeliveryStatus):
    """How sending goes, for all ad accounts together."""

    version: str
    destinations: list[DestinationStatus] | None = Field(None, description="Left out where the settings name only one.")


# ---------------------------------------------------------------------------------------------------------------------
# Deliveries, dropped events, counts.


class DroppedEventAnswer(BaseModel, from_attributes=True):
    """An event that became no delivery, and why."""

    at: float = Field(description="When, Unix seconds.")
    message_id: str
    ad_account_id: str | None = Field(description="Null where it reached none.")
    preset: str | None = Field(description="Null where it reached none.")
    exit: Exit
    reason: str
    warnings: list[str]
    event_name: str | None = Field(description="Pinterest's; null where it was not mapped.")
    order_id: str | None
    amount: str | None
    currency: str | None
    source: str
    name: str = Field(description="As received.")
    is_proven: bool = Field(description="Whether its author is known by a secret.")
    was_enqueued: bool = Field(description="Whether it was a delivery, which waited and is not sent.")


class DroppedEventsAnswer(BaseModel):
    """One page of dropped events, newest first."""

    dropped_events: list[DroppedEventAnswer]
    next_cursor: str | None = Field(description="For the next page; null where this was the last.")
    scanned: int | None = Field(description="Set where only the newest so many were looked at.")


class FoundAnswer(BaseModel):
    """What a text leads to."""

    looked_for: dict[str, Any] | None = Field(description="As which filters; null where nothing is found.")
    deliveries: list[Delivery]
    dropped_events: list[DroppedEventAnswer]


class CountsAnswer(BaseModel):
    """What was counted."""

    since: float = Field(description="Unix seconds.")
    counts: list[CounterRow]


class CausesAnswer(BaseModel):
    """Why deliveries are dead, the most frequent cause first."""

    causes: list[DeadCause]


# ---------------------------------------------------------------------------------------------------------------------
# Inventory.


class NearestPreset(BaseModel):
    """What stands between a kind of event and a preset."""

    preset: str | None = Field(description="Null where none is near.")
    is_named: bool = Field(description="Whether the preset's trigger names this very event.")
    why: str = Field(description="Why it does not take the event; empty where it does.")


class EventFigures(BaseModel):
    """One kind of event in the days that are asked for."""

    source: str
    type: str
    name: str
    title: str
    first_at: float
    last_at: float
    received: int
    public: int = Field(description="Events that anyone could have sent.")
    days: dict[str, int] = Field(description="Received, by the day's number since 1970.")
    exits: dict[str, int]
    states: dict[str, int]
    presets: dict[str, int]
    sampled: int = Field(description="So many were looked into.")
    shares: dict[str, float] = Field(description="In which part of these something was found.")
    nearest: NearestPreset


class InventoryChange(BaseModel):
    """What is new or has vanished since yesterday."""

    source: str
    type: str
    name: str
    what: str
    label: str
    text: str


class InventoryAnswer(BaseModel):
    """All kinds of events, the most frequent first."""

    days: int
    events: list[EventFigures]
    changes: list[InventoryChange]


class DayFigures(BaseModel):
    """One kind of event on one day."""

    received: int
    exits: dict[str, int]
    states: dict[str, int]


class PropertyShare(BaseModel):
    """One property of a kind of event, with one kind of value."""

    path: str
    kind: str
    number: int = Field(description="In how many of the sampled events it was.")
    share: float
    first_at: int
    last_at: int
    is_read: bool | None = Field(
        description="Whether a preset that took these events, a trigger or Pinrelay reads it; null where none took any."
    )


class EventDetails(EventFigures):
    """One kind of event, also by day, and what it carries."""

    by_day: dict[str, DayFigures]
    properties: list[PropertyShare]


# ---------------------------------------------------------------------------------------------------------------------
# Revenue. Amounts are texts, which lose nothing.


class Worth(BaseModel):
    """What some orders are worth."""

    orders: int
    without_amount: int
    amount: str
    average: str | None


class RevenueOf(BaseModel):
    """The orders of a span or a part of it."""

    received: Worth
    before: Worth = Field(description="In as many days before; of a day: the day before.")
    week_before: Worth
    became: dict[str, Worth]


class RevenueLine(RevenueOf):
    """The orders of one day, preset, source or ad account."""

    name: str = Field(description="Of a day its number since 1970.")


class OddOrder(BaseModel):
    """An order whose amount is out of all proportion."""

    amount: str
    delivery_id: str
    times: int = Field(description="How many medians it is.")


class OrderTrust(BaseModel):
    """Who says that there were the orders that were sent."""

    orders: int
    public: int = Field(description="Orders that anyone could have sent.")
    unconfirmed: int = Field(description="Orders that the shop did not confirm.")


class CurrencyRevenue(RevenueOf):
    """What the orders of one currency are worth."""

    currency: str | None = Field(description="ISO 4217; null where none was named.")
    unmatched: Worth = Field(description="Of orders that no preset takes.")
    by: dict[str, list[RevenueLine]] = Field(description="By `day`, `preset`, `source`, `ad_account_id`.")
    odd: list[OddOrder]
    trust: OrderTrust


class RevenueAnswer(BaseModel):
    """What orders were worth, by currency."""

    first_day: int = Field(description="Its number since 1970.")
    last_day: int
    currencies: list[CurrencyRevenue]


# ---------------------------------------------------------------------------------------------------------------------
# What was done.


class Dismissed(BaseModel):
    """How many dead letters were dismissed."""

    dismissed: int


class Erased(BaseModel, from_attributes=True):
    """What was erased of a person."""

    ids: int = Field(description="Ids under which anything was remembered.")
    messages: int = Field(description="Messages of which something was kept.")
    erased: dict[str, int] = Field(description="By kind: how many deliveries, payloads, notes ... were erased.")
    kept: tuple[str, ...] = Field(description="What is not erased because it cannot be, or must not.")
    stays: Literal[""] = Field(description="Nothing stays; what does is answered with 409.")
    certificate: str = Field(description="The number of its certificate, which the console shows.")


class Reloaded(BaseModel):
    """The files are taken up."""

    reloaded: Literal[True] = True


class Switched(BaseModel):
    """It is switched, for every process within two seconds."""

    switched: Literal[True] = True


class QuarantineAnswer(BaseModel):
    """What is kept in quarantine."""

    groups: list[QuarantineGroup]


class ReplayOutcome(BaseModel):
    """What became, or would become, of some deliveries."""

    preset: str = Field(description="Empty where none takes the event.")
    exit: Exit
    reason: str
    count: int


class ReplayAnswer(BaseModel):
    """What became, or would become, of events in quarantine."""

    events: int
    leaving: int = Field(description="So many leave the quarantine.")
    unreadable: int = Field(description="Sealed by another key than that of now.")
    exits: dict[str, int]
    outcomes: list[ReplayOutcome]


class Discarded(BaseModel):
    """How many events were erased from the quarantine."""

    discarded: int
