"""`pinrelay tag-check`: show events that Pinterest counts twice, from its tag and from Pinrelay."""

import time
from typing import Annotated

import typer
from rich.table import Table

from app import assemble
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, with_outbox
from app.config import load_settings
from app.insights.tag_check import MESSAGE_IDS, NO_REPORTS, TagReport, read_report
from app.outbox import Outbox


def tag_check(
    days: Annotated[int, typer.Option(min=1, max=30, help="Number of days.")] = 7, *, as_json: AsJson = False
) -> None:
    """Show which events Pinterest's tag sends beside Pinrelay, and which count twice.

    Pages report the calls of their tag if TAG_CHECK=true and the page calls pinrelay.watchTag.

    Example: pinrelay tag-check --days 1
    """
    settings = load_settings()
    catalog, traits_of = assemble.running_catalog(settings).catalog, assemble.source_traits(settings, None)

    async def run(outbox: Outbox) -> TagReport:
        return await read_report(outbox, catalog, traits_of, now=time.time(), days=days)

    found = with_outbox(run)
    if as_json:
        print_json(found.as_json())
    elif not found.lines:
        print_line(NO_REPORTS)
    else:
        _print(found)


def _print(found: TagReport) -> None:
    table = Table("event", "sent by us", "by the tag", "both, one id", "both, two ids", "counted twice", "tag alone")
    for line in found.lines:
        counts = line.counts
        sent = "" if line.sent is None else f"{line.sent:,}"
        numbers = [f"{number:,}" for number in (counts.calls, counts.one_id, counts.two_ids)]
        add_row(table, line.event, sent, *numbers, line.worth, f"{line.tag_alone:,}")
    print_table(table)
    for line in found.lines:
        if line.advice:
            print_line(f"{line.event}: {line.advice}")
    if found.is_fed_message_ids:
        print_line(MESSAGE_IDS)
    if found.more:
        print_line(f"{found.more:,} more calls were reported and not looked at.")
