"""`pinrelay backup`, `restore` and `outbox-salvage`: copies of the SQLite outbox, and what a damaged one has."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.commands.terminal import AsJson, print_json, say
from app.config import load_settings
from app.core.values.texts import count_of
from app.outbox import back_up, restore_backup, salvage

#: So many lost deliveries are printed one by one.
_NAMED = 100


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The new file, readable by you alone.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite outbox as it is at one moment, while it is used; the copy is looked through for damage.

    Example: pinrelay backup "/var/backups/pinrelay-$(date +%F).db"
    """
    size = back_up(load_settings().outbox_url, file)
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        say(f"{file}: {size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="A copy that `pinrelay backup` wrote.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the SQLite outbox; stop the servers first. What was there is kept beside it.

    What waited when the backup was made is sent again: Pinterest counts web and app events of the last 24 hours once.

    Example: pinrelay restore /var/backups/pinrelay-2026-11-26.db
    """
    aside = restore_backup(load_settings().outbox_url, file)
    if as_json:
        print_json({"restored": str(file), "before": aside and str(aside)})
    else:
        say(f"restored {file}" + (f"; what was there is {aside} now" if aside else ""))


def outbox_salvage(
    source: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The damaged file of SQLite.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the empty outbox that goes on.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Bring everything that can be read of a damaged outbox into a new one, and say what could not be.

    Stop the servers first. The damaged file is only read. Then point OUTBOX_URL to the new one and start.

    Example: pinrelay outbox-salvage data/pinrelay.db sqlite:///data/salvaged.db
    """
    found = asyncio.run(salvage(source, target))
    if as_json:
        lost = [{"delivery_id": str(id_), "message_id": name} for id_, name in found.lost]
        others = {"lost_notes": found.lost_notes, "lost_audit": found.lost_audit, "lost_keys": found.lost_keys}
        print_json({**found.arrived, "lost": lost, **others})
        return
    say("salvaged: " + ", ".join(f"{count:,} {kind}" for kind, count in found.arrived.items()))
    for id_, name in found.lost[:_NAMED]:
        say(f"lost: delivery {id_}, " + (f"message {name}" if name else "of which nothing can be read"))
    if len(found.lost) > _NAMED:
        say(f"lost: {len(found.lost) - _NAMED:,} more; --json names all")
    if found.lost_notes:
        say(f"lost: {count_of(found.lost_notes, 'note')}")
    if found.lost_audit:
        say(f"lost: {count_of(found.lost_audit, 'line')} of the audit log")
    if found.lost_keys:
        say(f"lost: {found.lost_keys:,} stretches of keys; an event whose key lay there may be taken in twice")
