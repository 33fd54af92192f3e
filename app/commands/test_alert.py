"""`pinrelay test-alert`: whether alerts arrive where they should."""

import time

import typer

from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import AsJson, print_json, print_line, with_outbox
from app.config import load_settings
from app.insights.alerts.watcher import AlertWebhook
from app.operations.sending import SendTestActs
from app.outbox import Outbox


def send_test_alert(*, as_json: AsJson = False) -> None:
    """Send a test message to ALERT_WEBHOOK_URL, and show whether it was accepted.

    Example: pinrelay test-alert
    """
    url = load_settings().alert_webhook_url

    async def send(outbox: Outbox) -> str:
        webhook = None if url is None else AlertWebhook(url)
        try:
            return await SendTestActs(webhook, Audit(outbox, time.time)).send_alert(caller())
        finally:
            if webhook is not None:
                await webhook.close()

    why = with_outbox(send)
    if as_json:
        print_json({"sent": not why, "why": why})
    elif why:
        print_line(f"pinrelay: ALERT_WEBHOOK_URL did not accept the message: {why}. Check the address.", err=True)
    else:
        print_line("Sent: ALERT_WEBHOOK_URL accepted the message.")
    if why:
        raise typer.Exit(1)
