"""Builders of claimed deliveries and of policies: complete and valid; a test says only what differs."""

from dataclasses import replace
from typing import Any

from msgspec import structs

from app.config.settings import DeliverySettings
from app.core.deliveries import Claimed
from app.core.shared_values import Trouble
from app.sender.retry import RetryContext
from tests.limited import split_limits

NOW = 1_790_000_000.0

_CLAIMED = Claimed(
    delivery_id="1",
    claim="c1",
    ad_account_id="42",
    preset="Checkout",
    message_id="m1",
    event_name="checkout",
    event_id="order-1",
    action_source="web",
    payload=b"{}",
    attempt=1,
    enqueued_at=NOW,
    lease_was_lost=False,
)

_TROUBLE = Trouble(
    state="blocked",
    reason="Authentication failed.",
    status=401,
    since=NOW,
    next_probe_at=NOW + 60,
    pause_s=60,
    token="a1b2c3",
)

_POLICY = DeliverySettings.model_construct()


def a_claim(**changes: Any) -> Claimed:
    """Return the first attempt at a web checkout, enqueued at NOW."""
    return structs.replace(_CLAIMED, **changes)


def a_policy(**changes: Any) -> DeliverySettings:
    """Return the default settings with these changes; the environment is not read."""
    own, limits = split_limits(changes)
    return _POLICY.model_copy(update=own).with_limits(**limits)


def a_trouble(**different: Any) -> Trouble:
    """Return what the outbox says of an ad account whose token Pinterest refuses."""
    return replace(_TROUBLE, **different)


def a_moment(**different: Any) -> RetryContext:
    """Return the moment NOW, for what was just enqueued, after a call that judged something; chance is 0."""
    return replace(RetryContext(now=NOW, age_s=0, chance=0), **different)
