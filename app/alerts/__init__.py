"""Alerts for those who run no Prometheus: ALERT_WEBHOOK_URL is told once when a condition begins, once when it clears.

    overall.py   what is told of all together        by_name.py        what is told of one kind of event
    watching.py  looks every minute, tells changes   name_facts.py     what that is judged by
    alert_webhook.py  where they go                  alert_rules.py    thresholds

The conditions are those of docs/prometheus-alerts.yaml, read from the outbox instead.
"""

from app.alerts.alert_rules import AlertRules
from app.alerts.alert_webhook import AlertWebhook
from app.alerts.overall import LATE_S
from app.alerts.watching import Alerts

__all__ = ["LATE_S", "AlertRules", "AlertWebhook", "Alerts"]
