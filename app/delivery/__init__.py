"""Retry, rate, halving, trouble and clocks: pure rules, and the few that keep a value in the outbox."""

from app.delivery.account_standings import (
    AccountStanding,
    ReadsBacklog,
    all_standings,
    read_accounts,
    whole_backlog,
)
from app.delivery.calls import Calls
from app.delivery.clocks import Clocks, with_jump
from app.delivery.doubt import Doubt
from app.delivery.evidence import Begun, Evidence
from app.delivery.gate import Closed, Gate, MayProbe, OnChange
from app.delivery.halving import BatchPart, Halving
from app.delivery.leases import Leases
from app.delivery.policy import DeliveryPolicy
from app.delivery.rate import Limiter
from app.delivery.retry import Moment
from app.delivery.settlements import after_loss, settle, status_label, tallies, too_old
from app.delivery.shutdown import Shutdown
from app.delivery.standing import OF_ALL, STANDING_STATES, Standing, standings
from app.delivery.trouble import CallsInARow, Sign, sign_of

__all__ = [
    "OF_ALL",
    "STANDING_STATES",
    "AccountStanding",
    "BatchPart",
    "Begun",
    "Calls",
    "CallsInARow",
    "Clocks",
    "Closed",
    "DeliveryPolicy",
    "Doubt",
    "Evidence",
    "Gate",
    "Halving",
    "Leases",
    "Limiter",
    "MayProbe",
    "Moment",
    "OnChange",
    "ReadsBacklog",
    "Shutdown",
    "Sign",
    "Standing",
    "after_loss",
    "all_standings",
    "read_accounts",
    "settle",
    "sign_of",
    "standings",
    "status_label",
    "tallies",
    "too_old",
    "whole_backlog",
    "with_jump",
]
