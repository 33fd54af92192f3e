"""Retry, rate, halving and blocking rules: pure functions, and the few that keep a value in the outbox."""

from app.delivery.blocked import Closed, Gate, Open, Passage, Probe
from app.delivery.calls import Calls
from app.delivery.halving import halving
from app.delivery.leases import Leases
from app.delivery.outage import Outage, after_failure
from app.delivery.policy import DeliveryPolicy
from app.delivery.rate import Limiter
from app.delivery.settlements import after_loss, settle, status_label, tallies
from app.delivery.shutdown import Shutdown

__all__ = [
    "Calls",
    "Closed",
    "DeliveryPolicy",
    "Gate",
    "Leases",
    "Limiter",
    "Open",
    "Outage",
    "Passage",
    "Probe",
    "Shutdown",
    "after_failure",
    "after_loss",
    "halving",
    "settle",
    "status_label",
    "tallies",
]
