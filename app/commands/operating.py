"""`pinrelay dead-letters`, `redrive`, `message` and `status`: look into the outbox, and send dead letters again."""

import asyncio
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from app.access.audit import Audit
from app.assemble.ad_accounts import account_names, destinations
from app.commands.auditing import caller
from app.commands.opened import with_outbox
from app.commands.options import AsJson
from app.commands.terminal import add_row, print_json, print_table
from app.config import load_settings
from app.coordination import Switches
from app.delivery import all_standings, read_accounts, whole_backlog
from app.outbox import Outbox
from app.receiving.receipts import receipt_of_message
from app.source import event_json
from app.types import Delivery, Exit, Query, State
from app.values.hidden_emails import unpersonal_id
from app.values.visible import visible

AlwaysJson = Annotated[bool, typer.Option("--json", help="Print JSON, as it does anyhow.")]
OfPreset = Annotated[str | None, typer.Option(help="Only of this preset.")]
OfAccount = Annotated[str | None, typer.Option("--ad-account", help="Only of the ad account of this id.")]
Reason = Annotated[str | None, typer.Option(help="Only where the reason holds this text, in any case.")]
MessageId = Annotated[str | None, typer.Option(help="Only of this message id.")]
EventId = Annotated[str | None, typer.Option(help="Only of this event id.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command("dead-letters")(dead_letters)
    cli.command()(redrive)
    cli.command()(message)
    cli.command()(status)


def dead_letters(
    delivery_id: Annotated[str | None, typer.Argument(help="Show this one whole; none lists all.")] = None,
    preset: OfPreset = None,
    ad_account: OfAccount = None,
    reason: Reason = None,
    message_id: MessageId = None,
    event_id: EventId = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List deliveries that Pinterest will not get unless they are redriven, newest first, each with its reason.

    Example: pinrelay dead-letters --preset "Order Completed" --reason currency
    """
    query = Query(
        state=State.DEAD,
        ad_account_id=ad_account,
        preset=preset,
        reason=reason,
        message_id=message_id,
        event_id=event_id,
    )

    async def find(outbox: Outbox) -> list[Delivery]:
        if delivery_id is None:
            return list((await outbox.search(query, limit=limit)).deliveries)
        found = await outbox.delivery(delivery_id)
        return [found] if found else []

    found = with_outbox(find)
    if delivery_id is not None and not found:
        sys.stderr.write(visible(f"pinrelay: there is no delivery {delivery_id}") + "\n")
        raise typer.Exit(1)
    _show(found, as_json=as_json or delivery_id is not None)


def redrive(
    delivery_id: Annotated[str | None, typer.Argument(help="This one alone.")] = None,
    preset: OfPreset = None,
    ad_account: OfAccount = None,
    reason: Reason = None,
    message_id: MessageId = None,
    event_id: EventId = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again: one, those that a filter finds, or all. Twice is as good as once; history is kept.

    Example: pinrelay redrive --reason "Authentication failed"
    """
    filters = (delivery_id, ad_account, preset, reason, message_id, event_id)
    if not everything and not any(filters):
        message = "name a delivery, give a filter, or say --all"
        raise typer.BadParameter(message)
    query = Query(
        delivery_id=delivery_id,
        ad_account_id=ad_account,
        preset=preset,
        reason=reason,
        message_id=message_id,
        event_id=event_id,
        state=State.DEAD,
    )

    async def revive(outbox: Outbox) -> int:
        count = await outbox.redrive(query, now=time.time())
        await Audit(outbox, time.time).note_redrive(caller(), query, count)
        return count

    count = with_outbox(revive)
    if as_json:
        print_json({"redriven": count})
    else:
        typer.echo(f"{count} redriven")


def message(
    message_id: Annotated[str, typer.Argument(help="Of the event, as Segment names it.")],
    *,
    as_json: AlwaysJson = True,  # noqa: ARG001 - taken so that scripts may say --json everywhere
) -> None:
    """Show, as JSON, what became of one message id: every delivery with its attempts, and why there is none.

    `receipt` is what its senders were told, in the words of the receipt; ad accounts have their names there.

    Example: pinrelay message ajs-next-1772640772244
    """
    found = with_outbox(lambda outbox: outbox.message(unpersonal_id(message_id)))
    receipt = event_json(receipt_of_message(found, account_names(load_settings())))
    print_json(asdict(found) | {"receipt": receipt["deliveries"]})
    if not found.notes and not found.deliveries:
        sys.stderr.write(visible(f"pinrelay: nothing is known of message {message_id}") + "\n")
        raise typer.Exit(1)


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until interrupted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the backlog, how delivery stands, and what was received and sent in the last ten minutes.

    Example: pinrelay status --watch
    """
    if not watch:
        facts = with_outbox(_facts)
        if as_json:
            print_json(facts)
        else:
            print_table(_facts_table(facts))
        return

    async def print_lines(outbox: Outbox) -> None:
        while True:
            print_json(await _facts(outbox))
            await asyncio.sleep(1)

    async def refresh(outbox: Outbox) -> None:
        with Live(_facts_table(await _facts(outbox)), refresh_per_second=2) as live:
            while True:
                await asyncio.sleep(1)
                live.update(_facts_table(await _facts(outbox)))

    try:
        with_outbox(print_lines if as_json else refresh)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _facts(outbox: Outbox) -> dict[str, Any]:
    now, settings = time.time(), load_settings()
    off, keeps = (await Switches.read(outbox)).is_off, settings.keeps_while_off
    views = [each.view for each in destinations(settings)]
    accounts = await read_accounts(outbox, views, is_off=off, keeps=keeps, now=now)
    backlog, found = whole_backlog(accounts), all_standings(accounts)
    counts: dict[str, int] = {}
    answers: dict[str, int] = {}
    for _, tally in await outbox.tallies(since=now - 600, step_s=0):
        if tally.name in set(Exit):
            counts[tally.name] = counts.get(tally.name, 0) + tally.count
        elif tally.name == "calls":
            answers[tally.label] = answers.get(tally.label, 0) + tally.count
    return {
        "pending": backlog.pending,
        "claimed": backlog.claimed,
        "dead": backlog.dead,
        "waiting_bytes": backlog.size_bytes,
        "oldest_age_s": 0 if backlog.oldest_at is None else round(max(0.0, now - backlog.oldest_at)),
        "blocked": next((standing.words for standing in found if standing.state == "blocked"), ""),
        "state": found[0].state if found else "sending",
        "told": " ".join(standing.text for standing in found),
        "last_ten_minutes": counts,
        "answers": answers,
    } | {
        f"destination {each.account.name}": {
            "state": each.state,
            "pending": each.backlog.pending,
            "claimed": each.backlog.claimed,
            "dead": each.backlog.dead,
        }
        for each in accounts
        if each.account.name
    }


def _facts_table(facts: dict[str, Any]) -> Table:
    table = Table("", "", title="outbox", show_header=False)
    for name, value in facts.items():
        shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)
        add_row(table, name.replace("_", " "), shown or "-")
    return table


def _show(deliveries: list[Delivery], *, as_json: bool) -> None:
    if as_json:
        for delivery in deliveries:
            print_json(asdict(delivery))
        return
    table = Table("delivery", "preset", "message id", "dead since", "attempts", "reason")
    for each in deliveries:
        since = datetime.fromtimestamp(each.settled_at or 0, UTC).isoformat(timespec="seconds")
        add_row(table, each.delivery_id, each.preset, each.message_id, since, each.attempts, each.reason)
    print_table(table)
