"""`pinrelay outbox-move`: carry what waits from one engine, or one file, to another."""

import asyncio
import time
from typing import Annotated

import orjson
import typer

from app import assemble
from app.config import Settings, load_settings
from app.destination import components
from app.outbox import Outbox, open_outbox
from app.policies import outbox_rules
from app.types import Claimed, Delivered, Exit, NewDelivery, Settlement, State

#: So many deliveries share one commit on either side, and this is how long one such step may take.
STEP_DELIVERIES = 500
LEASE_S = 300.0
MOVED = "moved to another outbox"


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("outbox-move")(outbox_move)


def outbox_move(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the outbox that is left.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the outbox that goes on.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Carry what is pending from one outbox to another; stop the servers first.

    Interrupted, it can be called again: what arrived already is a duplicate there.
    Dead letters and the ledger stay where they are.

    Example: pinrelay outbox-move sqlite:///data/pinrelay.db postgresql://pinrelay@db/pinrelay
    """
    moved, known = asyncio.run(_move(load_settings(), source, target))
    if as_json:
        typer.echo(orjson.dumps({"moved": moved, "known": known}).decode())
    else:
        typer.echo(f"{moved} moved, {known} were there already")


async def _move(settings: Settings, source: str, target: str) -> tuple[int, int]:
    account = assemble.ad_account_id(settings)
    old, new = open_outbox(source, outbox_rules(settings)), open_outbox(target, outbox_rules(settings))
    moved = known = 0
    try:
        # Retries wait for a time in the future: looking from there, everything is due.
        horizon = time.time() + settings.retry_max_age_hours * 3_600
        while claimed := await old.claim(
            account, limit=STEP_DELIVERIES, max_bytes=100_000_000, max_wait_s=0, lease_s=LEASE_S, now=horizon
        ):
            deliveries = [await _as_new(old, each) for each in claimed]
            answers = await new.enqueue(deliveries, [], [], now=time.time())
            await old.settle([_left(each) for each in claimed], [], now=horizon)
            moved += sum(answer.exit is Exit.ENQUEUED for answer in answers)
            known += sum(answer.exit is Exit.DUPLICATE for answer in answers)
    finally:
        await old.close()
        await new.close()
    return moved, known


async def _as_new(old: Outbox, claimed: Claimed) -> NewDelivery:
    """Make of a claimed delivery what the other outbox takes."""
    event = orjson.loads(claimed.payload)
    shown = await old.delivery(claimed.delivery_id)
    custom_data = event.get("custom_data", {})
    return NewDelivery(
        ad_account_id=claimed.ad_account_id,
        preset=claimed.preset,
        message_id=claimed.message_id,
        event_name=claimed.event_name,
        event_id=claimed.event_id,
        action_source=claimed.action_source,
        order_id=shown.order_id if shown else None,
        event_time=event["event_time"],
        source=shown.source if shown else "default",
        amount=custom_data.get("value"),
        currency=custom_data.get("currency"),
        checkout_id=shown.checkout_id if shown else None,
        buyer=tuple(event["user_data"].get("em", ())) if claimed.event_name == "checkout" else (),
        payload=claimed.payload,
        warnings=shown.warnings if shown else (),
        quality=components(event),
        traceparent=claimed.traceparent,
    )


def _left(claimed: Claimed) -> Settlement:
    return Settlement(claimed=claimed, outcome=Delivered(warning=MOVED), state=State.DELIVERED)
