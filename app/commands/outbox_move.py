"""`pinrelay outbox-move`: carry all that an outbox holds into another one."""

import asyncio
from typing import Annotated

import typer

from app.commands.terminal import AsJson, print_json, say
from app.errors import OutboxUnavailable
from app.outbox import Carried, carry, exists, open_store

#: What is carried, as the command says it.
_WORDS = {
    Carried.WAITING: "waiting or dead",
    Carried.DELIVERED: "delivered",
    Carried.NOTES: "notes",
    Carried.KEYS: "keys",
    Carried.COUNTS: "counts",
    Carried.AUDIT: "lines of the audit log",
    Carried.MARKS: "ids of people who said no",
    Carried.PEOPLE: "ids of people who are remembered",
    Carried.WHOSE: "messages that are kept under ids",
}


def outbox_move(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the outbox that is left.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the empty outbox that goes on.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Carry everything from one outbox to another; stop the servers first.

    Deliveries, whatever their state, with history, keys of de-duplication, notes, counts, audit log, shared values.
    Interrupted, it can be called again: what arrived already is known there. At the end the first one is empty.

    Example: pinrelay outbox-move sqlite:///data/pinrelay.db postgresql://pinrelay@db/pinrelay
    """
    if not exists(source):
        raise OutboxUnavailable(
            f"There is no outbox {source}. Name the one that is left: nothing was made.", why="gone"
        )
    arrived = asyncio.run(_move(source, target))
    if as_json:
        print_json(arrived)
    else:
        counts = [f"{arrived[kind]:,} {words}" for kind, words in _WORDS.items()]
        say(f"moved: {', '.join(counts)}, {arrived['shared']:,} shared values")


async def _move(source: str, target: str) -> dict[str, int]:
    old, new = open_store(source), open_store(target)
    try:
        return await carry(old, new)
    finally:
        await old.close()
        await new.close()
