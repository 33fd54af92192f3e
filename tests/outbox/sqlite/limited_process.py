"""A process that may not write large files: enqueues until that fails, is allowed more, and goes on.

Prints how many deliveries were answered before, and after.
"""

import asyncio
import resource
import sys

from app.errors import OutboxUnavailable
from app.outbox import open_outbox
from tests.outbox.build import At, new, rules

LIMIT_BYTES = 600_000


async def main() -> None:
    at = At(open_outbox(f"sqlite:///{sys.argv[1]}", rules()))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
    taken = await enqueue_until_refused(at)
    taken += await enqueue_until_refused(at)  # refused again: what failed once has broken nothing
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    after = len(await at.enqueue(new()))
    await at.outbox.check()
    sys.stdout.write(f"{taken} {after}\n")
    await at.outbox.close()


async def enqueue_until_refused(at: At) -> int:
    taken = 0
    while True:
        try:
            taken += len(await at.enqueue(*(new() for _ in range(10))))
        except OutboxUnavailable:
            return taken


asyncio.run(main())
