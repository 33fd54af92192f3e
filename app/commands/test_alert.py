"""`pinrelay test-alert`: whether alerts arrive where they should."""

import asyncio

import typer

from app.commands.terminal import AsJson, print_json, say
from app.config import load_settings
from app.insights.alerts.watcher import AlertWebhook


def send_test_alert(*, as_json: AsJson = False) -> None:
    """Send a test message to ALERT_WEBHOOK_URL, and say whether it was taken.

    Example: pinrelay test-alert
    """
    url = load_settings().alert_webhook_url
    if url is None:
        raise typer.BadParameter("ALERT_WEBHOOK_URL is not set: no alert goes anywhere")

    async def post() -> str:
        webhook = AlertWebhook(url)
        try:
            return await webhook.post_test()
        finally:
            await webhook.close()

    why = asyncio.run(post())
    if as_json:
        print_json({"sent": not why, "why": why})
    elif why:
        say(f"pinrelay: the address of ALERT_WEBHOOK_URL did not take the message: {why}", err=True)
    else:
        say("The message was taken: it should have arrived.")
    if why:
        raise typer.Exit(1)
