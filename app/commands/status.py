"""`pinrelay status`: the backlog, the state of delivery, and the last ten minutes."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from app.assemble.ad_accounts import destinations
from app.commands.terminal import AsJson, add_row, escaped, print_json, print_table, with_outbox
from app.config import Settings, load_settings
from app.console.labels import thousands, time_span
from app.core.coordination import Switches
from app.core.events import Outcome
from app.core.pages import AccountView
from app.insights.refused_requests import read_refused
from app.outbox import Outbox
from app.sender.status import all_delivery_problems, read_accounts, total_backlog


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until interrupted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the backlog, the state of delivery, and the last ten minutes' events and Pinterest's answers.

    Example: pinrelay status --watch
    """
    settings = load_settings()
    views = [each.view for each in destinations(settings)]
    read = partial(_facts, settings=settings, views=views)
    whose = ", ".join(view.shown if view.live or view.name else "the sandbox" for view in views)
    if not watch:
        facts = with_outbox(read)
        if as_json:
            print_json(facts)
        else:
            print_table(_facts_table(facts, whose))
        return

    async def print_lines(outbox: Outbox) -> None:
        while True:
            print_json(await read(outbox))
            await asyncio.sleep(1)

    async def refresh(outbox: Outbox) -> None:
        with Live(_facts_table(await read(outbox), whose), refresh_per_second=2) as live:
            while True:
                await asyncio.sleep(1)
                live.update(_facts_table(await read(outbox), whose))

    try:
        with_outbox(print_lines if as_json else refresh)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _facts(outbox: Outbox, settings: Settings, views: Sequence[AccountView]) -> dict[str, Any]:
    now = time.time()
    accounts = await read_accounts(outbox, views, settings, switches=await Switches.read(outbox), now=now)
    backlog, found = total_backlog(accounts), all_delivery_problems(accounts)
    counts: dict[str, int] = {}
    answers: dict[str, int] = {}
    for _, counter in await outbox.counters(since=now - 600, step_s=0):
        if counter.name in set(Outcome):
            counts[counter.name] = counts.get(counter.name, 0) + counter.count
        elif counter.name == "calls":
            answers[counter.label] = answers.get(counter.label, 0) + counter.count
    return {
        "pending": backlog.pending,
        "claimed": backlog.claimed,
        "dead": backlog.dead,
        "waiting_bytes": backlog.size_bytes,
        "oldest_age_s": 0 if backlog.oldest_at is None else round(max(0.0, now - backlog.oldest_at)),
        "full_in_s": None if backlog.full_in_s is None else round(backlog.full_in_s),
        "blocked": next((problem.words for problem in found if problem.state == "blocked"), ""),
        "state": found[0].state if found else "sending",
        "told": " ".join(problem.text for problem in found),
        "last_ten_minutes": counts,
        "answers": answers,
        "refused_requests": {
            f"{each.source or 'console'} {each.status} {each.cause} ({each.setting})": count
            for each, count in (await read_refused(outbox, now=now)).items()
        },
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


_WORDS = {
    "pending": "waiting to be sent",
    "claimed": "being sent",
    "dead": "dead letters",
    "waiting_bytes": "bytes waiting",
    "oldest_age_s": "age of the oldest",
    "full_in_s": "full in, at the last hour's rate",
    "blocked": "refused by Pinterest",
    "told": "what to do",
    "answers": "answers of Pinterest",
    "refused_requests": "refused requests, last 24 hours",
}

_TIMES = frozenset({"oldest_age_s", "full_in_s"})


def _facts_table(facts: dict[str, Any], whose: str) -> Table:
    """Return the facts as a table for people; `whose` are the ad accounts of these settings."""
    table = Table("", "", title=escaped(f"outbox of {whose}"), show_header=False)
    for name, value in facts.items():
        if isinstance(value, dict):
            shown = ", ".join(f"{key} {_shown(count)}" for key, count in value.items())
        else:
            shown = (time_span(value) if value else "") if name in _TIMES else _shown(value)
        add_row(table, _WORDS.get(name, name.replace("_", " ")), shown or "-")
    return table


def _shown(value: object) -> str:
    return thousands(value) if isinstance(value, int) else str(value)
