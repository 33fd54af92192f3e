"""Reads message ids; stores each beside a call that fails, and prints how many deliveries were claimed on arrival.

The failing call makes the writer roll its group back. The pause before the next transaction lets another process store
the same event in between.
"""

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

from app.core.deliveries import Claimed
from app.errors import OutboxUnavailable
from app.outbox.arrivals import ArrivalTerms
from app.outbox.sqlite import SqliteOutbox
from tests.outbox.build import ACCOUNT, NOW, At, new, rules

#: Longer than `_BUSY_PAUSE_S`, after which a waiting process tries to lock the file again.
PAUSE_S = 0.005


class PauseAfterRollback:
    """Traces the statements of the writer and sleeps between a rollback and the next transaction."""

    was_rolled_back = False

    def __call__(self, statement: str) -> None:
        if self.was_rolled_back and statement.startswith("BEGIN"):
            time.sleep(PAUSE_S)
        self.was_rolled_back = statement == "ROLLBACK"


async def arrive(outbox: SqliteOutbox, message_id: str) -> list[Claimed]:
    """Enqueue one event beside a failing call; return the deliveries that the sender claimed on arrival."""
    claimed: asyncio.Future[list[Claimed]] = asyncio.get_running_loop().create_future()
    terms = [ArrivalTerms(limit=10, max_bytes=10**6, lease_s=600, without_presets=frozenset(), claimed=claimed)]
    outbox.offer_arrivals(ACCOUNT, lambda _: terms.pop() if terms else None)
    good = new(message_id=message_id, event_id=message_id)
    calls = [
        outbox._writer.do(bool, alone=_occupy),
        outbox.enqueue([good], (), (), now=NOW, is_final=True),
    ]
    tasks = [asyncio.create_task(each) for each in calls]
    await asyncio.sleep(PAUSE_S / 5)
    with suppress(OutboxUnavailable):
        await outbox.enqueue([new(name=None)], (), (), now=NOW)
        raise AssertionError("The call did not fail.")
    await asyncio.gather(*tasks)
    return await claimed


def _occupy(_connection: object) -> bool:
    """Keep the writer busy outside a transaction, so that the calls queued meanwhile share a group."""
    time.sleep(PAUSE_S)
    return True


async def main() -> None:
    outbox = SqliteOutbox(Path(sys.argv[1]), rules(), clock=lambda: NOW)
    outbox._writer._connection.set_trace_callback(PauseAfterRollback())
    for message_id in map(str.strip, sys.stdin):
        claimed = await arrive(outbox, message_id)
        await At(outbox).deliver(*claimed)
        sys.stdout.write(f"{len(claimed)}\n")
        sys.stdout.flush()
    await outbox.close()


asyncio.run(main())
