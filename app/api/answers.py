"""The responses of the operators' interface.

Responses with the data of the store are records of app/core; the models here are for combined data.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AliasPath, BaseModel, BeforeValidator, Field

from app.api.problems import ErasedParts
from app.core.deliveries import Delivery
from app.core.events import CounterRow, Outcome

# ---------------------------------------------------------------------------------------------------------------------
# Delivery


class Reason(BaseModel):
    """A problem of delivery. Unknown members are omitted."""

    state: str
    sentence: str = Field(description="The problem, with Pinterest's words.")
    detail: str = Field(description="Pinterest's answer, and since when; empty if unknown.")
    remedy: str = Field(description="What happens to events, and what to do.")
    words: str = Field(description="Pinterest's words; empty if it gave none.")
    since: float | None = Field(None, description="Unix seconds.")
    status: int | None = Field(None, description="Pinterest's HTTP status.")
    next_try_at: float | None = Field(None, description="Unix seconds.")


class DeliveryStatus(BaseModel):
    """The state of sending."""

    state: str = Field(description="The most pressing state; `sending` if there is no problem.")
    reason: str = Field(description="Pinterest's words; empty if it gave none.")
    problems: list[Reason] = Field(description="The most pressing first.")
    pending: int
    claimed: int
    dead: int
    waiting_bytes: int
    oldest_age_s: float = Field(description="Age of the oldest waiting delivery; 0 without one.")
    full_in_s: int | None = Field(description="When the backlog is full; null while it does not grow.")


class DestinationStatus(DeliveryStatus):
    """The state of sending to an ad account."""

    name: str
    ad_account_id: str
    mode: Literal["live", "sandbox"]


class RefusedAnswer(BaseModel):
    """Requests that were refused in the last 24 hours."""

    source: str = Field(description="`default` is `/webhook`; empty for the console and `/api`.")
    status: int
    cause: str = Field(description="The check that failed.")
    setting: str = Field(description="The settings that configure the check; empty if none does.")
    requests: int


class StatusAnswer(DeliveryStatus):
    """The state of sending, for all ad accounts together."""

    version: str
    refused_requests: list[RefusedAnswer] = Field(description="The most frequent first.")
    destinations: list[DestinationStatus] | None = Field(None, description="Left out if the settings name only one.")


# ---------------------------------------------------------------------------------------------------------------------
# Deliveries, dropped events, counts.


class DroppedEventAnswer(BaseModel, from_attributes=True):
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


class DroppedEventsAnswer(BaseModel):
    """A page of dropped events, newest first."""

    dropped_events: list[DroppedEventAnswer]
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    prev_cursor: str | None = Field(description="For the page before; null on the first.")
    scanned: int | None = Field(description="Set if only so many of the newest were searched.")


class FoundAnswer(BaseModel):
    """Deliveries and dropped events that a text finds."""

    looked_for: dict[str, Any] | None = Field(description="The filters that found something; null if none did.")
    deliveries: list[Delivery]
    dropped_events: list[DroppedEventAnswer]


class CountsAnswer(BaseModel):
    """Counts since a moment."""

    since: float = Field(description="Unix seconds.")
    counts: list[CounterRow]


# ---------------------------------------------------------------------------------------------------------------------
# Inventory.


def _of(*path: str, **more: Any) -> Any:
    """Read a member from this path of a record."""
    return Field(validation_alias=AliasPath(*path), **more)


class NearestPreset(BaseModel, from_attributes=True):
    """The preset nearest to a kind of event."""

    preset: str | None = Field(description="Null if no preset is near.")
    is_named: bool = Field(description="Whether the preset's trigger names this event.")
    why: str = Field(description="Why it does not take the event; empty if it does.")


class EventFigures(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """A kind of event in the requested days."""

    source: str = _of("figures", "key", "source")
    type: str = _of("figures", "key", "type")
    name: str = _of("figures", "key", "name")
    title: str = _of("figures", "title")
    first_at: float = _of("figures", "first_at")
    last_at: float = _of("figures", "last_at")
    received: int = _of("figures", "received")
    public: int = _of("figures", "public", description="Events that anyone could have sent.")
    days: dict[str, int] = _of("figures", "days", description="Received, by the start of the day in Unix seconds.")
    outcomes: dict[str, int] = _of("figures", "outcomes")
    states: dict[str, int] = _of("figures", "states")
    presets: dict[str, int] = _of("figures", "presets")
    sampled: int = _of("figures", "sampled", description="How many events were sampled.")
    shares: dict[str, Annotated[float, AfterValidator(lambda share: round(share, 4))]] = _of(
        "figures", "shares", description="Share of the sampled events in which each of these was found."
    )
    nearest: NearestPreset


class InventoryChange(BaseModel, from_attributes=True):
    """A kind of event that is new, or has vanished, since yesterday."""

    source: str = _of("key", "source")
    type: str = _of("key", "type")
    name: str = _of("key", "name")
    what: str
    label: str
    text: str


class InventoryAnswer(BaseModel):
    """All kinds of events, the most frequent first."""

    days: int
    events: list[EventFigures]
    changes: list[InventoryChange]


class DayFigures(BaseModel):
    """A kind of event on a single day."""

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


class EventDetails(EventFigures):
    """A kind of event, also by day, with its properties."""

    by_day: dict[str, DayFigures] = _of("figures", "by_day")
    properties: list[PropertyShare]


# ---------------------------------------------------------------------------------------------------------------------
# Revenue. Amounts are texts, which are exact.


class Worth(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """Number and value of some orders."""

    orders: int
    without_amount: int
    amount: str
    average: str | None


_BEFORE: Final = "The same for as many days before; of a day: the day before."


class RevenueLine(BaseModel, from_attributes=True):
    """The orders of a day, preset, source, order channel or ad account."""

    received: Worth
    before: Worth = Field(description=_BEFORE)
    week_before: Worth
    became: dict[str, Worth]
    name: str = Field(description="Of a day: its number since 1970.")


class OddOrder(BaseModel, from_attributes=True, coerce_numbers_to_str=True):
    """An order with an unusually large amount."""

    amount: str
    delivery_id: str
    times: int = Field(description="Its amount, in medians.")


class OrderTrust(BaseModel, from_attributes=True):
    """How far the sent orders are trusted."""

    orders: int
    public: int = Field(description="Orders that anyone could have sent.")
    unconfirmed: int = Field(description="Orders that the shop did not confirm.")


class CurrencyRevenue(BaseModel, from_attributes=True):
    """Revenue in a currency."""

    received: Worth = _of("whole", "received")
    before: Worth = _of("whole", "before", description=_BEFORE)
    week_before: Worth = _of("whole", "week_before")
    became: dict[str, Worth] = _of("whole", "became")
    currency: Annotated[str | None, BeforeValidator(lambda code: code or None)] = Field(
        description="ISO 4217; null if the orders named none."
    )
    unmatched: Worth = Field(description="Orders that no preset takes.")
    by: dict[str, list[RevenueLine]] = _of(
        "lines", description="By `day`, `preset`, `source`, `channel`, `ad_account_id`."
    )
    odd: list[OddOrder]
    trust: OrderTrust


class RevenueAnswer(BaseModel):
    """Revenue by currency."""

    first_day: int = Field(description="The day's number since 1970.")
    last_day: int
    currencies: list[CurrencyRevenue]


# ---------------------------------------------------------------------------------------------------------------------
# Results of changes.


class Erased(ErasedParts):
    """The counts of an erasure."""

    stays: Literal[""] = Field(description="Always empty: if anything stays, the status is 409.")


class Reloaded(BaseModel):
    """The files were loaded."""

    reloaded: Literal[True] = True


class Switched(BaseModel):
    """The switch is set; every process follows within two seconds."""

    switched: Literal[True] = True
