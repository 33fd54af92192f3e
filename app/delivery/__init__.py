"""Retry, rate, halving and blocking rules: pure functions, and the few that keep a value in the outbox."""

from app.delivery.gate import Closed, Gate, Open, Passage, Probe, blocked_key
from app.delivery.halving import halving
from app.delivery.limiter import Limiter
from app.delivery.policy import DeliveryPolicy
from app.delivery.retention import Retention
from app.delivery.retry import clamped, pause_s
from app.delivery.settle import settle, status_label, tallies

__all__ = [
    "Closed",
    "DeliveryPolicy",
    "Gate",
    "Limiter",
    "Open",
    "Passage",
    "Probe",
    "Retention",
    "blocked_key",
    "clamped",
    "halving",
    "pause_s",
    "settle",
    "status_label",
    "tallies",
]
