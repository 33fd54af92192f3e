"""Settings -> the small records of rules that each room takes; rooms never see the settings."""

from app.config import Settings
from app.core.values.times import DAY_S, HOUR_S
from app.errors import SettingsError
from app.outbox import DiskRules, OutboxRules

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
