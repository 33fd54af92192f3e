"""Enqueues for ever, and prints each message id once its commit was answered."""

import asyncio
import sys

from app.outbox import open_outbox
from tests.outbox.build import At, new, rules


async def main() -> None:
    at = At(open_outbox(f"sqlite:///{sys.argv[1]}", rules()))

    async def send(sender: int) -> None:
        number = 0
        while True:
            ids = [f"{sender}-{number + place}" for place in range(1 + sender % 3)]
            await at.enqueue(*(new(message_id=message_id, event_id=message_id) for message_id in ids))
            number += len(ids)
            sys.stdout.writelines(f"{message_id}\n" for message_id in ids)
            sys.stdout.flush()

    await asyncio.gather(*(send(sender) for sender in range(8)))


asyncio.run(main())
