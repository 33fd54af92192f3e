"""`pinrelay audit`: who did what. What commands change themselves is noted under the name of whoever calls them."""

import os
import pwd
import socket
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from app.access.users import Person, UserRole
from app.commands.terminal import AsJson, add_row, print_json, print_table, time_text, with_outbox
from app.core.pages import AuditEntry
from app.outbox import Outbox

_PAGE = 500


def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of entries.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the audit log, newest first: logins, failed logins, and what people changed or sent.

    Example: pinrelay audit --limit 200
    """
    found = with_outbox(lambda outbox: _newest(outbox, limit))
    if as_json:
        for entry in found:
            print_json(asdict(entry))
        return
    table = Table("when (UTC)", "who", "from", "what", "target", "before", "after")
    for each in found:
        add_row(table, time_text(each.at), each.who, each.place, each.what.value, each.target, each.before, each.after)
    print_table(table)


def caller() -> Person:
    """Return the person who calls a command: the name of the login, and the machine."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have none
        name = f"uid {os.getuid()}"
    return Person(name=f"{name} (command line)", role=UserRole.OPERATOR, place=socket.gethostname())


async def _newest(outbox: Outbox, limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await outbox.audit(limit=min(_PAGE, limit - len(found)), cursor=cursor)
        found += page.entries
        if (cursor := page.next_cursor) is None:
            break
    return found
