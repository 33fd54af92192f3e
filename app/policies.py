"""Settings -> the small records of rules that each room takes; rooms never see the settings."""

from app.config import Settings
from app.core.values.addresses import read_networks
from app.core.values.times import DAY_S, HOUR_S
from app.errors import SettingsError
from app.outbox import DiskRules, OutboxRules
from app.source import (
    Limits,
    SecretHeader,
    TrackingRules,
    WebhookRules,
    WebhookSecrets,
    WriteKeys,
    read_quotas,
)

#: Bounds the backlog of an ad account where the disk does not.
_USUAL_BACKLOG_BYTES = 10_000_000_000


def outbox_rules(settings: Settings) -> OutboxRules:
    """Collect windows and limits of the store. Raises SettingsError where memory has no secret for its keys."""
    if settings.remember_days and settings.remember_secret is None:
        message = "REMEMBER_SECRET: memory needs one, of 32 characters or more: `openssl rand -hex 32` makes it"
        raise SettingsError(message)
    return OutboxRules(
        dedup_window_s=_dedup_window_s(settings),
        dedup_orders=settings.dedup_orders,
        ledger_delivered_s=settings.ledger_delivered_days * DAY_S,
        orders_by_source=settings.order_scope == "source",
        ledger_s=settings.ledger_days * DAY_S,
        audit_s=settings.audit_days * DAY_S,
        payload_s=settings.payload_days * DAY_S,
        remember_s=settings.remember_days * DAY_S,
        remember_click_s=settings.remember_click_days * DAY_S,
        max_people=settings.remember_max_people,
        max_backlog=settings.outbox_max_backlog,
        max_backlog_bytes=_max_backlog_bytes(settings),
    )


def disk_rules(settings: Settings) -> DiskRules:
    """Collect what is done against a failing disk."""
    return DiskRules(quick_check_s=settings.outbox_quick_check_s, reserve_bytes=settings.outbox_reserve_bytes)


def _max_backlog_bytes(settings: Settings) -> int | None:
    """Return the limit of one ad account: none where the disk is that of SQLite, and no other ad account shares it."""
    if settings.outbox_max_backlog_bytes is not None:
        return settings.outbox_max_backlog_bytes
    shares = bool(settings.destinations_dir)
    return None if settings.outbox_url.startswith("sqlite:") and not shares else _USUAL_BACKLOG_BYTES


def _dedup_window_s(settings: Settings) -> float:
    """Return how long events are remembered: as long as they may be old, unless it is set."""
    if settings.dedup_window_hours is None:
        return settings.max_event_age_days * DAY_S
    return settings.dedup_window_hours * HOUR_S


def webhook_limits(settings: Settings) -> Limits:
    """Collect how much a request to the webhook may hold."""
    return _limits(settings, max_events=settings.max_events, max_event_bytes=None)


def webhook_rules(settings: Settings) -> WebhookRules:
    """Collect who may use the webhook, and how much a request may hold. Raises SettingsError."""
    header = settings.webhook_header
    return WebhookRules(
        limits=webhook_limits(settings),
        secrets=WebhookSecrets(
            shared=tuple(secret.get_secret_value().encode() for secret in settings.webhook_shared_secrets),
            header=SecretHeader.read(header.get_secret_value()) if header else None,
        ),
        is_open=not settings.authenticated,
    )


def tracking_rules(settings: Settings) -> TrackingRules:
    """Collect who may use the Tracking API, and how much a request may hold. Raises SettingsError."""
    write_keys = WriteKeys.read(key.get_secret_value() for key in settings.write_keys)
    return TrackingRules(
        limits=_limits(
            settings,
            max_events=settings.tracking_max_events,
            max_event_bytes=settings.tracking_max_event_bytes,
            max_unpacked_bytes=settings.tracking_max_batch_bytes,
        ),
        write_keys=write_keys,
        is_open=not settings.authenticated,
        trusted_proxies=read_networks(settings.trusted_proxies),
        quotas=read_quotas(settings.write_key_limits, write_keys.keys),
    )


def _limits(
    settings: Settings, *, max_events: int, max_event_bytes: int | None, max_unpacked_bytes: int | None = None
) -> Limits:
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_unpacked_bytes=max_unpacked_bytes or settings.max_unpacked_bytes,
        max_events=max_events,
        max_depth=settings.max_json_depth,
        max_event_bytes=max_event_bytes,
        request_timeout_s=settings.request_timeout_s,
    )
