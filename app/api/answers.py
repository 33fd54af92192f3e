"""The responses of the operators' interface.

Responses with the data of the store are records of app/core; the models here are for combined data.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

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
