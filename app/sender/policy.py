"""What the operator decides about sending."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """Sizes, limits and pauses. There are no defaults here: `app.config.Settings` has them, under the same names."""

    batch_max_events: int
    batch_max_bytes: int
    batch_max_wait_s: float
    #: By one process.
    max_calls_in_flight: int
    #: By all processes together.
    max_calls_per_minute: int
    send_timeout_s: float
    retry_max_attempts: int
    #: Since the event was enqueued.
    retry_max_age_s: float
    retry_base_s: float
    #: Bounds Retry-After, too.
    retry_max_pause_s: float
    #: Whether `offline` events that may have been processed are sent again: Pinterest would count them twice.
    retry_offline_ambiguous: bool
    shutdown_timeout_s: float

    @property
    def lease_s(self) -> float:
        """How long a claim holds without being renewed: longer than the longest send."""
        return 3 * self.send_timeout_s
