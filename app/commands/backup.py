"""`pinrelay backup`, `restore`, `outbox-salvage` and `outbox-move`: copy or move the data of an outbox."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.commands.terminal import AsJson, print_json, print_line
from app.config import load_settings
from app.core.values.texts import count_of
from app.errors import OutboxUnavailable
from app.outbox import back_up, exists, open_store, restore_backup, salvage
from app.outbox.transfer import TransferKind, transfer_all

#: Maximum number of lost deliveries that are listed.
_NAMED = 100


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="File to create. Only you can read it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Back up the SQLite outbox while it is in use, and check the copy for damage.

    Example: pinrelay backup "/var/backups/pinrelay-$(date +%F).db"
    """
    size = back_up(load_settings().outbox_url, file)
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        print_line(f"{file}: {size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Backup that `pinrelay backup` wrote.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Replace the SQLite outbox with a backup. Stop the servers first. The replaced outbox is kept beside it.

    Deliveries that were waiting at the time of the backup are sent again. Pinterest drops web and app events that it
    already received in the last 24 hours.

    Example: pinrelay restore /var/backups/pinrelay-2026-11-26.db
    """
    aside = restore_backup(load_settings().outbox_url, file)
    if as_json:
        print_json({"restored": str(file), "before": aside and str(aside)})
    else:
        print_line(f"Restored {file}." + (f" The replaced outbox is now {aside}." if aside else ""))


def outbox_salvage(
    source: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Damaged SQLite file.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the new, empty outbox.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy everything readable from a damaged outbox into a new one, and list what is lost.

    Stop the servers first. The damaged file is not changed. Then set OUTBOX_URL to the new outbox and start.

    Example: pinrelay outbox-salvage data/pinrelay.db sqlite:///data/salvaged.db
    """
    found = asyncio.run(salvage(source, target))
    if as_json:
        lost = [{"delivery_id": str(id_), "message_id": name} for id_, name in found.lost]
        others = {
            "lost_dropped_events": found.lost_dropped_events,
            "lost_audit": found.lost_audit,
            "lost_keys": found.lost_keys,
            "lost_shared": found.lost_shared,
        }
        print_json({**found.arrived, "lost": lost, **others})
        return
    print_line("salvaged: " + ", ".join(f"{count:,} {kind}" for kind, count in found.arrived.items()))
    for id_, name in found.lost[:_NAMED]:
        print_line(f"lost: delivery {id_}, " + (f"message {name}" if name else "message unreadable"))
    if len(found.lost) > _NAMED:
        print_line(f"lost: {len(found.lost) - _NAMED:,} more; --json lists all")
    if found.lost_dropped_events:
        print_line(f"lost: {count_of(found.lost_dropped_events, 'dropped event')}")
    if found.lost_audit:
        print_line(f"lost: {count_of(found.lost_audit, 'audit log entry', 'audit log entries')}")
    if found.lost_keys:
        print_line(f"lost: {found.lost_keys:,} ranges of keys; events with these keys may be accepted twice")
    for key in found.lost_shared:
        print_line(f"lost: shared value {key}")


#: The moved data, in the words of the command.
_WORDS = {
    TransferKind.WAITING: "waiting or dead",
    TransferKind.DELIVERED: "delivered",
    TransferKind.DROPPED_EVENTS: "dropped events",
    TransferKind.KEYS: "keys",
    TransferKind.COUNTS: "counts",
    TransferKind.AUDIT: "audit log entries",
    TransferKind.SUPPRESSIONS: "opted-out ids",
    TransferKind.PEOPLE: "remembered ids",
    TransferKind.OWNERS: "messages by id",
}


def outbox_move(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the old outbox.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the new, empty outbox.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Move everything from one outbox to another. Stop the servers first.

    Moves deliveries with their history, deduplication keys, dropped events, counts, audit log and shared values.
    To resume an interrupted move, run the same command again. At the end the old outbox is empty.

    Example: pinrelay outbox-move sqlite:///data/pinrelay.db postgresql://pinrelay@db/pinrelay
    """
    if not exists(source):
        raise OutboxUnavailable(
            f"No outbox at {source}. Give the URL of the old outbox. Nothing was moved.", why="gone"
        )
    arrived = asyncio.run(_move(source, target))
    if as_json:
        print_json(arrived)
    else:
        counts = [f"{arrived[kind]:,} {words}" for kind, words in _WORDS.items()]
        print_line(f"moved: {', '.join(counts)}, {arrived['shared']:,} shared values")


async def _move(source: str, target: str) -> dict[str, int]:
    old, new = open_store(source), open_store(target)
    try:
        return await transfer_all(old, new)
    finally:
        await old.close()
        await new.close()
