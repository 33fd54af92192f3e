"""`pinrelay dead-letters`, `redrive`, `message` and `status`: look into the outbox, and send dead letters again."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from app.assemble.ad_accounts import account_names, destinations
from app.commands.opened import with_outbox
from app.commands.options import AsJson
from app.commands.terminal import add_row, print_json, print_table
from app.config import Settings, load_settings
from app.coordination import Switches
from app.delivery import all_standings, read_accounts, whole_backlog
from app.outbox import Outbox
from app.receiving.receipts import receipt_of_message
from app.source import event_json
from app.types import AccountView, Exit
from app.values.hidden_emails import unpersonal_id
from app.values.visible import visible

AlwaysJson = Annotated[bool, typer.Option("--json", help="Print JSON, as it does anyhow.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command()(message)
    cli.command()(status)


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
    settings = load_settings()
    read = partial(_facts, settings=settings, views=[each.view for each in destinations(settings)])
    if not watch:
        facts = with_outbox(read)
        if as_json:
            print_json(facts)
        else:
            print_table(_facts_table(facts))
        return

    async def print_lines(outbox: Outbox) -> None:
        while True:
            print_json(await read(outbox))
            await asyncio.sleep(1)

    async def refresh(outbox: Outbox) -> None:
        with Live(_facts_table(await read(outbox)), refresh_per_second=2) as live:
            while True:
                await asyncio.sleep(1)
                live.update(_facts_table(await read(outbox)))

    try:
        with_outbox(print_lines if as_json else refresh)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _facts(outbox: Outbox, settings: Settings, views: Sequence[AccountView]) -> dict[str, Any]:
    now = time.time()
    off, keeps = (await Switches.read(outbox)).is_off, settings.keeps_while_off
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
