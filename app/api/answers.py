"""The responses of the operators' interface.

Responses with the data of the store are records of app/core; the models here are for combined data.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AliasPath, BaseModel, BeforeValidator, Field

from app.api.problems import ErasedParts
from app.core.deliveries import Delivery
from app.operations.events import EventNotSent

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
# Deliveries and dropped events.


class FoundAnswer(BaseModel):
    """Deliveries and dropped events that a text finds."""

    looked_for: dict[str, Any] | None = Field(description="The filters that found something; null if none did.")
    deliveries: list[Delivery]
    dropped_events: list[EventNotSent]


# ---------------------------------------------------------------------------------------------------------------------
# Revenue. Amounts are texts, which are exact.


def _of(*path: str, **more: Any) -> Any:
    """Read a member from this path of a record."""
    return Field(validation_alias=AliasPath(*path), **more)


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
