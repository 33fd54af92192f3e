"""Claims and delivers until nothing is left, and prints the id of each delivery that it claimed."""

import asyncio
import sys

from app.outbox import open_outbox
from tests.outbox.build import At, rules


async def main() -> None:
    at = At(open_outbox(f"sqlite:///{sys.argv[1]}", rules()))
    while claimed := await at.claim(limit=50):
        sys.stdout.writelines(f"{each.delivery_id}\n" for each in claimed)
        await at.deliver(*claimed)
    await at.outbox.close()


asyncio.run(main())
