"""A process that receives one half of many orders' events and sends what is due: it is killed at random moments.

`main` reads the URL of the store, a folder, its number, the number of processes and that of orders. It appends to files
of its own in the folder: each event that was answered with its outcome, and each that a Pinterest in the process took.
"""

import asyncio
import os
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import orjson

from app.core.deliveries import NewDelivery
from app.errors import OutboxUnavailable
from app.outbox import Outbox, open_outbox
from tests.outbox.build import ACCOUNT, delivered, rules
from tests.outbox.orders import page, shop
from tests.waiting import until_async

#: The other side always comes: what waits for so long has lost it.
WAIT_S = 3_000.0


def events_of(number: int) -> list[NewDelivery]:
    """Return what the page and the shop tell of an order; of every seventh the page tells twice."""

    def told(event_id: str, message_id: str) -> NewDelivery:
        return page(f"{number}.50", event_id=event_id, message_id=message_id, order_id=order_id, wait_s=WAIT_S)

    order_id, message_id = f"SO-{number}", f"shop-{number}"
    total = f"USD {number}.50"
    its = shop(f"{number}.99", total, event_id=message_id, message_id=message_id, order_id=order_id, wait_s=WAIT_S)
    names = ("web", "again") if number % 7 == 0 else ("web",)
    return [its, *(told(f"tag-{number}", f"{name}-{number}") for name in names)]


def main() -> None:
    """Receive and send until all events are answered and nothing is left to send."""
    url, folder, place, processes, orders = sys.argv[1:6]
    asyncio.run(_work(url, Path(folder), int(place), int(processes), int(orders)))


async def _work(url: str, folder: Path, place: int, processes: int, orders: int) -> None:
    answered = folder / f"answered-{place}"
    done = {line.split()[0] for line in answered.read_text().splitlines()} if answered.exists() else set()
    events = [each for number in range(1, orders + 1) for each in events_of(number)]
    mine = [each for number, each in enumerate(events) if number % processes == place and each.message_id not in done]
    Random(os.getpid()).shuffle(mine)
    outbox = open_outbox(url, rules())
    sending = asyncio.create_task(_send(outbox, folder / f"taken-{place}"))
    await asyncio.gather(*(_receive(outbox, mine[lane::3], answered) for lane in range(3)))
    await until_async(partial(_is_empty, outbox), 3_000)
    sending.cancel()
    await outbox.close()


async def _is_empty(outbox: Outbox) -> bool:
    left = await outbox.backlog(ACCOUNT, now=time.time())
    return not (left.pending or left.claimed)


async def _receive(outbox: Outbox, events: list[NewDelivery], answered: Path) -> None:
    for event in events:
        while True:
            try:
                (answer,) = await outbox.enqueue([event], [], [], now=time.time())
                break
            except OutboxUnavailable:
                await asyncio.sleep(0.05)
        with answered.open("a") as file:
            file.write(f"{event.message_id} {answer.outcome}\n")


async def _send(outbox: Outbox, taken: Path) -> None:
    while True:
        now = time.time()
        try:
            claimed = await outbox.claim(
                ACCOUNT, limit=7, max_bytes=10**6, max_wait_s=0, lease_s=1.0, now=now, take_over=True
            )
        except OutboxUnavailable:
            claimed = []
        with taken.open("ab") as file:
            for each in claimed:
                file.write(each.payload + b"\n")
        await asyncio.sleep(0.01)
        with suppress(OutboxUnavailable):  # it is claimed, and so sent, again
            await outbox.settle([delivered(each) for each in claimed], [], now=time.time())


def taken_events(folder: Path) -> list[dict[str, object]]:
    """Return what Pinterest took, from all processes; a line that a kill cut off was not taken."""
    lines = [line for file in folder.glob("taken-*") for line in file.read_bytes().split(b"\n")[:-1]]
    return [orjson.loads(line) for line in lines]
