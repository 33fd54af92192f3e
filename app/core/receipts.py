"""Receipts: the result for each event of a request."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from app.core.deliveries import KnownOrder
from app.core.events import Event, Outcome
from app.core.people import Recalled


class PresetResult(Struct, frozen=True, kw_only=True, gc=False):
    """The result of an event for a preset of an ad account."""

    #: `None` if the event reached no preset.
    preset: str | None
    #: The destination's name; "" if the settings configure a single ad account, or the event reached none.
    destination: str = ""
    #: The ad account; "" if the event reached none.
    ad_account_id: str = ""
    outcome: Outcome
    #: "" if the outcome needs no explanation.
    reason: str = ""
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event; only in previews.
    event: Event | None = None
    #: The delay of the delivery, in seconds.
    hold_s: float = 0
    #: The order that a cancellation withdraws; `None` if the event is no cancellation.
    cancels: str | None = None
    #: The refunded amount and its currency; `None`: the whole order.
    refunds: tuple[str, str | None] | None = None
    #: Data from memory, by group; `None` without such data.
    memory: dict[str, Recalled] | None = None
    #: For the ledger: an order that is not sent; otherwise `None`. Not part of the sender's receipt.
    order: KnownOrder | None = None


class MemoryChange(Struct, frozen=True, kw_only=True):
    """The changes of an event in identity memory, for the receipt."""

    #: Groups of `user_data` that the event stored in memory.
    groups: tuple[str, ...]
    #: The event linked an id to a user.
    linked: bool
    #: The number of ids with erased data, after a request for erasure or an opt-out.
    erased: int
    #: The number of ids that the event newly suppressed.
    marked: int


class EventReceipt(Struct, frozen=True, kw_only=True, gc=False):
    """The result of a received event."""

    #: `None` if the event was refused and has no message id.
    message_id: str | None
    deliveries: tuple[PresetResult, ...]
    #: Changes in memory; `None` if they are not reported.
    given: MemoryChange | None = None
    #: Whether the author is authenticated by a secret; `None` if this is not reported.
    is_trusted: bool | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """The results of all events of a request."""

    events: tuple[EventReceipt, ...]
    #: By outcome; outcomes without an event are omitted.
    counts: Mapping[Outcome, int] = msgspec.field(default_factory=dict)
