"""`pinrelay verify` and `test-alert`: whether the credentials work, and whether alerts arrive."""

import asyncio
import secrets
import time
from hashlib import sha256

import orjson
import typer

from app import assemble
from app.access.audit import Audit
from app.assemble.ad_accounts import Destination, destinations
from app.commands.terminal import AsJson, caller, print_json, print_line, with_outbox
from app.config import Settings, load_settings
from app.destination.client import Answer, Failure
from app.insights.alerts.watcher import AlertWebhook
from app.operations.acts import SendTestActs
from app.outbox import Outbox

#: The remedy by status, for operators (from Pinterest's OpenAPI, `events/create`).
_REMEDIES = {
    401: "Pinterest rejects this token. Create a new one in Ads Manager > Conversions > Conversion access token, "
    "and set PINTEREST_CONVERSION_TOKEN.",
    403: "The token is valid, but its owner may not send for this ad account. Check PINTEREST_AD_ACCOUNT_ID. The owner "
    "needs the role Admin, Analyst, Audience or Campaign there.",
    404: "Pinterest does not know this ad account. Check PINTEREST_AD_ACCOUNT_ID.",
    429: "Pinterest limits the rate of calls. Try again in a minute.",
    503: "Pinterest accepts no events at the moment. Try again later. Pinrelay keeps events until then.",
}


def verify(*, as_json: AsJson = False) -> None:
    """Send a test event (?test=true) for each ad account, which Pinterest checks and drops, and show the result.

    Exits with 0 if Pinterest accepts events for all ad accounts, otherwise with 1.

    Example: pinrelay verify
    """
    good, lines = asyncio.run(_verify(load_settings()))
    if as_json:
        print_json({"good": good, "text": "\n".join(lines)})
    else:
        for number, line in enumerate(lines):
            print_line(line if good or number else f"pinrelay: {line}", err=not good)
    raise typer.Exit(0 if good else 1)


async def _verify(settings: Settings) -> tuple[bool, list[str]]:
    live = [each for each in destinations(settings) if each.settings.live]
    if not live:
        return False, ["no credentials: set PINTEREST_AD_ACCOUNT_ID and PINTEREST_CONVERSION_TOKEN"]
    judged = [await _try(each) for each in live]
    lines = [f"{each.name}: {text}" if each.name else text for each, (_, text) in zip(live, judged, strict=True)]
    return all(good for good, _ in judged), lines


async def _try(destination: Destination) -> tuple[bool, str]:
    client = assemble.pinterest_client(destination)
    try:
        return judge_answer(await client.send([_test_event(time.time())], test=True))
    finally:
        await client.close()


def _test_event(now: float) -> bytes:
    return orjson.dumps(
        {
            "event_name": "custom",
            "action_source": "web",
            "event_time": int(now),
            "event_id": f"pinrelay-verify-{secrets.token_hex(8)}",
            "user_data": {"em": [sha256(b"pinrelay-verify@example.com").hexdigest()]},
        }
    )


def judge_answer(answer: Answer | Failure) -> tuple[bool, str]:
    """Return whether the credentials are valid, and the remedy if they are not."""
    if isinstance(answer, Failure):
        whom = "" if answer.reason.startswith("Pinterest") else "Pinterest gave no answer: "
        return False, f"{whom}{answer.reason}. Check that this machine may open https connections to PINTEREST_API_URL."
    if answer.status == 200:  # noqa: PLR2004 - OK
        return True, "Pinterest accepts events with these credentials."
    said = answer.body.get("message", "") if isinstance(answer.body, dict) else ""
    remedy = _REMEDIES.get(answer.status, "Pinterest gave an unexpected answer. The token is not the cause. Try again.")
    return False, f"{remedy} (status {answer.status}: {said})"


def send_test_alert(*, as_json: AsJson = False) -> None:
    """Send a test message to ALERT_WEBHOOK_URL, and show whether it was accepted.

    Example: pinrelay test-alert
    """
    settings = load_settings()

    async def send(outbox: Outbox) -> str:
        webhook = AlertWebhook.of(settings, time.time)
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
