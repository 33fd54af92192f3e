"""What became of each event of a request."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from app.core.deliveries import KnownOrder
from app.core.events import Event, Outcome
from app.core.people import Recalled


class PresetResult(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one event for one preset of one ad account."""

    #: None where the event reached no preset.
    preset: str | None
    #: The name of the destination; "" where the settings name the only one, or the event reached none.
    destination: str = ""
    #: Its ad account; "" where the event reached none.
    ad_account_id: str = ""
    outcome: Outcome
    #: "" where there is nothing to explain.
    reason: str = ""
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event, shown by previews only.
    event: Event | None = None
    #: As the delivery will have it.
    hold_s: float = 0
    #: The order that a cancellation withdraws; None where the event is no cancellation.
    cancels: str | None = None
    #: What it pays back of that order, with its currency; None: all of it.
    refunds: tuple[str, str | None] | None = None
    #: What came from memory, by group; None where nothing did.
    memory: dict[str, Recalled] | None = None
    #: For the ledger, of an order that is not sent; None elsewhere. It is told to no sender.
    order: KnownOrder | None = None


class MemoryChange(Struct, frozen=True, kw_only=True):
    """What one event changed in identity memory, for its sender."""

    #: Groups of `user_data` that are remembered by this event from now on.
    groups: tuple[str, ...]
    #: An id stands for a user by this event from now on.
    linked: bool
    #: Ids of which something was erased, because somebody asked for it or said no.
    erased: int
    #: Ids that are marked from now on: their person said no.
    marked: int


class EventReceipt(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one received event."""

    #: None where the event was refused and carried none.
    message_id: str | None
    deliveries: tuple[PresetResult, ...]
    #: What it gave to memory; None where that is not told.
    given: MemoryChange | None = None
    #: Whether its author is known by a secret; None where that is not told.
    is_trusted: bool | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of every event of one request."""

    events: tuple[EventReceipt, ...]
    #: By outcome; outcomes that did not occur are left out.
    counts: Mapping[Outcome, int] = msgspec.field(default_factory=dict)
