"""`pinrelay outbox-move`: carry all that an outbox holds into another one."""

import asyncio
from typing import Annotated

import typer

from app.commands.terminal import AsJson, print_json, print_line
from app.errors import OutboxUnavailable
from app.outbox import TransferKind, exists, open_store, transfer_all

#: What is moved, as the command says it.
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
