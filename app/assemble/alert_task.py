"""Makes the background task that watches for alerts."""

from collections.abc import Callable, Sequence

from app.config import Settings
from app.core.pages import AccountView
from app.insights.alerts.watcher import Alerts, AlertWebhook
from app.outbox import Outbox
from app.policies import alert_rules


def alerts_to(
    webhook: AlertWebhook | None,
    settings: Settings,
    outbox: Outbox,
    accounts: Sequence[AccountView],
    clock: Callable[[], float],
) -> tuple[Alerts, ...]:
    """Make the background task that tells `webhook`; none where there is no such address."""
    if webhook is None:
        return ()
    alerts = Alerts(
        outbox,
        webhook,
        accounts=accounts,
        rules=alert_rules(settings),
        tells_reports=settings.reads_reports,
        keeps_while_off=settings.keeps_while_off,
        told_full_s=settings.told_full_s,
        clock=clock,
    )
    return (alerts,)
