"""What the operator decides about the outbox."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRules:
    """Windows and limits. There are no defaults here: `app.config.Settings` has them."""

    #: How long an event is remembered, from the moment its delivery was enqueued or redriven.
    dedup_window_s: float
    #: Whether a second `checkout` of one order is a duplicate, from any preset.
    dedup_orders: bool
    #: How long delivered ones are kept, with their attempts.
    ledger_delivered_s: float
    #: How long dead deliveries, dropped events and counts are kept, and orders are remembered.
    ledger_s: float
    #: How long it is known who did what.
    audit_s: float
    #: How long the payload of a delivered event is kept, without IP address and user agent; 0 erases it at once.
    payload_s: float
    #: How many deliveries may wait (pending or claimed) before new ones are turned away; None: the disk bounds them.
    max_backlog: int | None
    #: Of how many bytes their payloads may be, likewise.
    max_backlog_bytes: int | None
    #: How long what is remembered of people lasts, and clicks.
    remember_s: float = 0
    remember_click_s: float = 0
    #: Of so many ids something may be remembered, and so many may be marked.
    max_people: int = 0
    #: Each source has order ids of its own; else one id of an ad account is one order.
    orders_by_source: bool = False

    @property
    def click_lasts_s(self) -> float:
        """How long a click is remembered: no longer than anything."""
        return min(self.remember_s, self.remember_click_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRules:
    """What is done, where events are received, against a disk that fails."""

    #: For so long at most damage is looked for at the start; 0: not at all.
    quick_check_s: float
    #: So much of the disk is kept free for draining it when it is full; 0: nothing.
    reserve_bytes: int
